"""The smallest risk that each model can have on a task."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from looped.shared_signal.bayes import SampledRisk, bayes_risk
from looped.shared_signal.bounds import GapBounds, gap_bounds
from looped.shared_signal.lsa_minimum import LSAMinimum, lsa_minima
from looped.shared_signal.risks import Optimum, gd0_optimum, gd_optimum
from looped.shared_signal.tasks import SignalTask
from looped.shared_signal.training import Kind
from looped.threads import in_one_thread

BAYES_DRAWS = 2_500
BAYES_WORK = 1e7
"""Most multiplications for a sampled Bayes risk: fewer draws at large sizes, and a larger standard error."""


@dataclass(frozen=True, slots=True)
class KnownLevels:
    """The smallest risks on one task that are known without a search."""

    gd: Optimum
    """The best GD-β, whose risk is the infimum of the linear transformer block as well."""
    gd0: Optimum
    """The best GD-0."""
    bayes: SampledRisk
    """Risk of the best function of the prompt, by Monte Carlo over the examples' features."""
    bounds: GapBounds
    """Lower bounds on the gap."""


@dataclass(frozen=True, slots=True)
class Levels(KnownLevels):
    """The smallest risk of each model on one task: a closed form, or for linear self-attention the smallest found."""

    lsa: LSAMinimum
    """The smallest found for linear self-attention; a smaller one is excluded by proof only below `lsa_bound`."""

    @property
    def gap(self) -> float:
        """The smallest risk found for linear self-attention, less that of the block."""
        return self.lsa.risk - self.gd.risk

    @property
    def lsa_bound(self) -> float:
        """The proved lower bound on the risk of linear self-attention."""
        return self.gd.risk + self.bounds.valid

    @property
    def written(self) -> dict[str, str]:
        """Each number in digits: four of the least risk, one less for the gap, and what is proved rounded down.

        Keys are gd, lsa, gd0, bayes, gap (lsa − gd), bound (of the gap) and lsa_bound (gd + bound). With one digit less
        than its terms the gap is what their digits give.
        """
        rounding = 1e-9 * self.gd.risk
        sizes = [size for size in (self.gd.risk, self.lsa.risk, self.gap) if size > rounding]
        decimals = max(0, 3 - math.floor(math.log10(min(sizes, default=1.0))))
        risks = {"gd": self.gd.risk, "lsa": self.lsa.risk, "gd0": self.gd0.risk, "bayes": self.bayes.mean}
        proved = {"bound": self.bounds.valid, "lsa_bound": self.lsa_bound}
        return {
            **{name: _in_digits(value, decimals) for name, value in risks.items()},
            **{name: _in_digits(math.floor(value * 10**decimals) / 10**decimals, decimals)
               for name, value in proved.items()},
            "gap": _in_digits(self.gap, max(0, decimals - 1)),
        }  # fmt: skip

    def optimum(self, kind: Kind) -> float:
        """The smallest risk of a model."""
        return {"lsa": self.lsa.risk, "gd-0": self.gd0.risk}.get(kind, self.gd.risk)


def _in_digits(value: float, decimals: int) -> str:
    return f"{value:.{decimals}f}" if value else "0"


@in_one_thread
def levels(task: SignalTask, seed: int = 0) -> Levels:
    """The smallest risks on a task.

    Args:
        task: the distribution of the prompts.
        seed: the seed of the Bayes draws; nothing else depends on it.
    """
    return levels_of([task], seed)[0]


@in_one_thread
def known_levels(task: SignalTask, seed: int = 0) -> KnownLevels:
    """The same without the search for linear self-attention, which takes most of the time."""
    return KnownLevels(gd_optimum(task), gd0_optimum(task), _bayes(task, seed), gap_bounds(task))


def levels_of(tasks: Sequence[SignalTask], seed: int) -> list[Levels]:
    """The smallest risks on several tasks that share H and Ψ; the seed is that of the Bayes draws."""
    sampled: dict[tuple[int, float], SampledRisk] = {}  # β* has no part in the Bayes risk
    for task in tasks:
        if (task.examples, task.sigma) not in sampled:
            sampled[task.examples, task.sigma] = _bayes(task, seed)
    return [
        Levels(gd_optimum(task), gd0_optimum(task), sampled[task.examples, task.sigma], gap_bounds(task), lsa)
        for task, lsa in zip(tasks, lsa_minima(tasks), strict=True)
    ]


def _bayes(task: SignalTask, seed: int) -> SampledRisk:
    d, M = task.features, task.examples
    return bayes_risk(task, max(100, int(min(BAYES_DRAWS, BAYES_WORK / (M * d * min(M, d))))), seed)
