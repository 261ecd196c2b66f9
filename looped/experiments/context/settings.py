"""Settings of the sweep over the number of examples."""

from dataclasses import dataclass
from typing import Literal

from looped.fields import Choice
from looped.settings import CheckedSettings, Settings, setting

DEFAULT_RATIOS = (
    0.5, 0.7, 0.9, 1, 1.2, 1.4, 1.7, 2, 2.4, 2.8, 3.2, 3.6, 4, 5, 6, 7, 8, 10, 12, 16, 20, 30, 40, 50,
)  # fmt: skip
MAX_LEARNED_FEATURES = 16
"""Largest d for which A is trained: a step costs d⁵, and training must stop within a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextSettings(CheckedSettings):
    """Everything that determines a sweep over n/d, and the T and target error that its figures show.

    Raises:
        SettingsError: if a value is out of range, with one sentence naming the field, the value and the range.
    """

    shown_loops: int = setting(
        50, key="T", label="T · loops shown", kind="whole", low=1, high=10_000, log=True,
        help="The number of loops that the charts show; changing it computes nothing again. 1 to 10,000, and at most "
        "T max.",
    )  # fmt: skip
    target_error: float = setting(
        1e-3, key="target-error", option="--target", label="Target error", kind="real", low=1e-12, high=0.9,
        log=True,
        help="The relative error to reach; changing it computes nothing again. 1e-12 to 0.9: less is rounding, more "
        "is no progress.",
    )  # fmt: skip
    features: int = setting(
        10, like=Settings.table["features"],
        help="How many numbers describe one example; the loop looks for one weight each. 1 to 200, as on the first "
        f"page; A is trained for d up to {MAX_LEARNED_FEATURES} only.",
    )  # fmt: skip
    ratios: tuple[float, ...] = setting(
        DEFAULT_RATIOS, key="ratios", label="n/d · ratios", kind="numbers", low=0.05, high=200,
        help="The values of n/d that are measured; n is rounded to a whole number. From 0.05, one example for twenty "
        "features, to 200, where normal features have a κ of about 1.3.",
    )  # fmt: skip
    loops: int = setting(
        200, key="T-max", label="T max · loops", kind="whole", low=1, high=10_000, log=True,
        help="Loops of the longest run; it serves every smaller T as well. 1 to 10,000: time and memory grow with it.",
    )  # fmt: skip
    prompts: int = setting(64, like=Settings.table["prompts"])
    rows: str = setting(
        "gaussian", key="rows", label="Features x", kind="choice",
        choices=(
            Choice("gaussian", "Gaussian", "independent normal"),
            Choice("student", "Heavy-tailed", "Student's t with 3 degrees of freedom"),
            Choice("rademacher", "Signs ±1", "independent random signs"),
            Choice("correlated", "Correlated", "normal with one covariance Σ for all prompts, whose condition number "
            "is the κ of Σ"),
        ),
        help="How the features x of the examples are drawn.",
    )  # fmt: skip
    row_condition_number: float = setting(
        10.0, key="kappa-sigma", label="κ of Σ", kind="real", low=1, high=1e4, log=True,
        help="Condition number of the covariance of correlated features, its eigenvalues evenly spaced on a "
        "logarithmic scale. 1 to 10,000, as for κ itself.",
    )  # fmt: skip
    step_size: float | Literal["auto", "optimal"] = setting(
        "auto", like=Settings.table["step_size"],
        help="auto is 1/λ₁. optimal is 2 divided by the sum of the largest and the smallest eigenvalue: no other "
        "constant step multiplies the slowest mode by less. Both are computed from each prompt. A number is one η for "
        "all prompts, above 0 and up to 1,000,000; prompts with λ₁ above 2/η then diverge.",
    )  # fmt: skip
    seed: int = setting(0, like=Settings.table["seed"])
    learned: bool = setting(
        False, key="learned", label="Train A too", kind="yes/no",
        help="Also train the preconditioner A of a looped transformer, once for every n/d and T of the grid below; d "
        "at most 16. It takes minutes where the construction takes a second.",
    )  # fmt: skip
    learned_ratios: tuple[float, ...] = setting(
        (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 12, 20, 50), key="learned-ratios", label="n/d for training", kind="numbers",
        low=0.05, high=200,
        help="The values of n/d for which A is trained. 0.05 to 200, as for the construction.",
    )  # fmt: skip
    learned_loops: tuple[int, ...] = setting(
        (2, 5, 7, 10, 15, 20, 30, 50), key="learned-T", label="T for training", kind="numbers", low=1, high=50,
        help="The numbers of loops for which A is trained, each in a separate training. 1 to 50: a training step "
        "costs T·d³, and ever rarer prompts dominate its loss as T grows.",
    )  # fmt: skip

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
        """T that the figures show, at most the largest T."""
        return min(self.shown_loops, self.loops)

    @property
    def computed(self) -> "ContextSettings":
        """The same settings with what only figures read at its default: equal for sweeps with equal numbers."""
        defaults = self.defaults()
        unread = ["shown_loops", "target_error"]
        if self.rows != "correlated":
            unread.append("row_condition_number")
        if not self.learned:
            unread += ["learned_ratios", "learned_loops"]
        return self.replace(**{name: defaults[name] for name in unread})

    @property
    def drawn(self) -> "ContextSettings":
        """The same settings with the number of loops and the training at their defaults: equal for equal prompts."""
        defaults = self.defaults()
        unread = ("loops", "learned", "learned_ratios", "learned_loops")
        return self.computed.replace(**{name: defaults[name] for name in unread})

    def run(self) -> Settings:
        """Settings of the transformer in every cell."""
        return Settings(loops=self.loops, features=self.features, prompts=self.prompts, step_size=self.step_size)
