import re

import numpy as np
import pytest

from looped import Settings, compare
from looped.chart import ROLES, colour
from looped.experiments.compare.mode_charts import mode_chart, rate_chart
from looped.experiments.compare.modes import MOST_MODES, split

COLOURS_OF_ROLES = {None, *map(colour, ROLES)}

SMALL = {"prompts": 3}


def by_numpy(result, prompt):
    """Eigenvalues, descending, and |⟨v, w_t − w_ref⟩|/‖w_ref‖ of gradient descent written out, with NumPy's eigh."""
    X, y = result.prompts.X[prompt].double().numpy(), result.prompts.y[prompt].double().numpy()
    n, eta, alpha = len(X), float(result.step_size[prompt]), result.settings.label_scale
    values, vectors = np.linalg.eigh(X.T @ X / n)
    values, vectors = values[::-1], vectors[:, ::-1]
    w_ref = np.linalg.pinv(X) @ (alpha * y)
    w, errors = np.zeros(X.shape[1]), []
    for _ in range(result.settings.loops + 1):
        errors.append(np.abs((w - w_ref) @ vectors) / np.linalg.norm(w_ref))
        w = w - eta * X.T @ (X @ w - alpha * y) / n
    return values, np.array(errors)


@pytest.mark.parametrize(
    "changes",
    [
        {}, {"step_size": "optimal"}, {"step_size": 1.1}, {"noise": 0.4}, {"examples": 6, "features": 9},
        {"label_scale": -3.0, "layout": "slots", "form": "token"}, {"features": 1}, {"examples": 1}, {"loops": 1},
        {"data": "diabetes", "loops": 30},
    ],
    ids=str,
)  # fmt: skip
def test_states_and_closed_form_are_the_modes_of_gradient_descent(changes):
    result = compare(Settings(**SMALL).replace(**changes))
    prompt = result.prompts.shape[0] - 1
    modes = split(result, prompt)
    values, errors = by_numpy(result, prompt)
    r = len(modes.eigenvalues)
    assert r == np.linalg.matrix_rank(result.prompts.X[prompt].numpy())
    np.testing.assert_allclose(modes.eigenvalues, values[:r], rtol=1e-9)
    largest = max(1.0, errors.max())
    np.testing.assert_allclose(modes.measured, errors[:, modes.shown], atol=1e-11 * largest)
    np.testing.assert_allclose(modes.closed_form, errors[:, modes.shown], atol=1e-11 * largest)
    assert modes.gap <= 1e-12


def test_ridge_modes_shrink_by_the_penalty_too():
    result = compare(Settings(prompts=1, algorithm="ridge", ridge=0.5))
    X, modes = result.prompts.X[0].numpy(), split(result)
    np.testing.assert_allclose(modes.eigenvalues, np.linalg.eigvalsh(X.T @ X / 40)[::-1] + 0.5)
    assert modes.gap <= 1e-12


def test_preconditioned_modes_are_those_of_the_preconditioned_matrix():
    settings = Settings(prompts=2, algorithm="preconditioned", data="correlated", condition_number=20)
    result = compare(settings)
    X, C = result.prompts.X[1].numpy(), result.algorithm.preconditioner.numpy()
    modes = split(result, 1)
    np.testing.assert_allclose(modes.eigenvalues, np.sort(np.linalg.eigvals(C @ X.T @ X / 40).real)[::-1], rtol=1e-9)
    assert modes.gap <= 1e-12


def test_modes_that_do_not_shrink_steadily_are_refused():
    with pytest.raises(ValueError, match="newton multiplies a mode by another number"):
        split(compare(Settings(prompts=1, algorithm="newton")))


def test_the_modes_add_up_to_the_error_of_the_chart():
    result = compare(Settings(prompts=3, features=8))
    modes = split(result, 2)
    np.testing.assert_allclose(np.linalg.norm(modes.measured, axis=1), result.errors[:, 2], rtol=1e-10, atol=1e-15)


def test_float32_modes_follow_the_closed_form_to_its_rounding():
    modes = split(compare(Settings(prompts=2, dtype="float32")))
    assert 1e-9 < modes.gap < 1e-5


def test_the_loops_to_a_tolerance_are_counted_on_the_closed_form():
    modes = split(compare(Settings(prompts=1, condition_number=20, loops=400)))
    needed = modes.loops_to(1e-3)
    for place, k in enumerate(modes.shown):
        assert needed[k] == np.argmax(modes.closed_form[:, place] <= 1e-3)
    far = modes.loops_to(1e-12)[modes.slowest]
    left = modes.weights[modes.slowest] * (1 - 1 / 20) ** far
    assert far > 400
    assert left <= 1e-12 < left / (1 - 1 / 20)


