"""Every setting's name, limits and reasons: the one table that widgets, links, JSON and the command line read."""

import csv
import io
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from looped.algorithms import ENTRIES

SYNTHETIC = ("exact", "gaussian", "correlated")
"""Data sources that draw their own prompts."""

READS_KAPPA = ("exact", "correlated")
"""Data sources whose κ, or whose covariance's κ, is what the settings ask for."""

TABLES = ("diabetes", "csv")
"""Data sources that read a table, which brings its own n, d and κ and is a single prompt."""


SMALLEST = 1e-3
"""How close a number that must not be 0 may come to it: below, products of small numbers would underflow."""

READ_AS_POINT = "its comma was read as a decimal point"
"""What is said of a number with a decimal comma."""

_DECIMAL_COMMA = re.compile(r"(?![+-]?[1-9]\d{0,2},\d{3}$)[+-]?\d*,\d+(e[+-]?\d+)?", re.IGNORECASE | re.ASCII)
"""A number with a decimal comma, and not such as 1,000, which may be a thousand."""

MOST_NUMBERS = 60
"""Most entries of a list of numbers, such as the ratios of a sweep."""


class SettingsError(ValueError):
    """A value that cannot be used. The message names the field, the value and the remedy in one sentence."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One setting: how it is called where, what it may be, and why."""

    name: str
    """Attribute of `Settings`."""
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
    choices: tuple[str, ...] = ()
    option: str = ""
    """On the command line, where it is not `--key`."""

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
                return f"{', '.join(self.choices)}, or a number above 0 and at most {self.high:g}"
            case "choice":
                return " or ".join([", ".join(self.choices[:-1]), self.choices[-1]])
            case "yes/no":
                return "true or false"
            case "numbers":
                return f"1 to {MOST_NUMBERS} numbers from {self.low:g} to {self.high:g}, with commas between them"
            case _:
                return "column names of the table"

    def refuse(self, value: object, why: str = "") -> SettingsError:
        """The sentence for a value outside the range."""
        shown = str(value) if len(str(value)) <= 40 else str(value)[:37] + "…"
        return SettingsError(self.name, f"{self.key} = {shown} cannot be used{why}: choose {self.range}.")

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
                if value in self.choices:
                    return value
                number = self._number(value)
                if not 0 < number <= self.high:
                    raise self.refuse(value)
                return number
            case "choice":
                if value not in self.choices:
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
                        raise self.refuse(" ".join(text.split())) from None
                if not isinstance(value, Iterable):
                    raise self.refuse(value)
                return tuple(name for part in value if (name := str(part).strip()))
            case _:
                return str(value)

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
            number = _float(value)
        except ValueError:
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
            number = _float(value)
        except (ValueError, OverflowError):
            separated = isinstance(value, str) and "," in value
            why = "a number has a decimal point and no other separator" if separated else "it is not a number"
            raise self.refuse(value, f", {why}") from None
        if isinstance(value, bool) or math.isnan(number):
            raise self.refuse(value, ", it is not a number")
        if self.kind == "whole" and math.isfinite(number) and number != int(number):
            raise self.refuse(value)
        return number


def _float(value: object) -> float:
    if isinstance(value, (int, float)):
        return float(value)
    text = str(value)
    if "_" in text or not text.isascii():  # 1_000 and digits of other scripts are numbers in Python alone
        raise ValueError(text)
    return float(text)


