"""The smallest risk of linear self-attention: for β* ≠ 0 it has no closed form, and is found numerically."""

from dataclasses import dataclass

import torch
from torch import Tensor

from looped.signal.models import Effective
from looped.signal.risks import exact_risk, moments, risk_slope
from looped.signal.tasks import SignalTask

MOST_STEPS = 300
ENOUGH = 1e-14
"""Predicted fall of the risk, relative to the second moment of a label, at which the search ends."""
RANDOM_STARTS = 3
"""Besides the four along β*."""


@dataclass(frozen=True, slots=True)
class LSAMinimum:
    """The best weights found for linear self-attention."""

    weights: Effective
    """g = 0, r = (u_21; 1) up to its scale, U = [U_11; u_12ᵀ]."""
    risk: float
    """The exact risk of these weights: reached, hence never below the true infimum."""
    start_risks: list[float]
    """Where each start ended: several at the smallest say that it is no accident; a few may end elsewhere."""


def lsa_minimum(task: SignalTask, seed: int = 0, starts: int | None = None) -> LSAMinimum:
    """Minimise the exact risk of linear self-attention over its weights.

    For given r the risk is quadratic in U: Ũ = Q^{-1}L, R = σ² + tr(HΨ) + ‖β̃*‖² − tr(LᵀQ^{-1}L). That leaves d+1
    numbers r = (b̃; u) of which the scale is free, minimised by BFGS in float64 from starts along β* (b = u·β* is
    GD-0, so the result is never above it; b = 0 is GD-β) and from random ones.

    Args:
        task: the distribution of the prompts.
        seed: of the random starts.
        starts: how many to try, in the order above; all by default.

    Source: the exact risk is the paper's (arXiv 2402.14951); the reduction is derived for this project.
    """
    delta = task.root_H @ task.beta_star
    generator = torch.Generator().manual_seed(seed)
    tried = [torch.cat([share * delta, delta.new_ones(1)]) for share in (1.0, 0.3, 0.0, -0.5)]
    tried += [torch.randn(len(delta) + 1, generator=generator, dtype=torch.float64) for _ in range(RANDOM_STARTS)]
    ends = [_descend(task, delta, start) for start in tried[:starts]]
    found = [_unwhiten(task, r, _best_U(task, delta, r)) for r in ends]
    risks = [exact_risk(task, weights) for weights in found]
    best = min(range(len(risks)), key=risks.__getitem__)
    return LSAMinimum(found[best], risks[best], risks)


def _descend(task: SignalTask, delta: Tensor, start: Tensor) -> Tensor:
    """r = (b̃; u) at the end of BFGS with backtracking, from a start.

    Written out because torch.optim loads PyTorch's compiler first, seconds for a search of milliseconds.
    """
    # b̃ in units of u times the spread of a label, so that both parts of r weigh alike.
    unit = torch.ones_like(start)
    unit[:-1] = max(task.c, float(delta @ delta), 1e-300) ** 0.5
    r = start / unit
    r = r / r.norm()
    risk, slope = _risk_and_slope(task, delta, unit, r)
    moment = task.c + float(delta @ delta)
    inverse = torch.eye(len(r), dtype=r.dtype) / slope.norm().clamp(min=1e-300)
    for _ in range(MOST_STEPS):
        step = -inverse @ slope
        fall = float(step @ slope)
        if -fall <= ENOUGH * moment:
            break
        share = 1.0
        while True:
            new_risk, new_slope = _risk_and_slope(task, delta, unit, r + share * step)
            if new_risk <= risk + 1e-4 * share * fall:
                break
            share /= 2
            if share < 1e-4:  # rounding
                return unit * r
        change, bend = share * step, new_slope - slope
        r, risk, slope = r + change, new_risk, new_slope
        along = change @ bend
        if along > 0:
            left = torch.eye(len(r), dtype=r.dtype) - torch.outer(change, bend) / along
            inverse = left @ inverse @ left.mT + torch.outer(change, change) / along
    return unit * r


def _risk_and_slope(task: SignalTask, delta: Tensor, unit: Tensor, r: Tensor) -> tuple[float, Tensor]:
    """The least risk for this r, and its gradient in r / unit."""
    Q, L = moments(task, delta, unit * r)
    U = torch.linalg.pinv(Q, hermitian=True) @ L
    # −⟨L, U⟩ would do for the exact U; in this form rounding in U changes the risk to second order only.
    risk = task.c + float(delta @ delta - 2 * (L * U).sum() + (U * (Q @ U)).sum())
    # U is optimal for this r, so its own change does not change the risk to first order (envelope theorem).
    return risk, unit * risk_slope(task, delta, unit * r, U)


def _best_U(task: SignalTask, delta: Tensor, r: Tensor) -> Tensor:
    """Ũ = Q⁺L, (d+1, d)."""
    Q, L = moments(task, delta, r)
    return torch.linalg.pinv(Q, hermitian=True) @ L


def _unwhiten(task: SignalTask, r: Tensor, U: Tensor) -> Effective:
    """r and U as weights on the tokens: u_21 = b − uβ*, U_11 = A − β*u_12ᵀ."""
    inverse, beta_star = task.inverse_root_H, task.beta_star
    u_12 = inverse @ U[-1]
    U_11 = inverse @ U[:-1] @ inverse - torch.outer(beta_star, u_12)
    return Effective(
        g=0 * beta_star,
        r=torch.cat([inverse @ r[:-1] - r[-1] * beta_star, r[-1:]]),
        U=torch.cat([U_11, u_12[None]]),
    )
