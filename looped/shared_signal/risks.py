"""Risks R(f) = 𝔼(f − y)² without sampling: of any weights, and the smallest that each model can reach.

Every model is f = gᵀx + rᵀGUx (`Effective`). With labels measured from the shared signal, y = ⟨β*, x⟩ + y′, an example
is (x; y′) and 𝔼[GrrᵀG], 𝔼[Gr yᵀ] have closed forms, so the risk is a quadratic function of U for given g and r.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from looped.shared_signal.models import Effective
from looped.shared_signal.tasks import SignalTask


@dataclass(frozen=True, slots=True)
class Optimum:
    """The best step of gradient descent from a start β."""

    beta: Tensor
    """β, (d,)."""
    Gamma: Tensor
    """Γ*, (d, d)."""
    risk: float


def gd_optimum(task: SignalTask) -> Optimum:
    """The best GD-β: β = β*, Γ* = ΨH^½Ω^{-1}H^{-½}, min R = σ² + tr(HΨ) − tr(S²Ω^{-1}).

    Also the infimum of the linear transformer block: the part of its prediction that is odd in y − ⟨β*, x⟩ is such a
    step, the even part is uncorrelated with it and can only add to the risk.

    Source: Theorem 5.2 of arXiv 2402.14951, for the block if rank(H^½Ψ^½) ≥ 2; for any rank derived for this project.
    """
    return _best_step(task, task.beta_star, task.Psi)


def gd0_optimum(task: SignalTask) -> Optimum:
    """The best GD-0: `gd_optimum` with β* = 0 and Ψ + β*β*ᵀ in place of Ψ, the second moment of β̃.

    Source: derived for this project.
    """
    return _best_step(task, 0 * task.beta_star, task.Psi + torch.outer(task.beta_star, task.beta_star))


def _best_step(task: SignalTask, start: Tensor, spread: Tensor) -> Optimum:
    """The best step from a start, where `spread` is 𝔼(β̃ − start)(β̃ − start)ᵀ, (d, d)."""
    S = task.root_H @ spread @ task.root_H
    c = float(S.trace()) + task.sigma**2
    Omega = ((task.examples + 1) * S + c * torch.eye(task.features, dtype=torch.float64)) / task.examples
    inverse = torch.linalg.pinv(Omega, hermitian=True)
    Gamma = spread @ task.root_H @ inverse @ task.inverse_root_H
    return Optimum(start, Gamma, c - float((S @ S @ inverse).trace()))


def start_curvature(task: SignalTask, Gamma: Tensor) -> Tensor:
    """H_Γ = (I−ΓH)ᵀH(I−ΓH) + tr(HΓᵀHΓ)/M·H + (1/M)HΓᵀHΓH: what the risk costs in β − β*, (d, d)."""
    H, M = task.H, task.examples
    left = torch.eye(task.features, dtype=torch.float64) - Gamma @ H
    squared = H @ Gamma.mT @ H @ Gamma
    return left.mT @ H @ left + (squared.trace() * H + squared @ H) / M


def exact_risk(task: SignalTask, model: Effective) -> float:
    """Risk of any weights of any of the models, in whitened coordinates ã = H^½a.

    R = σ² + tr(HΨ) + ‖δ̃‖² − 2tr(LᵀŨ) + tr(ŨᵀQŨ), δ = β* − g, b = u_21 + uβ*, Ũ = [H^½(U_11 + β*u_12ᵀ)H^½; ũ_12ᵀ],
    Q and L as in `moments`. For g = 0 it is the paper's risk of linear self-attention.

    Source: arXiv 2402.14951 for g = 0; with g, and in this form, derived for this project.
    """
    root = task.root_H
    u = model.r[-1]
    b = root @ (model.r[:-1] + u * task.beta_star)
    scores = root @ (model.U[:-1] + torch.outer(task.beta_star, model.U[-1])) @ root
    whitened = torch.cat([scores, (root @ model.U[-1])[None]])
    return float(whitened_risk(task, root @ (task.beta_star - model.g), torch.cat([b, u[None]]), whitened))


def whitened_risk(task: SignalTask, delta: Tensor, r: Tensor, U: Tensor) -> Tensor:
    """R for whitened δ̃ (d,), r = (b̃; u) (d+1,) and U (d+1, d), for examples (H^{-½}x; y′).

    R = c + ‖δ̃‖² − 2⟨L, U⟩ + ⟨U, QU⟩, Q = 𝔼[GrrᵀG] and L = 𝔼[Gr(β̃ − g)ᵀ]:
    Q = [[u²Ω + (‖b̃‖²I + (M+1)b̃b̃ᵀ)/M, u(Ω + 2S/M + cI)b̃],
         [·, b̃ᵀΩb̃ + u²(2(M+2)tr(S²) + (M+2)c²)/M]],  L = [uS + b̃δ̃ᵀ; b̃ᵀS + cuδ̃ᵀ].
    """
    M, S, c, Omega = task.examples, task.S, task.c, task.Omega
    b, u = r[:-1], r[-1]
    identity = torch.eye(len(b), dtype=r.dtype)
    corner = u.square() * Omega + ((b @ b) * identity + (M + 1) * torch.outer(b, b)) / M
    side = u * (Omega @ b + 2 / M * (S @ b) + c * b)
    last = b @ Omega @ b + u.square() * (M + 2) / M * (2 * S.square().sum() + c**2)
    Q = torch.cat([torch.cat([corner, side[:, None]], dim=1), torch.cat([side, last[None]])[None]])
    L = torch.cat([u * S + torch.outer(b, delta), (b @ S + c * u * delta)[None]])
    return task.c + delta @ delta - 2 * (L * U).sum() + (U * (Q @ U)).sum()
