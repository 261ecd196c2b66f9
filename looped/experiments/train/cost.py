"""The cost of a training run, estimated before it starts, and what is refused."""

from bisect import bisect_left
from dataclasses import replace
from functools import partial

from looped.budget import Cost
from looped.experiments.train.settings import TrainSettings
from looped.fields import SettingsError
from looped.training.cost import training_cost

BUDGET = Cost(seconds=900.0, step_seconds=0.6, bytes=1024**3)
"""A training stops between two steps, and Stop is to act within a second."""
ALONE_SECONDS = 20.0
"""Largest estimated time for which A alone is trained beside the run for comparison."""


def estimate(settings: TrainSettings) -> Cost:
    """The cost of the training and its evaluation."""
    training = training_only(settings)
    return replace(training, seconds=training.seconds + _evaluation_seconds(settings))


def training_only(settings: TrainSettings) -> Cost:
    """The cost of the training; the evaluation is not in it."""
    return training_cost(settings.training())


def affordable(settings: TrainSettings, loops: int, most: int, share: float = 1.0) -> int:
    """Prompts that are evaluated in about a second over so many loops."""
    each = loops * 3 * (settings.features + 1) ** 3
    return max(500, round(share * min(most, 1_300_000_000 // each)))


def alone(settings: TrainSettings) -> TrainSettings | None:
    """Settings of the training of A alone that a run is compared with; None where that is no rival."""
    if settings.task != "prediction" or settings.untied or settings.noise > 0 or settings.loops == 1:
        return None
    sizes = {name: getattr(settings, name) for name in ("loops", "examples", "features", "seed")}
    return TrainSettings(weights="preconditioner", **sizes)


def _evaluation_seconds(settings: TrainSettings) -> float:
    """CPU seconds of the evaluation, to a factor of two: prompts by models, times what one prompt costs one model.

    The factors are those of ten settings from T = 1, d = 2, where it took 1.4 s, to T = 10, d = 20, where it took 50 s.
    """
    T, D = settings.loops, settings.features + 1
    each = 2.5e-7 + 1.2e-8 * settings.examples * settings.features + T * (5e-9 * D**2 + 6e-10 * D**3)
    past = 1 if settings.untied else 5  # times as many loops as trained
    models = 2 if settings.task == "generation" else 3 if settings.untied or settings.noise > 0 else 4
    own, swept = affordable(settings, T, 200_000), 35 * affordable(settings, T, 2_000)
    prompts = 3 * own + models * (1.3 * own + swept + past * affordable(settings, past * T, 10_000))
    rival = alone(settings)
    rival_seconds = 0.0 if rival is None else training_only(rival).seconds
    return each * prompts + (rival_seconds if rival_seconds <= ALONE_SECONDS else 0.0)


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
    if BUDGET.allows(cost := training_only(settings)):
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
        return not BUDGET.allows(training_only(settings.replace(**{name: value})))

    for name in ("steps", "batch"):
        given = range(1, getattr(settings, name) + 1)  # empty where what suits is chosen
        if fitting := bisect_left(given, True, key=partial(too_much, name)):
            return name, fitting
    for name in ("features", "loops"):  # another optimiser may take over, so larger can be cheaper
        for value in range(getattr(settings, name) - 1, 0, -1):
            if not too_much(name, value):
                return name, value
    return "loops", 1
