"""What the lessons of the second page claim, measured."""

import numpy as np
import pytest

from looped import theory
from looped.experiments.context import ContextSettings, estimate, sweep
from looped.lessons import CONTEXT, by_key

LESSONS = by_key(CONTEXT)


def run(key, **changes):
    return sweep(ContextSettings(**{**LESSONS[key].settings, **changes}))


def needed(result, quantile=1):
    return result.needed_ratio(1e-3, quantile)[result.settings.shown]


@pytest.fixture(scope="module", name="default")
def fixture_default():
    return run("three-per-feature")


def test_the_first_lesson_is_the_default_and_all_run_at_once():
    assert ContextSettings(**CONTEXT[0].settings) == ContextSettings()
    assert len(LESSONS) == len(CONTEXT)
    assert all(estimate(ContextSettings(**lesson.settings)) < 0.6 for lesson in CONTEXT)


def test_three_per_feature_are_enough(default):
    assert needed(default) == pytest.approx(2.8, abs=0.3)
    assert theory.exponential_requirement(50, 10) > 200 * np.log10(8)


def test_more_loops_need_fewer_examples_and_never_less_than_one_per_feature():
    assert 1 < needed(run("more-loops")) < 1.6
    step = theory.exponential_requirement(101, 10) - theory.exponential_requirement(100, 10)
    assert step == pytest.approx(3.6, abs=0.05)


def test_dimension_needs_the_same_ratio(default):
    assert needed(run("dimension")) == pytest.approx(3.0, abs=0.3)
    middle = list(default.ratio).index(4)
    assert np.median(run("dimension").kappa[middle]) > np.median(default.kappa[middle])


def test_too_few_examples_leave_a_floor_and_kappa_is_worst_at_n_equal_to_d():
    result = run("too-few")
    under = result.ratio < 1
    np.testing.assert_allclose((result.floor[under] ** 2).mean(axis=1), 1 - result.ratio[under], atol=0.05)
    kappa = dict(zip(result.ratio.tolist(), np.median(result.kappa, axis=1), strict=True))
    assert max(kappa, key=kappa.get) == 1
    assert max(kappa[0.5], kappa[2]) < kappa[1] / 10


def test_heavy_tails_need_more_and_most_prompts_much_more(default):
    result = run("heavy-tails")
    assert needed(result) == pytest.approx(4, abs=0.5)
    assert needed(result, 2) == pytest.approx(8, abs=1.5)
    assert needed(default, 2) == pytest.approx(3.4, abs=0.3)
    assert len(result.ruled_by_few(50)) > len(default.ruled_by_few(50))


def test_one_step_for_all_diverges_where_examples_are_few():
    result = run("one-step-for-all")
    diverging = (result.growth > 2).sum(axis=1)
    assert diverging[0] > 40
    assert (diverging[result.ratio > 3] == 0).all()
    place = int(np.flatnonzero(diverging == 4)[0])
    assert result.mean[place, 50] > 10 * result.median[place, 50]


def test_correlated_rows_keep_the_condition_number_of_their_covariance():
    result = run("correlated")
    assert np.median(result.kappa[-1]) == pytest.approx(10.6, abs=0.8)
    assert np.isnan(needed(result))
