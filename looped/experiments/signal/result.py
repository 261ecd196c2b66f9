"""The gain of the MLP where tasks share a signal: the smallest risk of every model, and training towards it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal, Self

import numpy as np
import torch
from torch import Tensor

from looped.experiments.signal.cost import check
from looped.experiments.signal.settings import SignalSettings
from looped.shared_signal.levels import Levels, levels, levels_of
from looped.shared_signal.lsa_minimum import lsa_minimum
from looped.shared_signal.models import LTB, ReadOut, SignalModel, read_out
from looped.shared_signal.training import Kind, Progress, Trainer, initial_model
from looped.threads import in_one_thread

Matrix = Tensor | Sequence[Sequence[float]]
Over = Literal["signal", "examples", "noise"]
"""What the risk is drawn against: s, M or σ."""
OVER: tuple[Over, ...] = ("signal", "examples", "noise")
SWEEP_POINTS = 13


@dataclass(frozen=True, slots=True)
class Sweep:
    """The smallest risks against one setting, with all others fixed."""

    over: Over
    values: np.ndarray
    """Values of that setting, (K,)."""
    levels: list[Levels]
    """Smallest risks at each value."""

    @classmethod
    def at(cls, settings: SignalSettings, over: Over, known: Levels) -> Self:
        """The levels that are known for these settings alone."""
        return cls(over, np.array([getattr(settings, over)]), [known])

    def holding(self, settings: SignalSettings, known: Levels) -> Self:
        """The same with the levels that are known for these settings at their point."""
        now = getattr(settings, self.over)
        kept = [known if value == now else level for value, level in zip(self.values, self.levels, strict=True)]
        return replace(self, levels=kept)


@in_one_thread
def sweep(settings: SignalSettings, over: Over, H: Tensor | None = None, Psi: Tensor | None = None) -> Sweep:
    """The smallest risks from 0 (or M = 1) to well beyond the present value of a setting, which is one of the points.

    Args:
        settings: Settings that are held, but for `over`.
        over: Name of the setting that is varied.
        H: covariance of the features in place of the one of the settings.
        Psi: covariance of the tasks, likewise.
    """
    now = getattr(settings, over)
    high = settings.table[over].high
    if over == "examples":
        grid = np.geomspace(1, min(high, max(4 * now, 40)), SWEEP_POINTS).round()
    else:
        grid = np.linspace(0, min(high, 2 * now or 2), SWEEP_POINTS)
    values = np.union1d(grid[~np.isclose(grid, now)], [now])
    tasks = [settings.replace(**{over: value}).task(H, Psi) for value in values.tolist()]
    return Sweep(over, values, levels_of(tasks, settings.seed))


class SignalTraining:
    """The models of some settings, trained side by side on the same prompts; as long as records are requested.

    Args:
        settings: Settings of the run.
        H: covariance of the features in place of the one of the settings.
        Psi: covariance of the tasks, likewise.

    Raises:
        SettingsError: if a matrix is no covariance of d features, or training costs too much.
    """

    def __init__(self, settings: SignalSettings, H: Tensor | None = None, Psi: Tensor | None = None) -> None:
        self.settings, self.task = settings, settings.task(H, Psi)
        check(settings)
        self.models: dict[Kind, SignalModel] = {
            kind: initial_model(kind, self.task, settings.seed) for kind in settings.models
        }
        self.history: dict[Kind, list[Progress]] = {kind: [] for kind in self.models}
        self.levels = levels(self.task, settings.seed)
        """The smallest risks on this task. Weights of a training that ends lower become a start, and set the level."""
        self._trainers = [Trainer(model, self.task, settings.plan()) for model in self.models.values()]

    def run(self) -> Iterator[dict[Kind, Progress]]:
        """Continue to the end, a record of every model at a time. Dropping the iterator pauses; a new one continues."""
        for records in zip(*(trainer.run() for trainer in self._trainers), strict=True):
            now = dict(zip(self.models, records, strict=True))
            if "lsa" in now and now["lsa"].risk < self.levels.lsa.risk:
                found = lsa_minimum(self.task, [self.models["lsa"].effective()])
                self.levels = replace(self.levels, lsa=found)
            for kind, record in now.items():
                self.history[kind].append(record)
            yield now

    @property
    def finished(self) -> bool:
        """True where all steps were made."""
        return all(records and records[-1].step == self.settings.steps for records in self.history.values())

    def snapshot(self) -> ReadOut | None:
        """The read-out of the block as it stands, if one is trained."""
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
        settings: Settings of the run.
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
