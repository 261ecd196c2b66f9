"""A covariance rotated anew in every prompt: exact moments by pairings, limits by moments, and both by each other."""

from decimal import Decimal
from fractions import Fraction
from itertools import pairwise, product
from math import comb, prod

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.stats import chi2

from looped.experiments.beyond import rotated as module
from looped.experiments.beyond.depth import best_step, golden
from looped.experiments.beyond.limit_law import limit_law
from looped.experiments.beyond.rotated import RotatedLoss, Traces, moments
from looped.training.wishart import best_descent


def pairings(places):
    if not places:
        yield []
        return
    first, *others = places
    for k, other in enumerate(others):
        for rest in pairings(others[:k] + others[k + 1 :]):
            yield [(first, other), *rest]


def by_pairings(k, n, lam, more=0):
    """𝔼 tr(Σ^more W^k) by Wick's rule: tr(ZΛZᵀ … ) has 2k factors z_{ij}, 𝔼 z_{ij}z_{i'j'} = 1 where i = i' and j = j'.

    Factor 2r is z of row r and column r, factor 2r+1 z of row r and column r+1, so that a pairing joins the columns and
    the rows that it makes equal: n to the number of joined rows, and Σλ^m over the m columns of each joined column.
    """
    total = Fraction(0)
    for pairs in pairings(list(range(2 * k))):
        rows, columns = list(range(k)), list(range(k))
        for one, other in pairs:
            for names, at in ((rows, (one // 2, other // 2)), (columns, ((one + 1) // 2 % k, (other + 1) // 2 % k))):
                names[:] = [names[at[0]] if name == names[at[1]] else name for name in names]
        powers = [columns.count(name) + more * (columns[0] == name) for name in dict.fromkeys(columns)]
        total += Fraction(n) ** len(set(rows)) * prod(sum(value**power for value in lam) for power in powers)
    return total


@pytest.mark.parametrize(("n", "lam"), [(4, "1 1/2 1/4"), (1, "1 1/3"), (7, "2"), (3, "1 1 1/5 1/7")])
def test_the_moments_are_those_of_all_pairings(n, lam):
    lam = [Fraction(value) for value in lam.split()]
    exact = [Decimal(value.numerator) / value.denominator for value in lam]
    traces, shares = Traces(exact, n, 5), list(moments(exact, n, 5))
    for k in range(1, 6):
        assert float(traces(k)) == pytest.approx(float(by_pairings(k, n, lam)), rel=1e-14)
        assert float(shares[k]) == pytest.approx(float(by_pairings(k, n, lam, 1) / n**k), rel=1e-14)
    assert float(shares[0]) == pytest.approx(float(sum(lam)), rel=1e-14)


@pytest.mark.parametrize(("n", "d"), [(20, 10), (3, 6), (5, 1)])
def test_for_the_identity_the_loss_is_that_of_one_covariance(n, d):
    loss = RotatedLoss(np.ones(d), n, 32)
    for loops in (1, 2, 7, 16, 32):
        step, least = best_descent(loops, n, d)
        assert loss(step, loops) == pytest.approx(least / d, rel=1e-9)
        assert golden(lambda s, L=loops: loss(s, L), 0, loss.longest)[1] == pytest.approx(least / d, rel=1e-6)


def test_for_one_feature_the_loss_is_the_integral_over_chi_square():
    loss = RotatedLoss(np.array([0.3]), 7, 16)
    for loops, step in product((1, 4, 16), (0.5, 2.0, 3.5)):
        mean = quad(lambda x, L=loops, s=step: (1 - s * 0.3 * x / 7) ** (2 * L) * chi2(7).pdf(x), 0, 300, limit=500)
        assert loss(step, loops) == pytest.approx(mean[0], rel=1e-6)


def test_more_digits_change_nothing(monkeypatch):
    lam = np.arange(1, 13.0) ** -2
    shown = RotatedLoss(lam, 9, 32)
    monkeypatch.setattr(module, "DIGITS", 300)
    monkeypatch.setattr(module, "NUDGE", Decimal("1e-90"))
    finer = RotatedLoss(lam, 9, 32)
    for loops, step in product((1, 8, 32), (0.3, 0.8, 3.0)):
        assert shown(step, loops) == pytest.approx(finer(step, loops), rel=1e-13)


@pytest.mark.parametrize("seed", range(3))
def test_the_exact_loss_is_the_mean_over_drawn_prompts_with_rotated_covariances(seed):
    """Loop by loop on tasks of their own, where few loops leave a mean that draws can show."""
    n, d, loops, step, prompts = 12, 4, 3, 0.9, 40_000
    lam = np.arange(1, d + 1) ** -1.5
    generator = np.random.default_rng(seed)
    Q, _ = np.linalg.qr(generator.standard_normal((prompts, d, d)))
    sigma = (Q * lam) @ Q.transpose(0, 2, 1)
    X = generator.standard_normal((prompts, n, d)) * np.sqrt(lam) @ Q.transpose(0, 2, 1)
    w_star = generator.standard_normal((prompts, d))
    y, w = np.einsum("bnd,bd->bn", X, w_star), np.zeros((prompts, d))
    for _ in range(loops):
        w = w - step * np.einsum("bnd,bn->bd", X, np.einsum("bnd,bd->bn", X, w) - y) / n
    losses = np.einsum("bi,bij,bj->b", w - w_star, sigma, w - w_star) / lam.sum()
    assert abs(losses.mean() - RotatedLoss(lam, n, loops)(step, loops)) < 4 * losses.std() / prompts**0.5


def catalan_like(lam, n, order):
    """lim 𝔼 tr(ΣΣ̂^k)/tr Σ, k = 0 … `order`, by the free cumulants n^(1−k) tr Σ^k of tr Σ̂^k/n, n and d → ∞ together.

    The moments m_k of the companion ZΣZᵀ/n obey m(z) = 1 + Σ_k κ_k (z m(z))^k, and tr(ΣΣ̂^k) is k^(−1) times their
    change for a Σ that changes by Σ²: here by a difference quotient of polynomials in ε, to first order.
    """

    def companion(eps):
        cumulants = [sum((x * (1 + eps * x)) ** k for x in lam) / n for k in range(1, order + 1)]
        m = np.zeros(order + 1)
        m[0] = 1
        for _ in range(order):
            zm, power, new = np.append(0, m[:-1]), np.append(1, np.zeros(order)), np.append(1, np.zeros(order))
            for cumulant in cumulants:
                power = np.convolve(power, zm)[: order + 1]
                new = new + cumulant * power
            m = new
        return m

    change = (companion(1e-5) - companion(-1e-5)) / 2e-5
    return np.array([1.0, *(n * change[k] / k / sum(lam) for k in range(1, order + 1))])


@pytest.mark.parametrize(("n", "lam"), [
    (20, 1 / np.arange(1, 11)), (5, 1 / np.arange(1, 11)), (64, np.arange(1, 33) ** -1.5), (40, np.array([1.0, 0.01])),
    (3, np.array([1.0])), (2000, np.array([1.0, 0.9, 0.5])), (1, np.geomspace(1, 1e-4, 40)), (10, 1 / np.arange(1, 11)),
], ids=str)  # fmt: skip
def test_the_limit_law_has_the_moments_of_free_probability(n, lam):
    z, weights = limit_law(lam, n)
    assert (weights >= 0).all()
    assert (z >= 0).all()
    for k, moment in enumerate(catalan_like(lam, n, 6)):
        assert (weights * z**k).sum() == pytest.approx(moment, rel=1e-6, abs=1e-7), k


def test_the_limit_law_of_the_identity_is_marchenko_and_pasturs():
    for n in (1, 2, 4, 8, 200):
        z, weights = limit_law(np.ones(4), n)
        g = 4 / n
        assert z.max() == pytest.approx((1 + g**0.5) ** 2, rel=1e-5)
        assert z[:-1].min() == pytest.approx((1 - g**0.5) ** 2, rel=1e-5, abs=1e-5)
        assert weights[-1] == pytest.approx(max(0, 1 - n / 4), abs=1e-9)
        for k in range(1, 6):  # Narayana's numbers
            moment = sum(comb(k, r) * comb(k, r + 1) / k * g**r for r in range(k))
            assert (weights * z**k).sum() == pytest.approx(moment, rel=1e-9)


def test_the_exact_losses_of_copies_of_a_spectrum_approach_the_limit_like_one_over_d():
    lam = 1 / np.arange(1, 11)
    z, weights = limit_law(lam, 20)
    for loops in (1, 2, 4):
        _, limit = best_step(z[None], weights[None], loops)
        away = []
        for copies in (1, 2, 4, 8):
            loss = RotatedLoss(np.repeat(lam, copies), 20 * copies, loops)
            away.append(golden(lambda s, L=loops, of=loss: of(s, L), 0, loss.longest)[1] - limit)
        assert all(0.45 < more / less < 0.65 for less, more in pairwise(away)), away
        assert away[-1] > 0


def test_with_many_examples_the_limit_is_that_of_infinitely_many():
    lam = np.arange(1, 6.0) ** -1
    z, weights = limit_law(lam, 10**6)
    for loops in (1, 4, 16):
        least = minimize_scalar(
            lambda s, L=loops: (lam * (1 - s * lam) ** (2 * L)).sum() / lam.sum(), bounds=(0.5, 2.5), method="bounded"
        )
        assert best_step(z[None], weights[None], loops)[1] == pytest.approx(least.fun, rel=0.01)


@pytest.mark.parametrize("kappa", [1.0, 3.0, 1e4])
@pytest.mark.parametrize("d", [1, 2, 10, 64])
@pytest.mark.parametrize("n", [1, 7, 64, 2000])
def test_the_weights_of_the_limit_law_add_up_to_one_and_its_first_moments_are_right(n, d, kappa):
    lam = np.arange(1, d + 1) ** -(np.log(kappa) / np.log(d) if d > 1 else 0.0)
    z, weights = limit_law(lam, n)
    one, two, three = (np.sum(lam**k) for k in (1, 2, 3))
    assert weights.sum() == pytest.approx(1, abs=1e-5)
    assert (weights * z).sum() == pytest.approx(two / one, rel=1e-6)
    assert (weights * z * z).sum() == pytest.approx((three + one * two / n) / one, rel=1e-6)
