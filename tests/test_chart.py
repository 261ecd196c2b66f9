"""The kit of the charts: line, column, text and axis of a curve come from its one row."""

import numpy as np
import pytest

from looped.chart import Series, leave, level, line_chart, log_axis, log_range, said, short_each

X = np.arange(5)


def chart(*rows, **how):
    return line_chart(("t", X), rows, "", {}, log_axis("error"), **how)


def names(picture):
    return [trace.name for trace in picture.figure.data]


def test_a_row_is_a_line_and_a_column_where_it_has_a_name_for_each():
    values = np.array([1.0, 0.5, 0.25, 0.125, 1e-9])
    rows = (Series(values, "both", "Both"), Series(values, "column alone"), Series(values, "", "Line alone"))
    picture = chart(*rows, level(0.1, (0, 4), "Level", "dot", "mark"), lowest=1e-3)
    assert names(picture) == ["Both", "Line alone", "Level"]
    assert list(picture.table) == ["t", "both", "column alone"]
    np.testing.assert_array_equal(picture.table["both"], values)  # all digits
    np.testing.assert_array_equal(picture.figure.data[0].y, [1.0, 0.5, 0.25, 0.125, 1e-3])  # what can be drawn


def test_the_axis_has_room_for_the_rows_that_scale_it():
    low, high = np.full(5, 1e-6), np.full(5, 1.0)
    assert chart(Series(high, "", "a"), Series(low, "", "b", scales=False)).figure.layout.yaxis.range[0] > -1
    assert chart(Series(high, "", "a"), Series(low)).figure.layout.yaxis.range[0] <= -6  # not drawn, but has room


def test_a_level_below_the_axis_is_in_the_table_alone_and_one_on_it_is_drawn_last():
    deep, seen = (Series(np.full(5, v), str(v), str(v), scales=False, if_seen=True) for v in (1e-12, 0.5))
    picture = chart(deep, seen, Series(np.geomspace(1, 0.1, 5), "error", "Error"))
    assert names(picture) == ["Error", "0.5"]
    assert list(picture.table) == ["t", "1e-12", "0.5", "error"]


def test_values_at_places_of_their_own_stand_in_the_table_at_the_nearest_ones():
    some = Series(np.array([7.0, 8.0, 9.0]), "some", "Some", x=np.array([1, 3.2, 6]))
    np.testing.assert_array_equal(chart(some).table["some"], [np.nan, 7, np.nan, 8, np.nan])  # 6 is beyond the last


def test_arrows_stand_beside_annotations_of_the_caller():
    rising = Series(np.geomspace(1, 1e9, 5), "error", "Error")
    arrow, word = chart(rising, highest=1e6).figure.layout.annotations
    both = chart(rising, highest=1e6, annotations=[{"x": 1, "y": 0, "text": "mine"}]).figure.layout.annotations
    assert [note.text for note in both] == ["mine", arrow.text, word.text]


def test_the_text_gives_the_value_at_a_place():
    rows = [Series(np.array([1.0, 0.25]), text="from rows {:.2f}"), Series(np.ones(2))]
    assert said(rows) == ["from rows 0.25"]
    assert said(rows, 0) == ["from rows 1.00"]


def test_frames_of_a_run_that_diverges_keep_six_digits_each():
    frames = np.array([[1.23456789, -0.1], [1.23456789e12, 5.0], [0.0, 0.0]])
    np.testing.assert_array_equal(short_each(frames), [[1.23457, -0.1], [1.23457e12, 0.0], [0.0, 0.0]])


@pytest.mark.parametrize("last", [60, 10_000])
@pytest.mark.parametrize("grows", [1.02, 1.1, 1.3, 1.5, 2.0, 3.0, 10.0, 196.0, 1e4])
def test_the_word_where_lines_leave_a_chart_stands_where_none_of_them_runs(grows, last):
    """On a plot of 190 by 150 pixels, the smallest there is, with a word of 55 by 18 and lines of 4."""
    loops, top, highest = np.arange(last + 1), 6.2, 1e6
    with np.errstate(over="ignore"):
        values = np.array([0.1 * grows**loops, 0.02 * (1 + 0.9 * (grows - 1)) ** loops])
    if (values < highest).all():
        return
    traces = [{"x": loops, "y": line, "line": {"color": "gray"}} for line in values]
    *_, said = leave(traces, highest, top, "diverges")
    assert said["text"] == "diverges"
    low = np.log10(values.min())
    left = said["x"] / last * 190 + said["xshift"] - (55 if said["xanchor"] == "right" else 0)
    assert left >= 0
    assert left + 55 <= 190 + 12
    for line in traces:
        seen = np.isfinite(line["y"])
        height = np.linspace(np.log10(line["y"][0]), top, 6001)
        across = np.interp(height, np.log10(line["y"][seen]), line["x"][seen])
        x, down = across / last * 190, (top - height) / (top - low) * 150
        inside = (x > left - 2) & (x < left + 57) & (down < 18)
        assert not inside.any()


@pytest.mark.parametrize("cut", [np.inf, 1e6])
@pytest.mark.parametrize("log", [False, True])
def test_a_line_that_leaves_goes_on_straight_to_the_edge_and_its_arrow_lies_on_it(cut, log):
    x, top = np.arange(2, 13), 6.2
    straight = np.log10(x) if log else x
    line = {"x": x, "y": np.minimum(10.0 ** (7.5 * straight / straight[-1]), cut), "line": {"color": "gray"}}
    arrow, _ = leave([line], 1e6, top, "diverges", log=log)
    seen = np.isfinite(line["y"])
    drawn, height = line["x"][seen], np.log10(line["y"][seen])
    assert height[-1] == pytest.approx(top)
    np.testing.assert_allclose(height / (np.log10(drawn) if log else drawn), 7.5 / straight[-1])
    assert arrow["y"] / arrow["x"] == pytest.approx(arrow["ay"] / arrow["ax"]) == pytest.approx(7.5 / straight[-1])
    np.testing.assert_array_equal(x, np.arange(2, 13))  # that of the caller


