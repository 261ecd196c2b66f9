"""Append or overwrite: a chain of thought is the same loop, and what a fixed learned step does in it."""

from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

import numpy as np
import torch
from torch import Tensor

from looped.algorithms.gd import construction
from looped.attention import LinearAttention, LoopedTransformer, Weights
from looped.experiments.beyond.learned_step import (
    exact_mean,
    grams,
    learned_step,
    mean_over_tasks,
    mean_with_own_step,
    one_step_risk,
)
from looped.experiments.beyond.settings import BeyondSettings
from looped.files import finite
from looped.prompts import Prompts

RUN, RUN_NUMBERS = 16, 25_000_000
"""Prompts that pass through the transformer itself, and the numbers of their tokens in all steps together."""


@dataclass(frozen=True)
class Append:
    """The loop that overwrites its query, the one that appends it, and many prompts with a fixed learned step."""

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
    statistics: dict[str, np.ndarray]
    """Medians and means over prompts of ‖w_t − w*‖², itself a mean over w* ~ 𝓝(0, I), (T+1,): with the learned step
    (`fixed_median`, `fixed_mean`) and with η = 1/λ₁ of each prompt (`own_median`, `own_mean`)."""
    first_step: tuple[float, float]
    """Mean of ‖w_1 − w*‖² over the prompts with the learned step, and its standard error."""
    diverging: float
    """The share of prompts on which the learned step diverges."""
    furthest: float
    """The largest λ_max(Γ*Σ̂) of a prompt."""
    risk: float
    """𝔼‖w_1 − w*‖² with the learned step, over tasks and examples, exactly."""
    mean: float | None
    """𝔼‖w_T − w*‖² with the learned step, over tasks and examples, exactly; None where it is not known."""
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
        mean, error = self.first_step
        return {
            "verdict": {
                "gap": self.gap, "relative_gap": self.relative_gap, "tolerance": self.tolerance,
                "examples_moved": self.moved, "prompts": self.run, "passed": self.passed,
            },
            "one_step_risk": {"exact": self.risk, "mean": mean, "standard_error": error},
            "share_diverging": self.diverging,
            "exact_mean_after_T": None if self.mean is None else finite(self.mean),
            "after_T": {name: finite(values[-1]) for name, values in self.statistics.items()},
        }  # fmt: skip

    @property
    def curves(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Series by name, each with its places."""
        return {name: (np.arange(len(values)), values) for name, values in self.statistics.items()}

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """Iterates of the three, (T+1, b, d), the chain's tokens (2d+2, n+1+T), and squared errors, (T+1, B)."""
        return {"tokens": self.tokens, **self.single}


def append(settings: BeyondSettings) -> Append:
    """Run the three on a few prompts, and the two steps on all."""
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
    gram = grams(values, n, settings.prompts, generator)
    (fixed, largest), own = mean_over_tasks(gram, step, loops), mean_with_own_step(gram, loops)
    with np.errstate(over="ignore"):
        statistics = {
            "fixed_median": np.median(fixed, axis=1), "fixed_mean": fixed.mean(axis=1),
            "own_median": np.median(own, axis=1), "own_mean": own.mean(axis=1),
        }  # fmt: skip
    return Append(
        settings=settings,
        tokens=tokens[0].numpy(),
        moved=moved,
        gap=max(float(np.abs(one - other).max()) for one, other in combinations(iterates.values(), 2)),
        scale=float(np.abs(iterates["explicit"]).max()),
        run=run,
        statistics=statistics,
        first_step=(float(fixed[1].mean()), float(fixed[1].std() / np.sqrt(settings.prompts))),
        diverging=float((largest > 2).mean()),
        furthest=float(largest.max()),
        risk=one_step_risk(step, values, n),
        mean=exact_mean(values, n, loops),
        single=iterates | {"squared_error_fixed": fixed, "squared_error_own": own, "largest_factor": largest},
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
