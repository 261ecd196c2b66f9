"""Exact risks of gradient descent on Gaussian prompts, from the moments of Wishart matrices.

The squared error after T loops is a polynomial of degree 2T in H = XᵀX/n, whose mean a sample hardly shows: rare
prompts with a large λ₁ rule it. Its exact value needs only E tr(W^k), W = XᵀX, a whole number.
"""

from fractions import Fraction
from functools import cache
from math import comb

MOST_LOOPS = 16
"""Largest T: the recursion visits every partition of 2T, and Python's whole numbers are slow."""


@cache
def moments(examples: int, features: int, order: int) -> tuple[int, ...]:
    """E tr(W^k) for k = 0 … `order`, W = XᵀX, X (n, d) of independent N(0, 1).

    Integration by parts, E X_ia f(X) = E ∂f/∂X_ia, on Σ_ia X_ia (X W^{k−1})_ia p for p a product of traces:
    E tr(W^k) p = (n+k−1) E tr(W^{k−1}) p + Σ_{j=0}^{k−2} E tr(W^{j+1}) tr(W^{k−2−j}) p
    + Σ_m 2m E tr(W^{k−1+m}) p/tr(W^m), the last sum over the factors tr(W^m) of p.
    Every term is of degree one less, so it ends at tr(W⁰) = d.

    Source: derived for this project.
    """
    n, d = examples, features

    @cache
    def mean(traces: tuple[int, ...]) -> int:
        """E of the product of tr(W^k) over these k."""
        if not traces:
            return 1
        k, rest = traces[0], traces[1:]
        total = (n + k - 1) * product(k - 1, *rest)
        total += sum(product(j + 1, k - 2 - j, *rest) for j in range(k - 1))
        for i, m in enumerate(rest):
            total += 2 * m * product(k - 1 + m, *rest[:i], *rest[i + 1 :])
        return total

    def product(*traces: int) -> int:
        return d ** traces.count(0) * mean(tuple(sorted(filter(None, traces), reverse=True)))

    return tuple(product(k) for k in range(order + 1))


def descent_risk(step_size: float, loops: int, examples: int, features: int) -> float:
    """E Σ_k (1 − aλ_k)^{2T}, the query risk of A = a·I for Σ = I and w* ~ N(0, I), exact up to the last rounding.

    Args:
        step_size: a.
        loops: T, at most `MOST_LOOPS`.
        examples: n.
        features: d.
    """
    a = Fraction(step_size) / examples
    traces = moments(examples, features, 2 * loops)
    return float(sum(comb(2 * loops, k) * (-a) ** k * trace for k, trace in enumerate(traces)))


@cache
def best_descent(loops: int, examples: int, features: int) -> tuple[float, float]:
    """The step a with the least exact `descent_risk`, and that risk.

    The risk is a mean of even powers of 1 − aλ, so it is convex in a; thirds are cut off the interval (0, 2), in which
    the minimum lies since E λ = 1.
    """
    low, high = 0.0, 2.0
    while high - low > 1e-6:
        left, right = low + (high - low) / 3, high - (high - low) / 3
        if descent_risk(left, loops, examples, features) < descent_risk(right, loops, examples, features):
            high = right
        else:
            low = left
    step = (low + high) / 2
    return step, descent_risk(step, loops, examples, features)