FIELDS: dict[str, Field] = {
    field.name: field
    for field in (
        Field(
            name="loops", key="T", label="T · loops", kind="whole", low=1, high=10_000, log=True,
            help="How often the same attention layer is applied. Each loop is one step of the chosen algorithm. "
            "1 to 10,000: more would cost seconds.",
        ),
        Field(
            name="examples", key="n", label="n · examples", kind="whole", low=1, high=2_000, log=True,
            help="How many (x, y) pairs stand in the prompt. With n < d they do not determine w*, and gradient "
            "descent heads for the shortest solution. 1 to 2,000: memory grows with n·d for every prompt.",
        ),
        Field(
            name="features", key="d", label="d · features", kind="whole", low=1, high=200, log=True,
            help="How many numbers describe one example; the loop looks for one weight each. 1 to 200: the state of "
            "linear attention is a d × d matrix, and powers of it cost d³.",
        ),
        Field(
            name="condition_number", key="kappa", label="κ · condition", kind="real", low=1, high=1e4, log=True,
            help="Largest over smallest non-zero eigenvalue of XᵀX/n. In the long run gradient descent with η = 1/λ₁ "
            "needs about κ loops for each factor e of error. 1 to 10,000: beyond that even 10,000 loops barely move "
            "the slowest mode.",
        ),
        Field(
            name="spectrum", key="spectrum", label="Spectrum shape", kind="choice",
            choices=("geometric", "linear", "two-level", "outlier"),
            help="How the eigenvalues lie between the largest and the smallest: evenly in ratio, evenly in distance, "
            "half high and half low, or one large and the rest equal.",
        ),
        Field(
            name="data", key="data", label="Source", kind="choice", choices=(*SYNTHETIC, *TABLES),
            help="exact: random prompts whose κ is exactly what you ask. gaussian: independent normal rows, κ as it "
            "falls. correlated: normal rows of one covariance, whose condition number is κ. diabetes: scikit-learn's "
            "442 patients. csv: a table of your own.",
        ),
        Field(
            name="noise", key="noise", label="σ · label noise", kind="real", low=0, high=10,
            help="Standard deviation of the noise added to every label. 0 to 10: w* has length 1, so at 10 the labels "
            "are nearly all noise.",
        ),
        Field(
            name="label_scale", key="alpha", label="α · label scale", kind="real", low=-1e3, high=1e3,
            help="Multiplies all labels: the query token carries α in its last place, and w_ref becomes α times as "
            "long. −1,000 to 1,000, at least 0.001 away from 0: at 0 there is nothing to learn.",
        ),
        Field(
            name="step_size", key="step", option="--step-size", label="η · step size", kind="step", high=1e6,
            choices=("auto", "optimal"),
            help="auto is 1/λ₁. optimal is 2/(λ₁+λ_d), the constant step with which the worst mode falls fastest. By "
            "hand: any η above 0, up to 1,000,000; above 2/λ₁ gradient descent diverges, and the page says so before "
            "it runs. Other algorithms have their own: heavy ball 4/(√λ₁+√λ_d)², GD++ the best two numbers for T and "
            "κ on a grid.",
        ),
        Field(
            name="algorithm", key="algorithm", label="Algorithm", kind="choice", choices=tuple(ENTRIES),
            help="What the weights make of a loop. "
            + " ".join(f"{name}: {entry.help}." for name, entry in ENTRIES.items()),
        ),
        Field(
            name="ridge", key="ridge", label="ρ · ridge strength", kind="real", low=1e-6, high=100, log=True,
            help="Weight of ρ‖w‖²/2 beside half the mean squared error; the mean eigenvalue of synthetic prompts is 1. "
            "0.000001 to 100: below hardly anything changes, above w is pressed to nearly 0. Ridge only.",
        ),
        Field(
            name="momentum", key="momentum", label="β · momentum", kind="step", choices=("auto",), high=0.9999,
            help="How much of the last move is made again. auto is the smallest β at which no mode falls more slowly "
            "than √β a loop in the long run, max (1−√(ηλ))². Up to 0.9999: at 1 nothing is damped. Heavy ball only.",
        ),
        Field(
            name="gamma", key="gamma", label="γ · contraction", kind="step", choices=("auto",), high=1e6,
            help="How far every loop moves the examples, x ← (I − γH)x. auto belongs to η: 1/(2λ₁), or its grid. By "
            "hand: above 0, up to 1,000,000; above 2/λ₁ the examples run away. Where η differs between prompts, γ is "
            "for the largest and γ/η is the same for all, since it stands in P. GD++ only.",
        ),
        Field(
            name="shared_step", key="shared", option="--shared-step", label="One η for all prompts", kind="yes/no",
            help="By default η is read from each prompt's own data. Switched on, one η (the smallest) serves all "
            "prompts, so that P and Q alone are the model.",
        ),
        Field(
            name="prompts", key="prompts", label="B · prompts", kind="whole", low=1, high=1_000, log=True,
            help="How many independent prompts, each with a task of its own. The line is their median, the band their "
            "10–90 % range. 1 to 1,000: a band needs no more.",
        ),
        Field(
            name="seed", key="seed", label="Seed", kind="whole", low=0, high=2**31 - 1,
            help="Start of the random generator, 0 to 2,147,483,647. Same settings and seed, same numbers.",
        ),
        Field(
            name="dtype", key="dtype", label="Precision", kind="choice", choices=("float64", "float32"),
            help="float64 keeps about 16 digits, float32 about 7: the curve flattens where rounding takes over.",
        ),
        Field(
            name="layout", key="layout", label="Token layout", kind="choice", choices=("compact", "slots"),
            help="compact: tokens of d+1 numbers and a mask that lets only the query be written. slots: tokens of 2d+2 "
            "numbers with a place of their own for x, y, w and α, and no write mask.",
        ),
        Field(
            name="form", key="form", label="Evaluation", kind="choice", choices=("state", "token"),
            help="token: every loop reads all n examples. state: linear attention is associative, so the examples are "
            "read once into a matrix. Same numbers up to rounding; state is faster, and token is limited to "
            "B·n·d·T = 2·10⁹, about a second.",
        ),
        Field(
            name="target", key="target", label="Target column", kind="text",
            help="The column of the table to be predicted. Real data only.",
        ),
        Field(
            name="feature_columns", key="columns", option="--features", label="Feature columns", kind="list",
            help="The columns the prediction is made from; none chosen means every column but the target. "
            "At most 200, the limit of d.",
        ),
    )
}  # fmt: skip
