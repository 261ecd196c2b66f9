"""The cost of a training run, estimated before it starts, and what is refused."""

from bisect import bisect_left
from functools import partial

from looped.budget import Cost
from looped.experiments.train.settings import TrainSettings
from looped.fields import SettingsError
from looped.training.cost import training_cost

BUDGET = Cost(seconds=900.0, step_seconds=0.6, bytes=1024**3)
"""A run stops between two steps, and Stop is to act within a second."""


def estimate(settings: TrainSettings) -> Cost:
    """The cost of the training; the evaluation is not in it."""
    return training_cost(settings.training())


def check(settings: TrainSettings) -> None:
    """Refuse what cannot be trained here.

    Raises:
        SettingsError: one sentence with the estimate and the nearest setting that fits.
    """
    if settings.device == "cuda":
        import torch

        if not torch.cuda.is_available():
            raise SettingsError("device", "device = cuda cannot be used, no GPU is found: choose cpu.")
        return
    if BUDGET.allows(cost := estimate(settings)):
        return
    batch = settings.training().batch
    name, nearest = _nearest(settings)
    BUDGET.check(
        cost,
        field=name,
        what=f"Training with T = {settings.loops}, d = {settings.features} and {batch} prompts per step",
        remedy=f"{TrainSettings.table[name].key} = {nearest} or less",
    )


def _nearest(settings: TrainSettings) -> tuple[str, int]:
    """The first of steps, batch, d and T that can be lowered far enough, and the largest value that fits."""

    def too_much(name: str, value: int) -> bool:
        return not BUDGET.allows(estimate(settings.replace(**{name: value})))

    for name in ("steps", "batch"):
        given = range(1, getattr(settings, name) + 1)  # empty where what suits is chosen
        if fitting := bisect_left(given, True, key=partial(too_much, name)):
            return name, fitting
    for name in ("features", "loops"):  # another optimiser may take over, so larger can be cheaper
        for value in range(getattr(settings, name) - 1, 0, -1):
            if not too_much(name, value):
                return name, value
    return "loops", 1
