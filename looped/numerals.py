"""Numbers as people write them: read from the cells of a table, missing values too, and given with their error."""

import math
import re
from collections.abc import Sequence

MISSING = frozenset(("", "na", "n/a", "#n/a", "<na>", "nan", "null", "none", "nil", "?", "-", "--", "–", "—", ".", "…"))
"""The texts that stand for a missing value, in lower case."""

_EXPONENT = r"(?:[eE][+-]?[0-9]+)?"
_POINT = re.compile(rf"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+){_EXPONENT}")
_COMMA = re.compile(rf"[+-]?(?:[0-9]+,?[0-9]*|,[0-9]+){_EXPONENT}")
_GROUPED = re.compile(r"[+-]?[1-9][0-9]{0,2}(?:[.,][0-9]{3})+")
_INFINITE = re.compile(r"[+-]?inf(?:inity)?", re.IGNORECASE)
_PLAIN = re.compile(r"[0-9eE.+\-\n]+")


def is_number(text: str, decimal: str = ".") -> bool:
    """True where a cell is a finite or infinite number as people write it: no underscore, word or foreign digit."""
    return bool((_COMMA if decimal == "," else _POINT).fullmatch(text) or _INFINITE.fullmatch(text))


def is_any_number(text: str) -> bool:
    """True where a cell is a finite number with either decimal mark."""
    return bool(_POINT.fullmatch(text) or _COMMA.fullmatch(text))


def is_missing(text: str) -> bool:
    """True where a cell stands for a missing value."""
    return text.lower() in MISSING


def may_be_grouped(text: str) -> bool:
    """True where a number such as 1,234 may mean a thousand or one with decimals."""
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


def guess_decimal(rows: list[list[str]]) -> str:
    """A comma where numbers such as 1,5 show it and fewer, such as 1.5, speak for the point."""
    with_comma = [cell for row in rows for cell in row if "," in cell and _COMMA.fullmatch(cell)]
    commas = sum(not may_be_grouped(cell) for cell in with_comma)
    if not commas:
        return "."
    with_point = [cell for row in rows for cell in row if "." in cell and _POINT.fullmatch(cell)]
    return "," if commas > sum(not may_be_grouped(cell) for cell in with_point) else "."


def with_error(value: float, error: float, plain: tuple[float, float] = (1e-3, 1e4)) -> tuple[str, str]:
    """A measured number and its error, which has one digit, in as many decimals.

    Args:
        value: the number.
        error: its standard error; where it is 0, or one of the two is not finite, the number has three digits.
        plain: sizes of a number from the one to the other are written without a power of ten.
    """
    if not (math.isfinite(value) and math.isfinite(error) and error > 0):
        return f"{value:.3g}", f"{error:.1g}"
    rounded = f"{error:.0e}"
    last = int(rounded.partition("e")[2])  # the power of ten of the last decimal
    if plain[0] <= abs(value) < plain[1]:
        decimals = max(0, -last)
        return f"{round(value, -last):.{decimals}f}", f"{float(rounded):.{decimals}f}"
    digits = max(0, math.floor(math.log10(abs(value) or error)) - last)
    return f"{value:.{digits}e}", rounded
