"""Exact moments against an independent recursion and draws, and the best step against figures known elsewhere."""

import math

import pytest
import torch

from looped.experiments.train.settings import TrainSettings
from looped.training import wishart
from looped.training.stream import PromptStream
from tests.training import exact

SIZES = [(20, 5), (3, 4), (7, 1), (1, 1), (1, 6), (40, 40), (2000, 40)]


@pytest.mark.parametrize(("n", "d"), SIZES)
def test_the_first_moments_are_the_textbook_ones(n, d):
    traces = wishart.moments(n, d, 3)
    assert traces[:3] == (d, n * d, n * d * (n + d + 1))
    assert traces[3] == n * d * (n**2 + d**2 + 3 * n * d + 3 * n + 3 * d + 4)


@pytest.mark.parametrize(("n", "d"), SIZES)
def test_moments_are_those_of_integration_by_parts_over_every_partition(n, d):
    assert wishart.moments(n, d, 16) == exact.moments(n, d, 16)


def test_one_feature_is_a_chi_squared():
    n, order = 6, 60
    assert wishart.moments(n, 1, order) == tuple(math.prod(n + 2 * j for j in range(k)) for k in range(order + 1))


def test_two_features_are_a_chi_squared_and_an_angle():
    # E tr W^k at d = 2 from the joint density of the two eigenvalues: with trace s and r = ((λ₁ − λ₂)/s)², s ~ χ²_{2n}
    # independent of r, whose density is (n−1)/2 (1 − r)^{(n−3)/2}, and λ = s (1 ± √r)/2.
    n, order = 9, 60
    for k, trace in enumerate(wishart.moments(n, 2, order)):
        of_trace = math.prod(2 * n + 2 * j for j in range(k))
        even = [
            math.comb(k, 2 * i) * math.exp(math.lgamma(i + 1) + math.lgamma((n + 1) / 2) - math.lgamma(i + (n + 1) / 2))
            for i in range(k // 2 + 1)
        ]
        assert trace == pytest.approx(of_trace * 2 * math.fsum(even) / 2**k, rel=1e-12)


@pytest.mark.parametrize(("n", "d"), [(3, 8), (20, 5), (1, 40)])
def test_moments_do_not_care_which_side_is_which(n, d):
    assert wishart.moments(n, d, 60)[1:] == wishart.moments(d, n, 60)[1:]


def test_higher_moments_agree_with_draws():
    generator = torch.Generator().manual_seed(0)
    X = torch.randn(100_000, 6, 3, generator=generator, dtype=torch.float64)
    W = X.mT @ X
    power = W
    for k, expected in enumerate(wishart.moments(6, 3, 4)[1:], start=1):
        assert float(power.diagonal(dim1=1, dim2=2).sum(1).mean()) == pytest.approx(expected, rel=0.01 * k)
        power = power @ W


@pytest.mark.parametrize(
    ("loops", "n", "d", "a", "noise"), [(1, 20, 5, 0.7, 0.4), (4, 8, 3, 0.2, 0.0), (6, 20, 5, 0.3, 0.5)]
)
def test_the_risk_is_that_of_gradient_steps_on_rows_drawn_one_by_one(loops, n, d, a, noise):
    B, generator = 40_000, torch.Generator().manual_seed(1)
    X = torch.randn(B, n, d, generator=generator, dtype=torch.float64)
    w_star = torch.randn(B, d, 1, generator=generator, dtype=torch.float64)
    y = X @ w_star + noise * torch.randn(B, n, 1, generator=generator, dtype=torch.float64)
    w = torch.zeros_like(w_star)
    for _ in range(loops):
        w = w - a / n * X.mT @ (X @ w - y)
    squares = (w - w_star).square().sum((1, 2))
    error = float(squares.std()) / B**0.5
    assert abs(wishart.descent_risk(a, loops, n, d, noise) - float(squares.mean())) < 4 * error


@pytest.mark.parametrize(("n", "d", "noise"), [(20, 5, 0.0), (5, 5, 0.0), (40, 10, 0.0), (20, 5, 2.0), (3, 8, 0.7)])
def test_the_best_single_step_is_the_closed_form(n, d, noise):
    step, risk = wishart.best_descent(1, n, d, noise)
    gamma = n / (n + d + 1 + noise**2)
    assert step == pytest.approx(gamma, rel=1e-5)
    assert risk == pytest.approx(d * (1 - gamma), rel=1e-9)


@pytest.mark.parametrize(
    ("loops", "noise", "risk", "step"),
    [
        (3, 0.0, 0.269, 0.71),
        (5, 0.0, 0.108, 0.66),
        (10, 0.0, 0.02692, 0.554),
        (16, 0.0, 0.01042, None),
        (17, 0.0, 0.00926, 0.448),
        (20, 0.0, 0.00678, 0.415),
        (30, 0.0, 0.00331, 0.332),
        (10, 0.1, 0.03004, None),
        (15, 0.5, 0.0937, None),
    ],
)
def test_the_best_step_is_the_one_known_for_20_examples_of_5_features(loops, noise, risk, step):
    best, least = wishart.best_descent(loops, 20, 5, noise)
    assert least == pytest.approx(risk, rel=3e-3)
    assert step is None or best == pytest.approx(step, abs=0.006)


def test_a_step_tuned_on_draws_has_the_true_risk_that_draws_do_not_show():
    assert wishart.descent_risk(0.554, 10, 10, 5) == pytest.approx(727, rel=0.01)
    assert wishart.best_descent(10, 10, 5)[1] == pytest.approx(0.348, rel=2e-3)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("loops", "n", "d", "noise"), [(20, 20, 5, 0.0), (30, 20, 5, 0.5), (30, 5, 5, 0.0), (12, 3, 8, 1.0)]
)
def test_importance_sampling_finds_the_same_risk(loops, n, d, noise):
    # Only λ₁ is multiplied; w* and the noise are integrated out: Σ_k (1 − aλ)^{2T} + σ²/n (1 − (1 − aλ)^T)²/λ.
    step, risk = wishart.best_descent(loops, n, d, noise)
    batch, weight, _ = PromptStream(examples=n, features=d).draw_far(80_000, torch.Generator().manual_seed(2))
    eigenvalues = torch.linalg.eigvalsh(batch.state[:, :d, :d])[:, -min(n, d) :]
    left = (1 - step * eigenvalues) ** loops
    loss = (left.square() + noise**2 / n * (1 - left).square() / eigenvalues).sum(1) + max(0, d - n)
    values = weight * loss
    assert abs(float(values.mean()) - risk) < 4 * float(values.std()) / 80_000**0.5 < 0.1 * risk


@pytest.mark.parametrize("noise", [0.0, 0.3, 10.0])
@pytest.mark.parametrize(("n", "d"), [(1, 1), (1, 40), (20, 5), (2000, 40), (40, 40)])
@pytest.mark.parametrize("loops", [1, 7, 30])
def test_every_size_the_page_offers_has_an_exact_best_step(loops, n, d, noise):
    assert (TrainSettings.table["loops"].high, TrainSettings.table["features"].high) == (30, 40)
    step, least = wishart.best_descent(loops, n, d, noise)
    assert 0 < step < 2
    assert 0 < least < d
    for other in (0.5, 0.9, 0.999, 1.001, 1.1, 2):
        assert wishart.descent_risk(other * step, loops, n, d, noise) >= least
