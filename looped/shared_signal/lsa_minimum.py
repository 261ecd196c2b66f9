"""The smallest risk found for linear self-attention: for β* ≠ 0 it has no closed form, and is searched numerically.

For given r = (b̃; u) the risk is quadratic in U, and its least value over U is a function of r alone, whose scale is
free: d numbers. It has local minima. In the eigenbasis of S the function and its gradient take O(d) operations, so that
many starts of several kinds can be tried.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import torch

from looped.shared_signal.models import Effective
from looped.shared_signal.risks import exact_risk
from looped.shared_signal.tasks import SignalTask

ROUNDS = ((12, 96), (20, 24), (40, 8), (500, 3))
"""Steps from every start that is left, and how many of each task, those of the smallest risk, are left after them."""
ENOUGH = 1e-14
"""Predicted fall of the risk, in units of the second moment of a label, at which the search ends."""
HALVINGS = (range(1), range(1, 4), range(4, 13))
"""How often a step that does not lower the risk is halved, those of a part tried together; then the search from this
start ends."""
LENGTHS = (-10.0, -3.0, -1.0, -0.3, 0.3, 1.0, 3.0, 10.0)
"""Lengths of b̃ along a direction, in units of u√c."""
SHARES = (1.0, 0.3, 0.1, 0.03, 0.0, -0.1, -0.3, -1.0)
"""Shares of δ̃ in b̃; 1 is GD-0, 0 is GD-β."""
SPIKE_SHARES, SPIKE_LENGTHS, MOST_SPIKES = (0.03, 0.2), (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 11.0, 15.0), 6
"""A share of δ̃, what one eigenvector of S adds to it in units of u√c, and how many of the eigenvectors are tried."""
RANDOM_STARTS = 8

Array = np.ndarray


@dataclass(frozen=True, slots=True)
class LSAMinimum:
    """The best weights found for linear self-attention."""

    weights: Effective
    """g = 0, r = (u_21; u_{−1}) up to its scale, U = [U_11; u_12ᵀ]."""
    risk: float
    """The exact risk of these weights: reached, hence never below the infimum, which may be smaller still."""
    starts: int
    """The number of starts that were tried."""


def lsa_minimum(task: SignalTask, known: Sequence[Effective] = ()) -> LSAMinimum:
    """The smallest risk found for linear self-attention on a task.

    Args:
        task: the distribution of the prompts.
        known: further weights to start from, with g = 0, such as trained ones; the risk found is never above theirs.
    """
    return lsa_minima([task], known)[0]


def lsa_minima(tasks: Sequence[SignalTask], known: Sequence[Effective] = ()) -> list[LSAMinimum]:
    """The same for tasks with one number of features, all searched together.

    The starts of b̃ lie along δ̃ = H^½β*, along what S and its regularised inverse make of it, along δ̃ plus one
    eigenvector of S, and in random directions, with lengths over three decades and, without GD's part, at u = 0. From
    each BFGS descends in float64. It is written out here because it takes all starts in one batch. Over 20 tasks of 2
    to 20 features scipy.optimize.minimize with the gradient takes 1.7 times as long from the 8 starts of the least
    risk, and misses the minimum of one task by 1 %; from 40 of them it takes 10 times as long and finds the same risks
    to 3e-7 (`benchmarks/searches.py`).

    Source: the exact risk is the paper's (arXiv 2402.14951); the reduction is derived for this project.
    """
    views = [_Reduced.of(task) for task in tasks]
    starts = [
        np.concatenate([_starts(view), *(view.start(task, weights)[None] for weights in known)])
        for task, view in zip(tasks, views, strict=True)
    ]
    of_task = np.repeat(np.arange(len(tasks)), [len(rows) for rows in starts])
    search = _Descent(_Reduced.joined(views).take(of_task), np.concatenate(starts))
    for steps, left in ROUNDS:
        search.run(steps)
        kept = np.concatenate([_lowest(search.risk, np.flatnonzero(of_task == k), left) for k in range(len(tasks))])
        search.keep(kept)
        of_task = of_task[kept]
    ends = [search.r[of_task == k] for k in range(len(tasks))]
    return [
        _smallest(task, [*(view.weights(task, r) for r in rows), *known], len(tried))
        for task, view, rows, tried in zip(tasks, views, ends, starts, strict=True)
    ]


def _lowest(risk: Array, rows: Array, count: int) -> Array:
    return rows[np.argsort(risk[rows], kind="stable")[:count]]


def _smallest(task: SignalTask, found: Sequence[Effective], starts: int) -> LSAMinimum:
    risks = [exact_risk(task, weights) for weights in found]
    best = int(np.argmin(risks))
    return LSAMinimum(found[best], risks[best], starts)


@dataclass(frozen=True, slots=True)
class _Reduced:
    """The risk of linear self-attention as a function of r = (b̃; u), one task a row.

    In the eigenbasis of S, and with labels scaled to a second moment c + ‖δ̃‖² of 1. Rows are (K, d) or (K, 1).
    """

    s: Array
    """Eigenvalues of S, (K, d)."""
    delta: Array
    """δ̃ = H^½β*, (K, d)."""
    omega: Array
    """Eigenvalues of Ω, (K, d)."""
    side: Array
    """Ω + 2S/M + cI, which stands between b̃ and the last row of Q, (K, d)."""
    c: Array
    """Variance of a label round ⟨β*, x⟩, (K, 1)."""
    M: Array
    """Examples, (K, 1)."""
    fourth: Array
    """Second moment of the mean of y′² over the examples, (K, 1)."""

    @classmethod
    def of(cls, task: SignalTask) -> Self:
        """One row."""
        basis, unit = cls._basis(task)
        delta = basis.T @ (task.root_H @ task.beta_star).numpy() / unit
        values = np.linalg.eigvalsh(task.S.numpy()) / unit**2
        s, c, M = np.maximum(values, 0)[None], np.full((1, 1), task.c / unit**2), task.examples
        omega = ((M + 1) * s + c) / M
        fourth = (M + 2) / M * (2 * (s**2).sum(axis=1, keepdims=True) + c**2)
        return cls(s, delta[None], omega, omega + 2 / M * s + c, c, np.full((1, 1), float(M)), fourth)

    @classmethod
    def joined(cls, rows: Sequence[Self]) -> Self:
        """Several tasks."""
        return cls(*(np.concatenate([getattr(row, field.name) for row in rows]) for field in fields(cls)))

    def take(self, rows: Array) -> Self:
        """The rows of these numbers, in this order."""
        return type(self)(*(getattr(self, field.name)[rows] for field in fields(self)))

    def start(self, task: SignalTask, weights: Effective) -> Array:
        """r of given weights, (d+1,)."""
        basis, unit = self._basis(task)
        b = task.root_H @ (weights.r[:-1] + weights.r[-1] * task.beta_star)
        return np.append(basis.T @ b.numpy() / unit, float(weights.r[-1]))

    def weights(self, task: SignalTask, r: Array) -> Effective:
        """The best weights with this r."""
        b, u, s, delta, c, M = r[:-1], r[-1], self.s[0], self.delta[0], self.c[0, 0], task.examples
        corner = np.diag(u * u * self.omega[0] + b @ b / M) + (M + 1) / M * np.outer(b, b)
        side = (u * self.side[0] * b)[:, None]
        last = b @ (self.omega[0] * b) + u * u * self.fourth
        L = np.concatenate([u * np.diag(s) + np.outer(b, delta), (s * b + c * u * delta)[None]])
        U = np.linalg.pinv(np.block([[corner, side], [side.T, last]]), hermitian=True) @ L
        basis, unit = self._basis(task)
        whitened = np.append(unit * basis @ b, u)
        U = np.concatenate([basis @ U[:-1], U[-1:] / unit]) @ basis.T
        return _unwhiten(task, torch.from_numpy(whitened), torch.from_numpy(U))

    @staticmethod
    def _basis(task: SignalTask) -> tuple[Array, float]:
        """Eigenvectors of S as columns, and the unit of labels."""
        moment = task.c + float((task.root_H @ task.beta_star).square().sum())
        return np.linalg.eigh(task.S.numpy())[1], moment**0.5 or 1.0

    def risk_and_slope(self, r: Array) -> tuple[Array, Array]:
        """The least risk over U for each r (K, d+1), (K,), and its gradient, (K, d+1).

        With D = u²Ω + ‖b̃‖²I/M the corner of Q is D + (M+1)/M·b̃b̃ᵀ, so the best U = [A; wᵀ] is
        A = diag(g) + pxᵀ − qwᵀ with p = D⁻¹b̃, q = uD⁻¹(Ω + 2S/M + cI)b̃, g = uD⁻¹s and x = δ̃ − (M+1)/M·Aᵀb̃, and two
        equations in two vectors give a = Aᵀb̃ and w. U is optimal, so its own change does not change the risk to first
        order: the gradient is that for a fixed U.
        """
        b, u, s, delta, omega, c, M = r[:, :-1], r[:, -1:], self.s, self.delta, self.omega, self.c, self.M
        D = u * u * omega + _dot(b, b) / M
        side_b = self.side * b
        p, q, g = b / D, u * side_b / D, u * s / D
        bp, bq = _dot(b, p), _dot(b, q)
        last = _dot(b, omega * b) + u * u * self.fourth - u * _dot(side_b, q)
        last = np.where(last == 0, 1.0, last)  # labels without variance: whatever w is multiplied by is 0
        of_a = g * b + bp * delta
        of_w = s * b + c * u * delta - u * g * side_b - bq * delta
        more = (M + 1) / M
        determinant = (1 + more * bp) * last + more * bq * bq
        a = (last * of_a - bq * of_w) / determinant
        w = ((1 + more * bp) * of_w + more * bq * of_a) / determinant
        x = delta - more * a
        xx, xw, ww, w_delta = _dot(x, x), _dot(x, w), _dot(w, w), _dot(w, delta)
        A_delta = g * delta + p * _dot(x, delta) - q * w_delta
        A_w = g * w + p * xw - q * ww
        A_a = g * a + p * _dot(x, a) - q * _dot(w, a)
        squares = g * g + p * p * xx + q * q * ww + 2 * (g * (p * x - q * w) - p * q * xw)  # of the rows of A
        s_A = _dot(s, g + p * x - q * w)
        risk = c + _dot(delta, delta) - u * s_A - _dot(b, A_delta) - _dot(s * b, w) - c * u * w_delta
        in_b = (squares.sum(axis=1, keepdims=True) * b + (M + 1) * A_a) / M + u * self.side * A_w + ww * omega * b
        in_u = u * _dot(omega, squares) + _dot(A_w, side_b) + u * ww * self.fourth - s_A - c * w_delta
        return risk[:, 0], 2 * np.concatenate([in_b - A_delta - s * w, in_u], axis=1)


def _dot(one: Array, other: Array) -> Array:
    return np.einsum("kd,kd->k", one, other)[:, None]


def _starts(view: _Reduced) -> Array:
    """The starts of the search for one task, (starts, d+1)."""
    s, delta, c, M = view.s[0], view.delta[0], view.c[0, 0], view.M[0, 0]
    d, unit = len(s), c**0.5 if c > 1e-20 else 1.0
    rows = [np.append(share * delta, 1.0) for share in SHARES]
    softened = s + max(c / M, 1e-30)
    for direction in (delta, s * delta, delta / softened, delta / softened**2):
        if (length := np.linalg.norm(direction)) > 0:
            rows += [np.append(unit * share * direction / length, 1.0) for share in LENGTHS]
            rows.append(np.append(direction / length, 0.0))
    tried = np.unique(np.linspace(0, d - 1, min(d, MOST_SPIKES)).round().astype(int))
    along = np.diag(np.where(delta < 0, -unit, unit))[tried]
    spikes = [
        np.column_stack([share * delta + length * along, np.ones(len(tried))])
        for share in SPIKE_SHARES
        for length in SPIKE_LENGTHS
    ]
    random = np.random.default_rng(0).normal(size=(RANDOM_STARTS, d + 1))  # one set: no level depends on a seed
    random[:, :-1] *= unit * np.geomspace(0.03, 30, RANDOM_STARTS)[:, None]
    return np.concatenate([np.array(rows), *spikes, random])


class _Descent:
    """BFGS with backtracking from many starts at once.

    Args:
        of: the risks as functions of r, one row a start.
        r: the starts, (K, d+1), of any scale.
    """

    def __init__(self, of: _Reduced, r: Array) -> None:
        self.of, self.r = of, r / np.linalg.norm(r, axis=1, keepdims=True)
        self.risk, self.slope = self._at(np.arange(len(r)), self.r)
        size = np.maximum(np.linalg.norm(self.slope, axis=1), 1e-300)
        self.inverse = np.eye(r.shape[1]) / size[:, None, None]
        """Approximate inverse of the Hessian, (K, d+1, d+1)."""

    def keep(self, rows: Array) -> None:
        """Keep the rows of these numbers only."""
        self.of = self.of.take(rows)
        self.r, self.risk, self.slope, self.inverse = (
            part[rows] for part in (self.r, self.risk, self.slope, self.inverse)
        )

    def run(self, steps: int) -> None:
        """Descend from every row, at most `steps` steps."""
        live = np.flatnonzero(np.isfinite(self.risk))
        for _ in range(steps):
            step = -np.einsum("kij,kj->ki", self.inverse[live], self.slope[live])
            fall = np.einsum("ki,ki->k", step, self.slope[live])
            falling = -fall > ENOUGH
            live, step, fall = live[falling], step[falling], fall[falling]
            if not len(live):
                return
            live = self._step(live, step, fall)

    def _step(self, live: Array, step: Array, fall: Array) -> Array:
        """Take a step in the rows that are live; gives those in which it lowered the risk."""
        r, slope, waiting = self.r[live], self.slope[live], np.arange(len(live))
        for halvings in HALVINGS:
            shares = 0.5 ** np.array(halvings)
            tries, rows = len(shares), live[waiting]
            tried = r[waiting, None] + shares[:, None] * step[waiting, None]  # (rows, tries, d+1)
            risk, new_slope = self._at(np.repeat(rows, tries), tried.reshape(-1, r.shape[1]))
            risk, new_slope = risk.reshape(-1, tries), new_slope.reshape(tried.shape)
            lower = risk <= self.risk[rows, None] + 1e-4 * shares * fall[waiting, None]
            first, found = lower.argmax(axis=1), np.flatnonzero(lower.any(axis=1))
            done, first = rows[found], first[found]
            self.r[done], self.risk[done], self.slope[done] = (part[found, first] for part in (tried, risk, new_slope))
            waiting = np.delete(waiting, found)
            if not len(waiting):
                break
        moved = np.delete(np.arange(len(live)), waiting)
        change, bend = self.r[live[moved]] - r[moved], self.slope[live[moved]] - slope[moved]
        along = np.einsum("ki,ki->k", change, bend)
        convex = along > 0
        change, bend, along = change[convex], bend[convex], along[convex, None]
        rows = live[moved[convex]]
        turned = np.einsum("kij,kj->ki", self.inverse[rows], bend)
        left = change * (1 + _dot(bend, turned) / along) / along - turned / along
        self.inverse[rows] += left[:, :, None] * change[:, None, :] - (change / along)[:, :, None] * turned[:, None, :]
        return live[moved]

    def _at(self, rows: Array, r: Array) -> tuple[Array, Array]:
        with np.errstate(all="ignore"):  # r = 0 and steps too far give no number; they count as infinitely bad
            risk, slope = self.of.take(rows).risk_and_slope(r)
        return np.where(np.isfinite(risk) & np.isfinite(slope).all(axis=1), risk, np.inf), slope


def _unwhiten(task: SignalTask, r: torch.Tensor, U: torch.Tensor) -> Effective:
    """r and U as weights on the tokens: u_21 = b − uβ*, U_11 = A − β*u_12ᵀ."""
    inverse, beta_star = task.inverse_root_H, task.beta_star
    u_12 = inverse @ U[-1]
    U_11 = inverse @ U[:-1] @ inverse - torch.outer(beta_star, u_12)
    return Effective(
        g=0 * beta_star,
        r=torch.cat([inverse @ r[:-1] - r[-1] * beta_star, r[-1:]]),
        U=torch.cat([U_11, u_12[None]]),
    )
