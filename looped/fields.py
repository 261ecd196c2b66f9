"""The kinds of settings: a name, a range with its reason, and one way to read a value from outside."""

import csv
import io
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, NamedTuple

SMALLEST = 1e-3
"""Smallest size of a number that must not be 0: products of smaller numbers would underflow."""

READ_AS_POINT = "its comma was read as a decimal point"
"""Note about a number with a decimal comma."""

MANTISSAS = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9)
"""Places of a logarithmic slider in every decade."""

_DECIMAL_COMMA = re.compile(r"(?![+-]?[1-9]\d{0,2},\d{3}$)[+-]?\d*,\d+(e[+-]?\d+)?", re.IGNORECASE | re.ASCII)
"""A number with a decimal comma; not one such as 1,000, which may be a thousand."""

MOST_NUMBERS = 60
"""Largest number of entries in a list of numbers, such as the ratios of a sweep."""


_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]\s*")
"""Line breaks, tabs, and what else moves the cursor of a terminal."""


def one_line(text: str) -> str:
    """The text with a space in place of line breaks and other control characters."""
    return _BREAKS.sub(" ", text).strip()


class SettingsError(ValueError):
    """A value that cannot be used. The message names the field, the value and the remedy in one sentence, on one line.

    Args:
        field: the name of the setting.
        message: the sentence; line breaks in it become spaces.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(one_line(message))
        self.field = field

    def __reduce__(self) -> tuple[type["SettingsError"], tuple[str, str]]:
        return SettingsError, (self.field, str(self))  # from one process to another


def brief(value: object, most: int = 40) -> str:
    """A value from outside as a message shows it: its text, cut off where that is longer than `most` characters."""
    try:
        text = one_line(str(value))
    except (ValueError, RecursionError):  # a whole number of thousands of digits, lists in lists in lists
        text = "…"
    return text if len(text) <= most else f"{text[: most - 3]}…"


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of a setting that is chosen from a list."""

    id: str
    """Its value in Python, links, JSON and on the command line."""
    label: str = ""
    """Its name on a page; empty where it is the id."""
    help: str = ""
    """One line of help, the end of a sentence."""


def named(*ids: str) -> tuple[Choice, ...]:
    """Choices that need no label or help beyond their ids."""
    return tuple(Choice(name) for name in ids)


class Mark(NamedTuple):
    """A value of a setting that the theory names, such as a step size."""

    label: str
    """Its name on a page."""
    value: float | str
    """What the setting is set to: a number, or a name that a run turns into one."""


SAME = 1e-6
"""Relative difference up to which values count as the same: a spectrum drawn with one κ has it up to rounding."""


