"""The exact mean risk of T gradient steps of one size over Gaussian prompts.

The risk of T loops is the mean of a polynomial of degree 2T in the eigenvalues of XᵀX/n. A sample hardly shows it: rare
prompts with a large λ₁ dominate it. Its exact value needs only the moments 𝔼 tr(W^k) of W = XᵀX, which are whole
numbers.
"""

from fractions import Fraction
from functools import lru_cache
from math import comb, factorial

ACCURACY = 1e-6
"""Relative accuracy of the best step."""


@lru_cache(maxsize=256)
def moments(examples: int, features: int, order: int) -> tuple[int, ...]:
    """𝔼 tr(W^k) for k = 0 … `order`, W = XᵀX, X (n, d) of independent 𝓝(0, 1)."""
    return (features, *(_moment(examples, features, k) for k in range(1, order + 1)))


def _moment(n: int, d: int, k: int) -> int:
    """𝔼 tr(W^k), k at least 1.

    tr(W^k) = Σ_λ 2k Π'_s c(s) / H(2λ) · Z_λ(W) over the partitions λ of k, with zonal polynomials Z_λ and
    𝔼 Z_λ(W) = Π_s (n + c(s)) (d + c(s)). The cell s in row i and column j, from 0, has c(s) = 2j − i; Π' leaves out
    the first cell; H is the product of the hook lengths. Π' is 0 if λ holds the cell (2, 1), where c = 0, so only
    λ = (a, b, 1, …, 1) counts.

    Source: Macdonald, Symmetric Functions and Hall Polynomials (1995), VI.10 and VII.2; Hanlon, Stanley and Stembridge
    (1992).
    """
    first, second = _products(n, d, 0, k), _products(n, d, -1, k)  # of the cells of a row, from its left end
    column = [(1, 1)]  # of the cells of the first column from the third row on
    for i in range(2, k):
        column.append(_times(column[-1], (-i, (n - i) * (d - i))))
    total = Fraction(first[k][0] * first[k][1], factorial(2 * k))  # λ = (k)
    for b in range(1, k // 2 + 1):
        for a in range(b, k - b + 1):
            c = k - a - b
            signs, values = _times(_times(first[a], second[b]), column[c])
            hooks = (2 * a + c) * (2 * a + c + 1) * (2 * b + c - 1) * (2 * b + c)
            hooks *= factorial(2 * a - 1) * factorial(2 * b - 2) * factorial(c) * factorial(c + 1)
            total += Fraction(signs * values * (2 * (a - b) + 1), hooks)
    return int(2 * k * total)


def _products(n: int, d: int, offset: int, most: int) -> list[tuple[int, int]]:
    """Products of c, without c = 0, and of (n + c)(d + c) over the first 0, 1, … cells of a row, c from `offset` on."""
    products = [(1, 1)]
    for j in range(most):
        c = 2 * j + offset
        products.append(_times(products[-1], (c or 1, (n + c) * (d + c))))
    return products


def _times(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return one[0] * other[0], one[1] * other[1]


@lru_cache(maxsize=256)
def _coefficients(loops: int, examples: int, features: int, noise: float) -> tuple[tuple[int, ...], int]:
    """Coefficients of the powers of a/n in `descent_risk`, whole numbers over a common denominator.

    Noise adds σ²/n · 𝔼 Σ_k (1 − (1 − aλ_k)^T)²/λ_k, a polynomial of degree 2T − 1 in λ.
    """
    T, (variance, below) = loops, (Fraction(noise) ** 2).as_integer_ratio()
    traces = moments(examples, features, 2 * T)
    risk = [(-1) ** j * comb(2 * T, j) * trace * below for j, trace in enumerate(traces)]
    for j in range(2, 2 * T + 1):
        squared = (-1) ** j * (comb(2 * T, j) - 2 * comb(T, j))  # of (1 − (1 − x)^T)²
        risk[j] += variance * squared * traces[j - 1]
    return tuple(risk), below


def descent_risk(step_size: float, loops: int, examples: int, features: int, noise: float = 0.0) -> float:
    """𝔼‖w_T − w*‖² of T gradient steps, the query risk of A = a·I for Σ = I and w* ~ 𝓝(0, I); exact but for rounding.

    Args:
        step_size: a, the step size.
        loops: T, the number of loops.
        examples: n, the number of examples.
        features: d, the number of features.
        noise: σ, the standard deviation of the noise on the examples' labels.
    """
    (a, below), total, scale = float(step_size).as_integer_ratio(), 0, 1
    below *= examples  # a/n as a fraction; whole numbers are summed, and divided once
    coefficients, common = _coefficients(loops, examples, features, noise)
    for coefficient in reversed(coefficients):
        total = coefficient * scale + a * total
        scale *= below
    scale = scale // below * common
    return total / scale if total < 10**300 * scale else float("inf")


@lru_cache(maxsize=256)
def best_descent(loops: int, examples: int, features: int, noise: float = 0.0) -> tuple[float, float]:
    """The step a with the least `descent_risk`, and that risk.

    Without noise the risk is a mean of even powers of 1 − aλ, convex in a, and its minimum lies below 2 since 𝔼 λ = 1.
    With noise it need not be convex, so a grid with four steps to each factor 2 comes first.

    The interval is then cut by thirds. The bounded search of scipy.optimize takes 0.7 of the time and finds the same
    risk to 1e-12, but a step that differs by up to 3e-7, so the arrays of a run would differ from those stored and
    exported (`benchmarks/searches.py`).
    """

    def risk(step: float) -> float:
        return descent_risk(step, loops, examples, features, noise)

    grid = [2.0 ** (1 - i / 4) for i in range(100)]
    place = min(range(len(grid)), key=lambda i: risk(grid[i]))
    low, high = grid[min(place + 1, len(grid) - 1)], grid[max(place - 1, 0)]
    while high - low > ACCURACY * high:
        left, right = low + (high - low) / 3, high - (high - low) / 3
        if risk(left) < risk(right):
            high = right
        else:
            low = left
    step = (low + high) / 2
    return step, risk(step)
