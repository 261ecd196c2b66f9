"""The cells of a CSV: its bytes as text, its comments, its separator, and its lines as records."""

import csv
import io
import re
from collections import Counter

from looped.fields import SettingsError
from looped.numerals import is_any_number, is_missing

SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|", "space": " "}
"""The separators that may stand between two values of a line, by name."""
SAMPLE = 200
"""Number of lines that the separator is guessed from."""
SAMPLE_LETTERS = 200_000
"""Most characters of them."""
MOST_LINES = 100_000
"""Most lines of a file, blank ones and comments among them: a table has a tenth of that."""
LONGEST_LINE = 1024**2
"""Most characters of a line: a thousand columns have a thousand each."""

_DATE = re.compile(r"[0-9]{1,4}([-/.])[0-9]{1,2}\1[0-9]{1,4}")
_COMMENT = re.compile(r"^[ \t]*#(?!n/?a\b|div/0!|ref!|value!|name\?|num!|null!).*$", re.MULTILINE | re.IGNORECASE)
_OPENS = re.compile(r'(?:^|[,;\t| ])"')


def decode(content: bytes, name: str, encoding: str) -> tuple[str, str]:
    """The text, and the name of its encoding."""
    if encoding == "auto":
        encoding = "utf-8"
        if content.startswith((b"\xff\xfe", b"\xfe\xff")):
            encoding = "utf-16"
        elif b"\0" in content[:2000]:  # UTF-16 without a mark: nearly every other byte of a table is 0
            high, low = (content[k:2000:2].count(0) / max(1, len(content[k:2000:2])) for k in (0, 1))
            encoding = "utf-16-le" if high < 0.1 < 0.8 < low else "utf-16-be" if low < 0.1 < 0.8 < high else "utf-8"
        else:
            try:
                content.decode("utf-8-sig")
            except UnicodeDecodeError:
                encoding = "cp1252"
    try:
        return content.decode("utf-8-sig" if encoding == "utf-8" else encoding), encoding.upper()
    except UnicodeDecodeError:
        why = f"{name} is not a CSV file in {encoding.upper()}: export it again as CSV (UTF-8), or choose its encoding."
        raise refuse(why) from None


def refuse_no_table(text: str, name: str) -> None:
    """Refuse a text that is larger than any table could be, before its cells are looked at."""
    if (lines := text.count("\n") + 1) > MOST_LINES:
        raise refuse(f"{name} has {lines:,} lines: choose a table of at most {MOST_LINES:,}.")
    longest, line = max((len(line), -place) for place, line in enumerate(text.split("\n"), start=1))
    if longest > LONGEST_LINE:
        raise refuse(
            f"{name} has {longest:,} characters in line {-line}: write each row of the table on a line of its own, of "
            f"at most {LONGEST_LINE:,}."
        )


def without_comments(text: str) -> str:
    """The text with comment lines emptied, so that lines keep their numbers; a quoted cell may hold such a line."""
    lines, quoted = text.split("\n"), False
    for place, line in enumerate(lines):
        if not quoted and _COMMENT.fullmatch(line):
            lines[place] = ""
        elif quoted or _OPENS.search(line):  # a quote within a cell, such as 5", opens nothing
            quoted ^= line.count('"') % 2 == 1
    return "\n".join(lines)


def comments_of(text: str, bare: str, separator: str) -> list[str]:
    """Lines that begin with #, unless they are rows: three or more, each with as many separators as the others."""
    found = [line for line, kept in zip(text.split("\n"), bare.split("\n"), strict=True) if line != kept]
    other = next((line for line in bare.split("\n") if line.strip()), "").count(separator)
    rows = len(found) > 2 and other > 0 and all(line.count(separator) == other for line in found)
    return [] if rows or not bare.strip() else found


def guess_separator(text: str) -> str:
    """The separator of the pieces that give the most lines the same number of values, and the most numbers.

    `csv.Sniffer` looks at the regularity of the lines alone, and finds fewer of those with lines above the table,
    without names or with values missing.
    """
    lines = text[:SAMPLE_LETTERS].split("\n", 2 * SAMPLE)
    sample = [line for line in lines if line.strip()][:SAMPLE]
    best, found = 0.0, ","
    for separator in SEPARATORS.values():
        try:
            records = [record for record in csv.reader(spaced(sample, separator), delimiter=separator) if record]
        except csv.Error:
            continue
        widths = Counter(len(record) for record in records if len(record) > 1)
        if not widths:
            continue
        width, count = widths.most_common(1)[0]
        cells = [cell.strip() for record in records if len(record) == width for cell in record]
        known: float = sum(is_any_number(cell) or bool(_DATE.fullmatch(cell)) for cell in cells)
        known += 0.5 * sum(is_missing(cell) for cell in cells)
        score = (count / len(records)) ** 2 * (0.1 + known / len(cells))
        if separator == " ":  # a tab counts as a space, so where tabs separate both fit
            score *= 0.9
        if score > best:
            best, found = score, separator
    return found


def spaced(lines: list[str], separator: str) -> list[str]:
    """For the separator space: any run of spaces and tabs outside quotes is one space, none at the ends."""
    if separator != " ":
        return lines
    return [re.sub(r'("[^"]*")|[ \t]+', lambda found: found[1] or " ", line).strip() for line in lines]


def split(text: str, separator: str, name: str) -> tuple[list[list[str]], list[int]]:
    """Cells by record, and the line on which each begins; records without a value are left out."""
    if separator == " ":
        text = "\n".join(spaced(text.split("\n"), " "))
    reader = csv.reader(io.StringIO(text), delimiter=separator, skipinitialspace=True, strict=True)
    records, lines, line = [], [], 1
    try:
        for record in reader:
            if any(map(str.strip, record)):
                records.append([cell.strip() for cell in record])
                lines.append(line)
            line = reader.line_num + 1
    except csv.Error as error:
        raise refuse(
            f"{name} is not a regular CSV (line {line}: {error}): close every quote, and write a quote inside a value "
            "twice."
        ) from None
    return records, lines


def refuse(message: str) -> SettingsError:
    """The error for a table that cannot be used."""
    return SettingsError("data", message)
