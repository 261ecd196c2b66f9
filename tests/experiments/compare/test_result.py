import csv
import json
from pathlib import Path

import numpy as np
import pytest

import looped
from looped import Settings, SettingsError, compare, export
from looped.algorithms.gd import descend
from looped.experiments.compare.result import ERROR_CEILING

GOLDEN = Path(__file__).parents[2] / "golden"


def test_the_example_of_the_readme():
    result = compare(Settings(loops=20, examples=40, features=10, condition_number=5.0, seed=0))
    assert result.looped.shape == result.explicit.shape == (21, 64, 10)
    assert result.errors.shape == (21, 64)
    assert result.gap <= 1e-14
    assert result.passed


@pytest.mark.parametrize(("noise", "n"), [(0.0, 40), (0.5, 40), (0.0, 6)])
def test_gap_and_errors_are_what_they_say(noise, n):
    result = compare(Settings(prompts=4, noise=noise, examples=n, label_scale=2.0))
    X, y = result.prompts.X.numpy(), result.prompts.y.numpy()
    assert result.gap == np.abs(result.looped - result.explicit).max()
    for b in range(4):
        w_ref = np.linalg.pinv(X[b]) @ (2.0 * y[b])
        np.testing.assert_allclose(result.w_ref[b], w_ref, rtol=1e-9, atol=1e-13)
        expected = np.linalg.norm(result.looped[:, b] - w_ref, axis=1) / np.linalg.norm(w_ref)
        np.testing.assert_allclose(result.errors[:, b], expected, rtol=1e-7, atol=1e-13)
    np.testing.assert_array_equal(result.looped[0], 0)
    np.testing.assert_allclose(result.errors[0], 1)


def test_three_routes_give_one_curve():
    result = compare(Settings(loops=60, prompts=8))
    np.testing.assert_allclose(result.errors, result.explicit_errors, rtol=1e-7, atol=1e-14)
    np.testing.assert_allclose(result.errors, result.closed_form, rtol=1e-7, atol=1e-13)


def test_the_number_of_examples_does_nothing_at_a_fixed_spectrum():
    few, many = (compare(Settings(examples=n, prompts=16, loops=200)) for n in (20, 400))
    assert few.prediction.factor == pytest.approx(many.prediction.factor, rel=1e-10)


def test_noise_leaves_a_floor_between_the_loop_and_the_task():
    quiet, noisy = compare(Settings(prompts=8)), compare(Settings(prompts=8, noise=0.3, loops=400))
    assert quiet.floor is None
    assert quiet.task_errors is None
    assert noisy.errors[-1].max() < 1e-13
    np.testing.assert_allclose(noisy.task_errors[-1], noisy.floor, rtol=1e-9)
    assert (noisy.floor > 0.01).all()


def test_with_fewer_examples_than_features_the_part_of_the_task_nobody_sees_never_moves():
    result = compare(Settings(examples=4, features=9, prompts=5, loops=300))
    for b in range(5):
        X, w_star = result.prompts.X[b].numpy(), result.prompts.w_star[b].numpy()
        seen = np.linalg.pinv(X) @ X @ w_star
        np.testing.assert_allclose(result.looped[-1, b], seen, atol=1e-12)
        assert result.floor[b] == pytest.approx(np.linalg.norm(seen - w_star), rel=1e-9)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("loops", "step"), [(50, 3.0), (2000, 3.0), (10_000, 1.1), (2000, 1e6), (1, 1e6)])
def test_a_diverging_run_is_predicted_and_never_infinite(loops, step, dtype):
    result = compare(Settings(loops=loops, step_size=step, prompts=3, dtype=dtype))
    assert result.prediction.kind == "diverges"
    for array in (result.looped, result.explicit, result.errors):
        assert np.isfinite(array).all()
    for curve in result.curves.values():
        assert np.isfinite(curve).all()
        assert curve.max() <= ERROR_CEILING
    if loops > 1:
        first = result.ceiling_from
        assert (result.errors[first] > ERROR_CEILING).any()
        assert (result.errors[:first] <= ERROR_CEILING).all()
        assert result.curves["looped_p90"][-1] == ERROR_CEILING


def test_a_diverging_iterate_is_held_only_beyond_any_use():
    mild, wild = (compare(Settings(loops=loops, step_size=3.0, prompts=3)) for loops in (50, 2000))
    assert mild.held_from is None
    assert np.abs(mild.looped).max() > 1e20
    assert mild.passed
    held = wild.held_from
    assert np.abs(wild.looped[held - 1]).max() > 1e90
    np.testing.assert_array_equal(wild.looped[-1, 0], wild.looped[-2, 0])


