"""The paper's bounds: on the gap between linear self-attention and the block with an MLP, and on the rate of a flow."""

from dataclasses import dataclass

import torch
from torch import Tensor

from looped.shared_signal.tasks import ROUNDING, SignalTask

IN_RANGE = 1e-9
"""Up to this share outside the range of H, β(0) − β* counts as inside: rounding of the eigenvectors."""


@dataclass(frozen=True, slots=True)
class GapBounds:
    """Lower bounds on min R(LSA) − min R(LTB), each a multiple of ‖β*‖²_H = β*ᵀHβ*."""

    first: float
    """2/(3(M+1))·‖β*‖²_H. Holds. Source: arXiv 2402.14951."""
    valid: float
    """[1/(M+1) − c²/((M+1)²K)]·‖β*‖²_H, K = 2tr((HΨ)²) + (3M+2)c²/(M(M+1)). Holds, and is the larger of these two.

    Source: what the paper's proof gives; derived for this project.
    """
    paper_second: float
    """c²/((M+1)²tr((HΨ)²))·‖β*‖²_H as the paper prints it. **Fails for small M**: not a bound, and never drawn as one.

    Counter-example (`counter_example`): it claims a gap of 11.11 where an explicit LSA stays 6.53 above the block.
    """


def gap_bounds(task: SignalTask) -> GapBounds:
    """The bounds on the gap, and the published one that fails."""
    M, c = task.examples, task.c
    spread = float(task.S.square().sum())  # tr((HΨ)²)
    signal = float(task.beta_star @ task.H @ task.beta_star)
    # c²/K and c²/tr((HΨ)²); where no label varies (Ψ = 0, σ = 0) the first has its largest possible value.
    of_K = c**2 / (2 * spread + (3 * M + 2) * c**2 / (M * (M + 1))) if c > 0 else M * (M + 1) / (3 * M + 2)
    of_spread = c**2 / spread if spread > 0 else torch.inf
    return GapBounds(
        first=2 / (3 * (M + 1)) * signal,
        valid=(1 / (M + 1) - of_K / (M + 1) ** 2) * signal,
        paper_second=of_spread / (M + 1) ** 2 * signal if signal > 0 else 0.0,
    )


def counter_example() -> SignalTask:
    """H = Ψ = I, σ = 0, d = 20, M = 5, ‖β*‖² = 20: here the paper's second bound is above the gap itself."""
    return SignalTask.shared(20, 5, signal=1.0)


def outside_range(task: SignalTask, beta: Tensor) -> float:
    """Length of the part of β − β* that H does not span, as a share of the whole; 0 if β = β*.

    Gradient flow never moves that part, so the rate of `flow_rate` is proved only where it is 0.

    Args:
        task: the distribution of the prompts.
        beta: β, (d,).
    """
    values, vectors = torch.linalg.eigh(task.H)
    away = beta.double() - task.beta_star
    left = vectors[:, values <= ROUNDING * values[-1]].mT @ away
    share = float(left.norm() / away.norm().clamp(min=1e-300))
    return share if share > IN_RANGE else 0.0


def flow_rate(task: SignalTask) -> float:
    """2λ⁺_min(H)/(M+1): ‖β(τ) − β*‖² falls at least like e^{−rate·τ} under gradient flow on ½R of GD-β.

    If β(0) − β* is in the range of H (`outside_range` is 0), and whatever Γ does; λ⁺_min is the smallest non-zero
    eigenvalue.

    Source: arXiv 2402.14951.
    """
    values = torch.linalg.eigvalsh(task.H)
    present = values[values > ROUNDING * values[-1]]
    return 2 * float(present[0]) / (task.examples + 1) if len(present) else 0.0
