"""What the MLP adds where tasks share a signal: the best risk of every model, and training that goes there."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal, Self

import numpy as np
import torch
from torch import Tensor

from looped.budget import Cost
from looped.experiments.signal.settings import SignalSettings
from looped.shared_signal.bayes import SampledRisk, bayes_risk
from looped.shared_signal.bounds import GapBounds, gap_bounds
from looped.shared_signal.lsa_minimum import LSAMinimum, lsa_minima, lsa_minimum
from looped.shared_signal.models import LTB, ReadOut, SignalModel, read_out
from looped.shared_signal.risks import Optimum, gd0_optimum, gd_optimum
from looped.shared_signal.tasks import SignalTask
from looped.shared_signal.training import Kind, Progress, initial_model, seconds, train
from looped.threads import in_one_thread

Matrix = Tensor | Sequence[Sequence[float]]
Over = Literal["signal", "M", "noise"]
"""What the risk is drawn against: s, M or σ."""
OVER: tuple[Over, ...] = ("signal", "M", "noise")
SWEEP_POINTS = 13
BAYES_DRAWS = 2_500
BAYES_WORK = 1e7
"""Most multiplications for a sampled Bayes risk: fewer draws at large sizes, and a larger standard error."""

BUDGET = Cost(seconds=1800.0)


@dataclass(frozen=True, slots=True)
class Levels:
    """The smallest risk of each model on one task: a closed form, or for linear self-attention the smallest found."""

    gd: Optimum
    """Of GD-β, which is the infimum of the linear transformer block as well."""
    gd0: Optimum
    """Of GD-0."""
    lsa: LSAMinimum
    """The smallest found for linear self-attention; no other is proved to be impossible above `lsa_bound`."""
    bayes: SampledRisk
    """Of the best function of the prompt, by Monte Carlo over the examples' features."""
    bounds: GapBounds
    """Lower bounds on the gap."""

    @property
    def gap(self) -> float:
        """How much more risk linear self-attention has, at its smallest found, than the block."""
        return self.lsa.risk - self.gd.risk

    @property
    def lsa_bound(self) -> float:
        """What the risk of linear self-attention is proved not to be below."""
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
        match kind:
            case "lsa":
                return self.lsa.risk
            case "gd-0":
                return self.gd0.risk
            case _:
                return self.gd.risk


def _in_digits(value: float, decimals: int) -> str:
    return f"{value:.{decimals}f}" if value else "0"


@in_one_thread
def levels(task: SignalTask, seed: int = 0) -> Levels:
    """The smallest risks on a task.

    Args:
        task: the distribution of the prompts.
        seed: of the Bayes draws; nothing else depends on it.
    """
    return _levels([task], seed)[0]


def _levels(tasks: Sequence[SignalTask], seed: int) -> list[Levels]:
    """Of tasks that share H and Ψ."""
    sampled: dict[tuple[int, float], SampledRisk] = {}  # β* has no part in the Bayes risk
    for task in tasks:
        d, M = task.features, task.M
        if (M, task.sigma) not in sampled:
            draws = max(100, int(min(BAYES_DRAWS, BAYES_WORK / (M * d * min(M, d)))))
            sampled[M, task.sigma] = bayes_risk(task, draws, seed)
    return [
        Levels(gd_optimum(task), gd0_optimum(task), lsa, sampled[task.M, task.sigma], gap_bounds(task))
        for task, lsa in zip(tasks, lsa_minima(tasks), strict=True)
    ]


@dataclass(frozen=True, slots=True)
class Sweep:
    """The smallest risks over one setting, all others held."""

    over: Over
    values: np.ndarray
    """Of that setting, (K,)."""
    levels: list[Levels]
    """At each value."""

    def holding(self, settings: SignalSettings, known: Levels) -> Self:
        """The same with the levels that are known for these settings at their point."""
        now = getattr(settings, self.over)
        kept = [known if value == now else level for value, level in zip(self.values, self.levels, strict=True)]
        return replace(self, levels=kept)