class Measured(NamedTuple):
    """What a run makes of a setting that does not say it itself."""

    value: float
    """The number that the run uses; the median where the prompts differ."""
    spread: str = ""
    """How the prompts differ in it, as a sentence; empty where they do not."""
    marks: tuple[Mark, ...] = ()
    """Values that are worth choosing, of this run."""

    @classmethod
    def over(cls, prompts: int, low: float, median: float, high: float, marks: tuple[Mark, ...] = ()) -> "Measured":
        """Of so many prompts the smallest, the median and the largest value, which may be the same."""
        apart = high - low > SAME * high
        return cls(median, f"Median of {prompts} prompts, {low:.3g} to {high:.3g}" if apart else "", marks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One setting: its names, its allowed values, and the reason for the limits."""

    name: str = ""
    """Attribute of the settings; `looped.settings.setting` takes it from the class."""
    key: str
    """Name in links, of the widget and, as `--key`, on the command line."""
    label: str
    """What a control shows."""
    kind: Literal["whole", "real", "choice", "yes/no", "step", "text", "list", "numbers"]
    help: str
    """What it is, its range and the reason for the limit, in the words of the page."""
    low: float = -math.inf
    high: float = math.inf
    log: bool = False
    """Whether the range spans decades."""
    places: tuple[float, ...] = ()
    """Places of its slider, where they are not those of `stops`."""
    zero: str = ""
    """What 0 stands for, as the switch that sets it is called; empty where 0 is a number like others."""
    choices: tuple[Choice, ...] = ()
    option: str = ""
    """On the command line, where it is not `--key`."""
    former: tuple[str, ...] = ()
    """Attributes that older files call it by."""

    @property
    def ids(self) -> tuple[str, ...]:
        """Values of the choices."""
        return tuple(choice.id for choice in self.choices)

    def label_of(self, value: str) -> str:
        """The name of a choice on a page."""
        return next((choice.label or choice.id for choice in self.choices if choice.id == value), value)

    @property
    def automatic(self) -> bool:
        """Whether a name, or 0, may stand for a number that a run finds."""
        return self.kind == "step" or bool(self.zero)

    def in_words(self, value: Any) -> str:
        """A value as a sentence of the page says it."""
        return self.zero.lower() if self.zero and value == 0 else self.to_text(value)

    @property
    def marks(self) -> tuple[Mark, ...]:
        """The choices as values to choose beside numbers."""
        return tuple(Mark(choice.label or choice.id, choice.id) for choice in self.choices)

    @property
    def page_help(self) -> str:
        """The help with a line for each choice by its label, which needs no markup: a tooltip shows it as it is."""
        return " ".join([self.help, *(f"“{choice.label}”: {choice.help}." for choice in self.choices if choice.help)])

    @property
    def command_help(self) -> str:
        """The help with a line for each choice by its id."""
        return " ".join([self.help, *(f"{choice.id}: {choice.help}." for choice in self.choices if choice.help)])

    @property
    def flag(self) -> str:
        """The option on the command line."""
        return self.option or f"--{self.key}"

    @property
    def range(self) -> str:
        """The allowed values in words, as error messages end."""
        match self.kind:
            case "whole":
                return f"a whole number from {self.low:.0f} to {self.high:.0f}"
            case "real":
                nonzero = f", at least {SMALLEST:g} away from 0" if self.low < 0 < self.high else ""
                return f"a number from {self.low:g} to {self.high:g}{nonzero}"
            case "step":
                return f"{', '.join(self.ids)}, or a number above 0 and at most {self.high:g}"
            case "choice":
                return " or ".join([", ".join(self.ids[:-1]), self.ids[-1]])
            case "yes/no":
                return "true or false"
            case "numbers":
                return f"1 to {MOST_NUMBERS} numbers from {self.low:g} to {self.high:g}, with commas between them"
            case _:
                return "column names of the table"

    def refuse(self, value: object, why: str = "") -> SettingsError:
        """The sentence for a value outside the range."""
        return SettingsError(self.name, f"{self.key} = {brief(value)} cannot be used{why}: choose {self.range}.")

    def read(self, value: object) -> Any:
        """Turn a value from outside (a widget, a link, JSON, the command line) into the field's type.

        Raises:
            SettingsError: if it is not of that type or out of range.
        """
        match self.kind:
            case "whole" | "real":
                number = self._number(value)
                if not self.low <= number <= self.high or (self.low < 0 and abs(number) < SMALLEST):
                    raise self.refuse(value)
                return int(number) if self.kind == "whole" else number
            case "step":
                if value in self.ids:
                    return value
                number = self._number(value)
                if not 0 < number <= self.high:
                    raise self.refuse(value)
                return number
            case "choice":
                if value not in self.ids:
                    raise self.refuse(value)
                return value
            case "yes/no":
                if isinstance(value, str) and value.lower() in ("true", "false"):
                    return value.lower() == "true"
                if not isinstance(value, bool):
                    raise self.refuse(value)
                return value
            case "numbers":
                parts = value.split(",") if isinstance(value, str) else value
                if not isinstance(parts, Iterable):
                    raise self.refuse(value)
                numbers = tuple(sorted({self._number(part) for part in parts}))
                if not 1 <= len(numbers) <= MOST_NUMBERS or numbers[0] < self.low or numbers[-1] > self.high:
                    raise self.refuse(value)
                return numbers
            case "list":
                if isinstance(value, str):
                    text = value
                    try:
                        value = next(csv.reader([text], skipinitialspace=True), [])
                    except csv.Error:
                        raise self.refuse(text) from None
                if not isinstance(value, Iterable):
                    raise self.refuse(value)
                parts = list(value)
                if not all(isinstance(part, str) for part in parts):
                    raise self.refuse(parts)
                return tuple(name for part in parts if (name := part.strip()))
            case _:
                if not isinstance(value, str):
                    raise self.refuse(value)
                return value

    def with_point(self, value: object) -> str | None:
        """The text of a number with a decimal point in place of its decimal comma; None for everything else."""
        if (
            self.kind in ("whole", "real", "step")
            and isinstance(value, str)
            and _DECIMAL_COMMA.fullmatch(value.strip())
        ):
            return value.strip().replace(",", ".")
        return None

    def nearest(self, value: object, default: Any) -> Any:
        """The allowed value closest to `value`; the default when there is no such thing (text, NaN)."""
        if self.kind not in ("whole", "real", "step"):
            return default
        try:
            number = as_number(value)
        except (ValueError, OverflowError, RecursionError):
            return default
        if (
            math.isnan(number)
            or (self.low < 0 and self.kind == "real" and number == 0)
            or (self.kind == "step" and number <= 0)
        ):
            return default
        if self.kind == "real" and self.low < 0:
            number = math.copysign(max(abs(number), SMALLEST), number)
        number = min(max(number, self.low), self.high)
        return round(number) if self.kind == "whole" else number

    def to_text(self, value: Any) -> str:
        """The inverse of `read` for links and the command line."""
        match value:
            case bool():
                return "true" if value else "false"
            case tuple() if self.kind == "numbers":
                return ",".join(repr(number).removesuffix(".0") for number in value)
            case tuple():
                line = io.StringIO()
                csv.writer(line, lineterminator="").writerow(value)
                return line.getvalue()
            case float():
                return repr(int(value)) if value.is_integer() else repr(value)
            case _:
                return str(value)

    def _number(self, value: object) -> float:
        try:
            number = as_number(value)
        except (ValueError, OverflowError, RecursionError):
            separated = isinstance(value, str) and "," in value
            why = "a number has a decimal point and no other separator" if separated else "it is not a number"
            raise self.refuse(value, f", {why}") from None
        if isinstance(value, bool) or math.isnan(number):
            raise self.refuse(value, ", it is not a number")
        if self.kind == "whole" and math.isfinite(number) and number != int(number):
            raise self.refuse(value)
        return number


def as_number(value: object) -> float:
    """A number from outside.

    Raises:
        ValueError, OverflowError, RecursionError: where it is none, or a number in Python alone, such as 1_000.
    """
    if isinstance(value, (int, float)):
        return float(value)
    text = str(value)
    if "_" in text or not text.isascii():  # 1_000 and digits of other scripts are numbers in Python alone
        raise ValueError(text)
    return float(text)


@lru_cache(maxsize=256)
def stops(low: float, high: float, default: float, whole: bool) -> tuple[float, ...]:
    """Round numbers from low to high, the default among them; from 0 on, those of the last three decades."""
    decades = range(math.floor(math.log10(low or high / 1000)), math.ceil(math.log10(high)) + 1)
    round_numbers = (float(f"{mantissa}e{decade}") for decade in decades for mantissa in MANTISSAS)
    inside = {number for number in round_numbers if low <= number <= high and (not whole or number == int(number))}
    return tuple(sorted({float(number) for number in (*inside, low, high, default)}))
