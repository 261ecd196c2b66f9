"""The half cosine that rates fall along."""

import pytest

from looped.training.schedule import half_cosine, warmed_up


def test_it_falls_from_one_to_zero_symmetrically_about_the_middle():
    assert half_cosine(0, 7) == 1
    assert half_cosine(7, 7) == pytest.approx(0, abs=1e-15)
    for done in (0.0, 0.1, 0.25, 0.5):
        assert half_cosine(done) + half_cosine(1 - done) == pytest.approx(1)
    assert half_cosine(1, 3) == pytest.approx(0.75)  # cos 60° = ½


def test_the_rate_rises_in_proportion_over_the_warm_up_and_is_the_half_cosine_after_it():
    rates = [warmed_up(step, 1000, 0.01, 4) for step in range(1000)]
    assert [rate / (0.01 * half_cosine(step, 1000)) for step, rate in enumerate(rates[:5])] == pytest.approx(
        [0.25, 0.5, 0.75, 1, 1]
    )
    assert rates[500] == pytest.approx(0.005)
    assert warmed_up(0, 1000, 0.01, 0) == 0.01