@in_one_thread
def sweep(settings: SignalSettings, over: Over, H: Tensor | None = None, Psi: Tensor | None = None) -> Sweep:
    """The smallest risks from 0 (or M = 1) to well beyond the present value of a setting, which is one of the points.

    Args:
        settings: what is held.
        over: what is varied.
        H: covariance of the features in place of the one of the settings.
        Psi: covariance of the tasks, likewise.
    """
    now = getattr(settings, over)
    high = settings.table[over].high
    if over == "M":
        grid = np.geomspace(1, min(high, max(4 * now, 40)), SWEEP_POINTS).round()
    else:
        grid = np.linspace(0, min(high, 2 * now or 2), SWEEP_POINTS)
    values = np.union1d(grid[~np.isclose(grid, now)], [now])
    tasks = [settings.replace(**{over: value}).task(H, Psi) for value in values.tolist()]
    return Sweep(over, values, _levels(tasks, settings.seed))


class SignalTraining:
    """The models of some settings, trained side by side on the same prompts; for as long as somebody asks for records.

    Args:
        settings: of the run.
        H: covariance of the features in place of the one of the settings.
        Psi: covariance of the tasks, likewise.

    Raises:
        SettingsError: if a matrix is no covariance of d features, or training is beyond `BUDGET`.
    """

    def __init__(self, settings: SignalSettings, H: Tensor | None = None, Psi: Tensor | None = None) -> None:
        self.settings, self.task = settings, settings.task(H, Psi)
        BUDGET.check(
            Cost(seconds=seconds(self.task, settings.plan()) * len(settings.models)),
            field="steps",
            what=f"steps = {settings.steps} at these sizes",
            remedy="fewer steps, prompts a step, examples or features",
        )
        self.models: dict[Kind, SignalModel] = {
            kind: initial_model(kind, self.task, settings.seed) for kind in settings.models
        }
        self.history: dict[Kind, list[Progress]] = {kind: [] for kind in self.models}
        self.levels = levels(self.task, settings.seed)
        """The smallest risks on this task. Weights of a training that ends lower become a start, and set the level."""
        self._records = zip(*(train(model, self.task, settings.plan()) for model in self.models.values()), strict=True)

    def run(self) -> Iterator[dict[Kind, Progress]]:
        """Go on to the end, a record of every model at a time. Dropping the iterator pauses; another one goes on."""
        for records in self._records:  # not `yield from`, which would end the training with the iterator
            now = dict(zip(self.models, records, strict=True))
            if "lsa" in now and now["lsa"].risk < self.levels.lsa.risk:
                found = lsa_minimum(self.task, [self.models["lsa"].effective()])
                self.levels = replace(self.levels, lsa=found)
            for kind, record in now.items():
                self.history[kind].append(record)
            yield now

    @property
    def finished(self) -> bool:
        """Whether all steps were made."""
        return all(records and records[-1].step == self.settings.steps for records in self.history.values())

    def snapshot(self) -> ReadOut | None:
        """What the block has learned so far, if one is trained."""
        block = self.models.get("ltb")
        return read_out(block) if isinstance(block, LTB) else None


@dataclass(frozen=True)
class SignalResult:
    """The smallest risks, and models trained towards them."""

    settings: SignalSettings
    training: SignalTraining
    H: Tensor | None = field(default=None, repr=False)
    Psi: Tensor | None = field(default=None, repr=False)

    @cached_property
    def sweeps(self) -> list[Sweep]:
        """Over s, M and σ; where one meets the settings, with the levels of the training."""
        swept = (sweep(self.settings, over, self.H, self.Psi) for over in OVER)
        return [found.holding(self.settings, self.training.levels) for found in swept]


def signal(settings: SignalSettings, H: Matrix | None = None, Psi: Matrix | None = None) -> SignalResult:
    """Train the models of some settings to the end.

    Args:
        settings: of the run.
        H: covariance of the features, (d, d), as a tensor or as rows of numbers, in place of the one of the settings.
        Psi: covariance of the tasks, likewise.

    Raises:
        SettingsError: if a matrix is no covariance of d features.
    """
    given = [
        matrix if matrix is None or isinstance(matrix, Tensor) else torch.tensor(matrix, dtype=torch.float64)
        for matrix in (H, Psi)
    ]
    training = SignalTraining(settings, *given)
    for _ in training.run():
        pass
    return SignalResult(settings, training, *given)
