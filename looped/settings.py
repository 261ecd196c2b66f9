"""All settings of a run, and the one place where values from outside become a `Settings`."""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self, cast

from looped.fields import FIELDS, READ_AS_POINT, Field, SettingsError

LINK_VERSION = 1
"""Version of the names and meanings in a link, a `result.json` or an exported script."""


class CheckedSettings:
    """What all settings can do: check themselves against their table of fields, and travel as JSON or as a link."""

    __slots__ = ()
    table: ClassVar[dict[str, Field]]
    """Every field of the settings by name."""

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
        """What differs from the defaults, in a few words."""
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
            values = dict(json.loads(text))
        except (ValueError, TypeError) as error:
            raise SettingsError("settings", f"This is not a JSON object of settings ({error}).") from None
        for name in values:
            if name not in cls.table:
                raise SettingsError(name, f"{name} is not a setting: the settings are {', '.join(cls.table)}.")
        return cls(**values)

    @staticmethod
    def link_version() -> str:
        """What a link of this version carries as `v`."""
        return str(LINK_VERSION)

    def to_query(self) -> dict[str, str]:
        """Every field as a link carries it, under its short key, with the link version `v`."""
        texts = {self.table[name].key: self.table[name].to_text(value) for name, value in self._items()}
        return {**texts, "v": self.link_version()}

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(CheckedSettings):
    """Everything that determines a run; equal settings give equal bytes on the same machine.

    Raises:
        SettingsError: if a value is out of range, with one sentence naming the field, the value and the range.
    """

    table: ClassVar[dict[str, Field]] = FIELDS

    loops: int = 50
    """T, passes through the same layer, 1 to 10,000."""
    examples: int = 40
    """n, examples in a prompt, 1 to 2,000. Real data brings its own."""
    features: int = 10
    """d, 1 to 200. Real data brings its own."""
    condition_number: float = 5.0
    """κ of XᵀX/n on its min(n, d) non-zero eigenvalues, 1 to 10,000; for `data="correlated"` of the rows' covariance.
    Other data do not read it."""
    prompts: int = 64
    """B, independent prompts, 1 to 1,000. Real data is one prompt."""
    seed: int = 0
    """Seed of the run's own generator, 0 to 2³¹ − 1."""
    dtype: Literal["float64", "float32"] = "float64"
    """Arithmetic of the transformer and of explicit gradient descent."""
    layout: Literal["compact", "slots"] = "compact"
    """How x, y, w and α lie in a token."""
    form: Literal["state", "token"] = "state"
    """How the loop is evaluated."""
    step_size: float | Literal["auto", "optimal"] = "auto"
    """η: 1/λ₁, 2/(λ₁ + λ_d), or a number above 0."""
    algorithm: str = "gd"
    """What the weights make of a loop: an id of `looped.algorithms.ENTRIES`."""
    ridge: float = 0.1
    """ρ, weight of ρ‖w‖²/2, 1e-6 to 100. Only `algorithm="ridge"` reads it."""
    momentum: float | Literal["auto"] = "auto"
    """β, above 0 and at most 0.9999, or the smallest with which every mode falls as √β. Only heavy ball reads it."""
    gamma: float | Literal["auto"] = "auto"
    """γ, how far a loop of GD++ moves the examples: a number above 0, or what belongs to the step size."""
    shared_step: bool = False
    """One η, the smallest, for all prompts."""
    noise: float = 0.0
    """σ, standard deviation of label noise, 0 to 10."""
    label_scale: float = 1.0
    """α, −1,000 to 1,000, not 0."""
    spectrum: Literal["geometric", "linear", "two-level", "outlier"] = "geometric"
    """Where the eigenvalues lie between the largest and the smallest, for the data that read κ."""
    data: Literal["exact", "gaussian", "correlated", "diabetes", "csv"] = "exact"
    """Where the prompts come from."""
    target: str = ""
    """Target column of a table; empty for synthetic data."""
    feature_columns: tuple[str, ...] = ()
    """Feature columns of a table; empty means all but the target."""

    @property
    def rank(self) -> int:
        """min(n, d), the number of non-zero eigenvalues of synthetic data."""
        return min(self.examples, self.features)


DEFAULTS: dict[str, Any] = Settings.defaults()
