"""Gradient flow of GD-β on the population risk, to be compared with `bounds.flow_rate`."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from looped.shared_signal.risks import gd_optimum, start_curvature
from looped.shared_signal.tasks import SignalTask

TOLERANCE = 1e-4
"""Error of one step, relative to ‖β − β*‖ and to ‖Γ‖: the difference between one step and two of half its length."""

State = tuple[Tensor, Tensor]
"""β − β* and Γ at one time."""


@dataclass(frozen=True, slots=True)
class Flow:
    """A path of gradient flow."""

    times: Tensor
    """τ, (K,), from 0."""
    beta: Tensor
    """β(τ), (K, d)."""
    Gamma: Tensor
    """Γ(τ), (K, d, d)."""


def gradient_flow(task: SignalTask, beta: Tensor, Gamma: Tensor, until: float, points: int = 101) -> Flow:
    """Gradient flow on ½R of GD-β in both of its parameters.

    With v = β − β*: dβ/dτ = −H_Γ v and dΓ/dτ = −HΓW + HΓ*H^½ΩH^½ + (Hv)(Hv)ᵀ,
    W = H^½ΩH^½ + (1 + 1/M)(Hv)(Hv)ᵀ + (‖v‖²_H/M)H.

    Each equation is linear in its own unknown and is solved exactly while the other one rests: half a step of β, one
    of Γ, half a step of β. The step's length follows its error, so that directions which have already come to rest
    do not keep it short, however different their rates are.

    Args:
        task: the distribution of the prompts.
        beta: β(0), (d,).
        Gamma: Γ(0), (d, d).
        until: the last time, above 0.
        points: K, evenly spaced times at which the path is kept, at least 2.

    Source: derived from the risk of GD-β in arXiv 2402.14951; the splitting is Strang's.
    """
    H, M = task.H, task.examples
    seen = task.root_H @ task.Omega @ task.root_H
    drive = H @ gd_optimum(task).Gamma @ seen
    in_H, basis_H = torch.linalg.eigh(H)
    v, Gamma = beta.double() - task.beta_star, Gamma.double()

    def move_beta(v: Tensor, Gamma: Tensor, h: float) -> Tensor:
        rates, basis = torch.linalg.eigh(start_curvature(task, Gamma))
        return basis @ (torch.exp(-rates * h) * (basis.mT @ v))

    def move_Gamma(v: Tensor, Gamma: Tensor, h: float) -> Tensor:
        Hv = H @ v
        W = seen + (1 + 1 / M) * torch.outer(Hv, Hv) + (v @ Hv) / M * H
        in_W, basis_W = torch.linalg.eigh(W)
        rate = torch.outer(in_H, in_W).clamp(min=0)
        towards = basis_H.mT @ (drive + torch.outer(Hv, Hv)) @ basis_W
        # (1 − e^{−rate·h})/rate, and h where the rate is 0
        weight = torch.where(rate * h > 1e-12, -torch.expm1(-rate * h) / rate.clamp(min=1e-300), h)
        moved = torch.exp(-rate * h) * (basis_H.mT @ Gamma @ basis_W) + weight * towards
        return basis_H @ moved @ basis_W.mT

    def move(v: Tensor, Gamma: Tensor, h: float) -> State:
        v = move_beta(v, Gamma, h / 2)
        Gamma = move_Gamma(v, Gamma, h)
        return move_beta(v, Gamma, h / 2), Gamma

    path = _follow(move, (v, Gamma), until, points)
    return Flow(
        times=torch.linspace(0, until, points, dtype=torch.float64),
        beta=task.beta_star + torch.stack([v for v, _ in path]),
        Gamma=torch.stack([Gamma for _, Gamma in path]),
    )


def _follow(move: Callable[[Tensor, Tensor, float], State], now: State, until: float, points: int) -> list[State]:
    """The path from `now`, at evenly spaced times, in steps whose length follows their error.

    Strang's splitting errs by h³ in a step.
    """
    kept, spacing = [now], until / (points - 1)
    length = spacing
    for _ in range(points - 1):
        left = spacing
        while left > 0:
            h = min(left, length)
            once, twice = move(*now, h), move(*move(*now, h / 2), h / 2)
            error = max(
                float((one - two).norm() / two.norm().clamp(min=1e-300)) for one, two in zip(once, twice, strict=True)
            )
            factor = 0.9 * (TOLERANCE / max(error, 1e-300)) ** (1 / 3)
            if error <= TOLERANCE or h <= 1e-12 * spacing:
                now = twice
                left -= h
                length = max(length, h * min(factor, 4.0)) if h < length else h * min(max(factor, 0.2), 4.0)
            else:
                length = h * max(factor, 0.1)
        kept.append(now)
    return kept
