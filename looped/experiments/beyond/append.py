"""Append or overwrite: a chain of thought is the same loop."""

from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

import numpy as np
import torch
from torch import Tensor

from looped.algorithms.gd import construction
from looped.attention import LinearAttention, LoopedTransformer, Weights
from looped.experiments.beyond.learned_step import learned_step
from looped.experiments.beyond.settings import BeyondSettings
from looped.files import finite
from looped.prompts import Prompts

RUN, RUN_NUMBERS = 16, 25_000_000
"""Prompts that pass through the transformer itself, and the numbers of their tokens in all steps together."""


@dataclass(frozen=True)
class Append:
    """The loop that overwrites its query, and the chain that appends it."""

    settings: BeyondSettings
    tokens: np.ndarray
    """The chain of the first prompt at its end, tokens as columns, (2d+2, n+1+T)."""
    moved: float
    """The largest change of an example in any step of the chain."""
    gap: float
    """The largest difference of an iterate between any two of overwritten, appended and explicit."""
    scale: float
    """The largest number in an iterate."""
    run: int
    """Prompts that passed through the transformer."""
    errors: dict[str, np.ndarray]
    """Median over these prompts of ‖w_t − w*‖², (T+1,), of `overwritten`, `appended` and `explicit` iterates."""
    single: dict[str, np.ndarray] = field(default_factory=dict)
    """What single prompts did, by its name among `arrays`; nothing in a stored answer."""

    @property
    def relative_gap(self) -> float:
        """`gap` as a share of `scale`."""
        return self.gap / (self.scale or 1.0)

    @property
    def tolerance(self) -> float:
        """The largest relative gap that is rounding: 16·eps·(d + T)."""
        return 16 * float(np.finfo(float).eps) * (self.settings.features + self.settings.loops)

    @property
    def passed(self) -> bool:
        """Whether the three are equal to rounding, and no example moved."""
        return self.gap <= self.tolerance * self.scale and self.moved == 0

    @property
    def results(self) -> dict[str, Any]:
        """Verdicts and scalars, ready for JSON."""
        return {
            "verdict": {
                "gap": self.gap, "relative_gap": self.relative_gap, "tolerance": self.tolerance,
                "examples_moved": self.moved, "prompts": self.run, "passed": self.passed,
            },
            "after_T": {name: finite(values[-1]) for name, values in self.errors.items()},
        }  # fmt: skip

    @property
    def curves(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Series by name, each with its places."""
        return {name: (np.arange(len(values)), values) for name, values in self.errors.items()}

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """Iterates of the three, (T+1, b, d), and the chain's tokens (2d+2, n+1+T)."""
        return {"tokens": self.tokens, **self.single}


def append(settings: BeyondSettings) -> Append:
    """Run the three on a few prompts."""
    n, d, loops = settings.examples, settings.features, settings.loops
    values, generator = settings.eigenvalues, np.random.default_rng(settings.seed)
    step = learned_step(values, n)
    X = generator.standard_normal((RUN, n, d)) * np.sqrt(values)
    w = generator.standard_normal((RUN, d))
    X, w = X[: (run := chained(settings))], w[:run]
    y = (X @ w[..., None])[..., 0]
    batch = Prompts(X=torch.from_numpy(X), y=torch.from_numpy(y), w_star=torch.from_numpy(w))
    weights = layer_of(step)
    loop = LoopedTransformer(loops, "token")(weights.embed(batch, 1.0), weights, torch.ones(run, dtype=torch.float64))
    tokens, moved = chain(weights.embed(batch, 1.0), weights, loops)
    iterates = {
        "overwritten": weights.read(loop).numpy(),
        "appended": tokens[:, weights.w, n:].permute(2, 0, 1).numpy(),
        "explicit": descend(X, y, step, loops),
    }
    return Append(
        settings=settings,
        tokens=tokens[0].numpy(),
        moved=moved,
        gap=max(float(np.abs(one - other).max()) for one, other in combinations(iterates.values(), 2)),
        scale=float(np.abs(iterates["explicit"]).max()),
        run=run,
        errors={name: np.median(np.square(values - w).sum(axis=2), axis=1) for name, values in iterates.items()},
        single=iterates,
    )


def chained(settings: BeyondSettings) -> int:
    """How many prompts pass through the transformer: `RUN`, or as many as keep to `RUN_NUMBERS`, and at least one."""
    return int(np.clip(RUN_NUMBERS // (settings.loops * settings.tokens), 1, RUN))


def layer_of(step: np.ndarray) -> Weights:
    """The layer in slots (x; y; w; 1) with a matrix step: P[w, x] = Γ, Q[x, w] = I, Q[y, 1] = −1, and η = 1.

    Args:
        step: diagonal of Γ, (d,).

    Source: arXiv 2603.01293, which restates Huang, Wang and Lee (2025): V[w, x] = −Γ, W[x, w] = I, W[y, 1] = −1.
    """
    plain = construction(len(step), "slots", torch.float64)
    P = plain.P.clone()
    P[plain.w, plain.x] = torch.diag(torch.from_numpy(step))
    return replace(plain, P=P)


def chain(tokens: Tensor, weights: Weights, steps: int) -> tuple[Tensor, float]:
    """Append a query in every step: the layer reads all tokens, and what it makes of the last one is the next.

    Every token is a key, also those that were appended, and the layer writes into all of them. Appended tokens have
    empty slots for x and y, so they get score 0 and write nothing; examples have an empty slot for w.

    Args:
        tokens: Z_0, (B, D, n+1).
        weights: the layer in slots.
        steps: T.

    Returns:
        The tokens at the end, (B, D, n+1+T), and the largest change of an example in any step.
    """
    n, moved, layer = tokens.shape[-1] - 1, 0.0, LinearAttention()
    for _ in range(steps):
        everything = torch.cat([tokens, tokens[..., -1:]], dim=-1)  # the layer does not read its last column
        count = everything.shape[-1] - 1
        after = layer(everything, replace(weights, writes="all"), tokens.new_full((len(tokens),), count / n))
        moved = max(moved, float((after[..., :n] - tokens[..., :n]).abs().max()))
        tokens = torch.cat([tokens, after[..., -1:]], dim=-1)
    return tokens, moved


def descend(X: np.ndarray, y: np.ndarray, step: np.ndarray, loops: int) -> np.ndarray:
    """w ← w − Γ Xᵀ(Xw − y)/n from 0, in NumPy: (T+1, B, d)."""
    w = np.zeros((loops + 1, *X.shape[::2]))
    for t in range(loops):
        residual = (X @ w[t][..., None])[..., 0] - y
        w[t + 1] = w[t] - step * (X.transpose(0, 2, 1) @ residual[..., None])[..., 0] / X.shape[1]
    return w
