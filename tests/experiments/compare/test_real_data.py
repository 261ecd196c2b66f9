"""A real table: the loop ends at LinearRegression, in the table's units and on rows it has not read."""

import re
from fractions import Fraction
from operator import mul

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from looped import Settings, SettingsError, compare
from looped.experiments.compare.real_data import held_out
from looped.tables import Table, choose, diabetes
from tests.experiments.compare.conftest import fit
from tests.thorough import thorough_but

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
    np.testing.assert_allclose(found.reference, fitted.coef_, rtol=1e-11)
    assert found.reference_intercept == pytest.approx(fitted.intercept_, rel=1e-11)


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


def test_features_are_standardised_again_with_the_rows_of_each_prompt():
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
        result = fit(Settings(data="csv", target="y", loops=10_000, layout=layout, form=form), table)
        assert result.rank == 7
        assert result.passed
        assert any("rank 7 < d = 8" in bound.why_not for bound in result.bounds)


def table_of(X, y, columns="abcdefgh"):
    return Table("t", "", "y", tuple(columns[: len(X[0])]), np.array(X, dtype=float), np.array(y, dtype=float))


def exact_least_squares(X, y):
    """Coefficients, the intercept last, from the normal equations of [X, 1] in fractions."""
    rows = [[*map(Fraction, map(float, row)), Fraction(1)] for row in X]
    k, right = len(rows[0]), [Fraction(float(value)) for value in y]
    system = [
        [sum(row[i] * row[j] for row in rows) for j in range(k)]
        + [sum(row[i] * value for row, value in zip(rows, right, strict=True))]
        for i in range(k)
    ]
    for i in range(k):
        pivot = next(j for j in range(i, k) if system[j][i])
        system[i], system[pivot] = system[pivot], system[i]
        for j in range(k):
            if j != i and system[j][i]:
                factor = system[j][i] / system[i][i]
                system[j] = [a - factor * b for a, b in zip(system[j], system[i], strict=True)]
    return [system[i][k] / system[i][i] for i in range(k)]


def powers_of_x(k):
    return [[x**j for j in range(1, 6)] for x in range(21)], [
        sum(Fraction(x, k) ** j for j in range(6)) for x in range(21)
    ]


def digits(found, right):
    return float(-np.log10(np.abs(np.array(found) / np.array(right) - 1).max() + 1e-17))


@pytest.mark.parametrize(("base", "loop_digits"), [(1, 7), (10, 11)], ids=["y = Σ xᵏ", "y = Σ (x/10)ᵏ"])
def test_newton_in_the_loop_reaches_the_coefficients_of_wamplers_problems(base, loop_digits):
    # x = 0 … 20; the certified coefficients are 1, or 10⁻ᵏ. κ of the standardised columns is 2.7e6.
    X, y = powers_of_x(base)
    table = table_of(X, y)
    result = compare(Settings(data="csv", target="y", algorithm="newton", loops=60), table)
    found, right = result.report.coefficients, [1 / base**j for j in range(1, 6)]
    assert digits([*found.looped, found.looped_intercept], [*right, 1]) > loop_digits
    assert digits([*found.reference, found.reference_intercept], [*right, 1]) > 9
    raw = LinearRegression().fit(table.X, table.y)
    for fitted in (
        [*found.looped, found.looped_intercept],
        [*found.reference, found.reference_intercept],
        [*raw.coef_, raw.intercept_],
    ):
        print(f"{digits(fitted, [*right, 1]):.1f} digits, first coefficient {fitted[0]:.4g}")
    assert digits(raw.coef_, right) < 1  # scikit-learn's default drops one direction of the raw columns
    assert (found.raw_rank, found.rank) == (4, 5)
    (better, differs, truncated) = result.report.sentences
    assert better.startswith("The loop and LinearRegression both fit the examples to rounding")
    assert differs.endswith("the loop has converged, and what differs is rounding.")
    residual = np.sqrt(((table.y - raw.predict(table.X)) ** 2).mean())
    assert "drops 1 of 5 directions here, below 1e-6 of the largest (its default tol)" in truncated
    assert f"root mean square residual of {residual:.3g} instead" in truncated


def random_table(seed):
    """Columns of any unit and offset, up to 12 powers of ten apart."""
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(6, 25)), int(rng.integers(1, 5))
    spread = 10.0 ** rng.integers(-9, 13, d)
    X = (rng.normal(size=(n, d)) + rng.normal(size=d) * 10.0 ** rng.integers(0, 4, d)) * spread
    w = rng.normal(size=d) / spread
    y = (X @ w + rng.normal() + rng.choice([0, 0.1, 10]) * rng.normal(size=n)) * 10.0 ** rng.integers(-6, 7)
    return table_of(X, y)


