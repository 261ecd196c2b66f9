"""Cells of the sweep over n/d, compared with gradient descent written out here."""

import numpy as np
import pytest

from looped import theory
from looped.experiments.context import ContextSettings, sweep
from looped.experiments.context.cells import draw_prompts
from looped.experiments.context.sweep import Run, groups

ALL_ROWS = ("gaussian", "student", "rademacher", "correlated")


def draw(settings, n):
    return draw_prompts(settings, n, range(settings.prompts))


def run_cell(settings, n):
    *_, cell = Run(settings, n).make()
    return cell


@pytest.mark.parametrize("rows", ALL_ROWS)
@pytest.mark.parametrize("n", [4, 12, 30])
def test_a_cell_is_gradient_descent_on_its_rows(rows, n):
    settings = ContextSettings(features=8, loops=25, prompts=3, rows=rows, seed=5)
    cell, batch = run_cell(settings, n), draw(settings, n)
    for b in range(3):
        X, y, w_star = batch.X[b].numpy(), batch.y[b].numpy(), batch.w_star[b].numpy()
        values = np.linalg.svd(X, compute_uv=False) ** 2 / n
        assert cell.kappa[b] == pytest.approx(values[0] / values[min(n, 8) - 1], rel=1e-8)
        assert cell.growth[b] == pytest.approx(1)
        w_ref, w = np.linalg.pinv(X) @ y, np.zeros(8)
        assert cell.floor[b] == pytest.approx(np.linalg.norm(w_ref - w_star), abs=1e-12)
        for t in range(26):
            distance = np.linalg.norm(w - w_ref) / np.linalg.norm(w_ref)
            assert cell.error[t, b] == pytest.approx(distance, rel=1e-6, abs=1e-12)
            assert cell.task_error[t, b] == pytest.approx(np.linalg.norm(w - w_star), rel=1e-6, abs=1e-12)
            w = w - X.T @ (X @ w - y) / n / values[0]


@pytest.mark.parametrize("rows", ALL_ROWS)
def test_rows_have_variance_one_on_average(rows):
    X = draw(ContextSettings(features=5, prompts=400, rows=rows), 100).X.numpy()
    if (
        rows == "student"
    ):  # the mean square of so heavy a tail settles too slowly; quartiles of t with ν = 3 are ±0.7649
        assert np.median(np.abs(X)) == pytest.approx(0.7649 / np.sqrt(3), rel=0.02)
        assert np.abs(X).max() > 12
    else:
        assert (X**2).mean() == pytest.approx(1, rel=0.02)
    if rows == "rademacher":
        assert set(np.unique(X)) == {-1.0, 1.0}


def test_correlated_rows_share_one_covariance_with_the_chosen_condition_number():
    settings = ContextSettings(features=3, prompts=4, rows="correlated", row_condition_number=50)
    covariances = [X.T @ X / len(X) for X in draw(settings, 40_000).X.numpy()]
    for covariance in covariances:
        values = np.linalg.eigvalsh(covariance)
        assert values[-1] / values[0] == pytest.approx(50, rel=0.1)
        np.testing.assert_allclose(covariance, covariances[0], atol=0.1)
        assert np.abs(covariance - np.diag(np.diag(covariance))).max() > 0.1


def test_more_prompts_leave_the_first_ones_as_they_are():
    few, many = ContextSettings(prompts=3, loops=4), ContextSettings(prompts=9, loops=4)
    np.testing.assert_array_equal(draw(few, 20).X, draw(many, 20).X[:3])
    np.testing.assert_array_equal(draw(few, 20).w_star, draw(many, 20).w_star[:3])
    assert len({float(x) for x in draw(many, 20).X[:, 0, 0]}) == 9
    assert not np.array_equal(draw(few, 20).X, draw(few.replace(seed=1), 20).X)


def test_groups_cover_every_prompt_once_and_are_short():
    for settings in (ContextSettings(prompts=1000), ContextSettings(features=200, loops=10_000, prompts=20)):
        n = max(settings.examples)
        together = groups(settings, n)
        assert [number for group in together for number in group] == list(range(settings.prompts))
        assert len(together) > 1


@pytest.mark.parametrize(("features", "prompts", "expected", "within"), [(200, 20, 1.0, 0.10), (10, 1000, 0.68, 0.02)])
def test_the_condition_number_follows_marchenko_and_pastur_and_small_d_stays_below(features, prompts, expected, within):
    cell = run_cell(ContextSettings(features=features, prompts=prompts, loops=1), 4 * features)
    assert np.median(cell.kappa) / theory.marchenko_pastur_condition_number(4) == pytest.approx(expected, abs=within)


def test_with_fewer_examples_than_features_the_task_is_not_found_and_nothing_is_nan():
    result = sweep(ContextSettings(ratios=(0.3, 0.5), loops=400))
    assert np.isfinite(result.error).all()
    assert np.isfinite(result.bands).all()
    assert result.median[1, -1] == pytest.approx(np.sqrt(0.5), rel=0.1)
    assert np.median(result.error[:, -1], axis=1).max() < 1e-3
    assert np.isnan(result.of_bound).all()


def test_a_diverging_sweep_stays_finite_and_counts_its_prompts():
    result = sweep(ContextSettings(ratios=(1, 4), loops=5000, step_size=3.0, prompts=4))
    assert np.isfinite(result.error).all()
    assert np.isfinite(result.mean).all()
    assert result.error[:, -1].min() > 1e6
    assert (result.growth > 2).all()


def test_when_few_prompts_diverge_they_dominate_the_mean_and_not_the_median():
    result = sweep(ContextSettings(ratios=(1.7, 50), step_size=0.6, loops=200))
    assert 0 < (result.growth[0] > 2).sum() < 10
    assert list(result.ruled_by_few(200)) == [0]
    assert result.mean[0, 200] > 1e3 > 1 > result.median[0, 200]


@pytest.mark.parametrize("step_size", ["auto", "optimal"])
def test_every_error_keeps_below_the_bound_at_its_own_condition_number(step_size):
    settings = ContextSettings(ratios=(0.5, 1, 2, 10), step_size=step_size, prompts=16)
    result = sweep(settings)
    assert np.isnan(result.of_bound[0])
    expected = []
    for place in (1, 2, 3):
        bound = np.exp(-np.arange(201)[:, None] / (2 * result.kappa[place]))
        expected.append(max((result.error[place] / bound)[1:][bound[1:] > 1e-12]))
    np.testing.assert_allclose(result.of_bound[1:], expected, rtol=1e-9)
    assert max(expected) < 1


def test_a_step_set_by_hand_has_no_bound():
    assert np.isnan(sweep(ContextSettings(ratios=(4,), step_size=0.1, loops=5)).of_bound).all()
