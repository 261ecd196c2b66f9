"""The squared error as one quantity changes: loops, examples, covariance, scale or noise of the prompts."""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import torch
from torch import Tensor

from looped.experiments.train import cost, rivals
from looped.experiments.train.result import Sweep
from looped.experiments.train.settings import TrainSettings
from looped.prompts import eigenvalues
from looped.training.evaluate import statistics, tuned_descent
from looped.training.models import LoopedModel
from looped.training.stream import Batch, PromptStream

PAST = 5
"""Largest number of loops, as a multiple of the trained T."""
COVARIANCES = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
"""Condition numbers κ_Σ of the inputs' covariance, eigenvalues evenly spaced on a logarithmic scale, trace d."""
SCALES = (0.25, 0.5, 0.7, 0.85, 1.0, 1.15, 1.3, 1.5, 2.0)
"""Factors on all inputs, w* divided by them, so that labels keep their size."""
NOISES = (0.0, 0.05, 0.1, 0.2, 0.5, 1.0)
"""σ of the examples' labels."""
EXAMPLES = (0.25, 0.5, 0.75, 0.9, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0)
"""Multiples of the trained n."""


def all_of(
    settings: TrainSettings, models: Mapping[str, LoopedModel], share: float = 1.0
) -> Iterator[tuple[str, Sweep]]:
    """Every sweep by name, one after the other.

    Args:
        settings: the settings of the run.
        models: the trained model and those it is compared with, by name.
        share: the share of the usual number of prompts.
    """
    d, n = settings.features, settings.examples
    yield "loops", _past(settings, models, share)
    counts = sorted({max(1, round(multiple * n)) for multiple in EXAMPLES} | {d, 2 * d})
    kinds: dict[str, Iterable[tuple[float, PromptStream]]] = {
        "examples": ((float(count), rivals.stream_of(settings, examples=count)) for count in counts),
        "covariance": ((kappa, rivals.stream_of(settings, root=_root(d, kappa))) for kappa in COVARIANCES),
        "scale": ((scale, rivals.stream_of(settings, root=scale * torch.eye(d).double())) for scale in SCALES),
        "noise": ((noise, rivals.stream_of(settings, noise=noise)) for noise in NOISES),
    }
    for kind, streams in kinds.items():
        yield kind, _sweep(settings, models, streams, share)


def _root(features: int, kappa: float) -> Tensor:
    """Σ^{1/2}, eigenvalues of Σ evenly spaced on a logarithmic scale with condition number κ_Σ and trace d."""
    return torch.diag(eigenvalues("geometric", features, kappa, features).sqrt())


def _draw(stream: PromptStream, prompts: int) -> tuple[Batch, Tensor]:
    generator = torch.Generator().manual_seed(rivals.EVALUATION_SEED)
    return stream.draw(prompts, generator), stream.queries(prompts, generator)


def _statistics(predictions: Tensor, batch: Batch, queries: Tensor) -> np.ndarray:
    """`STATISTICS` of (prediction − x_qᵀw*)², (3, …) for predictions (…, B)."""
    return statistics((predictions - torch.einsum("bd,bd->b", queries, batch.w_star)).square())


def _past(settings: TrainSettings, models: Mapping[str, LoopedModel], share: float) -> Sweep:
    """Errors after 0, 1, … loops, past the trained T where the weights are shared."""
    T = settings.loops
    most = T if settings.untied else PAST * T
    prompts = cost.affordable(settings, most, 10_000, share)
    batch, queries = _draw(rivals.stream_of(settings), prompts)
    series = {}
    for name, model in models.items():
        series[name] = _statistics(model.predictions(batch.state, queries, most), batch, queries)
    step, _ = tuned_descent(batch, T)
    rival = rivals.descent(step, settings.features, most)
    series["GD tuned here"] = _statistics(rival.predictions(batch.state, queries), batch, queries)
    series["answering 0"] = _statistics(torch.zeros(most + 1, prompts).double(), batch, queries)
    return Sweep(np.arange(most + 1.0), series, prompts)


def _sweep(
    settings: TrainSettings,
    models: Mapping[str, LoopedModel],
    streams: Iterable[tuple[float, PromptStream]],
    share: float,
) -> Sweep:
    """Errors after T loops on each stream's prompts, beside gradient descent with its step tuned on them."""
    prompts = cost.affordable(settings, settings.loops, 2_000, share)
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
