"""The rivals of trained weights: gradient descent, two numbers, A alone, and the prompts to evaluate them on."""

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from looped.experiments.train import cost
from looped.experiments.train.result import Alone, TrainResult, one_layer_optimum
from looped.experiments.train.settings import TrainSettings
from looped.training import gdpp, wishart
from looped.training.evaluate import Risk, reached, risks, spectra
from looped.training.models import LoopedModel, LoopedPredictor
from looped.training.stream import Batch, PromptStream
from looped.training.trainer import MODELS, Trainer

EVALUATION_SEED = 2_147_000_000
"""First seed of the evaluation prompts, large enough that no training is likely to use it."""
LEVEL_PROMPTS, LEVEL_SETS = 4_000, 3
"""Prompts behind a level of the loss chart, and sets of them over which its spread is."""


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


def two_numbers(settings: TrainSettings, a: Sequence[float], gamma: Sequence[float]) -> LoopedModel:
    """The member of GD++ with these numbers, one of each for a layer."""
    P, Q = gdpp.weights(a, gamma, settings.features)
    return model_of(settings, P.numpy(), Q.numpy())


def descent(step: float, features: int, loops: int) -> LoopedPredictor:
    """Gradient descent with one step size, A = step·I."""
    model = LoopedPredictor(weights="preconditioner", features=features, loops=loops)
    model.load_state_dict({"A": step * torch.eye(features).double()[None]})
    return model


def mean_errors(
    settings: TrainSettings, model: LoopedModel, stream: PromptStream, count: int
) -> tuple[Risk, Risk | None]:
    """The mean where λ₁ is below its limit, and that over all prompts if importance sampling finds it."""
    below, whole = risks(lambda batch: _squares(model, batch), stream, EVALUATION_SEED, count)
    degree = (3**settings.loops - 1) // 2 if _moves_examples(model) else settings.loops
    return below, whole if reached(degree, settings.examples, settings.features) else None


def _moves_examples(model: LoopedModel) -> bool:
    """True where a loop moves the inputs or reads the labels as inputs, so that its degree multiplies; else it adds up.

    Where w is generated, labels that are read as inputs multiply w by w*, whose tail importance sampling leaves alone.
    """
    d, (P, Q) = model.features, model.matrices()
    if isinstance(model, LoopedPredictor):
        return bool(P[:, :d].any() or Q[:, d].any() or Q[:, :, d].any())
    return bool(P[:, :d, d].any() or Q[:, d, :d].any())


def search(settings: TrainSettings) -> gdpp.Best | None:
    """The best GD++ for T tied loops of prediction without noise, by a small search; else None."""
    if settings.task != "prediction" or settings.untied or settings.noise > 0:
        return None
    count = max(1000, min(20_000, 1_000_000 // (settings.loops * settings.features)))
    return gdpp.search(settings.loops, *spectra(settings.examples, settings.features, count, EVALUATION_SEED))


def train_alone(settings: TrainSettings, share: float) -> Iterator[Alone | None]:
    """None for every step of training A alone at these sizes, and at last what it does; nothing if it is no rival."""
    rival = cost.alone(settings)
    if rival is None or cost.training_only(rival).seconds > cost.ALONE_SECONDS * share:
        return
    trainer = Trainer(rival.training())
    for _ in trainer.run():
        yield None
    stream = stream_of(rival)
    _, whole = mean_errors(rival, trainer.model, stream, cost.affordable(rival, rival.loops, 100_000, share))
    yield Alone(_typical(trainer.model, stream), whole)


def level_medians(settings: TrainSettings, best: gdpp.Best | None) -> dict[str, np.ndarray]:
    """Medians of ‖w_T − w*‖² by name, to stand beside the loss of a batch: ascending, on the same sets of prompts."""
    sizes = ("loops", "examples", "features", "noise")  # a running training has other steps at each look
    return _level_medians(TrainSettings(**{name: getattr(settings, name) for name in sizes}), best)


@lru_cache(maxsize=256)
def _level_medians(settings: TrainSettings, best: gdpp.Best | None) -> dict[str, np.ndarray]:
    stream, d, T = stream_of(settings), settings.features, settings.loops
    models: dict[str, LoopedModel] = {
        "answering 0": descent(0.0, d, 1),
        "one layer, closed form": descent(one_layer_optimum(settings)[0], d, 1),
    }
    if T > 1:
        models["constructed GD"] = descent(best_descent(settings)[0], d, T)
    if best is not None and T > 1:
        models["best GD++"] = two_numbers(settings, [best.a], [best.gamma])
    return {
        name: np.sort([_typical(model, stream, seed) for seed in range(LEVEL_SETS)]) for name, model in models.items()
    }


def _typical(model: LoopedModel, stream: PromptStream, seed: int = 0) -> float:
    """The median of ‖w_T − w*‖² over `LEVEL_PROMPTS` fresh prompts, others for every seed."""
    batch = stream.draw(LEVEL_PROMPTS, torch.Generator().manual_seed(EVALUATION_SEED + seed))
    return float(_squares(model, batch).median())


def models_of(run: TrainResult) -> dict[str, LoopedModel]:
    """The trained model and those it is compared with, all with P and Q written out."""
    settings, fits = run.settings, run.fits()
    models = {"trained": model_of(settings, run.P, run.Q)}
    if settings.task == "prediction":
        if fits and all(fit.a != 0 and math.isfinite(fit.gamma / fit.a) for fit in fits):
            models["nearest GD++"] = two_numbers(settings, [fit.a for fit in fits], [fit.gamma for fit in fits])
        if run.best is not None:
            models["best GD++"] = two_numbers(settings, [run.best.a], [run.best.gamma])
    models["constructed GD"] = descent(best_descent(settings)[0], settings.features, settings.loops)
    return models


def stream_of(settings: TrainSettings, **others: Any) -> PromptStream:
    """The prompts of a run, with the changes in `others`."""
    sizes: dict[str, Any] = {"examples": settings.examples, "features": settings.features, "noise": settings.noise}
    return PromptStream(**(sizes | others))


@torch.no_grad()
def _squares(model: LoopedModel, batch: Batch) -> Tensor:
    """‖Σ^{1/2}(w_T − w*)‖² of each prompt, (B,); infinite where it overflows."""
    squares = batch.residual(model(batch.state)).square().sum(1)
    return torch.where(squares.isfinite(), squares, torch.inf)