def test_a_line_leaves_at_least_so_steeply_that_it_is_as_high_as_is_known():
    line = {"x": np.arange(5), "y": np.array([1.0, 1.0, 1.0, 1e6, 1e6])}
    leave([line], 1e6, 6.6, "")
    assert line["x"][3] == pytest.approx(2 + 6.6 / 6)
    line = {"x": np.arange(4), "y": np.array([1.0, 1e2, 1e4, 1e6])}  # ends below the edge
    arrow, _ = leave([line], 1e6, 6.6, "diverges")
    assert (line["x"][3], line["y"][3], arrow["y"]) == (3, pytest.approx(1e6), pytest.approx(6))
    for start in ([], [0.0], [np.nan], [np.nan, np.nan]):  # nothing to go on from
        line = {"x": np.arange(len(start) + 2), "y": np.array([*start, np.inf, 1.0])}
        arrow, _ = leave([line], 1e6, 6.6, "diverges")
        assert line["x"][len(start)] == arrow["x"] == arrow["ax"] == len(start)


def test_the_word_stands_behind_lines_that_come_back_and_behind_a_mark_beside_them():
    x, highest, top = np.arange(51), 200.0, 2.5
    hill = 10.0 ** np.array([0, 1.5, 2, 3, 3, 2, 1, -1, -4, *[-8.0] * 42])
    traces = [{"x": x, "y": hill, "line": {"color": "gray"}}, {"x": x, "y": np.full(51, 1.8)}]
    assert leave([dict(trace) for trace in traces], highest, top, "off the chart")[-1]["x"] == 6
    said = leave(traces, highest, top, "off the chart", marks=[10.0, 40.0])[-1]
    assert (said["text"], said["showarrow"], said["xanchor"], said["x"]) == ("off the chart", False, "left", 10)


@pytest.mark.parametrize("low", np.linspace(-6.9, -2.2, 12))
@pytest.mark.parametrize("high", [0.0, 0.3, 1.0])
def test_a_logarithmic_axis_holds_its_values_and_ends_within_less_than_a_decade_of_them(low, high):
    limits, _ = log_range(10.0 ** np.array([low, -1.0, high]))
    assert 0 < low - limits[0] <= 0.71
    assert 0 < limits[1] - high <= 0.71


def test_markers_are_whole_at_the_ends_of_an_axis_and_lines_are_cut_off_there():
    x = np.arange(3)
    assert Series(x, "", "circles", "model", symbol="circle").trace(x)["cliponaxis"] is False
    assert Series(x, "", "stars", "model", more={"mode": "markers"}).trace(x)["cliponaxis"] is False
    assert "cliponaxis" not in Series(x, "", "line", "model").trace(x)


@pytest.mark.parametrize("log", [False, True])
def test_the_word_at_a_line_that_leaves_late_stands_right_above_it(log):
    x, top, low = np.arange(1, 22), 9.2, 0.0
    line = {"x": x, "y": 10.0 ** (0.62 * np.arange(21)), "line": {"color": "gray"}}
    *_, said = leave([line], 1e9, top, "diverges", log=log)
    assert said["xanchor"] == "right"
    seen = np.isfinite(line["y"])
    across = np.log10(line["x"][seen]) if log else line["x"][seen]
    under = (top - np.interp(said["x"], across, np.log10(line["y"][seen]))) / (top - low)
    assert 18 / 150 < under < 0.16  # a word is 18 pixels high on a plot of 150


def test_no_marker_stands_where_a_line_leaves():
    rising = Series(np.geomspace(1, 1e9, 5), "error", "Error", "model", symbol="circle")
    (trace,) = chart(rising, highest=1e6).figure.data
    np.testing.assert_array_equal(trace.marker.opacity, [1, 1, 1, 0, 0])
    assert trace.marker.size == 8  # sizes of their own would make Plotly outline markers
    assert chart(rising).figure.data[0].marker.opacity is None


@pytest.mark.parametrize("log", [False, True])
def test_a_line_that_is_too_low_leaves_through_the_lower_edge_and_its_arrow_points_down(log):
    x = np.array([1.0, 2.0, 4.0, 8.0])
    values = x**-20 if log else 10.0 ** (-5 * x)
    kept = Series(np.ones(4), "kept", "kept", x=x)
    picture = line_chart(
        ("x", x), [Series(values, "y", "y"), kept], "", {"type": "log"} if log else {}, log_axis("y"),
        lowest=1e-14, below="too low",
    )  # fmt: skip
    line, level_line = picture.spec["data"]
    arrow, said = picture.spec["layout"]["annotations"]
    low, _ = picture.spec["layout"]["yaxis"]["range"]
    np.testing.assert_allclose(line["y"][:2], values[:2])
    exits = np.nanargmin(line["y"])
    assert np.log10(line["y"][exits]) == pytest.approx(low)
    assert (arrow["y"], said["y"], said["yanchor"], said["text"]) == (pytest.approx(low), low, "bottom", "too low")
    assert arrow["ay"] > arrow["y"]
    assert arrow["ax"] < arrow["x"]
    across = np.log10 if log else np.asarray
    slope = np.diff(np.log10(values[:2]))[0] / np.diff(across(x[:2]))[0]
    run = across(line["x"][exits]) - across(line["x"][exits - 1])
    assert np.log10(line["y"][exits] / line["y"][exits - 1]) / run == pytest.approx(slope)
    np.testing.assert_array_equal(level_line["y"], 1)
    np.testing.assert_array_equal(picture.table["y"], values)
