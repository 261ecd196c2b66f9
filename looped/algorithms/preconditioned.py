"""Preconditioned descent: gradient descent whose steps are multiplied by C = Σ⁻¹, the same for all prompts."""

from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from looped.algorithms.base import LINEAR, Algorithm
from looped.algorithms.descent import gradient, iterate
from looped.algorithms.gd import construction
from looped.attention import Weights
from looped.prompts import Prompts, Spectrum


class Preconditioned(Algorithm):
    """w ← w − (η/n) C Xᵀ(Xw − αy), with C in place of P's identity.

    The coordinates C^−½w turn it into gradient descent with the rows C^½x_i; without a covariance C is the identity.
    """

    name = "preconditioned"
    twin = "preconditioned descent"
    equation = r"w \leftarrow w - \tfrac{\eta}{n}\, C X^\top (Xw - \alpha y),\quad C = \Sigma^{-1}"
    layer = LINEAR + r",\quad P_{wx} = C"
    needs = (
        "Nothing: C stands in P. But P is shared by all prompts, so C can only know what prompts have in common: Σ⁻¹ "
        "for features of covariance Σ, after which Σ̂ acts as C^½Σ̂C^½ with eigenvalues ν. Where Σ = I (exact and "
        "Gaussian prompts, and taken so for tables, which are standardised) it is gradient descent."
    )
    curve = "(1−ην)ᵗ"
    notice = (
        "In the long run the modes with the largest |1 − ην_k| dominate the error of a prompt: every loop multiplies "
        "each of them by that number, up to its sign."
    )
    source = (
        "That the minimiser of the training loss tends to Σ⁻¹ as n grows: Gatmiry et al., ICML 2024, arXiv 2410.08292, "
        "read in notes. What training reaches is measured on the training page."
    )
    limit = "the least-squares solution for the labels αy that is shortest in C^−½w"
    auto_step = "1/ν₁"
    step_limit = "2/ν₁"
    steady = True

    @cached_property
    def root(self) -> Tensor | None:
        """C^½, (d, d), float64; None where C is the identity."""
        if self.batch.covariance is None:
            return None
        values, vectors = torch.linalg.eigh(self.batch.covariance)
        return (vectors / values.sqrt()) @ vectors.T

    @cached_property
    def preconditioner(self) -> Tensor:
        """C, (d, d), float64."""
        if self.root is None:
            return torch.eye(self.batch.shape[2], dtype=torch.float64)
        return self.root @ self.root

    @cached_property
    def _seen(self) -> Prompts:
        assert self.root is not None
        return Prompts(X=self.batch.X.double() @ self.root, y=self.batch.y.double(), w_star=None)

    @cached_property
    def spectrum(self) -> Spectrum:
        """Spectrum of C^½ Σ̂ C^½."""
        return self.batch.spectrum if self.root is None else self._seen.spectrum

    @cached_property
    def w_ref(self) -> Tensor:
        """The least-squares solution that is shortest in C^−½w."""
        alpha = self.settings.label_scale
        return self.batch.least_squares(alpha) if self.root is None else self._seen.least_squares(alpha) @ self.root

    @property
    def weights(self) -> Weights:
        """P and Q of gradient descent, with P[w, x] = C."""
        weights = construction(self.batch.shape[2], self.settings.layout, self.batch.X.dtype)
        P = torch.zeros_like(weights.P)
        P[weights.w, weights.x] = self.preconditioner.to(P.dtype)
        return replace(weights, P=P)

    def explicit(self, X: np.ndarray, y: np.ndarray, eta: np.ndarray, gram: bool) -> np.ndarray:
        """T steps of w ← w − ηC∇L(w)."""
        slope, C = gradient(X, y, self.settings.label_scale, gram), self.preconditioner.numpy().astype(X.dtype)
        return iterate(X, self.settings.loops, lambda w, _: w - eta[:, None, None] * (C @ slope(w)))

    def coordinates(self, w: Tensor) -> Tensor:
        """C^−½w."""
        return w if self.root is None else torch.linalg.solve(self.root, w.mT).mT

    def lengths(self, modes: Tensor) -> Tensor:
        """‖Σ_k c_k C^½v_k‖; the C^½v_k are not orthogonal."""
        if self.root is not None:
            modes = (modes.transpose(0, 1) @ (self.root @ self.spectrum.eigenvectors).mT).transpose(0, 1)
        return modes.norm(dim=2)

    @property
    def condition_number(self) -> float:
        """The larger of κ(Σ̂), which the rounding of Σ̂ costs, and κ(C^½Σ̂C^½)·√κ(C).

        The loop is gradient descent in C^−½w, and what is rounded there may be √κ(C) times as large in w.
        """
        kappa = super().condition_number
        if self.root is None:
            return kappa
        return max(float(self.batch.spectrum.condition_number.max()), kappa * float(torch.linalg.cond(self.root)))

    @property
    def kappa_of(self) -> str:  # type: ignore[override]
        """The κ in the tolerance, in words."""
        plain = "of XᵀX/n"
        return plain if self.root is None else "the larger of κ(Σ̂) and κ(C^½Σ̂C^½)·√κ(C), Σ̂ = XᵀX/n"

    @property
    def recurrence_rounding(self) -> float:  # type: ignore[override]
        """κ/3, κ of the tolerance; 0 where C is the identity."""
        return 0.0 if self.root is None else self.condition_number / 3

    @property
    def moving_rows(self) -> Tensor:
        """The rows Cx_i."""
        X = super().moving_rows
        return X if self.root is None else X @ self.preconditioner