@pytest.mark.parametrize("seeds", [range(60), pytest.param(range(60, 600), marks=pytest.mark.slow)], ids=str)
def test_coefficients_of_badly_scaled_tables_are_those_of_exact_arithmetic(seeds):
    for seed in seeds:
        table = random_table(seed)
        exact = exact_least_squares(table.X, table.y)
        scale = np.array([float(np.std(column)) for column in (table.X - table.X[0]).T])
        length = np.linalg.norm([float(w) * s for w, s in zip(exact, scale, strict=False)])
        result = fit(Settings(data="csv", target="y", algorithm="newton", loops=40), table)
        found = result.report.coefficients
        allowed = 1e-13 * result.condition_number * (1 + np.std(table.y) / length)
        for coefficients in (found.looped, found.reference):
            error = [float(abs(Fraction(float(w)) - e)) for w, e in zip(coefficients, exact, strict=False)]
            assert np.linalg.norm(error * scale) <= allowed * length, (seed, result.condition_number)
        fitted = result.report.coefficients.fits["LinearRegression"]
        residual = [
            float(b - sum(map(mul, map(Fraction, map(float, row)), exact)) - exact[-1])
            for row, b in zip(table.X, map(Fraction, map(float, table.y)), strict=True)
        ]
        rms = float(np.sqrt(np.mean(np.square(residual))))
        assert fitted.residual == pytest.approx(rms, rel=1e-6, abs=1e-12 * np.abs(table.y).max())


def test_columns_of_any_unit_are_read_right_where_raw_least_squares_drops_one():
    gdp = [21e12, 8.5e12, 3.1e12, 14.9e12, 5.6e12, 1.2e12, 11.3e12, 2.7e12]
    rate = [2.1, 3.4, 1.9, 4.2, 2.8, 3.9, 1.5, 3.0]
    table = table_of(np.column_stack([gdp, rate]), 2e-12 * np.array(gdp) + 5 * np.array(rate) + 3)
    result = compare(Settings(data="csv", target="y", loops=2000, step_size="optimal"), table)
    found = result.report.coefficients
    for values in (found.looped, found.reference):
        np.testing.assert_allclose(values, [2e-12, 5], rtol=1e-12)
    assert found.looped_intercept == pytest.approx(3, rel=1e-12)
    assert found.reference_intercept == pytest.approx(3, rel=1e-12)
    assert result.report.held_out.r2_reference == pytest.approx(1, abs=1e-12)
    assert found.fits["LinearRegression on the raw columns"].r2 < 0.9


@pytest.mark.parametrize("offset", [0.0, 1950.0, 1e6 + 0.1, 1e9 + 0.7])
def test_columns_that_are_collinear_but_for_an_offset_have_one_direction_less(offset):
    t = np.arange(1, 13) / 10
    x = np.array([3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8.0])
    y = np.array([12, 11, 14, 13, 19, 25, 18, 24, 25, 23, 27, 32.0])
    result = compare(
        Settings(data="csv", target="y", step_size="optimal"), table_of(np.column_stack([t + offset, t, x]), y)
    )
    assert result.rank == 2
    assert result.report.coefficients.rank == 2
    two = table_of(np.column_stack([t, x]), y)
    expected = held_out(Settings(data="csv", target="y", loops=1000), two).r2_reference
    assert expected == pytest.approx(0.98995, abs=1e-5)
    assert result.report.held_out.r2_looped == pytest.approx(expected, abs=1e-5)
    assert result.report.held_out.r2_reference == pytest.approx(expected, abs=1e-5)


def test_a_large_mean_costs_no_digit_that_the_numbers_have():
    rng = np.random.default_rng(5)
    whole = rng.integers(0, 50, (12, 2))
    y = whole @ [2.0, -3.0] + rng.normal(size=12)
    near, far = (
        compare(Settings(data="csv", target="y", algorithm="newton", loops=30), table_of(whole + m, y))
        for m in (0, 2**40)
    )
    np.testing.assert_allclose(far.report.coefficients.looped, near.report.coefficients.looped, rtol=1e-13)
    np.testing.assert_allclose(far.report.held_out.looped, near.report.held_out.looped, rtol=1e-12)


def energy(unit):
    years, gdp = [1995, 2000, 2005, 2010, 2015, 2020], [31.0, 33.9, 47.8, 66.6, 75.2, 85.6]
    return table_of(np.column_stack([years, gdp]), np.array([3.6, 3.9, 4.6, 5.1, 5.4, 5.6]) * unit)


def test_a_target_whose_squares_overflow_float32_is_refused_in_one_sentence_and_runs_in_float64():
    wide = Settings(data="csv", target="y")
    assert compare(wide, energy(1e20)).report.held_out.r2_looped == pytest.approx(0.9351, abs=5e-5)
    for unit in (1e20, 1e38, 1e-30):
        with pytest.raises(SettingsError, match=r"In float32 the squares of the target 'y'.*choose float64") as caught:
            compare(wide.replace(dtype="float32"), energy(unit))
        assert caught.value.field == "dtype"
    for unit in (1e15, 1.0, 1e-20):
        result = compare(wide.replace(dtype="float32"), energy(unit))
        assert result.report.held_out.r2_looped == pytest.approx(0.9351, abs=5e-4)


