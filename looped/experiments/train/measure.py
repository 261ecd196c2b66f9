"""Train, and evaluate the trained weights on fresh prompts."""

from collections.abc import Iterator
from dataclasses import fields, replace

import numpy as np

from looped.experiments.train import rivals, sweeps
from looped.experiments.train.cost import check
from looped.experiments.train.result import TrainResult
from looped.experiments.train.settings import TrainSettings
from looped.threads import in_one_thread
from looped.training.evaluate import Risk, largest_eigenvalue, query_errors
from looped.training.trainer import Progress, Trainer, all_made

EVALUATION_SEEDS = 3


def trained(trainer: Trainer, settings: TrainSettings) -> TrainResult:
    """The run in its present state, not yet evaluated; an unfinished run counts as a run of fewer steps."""
    P, Q = trainer.snapshot()
    columns = {
        name.name: np.array([getattr(progress, name.name) for progress in trainer.history])
        for name in fields(Progress)
        if name.name != "stopped"
    }
    done = len(trainer.history)
    stopped = trainer.history[-1].stopped if trainer.history else ""
    if done and not stopped:  # on the way: the same as a run of so many steps
        settings, stopped = settings.replace(steps=done), all_made(done)
    return TrainResult(settings, P.cpu().numpy(), Q.cpu().numpy(), columns, stopped)


@in_one_thread
def train(settings: TrainSettings) -> TrainResult:
    """Train from the first step to the last, and evaluate.

    Raises:
        SettingsError: for settings that cannot be trained here, before the first step.
    """
    check(settings)
    trainer = Trainer(settings.training())
    for _ in trainer.run():
        pass
    return evaluate(trained(trainer, settings))


def evaluate(run: TrainResult, share: float = 1.0) -> TrainResult:
    """The run with its full evaluation; about ten seconds at the default sizes."""
    *_, last = evaluation(run, share)
    return last


@in_one_thread
def evaluation(run: TrainResult, share: float = 1.0) -> Iterator[TrainResult]:
    """The same evaluation piece by piece, so that a caller can show progress and stop.

    Args:
        run: A run as `trained` gives it.
        share: Share of the usual numbers of prompts, up to 1.
    """
    settings = run.settings
    T, stream = settings.loops, rivals.stream_of(settings)
    prompts = rivals.affordable(settings, T, 200_000, share)
    predict = rivals.model_of(settings, run.P, run.Q).predictions
    fresh: list[tuple[float, ...]] = []
    for seed in range(rivals.EVALUATION_SEED, rivals.EVALUATION_SEED + EVALUATION_SEEDS):
        errors = query_errors(predict, stream, seed, prompts)
        fresh.append((float(errors.mean[-1]), float(errors.median[-1]), float(errors.tail[-1])))
        run = replace(run, fresh=np.array(fresh), fresh_prompts=prompts)
        yield run
    run = replace(run, limit=largest_eigenvalue(settings.examples, settings.features))
    run = replace(run, best=rivals.search(settings))
    yield run
    for alone in rivals.train_alone(settings, share):
        run = replace(run, alone=alone)
        yield run
    models = rivals.models_of(run)
    count = rivals.affordable(settings, T, 40_000, share)
    for name, model in models.items():
        errors = query_errors(model.predictions, stream, rivals.EVALUATION_SEED, prompts)
        below, whole = rivals.mean_errors(settings, model, stream, count)
        if name == "constructed GD":
            whole = Risk(rivals.best_descent(settings)[1], 0.0)
        run = replace(
            run,
            medians={**run.medians, name: float(errors.median[-1])},
            below={**run.below, name: below},
            whole=run.whole if whole is None else {**run.whole, name: whole},
        )
        yield run
    for kind, sweep in sweeps.all_of(settings, models, share):
        run = replace(run, sweeps={**run.sweeps, kind: sweep})
        yield run
