"""The exact mean loss of descent with one step where every prompt has its covariance rotated anew.

With rows x ~ 𝓝(0, Σ), Σ̂ = XᵀX/n, tasks 𝓝(0, I) and one number η as the step a rotation of Σ changes no mean, and the
loss relative to the answer 0 is 𝔼 tr(Σ(I − ηΣ̂)^2L)/tr Σ, a polynomial of degree 2L in η. Its coefficients are moments
of Wishart's law with the covariance Σ.
"""

from decimal import Decimal, localcontext
from functools import cache
from math import comb, factorial

import numpy as np

DIGITS = 120
"""Decimal digits of the sums, whose terms cancel: at 32 loops some 50 of them."""
NUDGE = Decimal("1e-40")
"""Relative change of Σ for a derivative, whose error is of the order of its square."""


class RotatedLoss:
    """The loss after up to `loops` loops, exact but for rounding.

    Args:
        eigenvalues: λ of Σ, (d,).
        examples: n.
        loops: the largest L.
    """

    def __init__(self, eigenvalues: np.ndarray, examples: int, loops: int) -> None:
        values = [Decimal(value) for value in eigenvalues.tolist()]
        with localcontext(prec=DIGITS):
            self.shares = [moment / sum(values) for moment in moments(values, examples, 2 * loops)]

    def __call__(self, step: float, loops: int) -> float:
        """The loss after L loops with the step η."""
        with localcontext(prec=DIGITS):
            total = Decimal(0)
            for j in range(2 * loops, -1, -1):
                total = comb(2 * loops, j) * self.shares[j] - Decimal(step) * total
            return float(total)

    @property
    def longest(self) -> float:
        """A step with which no loss is below 1: Jensen's inequality, (1 − η𝔼λ)^2L ≥ 1 from η = 2/𝔼λ on."""
        return float(2 / self.shares[1])


def moments(eigenvalues: list[Decimal], examples: int, order: int) -> list[Decimal]:
    """𝔼 tr(ΣΣ̂^k) for k = 0 … `order`.

    It is the derivative of 𝔼 tr(Σ̂^k)/k for a Σ that changes by Σ²; here a symmetric difference.
    """
    with localcontext(prec=DIGITS):
        up, down = (
            Traces([value * (1 + nudge * value) for value in eigenvalues], examples, order) for nudge in (NUDGE, -NUDGE)
        )
        changes = (up(k) - down(k) for k in range(1, order + 1))
        scale = [2 * NUDGE * k * Decimal(examples) ** k for k in range(1, order + 1)]
        return [sum(eigenvalues, Decimal(0)), *(change / by for change, by in zip(changes, scale, strict=True))]


