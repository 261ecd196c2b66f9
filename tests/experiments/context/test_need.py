"""The number of examples needed: measured, from the rate, and by the exponential requirement."""

import itertools
import math

import numpy as np
import pytest

from looped import theory
from looped.experiments.context import ContextSettings, sweep
from looped.experiments.context.result import needed_ratio
from tests.thorough import thorough_but

RATIOS = (2, 2.4, 2.6, 2.8, 3, 3.2, 3.4, 3.6, 4, 5)


def needed_at(features, prompts, seed=0):
    """The measured n/d for a median error of 1e-3 after 50 loops with η = 1/λ₁."""
    settings = ContextSettings(features=features, loops=50, prompts=prompts, ratios=RATIOS, seed=seed)
    return sweep(settings).needed_ratio(1e-3)[50]


def test_the_number_of_examples_for_a_target_stays_bounded_as_d_doubles():
    assert all(2.5 < needed_at(features, 24) < 3.6 for features in (10, 20, 40, 80))


@pytest.mark.parametrize("step_size", ["auto", "optimal"])
@pytest.mark.parametrize(
    ("ratio", "loops"), thorough_but(lambda ratio, _: ratio == 0.5, [(0.5, 4), (1, 8), (3.38, 50), (20, 3)])
)
def test_the_limit_of_large_d_is_that_of_a_large_prompt(ratio, loops, step_size):
    """The mean of (1 − ηλ)^{2T} over the eigenvalues of one prompt with d = 1000."""
    n = round(1000 * ratio)
    X = np.random.default_rng(1).standard_normal((n, 1000))
    values = np.linalg.svd(X, compute_uv=False) ** 2 / n
    eta = 1 / values[0] if step_size == "auto" else 2 / (values[0] + values[-1])
    squared = (((1 - eta * values) ** (2 * loops)).sum() + 1000 - len(values)) / 1000
    error = theory.limit_error(ratio, np.array([loops]), step_size)[0]
    assert error == pytest.approx(np.sqrt(squared), rel=0.1)


@pytest.mark.parametrize(("loops", "optimum"), [(1, 0.5), (2, 0.375), (4, 35 / 128)])
def test_the_limit_at_n_equal_to_d_is_the_central_binomial_share(loops, optimum):
    """At n = d and η = 1/λ₁ = 1/4, λ = 4cos²φ: E(1 − cos²φ)^{2T} with weight 2sin²φ/π·dφ, C(4T+2, 2T+1)/4^{2T+1}·2."""
    expected = 2 * math.comb(4 * loops + 2, 2 * loops + 1) / 4 ** (2 * loops + 1)
    assert theory.limit_error(1, np.array([loops]), "auto")[0] ** 2 == pytest.approx(expected, rel=1e-6)
    best = min(_relative_loss(1 / eta, loops) for eta in np.linspace(0.5, 4, 400))
    assert best == pytest.approx(optimum, rel=1e-3)  # C(2L, L)/4^L, the best single step: the same law


def _relative_loss(inverse, loops):
    phi = (np.arange(4000) + 0.5) * np.pi / 2 / 4000
    return float(
        (4 / np.pi * np.sin(phi) ** 2 * (1 - 4 * np.cos(phi) ** 2 / inverse) ** (2 * loops)).mean() * np.pi / 2
    )


@pytest.mark.parametrize(("step_size", "ratio"), [("auto", 3.38), ("optimal", 2.33)])
def test_the_limit_of_the_need_is_where_the_limit_of_the_error_meets_the_target(step_size, ratio):
    found = theory.limit_ratio(50, 1e-3, step_size)
    assert found == pytest.approx(ratio, abs=0.005)
    for loops, target in itertools.product((1, 10, 10_000), (0.9, 1e-3, 1e-12)):
        at = theory.limit_ratio(loops, target, step_size)
        assert theory.limit_error(at * 1.001, np.array([loops]), step_size)[0] < target
        assert theory.limit_error(at * 0.999, np.array([loops]), step_size)[0] > target


def test_the_measured_need_comes_near_its_limit_as_d_grows():
    limit = theory.limit_ratio(50, 1e-3, "auto")
    gaps = [limit - needed_at(features, 48) for features in (10, 20, 80)]
    assert gaps == sorted(gaps, reverse=True)
    assert 0 < gaps[-1] < 0.2


@pytest.mark.slow
@pytest.mark.parametrize(("rows", "step_size"), [("gaussian", "auto"), ("gaussian", "optimal"), ("student", "auto")])
def test_the_need_of_the_readme_over_twenty_seeds_and_four_thousand_prompts(rows, step_size):
    """Prints its rows: lowest and highest need for 1e-3 over the seeds, for the median prompt and for 9 of 10."""
    loops = [5, 7, 10, 15, 20, 30, 50, 200]
    for seeds, prompts in ((range(20), 64), (range(4), 1000)):
        settings = ContextSettings(rows=rows, step_size=step_size, prompts=prompts)
        results = [sweep(settings.replace(seed=seed)) for seed in seeds]
        for quantile, name in ((1, "median"), (2, "9 of 10")):
            need = np.array([result.needed_ratio(1e-3, quantile)[loops] for result in results])
            low, high = need.min(axis=0).round(2).tolist(), need.max(axis=0).round(2).tolist()
            print(
                f"{rows}, {step_size}, {len(seeds)} seeds of {prompts} prompts, {name}:",
                *zip(loops, low, high, strict=True),
            )
            known = {"gaussian-auto": (2.75, 3.6), "gaussian-optimal": (2.04, 2.6), "student-auto": (4.15, 9.45)}
            expected = known[f"{rows}-{step_size}"][quantile - 1]
            assert low[6] <= expected <= high[6]
            assert high[6] - low[6] < (0.05 if prompts == 1000 else 1) * expected


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
