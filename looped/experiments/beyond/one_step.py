"""One step for all prompts: what a fixed learned step does where a prompt's examples are unusual."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from looped.experiments.beyond.learned_step import (
    exact_mean,
    grams,
    learned_step,
    mean_over_tasks,
    mean_with_own_step,
    one_step_risk,
)
from looped.experiments.beyond.settings import BeyondSettings
from looped.files import finite


@dataclass(frozen=True)
class OneStep:
    """Many prompts with a fixed learned step, and with a step of their own."""

    settings: BeyondSettings
    statistics: dict[str, np.ndarray]
    """Medians and means over prompts of ‖w_t − w*‖², itself a mean over w* ~ 𝓝(0, I), (T+1,): with the learned step
    (`fixed_median`, `fixed_mean`) and with η = 1/λ₁ of each prompt (`own_median`, `own_mean`)."""
    first_step: tuple[float, float]
    """Mean of ‖w_1 − w*‖² over the prompts with the learned step, and its standard error."""
    diverging: float
    """The share of prompts on which the learned step diverges."""
    furthest: float
    """The largest λ_max(Γ*Σ̂) of a prompt."""
    risk: float
    """𝔼‖w_1 − w*‖² with the learned step, over tasks and examples, exactly."""
    mean: float | None
    """𝔼‖w_T − w*‖² with the learned step, over tasks and examples, exactly; None where it is not known."""
    single: dict[str, np.ndarray] = field(default_factory=dict)
    """What single prompts did, by its name among `arrays`; nothing in a stored answer."""

    @property
    def results(self) -> dict[str, Any]:
        """Scalars, ready for JSON."""
        mean, error = self.first_step
        return {
            "one_step_risk": {"exact": self.risk, "mean": mean, "standard_error": error},
            "share_diverging": self.diverging,
            "exact_mean_after_T": None if self.mean is None else finite(self.mean),
            "after_T": {name: finite(values[-1]) for name, values in self.statistics.items()},
        }

    @property
    def curves(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Series by name, each with its places."""
        return {name: (np.arange(len(values)), values) for name, values in self.statistics.items()}

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """Squared errors with either step, (T+1, B), and the largest eigenvalue of Γ*Σ̂, (B,)."""
        return self.single


def one_step(settings: BeyondSettings) -> OneStep:
    """Run the two steps on all prompts."""
    n, loops, values = settings.examples, settings.loops, settings.eigenvalues
    step = learned_step(values, n)
    gram = grams(values, n, settings.prompts, np.random.default_rng(settings.seed))
    (fixed, largest), own = mean_over_tasks(gram, step, loops), mean_with_own_step(gram, loops)
    with np.errstate(over="ignore"):
        statistics = {
            "fixed_median": np.median(fixed, axis=1), "fixed_mean": fixed.mean(axis=1),
            "own_median": np.median(own, axis=1), "own_mean": own.mean(axis=1),
        }  # fmt: skip
    return OneStep(
        settings=settings,
        statistics=statistics,
        first_step=(float(fixed[1].mean()), float(fixed[1].std() / np.sqrt(settings.prompts))),
        diverging=float((largest > 2).mean()),
        furthest=float(largest.max()),
        risk=one_step_risk(step, values, n),
        mean=exact_mean(values, n, loops),
        single={"squared_error_fixed": fixed, "squared_error_own": own, "largest_factor": largest},
    )
