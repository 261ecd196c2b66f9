"""Train, and evaluate the trained weights on fresh prompts."""

from collections.abc import Iterator
from dataclasses import fields, replace

import numpy as np

from looped.experiments.train import cost, rivals, sweeps
from looped.experiments.train.result import TrainResult
from looped.experiments.train.settings import TrainSettings
from looped.threads import in_one_thread
from looped.training.evaluate import Risk, largest_eigenvalue, query_errors
from looped.training.trainer import Progress, Trainer, all_made

EVALUATION_SEEDS = 3
MOST_FRAMES = 40
"""Most states of the weights that are kept on the way."""
MOST_FRAME_BYTES = 2**19
"""Most memory that they take; more than two are kept in any case."""


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
    work = TrainWork(settings)
    for _ in work.run():
        pass
    return work.snapshot()


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
    prompts = cost.affordable(settings, T, 200_000, share)
    predict = rivals.model_of(settings, run.P, run.Q).predictions
    fresh = []
    for seed in range(rivals.EVALUATION_SEED, rivals.EVALUATION_SEED + EVALUATION_SEEDS):
        fresh.append(query_errors(predict, stream, seed, prompts)[:, -1])
        run = replace(run, fresh=np.array(fresh), fresh_prompts=prompts)
        yield run
    run = replace(run, limit=largest_eigenvalue(settings.examples, settings.features))
    run = replace(run, best=rivals.search(settings))
    yield run
    for alone in rivals.train_alone(settings, share):
        run = replace(run, alone=alone)
        yield run
    models = rivals.models_of(run)
    count = cost.affordable(settings, T, 40_000, share)
    for name, model in models.items():
        _, median, _ = query_errors(model.predictions, stream, rivals.EVALUATION_SEED, prompts)
        below, whole = rivals.mean_errors(settings, model, stream, count)
        if name == "constructed GD":
            whole = Risk(rivals.best_descent(settings)[1], 0.0)
        run = replace(
            run,
            medians={**run.medians, name: float(median[-1])},
            below={**run.below, name: below},
            whole=run.whole if whole is None else {**run.whole, name: whole},
        )
        yield run
    for kind, sweep in sweeps.all_of(settings, models, share):
        run = replace(run, sweeps={**run.sweeps, kind: sweep})
        yield run


def frame_steps(steps: int, state: int) -> set[int]:
    """Steps after which the weights are kept: before the first, the last, and between them on a logarithmic scale.

    Args:
        steps: Budget of the training.
        state: Bytes of P and Q together.
    """
    count = int(np.clip(MOST_FRAME_BYTES // state, 3, MOST_FRAMES))
    return {0, *np.geomspace(1, steps, count - 1).round().astype(int).tolist()}


class TrainWork:
    """Train from the first step, or from weights that are there, and then evaluate.

    Args:
        settings: Settings of the run.
        begun: weights from a file, or of a run that was stopped: these are evaluated, nothing is trained.

    Raises:
        SettingsError: for settings that cannot be trained here.
    """

    def __init__(self, settings: TrainSettings, begun: TrainResult | None = None) -> None:
        self.settings = settings
        self.found = begun
        self.trainer: Trainer | None = None
        if begun is None:
            cost.check(settings)
            self.trainer = Trainer(settings.training())
            self._kept = frame_steps(self.trainer.training.steps, sum(one.nbytes for one in self.trainer.snapshot()))
        self._frames: list[tuple[int, np.ndarray, np.ndarray]] = []
        self._pieces: Iterator[TrainResult] | None = None

    def __getstate__(self) -> dict[str, object]:
        """All but the place in the evaluation, which starts over elsewhere and gives the same numbers."""
        return self.__dict__ | {"_pieces": None}

    @property
    def training(self) -> bool:
        """True where there are steps left to make."""
        return self.trainer is not None and not self.trainer.finished

    def run(self) -> Iterator[Progress | None]:
        """One record a step of training, then None for every piece of the evaluation."""
        if self.trainer is not None:
            if not self._frames:
                self._keep(0)
            for record in self.trainer.run():
                if record.step in self._kept or record.stopped:
                    self._keep(record.step)
                yield record
        if self._pieces is None:
            self.found = self.snapshot()
            self._pieces = evaluation(self.found)
        for found in self._pieces:
            self.found = found
            yield None

    def snapshot(self) -> TrainResult:
        """The run as it stands."""
        if self.found is not None:
            return self.found
        assert self.trainer is not None
        run = trained(self.trainer, self.settings)
        kept = [*self._frames]
        if kept and kept[-1][0] < (now := len(run.history["step"])):
            kept.append((now, run.P, run.Q))
        columns = zip(*kept, strict=True) if kept else ()
        return replace(run, frames=dict(zip(("step", "P", "Q"), map(np.array, columns), strict=False)))

    def _keep(self, step: int) -> None:
        assert self.trainer is not None
        P, Q = (one.detach().cpu().numpy().copy() for one in self.trainer.snapshot())
        self._frames.append((step, P, Q))
