"""EAGLE: GD++ whose step sizes are read again from the examples in every loop."""

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from looped import theory
from looped.algorithms.base import Algorithm
from looped.algorithms.descent import iterate
from looped.algorithms.gdpp import GDPlusPlus
from looped.attention import Weights
from looped.fields import Measured
from looped.settings import FIELDS

CONTRACTION = 1 / 3
"""The share of the largest eigenvalue that a loop takes from the examples: the paper's η in its theorem."""


class Eagle(GDPlusPlus):
    """w ← w − (ηλ₁/h₁) J²∇L(w), J ← J − J Σ̂ J²/(3h₁), with h₁ the largest eigenvalue of JΣ̂J, read in every loop.

    The paper's rule for A = Xᵀ, B = yᵀ, C = x_q and the prediction D, with ρ = 1/‖A‖₂², η = 1/3 and γ = 1:
    A ← A − ηρAAᵀA, B ← B − ηρBAᵀA, C ← C − γρAAᵀC, D ← D + γρBAᵀC. The step size of the page is γ/λ₁, so `auto` is
    the theorem's γ = 1; the paper's η stays 1/3.
    """

    name = "eagle"
    twin = "EAGLE"
    equation = (
        r"w \leftarrow w - \tfrac{\eta\lambda_1}{h_1}\, J^2 \nabla L(w),\quad\allowbreak "
        r"{J \leftarrow J - \tfrac{1}{3h_1} J \hat\Sigma J^2},\quad\allowbreak {h_1 = \lambda_1(J \hat\Sigma J)}"
    )
    layer = (
        r"Z \leftarrow Z - \tfrac{1}{n}\, P Z \mathcal M (Z^\top Q Z)\,"
        r" \mathrm{diag}(\tfrac{1}{3h_1} I_n, \tfrac{\eta\lambda_1}{h_1} I_d),\quad P = I,\ Q = \mathrm{diag}(I, 0)"
    )
    needs = (
        "As GD++ no write mask, no constant state, and d queries that read w. Beyond that every loop reads h₁, the "
        "largest eigenvalue of the examples' XᵀX/n as they now are, and divides its steps by it; and queries move by "
        "another step than examples."
    )
    curve = "Π(1−ηλ₁h/h₁), h ← h(1−h/(3h₁))²"
    notice = (
        "Every loop brings the eigenvalues of the examples nearer together and measures its step anew, so the small "
        "modes fall ever faster."
    )
    source = (
        "Lutz, Gangrade, Daneshmand and Saligrama (2025), arXiv 2509.19702: the rule and its theorem's step sizes, "
        "with the norm of each prompt's examples. Its trained weights, about 1 and 1.9 in place of 1/3 and 1 beside "
        "the largest norm of the batch, are not used here. The form with J and the closed "
        "form are derived for this project and checked numerically."
    )
    kappa_of = "of XᵀX/n"
    symbols: ClassVar[tuple[tuple[str, str], ...]] = ()
    reads: ClassVar[tuple[str, ...]] = ()
    contraction = 1.0
    auto_step = "1/λ₁"

    @cached_property
    def step_size(self) -> Tensor:
        """γ/λ₁ with the paper's γ, (B,), float64."""
        return theory.step_sizes(self.spectrum, self.settings, self.best_step)

    @staticmethod
    def best_step(largest: Tensor, smallest: Tensor) -> Tensor:  # noqa: ARG004
        """The theorem's 1/λ₁, with which every loop takes the largest mode away whole."""
        return 1 / largest

    def measured(self) -> dict[str, Measured]:
        """η alone."""
        return Algorithm.measured(self)

    @property
    def parameters(self) -> dict[str, float]:
        """None beyond the step size."""
        return {}

    @property
    def weights(self) -> Weights:
        """P = I and Q = diag(I_d, 0) of GD++ for γ = a, with the scale that is read in every loop."""
        return replace(super().weights, contraction=CONTRACTION)

    def explicit(self, X: np.ndarray, y: np.ndarray, eta: np.ndarray, gram: bool) -> np.ndarray:  # noqa: ARG002
        """T steps of the paper's rule for C = I, whose D is w: A, B, C and D, with ρ from NumPy's eigenvalues of AAᵀ.

        It is the equation with J to rounding alone: computed with J, an iterate loses 8 digits at κ = 10⁴.
        """
        A, b = X.transpose(0, 2, 1), self.settings.label_scale * y[..., None]  # (B, d, n), (B, n, 1)
        C = np.broadcast_to(np.eye(X.shape[2], dtype=X.dtype), (len(X), X.shape[2], X.shape[2]))
        first = np.linalg.eigvalsh(A @ X)[:, -1]
        gamma, least = (eta * first / X.shape[1])[:, None, None], np.finfo(X.dtype).tiny / np.finfo(X.dtype).eps

        def step(w: np.ndarray, _before: np.ndarray) -> np.ndarray:
            nonlocal A, b, C
            product = A @ A.transpose(0, 2, 1)
            size = np.linalg.eigvalsh(product)[:, -1]
            rho = np.where(size > least, 1 / np.maximum(size, least), 0)[:, None, None].astype(X.dtype)
            pull, product = rho * (A @ b), rho * product
            w = w + gamma * (C.transpose(0, 2, 1) @ pull)
            contraction = X.dtype.type(CONTRACTION)
            b = b - contraction * (A.transpose(0, 2, 1) @ pull)
            C = C - gamma * (product @ C)
            A = A - contraction * (product @ A)
            return w

        return iterate(X, self.settings.loops, step)

    @cached_property
    def factors(self) -> Tensor:
        """f_{t+1} = f_t (1 − ηλ₁h_t/max h_t), h_{t+1} = h_t (1 − h_t/(3 max h_t))², h_0 = λ: (T+1, B, r)."""
        factors = torch.ones(self.settings.loops + 1, *self.change.shape, dtype=torch.float64)
        for t, factor in zip(range(self.settings.loops), self._loop_factors(), strict=False):
            factors[t + 1] = factors[t] * factor
        return factors

    def _loop_factors(self) -> Iterator[Tensor]:
        """What each loop multiplies the modes by, (B, r), without end."""
        reach = (self.step_size * self.spectrum.largest)[:, None]
        share = self.spectrum.eigenvalues / self.spectrum.largest[:, None]
        while True:
            yield 1 - reach * share
            share = share * (1 - CONTRACTION * share).square()
            share = share / share.amax(dim=1, keepdim=True)

    def predict(self) -> theory.Prediction:
        """Converges if the error is gone before the examples are down to their own rounding.

        A loop leaves 2/3 of the examples and all of their rounding in directions that they do not have: after
        ln(1/eps)/ln(3/2) loops, 89 in float64 and 40 in float32, nothing else is left of them. The largest mode stays
        the largest, and every loop multiplies it by 1 − ηλ₁.
        """
        plain = Algorithm.predict(self)
        rank, full = int(self.batch.spectrum.nonzero.sum(dim=1).min()), self.spectrum.eigenvalues.shape[1]
        if rank < full:
            words = (
                f"Diverges: the examples have numerical rank {rank} < {full} in {plain.precision}, and in the "
                "directions they lack every loop lets the rounding grow to 3/2 of itself beside the examples."
            )
            return replace(plain, kind="diverges", affected=plain.prompts, factor=1.5, words=words)
        if plain.kind != "converges" or plain.words:
            return plain
        last = math.ceil(math.log(self.eps) / math.log(1 - CONTRACTION))
        size = torch.ones_like(self.change)
        for _, factor in zip(range(last), self._loop_factors(), strict=False):
            size = size * factor
            if bool((size.abs() <= self.eps).all()):
                words = f"Converges: {plain.head}; every loop brings the modes nearer together."
                return replace(plain, words=words)
        left = size.abs().amax(dim=1)
        worst, affected = int(left.argmax()), int((left > self.eps).sum())
        who = "" if affected == plain.prompts else f" in {affected} of {plain.prompts} prompts"
        words = (
            f"Diverges{who}: η = {float(self.step_size[worst]):.4g} is so far from 1/λ₁ = {plain.limit / 2:.4g} that "
            f"{float(left[worst]):.2g} of a mode is left when, after {last} loops, the examples are down to their "
            f"rounding in {plain.precision}."
        )
        return replace(plain, kind="diverges", affected=affected, words=words)

    @property
    def condition_number(self) -> float:
        """κ of Σ̂, the largest over the prompts."""
        return float(self.spectrum.condition_number.max())

    @cached_property
    def rounding_floor(self) -> Tensor | None:
        """5·eps·κ^⅛, twice that for n < d; in float32 0.8 in place of 5, and six times that: (B,), an estimate."""
        _, n, d = self.batch.shape
        share = (0.8 if n >= d else 4.8) if self.batch.X.dtype == torch.float32 else 5.0 if n >= d else 10.0
        return self.eps * share * self.spectrum.condition_number ** (1 / 8)

    def loops_to(self, left: float) -> int | None:
        """Loops after which every mode has at most the share `left`, by the closed form; None beyond the largest T."""
        size = torch.ones_like(self.change)
        for done, factor in zip(range(int(FIELDS["loops"].high) + 1), self._loop_factors(), strict=False):
            if bool((size.abs() <= left).all()):
                return done
            size = size * factor
        return None

    @classmethod
    def layer_operations(cls, examples: int, features: int) -> float:
        """Floating-point operations of one loop on one prompt; the eigenvalues cost as much as 60 r³."""
        return super().layer_operations(examples, features) + 60 * min(examples, features) ** 3

    @classmethod
    def twin_seconds(cls, examples: int, features: int) -> float:
        """Products of d × n and d × d matrices, and the eigenvalues of one."""
        return 1e-5 + 3e-10 * features * features * (2 * examples + features) + 3e-9 * features**3
