"""Exact means over Gaussian prompts, by a route of their own: integration by parts over every partition."""

from fractions import Fraction
from functools import cache


@cache
def moments(n, d, order):
    """E tr(W^k) for k = 0 … order, W = XᵀX, X (n, d) of independent 𝓝(0, 1).

    E X_ia f(X) = E ∂f/∂X_ia, used on Σ_ia X_ia (X W^{k−1})_ia p for a product p of traces, gives
    E tr(W^k) p = (n+k−1) E tr(W^{k−1}) p + Σ_{j=0}^{k−2} E tr(W^{j+1}) tr(W^{k−2−j}) p
    + Σ_m 2m E tr(W^{k−1+m}) p/tr(W^m), the last sum over the factors tr(W^m) of p.
    """

    @cache
    def mean(traces):
        if not traces:
            return 1
        k, rest = traces[0], traces[1:]
        total = (n + k - 1) * product(k - 1, *rest)
        total += sum(product(j + 1, k - 2 - j, *rest) for j in range(k - 1))
        for i, m in enumerate(rest):
            total += 2 * m * product(k - 1 + m, *rest[:i], *rest[i + 1 :])
        return total

    def product(*traces):
        return d ** traces.count(0) * mean(tuple(sorted(filter(None, traces), reverse=True)))

    return tuple(product(k) for k in range(order + 1))


def times(p, q):
    """The product of two polynomials, coefficients from the lowest power on."""
    out = [Fraction(0)] * (len(p) + len(q) - 1)
    for i, one in enumerate(p):
        for j, other in enumerate(q):
            out[i + j] += one * other
    return out


def mean_of(polynomial, n, d, traces=None):
    """E Σ_k of a polynomial in the eigenvalues λ_k of W/n."""
    traces = traces or moments(n, d, len(polynomial) - 1)
    return float(sum(c * trace / Fraction(n) ** k for k, (c, trace) in enumerate(zip(polynomial, traces, strict=True))))


def gdpp_square(a, gamma):
    """Π_t (1 − a_t h_t)² with h_0 = λ, h_{t+1} = h_t(1 − γ_t h_t)², as a polynomial in λ."""
    h, left = [Fraction(0), Fraction(1)], [Fraction(1)]
    for step, contraction in zip(a, gamma, strict=True):
        left = times(left, [Fraction(int(k == 0)) - Fraction(step) * c for k, c in enumerate(h)])
        if contraction == 0:
            continue
        factor = [Fraction(int(k == 0)) - Fraction(contraction) * c for k, c in enumerate(h)]
        h = times(h, times(factor, factor))
    return times(left, left)
