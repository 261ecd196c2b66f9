"""Learned weights beside gradient descent, on fresh prompts like those of training and unlike them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, replace
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from looped.experiments.train.cost import check, estimate
from looped.experiments.train.result import Alone, Sweep, Trained, one_layer_optimum
from looped.experiments.train.settings import TrainSettings
from looped.prompts import eigenvalues
from looped.threads import in_one_thread
from looped.training import gdpp, wishart
from looped.training.evaluate import (
    Risk,
    largest_eigenvalue,
    query_errors,
    reached,
    risks,
    spectra,
    tuned_descent,
)
from looped.training.models import LoopedModel, LoopedPredictor
from looped.training.stream import Batch, PromptStream
from looped.training.trainer import MODELS, Progress, Trainer, all_made

EVALUATION_SEED = 2_147_000_000
"""Prompts that judge come from seeds from here on, which no training is likely to use."""
EVALUATION_SEEDS = 3
ALONE_SECONDS = 20.0
"""A alone is trained beside the run for comparison if that takes no longer by the estimate."""
LEVEL_PROMPTS = 4_000
"""Prompts behind the levels of the loss chart."""
PAST = 5
"""Loops are followed to so many times the trained T."""
COVARIANCES = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
"""Condition numbers κ_Σ of the inputs' covariance, eigenvalues evenly spaced in ratio, trace d."""
SCALES = (0.25, 0.5, 0.7, 0.85, 1.0, 1.15, 1.3, 1.5, 2.0)
"""Factors on all inputs, w* divided by them, so that labels keep their size."""
NOISES = (0.0, 0.05, 0.1, 0.2, 0.5, 1.0)
"""σ of the examples' labels."""
EXAMPLES = (0.25, 0.5, 0.75, 0.9, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0)
"""Multiples of the trained n."""


def best_descent(settings: TrainSettings) -> tuple[float, float]:
    """The single step a for T loops, Σ = I, with the least exact risk, and that risk."""
    return wishart.best_descent(settings.loops, settings.examples, settings.features, settings.noise)


def model_of(settings: TrainSettings, P: np.ndarray, Q: np.ndarray) -> LoopedModel:
    """The model with these weights, in float64 on the CPU."""
    model = MODELS[settings.task](
        weights="full", features=settings.features, loops=settings.loops, tied=not settings.untied
    )
    model.load_state_dict({"P": torch.from_numpy(P).double(), "Q": torch.from_numpy(Q).double()})
    return model


def trained(trainer: Trainer, settings: TrainSettings) -> Trained:
    """The run as it stands, not yet evaluated; one that is not at its end counts as a run of fewer steps."""
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
    return Trained(settings, P.cpu().numpy(), Q.cpu().numpy(), columns, stopped)


@in_one_thread
def train(settings: TrainSettings) -> Trained:
    """Train from the first step to the last, and evaluate.

    Raises:
        SettingsError: for settings that cannot be trained here, before the first step.
    """
    check(settings)
    trainer = Trainer(settings.training())
    for _ in trainer.run():
        pass
    return evaluate(trained(trainer, settings))


def evaluate(run: Trained, share: float = 1.0) -> Trained:
    """The run with all that can be said of it; about ten seconds at the default sizes."""
    *_, last = evaluation(run, share)
    return last


@in_one_thread
def evaluation(run: Trained, share: float = 1.0) -> Iterator[Trained]:
    """The same piece by piece, so that a caller can show progress and stop.

    Args:
        run: as `trained` gives it.
        share: of the usual numbers of prompts.
    """
    settings = run.settings
    T, stream = settings.loops, _stream(settings)
    prompts = _affordable(settings, T, 200_000, share)
    predict = model_of(settings, run.P, run.Q).predictions
    fresh: list[tuple[float, ...]] = []
    for seed in range(EVALUATION_SEED, EVALUATION_SEED + EVALUATION_SEEDS):
        errors = query_errors(predict, stream, seed, prompts)
        fresh.append((float(errors.mean[-1]), float(errors.median[-1]), float(errors.tail[-1])))
        run = replace(run, fresh=np.array(fresh), fresh_prompts=prompts)
        yield run
    run = replace(run, limit=largest_eigenvalue(settings.examples, settings.features))
    run = replace(run, best=search(settings))
    yield run
    for alone in _train_alone(settings, share):
        run = replace(run, alone=alone)
        yield run
    models = _models(run)
    count = _affordable(settings, T, 40_000, share)
    for name, model in models.items():
        errors = query_errors(model.predictions, stream, EVALUATION_SEED, prompts)
        below, whole = mean_errors(settings, model, stream, count)
        if name == "constructed GD":
            whole = Risk(best_descent(settings)[1], 0.0)
        run = replace(
            run,
            medians={**run.medians, name: float(errors.median[-1])},
            below={**run.below, name: below},
            whole=run.whole if whole is None else {**run.whole, name: whole},
        )
        yield run
    run = replace(run, sweeps={"loops": _past(settings, models, share)})
    yield run
    d, n = settings.features, settings.examples
    counts = sorted({max(1, round(multiple * n)) for multiple in EXAMPLES} | {d, 2 * d})
    kinds: dict[str, Iterable[tuple[float, PromptStream]]] = {
        "examples": ((float(count), _stream(settings, examples=count)) for count in counts),
        "covariance": ((kappa, _stream(settings, root=_root(d, kappa))) for kappa in COVARIANCES),
        "scale": ((scale, _stream(settings, root=scale * torch.eye(d).double())) for scale in SCALES),
        "noise": ((noise, _stream(settings, noise=noise)) for noise in NOISES),
    }
    for kind, streams in kinds.items():
        run = replace(run, sweeps={**run.sweeps, kind: _sweep(settings, models, streams, share)})
        yield run


