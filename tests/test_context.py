import numpy as np
import pytest

from looped import SettingsError, theory
from looped.experiments.context import ContextSettings, collect, draw_rows, estimate, run_cell, sweep


def run(**changes):
    settings = ContextSettings(**changes)
    return collect(settings, list(sweep(settings)))


@pytest.mark.parametrize("rows", ["gaussian", "student", "rademacher", "correlated"])
@pytest.mark.parametrize("n", [4, 12, 30])
def test_a_cell_is_gradient_descent_on_its_rows(rows, n):
    settings = ContextSettings(features=8, loops=25, prompts=3, rows=rows, seed=5)
    cell, batch = run_cell(settings, n), draw_rows(settings, n)
    for b in range(3):
        X, y, w_star = batch.X[b].numpy(), batch.y[b].numpy(), batch.w_star[b].numpy()
        values = np.linalg.svd(X, compute_uv=False) ** 2 / n
        assert cell.kappa[b] == pytest.approx(values[0] / values[min(n, 8) - 1], rel=1e-8)
        w_ref, w = np.linalg.pinv(X) @ y, np.zeros(8)
        for t in range(26):
            assert cell.error[t, b] == pytest.approx(
                np.linalg.norm(w - w_ref) / np.linalg.norm(w_ref), rel=1e-6, abs=1e-12
            )
            assert cell.task_error[t, b] == pytest.approx(np.linalg.norm(w - w_star), rel=1e-6, abs=1e-12)
            w = w - X.T @ (X @ w - y) / n / values[0]


@pytest.mark.parametrize("rows", ["gaussian", "student", "rademacher", "correlated"])
def test_rows_have_variance_one_on_average(rows):
    X = draw_rows(ContextSettings(features=5, prompts=400, rows=rows), 100).X.numpy()
    assert (X**2).mean() == pytest.approx(1, rel=0.1 if rows == "student" else 0.02)
    if rows == "rademacher":
        assert set(np.unique(X)) == {-1.0, 1.0}
    if rows == "student":
        assert np.abs(X).max() > 12


def test_correlated_rows_have_the_asked_covariance():
    settings = ContextSettings(features=3, prompts=4, rows="correlated", row_condition_number=50)
    for X in draw_rows(settings, 40_000).X.numpy():
        values = np.linalg.eigvalsh(X.T @ X / len(X))
        assert values[-1] / values[0] == pytest.approx(50, rel=0.1)


@pytest.mark.parametrize(("features", "prompts", "expected", "within"), [(200, 20, 1.0, 0.10), (10, 1000, 0.68, 0.02)])
def test_the_condition_number_follows_marchenko_and_pastur_and_small_d_stays_below(features, prompts, expected, within):
    cell = run_cell(ContextSettings(features=features, prompts=prompts, loops=1), 4 * features)
    assert np.median(cell.kappa) / theory.marchenko_pastur_condition_number(4) == pytest.approx(expected, abs=within)


@pytest.mark.parametrize(("ratio", "kappa"), [(2, 33.97), (4, 9.0), (20, 2.48), (0.25, 9.0)])
def test_the_marchenko_pastur_values_are_those_of_the_formula(ratio, kappa):
    assert theory.marchenko_pastur_condition_number(ratio) == pytest.approx(kappa, abs=0.01)


def test_as_many_examples_as_features_have_no_finite_asymptotic_condition_number():
    assert theory.marchenko_pastur_condition_number(1) == float("inf")


@pytest.mark.parametrize(("loops", "features"), [(1, 1), (2, 10), (5, 3)])
def test_the_exponential_requirement_is_its_formula(loops, features):
    exact = 64 * loops**2 * features**4 * 8 ** (4 * loops)
    assert 10 ** theory.exponential_requirement(loops, features) == pytest.approx(exact, rel=1e-9)


def test_the_number_of_examples_for_a_target_stays_bounded_as_d_doubles():
    ratios = (2, 2.4, 2.6, 2.8, 3, 3.2, 3.4, 3.6, 4, 5)
    needed = [
        run(features=d, loops=50, prompts=32, ratios=ratios).needed_ratio(1e-3)[50] for d in (10, 20, 40, 80)
    ]  # fmt: skip
    assert all(2.5 < ratio < 3.6 for ratio in needed)


def test_the_needed_ratio_falls_with_more_loops_and_is_unknown_where_none_is_enough():
    needed = run().needed_ratio(1e-3)
    assert np.isnan(needed[:4]).all()
    assert needed[10] > needed[20] > needed[50] > needed[200] > 1


def test_the_needed_ratio_is_interpolated_on_log_axes():
    sweep_of_two = run(features=4, ratios=(4, 8), prompts=8, loops=3)
    median = sweep_of_two.bands[1][:, 3]
    target = float(np.sqrt(median[0] * median[1]))
    assert sweep_of_two.needed_ratio(target)[3] == pytest.approx(np.sqrt(4 * 8))


def test_with_fewer_examples_than_features_the_task_is_not_found_and_nothing_is_nan():
    result = run(ratios=(0.3, 0.5), loops=400)
    assert np.isfinite(result.error).all()
    assert result.bands[1][1, -1] == pytest.approx(np.sqrt(0.5), rel=0.1)
    assert np.median(result.error[:, -1], axis=1).max() < 1e-3


def test_a_diverging_sweep_stays_finite():
    result = run(ratios=(1, 4), loops=5000, step_size=3.0, prompts=4)
    assert np.isfinite(result.error).all()
    assert result.error[:, -1].min() > 1e6


def test_cells_do_not_depend_on_each_other():
    alone, together = run(ratios=(4,), loops=9), run(ratios=(2, 4, 8), loops=9)
    np.testing.assert_array_equal(alone.error[0], together.error[1])
    assert not np.array_equal(alone.error, run(ratios=(4,), loops=9, seed=1).error)


def test_a_sweep_that_is_too_large_is_refused_with_its_cost():
    with pytest.raises(SettingsError, match=r"needs about .* s and .* MiB.*choose fewer prompts, ratios or loops"):
        sweep(ContextSettings(features=200, prompts=1000, loops=10_000))
    assert estimate(ContextSettings()) < 2


@pytest.mark.parametrize("ratios", [(), (0.01,), (1, 300), "1,two", [float("nan")], 3])
def test_bad_ratios_are_refused_in_one_sentence(ratios):
    with pytest.raises(SettingsError, match=r"^ratios = .*choose 1 to 60 numbers from 0.05 to 200"):
        ContextSettings(ratios=ratios)


def test_ratios_are_read_from_text_sorted_and_without_repetition():
    settings = ContextSettings(ratios="4,0.5,4,1")
    assert settings.ratios == (0.5, 1.0, 4.0)
    assert ContextSettings.from_json(settings.to_json()) == settings
    assert ContextSettings.from_query(settings.to_query()) == (settings, {})