def test_a_growing_mode_never_falls_and_one_loop_can_be_enough():
    growing = split(compare(Settings(prompts=1, step_size=1.1)))
    assert growing.slowest == 0
    assert np.isinf(growing.loops_to(1e-3)[0])
    assert np.isfinite(growing.loops_to(1e-3)[1:]).all()
    at_once = split(compare(Settings(prompts=1, condition_number=1)))
    assert (at_once.loops_to(1e-3) == 1).all()


@pytest.mark.parametrize(("step_size", "slow"), [("auto", [9]), ("optimal", [9]), (1.1, [0])])
def test_the_slowest_mode_is_the_one_with_the_largest_factor(step_size, slow):
    modes = split(compare(Settings(prompts=1, step_size=step_size)))
    factors = np.abs(1 - modes.step_size * modes.eigenvalues)
    assert modes.slowest in slow
    assert factors[modes.slowest] == pytest.approx(factors.max())


def test_of_many_modes_the_first_the_last_and_the_slowest_are_shown():
    modes = split(compare(Settings(prompts=1, features=60, examples=80, loops=5)))
    assert len(modes.shown) == MOST_MODES == len(set(modes.shown))
    assert {0, 59, modes.slowest} <= set(modes.shown)
    assert (np.diff(modes.shown) > 0).all()
    ranks = [int(text.strip(" <b>/")) for text in mode_chart(modes, 1e-3).figure.data[-1].text]
    assert ranks == list(modes.shown + 1)
    assert "modes 1, " in mode_chart(modes, 1e-3).alt
    assert "of 60" in mode_chart(modes, 1e-3).alt


def test_a_prompt_that_does_not_exist_is_refused():
    with pytest.raises(IndexError):
        split(compare(Settings(prompts=2)), 2)


@pytest.mark.parametrize(
    "settings",
    [
        Settings(prompts=1), Settings(prompts=1, step_size=1e6, loops=500), Settings(prompts=1, features=1),
        Settings(prompts=1, condition_number=1), Settings(prompts=1, loops=10_000, condition_number=1e4),
        Settings(prompts=1, dtype="float32", examples=5), Settings(data="diabetes"),
    ],
    ids=["default", "wild", "one mode", "all alike", "long", "float32", "diabetes"],
)  # fmt: skip
def test_both_charts_can_be_drawn_and_have_a_text_and_a_table(settings):
    modes = split(compare(settings))
    for picture in (mode_chart(modes, 1e-6, settings.dtype), rate_chart(modes)):
        assert len(picture.alt) > 100
        assert len({len(column) for column in picture.table.values()}) == 1
        for trace in picture.figure.data:
            drawn = np.array(trace.y, dtype=float)
            assert np.isfinite(drawn[~np.isnan(drawn)]).all()
            assert trace.line.color in COLOURS_OF_ROLES
            assert trace.marker.color is None
        low, high = picture.figure.layout.yaxis.range
        assert low < high


def test_the_star_of_a_mode_stands_where_its_line_falls_below_the_tolerance():
    modes = split(compare(Settings(prompts=1, loops=60)))
    shown = {trace.name: trace for trace in mode_chart(modes, 1e-4).figure.data}
    stars = shown["falls below 0.0001"]
    assert len(stars.x) == len(modes.shown)
    for loop, value, line in zip(stars.x, stars.y, modes.measured.T, strict=True):
        assert value == pytest.approx(max(line[int(loop)], np.finfo(float).eps / 20))
        assert value <= 1e-4 < line[int(loop) - 1]
    assert any(name and name.startswith("mode 10") and "slowest" in name for name in shown)


def test_the_rate_chart_has_its_tip_at_the_optimal_step_and_shades_what_diverges():
    result = compare(Settings(prompts=1, condition_number=9))
    modes, values = split(result), by_numpy(result, 0)[0]
    picture = rate_chart(modes)
    curve, now, auto, best, limit = picture.figure.data
    expected = [np.abs(1 - eta * values).max() for eta in curve.x]
    np.testing.assert_allclose(curve.y, expected, rtol=1e-9)
    assert curve.x[np.argmin(curve.y)] == pytest.approx(2 / (values[0] + values[-1]))
    assert (best.x[0], best.y[0]) == pytest.approx((2 / (values[0] + values[-1]), 8 / 10))
    assert (auto.x[0], auto.y[0]) == pytest.approx((1 / values[0], 8 / 9))
    assert now.x[0] == auto.x[0]
    assert (limit.x[0], limit.y[0]) == pytest.approx((2 / values[0], 1))
    shade = picture.figure.layout.shapes[0]
    assert shade.x0 == pytest.approx(2 / values[0])
    assert shade.x1 == picture.figure.layout.xaxis.range[1] == curve.x[-1]
    assert f"{2 / values[0]:.4g}" in re.findall(r"\d\.\d+", picture.alt)
