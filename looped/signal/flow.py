"""Gradient flow of GD-β on the population risk, to be held against `bounds.flow_rate`."""

from dataclasses import dataclass

import torch
from torch import Tensor

from looped.signal.risks import gd_optimum, start_curvature
from looped.signal.tasks import SignalTask


@dataclass(frozen=True, slots=True)
class Flow:
    """A path of gradient flow."""

    times: Tensor
    """(K,), from 0."""
    beta: Tensor
    """β(t), (K, d)."""
    Gamma: Tensor
    """Γ(t), (K, d, d)."""


def gradient_flow(task: SignalTask, beta: Tensor, Gamma: Tensor, until: float, points: int = 101) -> Flow:
    """Gradient flow on ½R of GD-β in both of its parameters, by the classical Runge–Kutta method.

    With v = β − β*: dβ/dt = −H_Γ v,
    dΓ/dt = −H(Γ−Γ*)H^½ΩH^½ + H(v − ΓHv)(Hv)ᵀ − (‖v‖²_H HΓH + HΓHv(Hv)ᵀ)/M.

    A step is half of one over a bound on the curvature, which grows with ‖v‖²: a far start takes long.

    Args:
        task: the distribution of the prompts.
        beta: β(0), (d,).
        Gamma: Γ(0), (d, d).
        until: last time, above 0.
        points: K, evenly spaced times at which the path is kept, at least 2.

    Source: derived from the risk of GD-β in arXiv 2402.14951.
    """
    H, M = task.H, task.M
    seen = task.root_H @ task.Omega @ task.root_H
    best = gd_optimum(task).Gamma
    largest = float(torch.linalg.eigvalsh(H)[-1])

    def slope(state: Tensor) -> Tensor:
        v, Gamma = state[0] - task.beta_star, state[1:]
        Hv = H @ v
        in_Gamma = H @ (Gamma - best) @ seen - torch.outer(H @ (v - Gamma @ Hv), Hv)
        in_Gamma += ((v @ Hv) * (H @ Gamma @ H) + H @ Gamma @ torch.outer(Hv, Hv)) / M
        return -torch.cat([(start_curvature(task, Gamma) @ v)[None], in_Gamma])

    def longest_step(state: Tensor) -> float:
        v, Gamma = state[0] - task.beta_star, state[1:]
        in_beta = float(torch.linalg.matrix_norm(start_curvature(task, Gamma)))
        in_Gamma = largest * float(torch.linalg.matrix_norm(seen) + (1 + 2 / M) * largest * (v @ H @ v))
        return 0.5 / max(in_beta + in_Gamma, 1e-300)

    state = torch.cat([beta.double()[None], Gamma.double()])  # β over Γ, (d+1, d)
    kept = [state]
    for _ in range(points - 1):
        left = until / (points - 1)
        while left > 0:
            h = min(left, longest_step(state))
            k1 = slope(state)
            k2 = slope(state + h / 2 * k1)
            k3 = slope(state + h / 2 * k2)
            k4 = slope(state + h * k3)
            state = state + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
            left -= h
        kept.append(state)
    path = torch.stack(kept)
    times = torch.linspace(0, until, points, dtype=torch.float64)
    return Flow(times=times, beta=path[:, 0], Gamma=path[:, 1:])
