"""The third page's charts draw the run's own numbers, and say them."""

import numpy as np
import pytest

from looped.experiments.trained.result import STATISTICS, one_layer_optimum
from looped.figures import train as figures
from looped.training import wishart
from looped.training.settings import TrainSettings


def traces(picture):
    return {trace.name: trace for trace in picture.figure.data}


def test_the_loss_is_drawn_beside_its_levels(small):
    picture = figures.loss_chart(small.settings, small.history, 40, small)
    drawn = traces(picture)
    assert (drawn["median of the batch"]["y"] == small.history["median"]).all()
    assert (drawn["mean of the batch"]["y"] == small.history["loss"]).all()
    levels = figures.levels(small.settings, small)
    assert levels["answering 0"] == 2
    assert levels["one layer, closed form"] == one_layer_optimum(small.settings)[1] == pytest.approx(2 * (1 - 8 / 11))
    assert levels["best GD, 2 steps"] == wishart.best_descent(2, 8, 2)[1]
    assert levels["A alone, trained"] == small.alone.mean
    for name, value in levels.items():
        assert list(drawn[f"{name}: {value:.3g}"]["y"]) == [value, value]
    assert f"{small.history['median'][-1]:.2e}" in picture.alt
    assert picture.figure.layout.yaxis.type == "log"


def test_levels_of_other_sizes_are_not_borrowed(small):
    assert "A alone, trained" not in figures.levels(small.settings.replace(examples=9), small)
    assert set(figures.levels(TrainSettings(loops=1))) == {"answering 0", "one layer, closed form"}


def test_the_empty_chart_stands_before_training():
    picture = figures.loss_chart(TrainSettings(), {}, 200)
    assert picture.alt.startswith("Empty chart of the loss against 200 steps")
    assert len(traces(picture)["median of the batch"]["x"]) == 0


def test_a_loss_that_is_not_finite_is_a_gap(small):
    history = {name: column.copy() for name, column in small.history.items()}
    history["loss"][3:6] = history["median"][3:6] = np.nan
    picture = figures.loss_chart(small.settings, history, 40)
    assert np.isfinite(picture.figure.layout.yaxis.range).all()
    assert "nan" not in picture.alt


def test_weights_are_drawn_in_the_gauge_with_the_corner_1(small):
    picture = figures.weights_chart(small)
    P, Q = small.P[0], small.Q[0]
    table = picture.table
    np.testing.assert_allclose(table["P, trained"].reshape(3, 3), P / P[2, 2])
    np.testing.assert_allclose(table["Q, trained"].reshape(3, 3), Q * P[2, 2])
    best = table["Q, best two numbers"].reshape(3, 3)
    np.testing.assert_allclose(best, np.diag([small.best.a, small.best.a, 0]))
    step = wishart.best_descent(2, 8, 2)[0]
    np.testing.assert_allclose(table["Q, constructed GD"].reshape(3, 3), np.diag([step, step, 0]))
    assert f"a = {small.fits()[0].a:.3g}" in picture.alt


@pytest.mark.parametrize("kind", figures.SWEEPS)
@pytest.mark.parametrize("statistic", STATISTICS)
def test_a_sweep_draws_the_chosen_statistic_and_tells_lines_apart_without_colour(small, kind, statistic):
    picture = figures.sweep_chart(small, kind, statistic)
    drawn = traces(picture)
    row = STATISTICS.index(statistic)
    for name, values in small.sweeps[kind].series.items():
        np.testing.assert_allclose(drawn[name]["y"], np.clip(values[row], 1e-17, 200.0))
    marks = [(trace.line.dash, trace.marker.symbol) for trace in drawn.values()]
    assert len(set(marks[:5])) == 5
    assert all(trace.line.color is None for trace in drawn.values())
    assert statistic in picture.alt
    assert f"{small.sweeps[kind].prompts:,} prompts" in picture.alt


def test_a_curve_that_explodes_runs_along_the_cap_and_the_text_says_so(small):
    series = {name: values.copy() for name, values in small.sweeps["scale"].series.items()}
    series["trained"][:, -1] = np.inf
    sweeps = {**small.sweeps, "scale": type(small.sweeps["scale"])(small.sweeps["scale"].x, series, 100)}
    run = type(small)(small.settings, small.P, small.Q, small.history, small.stopped, sweeps=sweeps)
    picture = figures.sweep_chart(run, "scale")
    assert traces(picture)["trained"]["y"][-1] == 200
    assert "Curves are cut at 200, 100 times what answering 0 costs." in picture.alt
