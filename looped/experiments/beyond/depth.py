"""When depth is needed: loss against loops, for one covariance and for one rotated anew in every prompt."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from looped.attention import LoopedTransformer
from looped.experiments.beyond.append import layer_of
from looped.experiments.beyond.learned_step import MOST_EXACT
from looped.experiments.beyond.limit_law import limit_law
from looped.experiments.beyond.rotated import RotatedLoss
from looped.experiments.beyond.settings import BeyondSettings
from looped.prompts import Prompts
from looped.training.wishart import best_descent

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
    rotated_limit: np.ndarray
    """A covariance rotated anew in every prompt, n and d → ∞ at n/d: `limit_law`, (K,)."""
    rotated_exact: np.ndarray
    """A covariance rotated anew in every prompt at these n and d: the exact mean over all prompts, like `fixed`."""
    rotated: np.ndarray
    """A covariance rotated anew in every prompt, infinite context, (K,)."""
    steps: np.ndarray
    """The best step sizes of `fixed` and of `rotated_exact`, two rows."""
    transformer: np.ndarray
    """Loss of the looped transformer on `RUN` prompts with the largest L and step of `fixed` and of `rotated_exact`,
    and by their eigenvalues: a row for one covariance and one for rotated ones, (2, 2)."""

    @property
    def exact(self) -> np.ndarray:
        """The L of `fixed`."""
        return self.loops[: len(self.fixed)]

    @property
    def ratio(self) -> float:
        """n/d."""
        return self.settings.examples / self.settings.features

    @property
    def unrotated(self) -> bool:
        """Whether a rotation changes nothing: Σ is a multiple of I."""
        return bool(np.ptp(self.settings.eigenvalues) == 0)

    @property
    def floor(self) -> float:
        """The loss that no depth removes with one covariance where n < d: 1 − n/d."""
        return max(0.0, 1 - self.ratio)

    @property
    def passed(self) -> bool:
        """Whether the transformer has the losses that the eigenvalues give, to rounding."""
        measured, expected = np.sqrt(self.transformer).T
        return bool((np.abs(measured - expected) <= 5e-10 * expected + self.rounding).all())

    @property
    def rounding(self) -> float:
        """The relative error of an iterate that is rounding: 16·eps·(d + T)."""
        return 16 * float(np.finfo(float).eps) * (self.settings.features + self.settings.loops)

    @property
    def below_rounding(self) -> np.ndarray:
        """Whether the transformer's loss and that of the eigenvalues are too small to be compared: a row's, (2,)."""
        return np.asarray(self.transformer.max(axis=1) <= self.rounding**2)

    @property
    def results(self) -> dict[str, Any]:
        """Verdicts and scalars, ready for JSON."""
        series = {
            "one_covariance_limit": self.limit, "one_covariance": self.fixed, "rotated_limit": self.rotated_limit,
            "rotated": self.rotated_exact, "rotated_infinite_context": self.rotated,
        }  # fmt: skip
        losses = {name: dict(zip(map(str, self.loops.tolist()), values.tolist(), strict=False))
                  for name, values in series.items()}  # fmt: skip
        return {
            "ratio": self.ratio, "floor": self.floor, "loss": losses,
            "transformer": {
                name: dict(zip(("loss", "by_the_eigenvalues"), row, strict=True))
                for name, row in zip(("one_covariance", "rotated"), self.transformer.tolist(), strict=True)
            },
            "passed": self.passed,
        }  # fmt: skip

    @property
    def curves(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Series by name, each with its places."""
        return {
            "one covariance, limit": (self.loops, self.limit), "one covariance": (self.exact, self.fixed),
            "rotated, limit": (self.loops, self.rotated_limit), "rotated": (self.exact, self.rotated_exact),
            "rotated, infinite context": (self.loops, self.rotated),
        }  # fmt: skip

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """loops (K,), the losses (K,), exact ones and their steps up to `MOST_EXACT`."""
        return {
            "loops": self.loops, "limit": self.limit, "fixed": self.fixed, "rotated_limit": self.rotated_limit,
            "rotated_exact": self.rotated_exact, "rotated": self.rotated, "steps": self.steps[0],
            "rotated_steps": self.steps[1],
        }  # fmt: skip


def depth(settings: BeyondSettings) -> Depth:
    """Find the best step for every L: over all prompts with n examples, for large n and d, and for n → ∞.

    None is tuned on drawn prompts: it would be scored on them too, and the rare prompts with a large eigenvalue rule
    the mean of many loops. At d = 10, n = 20, L = 16 it seems to leave 0.016, where the least is 0.0234.
    """
    n, d, values = settings.examples, settings.features, settings.eigenvalues
    powers = 2 ** np.arange(int(np.log2(settings.loops)) + 1)
    loops = np.union1d(powers, [settings.loops])
    exact = loops[loops <= MOST_EXACT].tolist()
    mean = RotatedLoss(values, n, exact[-1])
    laws = [limit_law(np.ones(d), n), limit_law(values, n), (values, values / values.sum())]
    limits = [[best_step(law[None], share[None], L) for L in loops.tolist()] for law, share in laws]
    best = [
        [(step, risk / d) for step, risk in (best_descent(L, n, d) for L in exact)],
        [golden(partial(mean, loops=L), 0.0, mean.longest) for L in exact],
    ]
    limit, rotated_limit, rotated = np.array(limits)[:, :, 1]
    steps, losses = np.moveaxis(np.array(best), 2, 0)
    return Depth(
        settings=settings,
        loops=loops,
        limit=limit,
        fixed=losses[0],
        rotated_limit=rotated_limit,
        rotated_exact=losses[1],
        rotated=rotated,
        steps=steps,
        transformer=np.array(
            [
                _transformer(spectrum, n, exact[-1], float(step), settings.seed)
                for spectrum, step in zip((np.ones(d), values), steps[:, -1], strict=True)
            ]
        ),
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
    if values.min() == top:
        return 1 / top, 0.0
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


def _transformer(eigenvalues: np.ndarray, n: int, loops: int, step: float, seed: int) -> tuple[float, float]:
    """Loss on a few prompts with rotated covariances, by the transformer in slots and by the eigenvalues of XᵀX/n."""
    generator, d = np.random.default_rng([seed, 1]), len(eigenvalues)
    X, w = generator.standard_normal((RUN, n, d)), generator.standard_normal((RUN, d))
    Q, _ = np.linalg.qr(generator.standard_normal((RUN, d, d)))
    X = X * np.sqrt(eigenvalues) @ Q.transpose(0, 2, 1)
    y = (X @ w[..., None])[..., 0]

    def loss(away: np.ndarray) -> float:
        along = np.square((Q.transpose(0, 2, 1) @ np.stack([away, w], axis=2)) * np.sqrt(eigenvalues)[:, None])
        missed, whole = along.sum(axis=(0, 1))
        return float(missed / whole)

    batch, weights = Prompts(X=torch.from_numpy(X), y=torch.from_numpy(y), w_star=None), layer_of(np.full(d, step))
    queries = LoopedTransformer(loops, "token")(
        weights.embed(batch, 1.0), weights, torch.ones(RUN, dtype=torch.float64)
    )
    values, U = np.linalg.eigh(X.transpose(0, 2, 1) @ X / n)
    left = (1 - step * values) ** loops * (U.transpose(0, 2, 1) @ w[..., None])[..., 0]
    return loss(weights.read(queries)[-1].numpy() - w), loss((U @ left[..., None])[..., 0])
