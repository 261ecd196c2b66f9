"""No FAIL on a run that contracts, with a step read from the data; the tolerance is as printed; why a run fails."""

import numpy as np
import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from looped import Settings, SettingsError, compare, export
from looped.algorithms import ALGORITHMS
from looped.attention.layer import over_examples
from looped.experiments.compare.cost import sizes
from looped.tables import Table
from tests.experiments.compare.conftest import fit
from tests.strategies import runnable_settings

STEPS = [name for name in ALGORITHMS if name != "softmax"]


def a_table(X, y):
    return Table("t", "", "y", tuple(f"c{k}" for k in range(X.shape[1])), X.astype(float), y.astype(float))


def run(table, **changes):
    return fit(Settings(data="csv", target="y", **changes), table)


def orthogonal(n, d, along=0.0, seed=0):
    """Features, and labels whose correlation with each of them is about `along`."""
    generator = np.random.default_rng(seed)
    X, y = generator.normal(size=(n, d)), generator.normal(size=n)
    basis = np.linalg.qr(np.column_stack([np.ones(n), X]))[0]
    for _ in range(2):
        y = y - basis @ (basis.T @ y)
    return a_table(X, y / y.std() + along * (X - X.mean(0)).sum(1))


def dummies(n, levels, seed=0, noise=3.0):
    """A number and one-hot columns of categories, which add up to 1; labels that are mostly noise."""
    generator = np.random.default_rng(seed)
    columns = [generator.normal(size=(n, 1))]
    columns += [np.eye(k)[np.r_[np.arange(k), generator.integers(k, size=n - k)]] for k in levels]
    X = np.column_stack(columns)
    return a_table(X, X @ generator.normal(size=X.shape[1]) + noise * generator.normal(size=n))


def steady(result):
    """True if every mode falls by 5 % per loop, by the eigenvalues alone."""
    return result.prediction.kind == "converges" and result.prediction.factor <= 0.95


def test_a_preconditioner_of_large_condition_passes():
    for seed in range(12):
        result = compare(
            Settings(algorithm="preconditioned", data="correlated", condition_number=1e4, features=2, seed=seed)
        )
        assert steady(result)
        assert result.passed, seed


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("along", [0.0, 1e-12, 1e-8, 1e-4, 1e-2])
@pytest.mark.parametrize("size", [(12, 3), (3000, 5)])
def test_a_target_orthogonal_or_nearly_so_to_the_features_passes(name, along, size):
    result = run(orthogonal(*size, along), algorithm=name, loops=60, step_size="optimal")
    assert result.prediction.kind == "converges"
    assert result.passed, (result.relative_gap, result.tolerance)
    assert result.gap < 1e-13


@pytest.mark.parametrize("name", STEPS)
def test_a_target_orthogonal_to_the_features_is_solved_by_0_and_says_so(name):
    X = np.array([[i, j, k] for i in (-1, 1) for j in (-1, 1) for k in (-1, 1)])  # a balanced design, exact in floats
    result = run(a_table(X, X.prod(axis=1)), algorithm=name, loops=30)
    assert np.abs(result.w_ref).max() == 0
    assert result.gap < 1e-15
    assert result.errors[-1].max() < 1e-15
    assert result.passed
    assert "the solution is 0, where the loop starts" in result.prediction.sentence


def test_the_gap_is_relative_to_the_largest_iterate_unless_the_first_update_cancels():
    for changes in ({}, {"noise": 1.0}, {"algorithm": "gd++"}, {"data": "correlated", "algorithm": "preconditioned"}):
        result = compare(Settings(prompts=4, **changes))
        assert result.relative_gap == result.gap / np.abs(result.explicit).max()
    table = orthogonal(50, 2)
    result = run(table, loops=5, label_scale=2.0)
    X, y = (table.X - table.X.mean(0)) / table.X.std(0), 2 * (table.y - table.y.mean())
    terms = result.step_size[0] * np.sqrt((X**2).mean(0)) * np.sqrt((y**2).mean())
    assert result.scale == pytest.approx(terms.max() / 4)
    assert export.summary(result)["verdict"]["scale"] == result.scale


