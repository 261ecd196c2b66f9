"""Fresh prompts for training and evaluation, drawn as the state G a linear transformer reads.

x_i ~ 𝓝(0, Σ), w* ~ 𝓝(0, Σ^{-1}), y_i = ⟨w*, x_i⟩ + σε_i. The model sees its examples only through
G = Σ_i z_i z_iᵀ/n with z_i = (x_i, y_i), a Wishart matrix: O(d²) random numbers, whatever n is.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

STRETCHES = tuple(1 + 0.02 * 200 ** (place / 15) for place in range(16))
"""The factors of λ₁ in every second prompt of `PromptStream.draw_far`, one after the other, from 1.02 to 5."""


@dataclass(frozen=True, slots=True)
class Batch:
    """B prompts as their states, and the weights w* that made their labels."""

    state: Tensor
    """G, (B, d+1, d+1): XᵀX/n, Xᵀy/n and yᵀy/n."""
    w_star: Tensor
    """(B, d)."""
    root: Tensor | None
    """Σ^{1/2}, (d, d); None where Σ = I."""

    def residual(self, iterate: Tensor) -> Tensor:
        """Σ^{1/2}(w − w*) for iterates (…, B, d); its squared length is 𝔼(x_qᵀw − x_qᵀw*)² over the query x_q."""
        difference = iterate - self.w_star
        return difference if self.root is None else difference @ self.root

    def split(self, prompts: int) -> "list[Batch]":
        """The same prompts, at most this many at a time."""
        starts = range(0, len(self.state), prompts)
        return [Batch(self.state[i : i + prompts], self.w_star[i : i + prompts], self.root) for i in starts]


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptStream:
    """A source of fresh prompts. Every draw advances the given generator and nothing else."""

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

        The Gaussian n × k matrix behind G has a triangular factor R with R_ii² ~ χ²_{n−i} and R_ij ~ 𝓝(0, 1) above
        the diagonal, all independent, so R is drawn and the rows never are.

        Args:
            prompts: B, the number of prompts.
            generator: the source of every random number.
            stretch: the factor of λ₁ in every second prompt: its x_i are multiplied by the square root, w* is
                unchanged, so that rare prompts with a large λ₁ become common.

        Source: Bartlett's decomposition (1933).
        """
        R = self._factor(prompts, generator)
        scale = torch.ones(prompts, 1, 1, dtype=self.dtype, device=generator.device)
        scale[1::2] = stretch**0.5
        return self._batch(scale * R[..., : self.features], R, generator)

    def draw_far(self, prompts: int, generator: torch.Generator) -> tuple[Batch, Tensor, Tensor]:
        """Draw B prompts, in every second one λ₁ multiplied by one of `STRETCHES`, with the weights that undo it.

        The eigenvectors, the other eigenvalues, w* and the noise stay as they were drawn. A weighted mean over these
        prompts estimates the mean over the stated distribution; no weight is above 2.

        Returns:
            The prompts; the density of each over that of the distribution it was drawn from, (B,); and its λ₁ before
            Σ^{1/2} is applied, (B,).

        Source: importance sampling with a defensive mixture, Hesterberg (1995).
        """
        R = self._factor(prompts, generator)
        x, weight, largest = _multiply_largest(R[..., : self.features], self.examples)
        return self._batch(x, R, generator), weight, largest

    def _factor(self, prompts: int, generator: torch.Generator) -> Tensor:
        """R of B prompts, (B, min(n, k), k): the factor of x alone, k = d, or with a last column for the noise."""
        n, dtype, device = self.examples, self.dtype, generator.device
        k = self.features + 1 if self.noise > 0 else self.features
        r = min(n, k)
        R = torch.randn(prompts, r, k, generator=generator, dtype=dtype, device=device).triu(1)
        freedom = torch.arange(n, n - r, -1, dtype=dtype, device=device)
        chi_squared = 2 * torch._standard_gamma((freedom / 2).expand(prompts, r).contiguous(), generator=generator)
        R.diagonal(dim1=1, dim2=2).copy_(chi_squared.sqrt())
        return R

    def _batch(self, x: Tensor, R: Tensor, generator: torch.Generator) -> Batch:
        """Prompts with the rows x, (B, r, d), before Σ^{1/2} is applied, and tasks that are drawn here."""
        (B, r, d), n = x.shape, self.examples
        whitened = torch.randn(B, d, generator=generator, dtype=x.dtype, device=x.device)  # Σ^{1/2} w*
        rows = torch.empty(B, r, d + 1, dtype=x.dtype, device=x.device)
        rows[..., d] = torch.einsum("brd,bd->br", x, whitened)
        if self.noise > 0:
            rows[..., d] += self.noise * R[..., d]
        if self.root is None:
            rows[..., :d] = x
            return Batch(rows.mT @ rows / n, whitened, None)
        root = self.root.to(x)
        rows[..., :d] = x @ root
        return Batch(rows.mT @ rows / n, torch.linalg.solve(root, whitened.T).T, root)

    def queries(self, prompts: int, generator: torch.Generator) -> Tensor:
        """x_q ~ 𝓝(0, Σ), (B, d)."""
        shape = (prompts, self.features)
        x = torch.randn(shape, generator=generator, dtype=self.dtype, device=generator.device)
        return x if self.root is None else x @ self.root.to(x)


def _multiply_largest(x: Tensor, n: int) -> tuple[Tensor, Tensor, Tensor]:
    """Rows x (B, r, d) with λ₁ multiplied in every second prompt, the weights of the prompts, and their λ₁.

    The eigenvalues of XᵀX/n have a density proportional to Π_k λ_k^{(N−m−1)/2} e^{−nλ_k/2} Π_{j<k} |λ_j − λ_k| with
    m = min(n, d) and N = max(n, d), from which the density of the mixture follows.
    """
    B, r, d = x.shape
    m, N = min(n, d), max(n, d)
    short = x.mT if r < d else x  # the side with m directions last
    eigenvalues, vectors = torch.linalg.eigh(short.mT @ short / n)
    largest, others = eigenvalues[:, -1], eigenvalues[:, :-1]
    top = vectors[:, :, -1:]
    factor = torch.ones(B, dtype=x.dtype, device=x.device)
    stretches = torch.tensor(STRETCHES, dtype=x.dtype, device=x.device)
    factor[1::2] = stretches[torch.arange(B // 2, device=x.device) % len(stretches)]
    short = short + (factor.sqrt() - 1)[:, None, None] * (short @ top) @ top.mT
    largest = factor * largest

    def log_density(value: Tensor) -> Tensor:  # of λ₁ given the others, but for a constant; value (B, …)
        apart = (value[..., None] - others.reshape(B, *[1] * (value.dim() - 1), m - 1)).clamp(min=0)
        return (N - m - 1) / 2 * value.log() - n * value / 2 + apart.log().sum(-1)

    before = log_density(largest[:, None] / stretches) - stretches.log()
    ratio = (before - log_density(largest)[:, None]).exp().mean(1)
    return short.mT if r < d else short, 2 / (1 + ratio), largest
