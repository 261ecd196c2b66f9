"""Polyak's heavy ball: gradient descent that adds a share μ of its last move to the next."""

from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from looped.algorithms.base import Algorithm
from looped.algorithms.descent import gradient, iterate
from looped.algorithms.gd import construction
from looped.attention import Weights
from looped.fields import Measured
from looped.settings import FIELDS

LARGEST_MOMENTUM = FIELDS["momentum"].high
"""Largest μ of `best_momentum`."""


class HeavyBall(Algorithm):
    """w_{t+1} = w_t − η∇L(w_t) + μ(w_t − w_{t−1}), with the previous iterate in a slot of its own."""

    name = "heavy-ball"
    twin = "heavy-ball momentum"
    equation = r"w_{t+1} = w_t - \tfrac{\eta}{n} X^\top (Xw_t - \alpha y) + \mu\,(w_t - w_{t-1})"
    layer = (
        r"Z \leftarrow Z + \big((\mathcal A - I) Z - \tfrac{\eta}{n}\, P Z \mathcal M (Z^\top Q Z)\big) \mathcal R,"
        r"\quad "
        r"\mathcal A_{ww} = (1+\mu) I,\ \mathcal A_{ww'} = -\mu I,\ \mathcal A_{w'w} = I,\ \mathcal A_{w'w'} = 0"
    )
    needs = (
        "A slot w′ of d more rows that holds the previous iterate, and a linear skip map that shifts w into it; P and "
        "Q stay those of gradient descent."
    )
    curve = "two-term recurrence in 1+μ−ηλ"
    notice = (
        "With momentum the error of a mode is made of powers of two numbers, the roots of r² − (1+μ−ηλ)r + μ, and may "
        "oscillate: the line need not fall in every loop."
    )
    source = "Polyak's heavy ball; the construction is derived for this project and checked numerically."
    step_limit = "2(1+μ)/λ₁"
    symbols = (("momentum", r"\mu"),)
    reads = ("momentum",)
    maps = True

    @staticmethod
    def best_step(largest: Tensor, smallest: Tensor) -> Tensor:
        """Polyak's 4/(√λ₁+√λ_d)²."""
        return 4 / (largest.sqrt() + smallest.sqrt()).square()

    @cached_property
    def momentum(self) -> float:  # type: ignore[override]
        """μ: the given one, or `best_momentum`."""
        asked = self.settings.momentum
        return best_momentum(self.change, self.spectrum.nonzero) if asked == "auto" else asked

    @property
    def largest_step(self) -> float:
        """2(1+μ)/λ₁ of the worst prompt. With μ on auto, which grows with η, it is reached at the largest μ."""
        asked = self.settings.momentum
        return (1 + (LARGEST_MOMENTUM if asked == "auto" else asked)) * 2 / float(self.spectrum.largest.max())

    def measured(self) -> dict[str, Measured]:
        """η and μ."""
        return super().measured() | {"momentum": Measured(self.momentum, marks=FIELDS["momentum"].marks)}

    @property
    def parameters(self) -> dict[str, float]:
        """μ."""
        return {"momentum": self.momentum}

    @property
    def weights(self) -> Weights:
        """Weights whose loop is w ← w − (η/n) Xᵀ(Xw − αy) + μ(w − w′), w′ ← w, with w′_0 = w_0 = 0.

        A slot of d more rows, the last ones, holds the previous iterate w′: 𝓐[w, w] = (1+μ)I, 𝓐[w, w′] = −μI,
        𝓐[w′, w] = I, 𝓐[w′, w′] = 0. Attention is that of gradient descent.
        """
        d, dtype = self.batch.shape[2], self.batch.X.dtype
        plain = construction(d, self.settings.layout, dtype)
        P, Q = (torch.nn.functional.pad(matrix, (0, d, 0, d)) for matrix in (plain.P, plain.Q))
        w, before, identity = plain.w, slice(plain.width, plain.width + d), torch.eye(d, dtype=dtype)
        A = torch.eye(plain.width + d, dtype=dtype)
        A[w, w] = (1 + self.momentum) * identity
        A[w, before] = -self.momentum * identity
        A[before, w] = identity
        A[before, before] = 0
        return replace(plain, P=P, Q=Q, skip=A, before=before)

    def explicit(self, X: np.ndarray, y: np.ndarray, eta: np.ndarray, gram: bool) -> np.ndarray:
        """T steps of w_{t+1} = w_t − η∇L(w_t) + μ(w_t − w_{t−1}), w_{−1} = w_0 = 0."""
        slope, beta = gradient(X, y, self.settings.label_scale, gram), X.dtype.type(self.momentum)
        loops = self.settings.loops
        return iterate(X, loops, lambda w, before: w - eta[:, None, None] * slope(w) + beta * (w - before))

    @cached_property
    def factors(self) -> Tensor:
        """f_{t+1} = (1 + μ − ηλ) f_t − μ f_{t−1}, f_{−1} = f_0 = 1: (T+1, B, r)."""
        factors = torch.ones(self.settings.loops + 1, *self.change.shape, dtype=torch.float64)
        left = before = factors[0]
        for t in range(self.settings.loops):
            left, before = (1 + self.momentum - self.change) * left - self.momentum * before, left
            factors[t + 1] = left
        return factors

    @property
    def slowest_factor(self) -> float | None:
        """The largest root of r² − (1+μ−ηλ)r + μ in size over all modes."""
        beta, change = self.momentum, self.change[self.spectrum.nonzero].tolist()
        return max(float(np.abs(np.roots([1.0, -(1 + beta - eta_h), beta])).max()) for eta_h in change)

    @classmethod
    def width(cls, features: int, layout: str) -> int:
        """D: d rows more than gradient descent."""
        return super().width(features, layout) + features


def best_momentum(change: Tensor, nonzero: Tensor) -> float:
    """The smallest μ with which every mode of every prompt falls as √μ: max (1 − √(ηλ))², at most 0.9999.

    At the best step 4/(√λ₁+√λ_d)² it is Polyak's ((√κ−1)/(√κ+1))², at 1/λ₁ it is (1 − 1/√κ)².

    Args:
        change: ηλ, (B, r).
        nonzero: True where a mode exists, (B, r).

    Source: roots of r² − (1+μ−ηλ)r + μ, a complex pair iff (1−√μ)² < ηλ < (1+√μ)².
    """
    return min(float(torch.where(nonzero, (1 - change.sqrt()).square(), 0.0).max()), LARGEST_MOMENTUM)