@pytest.mark.parametrize("form", ["state", "token"])
@pytest.mark.parametrize("name", [name for name in STEPS if name not in ("newton", "eagle")])
def test_one_hot_columns_pass_after_many_loops(name, form):
    loops = 600 if name == "gd++" else 4000  # which costs more
    result = run(dummies(900, (3, 4)), algorithm=name, form=form, layout="slots", loops=loops)
    assert result.rank == 6
    assert result.prediction.kind == "converges"
    assert result.passed, (result.relative_gap, result.tolerance)


@pytest.mark.parametrize(("name", "layout"), [("gd", "compact"), ("ridge", "slots"), ("heavy-ball", "compact")])
def test_the_state_of_collinear_examples_writes_nothing_where_there_are_no_examples(name, layout):
    table = dummies(300, (4,), noise=30.0)
    result = run(table, algorithm=name, layout=layout, loops=10_000)
    nowhere = np.r_[0.0, table.X[:, 1:].std(0)]  # the one-hot columns, standardised, times their deviations add up to 0
    largest = np.abs(result.explicit).max()
    assert np.abs(result.looped[:, 0] @ nowhere).max() < 1e-14 * largest
    assert np.abs(result.explicit[:, 0] @ nowhere).max() < 1e-14 * largest


@pytest.mark.parametrize("loops", [1, 10])
@pytest.mark.parametrize("n", [3000, 9000])
@pytest.mark.parametrize("name", [name for name in STEPS if name != "newton"])
def test_thousands_of_rows_pass(name, n, loops):
    generator = np.random.default_rng(n)
    rows = generator.normal(size=(n, 6)) + 10
    for table in (a_table(rows, rows.sum(1) + generator.normal(size=n)), dummies(n, (12,), noise=0.0)):
        for form in ("state", "token"):
            result = run(table, algorithm=name, form=form, loops=loops)
            assert result.passed, (result.relative_gap, result.tolerance)


def test_a_sum_over_thousands_of_examples_is_rounded_like_one_over_a_few_hundred():
    """Against sums in extended precision: the state's matrix, and what a thin state writes first."""
    generator = np.random.default_rng(1)
    X = generator.normal(size=(8000, 12))
    exact = (X.astype(np.longdouble).T @ X.astype(np.longdouble)) / 8000
    columns = torch.from_numpy(X.T.copy())[None]
    found = over_examples(columns, columns)[0].numpy() / 8000
    assert np.abs(found - exact).max() < 5 * np.finfo(float).eps
    table = dummies(8804, (12,), noise=0.0)
    result = run(table, loops=1)
    x, y = result.prompts.X[0].numpy().astype(np.longdouble), result.prompts.y[0].numpy().astype(np.longdouble)
    first = np.longdouble(result.step_size[0]) * (x.T @ y) / len(y)
    assert np.abs(result.looped[1, 0] - first).max() < 40 * np.finfo(float).eps * np.abs(first).max()


def test_collinear_rows_are_no_trouble_either():
    """Fewer rows than columns, some of them twice with other labels: no w fits all, and residuals stay large."""
    generator = np.random.default_rng(3)
    X = np.repeat(generator.normal(size=(6, 20)), 3, axis=0)
    result = run(a_table(X, 5 * generator.normal(size=18)), loops=8000, step_size="optimal")
    assert result.rank < 18
    assert result.passed
    assert result.errors[-1].max() < 1e-12


def test_only_a_loop_over_all_tokens_of_collinear_columns_has_t_in_its_tolerance():
    eps, table = np.finfo(float).eps, dummies(200, (3,))
    state, token = (run(table, form=form, loops=400) for form in ("state", "token"))
    kappa = state.condition_number
    assert state.tolerance == pytest.approx(16 * eps * (kappa + 20))
    assert token.tolerance == pytest.approx(16 * eps * (kappa + 400))
    plain = compare(Settings(form="token", loops=400, prompts=2))
    assert plain.tolerance == pytest.approx(16 * eps * (5 + 20))