def mean_errors(
    settings: TrainSettings, model: LoopedModel, stream: PromptStream, count: int
) -> tuple[Risk, Risk | None]:
    """The mean where λ₁ is below its limit, and that over all prompts if importance sampling finds it."""
    below, whole = risks(lambda batch: _squares(model, batch), stream, EVALUATION_SEED, count)
    degree = (3**settings.loops - 1) // 2 if _moves_examples(model) else settings.loops
    return below, whole if reached(degree, settings.examples, settings.features) else None


def _moves_examples(model: LoopedModel) -> bool:
    """Whether a loop moves the inputs or reads the labels as inputs, so that its degree multiplies; else it adds up."""
    d, (P, Q) = model.features, model.matrices()
    still = not P[:, :d].any() and not Q[:, d].any() and not Q[:, :, d].any()
    return isinstance(model, LoopedPredictor) and not still


def search(settings: TrainSettings) -> gdpp.Best | None:
    """The best two numbers for T tied loops of prediction without noise, by a small search; else None."""
    if settings.task != "prediction" or settings.untied or settings.noise > 0:
        return None
    count = max(1000, min(20_000, 1_000_000 // (settings.loops * settings.features)))
    return gdpp.search(settings.loops, *spectra(settings.examples, settings.features, count, EVALUATION_SEED))


def _train_alone(settings: TrainSettings, share: float) -> Iterator[Alone | None]:
    """None for every step of training A alone at these sizes, and at last what it does; nothing if it is no rival."""
    alone = TrainSettings(loops=settings.loops, examples=settings.examples, features=settings.features,
                          weights="preconditioner", seed=settings.seed)  # fmt: skip
    rival = settings.task == "prediction" and not settings.untied and settings.noise == 0 and settings.loops > 1
    if not rival or estimate(alone).seconds > ALONE_SECONDS * share:
        return
    trainer = Trainer(alone.training())
    for _ in trainer.run():
        yield None
    stream = _stream(alone)
    _, whole = mean_errors(alone, trainer.model, stream, _affordable(alone, alone.loops, 100_000, share))
    yield Alone(_typical(trainer.model, stream), whole)


def level_medians(settings: TrainSettings, run: Trained | None = None) -> dict[str, float]:
    """Medians of ‖w_T − w*‖² over the same fresh prompts, by name, to stand beside the loss of a batch."""
    return _level_medians(settings, None if run is None else run.best)


@cache
def _level_medians(settings: TrainSettings, best: gdpp.Best | None) -> dict[str, float]:
    stream, d, T = _stream(settings), settings.features, settings.loops

    def descent(step: float, loops: int) -> float:
        model = LoopedPredictor(weights="preconditioner", features=d, loops=loops)
        model.load_state_dict({"A": step * torch.eye(d).double()[None]})
        return _typical(model, stream)

    named = {"answering 0": descent(0.0, 1), "one layer, closed form": descent(one_layer_optimum(settings)[0], 1)}
    if T > 1:
        named[f"best GD, {T} steps"] = descent(best_descent(settings)[0], T)
    if best is not None and T > 1:
        P, Q = gdpp.weights([best.a], [best.gamma], d)
        named["best two numbers"] = _typical(
            model_of(settings.replace(task="prediction"), P.numpy(), Q.numpy()), stream
        )
    return named


def _typical(model: LoopedModel, stream: PromptStream) -> float:
    """The median of ‖w_T − w*‖² over `LEVEL_PROMPTS` fresh prompts."""
    batch = stream.draw(LEVEL_PROMPTS, torch.Generator().manual_seed(EVALUATION_SEED))
    return float(_squares(model, batch).median())


def _models(run: Trained) -> dict[str, LoopedModel]:
    """The trained model and those it is compared with, all with P and Q written out."""
    settings, fits = run.settings, run.fits()
    d = settings.features
    models = {"trained": model_of(settings, run.P, run.Q)}
    if settings.task == "prediction":
        if fits and all(fit.a != 0 for fit in fits):
            P, Q = gdpp.weights([fit.a for fit in fits], [fit.gamma for fit in fits], d)
        if fits and all(fit.a != 0 for fit in fits) and P.isfinite().all():
            models["its two numbers"] = model_of(settings, P.numpy(), Q.numpy())
        if run.best is not None:
            P, Q = gdpp.weights([run.best.a], [run.best.gamma], d)
            models["best two numbers"] = model_of(settings, P.numpy(), Q.numpy())
    step = best_descent(settings)[0]
    constructed = LoopedPredictor(weights="preconditioner", features=d, loops=settings.loops)
    constructed.load_state_dict({"A": step * torch.eye(d).double()[None]})
    models["constructed GD"] = constructed
    return models


def _stream(settings: TrainSettings, **others: Any) -> PromptStream:
    sizes: dict[str, Any] = {"examples": settings.examples, "features": settings.features, "noise": settings.noise}
    return PromptStream(**(sizes | others))


def _root(features: int, kappa: float) -> Tensor:
    """Σ^{1/2}, eigenvalues of Σ evenly spaced in ratio with condition number κ_Σ and trace d."""
    return torch.diag(eigenvalues("geometric", features, kappa, features).sqrt())


def _affordable(settings: TrainSettings, loops: int, most: int, share: float = 1.0) -> int:
    """Prompts that are evaluated in about a second over so many loops."""
    each = loops * 3 * (settings.features + 1) ** 3
    return max(500, round(share * min(most, 1_300_000_000 // each)))


@torch.no_grad()
def _squares(model: LoopedModel, batch: Batch) -> Tensor:
    """‖Σ^{1/2}(w_T − w*)‖² of each prompt, (B,); infinite where it overflows."""
    squares = batch.residual(model(batch.state)).square().sum(1)
    return torch.where(squares.isfinite(), squares, torch.inf)


def _draw(stream: PromptStream, prompts: int) -> tuple[Batch, Tensor]:
    generator = torch.Generator().manual_seed(EVALUATION_SEED)
    return stream.draw(prompts, generator), stream.queries(prompts, generator)


def _statistics(predictions: Tensor, batch: Batch, queries: Tensor) -> np.ndarray:
    """`STATISTICS` of (prediction − x_qᵀw*)², (3, …) for predictions (…, B); what overflows counts as infinite."""
    errors = (predictions - torch.einsum("bd,bd->b", queries, batch.w_star)).square()
    errors = torch.where(torch.isfinite(errors), errors, torch.inf)
    tail = errors.kthvalue(max(1, round(0.999 * errors.shape[-1])), dim=-1).values
    return torch.stack([errors.mean(-1), errors.median(-1).values, tail]).numpy()


def _past(settings: TrainSettings, models: Mapping[str, LoopedModel], share: float) -> Sweep:
    """Errors after 0, 1, … loops, past the trained T where the weights are shared."""
    T = settings.loops
    most = T if settings.untied else PAST * T
    prompts = _affordable(settings, most, 10_000, share)
    batch, queries = _draw(_stream(settings), prompts)
    series = {}
    for name, model in models.items():
        series[name] = _statistics(model.predictions(batch.state, queries, most), batch, queries)
    step, _ = tuned_descent(batch, T)
    rival = LoopedPredictor(weights="preconditioner", features=settings.features, loops=most)
    rival.load_state_dict({"A": step * torch.eye(settings.features).double()[None]})
    series["GD tuned here"] = _statistics(rival.predictions(batch.state, queries), batch, queries)
    series["answering 0"] = _statistics(torch.zeros(most + 1, prompts).double(), batch, queries)
    return Sweep(np.arange(most + 1.0), series, prompts)


def _sweep(
    settings: TrainSettings,
    models: Mapping[str, LoopedModel],
    streams: Iterable[tuple[float, PromptStream]],
    share: float,
) -> Sweep:
    """Errors after T loops on each stream's prompts, beside gradient descent whose step is tuned on just these."""
    prompts = _affordable(settings, settings.loops, 2_000, share)
    places, columns = [], []
    for x, stream in streams:
        batch, queries = _draw(stream, prompts)
        column = {
            name: _statistics(model.predictions(batch.state, queries, settings.loops)[-1], batch, queries)
            for name, model in models.items()
        }
        _, iterates = tuned_descent(batch, settings.loops)
        column["GD tuned here"] = _statistics(torch.einsum("bd,bd->b", iterates[-1], queries), batch, queries)
        column["answering 0"] = _statistics(torch.zeros(prompts).double(), batch, queries)
        places.append(x)
        columns.append(column)
    return Sweep(
        np.array(places), {name: np.stack([column[name] for column in columns], axis=1) for name in columns[0]}, prompts
    )
