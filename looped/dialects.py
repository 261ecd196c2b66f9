"""How a table is written: encoding, separator, decimal mark, header and row names, each told or guessed."""

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from looped.fields import Field, SettingsError, named
from looped.settings import CheckedSettings

SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|", "space": " "}
"""What may stand between two values of a line, by name."""
DECIMALS = {"point": ".", "comma": ","}
"""What may stand before the decimals, by name."""
SAMPLE = 200
"""Lines that the separator is guessed from."""
MISSING = frozenset(("", "na", "n/a", "#n/a", "<na>", "nan", "null", "none", "nil", "?", "-", "--", "–", "—", ".", "…"))
"""What stands for a missing value, in lower case."""

_EXPONENT = r"(?:[eE][+-]?[0-9]+)?"
_POINT = re.compile(rf"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+){_EXPONENT}")
_COMMA = re.compile(rf"[+-]?(?:[0-9]+,?[0-9]*|,[0-9]+){_EXPONENT}")
_GROUPED = re.compile(r"[+-]?[1-9][0-9]{0,2}(?:[.,][0-9]{3})+")
_DATE = re.compile(r"[0-9]{1,4}([-/.])[0-9]{1,2}\1[0-9]{1,4}")
_INFINITE = re.compile(r"[+-]?inf(?:inity)?", re.IGNORECASE)
_PLAIN = re.compile(r"[0-9eE.+\-\n]+")
_COMMENT = re.compile(r"^[ \t]*#(?!n/?a\b|div/0!|ref!|value!|name\?|num!|null!).*$", re.MULTILINE | re.IGNORECASE)
_OPENS = re.compile(r'(?:^|[,;\t| ])"')
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")

