"""All settings of a run, and the one place where values from outside become a `Settings`."""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self, TypeVar, cast

from looped.algorithms import ENTRIES
from looped.fields import READ_AS_POINT, Choice, Field, SettingsError, brief, stops

LINK_VERSION = 1
"""Version of the names and meanings in a link, a `result.json` or an exported script."""


T = TypeVar("T")


def setting(default: T, *, like: Field | None = None, **words: Any) -> T:
    """One setting, declared once: its default, and what links, widgets, JSON and the command line need to know of it.

    Args:
        default: Value when none is given; its type is the attribute's.
        like: Field of another experiment's settings that this one copies, except for `words`.
        words: Attributes of `Field`.
    """
    field = Field(**words) if like is None else dataclasses.replace(like, **words)
    declared: Any = dataclasses.field(default=default, metadata={"field": field})
    return cast(T, declared)


class CheckedSettings:
    """The base of all settings: they check themselves against their fields, and travel as JSON or as a link."""

    __slots__ = ()
    table: ClassVar[dict[str, Field]]
    """Every field of the settings by name, in the order of their declaration."""

    def __init_subclass__(cls) -> None:
        if "table" not in cls.__dict__:  # a dataclass with slots is made twice
            declared = {name: value for name, value in cls.__dict__.items() if isinstance(value, dataclasses.Field)}
            cls.table = {name: dataclasses.replace(f.metadata["field"], name=name) for name, f in declared.items()}

    def __post_init__(self) -> None:
        for name, field in self.table.items():
            object.__setattr__(self, name, field.read(getattr(self, name)))

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """The default of every field."""
        return {field.name: field.default for field in dataclasses.fields(cast(Any, cls))}

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields changed, checked again."""
        return dataclasses.replace(cast(Any, self), **changes)

    def changes(self) -> str:
        """The settings that differ from the defaults, in a few words."""
        defaults = self.defaults()
        changed = [name for name, value in self._items() if value != defaults[name]]
        parts = (f"{self.table[name].key} = {self.table[name].to_text(getattr(self, name))}" for name in changed)
        return ", ".join(parts) or "the defaults"

    def to_dict(self) -> dict[str, Any]:
        """Plain values by field name, as JSON stores them."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in self._items()}

    def to_json(self) -> str:
        """One JSON object with every field."""
        return json.dumps(self.to_dict(), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The inverse of `to_json`.

        Raises:
            SettingsError: for a value out of range or a field that does not exist.
        """
        try:
            values = json.loads(text)
            if not isinstance(values, dict):
                raise TypeError("its outermost value has no names")
        except (ValueError, TypeError, RecursionError) as error:
            raise SettingsError("settings", f"This is not a JSON object of settings ({error}).") from None
        return cls.from_dict(values)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`; names from before are read as those of today.

        Raises:
            SettingsError: for a value out of range or a field that does not exist.
        """
        today = {former: name for name, field in cls.table.items() for former in field.former}
        values = {today.get(name, name): value for name, value in values.items()}
        for name in values:
            if name not in cls.table:
                raise SettingsError(name, f"{brief(name)} is not a setting: the settings are {', '.join(cls.table)}.")
        return cls(**values)

    def to_query(self) -> dict[str, str]:
        """Every field as a link carries it, under its short key, with the link version `v`."""
        texts = {self.table[name].key: self.table[name].to_text(value) for name, value in self._items()}
        return {**texts, "v": str(LINK_VERSION)}

    @classmethod
    def from_query(cls, query: Mapping[str, object]) -> tuple[Self, dict[str, str]]:
        """Settings from a link, and for every value that had to be changed its key and a sentence.

        Nothing is refused: an unusable value becomes the nearest usable one, a missing one its default.
        """
        values: dict[str, Any] = {}
        rejected: dict[str, str] = {}
        for name, field in cls.table.items():
            if field.key in query:
                with_point = field.with_point(query[field.key])
                asked = query[field.key] if with_point is None else with_point
                why = "" if with_point is None else f"{field.key}: {READ_AS_POINT}."
                try:
                    values[name] = field.read(asked)
                except SettingsError as error:
                    values[name], why = field.nearest(asked, cls.defaults()[name]), str(error)
                if why:
                    rejected[field.key] = f"{why} Using {field.to_text(values[name])}."
        return cls(**values), rejected

    def _items(self) -> Iterable[tuple[str, Any]]:
        return ((name, getattr(self, name)) for name in self.table)


SYNTHETIC = ("exact", "gaussian", "correlated")
"""Data sources that draw their own prompts."""

READS_KAPPA = ("exact", "correlated")
"""Data sources for which the settings fix κ, or the κ of the covariance."""

TABLES = ("diabetes", "csv")
"""Data sources that read a table, which brings its own n, d and κ and is a single prompt."""

STEP_SIZES = stops(1e-3, 100.0, 1.0, False)
"""Places of a slider of step sizes; 1/λ₁ is from 1/d to about 1."""
MOMENTA = tuple(round(1 - left, 6) for left in reversed(stops(1e-4, 0.9, 0.9, False)))
"""Places of a slider of μ, evenly spaced in the logarithm of 1 − μ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(CheckedSettings):
    """Everything that determines a run; equal settings give equal bytes on the same machine.

    Raises:
        SettingsError: if a value is out of range, with one sentence naming the field, the value and the range.
    """

    loops: int = setting(
        50, key="T", label="T · loops", kind="whole", low=1, high=10_000, log=True,
        help="How often the same attention layer is applied. Each loop is one step of the chosen algorithm. "
        "1 to 10,000: three times as many would take longer than the 2 s that a run at the defaults may.",
    )  # fmt: skip
    examples: int = setting(
        40, key="n", label="n · examples", kind="whole", low=1, high=2_000, log=True,
        help="How many examples (x, y) the prompt holds. With n < d they do not determine w*, and gradient "
        "descent heads for the shortest solution. 1 to 2,000: memory grows with n·d for every prompt.",
    )  # fmt: skip
    features: int = setting(
        10, key="d", label="d · features", kind="whole", low=1, high=200, log=True,
        help="How many numbers describe one example; the loop looks for one weight each. 1 to 200: the state of "
        "linear attention is a d × d matrix, and powers of it cost d³.",
    )  # fmt: skip
    condition_number: float = setting(
        5.0, key="kappa", label="κ · condition", kind="real", low=1, high=1e4, log=True,
        help="How narrow the valley of the loss is: its sides are κ times as steep as its floor. κ is the condition "
        "number of the examples, the largest eigenvalue of XᵀX/n over the smallest that is not 0. In the long run "
        "gradient descent with η = 1/λ₁ needs about κ loops to divide the error by e. 1 to 10,000: beyond that even "
        "10,000 loops barely move the slowest mode.",
    )  # fmt: skip
    spectrum: str = setting(
        "geometric", key="spectrum", label="Spectrum shape", kind="choice",
        choices=(
            Choice("geometric", "Geometric", "evenly spaced on a logarithmic scale"),
            Choice("linear", "Linear", "evenly spaced"),
            Choice("two-level", "Two levels", "half high and half low"),
            Choice("outlier", "One outlier", "one large and the rest equal"),
        ),
        help="How the eigenvalues lie between the largest and the smallest.",
    )  # fmt: skip
    data: str = setting(
        "exact", key="data", label="Source", kind="choice",
        choices=(
            Choice("exact", "Exact κ", "random prompts with exactly the κ that is set"),
            Choice("gaussian", "Gaussian features", "independent normal features, whose κ depends on the draw"),
            Choice("correlated", "Correlated features", "normal ones with one covariance, whose condition number is κ"),
            Choice("diabetes", "Diabetes table", "scikit-learn's 442 patients"),
            Choice("csv", "Your own table", "a CSV file"),
        ),
        help="Where the prompts come from.",
    )  # fmt: skip
    noise: float = setting(
        0.0, key="noise", label="σ · label noise", kind="real", low=0, high=10,
        help="Standard deviation of the noise added to every label. 0 to 10: w* has length 1, so at 10 the labels "
        "are nearly all noise.",
    )  # fmt: skip
    label_scale: float = setting(
        1.0, key="alpha", label="α · label scale", kind="real", low=-1e3, high=1e3,
        help="Multiplies all labels: the query token carries α in its last entry, and w_ref becomes α times as "
        "long. −1,000 to 1,000, at least 0.001 away from 0: at 0 there is nothing to learn.",
    )  # fmt: skip
    step_size: float | Literal["auto", "optimal"] = setting(
        "auto", key="step", option="--step-size", label="η · step size", kind="step", high=1e6,
        choices=(Choice("auto", "1/λ₁"), Choice("optimal")), places=STEP_SIZES,
        help="auto is 1/λ₁, or what its mark says for other algorithms. optimal is 2/(λ₁+λ_d), the constant step with "
        "which the slowest mode falls fastest. A "
        "number is any η above 0, up to 1,000,000; above 2/λ₁ gradient descent diverges, and the page says so before "
        "the run. Other algorithms have an optimal step of their own: heavy ball 4/(√λ₁+√λ_d)², GD++ the best pair of "
        "numbers for T and κ on a grid, EAGLE 1/λ₁.",
    )  # fmt: skip
    algorithm: str = setting(
        "gd", key="algorithm", label="Algorithm", kind="choice",
        choices=tuple(Choice(name, entry.label, entry.help) for name, entry in ENTRIES.items()),
        help="The algorithm that the weights carry out: one loop is one step of it.",
    )  # fmt: skip
    ridge: float = setting(
        0.1, key="ridge", label="ρ · ridge strength", kind="real", low=1e-6, high=100, log=True,
        help="Strength of the penalty: ρ‖w‖²/2 is added to half the mean squared error. For comparison, the mean "
        "eigenvalue of synthetic prompts is 1. 0.000001 to 100: a smaller ρ changes hardly anything, a larger one "
        "presses w to nearly 0. Ridge only.",
    )  # fmt: skip
    momentum: float | Literal["auto"] = setting(
        "auto", key="momentum", label="μ · momentum", kind="step", high=0.9999,
        choices=(Choice("auto", "best"),), places=MOMENTA,
        help="The share of the last move that is added to the next. auto is max (1−√(ηλ))², the smallest μ at which "
        "no mode falls more slowly than √μ per loop in the long run. Above 0, up to 0.9999: at 1 nothing is damped. "
        "Heavy ball only.",
    )  # fmt: skip
    gamma: float | Literal["auto"] = setting(
        "auto", key="gamma", label="γ · contraction", kind="step", high=1e6,
        choices=(Choice("auto", "follows η"),), places=STEP_SIZES,
        help="How far every loop moves the examples, x ← (I − γΣ̂)x. auto follows η: 1/(2λ₁), or the value from the "
        "grid that gave η. A number is above 0, up to 1,000,000; above 2/λ₁ the examples diverge. Where η differs "
        "between prompts, γ is the one for the largest η, and γ/η is the same for all, since it stands in P. GD++ "
        "only.",
    )  # fmt: skip
    shared_step: bool = setting(
        False, key="shared", option="--shared-step", label="One η for all prompts", kind="yes/no",
        help="Off: η is computed from each prompt's own data. On: one η, the smallest, serves all prompts, so that P "
        "and Q alone are the model.",
    )  # fmt: skip
    prompts: int = setting(
        64, key="prompts", label="B · prompts", kind="whole", low=1, high=1_000, log=True,
        help="How many independent prompts are run, each with its own task. The line is their median, the band their "
        "10–90 % range. 1 to 1,000: a band needs no more.",
    )  # fmt: skip
    seed: int = setting(
        0, key="seed", label="Seed", kind="whole", low=0, high=2**31 - 1,
        help="Seed of the random generator, 0 to 2,147,483,647. Equal settings and an equal seed give equal numbers.",
    )  # fmt: skip
    dtype: str = setting(
        "float64", key="dtype", label="Precision", kind="choice",
        choices=(
            Choice("float64", "float64", "about 16 digits"),
            Choice("float32", "float32", "about 7 digits"),
        ),
        help="Arithmetic of the run: the curve flattens where rounding takes over.",
    )  # fmt: skip
    layout: str = setting(
        "compact", key="layout", label="Token layout", kind="choice",
        choices=(
            Choice("compact", "Compact", "tokens of d+1 numbers and a mask that lets only the query be written"),
            Choice(
                "slots", "Slots",
                "tokens of 2d+2 numbers with separate places for x, y, w and α, and no write mask",
            ),
        ),
        help="Where x, y, w and α stand in a token.",
    )  # fmt: skip
    form: str = setting(
        "state", key="form", label="Evaluation", kind="choice",
        choices=(
            Choice(
                "state", "State form",
                "linear attention is associative, so the examples are read once into a matrix",
            ),
            Choice("token", "Token form", "every loop reads all n examples"),
            Choice(
                "auto", "Token form where cheap", "up to 20 ms more than the state form, by the estimate; else that one"
            ),
        ),
        help="How the loop is evaluated. Both forms give the same numbers up to rounding; the state form is faster, "
        "and the token form is limited to B·n·d·T = 2·10⁹, about a second.",
    )  # fmt: skip
    target: str = setting(
        "", key="target", label="Target column", kind="text",
        help="The column of the table that is predicted. Real data only.",
    )  # fmt: skip
    feature_columns: tuple[str, ...] = setting(
        (), key="columns", option="--features", label="Feature columns", kind="list",
        help="The columns that the prediction is made from; with none chosen, all columns but the target. "
        "At most 200, the limit of d.",
    )  # fmt: skip

    @property
    def rank(self) -> int:
        """min(n, d), the number of non-zero eigenvalues of synthetic data."""
        return min(self.examples, self.features)


FIELDS: dict[str, Field] = Settings.table
"""Every setting of a run of `looped.compare`."""