def test_the_tolerance_of_every_algorithm_is_the_formula_at_the_kappa_that_is_named():
    eps = np.finfo(float).eps
    for name in STEPS:
        result = compare(Settings(algorithm=name, data="correlated", condition_number=300.0, features=4, prompts=3))
        kappas = []
        for X in result.prompts.X.numpy():
            H = X.T @ X / len(X)
            kappa = np.linalg.cond(H)
            if name == "ridge":
                kappa = np.linalg.cond(H + 0.1 * np.eye(4))
            if name == "preconditioned":
                values, vectors = np.linalg.eigh(np.linalg.inv(result.prompts.covariance.numpy()))
                root = vectors * np.sqrt(values) @ vectors.T
                kappa = max(kappa, np.linalg.cond(root @ H @ root) * np.sqrt(values[-1] / values[0]))
            if name == "gd++":
                kappa = max(kappa, result.step_size[len(kappas)] * np.linalg.eigvalsh(H)[-1])
            kappas.append(kappa)
        assert result.tolerance == pytest.approx(16 * eps * (max(kappas) + 50**0.5), rel=1e-6)
        assert export.summary(result)["verdict"]["tolerance_kappa"] == pytest.approx(max(kappas), rel=1e-6)


@settings(max_examples=80)
@given(
    runnable_settings(max_loops=600, max_examples=200, max_features=20),
    st.sampled_from(STEPS),
    st.sampled_from(["exact", "gaussian", "correlated"]),
    st.sampled_from([1e-6, 1e-2, 1.0, 100.0]),
)
@example(
    Settings(loops=856, examples=1472, features=19, condition_number=1318.5, form="token", noise=0.3, prompts=2),
    "preconditioned", "correlated", 0.1,
)  # fmt: skip
def test_what_contracts_passes_in_float64(setting, name, data, ridge):
    result = compare(setting.replace(algorithm=name, data=data, ridge=ridge, dtype="float64"))
    if result.prediction.kind == "converges" and (name in ("gd++", "newton") or steady(result)):
        assert result.passed, (result.relative_gap, result.tolerance)
        assert result.why_failed is None


@pytest.mark.slow
@settings(max_examples=300)
@given(st.integers(6, 3000), st.lists(st.sampled_from([2, 3, 5]), max_size=3), st.sampled_from(STEPS[:-1]), st.data())
def test_what_contracts_passes_on_tables(n, levels, name, more):
    table = dummies(max(n, 6), levels, more.draw(st.integers(0, 99)), more.draw(st.sampled_from([0.0, 1.0, 100.0])))
    setting = Settings(
        data="csv",
        target="y",
        algorithm=name,
        loops=more.draw(st.sampled_from([1, 2, 30, 1000, 10_000])),
        form=more.draw(st.sampled_from(["state", "token"])),
        layout=more.draw(st.sampled_from(["compact", "slots"])),
        step_size=more.draw(st.sampled_from(["auto", "optimal"])),
        label_scale=more.draw(st.sampled_from([1.0, -1000.0])),
    )
    assume(sizes(setting, table).allowed)
    result = fit(setting, table)
    if result.prediction.kind == "converges" and (name == "gd++" or steady(result)):
        assert result.passed, (result.relative_gap, result.tolerance)


def test_why_a_run_failed_is_said_from_its_own_numbers(monkeypatch):
    assert export.summary(compare(Settings()))["verdict"]["why_failed"] is None
    assert export.summary(compare(Settings(algorithm="softmax")))["verdict"]["why_failed"] is None
    monkeypatch.setattr("looped.theory.gap_tolerance", lambda *_: 0.0)

    def why(**changes):
        return export.summary(compare(Settings(prompts=2, **changes)))["verdict"]["why_failed"]

    assert "Mode 10 hardly contracts: a loop takes 0.0039 of its error away" in why(step_size=0.01)
    assert "hardly contracts" not in why()
    assert "please report" in why()
    assert "this one does not" in why(step_size=3.0)
    assert "float32 has 7 digits" in why(dtype="float32")


def test_something_else_than_a_table_is_refused_in_one_sentence():
    pandas = pytest.importorskip("pandas")
    for wrong in (pandas.DataFrame({"a": [1, 2], "y": [3, 4]}), np.eye(3), "data.csv"):
        with pytest.raises(SettingsError, match="is not a table that compare can read: write it to a file"):
            compare(Settings(data="csv", target="y"), wrong)


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["ridge", "heavy-ball"])
@pytest.mark.parametrize("form", ["state", "token"])
def test_many_loops_over_fewer_examples_than_features_pass(name, form):
    for seed in range(3):
        result = compare(
            Settings(
                algorithm=name, form=form, examples=2, features=20, loops=7000, prompts=4, seed=seed, data="gaussian",
                ridge=1e-4,
            )
        )  # fmt: skip
        assert result.passed, (result.relative_gap, result.tolerance)
