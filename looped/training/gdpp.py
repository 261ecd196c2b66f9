"""GD++: gradient descent that also moves its inputs, two numbers that explain what full weights learn.

P = diag(p·I, 1) and Q = diag(a·I, 0): every loop is a step of size a, and x_j ← (I − γXᵀX/n) x_j with γ = a·p.

Source: von Oswald et al. (2023).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


def weights(
    a: Sequence[float], gamma: Sequence[float], features: int, dtype: torch.dtype = torch.float64
) -> tuple[Tensor, Tensor]:
    """P = diag((γ/a)·I, 1) and Q = diag(a·I, 0) of every layer, each (L, d+1, d+1); no a is 0."""
    d = features
    P, Q = torch.zeros(2, len(a), d + 1, d + 1, dtype=dtype)
    identity = torch.eye(d, dtype=dtype)
    for layer, (step, contraction) in enumerate(zip(a, gamma, strict=True)):
        P[layer, :d, :d] = contraction / step * identity
        P[layer, d, d] = 1.0
        Q[layer, :d, :d] = step * identity
    return P, Q


@dataclass(frozen=True, slots=True)
class Fit:
    """The member of the family nearest to one layer's weights, in the gauge P[d, d] = 1."""

    a: float
    gamma: float
    unexplained_p: float
    """‖P − diag(p·I, 1)‖²/‖P‖²."""
    unexplained_q: float
    """‖Q − diag(a·I, 0)‖²/‖Q‖²."""


def fit(P: Tensor, Q: Tensor, generates: bool = False) -> Fit:
    """Least-squares fit of one layer, P and Q (d+1, d+1), which P → cP, Q → Q/c leaves unchanged.

    One that predicts has P[d, d] = 1. One that generates w has Q[d, d] = −1, P = diag(a·I, 0), Q = diag(I, −1); its
    write mask keeps the examples where they are, so γ is 0.

    Raises:
        ValueError: if that corner is 0, since the weights then predict 0 for every prompt or never see the labels, and
            have no such gauge; or so near 0 that the weights overflow in it.
    """
    d = len(P) - 1
    corner = -float(Q[d, d]) if generates else float(P[d, d])
    if corner == 0:
        name, fixed = ("Q", "−1") if generates else ("P", "1")
        raise ValueError(f"{name}[d, d] is 0, so these weights have no gauge in which it is {fixed}.")
    P, Q = P.double().cpu(), Q.double().cpu()
    P, Q = (P * corner, Q / corner) if generates else (P / corner, Q * corner)
    p, a = float(P.diagonal()[:d].mean()), float(Q.diagonal()[:d].mean())
    if generates:
        return _measured(P, Q, [p] * d + [0.0], [1.0] * d + [-1.0], p, 0.0)
    return _measured(P, Q, [p] * d + [1.0], [a] * d + [0.0], a, a * p)


def _measured(P: Tensor, Q: Tensor, near_P: list[float], near_Q: list[float], a: float, gamma: float) -> Fit:
    """The fit with what the diagonals near P and Q leave unexplained."""
    shares = []
    for weights, near in ((P, near_P), (Q, near_Q)):
        left = weights - torch.diag(torch.tensor(near, dtype=torch.float64))
        shares.append(float(left.square().sum() / weights.square().sum().clamp(min=1e-300)))
    if not all(map(math.isfinite, (a, gamma, *shares))):
        raise ValueError("The corner that fixes the gauge is too near 0: the weights overflow in it.")
    return Fit(a, gamma, *shares)


def residual_factors(a: float, gamma: float, loops: int, eigenvalues: Tensor) -> Tensor:
    """The share of each eigen-mode of w* that T loops leave: Π_t (1 − a h_t) with h_0 = λ, h_{t+1} = h_t(1 − γh_t)²."""
    h, left = eigenvalues, torch.ones_like(eigenvalues)
    for _ in range(loops):
        left = left * (1 - a * h)
        h = h * (1 - gamma * h).square()
    return left


def risk(a: float, gamma: float, loops: int, eigenvalues: Tensor, weight: Tensor) -> float:
    """The weighted mean over spectra of Σ_k Π_t (1 − a h_t)²: the query risk for Σ = I, w* and x_q integrated out."""
    return float((weight * residual_factors(a, gamma, loops, eigenvalues).square().sum(1)).mean())


@dataclass(frozen=True, slots=True)
class Best:
    """The best two numbers that a search found, and their risk over the given spectra."""

    a: float
    gamma: float
    risk: float


def search(loops: int, eigenvalues: Tensor, weight: Tensor) -> Best:
    """A pattern search for the least `risk`, along log a and p = γ/a, in which its narrow valley is nearly straight.

    Starts from the best gradient descent on a small grid of contractions and follows the valley; steps halve when no
    neighbour is better. A local search: it gives the best numbers known, not a proof. Nelder and Mead's search of
    scipy.optimize from the same start and with the same strides takes 1.4 times as long over 20 settings. Its risk is
    more than 1 % lower in 2 of them, by 7 % at most, and higher in none; but the arrays of a run would differ from
    those stored and exported (`benchmarks/searches.py`).

    Args:
        loops: T, the number of loops.
        eigenvalues: the eigenvalues of many prompts, (B, d), from `evaluate.spectra`; each trial costs O(T·B·d).
        weight: the weights of these prompts, (B,).
    """
    mean = float(eigenvalues.mean())

    def value(point: tuple[float, float]) -> float:
        log_a, p = point
        a = math.exp(log_a)
        result = risk(a, a * p, loops, eigenvalues, weight)
        return result if math.isfinite(result) else math.inf

    starts = [(math.log(a / mean), p) for a in (0.5, 1.0, 1.5, 2.5, 4.0) for p in (0.0, 0.05, 0.1)]
    best = min(starts, key=value)
    least, stride = value(best), (0.2, 0.02)
    while stride[0] > 1e-3:
        moves = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)]
        trials = [(best[0] + i * stride[0], best[1] + j * stride[1]) for i, j in moves]
        values = [value(trial) for trial in trials]
        if min(values) < least:
            least, best = min(values), trials[values.index(min(values))]
        else:
            stride = (stride[0] / 2, stride[1] / 2)
    a = math.exp(best[0])
    return Best(a=a, gamma=a * best[1], risk=least)
