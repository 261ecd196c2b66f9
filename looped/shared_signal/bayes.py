"""The Bayes predictor, whose risk no function of the prompt can go below, and its risk."""

from dataclasses import dataclass

import torch
from torch import Tensor

from looped.shared_signal.tasks import SignalTask

CHUNK = 4_000_000
"""Numbers held at once while the Bayes risk is sampled."""
ROUNDING = 1e-12
"""Share of a sampled risk below which its standard error is rounding: all draws have one risk, which is exact."""


def bayes(task: SignalTask, E: Tensor) -> Tensor:
    """The Bayes predictor, ridge regression centred at β*.

    f = ⟨β* + Ψ^½(FᵀF + σ²I)^{-1}Fᵀ(y − Xβ*), x⟩ with F = XΨ^½; at σ = 0 the pseudo-inverse of F.

    Args:
        task: the distribution the prompts come from, known exactly.
        E: the tokens as columns, (B, d+1, M+1).

    Returns:
        Prediction for each prompt, (B,), float64.
    """
    E = E.double()
    Xt, y, x = E[:, :-1, :-1], E[:, -1, :-1], E[:, :-1, -1]
    left, s, right = torch.linalg.svd(Xt.mT @ task.root_Psi, full_matrices=False)
    floor = s[:, :1] * max(Xt.shape[1:]) * torch.finfo(s.dtype).eps
    present = s > floor
    shrunk = torch.where(present, s / torch.where(present, s.square() + task.sigma**2, 1.0), 0.0)
    residual = y - task.beta_star @ Xt
    along = torch.bmm(residual[:, None], left)[:, 0] * shrunk  # (B, min(M, d))
    correction = torch.bmm(along[:, None], right)[:, 0] @ task.root_Psi
    return ((task.beta_star + correction) * x).sum(dim=1)


@dataclass(frozen=True, slots=True)
class SampledRisk:
    """A risk by Monte Carlo."""

    mean: float
    standard_error: float
    """0 where the risk is exact."""
    draws: int


def bayes_risk(task: SignalTask, draws: int = 20_000, seed: int = 0) -> SampledRisk:
    """Risk of the Bayes predictor: only the examples' features are sampled, all else is integrated out.

    σ² + 𝔼 tr(HΣ_X), Σ_X the covariance of β̃ given the examples. With k the rank of H^½Ψ^½, Λ its squared singular
    values and Z (M, k) standard normal it is
    σ² + 𝔼 tr[(Λ^{-1} + ZᵀZ/σ²)^{-1}] = σ² + tr Λ − 𝔼 tr[ΛZᵀ(ZΛZᵀ + σ²I)^{-1}ZΛ]. At σ = 0 and M ≥ k the examples
    determine the label, and the risk is exactly 0; with fewer and equal Λ every draw leaves the same.

    Args:
        task: the distribution of the prompts.
        draws: the number of sets of M examples, at least 2.
        seed: the seed of their generator.

    Source: Gaussian conditioning, derived for this project.
    """
    eigenvalues = torch.linalg.eigvalsh(task.S)
    eigenvalues = eigenvalues[eigenvalues > eigenvalues[-1] * 1e-10]
    k, M, noise = len(eigenvalues), task.examples, task.sigma**2
    if k == 0 or (noise == 0 and k <= M):
        return SampledRisk(noise, 0.0, draws)
    generator = torch.Generator().manual_seed(seed)
    chunk = max(1, CHUNK // (M * k + min(M, k) ** 2))
    values = [_left_over(eigenvalues, noise, M, min(chunk, draws - at), generator) for at in range(0, draws, chunk)]
    sampled = noise + torch.cat(values)
    mean, error = float(sampled.mean()), float(sampled.std()) / draws**0.5
    return SampledRisk(mean, error if error > ROUNDING * mean else 0.0, draws)


def _left_over(eigenvalues: Tensor, noise: float, M: int, draws: int, generator: torch.Generator) -> Tensor:
    """tr(HΣ_X) for each of some draws of the examples, (draws,), by the smaller of the two inverses."""
    k = len(eigenvalues)
    scaled = torch.randn(draws, M, k, generator=generator, dtype=torch.float64) * eigenvalues.sqrt()  # Z Λ^½
    if k > M:
        factor = torch.linalg.cholesky(scaled @ scaled.mT + noise * torch.eye(M, dtype=torch.float64))
        explained = torch.linalg.solve_triangular(factor, scaled * eigenvalues.sqrt(), upper=False)
        return eigenvalues.sum() - explained.square().sum(dim=(1, 2))
    factor = torch.linalg.cholesky(scaled.mT @ scaled + noise * torch.eye(k, dtype=torch.float64))
    root = torch.linalg.solve_triangular(factor, torch.diag(eigenvalues.sqrt()).expand(draws, k, k), upper=False)
    return noise * root.square().sum(dim=(1, 2))
