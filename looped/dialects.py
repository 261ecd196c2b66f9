"""The layout of a CSV: encoding, separator, decimal mark, header and row names, each given or guessed."""

import csv
import re
from collections import Counter
from dataclasses import dataclass

from looped.csv_cells import (
    SAMPLE,
    SEPARATORS,
    comments_of,
    decode,
    guess_separator,
    refuse,
    refuse_no_table,
    spaced,
    split,
    without_comments,
)
from looped.fields import SettingsError, brief, named
from looped.numerals import guess_decimal, is_any_number, is_missing
from looped.settings import CheckedSettings, setting

_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")
DECIMALS = {"point": ".", "comma": ","}
"""The marks that may stand before the decimals, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect(CheckedSettings):
    """The layout of a CSV as far as it is given; auto is guessed from the file.

    Raises:
        SettingsError: if a value is none of its choices.
    """

    separator: str = setting(
        "auto", key="separator", label="Separator", kind="choice", choices=named("auto", *SEPARATORS),
        help="What stands between two values of a line of the CSV. auto: the one that gives every line the same "
        "number of values and the most numbers.",
    )  # fmt: skip
    decimal: str = setting(
        "auto", key="decimal", label="Decimal mark", kind="choice", choices=named("auto", *DECIMALS),
        help="What stands before the decimals of a number in the CSV. auto: a comma where numbers such as 1,5 show "
        "it. Thousands separators are not read.",
    )  # fmt: skip
    header: str = setting(
        "auto", key="header", label="Header", kind="choice", choices=named("auto", "yes", "no"),
        help="Whether the first line of the CSV holds the names of the columns; without names they are called "
        "column 1, column 2 and so on. auto: yes, where it holds text above numbers.",
    )  # fmt: skip
    row_names: str = setting(
        "auto", key="row-names", label="Row names", kind="choice", choices=named("auto", "yes", "no"),
        help="Whether the first column of the CSV names the rows and is left out. auto: yes, where that column has "
        "no name, as R and pandas write it, or holds a word of its own in each row.",
    )  # fmt: skip
    encoding: str = setting(
        "auto", key="encoding", label="Encoding", kind="choice",
        choices=named("auto", "utf-8", "utf-16", "cp1252", "cp1250", "cp1251", "gb18030", "shift_jis"),
        help="How the CSV stores letters, which matters for column names alone. auto: UTF-8 or UTF-16 where it is, "
        "else cp1252, Western European of Windows.",
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Grid:
    """The cells of a table as text, without spaces round them, and how they were found."""

    names: list[str]
    """Names of the columns as in the file: a name may be empty, or stand twice."""
    rows: list[list[str]]
    """Each as long as `names`."""
    lines: list[int]
    """The line of the file on which each row begins, counted from 1."""
    first: int
    """Columns left out at the left, for the number of a column in the file."""
    decimal: str
    """The decimal mark."""
    reading: str
    """The layout that was guessed or given, in one line."""


def read(content: bytes, name: str, dialect: Dialect) -> Grid:
    """Find the cells of a table.

    Raises:
        SettingsError: with one sentence, if this is no text, no regular table of at least two columns, or if its first
            line may be either names or data.
    """
    text, encoding = decode(content, name, dialect.encoding)
    text = text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n \x1a")
    if not text.strip():
        raise refuse(f"{name} is empty: a CSV needs a line of column names and rows of numbers.")
    if _CONTROL.search(text):
        raise refuse(f"{name} is not a CSV file, it holds binary data: export the table as CSV.")
    refuse_no_table(text, name)
    text, separator, comments, skipped = _told(text, dialect)
    records, lines = split(text, separator, name)
    width = _width(records, name)
    records = [_cut(record, width) for record in records]

    start = next(k for k, record in enumerate(records) if len(record) >= width)
    while len(records[start]) > width and _are_names(records, start + 1, width):
        start += 1  # a wide title
    if len(records[start]) > width:
        raise _ragged(name, lines[start], len(records[start]), width)
    numbers = _numbers_on_top(records[start], records[start + 1 :])
    if numbers and start and len(records[start - 1]) == width - 1 >= 2 and dialect.header != "no":
        # R's write.table leaves out the name of the row names
        start -= 1
        if not _are_row_names([record[0] for record in records[start + 1 :]], text, dialect):
            raise _ragged(name, lines[start + 1], width, width - 1)
        names, body, names_line = ["", *records[start]], start + 1, f"names in line {lines[start]}"
    elif dialect.header == "yes" or (dialect.header == "auto" and not numbers):
        names, body, names_line = records[start], start + 1, f"names in line {lines[start]}"
    elif dialect.header == "auto" and (above := _names_in_comment(comments, separator, width)):
        names, body, names_line = above, start, "names in the last comment line"
        comments.pop()
    elif dialect.header == "auto":
        raise SettingsError(
            "header",
            f"The first line of {name} holds numbers ('{brief(numbers)}') where column names are expected: choose "
            "header = no if it is data, yes if these are the names.",
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
    named = not names[0] or (width > 2 and _are_words([row[0] for row in rows]))
    left = int(dialect.row_names == "yes" or (dialect.row_names == "auto" and named))
    if left:
        skipped.append(f"the first column ({brief(names[0]) or 'no name'}), which names the rows")
    elif not names[0]:
        names = ["column 1", *names[1:]]
    names, rows = [" ".join(column.split()) for column in names[left:]], [row[left:] for row in rows]
    decimal = DECIMALS.get(dialect.decimal) or guess_decimal(rows)
    word = next((word for word, mark in SEPARATORS.items() if mark == separator), f"'{separator}'")
    reading = f"{encoding}, separator {word}, decimal {'comma' if decimal == ',' else 'point'}, {names_line}"
    if skipped:
        reading += f"; left out: {', '.join(' '.join(part.split()) for part in skipped)}"
    return Grid(names, rows, lines[body:], left, decimal, reading)


def _told(text: str, dialect: Dialect) -> tuple[str, str, list[str], list[str]]:
    """The text without a line sep= and comments, its separator, the comments, and what was left out."""
    separator, skipped = SEPARATORS.get(dialect.separator, ""), []
    if told := re.match(r'"?sep=(.)"?[,;\t ]*(?:\n|$)', text, re.IGNORECASE):
        separator = separator or told[1]
        text = "\n" + text[told.end() :]
        skipped.append("the line sep=")
    bare = without_comments(text)
    separator = separator or guess_separator(bare if bare.strip() else text)
    comments = comments_of(text, bare, separator)
    return bare if comments else text, separator, comments, skipped


def _are_names(records: list[list[str]], place: int, width: int) -> bool:
    """True where that record has as many cells as a row of the table, and words over numbers in them."""
    if place + 1 >= len(records) or len(records[place]) != width:
        return False
    return not _numbers_on_top(records[place], records[place + 1 :])


def _ragged(name: str, line: int, found: int, width: int) -> SettingsError:
    what = f"line {line} has {found} values, not {width}"
    return refuse(f"{name} is not a regular CSV ({what}): every row needs the same number of values as its header.")


def _width(records: list[list[str]], name: str) -> int:
    """The number of columns: the most frequent number of values, without columns at the right that stay empty."""
    widths = Counter(len(record) for record in records if len(record) > 1)
    if not widths:
        raise refuse(
            f"{name} is not a CSV with at least two columns: separate them by commas, semicolons, tabs, pipes or "
            "spaces, or choose the separator."
        )
    width = widths.most_common(1)[0][0]
    whole = [record for record in records if len(record) == width]
    while width > 2 and all(not record[width - 1] for record in whole):
        width -= 1
    return width


def _cut(record: list[str], width: int) -> list[str]:
    """The records without the empty values that separators at the end of a line leave."""
    while len(record) > width and not record[-1]:
        record = record[:-1]
    return record


def _numbers_on_top(first: list[str], rest: list[list[str]]) -> str:
    """The first number of a line above columns of numbers, where it may be data; empty where it is names.

    Names may be numbers where others are not and these rise, as years do.
    """
    found, texts = [], 0
    for k, top in enumerate(first):
        column = [record[k] for record in rest[:SAMPLE] if k < len(record) and not is_missing(record[k])]
        if 2 * sum(map(is_any_number, column)) <= len(column) or is_missing(top):
            continue
        if is_any_number(top):
            found.append(top)
        else:
            texts += 1
    if not found:
        return ""
    years = [int(text) for text in found if text.isdigit() and len(text) < 10]
    rising = len(years) == len(found) and years == sorted(set(years))
    return "" if texts and rising else found[0]


def _are_row_names(column: list[str], text: str, dialect: Dialect) -> bool:
    """True where a column without a place in the header names the rows: given, quoted, numbered, or different words."""
    if dialect.row_names != "auto":
        return dialect.row_names == "yes"
    numbered = column == [str(k + 1) for k in range(len(column))]
    quoted = text.count('\n"') >= len(column)
    words = len(set(column)) == len(column) and not any(map(is_any_number, column))
    return numbered or quoted or words


def _are_words(column: list[str]) -> bool:
    """True where every cell begins with a letter, stands for no missing value, and is another one."""
    return len({*column}) == len(column) > 0 and all(cell[:1].isalpha() and not is_missing(cell) for cell in column)


def _names_in_comment(comments: list[str], separator: str, width: int) -> list[str]:
    """The names that the last comment line holds, as NumPy's savetxt writes them; empty if it does not."""
    if not comments:
        return []
    line = spaced([comments[-1].strip().removeprefix("#").strip(" ")], separator)
    try:
        names = [cell.strip() for cell in next(csv.reader(line, delimiter=separator, skipinitialspace=True), [])]
    except csv.Error:
        return []
    return names if len(names) == width and not any(map(is_any_number, names)) else []
