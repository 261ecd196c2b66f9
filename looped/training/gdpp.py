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

    @property
    def unexplained(self) -> float:
        """The larger share of the two."""
        return max(self.unexplained_p, self.unexplained_q)


def fit(P: Tensor, Q: Tensor) -> Fit:
    """Least-squares fit of one layer, P and Q (d+1, d+1), which P → cP, Q → Q/c leaves unchanged.

    Raises:
        ValueError: if P[d, d] is 0, since these weights then predict 0 for every prompt and have no such gauge, or
            so near 0 that the weights overflow in it.
    """
    d = len(P) - 1
    corner = float(P[d, d])
    if corner == 0:
        raise ValueError("P[d, d] is 0, so these weights have no gauge in which it is 1.")
    P, Q = P.double() / corner, Q.double() * corner
    p, a = float(P.diagonal()[:d].mean()), float(Q.diagonal()[:d].mean())
    near_P = torch.diag(torch.tensor([p] * d + [1.0], dtype=torch.float64))
    near_Q = torch.diag(torch.tensor([a] * d + [0.0], dtype=torch.float64))
    share_P = (P.cpu() - near_P).square().sum() / P.square().sum().cpu()
    share_Q = (Q.cpu() - near_Q).square().sum() / Q.square().sum().cpu().clamp(min=1e-300)
    return _checked(Fit(a=a, gamma=a * p, unexplained_p=float(share_P), unexplained_q=float(share_Q)))


def fit_generation(P: Tensor, Q: Tensor) -> Fit:
    """The gradient descent P = diag(a·I, 0), Q = diag(I, −1) nearest to one layer that generates w, Q[d, d] = −1.

    Its write mask keeps the examples where they are, so γ is 0.

    Raises:
        ValueError: if Q[d, d] is 0, since these weights never see the labels and have no such gauge, or so near 0 that
            the weights overflow in it.
    """
    d = len(P) - 1
    corner = -float(Q[d, d])
    if corner == 0:
        raise ValueError("Q[d, d] is 0, so these weights have no gauge in which it is −1.")
    P, Q = P.double().cpu() * corner, Q.double().cpu() / corner
    a = float(P.diagonal()[:d].mean())
    near_P = torch.diag(torch.tensor([a] * d + [0.0], dtype=torch.float64))
    near_Q = torch.diag(torch.tensor([1.0] * d + [-1.0], dtype=torch.float64))
    share_P = (P - near_P).square().sum() / P.square().sum().clamp(min=1e-300)
    share_Q = (Q - near_Q).square().sum() / Q.square().sum()
    return _checked(Fit(a=a, gamma=0.0, unexplained_p=float(share_P), unexplained_q=float(share_Q)))


def _checked(found: Fit) -> Fit:
    if not all(map(math.isfinite, (found.a, found.gamma, found.unexplained_p, found.unexplained_q))):
        raise ValueError("The corner that fixes the gauge is too near 0: the weights overflow in it.")
    return found


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
    scipy.optimize from the three best starts takes 5 times as long over 20 settings; its risk is more than 1 % lower in
    2 of them, by 7 % at most (`benchmarks/searches.py`).

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
