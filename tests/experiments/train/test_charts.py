"""The third page's charts draw the run's own numbers, and say them."""

import numpy as np
import pytest

from looped.chart import INK, ROLES, SIGNED, colour
from looped.experiments.train import charts as figures
from looped.experiments.train.lessons import TRAIN
from looped.experiments.train.result import STATISTICS
from looped.experiments.train.settings import TrainSettings
from looped.experiments.train.stored import stored
from looped.training import wishart

COLOURS_OF_ROLES = {None, *map(colour, ROLES)}


def traces(picture):
    return {trace.name: trace for trace in picture.figure.data}


def test_the_lines_where_loops_are_added_have_a_colour_that_is_seen_in_both_themes():
    run = stored()[0]
    shapes = figures.loss_chart(run.settings, run.history, 200, run).spec["layout"]["shapes"]
    assert len(shapes) == 9
    assert {shape["line"]["color"] for shape in shapes} == {"gray"}


def test_the_loss_is_one_statistic_beside_levels_of_the_same(small):
    picture = figures.loss_chart(small.settings, small.history, 40, small)
    drawn = traces(picture)
    assert (drawn["median of the batch"]["y"] == small.history["median"]).all()
    assert not any("mean" in name for name in drawn)
    levels = figures.levels(small.settings, small)
    assert list(levels) == [
        "answering 0", "one layer, closed form", "constructed GD", "best GD++", "A alone, trained",
    ]  # fmt: skip
    shown = []
    for name, medians in levels.items():
        low, value, high = (f"{one:.2g}" for one in (medians[0], np.median(medians), medians[-1]))
        trace = drawn[f"{name}: error of w {value}" + (f" ({low} to {high})" if low != high else "")]
        assert list(trace["y"]) == [np.median(medians)] * 2
        shown += [name] * (trace.visible is True)
    assert shown == ["constructed GD", "best GD++"]
    assert f"{small.history['median'][-1]:.2e}" in picture.alt
    assert picture.figure.layout.yaxis.type == "log"
    assert picture.figure.layout.yaxis.title.text.startswith("error of w: median")


def test_levels_are_medians_of_the_squared_distance(small):
    n, d, T, B = 8, 2, 2, 100_000
    generator = np.random.default_rng(0)
    X, w_star = generator.normal(size=(B, n, d)), generator.normal(size=(B, d))
    H = np.einsum("bni,bnj->bij", X, X) / n
    steps = {"answering 0": (0.0, 1), "one layer, closed form": (n / (n + 1 + d), 1)}
    steps["constructed GD"] = (wishart.best_descent(T, n, d)[0], T)
    for name, (a, loops) in steps.items():
        left = w_star
        for _ in range(loops):
            left = left - a * np.einsum("bij,bj->bi", H, left)
        medians = figures.levels(small.settings)[name]
        assert list(medians) == sorted(medians)
        assert len(set(medians)) == 3  # sets of prompts
        np.testing.assert_allclose(medians, np.median((left**2).sum(1)), rtol=0.1)
    np.testing.assert_allclose(figures.levels(small.settings)["answering 0"], 2 * np.log(2), rtol=0.1)  # of χ²₂


@pytest.mark.parametrize(
    "other", [{"examples": 9}, {"loops": 3}, {"features": 3}, {"noise": 0.1}, {"task": "generation"}]
)
def test_levels_of_other_prompts_are_not_borrowed(small, other):
    levels = figures.levels(small.settings.replace(**other), small)
    assert "A alone, trained" not in levels
    assert "best GD++" not in levels


def test_one_layer_has_the_levels_of_one_layer():
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
    best = table["Q, best GD++"].reshape(3, 3)
    np.testing.assert_allclose(best, np.diag([small.best.a, small.best.a, 0]))
    step = wishart.best_descent(2, 8, 2)[0]
    np.testing.assert_allclose(table["Q, constructed GD"].reshape(3, 3), np.diag([step, step, 0]))
    assert f"a = {small.fits()[0].a:.3g}" in picture.alt
    axes = {trace[f"{axis}axis"].replace(axis, f"{axis}axis") for trace in picture.spec["data"] for axis in "xy"}
    assert axes <= set(picture.spec["layout"])  # by these names the browser looks for the room in a cell


