"""Ridge descent: gradient descent on ‖Xw − αy‖²/(2n) + ρ‖w‖²/2."""

from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from looped import theory
from looped.algorithms.base import MODE_LINE, Algorithm
from looped.algorithms.descent import gradient, iterate
from looped.algorithms.gd import construction
from looped.attention import Weights
from looped.prompts import Spectrum


class Ridge(Algorithm):
    """w ← (1 − ηρ) w − (η/n) Xᵀ(Xw − αy): the attention of gradient descent and a map that shrinks w."""

    name = "ridge"
    twin = "ridge descent"
    equation = r"w \leftarrow (1 - \eta\rho)\, w - \tfrac{\eta}{n} X^\top (Xw - \alpha y)"
    layer = (
        r"Z \leftarrow Z - \big(\eta \mathcal K Z + \tfrac{\eta}{n}\, P Z \mathcal M (Z^\top Q Z)\big) \mathcal R,"
        r"\quad \mathcal K_{ww} = \rho I"
    )
    needs = (
        "A token-wise linear map beside attention, which takes ηρ of w in every loop; P and Q stay those of gradient "
        "descent."
    )
    curve = "(1−η(λ+ρ))ᵗ"
    notice = MODE_LINE.format("|1 − η(λ_k + ρ)|")
    source = "Derived for this project and checked numerically."
    limit = "the minimiser of ‖Xw − αy‖²/(2n) + ρ‖w‖²/2"
    limit_curve = "Ridge solution"
    ends_elsewhere = "ridge descent ends at the solution of its penalised loss, so more loops leave a difference"
    auto_step = "1/(λ₁+ρ)"
    step_limit = "2/(λ₁+ρ)"
    kappa_of = "of XᵀX/n + ρI"
    symbols = (("ridge", r"\rho"),)
    reads = ("ridge",)
    maps = True
    steady = True

    @property
    def penalty(self) -> float:  # type: ignore[override]
        """ρ."""
        return self.settings.ridge

    @property
    def parameters(self) -> dict[str, float]:
        """ρ."""
        return {"ridge": self.penalty}

    @cached_property
    def spectrum(self) -> Spectrum:
        """Spectrum of Σ̂ + ρI on the range of Σ̂."""
        plain = self.batch.spectrum
        return replace(plain, eigenvalues=torch.where(plain.nonzero, plain.eigenvalues + self.penalty, 0.0))

    @cached_property
    def w_ref(self) -> Tensor:
        """(Σ̂ + ρI)⁻¹ Xᵀαy/n: each mode of least squares times λ/(λ + ρ)."""
        plain, lifted = self.batch.spectrum, self.spectrum.eigenvalues
        shrink = torch.where(plain.nonzero, plain.eigenvalues / torch.where(plain.nonzero, lifted, 1.0), 0.0)
        least_squares = self.batch.least_squares(self.settings.label_scale)
        along = torch.einsum("bdk,bd->bk", plain.eigenvectors, least_squares)
        return torch.einsum("bdk,bk->bd", plain.eigenvectors, shrink * along)

    @property
    def weights(self) -> Weights:
        """P and Q of gradient descent, and 𝓚[w, w] = ρI."""
        weights = construction(self.batch.shape[2], self.settings.layout, self.batch.X.dtype)
        K = torch.zeros_like(weights.P)
        K[weights.w, weights.w] = self.penalty * torch.eye(weights.features, dtype=K.dtype)
        return replace(weights, decay=K)

    def explicit(self, X: np.ndarray, y: np.ndarray, eta: np.ndarray, gram: bool) -> np.ndarray:
        """T steps of w ← w − η(∇L(w) + ρw)."""
        slope, rho = gradient(X, y, self.settings.label_scale, gram), X.dtype.type(self.penalty)
        return iterate(X, self.settings.loops, lambda w, _: w - eta[:, None, None] * (slope(w) + rho * w))

    @cached_property
    def errors(self) -> Tensor | None:
        """√(Σ_k c_k²(1 − η(λ_k + ρ))²ᵗ), c_k being the share of mode k in w_ref: (T+1, B), float64."""
        return theory.closed_form_errors(self.spectrum, self.step_size, self.w_ref, self.settings.loops)

    @classmethod
    def limit_in(cls, determined: bool) -> str:  # noqa: ARG003
        """The name of w_ref, which is never αw*."""
        return cls.limit
