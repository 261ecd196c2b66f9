"""How many examples are needed: measured, from the rate, and by the exponential requirement."""

import math

import numpy as np
import pytest

from looped import theory
from looped.experiments.context import ContextSettings, sweep
from looped.experiments.context.result import needed_ratio

RATIOS = (2, 2.4, 2.6, 2.8, 3, 3.2, 3.4, 3.6, 4, 5)


def needed_at(features, prompts, seed=0):
    """The measured n/d for a median error of 1e-3 after 50 loops with η = 1/λ₁."""
    settings = ContextSettings(features=features, loops=50, prompts=prompts, ratios=RATIOS, seed=seed)
    return sweep(settings).needed_ratio(1e-3)[50]


def test_the_number_of_examples_for_a_target_stays_bounded_as_d_doubles():
    assert all(2.5 < needed_at(features, 24) < 3.6 for features in (10, 20, 40, 80))


@pytest.mark.slow
def test_the_number_of_examples_for_a_target_stays_bounded_up_to_d_160():
    needed = {features: needed_at(features, 64) for features in (10, 20, 40, 80, 160)}
    print({features: round(float(ratio), 2) for features, ratio in needed.items()})
    assert all(2.5 < ratio < 3.6 for ratio in needed.values())
    assert needed[160] - needed[80] < 0.25


def test_the_needed_ratio_is_the_same_for_other_prompts():
    assert needed_at(10, 64, seed=1) == pytest.approx(needed_at(10, 64, seed=2), rel=0.1)


def test_the_needed_ratio_falls_with_more_loops_and_is_unknown_where_none_is_enough():
    result = sweep(ContextSettings())
    needed, most = result.needed_ratio(1e-3), result.needed_ratio(1e-3, 2)
    assert np.isnan(needed[:4]).all()
    assert needed[10] > needed[20] > needed[50] > needed[200] > 1
    assert (most[20:] > needed[20:]).all()


def test_the_needed_ratio_is_interpolated_on_log_axes():
    errors = np.array([[1e-1, 1e-1, 1e-5, 1e-2], [1e-3, 1e-2, 1e-6, 1e-4], [1e-5, 1e-2, 1e-7, 1e-1]])
    needed = needed_ratio(np.array([1.0, 4.0, 16.0]), errors, 1e-2)
    np.testing.assert_allclose(needed[[0, 1]], [2, 4])
    assert needed[2] == 1  # already the smallest is enough
    assert np.isnan(needed[3])  # reached, and lost again at a larger n/d


@pytest.mark.parametrize(("ratio", "kappa"), [(2, 33.97), (4, 9.0), (20, 2.48), (0.25, 9.0)])
def test_the_marchenko_pastur_values_are_those_of_the_formula(ratio, kappa):
    assert theory.marchenko_pastur_condition_number(ratio) == pytest.approx(kappa, abs=0.01)


def test_as_many_examples_as_features_have_no_finite_asymptotic_condition_number():
    assert theory.marchenko_pastur_condition_number(1) == float("inf")


@pytest.mark.parametrize(("loops", "features"), [(1, 1), (2, 10), (5, 3)])
def test_the_exponential_requirement_is_its_formula(loops, features):
    exact = 64 * loops**2 * features**4 * 8 ** (4 * loops)
    assert 10 ** theory.exponential_requirement(loops, features) == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize(("loops", "features"), [(1, 1), (3, 10), (20, 7)])
def test_at_the_exponential_requirement_the_theorems_constant_is_one(loops, features):
    log_n = theory.exponential_requirement(loops, features) * math.log(10)
    delta = math.exp((math.log(8 * loops * features) - log_n / 2) / (2 * loops))
    assert 8 * delta * features ** (1 / (2 * loops)) == pytest.approx(1, rel=1e-9)


@pytest.mark.parametrize("step_size", ["auto", "optimal"])
@pytest.mark.parametrize(("loops", "target"), [(1, 0.5), (20, 1e-3), (50, 1e-3), (10_000, 0.9), (50, 1e-12)])
def test_the_rate_at_the_kappa_of_the_sufficient_ratio_gives_the_target(loops, target, step_size):
    ratio = theory.sufficient_ratio(loops, target, step_size)
    kappa = theory.marchenko_pastur_condition_number(ratio)
    rate = 1 - 1 / kappa if step_size == "auto" else (kappa - 1) / (kappa + 1)
    assert ratio > 1
    assert rate**loops == pytest.approx(target, rel=1e-6)


def test_in_high_dimension_the_measured_need_stays_below_the_rates_figure():
    """The rate counts the slowest mode alone; w* has only part of its length there."""
    assert 0.5 < needed_at(80, 8) / theory.sufficient_ratio(50, 1e-3, "auto") < 1
