"""Exact moments against known ones and against draws, and the exact optimum against its closed form."""

import math

import pytest
import torch

from looped.training import wishart
from looped.training.evaluate import spectra


@pytest.mark.parametrize(("n", "d"), [(20, 5), (3, 4), (7, 1), (1, 1)])
def test_the_first_moments_are_the_textbook_ones(n, d):
    traces = wishart.moments(n, d, 3)
    assert traces[:3] == (d, n * d, n * d * (n + d + 1))
    assert traces[3] == n * d * (n**2 + d**2 + 3 * n * d + 3 * n + 3 * d + 4)


def test_one_feature_is_a_chi_squared():
    n, order = 6, 20
    assert wishart.moments(n, 1, order) == tuple(math.prod(n + 2 * j for j in range(k)) for k in range(order + 1))


def test_moments_do_not_care_which_side_is_which():
    assert wishart.moments(3, 8, 12)[1:] == wishart.moments(8, 3, 12)[1:]


def test_higher_moments_agree_with_draws():
    generator = torch.Generator().manual_seed(0)
    X = torch.randn(100_000, 6, 3, generator=generator, dtype=torch.float64)
    W = X.mT @ X
    power = W
    for k, expected in enumerate(wishart.moments(6, 3, 4)[1:], start=1):
        assert float(power.diagonal(dim1=1, dim2=2).sum(1).mean()) == pytest.approx(expected, rel=0.01 * k)
        power = power @ W


def test_the_risk_is_what_spectra_show_where_the_tail_is_light():
    eigenvalues, weight = spectra(20, 5, 100_000, seed=1)
    for a, loops in ((0.77, 1), (0.4, 3), (0.2, 10)):
        measured = float((weight * (1 - a * eigenvalues).pow(2 * loops).sum(1)).mean())
        assert wishart.descent_risk(a, loops, 20, 5) == pytest.approx(measured, rel=0.01)


@pytest.mark.parametrize(("n", "d"), [(20, 5), (5, 5), (40, 10)])
def test_the_best_single_step_is_the_closed_form(n, d):
    step, risk = wishart.best_descent(1, n, d)
    assert step == pytest.approx(n / (n + d + 1), abs=1e-5)
    assert risk == pytest.approx(d * (1 - n / (n + d + 1)), rel=1e-9)


@pytest.mark.parametrize(("loops", "step", "risk"), [(3, 0.71, 0.269), (5, 0.66, 0.108), (10, 0.56, 0.0252)])
def test_the_best_step_is_near_what_millions_of_draws_gave(loops, step, risk):
    # At T = 10 six million draws miss part of the tail: the exact risk is 0.0269.
    best, least = wishart.best_descent(loops, 20, 5)
    assert best == pytest.approx(step, abs=0.01)
    assert least == pytest.approx(risk, rel=0.08)