@pytest.mark.parametrize("unit", [1e-90, 1e90])
def test_any_unit_within_the_limits_gives_the_same_fit(unit):
    plain, scaled = (compare(Settings(data="csv", target="y"), table) for table in (energy(1.0), energy(unit)))
    np.testing.assert_allclose(scaled.report.coefficients.looped / unit, plain.report.coefficients.looped, rtol=1e-10)
    other = Table("t", "", "y", ("a", "b"), energy(1.0).X * [1.0, unit], energy(1.0).y)
    found = compare(Settings(data="csv", target="y"), other).report
    np.testing.assert_allclose(found.coefficients.looped * [1.0, unit], plain.report.coefficients.looped, rtol=1e-10)
    assert found.held_out.r2_looped == pytest.approx(plain.report.held_out.r2_looped, abs=1e-10)


def test_a_target_orthogonal_to_the_features_has_coefficients_0():
    X = [[dose, day] for day in range(3) for dose in (1, 2, 3)]
    report = compare(Settings(data="csv", target="y", loops=200), table_of(X, [5, 7, 5] * 3)).report
    for values in (report.coefficients.looped, report.coefficients.reference):
        np.testing.assert_allclose(values, 0, atol=1e-15)
    assert report.coefficients.looped_intercept == pytest.approx(17 / 3, rel=1e-14)
    assert report.coefficients.distance < 1e-14


def test_a_target_that_is_constant_on_the_rows_of_a_fold_is_predicted_by_its_mean():
    got = held_out(
        Settings(data="csv", target="y", dtype="float32"), table_of([[1], [2], [4], [3], [7]], [1, 1, 1, 1, 5])
    )
    assert got.looped[4] == pytest.approx(1, abs=1e-6)


SPREAD = np.random.default_rng(11).normal(size=(40, 4)) * [1, 1, 0.3, 0.1]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("loops", thorough_but(lambda loops: loops == 20, [1, 20, 400, 10_000]))
@pytest.mark.parametrize("changes", [
    {}, {"step_size": "optimal"}, {"step_size": 1.0}, {"step_size": 3.0}, {"algorithm": "ridge", "ridge": 0.1},
    {"algorithm": "heavy-ball"}, {"algorithm": "newton"}, {"algorithm": "preconditioned"}, {"algorithm": "gd++"},
    {"algorithm": "softmax"},
], ids=str)  # fmt: skip
def test_what_is_said_of_the_difference_is_true_of_more_loops(changes, loops, dtype):
    mixed = SPREAD.copy()
    mixed[:, 1] += mixed[:, 0]
    table = table_of(mixed, mixed @ [1, -2, 3, 4.0] + SPREAD[:, ::-1] @ [1, 1, 0, 1])
    if changes.get("algorithm") in ("gd++", "newton", "softmax"):
        loops = min(loops, 600)  # they read all tokens in every loop
    settings = Settings(data="csv", target="y", loops=loops, dtype=dtype).replace(**changes)
    result = fit(settings, table)
    found, sentence = result.report.coefficients, result.report.sentences[1]
    eps = float(np.finfo(dtype).eps)
    assert f"{found.distance:.1e}" in sentence
    if "has converged" in sentence:
        assert found.distance < 100 * eps * result.algorithm.condition_number
    elif "has not converged" in sentence:
        needed = float(re.search(r"about ([\d.,e+]+) loops", sentence)[1].replace(",", ""))
        assert needed > 0.5 * loops
        if needed < 3000:
            after = fit(settings.replace(loops=int(needed) + 1), table).report.coefficients
            assert after.distance < 1000 * eps * result.algorithm.condition_number
            assert after.distance <= found.distance
    elif changes.get("algorithm") == "ridge":
        assert "penalised" in sentence
    elif changes.get("algorithm") == "softmax":
        assert "softmax" in sentence
    elif "does not converge" in sentence:
        assert result.prediction.kind != "converges"
    else:
        assert changes.get("algorithm") == "gd++"


def test_the_better_fit_is_named_with_its_residual():
    result = compare(Settings(data="diabetes", loops=5))
    X, y = TABLE.standardised()
    fitted = LinearRegression().fit(X, y)
    after = descend(X, y, 5)
    residuals = [np.sqrt(((y - X @ w) ** 2).mean()) for w in (after, fitted.coef_)]
    sentence = result.report.sentences[0]
    assert sentence.startswith("LinearRegression fits the examples better than the loop")
    assert f"residual {residuals[0]:.4g} and {residuals[1]:.4g} in the unit of 'target'" in sentence
    found = result.report.coefficients.fits["looped transformer"]
    r = y - X @ after
    across = max(abs(column @ r) / np.linalg.norm(column) / np.linalg.norm(y) for column in X.T)
    assert found.normal_equations == pytest.approx(across, rel=1e-9)
    assert found.r2 == pytest.approx(r2_score(y, X @ after), abs=1e-12)
    assert (
        compare(Settings(data="diabetes", loops=5000, step_size="optimal"))
        .report.sentences[0]
        .startswith("The loop and LinearRegression fit the examples equally well")
    )
    assert len(result.report.sentences) == 2  # LinearRegression drops nothing here
