"""Iterative Newton: every loop squares what is left of each mode."""

from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from looped import theory
from looped.algorithms.base import Algorithm
from looped.algorithms.descent import iterate
from looped.attention import Weights


class Newton(Algorithm):
    """w ← (η/n) N Xᵀαy, N ← 2N − (η/n) N XᵀX N, N_0 = I, from two heads that rewrite every example."""

    name = "newton"
    twin = "iterative Newton"
    equation = (
        r"w \leftarrow \tfrac{\eta}{n} N X^\top \alpha y,\quad "
        r"N \leftarrow 2N - \tfrac{\eta}{n} N X^\top X N,\quad N_0 = I"
    )
    layer = (
        r"Z \leftarrow \mathcal A Z - \tfrac{\eta}{n} \sum_{h=1}^{2} P_h Z \mathcal M (Z^\top Q_h Z),\quad "
        r"\mathcal A_{x'x'} = 2I,\ \mathcal A_{ww} = 0"
    )
    needs = (
        "A slot x′ in which every example is rewritten, hence no constant state; a skip map, 2 on x′ and 0 on w; and a "
        "second head: with one head the move of the examples would also be written into the query."
    )
    curve = "(1−ηλ) to the power 2ᵗ⁻¹"
    notice = (
        "From loop 1 on every loop squares what is left of each mode: on this axis the line bends, down where the "
        "factor 1 − ηλ_k is between −1 and 1, up where it is not."
    )
    source = "The iteration: Fu et al. (2023). The construction is derived for this project and checked numerically."
    has_state = False
    layouts = False
    one_query = False

    @property
    def weights(self) -> Weights:
        """Weights whose loop is N ← 2N − ηNΣ̂N, Σ̂ = XᵀX/n, N_0 = I, and w ← ηNXᵀαy/n with N as it was before.

        ηN tends to Σ̂⁻¹. Rows (x; y; x′; w; α), D = 3d+2: an example carries x′_i = N x_i. Two heads and a skip map:
        the first moves the examples, P[x′, x′] = I, Q[x, x′] = I, 𝓐[x′, x′] = 2I:
        x′_j ← 2x′_j − (η/n) Σ_i x′_i ⟨x_i, x′_j⟩; the second writes the query, P[w, x′] = −I, Q[y, α] = 1, 𝓐[w, w] = 0:
        w ← (η/n) Σ_i x′_i αy_i.
        """
        d, dtype = self.batch.shape[2], self.batch.X.dtype
        D = self.width(d, self.settings.layout)
        x, y, copy, w, alpha = slice(0, d), d, slice(d + 1, 2 * d + 1), slice(2 * d + 1, 3 * d + 1), 3 * d + 1
        identity = torch.eye(d, dtype=dtype)
        P, Q = torch.zeros(2, 2, D, D, dtype=dtype)
        P[0, copy, copy] = identity
        Q[0, x, copy] = identity
        P[1, w, copy] = -identity
        Q[1, y, alpha] = 1.0
        A = torch.eye(D, dtype=dtype)
        A[copy, copy] = 2 * identity
        A[w, w] = 0
        return Weights(P=P, Q=Q, writes="all", x=x, y=y, w=w, alpha=alpha, skip=A, copy=copy)

    def explicit(self, X: np.ndarray, y: np.ndarray, eta: np.ndarray, gram: bool) -> np.ndarray:  # noqa: ARG002
        """w ← (η/n) N Xᵀαy, N ← 2N − (η/n) N XᵀX N, from w = 0, N = I; what is iterated is ηN/n, near (XᵀX)⁻¹.

        For n < d the same iteration runs on the n × n matrix XXᵀ, which comes between Xᵀ and αy: N would double
        without end in the directions that no example has.
        """
        _, n, d = X.shape
        Xt = X.transpose(0, 2, 1)
        target = self.settings.label_scale * y[..., None]
        products, after, before = (Xt @ X, None, Xt @ target) if n >= d else (X @ Xt, Xt, target)
        inverse = eta[:, None, None] / n * np.eye(len(products[0]), dtype=X.dtype)

        def step(_w: np.ndarray, _before: np.ndarray) -> np.ndarray:
            nonlocal inverse
            w = inverse @ before
            inverse = 2 * inverse - inverse @ products @ inverse
            return w if after is None else after @ w

        return iterate(X, self.settings.loops, step)

    @cached_property
    def factors(self) -> Tensor:
        """f_{t+1} = (1 − ηλ)^(2ᵗ): (T+1, B, r)."""
        factors = torch.ones(self.settings.loops + 1, *self.change.shape, dtype=torch.float64)
        left = 1 - self.change
        for t in range(self.settings.loops):
            factors[t + 1] = left
            left = left.square()
        return factors

    def predict(self) -> theory.Prediction:
        """As for gradient descent in the first loop; every later one squares what is left."""
        plain = super().predict()
        rank, full = int(self.spectrum.nonzero.sum(dim=1).min()), self.spectrum.eigenvalues.shape[1]
        if rank < full:
            words = (
                f"Diverges: the examples have numerical rank {rank} < {full} in {plain.precision}, and in the "
                "directions they lack every loop doubles the rounding."
            )
            return replace(plain, kind="diverges", affected=plain.prompts, factor=2.0, words=words)
        if plain.kind == "converges":
            if plain.words or plain.factor < 1e-12:
                return plain  # one loop removes every mode
            first = f"{plain.factor:.4g} of" if plain.away >= 1e-3 else f"all but {plain.away:.2g} of"
            words = f"Converges: {plain.head}; every loop squares what is left, at first {first} mode {plain.mode}."
            return replace(plain, words=words)
        if plain.kind == "oscillates":
            words = (
                f"No verdict: η = 2/λ₁ = {plain.limit:.6g} up to the rounding of {plain.precision}; every loop squares "
                f"what is left of mode {plain.mode}, and 1 stays 1 until rounding decides."
            )
            return replace(plain, kind="unknown", words=words)
        head = plain.sentence.split(";")[0]
        words = f"{head}; every loop squares what is left of mode {plain.mode}, {plain.factor:.4g} at first."
        return replace(plain, words=words)

    @cached_property
    def rounding_floor(self) -> Tensor | None:
        """eps·1.5·√(√κ + first²), with `first_terms`; half of it in float32: (B,), an estimate."""
        share = 0.75 if self.batch.X.dtype == torch.float32 else 1.5
        return self.eps * share * (self.spectrum.condition_number.sqrt() + self.first_terms.square()).sqrt()

    @staticmethod
    def loops_at(factor: float, left: float) -> int:
        """Loops after which a mode that starts with `factor` is down to the share `left`: it is squared in each."""
        return int(np.ceil(1 + np.log2(max(np.log(left) / np.log(factor), 1.0))))

    @classmethod
    def width(cls, features: int, layout: str) -> int:  # noqa: ARG003
        """D = 3d+2."""
        return 3 * features + 2

    @classmethod
    def layer_operations(cls, examples: int, features: int) -> float:
        """Floating-point operations of one loop on one prompt."""
        return 12 * features * features * (examples + 1) + 4 * features**3

    @classmethod
    def twin_seconds(cls, examples: int, features: int) -> float:
        """Three products of min(n, d) × min(n, d) matrices."""
        return 1.4e-10 * min(examples, features) ** 3
