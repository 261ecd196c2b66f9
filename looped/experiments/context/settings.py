"""Settings of the sweep over the number of examples."""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from looped.fields import FIELDS, Field
from looped.settings import CheckedSettings, Settings

DEFAULT_RATIOS = (
    0.5, 0.7, 0.9, 1, 1.2, 1.4, 1.7, 2, 2.4, 2.8, 3.2, 3.6, 4, 5, 6, 7, 8, 10, 12, 16, 20, 30, 40, 50,
)  # fmt: skip
MAX_LEARNED_FEATURES = 16
"""Largest d for which A is trained: a step costs d⁵, and training must stop within a second."""


CONTEXT_FIELDS: dict[str, Field] = {
    "shown_loops": Field(
        name="shown_loops", key="T", label="T · loops shown", kind="whole", low=1, high=10_000, log=True,
        help="The number of loops that the charts look at; nothing is computed again. 1 to 10,000, and at most T max.",
    ),
    "target_error": Field(
        name="target_error", key="target-error", option="--target", label="Target error", kind="real", low=1e-12,
        high=0.9, log=True,
        help="The relative error that counts as reached; nothing is computed again. 1e-12 to 0.9: below is rounding, "
        "above is no progress.",
    ),
    "features": replace(
        FIELDS["features"],
        help="How many numbers describe one example; the loop looks for one weight each. 1 to 200, as on the first "
        f"page; A is trained for d up to {MAX_LEARNED_FEATURES} only.",
    ),
    "ratios": Field(
        name="ratios", key="ratios", label="n/d · ratios", kind="numbers", low=0.05, high=200,
        help="The values of n/d that are measured; n is rounded to a whole number. From 0.05, one example for twenty "
        "features, to 200, where normal rows have a κ of about 1.3.",
    ),
    "loops": Field(
        name="loops", key="T-max", label="T max · loops", kind="whole", low=1, high=10_000, log=True,
        help="Loops of the longest run. One trace serves every smaller T. 1 to 10,000: time and memory grow "
        "with it.",
    ),
    "prompts": FIELDS["prompts"],
    "rows": Field(
        name="rows", key="rows", label="Rows", kind="choice",
        choices=("gaussian", "student", "rademacher", "correlated"),
        help="How an example's features are drawn: independent normal; Student's t with 3 degrees of freedom, heavy "
        "tails; fair signs ±1; or normal with a covariance Σ of the κ below, the same for all prompts.",
    ),
    "row_condition_number": Field(
        name="row_condition_number", key="kappa-sigma", label="κ of Σ", kind="real", low=1, high=1e4,
        log=True,
        help="Condition number of the covariance of correlated rows, its eigenvalues evenly spaced in ratio. "
        "1 to 10,000, as for κ itself.",
    ),
    "step_size": replace(
        FIELDS["step_size"],
        help="auto is 1/λ₁ and optimal 2 divided by the sum of the largest and the smallest eigenvalue, both read "
        "from each prompt: no other constant step multiplies the slowest mode by less. A number is one η for all "
        "prompts, above 0 and up to 1,000,000; prompts with λ₁ above 2/η then diverge.",
    ),
    "seed": FIELDS["seed"],
    "learned": Field(
        name="learned", key="learned", label="Train A too", kind="yes/no",
        help="Whether the preconditioner A of a looped transformer is also trained, once for every n/d and T of the "
        "grid below, d at most 16. It takes minutes where the construction takes a second.",
    ),
    "learned_ratios": Field(
        name="learned_ratios", key="learned-ratios", label="n/d for training", kind="numbers", low=0.05, high=200,
        help="The values of n/d at which A is trained. 0.05 to 200, as for the construction.",
    ),
    "learned_loops": Field(
        name="learned_loops", key="learned-T", label="T for training", kind="numbers", low=1, high=50,
        help="The numbers of loops for which A is trained, each a training of its own. 1 to 50: a training step costs "
        "T·d³, and its loss is ruled by ever rarer prompts as T grows.",
    ),
}  # fmt: skip
"""Settings of the sweep over the number of examples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextSettings(CheckedSettings):
    """Everything that determines a sweep over n/d, and the T and target error that its figures look at.

    Raises:
        SettingsError: if a value is out of range, with one sentence naming the field, the value and the range.
    """

    table: ClassVar[dict[str, Field]] = CONTEXT_FIELDS

    shown_loops: int = 50
    """T that the figures look at; beyond the largest T, that one."""
    target_error: float = 1e-3
    """The relative error that counts as reached."""
    features: int = 10
    """d, 1 to 200."""
    ratios: tuple[float, ...] = DEFAULT_RATIOS
    """n/d, each rounded to a whole n of at least 1."""
    loops: int = 200
    """T_max; one trace serves every T up to it."""
    prompts: int = 64
    """B, prompts in each cell."""
    rows: Literal["gaussian", "student", "rademacher", "correlated"] = "gaussian"
    """How an example's features are drawn, always with variance 1 on average."""
    row_condition_number: float = 10.0
    """κ_Σ, read by correlated rows only."""
    step_size: float | Literal["auto", "optimal"] = "auto"
    """η, as for `Settings`."""
    seed: int = 0
    learned: bool = False
    """Whether the preconditioner A is trained too."""
    learned_ratios: tuple[float, ...] = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 12, 20, 50)
    """n/d at which A is trained."""
    learned_loops: tuple[int, ...] = (2, 5, 7, 10, 15, 20, 30, 50)
    """T at which A is trained, each a training of its own."""

    def __post_init__(self) -> None:
        """Check every field, and that a trained T is a whole number."""
        CheckedSettings.__post_init__(self)
        for loops in self.learned_loops:
            if loops != int(loops):
                raise self.table["learned_loops"].refuse(loops, ", it is not a whole number")
        object.__setattr__(self, "learned_loops", tuple(int(loops) for loops in self.learned_loops))

    @property
    def examples(self) -> list[int]:
        """n for each ratio."""
        return [self._examples(ratio) for ratio in self.ratios]

    @property
    def learned_examples(self) -> list[int]:
        """n for each ratio at which A is trained."""
        return [self._examples(ratio) for ratio in self.learned_ratios]

    def _examples(self, ratio: float) -> int:
        return max(1, round(ratio * self.features))

    @property
    def shown(self) -> int:
        """T that the figures look at, at most the largest T."""
        return min(self.shown_loops, self.loops)

    @property
    def computed(self) -> "ContextSettings":
        """The same with what only figures read at its default: equal for sweeps with equal numbers."""
        defaults = self.defaults()
        unread = ["shown_loops", "target_error"]
        if self.rows != "correlated":
            unread.append("row_condition_number")
        if not self.learned:
            unread += ["learned_ratios", "learned_loops"]
        return self.replace(**{name: defaults[name] for name in unread})

    def run(self) -> Settings:
        """The settings of the transformer in every cell."""
        return Settings(loops=self.loops, features=self.features, prompts=self.prompts, step_size=self.step_size)