class Traces:
    """𝔼 tr(W^k) of W = XᵀX, X (n, d) with rows 𝓝(0, Σ), with the digits of the context.

    tr(W^k) = Σ_λ 2k Π'_s c(s) / Π_s (2a(s) + l(s) + 2) · P_λ(W) over the partitions λ = (a, b, 1, …, 1) of k, with
    Jack's polynomials P_λ at α = 2 (zonal ones but for a factor), 𝔼 P_λ(W) = Π_s (n + c(s)) P_λ(Σ), c(s) as in
    `looped.training.wishart`, and a(s), l(s) a cell's arm and leg. P of two rows are sums of products g_i g_j; with
    c ones below they follow from e_c P_(a,b) by Pieri's rule. Here Σ g_k tᵏ = det(1 − tΣ)^(−½) and
    Σ e_k tᵏ = det(1 + tΣ).

    Source: Macdonald, Symmetric Functions and Hall Polynomials (1995), VI.6, VI.7 and VI.10; Jing and Józefiak (1992)
    for two rows. The sum over them is derived for this project.

    Args:
        eigenvalues: λ of Σ.
        examples: n.
        order: the largest k.
    """

    def __init__(self, eigenvalues: list[Decimal], examples: int, order: int) -> None:
        self.n, self.d = examples, len(eigenvalues)
        powers = [sum(value**k for value in eigenvalues) for k in range(1, order + 1)]
        self.g, self.e = [Decimal(1)], [Decimal(1)]
        for k in range(1, order + 1):
            self.g.append(sum(powers[j] * self.g[k - 1 - j] for j in range(k)) / Decimal(2 * k))
            signed = sum((-1) ** j * powers[j] * self.e[k - 1 - j] for j in range(k))
            self.e.append(signed / Decimal(k) if k <= self.d else Decimal(0))
        self.first, self.second, self.below = self._weights(order)
        self._two: dict[tuple[int, int], Decimal] = {}

    def _weights(self, order: int) -> tuple[list[Decimal], list[Decimal], list[Decimal]]:
        """Products of c, without c = 0, times n + c: of the first row, of the second, and of the column below them."""
        rows = []
        for start in (0, -1):
            row = [Decimal(1)]
            for j in range(order):
                c = 2 * j + start
                row.append(row[-1] * (c or 1) * (self.n + c))
            rows.append(row)
        column = [Decimal(1)]
        for i in range(2, order + 2):
            column.append(column[-1] * -i * (self.n - i))
        return rows[0], rows[1], column

    def __call__(self, k: int) -> Decimal:
        """𝔼 tr(W^k), k at least 1."""
        total = self.first[k] * self.g[k] / _double(2 * k - 1)  # λ = (k)
        found: dict[tuple[int, int, int], Decimal] = {}
        for c in range(min(self.d, k) - 1 if self.d > 1 else 0):
            for b in range(1, (k - c) // 2 + 1):
                a = k - c - b
                found[a, b, c] = P = self._jack(a, b, c, found)
                total += self.first[a] * self.second[b] * self.below[c] * P / _upper(a, b, c)
        return 2 * k * total

    def _jack(self, a: int, b: int, c: int, found: dict[tuple[int, int, int], Decimal]) -> Decimal:
        """P of (a, b, 1ᶜ) from those with fewer ones below two rows."""
        left = self._two_rows(a, b)
        if c == 0:
            return left
        left *= self.e[c]
        left -= _ratio(b - 1, c - 1, 0) * found[a + 1, b, c - 1]
        if b < a:
            left -= _ratio(a - 1, c, 1) * _ratio(a - b - 1, 1, 0) * found[a, b + 1, c - 1]
        if c > 1:
            left -= found[a + 1, b + 1, c - 2]
        return left / (_ratio(a - 1, 1 + c, 1) * _ratio(b - 1, c, 0))

    def _two_rows(self, a: int, b: int) -> Decimal:
        """P of (a, b)."""
        if (a, b) in self._two:
            return self._two[a, b]
        m, total, factor = a - b, self.g[a] * self.g[b], Decimal(1)
        for i in range(1, b + 1):
            factor *= (Decimal(i) - Decimal("1.5")) / (m + i + Decimal("0.5"))
            ways = Decimal(comb(m + i - 1, i - 1)) / i
            total += factor * ways * (m + 2 * i) * self.g[a + i] * self.g[b - i]
        self._two[a, b] = total * _upper(a, b, 0) / _lower(a, b)
        return self._two[a, b]


def _ratio(arm: int, leg: int, before: int) -> Decimal:
    """(2a + l + 1)/(2a + l + 2) of a cell, over that with another leg."""
    return Decimal((2 * arm + leg + 1) * (2 * arm + before + 2)) / ((2 * arm + leg + 2) * (2 * arm + before + 1))


def _double(k: int) -> int:
    """k!! = k (k − 2) … 1 of an odd k; 1 for −1."""
    return factorial(k + 1) // (2 ** ((k + 1) // 2) * factorial((k + 1) // 2))


@cache
def _upper(a: int, b: int, c: int) -> int:
    """Π_s (2a(s) + l(s) + 2) of (a, b, 1ᶜ)."""
    column = (2 * a + c + 1) * (2 * b + c) * factorial(c + 1)
    rows = factorial(b - 1) * factorial(a - b) * 2 ** (a - 1)
    return column * rows * (_double(2 * a - 1) // _double(2 * (a - b) + 1))


def _lower(a: int, b: int) -> int:
    """Π_s (2a(s) + l(s) + 1) of (a, b)."""
    return _double(2 * b - 1) * _double(2 * (a - b) - 1) * 2**b * (factorial(a) // factorial(a - b))
