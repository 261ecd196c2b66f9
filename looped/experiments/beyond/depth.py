"""When depth is needed: loss against loops, for one covariance and for a new one in every prompt."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from looped.attention import LoopedTransformer
from looped.experiments.beyond.append import layer_of
from looped.experiments.beyond.learned_step import MOST_EXACT
from looped.experiments.beyond.settings import BeyondSettings
from looped.experiments.beyond.stacks import Stacks, stacks
from looped.prompts import Prompts
from looped.training.wishart import best_descent

NODES = 2048
"""Places of Marchenko and Pastur's law at which it is summed."""
RUN = 8
"""Prompts that pass through the looped transformer itself."""


@dataclass(frozen=True)
class Depth:
    """The smallest loss after L loops with one step size, for L = 1, 2, 4 … T."""

    settings: BeyondSettings
    loops: np.ndarray
    """L, (K,)."""
    limit: np.ndarray
    """One covariance, n and d → ∞ at n/d: Marchenko and Pastur's law, (K,)."""
    fixed: np.ndarray
    """One covariance, rows 𝓝(0, Σ) at these n and d: the exact mean over all prompts, for L up to `MOST_EXACT`."""
    rotated: np.ndarray
    """A covariance rotated anew in every prompt, infinite context, (K,)."""
    steps: np.ndarray
    """The best step sizes of `fixed`."""
    transformer: tuple[float, float]
    """Loss of the looped transformer on `RUN` prompts with their own best step, largest L, and by their eigenvalues."""

    @property
    def exact(self) -> np.ndarray:
        """The L of `fixed`."""
        return self.loops[: len(self.fixed)]

    @property
    def ratio(self) -> float:
        """n/d."""
        return self.settings.examples / self.settings.features

    @property
    def floor(self) -> float:
        """The loss that no depth removes where n < d: 1 − n/d."""
        return max(0.0, 1 - self.ratio)

    @property
    def passed(self) -> bool:
        """Whether the transformer has the loss that the eigenvalues give, to rounding."""
        measured, expected = self.transformer
        measured, expected = measured**0.5, expected**0.5
        return abs(measured - expected) <= 5e-10 * expected + self.rounding

    @property
    def rounding(self) -> float:
        """The relative error of an iterate that is rounding: 16·eps·(d + T)."""
        return 16 * float(np.finfo(float).eps) * (self.settings.features + self.settings.loops)

    @property
    def below_rounding(self) -> bool:
        """Whether the transformer's loss and that of the eigenvalues are both too small to be compared."""
        return max(self.transformer) <= self.rounding**2

    @property
    def stacks(self) -> Stacks:
        """The stored trainings of tied and untied layers."""
        return stacks()

    @property
    def results(self) -> dict[str, Any]:
        """Verdicts and scalars, ready for JSON."""
        series = {
            "one_covariance_limit": self.limit, "one_covariance": self.fixed, "rotated_infinite_context": self.rotated,
        }  # fmt: skip
        losses = {name: dict(zip(map(str, self.loops.tolist()), values.tolist(), strict=False))
                  for name, values in series.items()}  # fmt: skip
        return {
            "ratio": self.ratio, "floor": self.floor, "loss": losses,
            "transformer": dict(zip(("loss", "by_the_eigenvalues"), self.transformer, strict=True)),
            "passed": self.passed, "trained": self.stacks.results,
        }  # fmt: skip

    @property
    def curves(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Series by name, each with its places."""
        return {
            "one covariance, limit": (self.loops, self.limit), "one covariance": (self.exact, self.fixed),
            "rotated, infinite context": (self.loops, self.rotated),
        } | self.stacks.curves  # fmt: skip

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """loops (K,), the losses (K,), those of `fixed` and its steps up to `MOST_EXACT`, and the stored trainings."""
        return {
            "loops": self.loops, "limit": self.limit, "fixed": self.fixed, "rotated": self.rotated, "steps": self.steps,
        } | self.stacks.arrays  # fmt: skip


def depth(settings: BeyondSettings) -> Depth:
    """Find the best step for every L: over all prompts with n examples, for large d, and for a rotated Σ and n → ∞.

    None is tuned on drawn prompts: it would be scored on them too, and the rare prompts with a large eigenvalue rule
    the mean of many loops. At d = 10, n = 20, L = 16 it seems to leave 0.016, where the least is 0.0234. So there is no
    curve for a rotated Σ and n examples, whose exact mean is not known here.
    """
    n, d, values = settings.examples, settings.features, settings.eigenvalues
    powers = 2 ** np.arange(int(np.log2(settings.loops)) + 1)
    loops = np.union1d(powers, [settings.loops])
    law, share = marchenko_pastur(n / d)
    best = [best_descent(L, n, d) for L in loops.tolist() if L <= MOST_EXACT]
    return Depth(
        settings=settings,
        loops=loops,
        limit=np.array([best_step(law[None], share[None], L)[1] for L in loops.tolist()]),
        fixed=np.array([risk / d for _, risk in best]),
        rotated=np.array([best_step(values[None], values[None] / values.sum(), L)[1] for L in loops.tolist()]),
        steps=np.array([step for step, _ in best]),
        transformer=_transformer(n, d, settings.loops, settings.seed),
    )


def best_step(values: np.ndarray, share: np.ndarray, loops: int) -> tuple[float, float]:
    """The step η with the smallest mean over prompts of Σ_k share_k (1 − ηλ_k)^(2L), and that mean.

    The mean is convex in η, so a search by golden section finds it.

    Args:
        values: λ, (B, r).
        share: weights of the modes, (B, r).
        loops: L.
    """
    top = float(values.max())

    def loss(step: float) -> float:
        with np.errstate(over="ignore"):
            return float((share * np.square(1 - step * values) ** loops).sum(axis=1).mean())

    if top == 0:
        return 0.0, 1.0
    mean = float((share * values).sum(axis=1).mean())
    return golden(loss, 0.0, 4.0 / mean if mean > 0 else 1.0)


def golden(function: Callable[[float], float], low: float, high: float) -> tuple[float, float]:
    """Place and value of the minimum of a convex function between two places."""
    share = (5**0.5 - 1) / 2
    places = [high - share * (high - low), low + share * (high - low)]
    heights = [function(place) for place in places]
    while high - low > 1e-9 * high:
        if heights[0] <= heights[1]:
            high, places[1], heights[1] = places[1], places[0], heights[0]
            places[0] = high - share * (high - low)
            heights[0] = function(places[0])
        else:
            low, places[0], heights[0] = places[0], places[1], heights[1]
            places[1] = low + share * (high - low)
            heights[1] = function(places[1])
        if not high - low > 0 or places[0] >= places[1]:
            break
    nearest = int(heights[1] < heights[0])
    return places[nearest], heights[nearest]


def marchenko_pastur(ratio: float) -> tuple[np.ndarray, np.ndarray]:
    """Places and weights of Marchenko and Pastur's law of XᵀX/n at n/d = `ratio`, the mass at 0 among them.

    λ = 1 + g + 2√g cos θ with g = d/n and the weight (2√g sin θ)²/(2πgλ) dθ, at the midpoints of `NODES` parts.

    Returns:
        λ and weights, (NODES + 1,) each; the weights add up to 1 but for the error of the midpoints.
    """
    root = ratio**-0.5
    theta = (np.arange(NODES) + 0.5) * np.pi / NODES
    values = 1 + root**2 + 2 * root * np.cos(theta)
    weights = 2 * np.sin(theta) ** 2 / values / NODES
    return np.append(values, 0.0), np.append(weights, max(0.0, 1 - ratio))


def _transformer(n: int, d: int, loops: int, seed: int) -> tuple[float, float]:
    """Mean ‖w_L − w*‖²/‖w*‖² on a few prompts with their best step, by the transformer in slots and the eigenvalues."""
    generator = np.random.default_rng([seed, 1])
    X, w = generator.standard_normal((RUN, n, d)), generator.standard_normal((RUN, d))
    y = (X @ w[..., None])[..., 0]
    values, U = np.linalg.eigh(X.transpose(0, 2, 1) @ X / n)
    along, lengths = np.square((U.transpose(0, 2, 1) @ w[..., None])[..., 0]), np.square(w).sum(axis=1)
    step, _ = best_step(values, along / lengths[:, None], loops)
    batch, weights = Prompts(X=torch.from_numpy(X), y=torch.from_numpy(y), w_star=None), layer_of(np.full(d, step))
    queries = LoopedTransformer(loops, "token")(
        weights.embed(batch, 1.0), weights, torch.ones(RUN, dtype=torch.float64)
    )
    measured = np.square(weights.read(queries)[-1].numpy() - w).sum(axis=1) / lengths
    expected = (along * np.square(1 - step * values) ** loops).sum(axis=1) / lengths
    return float(measured.mean()), float(expected.mean())
