"""A real table: the loop ends at LinearRegression, in the table's units and on rows it has not read."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from looped import Settings, compare
from looped.experiments.real_data import held_out
from looped.tables import Table, choose, diabetes

TABLE = choose(diabetes(), "target")


def long_run(**changes):
    return Settings(data="diabetes", loops=10_000, step_size="optimal").replace(**changes)


def folds(seed):
    return KFold(5, shuffle=True, random_state=seed)


def descend(X, y, loops):
    step = 1 / np.linalg.eigvalsh(X.T @ X / len(X))[-1]
    w = np.zeros(X.shape[1])
    for _ in range(loops):
        w = w - step / len(X) * X.T @ (X @ w - y)
    return w


def predict_folds(loops, seed, standardise_with):
    predicted = np.empty_like(TABLE.y)
    for train, test in folds(seed).split(TABLE.X):
        X, y = TABLE.X[train], TABLE.y[train]
        basis = X if standardise_with == "prompt" else TABLE.X
        mean, scale = basis.mean(axis=0), basis.std(axis=0)
        w = descend((X - mean) / scale, y - y.mean(), loops)
        predicted[test] = (TABLE.X[test] - mean) / scale @ w + y.mean()
    return predicted


@pytest.mark.parametrize("layout", ["compact", "slots"])
@pytest.mark.parametrize("alpha", [1.0, -3.0, 250.0], ids=lambda alpha: f"α = {alpha:g}")
def test_after_10000_loops_the_coefficients_are_those_of_linear_regression(layout, alpha):
    found = compare(long_run(layout=layout, label_scale=alpha)).report.coefficients
    fitted = LinearRegression().fit(TABLE.X, TABLE.y)
    assert found.columns == TABLE.columns
    np.testing.assert_allclose(found.looped, fitted.coef_, rtol=1e-8)
    assert found.looped_intercept == pytest.approx(fitted.intercept_, rel=1e-8)
    np.testing.assert_array_equal(found.reference, fitted.coef_)
    assert found.reference_intercept == fitted.intercept_


def test_the_label_scale_does_not_change_the_coefficients_of_an_unfinished_run():
    few = Settings(data="diabetes", loops=7)
    plain, scaled = (compare(few.replace(label_scale=alpha)).report.coefficients for alpha in (1.0, -40.0))
    np.testing.assert_allclose(scaled.looped, plain.looped, rtol=1e-11)
    assert scaled.looped_intercept == pytest.approx(plain.looped_intercept, rel=1e-11)
    assert np.abs(plain.looped / plain.reference - 1).max() > 0.1


def test_the_coefficient_table_has_one_row_a_column_and_the_intercept_last():
    rows = compare(Settings(data="diabetes", loops=20)).report.coefficients.table
    assert rows["column"] == [*TABLE.columns, "(intercept)"]
    assert {len(values) for values in rows.values()} == {11}
    looped, reference = np.array(rows["looped transformer"]), np.array(rows["LinearRegression"])
    np.testing.assert_array_equal(rows["difference"], looped - reference)


def test_chosen_columns_give_the_regression_on_those_columns():
    result = compare(long_run(feature_columns=("bmi", "age", "s5"), target="bp"))
    raw = diabetes().frame
    fitted = LinearRegression().fit(raw[["bmi", "age", "s5"]].to_numpy(), raw["bp"].to_numpy())
    np.testing.assert_allclose(result.report.coefficients.looped, fitted.coef_, rtol=1e-8)


def test_synthetic_prompts_have_no_coefficients():
    assert compare(Settings(loops=2, prompts=1)).report is None


@pytest.mark.parametrize("seed", [0, 17])
def test_held_out_predictions_and_r2_are_scikit_learns_on_the_same_folds(seed):
    got = held_out(long_run(seed=seed), TABLE)
    model = make_pipeline(StandardScaler(), LinearRegression())
    expected = cross_val_predict(model, TABLE.X, TABLE.y, cv=folds(seed))
    np.testing.assert_allclose(got.looped, expected, rtol=1e-8)
    np.testing.assert_allclose(got.reference, expected, rtol=1e-8)
    assert got.r2_looped == pytest.approx(r2_score(TABLE.y, expected), abs=1e-8)
    assert got.r2_reference == pytest.approx(r2_score(TABLE.y, expected), abs=1e-8)


def test_the_seed_draws_the_folds():
    first, second = (held_out(Settings(data="diabetes", loops=3, seed=seed), TABLE).looped for seed in (0, 1))
    assert np.abs(first - second).max() > 0.1


def test_features_are_standardised_anew_with_the_rows_of_each_prompt():
    got = held_out(Settings(data="diabetes", loops=6, seed=2), TABLE).looped
    np.testing.assert_allclose(got, predict_folds(6, 2, "prompt"), rtol=1e-10)
    assert np.abs(got - predict_folds(6, 2, "all rows")).max() > 0.05


def test_a_table_of_three_rows_is_held_out_row_by_row():
    table = Table("three", "", "y", ("a",), np.array([[1.0], [2.0], [4.0]]), np.array([1.0, 3.0, 2.0]))
    got = held_out(Settings(data="csv", target="y", loops=5), table)
    assert got.folds == 3
    # One feature: a single loop is exact, so each row is predicted by the line through the other two.
    np.testing.assert_allclose(got.looped, [3.5, 4 / 3, 7.0])


def test_float32_stays_near_the_coefficients_of_float64():
    exact, rounded = (
        compare(Settings(data="diabetes", loops=200, dtype=dtype)).report.coefficients.looped
        for dtype in ("float64", "float32")
    )
    np.testing.assert_allclose(rounded, exact, rtol=2e-3)


def test_a_step_that_diverges_leaves_no_held_out_prediction_and_says_why():
    report = compare(Settings(data="diabetes", step_size=3.0, loops=200)).report
    assert report.held_out is None
    assert "On the rows of a fold it does not converge" in report.why_not
    assert np.isfinite(report.coefficients.looped).all()


def test_collinear_columns_still_agree_with_gradient_descent_after_many_loops():
    rng = np.random.default_rng(0)
    group = np.eye(4)[rng.integers(0, 4, 200)]
    X = np.hstack([group, rng.normal(size=(200, 4))])
    table = Table("t", "", "y", tuple("abcdefgh"), X, X @ np.arange(8.0) + rng.normal(size=200))
    for layout, form in (("compact", "state"), ("slots", "state"), ("slots", "token")):
        result = compare(Settings(data="csv", target="y", loops=10_000, layout=layout, form=form), table)
        assert result.rank == 7
        assert result.passed
        assert any("rank 7 < d = 8" in bound.why_not for bound in result.bounds)
