"""The errors of weights on fresh prompts, and the gradient descents they compete with.

The squared error is heavy-tailed: rare prompts with a large λ₁ dominate its mean, and for many loops of GD++ that mean
is so large that no sample shows it. So the median stands first; beside it stands the mean over the prompts whose λ₁ is
below a stated limit, and the mean over all prompts only where importance sampling reaches the prompts that dominate it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from looped.training.stream import STRETCHES, Batch, PromptStream

PROMPTS = 200_000
CHUNK = 4_000
"""Prompts evaluated together."""

RARE = 1e-6
"""Share of the prompts whose λ₁ is above the limit of `largest_eigenvalue`."""
SPECTRA = 100_000
"""Spectra from which that limit is read, for features up to 5; fewer for more."""

Predictor = Callable[[Tensor, Tensor], Tensor]
"""States (B, d+1, d+1) and queries (B, d) to predictions after 0, 1, …, T loops, (T+1, B)."""


def query_errors(predict: Predictor, stream: PromptStream, seed: int, prompts: int = PROMPTS) -> np.ndarray:
    """(prediction − x_qᵀw*)² of any predictor on fresh prompts; the same seed gives the same prompts.

    Args:
        predict: the predictor; for a model `m`, `lambda state, queries: m.predictions(state, queries, loops)`.
        stream: the source of the prompts.
        seed: the seed of the prompts.
        prompts: the number of prompts, drawn `CHUNK` at a time.

    Returns:
        Mean, median and 99.9 % point after 0, 1, …, T loops, (3, T+1), infinite after an overflow.
    """
    generator = torch.Generator().manual_seed(seed)
    chunks = []
    for first in range(0, prompts, CHUNK):
        count = min(CHUNK, prompts - first)
        batch, queries = stream.draw(count, generator), stream.queries(count, generator)
        answer = torch.einsum("bd,bd->b", queries, batch.w_star)
        chunks.append((predict(batch.state, queries) - answer).square())
    return statistics(torch.cat(chunks, dim=1))


def statistics(errors: Tensor) -> np.ndarray:
    """Mean, median and 99.9 % point over the prompts of errors (…, B): (3, …); what overflows counts as infinite."""
    errors = torch.where(errors.isfinite(), errors, torch.inf)
    tail = errors.kthvalue(max(1, round(0.999 * errors.shape[-1])), dim=-1).values
    return torch.stack([errors.mean(-1), errors.median(-1).values, tail]).numpy()


@dataclass(frozen=True, slots=True)
class Limit:
    """A value of λ₁ that few prompts exceed."""

    value: float
    """λ₁ of XᵀX/n, rows x ~ 𝓝(0, I); three digits."""
    above: float
    """Probability that a prompt has a larger λ₁, an estimate to about a fifth."""


@lru_cache(maxsize=256)
def largest_eigenvalue(examples: int, features: int) -> Limit:
    """The limit that λ₁ exceeds in about one of a million prompts of n examples and d features."""
    stream = PromptStream(examples=examples, features=features)
    count = max(CHUNK, SPECTRA * 25 // max(25, features**2))
    drawn = [(largest, weight) for _, weight, largest in _far(stream, 0, count)]
    value, order = torch.cat([part[0] for part in drawn]).sort(descending=True)
    weight = torch.cat([part[1] for part in drawn])[order]
    quantile = float(f"{float(value[int((weight.cumsum(0) < RARE * count).sum())]):.3g}")
    return Limit(quantile, float(weight[value > quantile].sum()) / count)


def _far(stream: PromptStream, seed: int, count: int) -> Iterator[tuple[Batch, Tensor, Tensor]]:
    """Batches of `PromptStream.draw_far`, `count` prompts in all, with their weights and λ₁."""
    generator = torch.Generator().manual_seed(seed)
    for first in range(0, count, CHUNK):
        yield stream.draw_far(min(CHUNK, count - first), generator)


def spectra(examples: int, features: int, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Eigenvalues of Σ̂ = XᵀX/n for rows x ~ 𝓝(0, I) with λ₁ below its limit, (K, d), and their weights (K,), mean 1.

    A weighted mean is the mean over the prompts below the limit. K is what is left of `count` draws.
    """
    stream, limit = PromptStream(examples=examples, features=features), largest_eigenvalue(examples, features)
    eigenvalues, weights = [], []
    for batch, drawn, largest in _far(stream, seed, count):
        below = largest < limit.value
        eigenvalues.append(torch.linalg.eigvalsh(batch.state[below, :features, :features]).clamp(min=0.0))
        weights.append(drawn[below])
    weight = torch.cat(weights)
    return torch.cat(eigenvalues), weight / weight.mean()


