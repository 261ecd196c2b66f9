"""Gradient descent: one loop is w ← w − η∇L(w), L(w) = ‖Xw − αy‖²/(2n)."""

from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from looped import theory
from looped.algorithms.base import LINEAR, MODE_LINE, Algorithm
from looped.algorithms.descent import gradient, iterate
from looped.attention import Weights
from looped.settings import Settings


def construction(features: int, layout: str, dtype: torch.dtype = torch.float64) -> Weights:
    """Weights whose loop is w ← w − (η/n) Σ_i x_i (⟨x_i, w⟩ − α y_i), one step on ‖Xw − αy‖²/(2n).

    compact (D = d+1): the query (w; α) shares its rows with the examples (x; y). Q = diag(I_d, −1) scores an example
    by ⟨x_i, w⟩ − α y_i, P = diag(I_d, 0) sums the x_i; without the write mask the examples would move too.

    slots (D = 2d+2), rows (x; y; w; α): P[w, x] = I, Q[x, w] = I, Q[y, α] = −1, all else 0. Examples have empty
    query slots, so their scores are 0 and no write mask is needed.

    Args:
        features: d, at least 1.
        layout: "compact" or "slots".
        dtype: Type of P and Q.

    Returns:
        P and Q, (D, D), with the write mask and the rows where x, y, w and α lie.

    Raises:
        ValueError: for another layout.

    Source: derived for this project in the notation of arXiv 2410.11268, whose full text was not read.
    """
    d = features
    identity = torch.eye(d, dtype=dtype)
    if layout == "compact":
        P, Q = torch.zeros(2, d + 1, d + 1, dtype=dtype)
        P[:d, :d] = identity
        Q[:d, :d] = identity
        Q[d, d] = -1.0
        return Weights(P=P, Q=Q, writes="query", x=slice(0, d), y=d, w=slice(0, d), alpha=d)
    if layout == "slots":
        P, Q = torch.zeros(2, 2 * d + 2, 2 * d + 2, dtype=dtype)
        x, y, w, alpha = slice(0, d), d, slice(d + 1, 2 * d + 1), 2 * d + 1
        P[w, x] = identity
        Q[x, w] = identity
        Q[y, alpha] = -1.0
        return Weights(P=P, Q=Q, writes="all", x=x, y=y, w=w, alpha=alpha)
    raise ValueError(f"There is no layout '{layout}': choose compact or slots.")


def descend(
    X: np.ndarray, y: np.ndarray, step_size: np.ndarray, loops: int, label_scale: float = 1.0, gram: bool = False
) -> np.ndarray:
    """T steps of w ← w − η ∇L(w), L(w) = ‖Xw − αy‖²/(2n), from w_0 = 0.

    Args:
        X: Examples, (B, n, d).
        y: Labels before scaling, (B, n).
        step_size: η for each prompt, (B,).
        loops: T, at least 0.
        label_scale: α, not 0.
        gram: Read the examples once into Σ̂ = XᵀX/n and step with ∇L = Σ̂w − αXᵀy/n: O(d²) a step instead of O(n·d).

    Returns:
        The iterates, loop 0 first, (T+1, B, d), in the dtype of X.
    """
    slope = gradient(X, y, label_scale, gram)
    return iterate(X, loops, lambda w, _: w - step_size[:, None, None] * slope(w))


class GradientDescent(Algorithm):
    """w ← w − (η/n) Xᵀ(Xw − αy), from P = diag(I, 0) and Q = diag(I, −1) or their like in slots."""

    name = "gd"
    twin = "gradient descent"
    gap_name = "GD"
    equation = r"w \leftarrow w - \tfrac{\eta}{n} X^\top (Xw - \alpha y)"
    layer = LINEAR
    needs = "Nothing: P, Q, an identity skip, and a write mask or slots that keep the examples still."
    curve = "(1−ηλ)ᵗ"
    notice = MODE_LINE.format("|1 − ηλ_k|")
    source = "Derived for this project in the notation of arXiv 2410.11268, whose full text was not read."
    closed_form = "√(Σ c_k²(1 − ηλ_k)²ᵗ), c_k being the share of mode k in w_ref"
    steady = True
    has_rival = False

    @property
    def weights(self) -> Weights:
        """P and Q of `construction`."""
        return construction(self.batch.shape[2], self.settings.layout, self.batch.X.dtype)

    def explicit(self, X: np.ndarray, y: np.ndarray, eta: np.ndarray, gram: bool) -> np.ndarray:
        """T steps of gradient descent, as `descend` takes them."""
        return descend(X, y, eta, self.settings.loops, self.settings.label_scale, gram)

    @cached_property
    def errors(self) -> Tensor | None:
        """√(Σ_k c_k²(1 − ηλ_k)²ᵗ), c_k being the share of mode k in w_ref: (T+1, B), float64."""
        return theory.closed_form_errors(self.spectrum, self.step_size, self.w_ref, self.settings.loops)

    @classmethod
    def filled(cls, eta: str, examples: int, label_scale: str) -> str:
        """One loop as a sum over the examples, with the run's numbers in it."""
        return (
            rf"w_{{t+1}} = w_t - \frac{{{eta}}}{{{examples}}}\sum_{{i=1}}^{{{examples}}} x_i"
            rf"\left(\langle x_i, w_t\rangle - {label_scale}y_i\right)"
        )

    @classmethod
    def hints(cls, settings: Settings, kappa: float) -> list[str]:
        """Sentences on the effect of κ and n on the slope, for prompts with exactly the chosen κ."""
        lines = []
        if settings.data == "exact" and kappa > 1.01:
            if settings.step_size == "auto":
                lines.append(
                    "Raise κ and the line flattens in the long run; press the mark *optimal* below η and it steepens."
                )
            if settings.examples >= settings.features:
                lines.append(
                    "Raise n at a fixed κ: the slope in the long run stays the same. The number of examples acts "
                    "through κ, as Gaussian features (under *Data*) show."
                )
        return lines
