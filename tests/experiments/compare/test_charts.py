import re

import numpy as np
import pytest

from looped import Settings, compare
from looped.chart import ROLES, colour
from looped.experiments.compare import charts
from looped.experiments.compare.curves import ERROR_CEILING

COLOURS_OF_ROLES = {None, *map(colour, ROLES)}


def lines(picture):
    return {trace.name: trace for trace in picture.figure.data}


def test_the_chart_draws_the_curves_of_the_result():
    result = compare(Settings())
    shown = lines(charts.error_chart(result))
    for name, series in [
        ("Looped transformer", "looped_median"),
        ("Explicit gradient descent", "explicit_median"),
        ("Closed form (1−ηλ)ᵗ", "closed_form_median"),
        ("Bound e<sup>−t/(2κ)</sup>", "bound_paper"),
        ("Bound (1 − 1/κ)ᵗ", "bound_auto"),
    ]:
        np.testing.assert_array_equal(shown[name].y, result.curves[series])
        np.testing.assert_array_equal(shown[name].x, np.arange(51))
    assert "Bound ((κ−1)/(κ+1))ᵗ" not in shown


def test_every_line_differs_from_the_others_in_dash_or_marker_and_sets_no_colour():
    result = compare(Settings(noise=0.1, step_size="optimal"))
    traces = [trace for trace in charts.error_chart(result).figure.data if trace.line.width]
    styles = {(trace.line.dash, trace.marker.symbol) for trace in traces}
    assert len(styles) == len(traces) >= 5
    assert all(trace.line.color in COLOURS_OF_ROLES and trace.marker.color is None for trace in traces)


@pytest.mark.parametrize(
    "settings",
    [
        Settings(loops=1, prompts=1), Settings(loops=10_000, prompts=2), Settings(condition_number=1, loops=30),
        Settings(step_size=3.0), Settings(examples=1, features=1), Settings(dtype="float32", loops=300),
        Settings(data="diabetes"), Settings(step_size=1e6, loops=3000, prompts=2), Settings(noise=10.0),
    ],
    ids=["one loop", "long", "one loop is enough", "diverging", "one number", "float32", "diabetes", "wild", "noise"],
)  # fmt: skip
def test_every_chart_has_points_on_a_log_axis_a_text_and_a_table(settings):
    picture = charts.error_chart(compare(settings))
    low, high = picture.figure.layout.yaxis.range
    assert low < high <= np.log10(ERROR_CEILING) + 0.3
    for trace in picture.figure.data:
        assert 2 <= len(trace.y) <= 2 * charts.MOST_POINTS  # evenly spaced, and dense at the start
        inside = np.asarray(trace.y)[~np.isnan(np.asarray(trace.y))]
        assert len(inside) >= 2
        assert (inside > 0).all()
        assert np.isfinite(inside).all()
        assert trace.x[-1] == settings.loops
    main = np.asarray(picture.figure.data[0].y)
    main = np.log10(main[~np.isnan(main)])
    assert ((main >= low) & (main <= high)).all()
    assert len(picture.alt) > 100
    assert {len(column) for column in picture.table.values()} == {len(picture.figure.data[0].x)}


def test_a_curve_that_diverges_leaves_the_chart_with_an_arrow_and_a_word_also_where_it_is_held():
    result = compare(Settings(step_size=3.0, prompts=2))
    picture = charts.error_chart(result)
    first = int((result.curves["looped_median"] >= ERROR_CEILING).argmax())
    y, (low, top) = np.asarray(picture.spec["data"][0]["y"]), picture.spec["layout"]["yaxis"]["range"]
    assert low < np.log10(ERROR_CEILING) < top
    assert y[first] == pytest.approx(10**top)
    assert np.isnan(y[first + 1 :]).all()
    arrows = picture.spec["layout"]["annotations"]
    assert [arrow["text"] for arrow in arrows] == [""] * (len(arrows) - 1) + ["diverges"]
    assert arrows[0]["x"] == pytest.approx(first, abs=1)
    assert arrows[0]["y"] == top
    on_log = charts.log_loops(picture).spec["layout"]["annotations"][0]
    assert [on_log[end] for end in ("x", "ax")] == [pytest.approx(np.log10(arrows[0][end])) for end in ("x", "ax")]
    held = charts.hold(charts.error_chart(compare(Settings(prompts=2))), [charts.keep(picture, "step = 3")])
    assert held.spec["layout"]["annotations"][0]["x"] == pytest.approx(arrows[0]["x"], abs=0.1)
    assert "step = 3 ends at 1.00e+06" in held.alt
    assert "annotations" not in charts.error_chart(compare(Settings(prompts=2))).spec["layout"]


def test_the_text_speaks_the_numbers_of_the_result():
    result = compare(Settings(noise=0.2))
    numbers = re.findall(r"\d\.\d+e[+-]\d+", charts.error_chart(result).alt)
    for series in ("looped_median", "closed_form_median", "task_median", "floor_median"):
        assert f"{result.curves[series][-1]:.2e}" in numbers
    assert f"{result.gap:.1e}" in numbers


def test_a_long_run_draws_early_loops_for_the_log_axis():
    drawn = charts.error_chart(compare(Settings(loops=10_000, prompts=2))).table["loop"]
    assert list(drawn[:30]) == list(range(30))
    assert drawn[-1] == 10_000
    assert np.diff(drawn).max() <= 34


def test_held_curves_widen_the_axes_and_are_named_in_the_text():
    long, short = (charts.error_chart(compare(Settings(loops=loops, prompts=2))) for loops in (100, 10))
    held = charts.keep(long, "T = 100")
    picture = charts.hold(short, [held])
    assert picture.figure.layout.xaxis.range[1] == 100
    assert picture.figure.layout.yaxis.range[0] < np.log10(long.table["looped transformer"][-1])
    assert picture.figure.data[-1].name == "Held: T = 100"
    assert "T = 100" in picture.alt
    assert len(short.figure.data) + 1 == len(picture.figure.data)
