"""Fresh prompts for training and evaluation, drawn as the state G a linear transformer reads.

x_i ~ N(0, Σ), w* ~ N(0, Σ^{-1}), y_i = ⟨w*, x_i⟩ + σε_i. The model sees its examples only through
G = Σ_i z_i z_iᵀ/n with z_i = (x_i, y_i), a Wishart matrix: O(d²) random numbers, whatever n is.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Batch:
    """B prompts as their states, and what they should be answered with."""

    state: Tensor
    """G, (B, d+1, d+1): XᵀX/n, Xᵀy/n and yᵀy/n."""
    w_star: Tensor
    """(B, d)."""
    root: Tensor | None
    """Σ^{1/2}, (d, d); None where Σ = I."""
    weight: Tensor | None = None
    """(B,): a mean with these over stretched prompts is one over the stated distribution. None where all are 1."""

    def residual(self, iterate: Tensor) -> Tensor:
        """Σ^{1/2}(w − w*) for iterates (…, B, d); its squared length is E(x_qᵀw − x_qᵀw*)² over the query x_q."""
        difference = iterate - self.w_star
        return difference if self.root is None else difference @ self.root

    def split(self, prompts: int) -> "list[Batch]":
        """The same prompts, at most so many at a time, without weights."""
        starts = range(0, len(self.state), prompts)
        return [Batch(self.state[i : i + prompts], self.w_star[i : i + prompts], self.root) for i in starts]


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptStream:
    """Where fresh prompts come from. Every draw advances the generator it is handed and nothing else."""

    examples: int
    """n, at least 1."""
    features: int
    """d, at least 1."""
    noise: float = 0.0
    """σ of the examples' labels; the query is judged without noise."""
    root: Tensor | None = None
    """Σ^{1/2}, symmetric and invertible, (d, d); None is Σ = I."""
    dtype: torch.dtype = torch.float64

    def draw(self, prompts: int, generator: torch.Generator, stretch: float = 1.0) -> Batch:
        """Draw B prompts on the generator's device.

        The Gaussian n × k matrix behind G has a triangular factor R with R_ii² ~ χ²_{n−i} and R_ij ~ N(0, 1) above
        the diagonal, all independent, so R is drawn and the rows never are.

        Args:
            prompts: B.
            generator: the source of every random number.
            stretch: s; every second prompt has its x_i multiplied by √s, w* unchanged, so that rare prompts with a
                large λ₁ become common, and each is weighted by its density over that of the mixture,
                1/(½ + ½ s^{−nd/2} exp(½(1 − 1/s) tr XΣ^{-1}Xᵀ)) ≤ 2. With 1 there are no weights.

        Source: Bartlett's decomposition (1933); importance sampling with a defensive mixture, Hesterberg (1995).
        """
        n, d, dtype, device = self.examples, self.features, self.dtype, generator.device
        k = d + 1 if self.noise > 0 else d
        r = min(n, k)
        R = torch.randn(prompts, r, k, generator=generator, dtype=dtype, device=device).triu(1)
        freedom = torch.arange(n, n - r, -1, dtype=dtype, device=device)
        chi_squared = 2 * torch._standard_gamma((freedom / 2).expand(prompts, r).contiguous(), generator=generator)
        R.diagonal(dim1=1, dim2=2).copy_(chi_squared.sqrt())
        scale = torch.ones(prompts, 1, 1, dtype=dtype, device=device)
        scale[1::2] = stretch**0.5
        whitened = torch.randn(prompts, d, generator=generator, dtype=dtype, device=device)  # Σ^{1/2} w*
        rows = torch.empty(prompts, r, d + 1, dtype=dtype, device=device)
        x = scale * R[..., :d]
        weight = None
        if stretch != 1:
            squares = x.square().sum((1, 2))
            weight = 2 / (1 + (-n * d / 2 * math.log(stretch) + 0.5 * (1 - 1 / stretch) * squares).exp())
        rows[..., d] = torch.einsum("brd,bd->br", x, whitened)
        if self.noise > 0:
            rows[..., d] += self.noise * R[..., d]
        if self.root is None:
            rows[..., :d] = x
            return Batch(rows.mT @ rows / n, whitened, None, weight)
        root = self.root.to(dtype=dtype, device=device)
        rows[..., :d] = x @ root
        return Batch(rows.mT @ rows / n, torch.linalg.solve(root, whitened.T).T, root, weight)

    def queries(self, prompts: int, generator: torch.Generator) -> Tensor:
        """x_q ~ N(0, Σ), (B, d)."""
        shape = (prompts, self.features)
        x = torch.randn(shape, generator=generator, dtype=self.dtype, device=generator.device)
        return x if self.root is None else x @ self.root.to(x)
