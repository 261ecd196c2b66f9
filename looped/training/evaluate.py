"""How good weights are on fresh prompts, and the gradient descents they compete with.

The squared error is heavy-tailed: rare prompts with a large λ₁ rule its mean. Mean, median and the 99.9 % point stand
together therefore, over many prompts.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from looped.training.models import LoopedModel, LoopedPredictor
from looped.training.stream import Batch, PromptStream

PROMPTS = 200_000
CHUNK = 4_000
"""Prompts evaluated together."""

TAIL_STRETCH = 1.6
"""How far prompts are stretched to sample the tail; found by the standard error, which is flat from 1.4 to 1.8."""

Predictor = Callable[[Tensor, Tensor], Tensor]
"""States (B, d+1, d+1) and queries (B, d) to predictions after 0, 1, …, T loops, (T+1, B)."""


@dataclass(frozen=True, slots=True)
class QueryErrors:
    """(prediction − x_qᵀw*)² on fresh prompts after 0, 1, …, T loops; each array (T+1,)."""

    mean: np.ndarray
    median: np.ndarray
    tail: np.ndarray
    """The 99.9 % point."""
    prompts: int
    seed: int


def query_errors(predict: Predictor, stream: PromptStream, seed: int, prompts: int = PROMPTS) -> QueryErrors:
    """Squared errors of any predictor; the same seed gives the same prompts.

    Args:
        predict: for a model `m`, `lambda state, queries: m.predictions(state, queries, loops)`.
        stream: where the prompts come from.
        seed: of the prompts.
        prompts: how many, drawn `CHUNK` at a time.
    """
    generator = torch.Generator().manual_seed(seed)
    chunks = []
    for first in range(0, prompts, CHUNK):
        count = min(CHUNK, prompts - first)
        batch, queries = stream.draw(count, generator), stream.queries(count, generator)
        answer = torch.einsum("bd,bd->b", queries, batch.w_star)
        chunks.append((predict(batch.state, queries) - answer).square())
    errors = torch.cat(chunks, dim=1)  # (T+1, B)
    tail = errors.kthvalue(max(1, round(0.999 * prompts)), dim=1).values
    return QueryErrors(
        mean=errors.mean(dim=1).numpy(),
        median=errors.median(dim=1).values.numpy(),
        tail=tail.numpy(),
        prompts=prompts,
        seed=seed,
    )


def spectra(examples: int, features: int, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Eigenvalues of H = XᵀX/n for rows x ~ N(0, I), the tail sampled: (count, d), ascending, and weights (count,)."""
    stream = PromptStream(examples=examples, features=features)
    batches = _tail(stream, seed, count)
    parts = [
        (torch.linalg.eigvalsh(batch.state[:, :features, :features]).clamp(min=0.0), weight)
        for batch, weight in batches
    ]
    return torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])


@dataclass(frozen=True, slots=True)
class Risk:
    """A mean over prompts and the standard error of that mean."""

    mean: float
    error: float


@torch.no_grad()
def tail_risk(loss: Callable[[Batch], Tensor], stream: PromptStream, seed: int, count: int) -> Risk:
    """The mean loss over the stream's prompts, sampled where the loss is: in the rare prompts with a large λ₁ too.

    Args:
        loss: of each prompt of a batch, (B,).
        stream: where the prompts come from; they are stretched, and weighted back, see `PromptStream.draw`.
        seed: of the prompts.
        count: prompts, drawn `CHUNK` at a time.
    """
    values = torch.cat([weight * loss(batch) for batch, weight in _tail(stream, seed, count)]).double()
    return Risk(float(values.mean()), float(values.std()) / count**0.5)


def _tail(stream: PromptStream, seed: int, count: int) -> Iterator[tuple[Batch, Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    for first in range(0, count, CHUNK):
        batch = stream.draw(min(CHUNK, count - first), generator, TAIL_STRETCH)
        assert batch.weight is not None
        yield batch, batch.weight


@torch.no_grad()
def integrated_risk(model: LoopedModel, stream: PromptStream, seed: int, count: int) -> Risk:
    """E‖I − (w_T as a linear map of w*)‖_F²: risk with w* and x_q integrated out, for A alone and Σ = I.

    Only with u = 0 is w_T linear in w*: w_T = [I − (I − AᵀH)^T] w*. The tail is sampled, see `tail_risk`.

    Raises:
        ValueError: for other weights, other Σ, or noise.
    """
    alone = isinstance(model, LoopedPredictor) and model.weights == "preconditioner" and model.tied
    if not alone or stream.root is not None or stream.noise > 0:
        raise ValueError("w* can only be integrated out for a tied preconditioner, Σ = I and noiseless labels.")
    A = model.A[0].double().cpu()
    identity, d = torch.eye(model.features, dtype=torch.float64), model.features

    def loss(batch: Batch) -> Tensor:
        left = torch.linalg.matrix_power(identity - A.T @ batch.state[:, :d, :d].double(), model.loops)
        return left.square().sum((1, 2))

    return tail_risk(loss, stream, seed, count)


def tuned_descent(batch: Batch, loops: int) -> tuple[float, Tensor]:
    """Gradient descent whose one step size is the best for exactly these prompts: the fair rival.

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
    """The minimum of a function with a single one, to 1e-4 of the interval."""
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