DIALECT: dict[str, Field] = {
    field.name: field
    for field in (
        Field(
            name="separator", key="separator", label="Separator", kind="choice", choices=named("auto", *SEPARATORS),
            help="What stands between two values of a line of the CSV. auto: the one that gives every line the same "
            "number of values and the most numbers.",
        ),
        Field(
            name="decimal", key="decimal", label="Decimal mark", kind="choice", choices=named("auto", *DECIMALS),
            help="What stands before the decimals of a number in the CSV. auto: a comma where numbers such as 1,5 show "
            "it. Thousands separators are not read.",
        ),
        Field(
            name="header", key="header", label="Header", kind="choice", choices=named("auto", "yes", "no"),
            help="Whether the first line of the CSV holds the names of the columns; without names they are called "
            "column 1, column 2 and so on. auto: yes, where it holds text above numbers.",
        ),
        Field(
            name="row_names", key="row-names", label="Row names", kind="choice", choices=named("auto", "yes", "no"),
            help="Whether the first column of the CSV names the rows and is left out. auto: yes, where that column has "
            "no name, as R and pandas write it.",
        ),
        Field(
            name="encoding", key="encoding", label="Encoding", kind="choice",
            choices=named("auto", "utf-8", "utf-16", "cp1252", "cp1250", "cp1251", "gb18030", "shift_jis"),
            help="How the CSV stores letters, which matters for column names alone. auto: UTF-8 or UTF-16 where it is, "
            "else cp1252, Western European of Windows.",
        ),
    )
}  # fmt: skip
"""The fields of `Dialect` by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect(CheckedSettings):
    """How a CSV is written, as far as it is told; auto is guessed from the file.

    Raises:
        SettingsError: if a value is none of its choices.
    """

    table: ClassVar[dict[str, Field]] = DIALECT

    separator: str = "auto"
    decimal: str = "auto"
    header: str = "auto"
    row_names: str = "auto"
    encoding: str = "auto"


@dataclass(frozen=True, slots=True)
class Grid:
    """The cells of a table as text, without spaces round them, and how they were found."""

    names: list[str]
    """Of the columns, as in the file: maybe empty or twice the same."""
    rows: list[list[str]]
    """Each as long as `names`."""
    lines: list[int]
    """The line of the file on which each row begins, counted from 1."""
    first: int
    """Columns left out at the left, for the number of a column in the file."""
    decimal: str
    """The decimal mark."""
    reading: str
    """What was guessed or told, in one line."""


def read(content: bytes, name: str, dialect: Dialect) -> Grid:
    """Find the cells of a table.

    Raises:
        SettingsError: with one sentence, if this is no text, no table of at least two columns, or not a regular one, or
            if its first line may be names or data.
    """
    text, encoding = _decode(content, name, dialect.encoding)
    text = text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n \x1a")
    if not text.strip():
        raise _refuse(f"{name} is empty: a CSV needs a line of column names and rows of numbers.")
    if _CONTROL.search(text):
        raise _refuse(f"{name} is not a CSV file, it holds binary data: export the table as CSV.")
    skipped: list[str] = []
    separator = SEPARATORS.get(dialect.separator, "")
    if told := re.match(r'"?sep=(.)"?[,;\t ]*(?:\n|$)', text, re.IGNORECASE):
        separator = separator or told[1]
        text = "\n" + text[told.end() :]
        skipped.append("the line sep=")
    bare = _without_comments(text)
    separator = separator or guess_separator(bare if bare.strip() else text)
    comments = _comments(text, bare, separator)
    if comments:
        text = bare
    records, lines = _split(text, separator, name)
    width = _width(records, name)
    records = [_cut(record, width) for record in records]

    start = next(k for k, record in enumerate(records) if len(record) >= width)
    while len(records[start]) > width and _are_names(records, start + 1, width):
        start += 1  # a wide title
    if len(records[start]) > width:
        raise _ragged(name, lines[start], len(records[start]), width)
    names_line = f"names in line {lines[start]}"
    first, rest = records[start], records[start + 1 :]
    numbers = _numbers_on_top(first, rest)
    if numbers and start and len(records[start - 1]) == width - 1 >= 2 and dialect.header != "no":
        # R's write.table leaves out the name of the row names
        start -= 1
        if not _are_row_names([record[0] for record in records[start + 1 :]], text, dialect):
            raise _ragged(name, lines[start + 1], width, width - 1)
        names, body, names_line = ["", *records[start]], start + 1, f"names in line {lines[start]}"
    elif dialect.header == "yes" or (dialect.header == "auto" and not numbers):
        names, body = first, start + 1
    elif dialect.header == "auto" and (above := _names_in_comment(comments, separator, width)):
        names, body, names_line = above, start, "names in the last comment line"
        comments.pop()
    elif dialect.header == "auto":
        raise SettingsError(
            "header",
            f"The first line of {name} holds numbers ('{numbers}') where column names are expected: choose header = "
            "no if it is data, yes if these are the names.",
        )
    else:
        names, body, names_line = [f"column {k + 1}" for k in range(width)], start, "no header"
    if start:
        skipped.append(f"{start} line{'s' * (start > 1)} above the table")
    if comments:
        skipped.append(f"{len(comments)} comment line{'s' * (len(comments) > 1)}")
    for record, line in zip(records[body:], lines[body:], strict=True):
        if len(record) > width:
            raise _ragged(name, line, len(record), width)
    rows = [record + [""] * (width - len(record)) for record in records[body:]]
    left = 0
    if dialect.row_names == "yes" or (dialect.row_names == "auto" and not names[0]):
        left = 1
        skipped.append(f"the first column ({names[0] or 'no name'}), which names the rows")
        names, rows = names[1:], [row[1:] for row in rows]
    elif not names[0]:
        names = ["column 1", *names[1:]]
    names = [" ".join(column.split()) for column in names]
    decimal = DECIMALS.get(dialect.decimal) or _guess_decimal(rows)
    word = next((word for word, mark in SEPARATORS.items() if mark == separator), f"'{separator}'")
    reading = f"{encoding}, separator {word}, decimal {'comma' if decimal == ',' else 'point'}, {names_line}"
    if skipped:
        reading += f"; left out: {', '.join(' '.join(part.split()) for part in skipped)}"
    return Grid(names, rows, lines[body:], left, decimal, reading)


def _are_names(records: list[list[str]], place: int, width: int) -> bool:
    """Whether that record has as many cells as a row of the table, and words over numbers in them."""
    if place + 1 >= len(records) or len(records[place]) != width:
        return False
    return not _numbers_on_top(records[place], records[place + 1 :])


def _without_comments(text: str) -> str:
    """The text with comment lines emptied, so that lines keep their numbers; a quoted cell may hold such a line."""
    lines, quoted = text.split("\n"), False
    for place, line in enumerate(lines):
        if not quoted and _COMMENT.fullmatch(line):
            lines[place] = ""
        elif quoted or _OPENS.search(line):  # a quote within a cell, such as 5", opens nothing
            quoted ^= line.count('"') % 2 == 1
    return "\n".join(lines)


def _comments(text: str, bare: str, separator: str) -> list[str]:
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
    sample = [line for line in text.split("\n", 2 * SAMPLE) if line.strip()][:SAMPLE]
    best, found = 0.0, ","
    for separator in SEPARATORS.values():
        try:
            records = [record for record in csv.reader(_spaced(sample, separator), delimiter=separator) if record]
        except csv.Error:
            continue
        widths = Counter(len(record) for record in records if len(record) > 1)
        if not widths:
            continue
        width, count = widths.most_common(1)[0]
        cells = [cell.strip() for record in records if len(record) == width for cell in record]
        known: float = sum(_is_any_number(cell) or bool(_DATE.fullmatch(cell)) for cell in cells)
        known += 0.5 * sum(cell.lower() in MISSING for cell in cells)
        score = (count / len(records)) ** 2 * (0.1 + known / len(cells))
        if separator == " ":  # a tab counts as a space, so where tabs separate both fit
            score *= 0.9
        if score > best:
            best, found = score, separator
    return found


def is_number(text: str, decimal: str = ".") -> bool:
    """Whether a cell is a finite or infinite number as people write it, with no underscore, word or foreign digit."""
    return bool((_COMMA if decimal == "," else _POINT).fullmatch(text) or _INFINITE.fullmatch(text))


def is_missing(text: str) -> bool:
    """Whether a cell stands for a missing value."""
    return text.lower() in MISSING


def may_be_grouped(text: str) -> bool:
    """Whether a number such as 1,234 may be meant as a thousand or as one with decimals."""
    return bool(_GROUPED.fullmatch(text))


def numbers(cells: Sequence[str], decimal: str) -> list[float] | None:
    """The cells as numbers, or None if one of them is not."""
    if decimal == ",":
        if any("." in cell for cell in cells):
            return None
        cells = [cell.replace(",", ".") for cell in cells]
    # Of these characters float() takes nothing but numbers; words such as inf are looked at one by one.
    if _PLAIN.fullmatch("\n".join(cells)) is None and not all(map(is_number, cells)):
        return None
    try:
        return list(map(float, cells))
    except ValueError:
        return None


def _refuse(message: str) -> SettingsError:
    return SettingsError("data", message)


def _ragged(name: str, line: int, found: int, width: int) -> SettingsError:
    what = f"line {line} has {found} values, not {width}"
    return _refuse(f"{name} is not a regular CSV ({what}): every row needs the same number of values as its header.")


def _decode(content: bytes, name: str, encoding: str) -> tuple[str, str]:
    """The text and what its encoding is called."""
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
        raise _refuse(why) from None


def _spaced(lines: list[str], separator: str) -> list[str]:
    """For the separator space: any run of spaces and tabs outside quotes is one space, none at the ends."""
    if separator != " ":
        return lines
    return [re.sub(r'("[^"]*")|[ \t]+', lambda found: found[1] or " ", line).strip() for line in lines]


def _split(text: str, separator: str, name: str) -> tuple[list[list[str]], list[int]]:
    """Cells by record, and the line on which each begins; records without a value are left out."""
    if separator == " ":
        text = "\n".join(_spaced(text.split("\n"), " "))
    reader = csv.reader(io.StringIO(text), delimiter=separator, skipinitialspace=True, strict=True)
    records, lines, line = [], [], 1
    try:
        for record in reader:
            cells = [cell.strip() for cell in record]
            if any(cells):
                records.append(cells)
                lines.append(line)
            line = reader.line_num + 1
    except csv.Error as error:
        raise _refuse(
            f"{name} is not a regular CSV (line {line}: {error}): close every quote, and write a quote inside a value "
            "twice."
        ) from None
    return records, lines


def _width(records: list[list[str]], name: str) -> int:
    """The number of columns: the most frequent number of values, without columns at the right that stay empty."""
    widths = Counter(len(record) for record in records if len(record) > 1)
    if not widths:
        raise _refuse(
            f"{name} is not a CSV with at least two columns: separate them by commas, semicolons, tabs, pipes or "
            "spaces, or choose the separator."
        )
    width = widths.most_common(1)[0][0]
    whole = [record for record in records if len(record) == width]
    while width > 2 and all(not record[width - 1] for record in whole):
        width -= 1
    return width


def _cut(record: list[str], width: int) -> list[str]:
    """Without the empty values that separators at the end of a line leave."""
    while len(record) > width and not record[-1]:
        record = record[:-1]
    return record


def _is_any_number(text: str) -> bool:
    return bool(_POINT.fullmatch(text) or _COMMA.fullmatch(text))


def _numbers_on_top(first: list[str], rest: list[list[str]]) -> str:
    """The first number of a line above columns of numbers, where it may be data; empty where it is names.

    Names may be numbers where others are not and these rise, as years do.
    """
    found, texts = [], 0
    for k, top in enumerate(first):
        column = [record[k] for record in rest[:SAMPLE] if k < len(record) and not is_missing(record[k])]
        if 2 * sum(map(_is_any_number, column)) <= len(column) or is_missing(top):
            continue
        if _is_any_number(top):
            found.append(top)
        else:
            texts += 1
    if not found:
        return ""
    years = [int(text) for text in found if text.isdigit()]
    rising = len(years) == len(found) and years == sorted(set(years))
    return "" if texts and rising else found[0]


def _are_row_names(column: list[str], text: str, dialect: Dialect) -> bool:
    """Whether a column without a place in the header names the rows: told, quoted, numbered, or different words."""
    if dialect.row_names != "auto":
        return dialect.row_names == "yes"
    numbered = column == [str(k + 1) for k in range(len(column))]
    quoted = text.count('\n"') >= len(column)
    words = len(set(column)) == len(column) and not any(map(_is_any_number, column))
    return numbered or quoted or words


def _names_in_comment(comments: list[str], separator: str, width: int) -> list[str]:
    """The names that the last comment line holds, as NumPy's savetxt writes them; empty if it does not."""
    if not comments:
        return []
    line = _spaced([comments[-1].strip().removeprefix("#").strip(" ")], separator)
    try:
        names = [cell.strip() for cell in next(csv.reader(line, delimiter=separator, skipinitialspace=True), [])]
    except csv.Error:
        return []
    return names if len(names) == width and not any(map(_is_any_number, names)) else []


def _guess_decimal(rows: list[list[str]]) -> str:
    """A comma where numbers such as 1,5 show it and fewer, such as 1.5, speak for the point."""
    with_comma = [cell for row in rows for cell in row if "," in cell and _COMMA.fullmatch(cell)]
    commas = sum(not may_be_grouped(cell) for cell in with_comma)
    if not commas:
        return "."
    with_point = [cell for row in rows for cell in row if "." in cell and _POINT.fullmatch(cell)]
    return "," if commas > sum(not may_be_grouped(cell) for cell in with_point) else "."