@dataclass(frozen=True, slots=True)
class Risk:
    """A mean over prompts and the standard error of that mean, 0 where it is exact."""

    mean: float
    error: float


@torch.no_grad()
def risks(loss: Callable[[Batch], Tensor], stream: PromptStream, seed: int, count: int) -> tuple[Risk, Risk]:
    """The mean loss over the prompts whose λ₁ is below its limit, and that over all prompts, by importance sampling.

    Args:
        loss: the function that gives the loss of each prompt of a batch, (B,).
        stream: the source of the prompts, Σ = I; see `PromptStream.draw_far`.
        seed: the seed of the prompts.
        count: the number of prompts, drawn `CHUNK` at a time.
    """
    limit = largest_eigenvalue(stream.examples, stream.features).value
    drawn = [(loss(batch).double(), weight, largest < limit) for batch, weight, largest in _far(stream, seed, count)]
    value, weight, below = map(torch.cat, zip(*drawn, strict=True))
    return _mean(value[below], weight[below]), _mean(value, weight, known=True)


def _mean(value: Tensor, weight: Tensor, known: bool = False) -> Risk:
    """The weighted mean; the mean weight is 1 where that is `known`, else it is estimated too."""
    count, total = len(value), float(len(value)) if known else float(weight.sum())
    mean = float((weight * value).sum()) / total
    if not np.isfinite(mean):
        return Risk(np.inf, np.inf)
    spread = weight * value - mean if known else weight * (value - mean)
    return Risk(mean, float(spread.square().sum()) ** 0.5 / total if count > 1 else np.inf)


def reached(degree: int, examples: int, features: int) -> bool:
    """True where importance sampling reaches the prompts that dominate the mean of an error that is a polynomial in λ₁.

    λ₁^{2·degree} against its density is largest near λ₁ = (4·degree + n + d)/n; λ₁ itself is near (1 + √(d/n))², and it
    is multiplied by at most the last of `STRETCHES`.

    Args:
        degree: the degree of the error w_T − w* in λ₁.
        examples: n, the number of examples.
        features: d, the number of features.
    """
    ruling = (4 * degree + examples + features) / examples
    return ruling <= STRETCHES[-1] * (1 + (features / examples) ** 0.5) ** 2


def tuned_descent(batch: Batch, loops: int) -> tuple[float, Tensor]:
    """Gradient descent with the best single step size for exactly these prompts: the fair rival.

    w_t = Σ_k (1 − (1 − aλ_k)^t)/λ_k · v_k v_kᵀ Xᵀy/n, all n examples used. The mean of ‖Σ^{1/2}(w_T − w*)‖² is a sum of
    squares that need not be convex in a under noise, so a fine grid of steps comes first.

    Returns:
        The step a, and its iterates w_0 … w_T, (T+1, B, d).
    """
    d = batch.w_star.shape[1]
    eigenvalues, vectors = torch.linalg.eigh(batch.state[:, :d, :d])
    along = torch.einsum("bdk,bd->bk", vectors, batch.state[:, :d, d])

    def iterate(step: float, t: int) -> Tensor:
        # (1 − (1 − aλ)^t)/λ is the geometric sum a Σ_s (1 − aλ)^s, which needs no division where λ is 0.
        factor, total = 1 - step * eigenvalues, torch.zeros_like(eigenvalues)
        for _ in range(t):
            total = step + factor * total
        return torch.einsum("bdk,bk->bd", vectors, total * along)

    def risk(step: float) -> float:
        return float(batch.residual(iterate(step, loops)).square().sum(1).mean())

    grid = np.linspace(0.0, 2 / float(eigenvalues.mean()), 65)[1:]
    best = int(np.argmin([risk(step) for step in grid]))
    width = float(grid[1] - grid[0])
    step = _golden_section(risk, max(0.0, float(grid[best]) - width), float(grid[best]) + width)
    return step, torch.stack([iterate(step, t) for t in range(loops + 1)])


def _golden_section(function: Callable[[float], float], low: float, high: float) -> float:
    """The minimum of a function with a single one, to 1e-4 of the interval.

    The bounded search of scipy.optimize takes half the time and finds the same risk to 1e-9, but a step that differs by
    up to 3e-6, so the arrays of a run would differ from those stored and exported (`benchmarks/searches.py`).
    """
    ratio = (5**0.5 - 1) / 2
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    at_left, at_right = function(left), function(right)
    for _ in range(20):
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - ratio * (high - low)
            at_left = function(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + ratio * (high - low)
            at_right = function(right)
    return (low + high) / 2