def test_at_the_edge_the_error_neither_falls_nor_grows():
    free = compare(Settings(prompts=1, loops=400))
    edge = compare(Settings(prompts=1, loops=400, step_size=float(2 / free.prompts.spectrum.largest[0])))
    assert edge.prediction.kind == "oscillates"
    assert edge.errors[-1] == pytest.approx(edge.errors[-3], rel=1e-9)
    assert edge.errors[-1] > 1e-3
    assert edge.passed


def test_float32_flattens_at_its_rounding_floor_while_the_closed_form_goes_on():
    result = compare(Settings(loops=200, dtype="float32", prompts=4))
    assert result.looped.dtype == result.explicit.dtype == np.float32
    assert 1e-9 < result.errors[-1].max() < 1e-5
    assert result.closed_form[-1].max() < 1e-15
    assert result.passed


def test_both_yardsticks_agree():
    direct, gram = (descend(*arguments()) for arguments in (_direct, _gram))
    np.testing.assert_allclose(direct, gram, atol=1e-14)


def _direct(gram=False):
    batch = looped.prompts.draw(Settings(prompts=3))
    return batch.X.numpy(), batch.y.numpy(), (1 / batch.spectrum.largest).numpy(), 40, 2.0, gram


def _gram():
    return _direct(gram=True)


def test_a_large_run_uses_the_gram_matrix_and_says_so():
    assert compare(Settings()).yardstick == "X"
    assert compare(Settings(examples=400, features=20, loops=200)).yardstick == "XᵀX"


def test_data_from_a_csv_needs_its_table():
    with pytest.raises(SettingsError, match="needs a file"):
        compare(Settings(data="csv", target="y"))


def test_a_target_nobody_can_learn_gives_zeros_not_nan():
    table = looped.tables.Table(
        "t", "", "y", ("x",), np.array([[-1.0], [0.0], [1.0], [0.0]]), np.array([1.0, -1.0, 1.0, -1.0])
    )
    result = compare(Settings(data="csv", target="y"), table)
    assert np.abs(result.w_ref).max() < 1e-15
    assert np.isfinite(result.errors).all()
    assert np.isfinite(result.closed_form).all()
    assert result.passed
    json.loads(export.summary_json(result))


def test_a_table_is_refused_for_settings_that_draw_their_own_prompts():
    table = looped.tables.choose(looped.tables.diabetes(), "target")
    with pytest.raises(SettingsError, match="data = exact draws its own prompts"):
        compare(Settings(), table)


CASES = {
    "small": Settings(loops=12, examples=8, features=3, prompts=5),
    "noisy-slots": Settings(
        loops=15, examples=5, features=7, prompts=4, noise=0.2, layout="slots", form="token", label_scale=-2.0, seed=3
    ),
    "gaussian-optimal": Settings(loops=10, examples=30, features=4, prompts=6, data="gaussian", step_size="optimal"),
    "diverging": Settings(loops=40, examples=9, features=3, prompts=3, step_size=1.9, spectrum="outlier"),
    "diabetes": Settings(loops=25, data="diabetes"),
}


@pytest.mark.parametrize("name", CASES)
def test_the_curves_are_those_on_file(name):
    """Golden settings and curves.

    Write them again with `python -m tests.experiments.compare.test_result` and say why in CHANGELOG.md.
    """
    settings = Settings.from_json((GOLDEN / f"{name}.json").read_text())
    assert settings == CASES[name]
    with (GOLDEN / f"{name}.csv").open() as file:
        rows = list(csv.DictReader(file))
    curves = compare(settings).curves
    assert len(rows) == sum(len(curve) for curve in curves.values())
    for row in rows:
        value = curves[row["series"]][int(row["loop"])]
        assert value == pytest.approx(float(row["value"]), rel=1e-7, abs=1e-14), row


def write_golden() -> None:
    GOLDEN.mkdir(exist_ok=True)
    for name, settings in CASES.items():
        (GOLDEN / f"{name}.json").write_text(json.dumps(settings.to_dict(), indent=1) + "\n")
        (GOLDEN / f"{name}.csv").write_text(export.of(compare(settings)).curves_csv())


if __name__ == "__main__":
    write_golden()
