"""Settings of the page and the command on what lies beyond one looped step."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from looped.fields import Choice
from looped.settings import CheckedSettings, Settings, setting

View = Literal["append", "one-step", "more-loops", "rivals", "depth", "tied"]
READS: dict[View, tuple[str, ...]] = {
    "append": ("loops", "examples", "features", "condition_number", "seed"),
    "one-step": ("loops", "examples", "features", "condition_number", "prompts", "seed"),
    "more-loops": (
        "loops", "examples", "features", "condition_number", "tested_on", "test_examples", "prompts", "seed",
    ),
    "rivals": ("features", "largest_condition", "target_error"),
    "depth": ("covariance", "loops", "examples", "features", "condition_number", "seed"),
    "tied": (),
}  # fmt: skip
"""The settings that each view reads, in the order of its controls; stored trainings read none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BeyondSettings(CheckedSettings):
    """One of the questions, and everything that determines its answer.

    Raises:
        SettingsError: if a value is out of range, with one sentence naming the field, the value and the range.
    """

    view: str = setting(
        "append", key="view", label="Question", kind="choice",
        choices=(
            Choice("append", "Append or overwrite", "a chain of thought beside the loop"),
            Choice("one-step", "One step for all prompts", "a learned step beside one that is read from each prompt"),
            Choice("more-loops", "More loops than trained", "the layer of one-step training, applied again and again"),
            Choice("rivals", "EAGLE and rivals", "loops against κ for six algorithms"),
            Choice("depth", "When is depth needed?", "loss against loops, one covariance or a new one in every prompt"),
            Choice("tied", "Tied or untied layers", "one trained layer eight times, or eight trained layers"),
        ),
        help="What is computed and shown.",
    )  # fmt: skip
    loops: int = setting(
        20, like=Settings.table["loops"], high=200,
        help="How often the layer is applied: steps of the chain, loops beyond training, or layers. 1 to 200: enough "
        "to see where every curve goes.",
    )  # fmt: skip
    examples: int = setting(
        20, like=Settings.table["examples"],
        help="How many examples a prompt holds; for more loops than trained, those of the prompts in training. 1 to "
        "2,000, as on the first page.",
    )  # fmt: skip
    features: int = setting(
        10, like=Settings.table["features"], high=64,
        help="How many numbers describe one example. 1 to 64: every prompt needs the eigenvalues of a d × d matrix.",
    )  # fmt: skip
    condition_number: float = setting(
        10.0, like=Settings.table["condition_number"], label="κ · of Σ",
        help="Condition number of the covariance Σ of the features, diagonal with λ_k = k^(−p), 1 to 1/κ: at κ = d it "
        "is 1, 1/2, 1/3 and so on. For more loops than trained it is the covariance in training. 1 is Σ = I; 1 to "
        "10,000.",
    )  # fmt: skip
    tested_on: str = setting(
        "identity", key="tested-on", label="Tested on", kind="choice",
        choices=(
            Choice("identity", "Σ = I", "features of unit covariance, whatever those in training"),
            Choice("same", "The covariance of training", "features of the same distribution as in training"),
        ),
        help="Covariance of the features on which the trained layer is run.",
    )  # fmt: skip
    test_examples: int = setting(
        100, key="m", label="m · examples in the test", kind="whole", low=1, high=2_000, log=True,
        help="How many examples a prompt holds in the test. 1 to 2,000; the published bound speaks of infinitely many.",
    )  # fmt: skip
    covariance: str = setting(
        "same", key="covariance", label="Covariance of the prompts", kind="choice",
        choices=(
            Choice("same", "The same in all prompts", "the layer can carry the inverse of Σ"),
            Choice("rotated", "Rotated anew in every prompt", "equal eigenvalues, other eigenvectors"),
        ),
        help="What is drawn first; the other case stands below it.",
    )  # fmt: skip
    largest_condition: float = setting(
        1e8, key="kappa-max", label="κ · the largest", kind="real", low=10, high=1e8, log=True,
        help="The algorithms are compared from κ = 1 up to this one. 10 to 100,000,000: the squares of the condition "
        "numbers of X up to 10,000.",
    )  # fmt: skip
    target_error: float = setting(
        1e-8, key="target-error", option="--target", label="Error to reach", kind="real", low=1e-12, high=0.1, log=True,
        help="The relative error ‖w − w*‖/‖w*‖ up to which loops are counted. 1e-12 to 0.1: less is rounding.",
    )  # fmt: skip
    prompts: int = setting(
        4_000, key="prompts", label="B · prompts", kind="whole", low=100, high=40_000, log=True,
        help="How many prompts are drawn, each with its own task. 100 to 40,000: rare prompts rule the mean, and few "
        "draws miss them.",
    )  # fmt: skip
    seed: int = setting(0, like=Settings.table["seed"])

    @property
    def eigenvalues(self) -> np.ndarray:
        """λ_k = k^(−p) of Σ with λ₁ = 1 and λ_d = 1/κ, (d,); all 1 for d = 1."""
        k = np.arange(1, self.features + 1)
        power = np.log(self.condition_number) / np.log(self.features) if self.features > 1 else 0.0
        return np.asarray(k**-power, dtype=float)

    @property
    def tokens(self) -> int:
        """Numbers in the tokens of one prompt, a query appended in every step: (2d + 2)(n + 1 + T)."""
        return (2 * self.features + 2) * (self.examples + 1 + self.loops)

    @property
    def reads(self) -> tuple[str, ...]:
        """The settings that this view reads."""
        return next(names for view, names in READS.items() if view == self.view)

    @property
    def computed(self) -> "BeyondSettings":
        """The same with what the view does not read at its default: equal where all numbers are equal."""
        defaults = self.defaults()
        return self.replace(**{name: defaults[name] for name in defaults if name not in ("view", *self.reads)})