@pytest.mark.parametrize("kind", figures.SWEEPS)
@pytest.mark.parametrize("statistic", STATISTICS)
def test_a_sweep_draws_the_chosen_statistic_and_tells_lines_apart_without_colour(small, kind, statistic):
    picture = figures.sweep_chart(small, kind, statistic)
    drawn = traces(picture)
    row = STATISTICS.index(statistic)
    for name, values in small.sweeps[kind].series.items():
        most = 10 ** picture.spec["layout"]["yaxis"]["range"][1]
        inside = ~(values[row] >= most)
        np.testing.assert_allclose(np.array(drawn[name]["y"])[inside], np.maximum(values[row][inside], 1e-17))
        assert not (np.array(drawn[name]["y"])[~inside] < most * (1 - 1e-9)).any()  # beyond the axis, or not there
    marks = [(trace.line.dash, trace.marker.symbol) for trace in drawn.values()]
    assert len(set(marks[:6])) == 6
    assert statistic.replace(" %", "") in picture.figure.layout.yaxis.title.text
    assert all(trace.line.color in COLOURS_OF_ROLES for trace in drawn.values())
    assert statistic in picture.alt
    assert f"{small.sweeps[kind].prompts:,} prompts" in picture.alt


def test_a_curve_that_explodes_leaves_the_chart_with_an_arrow_and_the_text_says_so(small):
    series = {name: values.copy() for name, values in small.sweeps["scale"].series.items()}
    series["trained"][:, -1] = np.inf
    sweeps = {**small.sweeps, "scale": type(small.sweeps["scale"])(small.sweeps["scale"].x, series, 100)}
    run = type(small)(small.settings, small.P, small.Q, small.history, small.stopped, sweeps=sweeps)
    picture = figures.sweep_chart(run, "scale")
    cap = 100 * series["answering 0"][STATISTICS.index("median")].max()
    layout, places = picture.spec["layout"], small.sweeps["scale"].x
    top = layout["yaxis"]["range"][1]
    assert traces(picture)["trained"]["y"][-1] == pytest.approx(10**top)
    assert np.log10(cap) < top
    arrow = next(a for a in layout["annotations"] if a["showarrow"])
    assert np.log10(places[-2]) < arrow["x"]
    assert arrow["y"] == top
    assert "off the chart" in [a["text"] for a in layout["annotations"]]
    assert f"Curves leave the chart above {10**top:.3g}." in picture.alt


@pytest.mark.parametrize("lesson", TRAIN, ids=lambda lesson: lesson.key)
@pytest.mark.parametrize("kind", figures.SWEEPS)
def test_no_arrow_begins_before_its_line_and_none_leaves_where_the_axis_has_room(lesson, kind):
    run = stored(TrainSettings(**lesson.settings))[0]
    if kind not in run.sweeps:
        return
    picture = figures.sweep_chart(run, kind)
    top = 10 ** picture.spec["layout"]["yaxis"]["range"][1]
    row, x = STATISTICS.index("median"), run.sweeps[kind].x
    leaving = [values[row] for values in run.sweeps[kind].series.values() if not (values[row] < top).all()]
    arrows = [note for note in picture.spec["layout"]["annotations"] if note["showarrow"]]
    assert len(arrows) == len([values for values in leaving if (values < top).any()])
    first = np.log10(x[0]) if figures.SWEEPS[kind][2] == "log" else x[0]
    assert all(note["ax"] >= first for note in arrows)


def test_the_matrices_have_a_colour_bar_each_and_numbers_that_fit_their_cells(small):
    figure = figures.weights_chart(small).figure
    assert len(figure.data) == 6
    for trace in figure.data:
        matrix = figure.layout[trace.coloraxis]
        assert matrix.colorbar.title.text in ("entry of P", "entry of Q")
        assert matrix.cmin == -matrix.cmax
        assert [colour for _, colour in matrix.colorscale] == list(SIGNED)  # its middle is seen on white and on black
        assert np.abs(trace.z).max() <= matrix.cmax
        assert trace.texttemplate == "%{text}"
        assert (trace.textfont.size, trace.textfont.color) == (13, INK)
        assert max(len(text) for line in trace.text for text in line) <= 5
    axes = {trace.coloraxis for trace in figure.data}
    assert axes == {"coloraxis1", "coloraxis2"} or axes == {"coloraxis", "coloraxis2"}
    across = {(round(figure.layout[f"xaxis{k}"].domain[0], 2), figure.layout[f"xaxis{k}"].domain[1]) for k in (2, 4, 6)}
    assert across == {(0.52, 1.0)}  # two in a row, so that a cell has room for 0.046
