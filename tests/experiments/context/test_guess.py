"""The guess beside what was measured: the sweep's numbers, the arrow of the theorem, and a true sentence."""

import json
import re

import numpy as np
import pytest

from looped import theory
from looped.chart import colour
from looped.experiments.context import ContextSettings, sweep
from looped.experiments.context.guess import STOPS, asked_loops, guess_chart, nearest_stop, needs
from looped.experiments.context.stored import stored
from tests.experiments.context.test_charts import EDGES

GUESS = (20.0, 5.0, 2.0)


def drawn(picture):
    return {trace["name"]: trace for trace in picture.spec["data"]}


def test_a_guess_is_made_at_three_values_of_t_where_there_are_three():
    assert asked_loops(ContextSettings()) == (10, 50, 200)
    assert asked_loops(ContextSettings(loops=4, shown_loops=4)) == (1, 4)
    assert asked_loops(ContextSettings(loops=1, shown_loops=1)) == (1,)


def test_the_values_that_can_be_guessed_ascend_and_any_other_becomes_the_nearest():
    assert list(STOPS) == sorted(set(STOPS))
    assert [nearest_stop(value) for value in (0.01, 2.2, 2.3, 1e6)] == [0.5, 2.0, 2.5, 1000.0]


def test_nothing_that_was_measured_is_drawn_before_it_is_asked_for():
    picture = guess_chart(ContextSettings(), GUESS)
    assert list(drawn(picture)) == ["your guess"]
    assert "annotations" not in picture.spec["layout"]
    assert picture.spec["layout"]["dragmode"] is False
    assert list(drawn(picture)["your guess"]["x"]) == [10, 50, 200]
    assert list(drawn(picture)["your guess"]["y"]) == list(GUESS)
    assert "20 at T = 10, 5 at T = 50, 2 at T = 200" in picture.alt


@pytest.mark.parametrize("T", [3, 50])
def test_a_line_marks_the_t_that_the_question_is_about(T):
    result = stored()[0]
    settings = result.settings.replace(shown_loops=T)
    for picture in (guess_chart(settings, GUESS), guess_chart(settings, GUESS, result.looking_at(settings))):
        (line,) = picture.spec["layout"]["shapes"]
        assert (line["x0"], line["x1"]) == (T, T)


def test_a_sweep_with_the_same_need_is_not_drawn_to_compare_with():
    result = stored()[0]
    other = result.settings.replace(seed=3)
    assert list(drawn(guess_chart(other, GUESS, known=result))) == ["your guess"]


def crossing(ratio, errors, target):
    """The last crossing of the target on straight lines between points on log axes; NaN where there is none."""
    x, y = np.log(ratio), np.log(errors / target)
    below = [k for k in range(1, len(x)) if y[k - 1] > 0 >= y[k]]
    if y[-1] > 0:
        return np.nan
    return (
        np.exp(np.interp(0, [-y[below[-1] - 1], -y[below[-1]]], x[[below[-1] - 1, below[-1]]])) if below else ratio[0]
    )


def test_the_measured_need_and_its_band_are_where_the_errors_cross_the_target():
    result = stored()[0]
    data = guess_chart(result.settings, GUESS, result).spec["data"]
    (median,) = (trace for trace in data if trace["name"] == "measured: half of the prompts")
    edges = [trace for trace in data if trace["name"] == "1 to 9 of 10 prompts"]
    assert len(edges) == 2
    for trace, row in ((median, 1), (edges[0], 0), (edges[1], 2)):
        expected = [crossing(result.ratio, result.bands[row, :, T], 1e-3) for T in trace["x"]]
        np.testing.assert_allclose(trace["y"], expected)
    assert np.isfinite([*edges[0]["y"], *edges[1]["y"]]).all()


@pytest.mark.parametrize("T", [1, 2, 50, 200])
def test_an_arrow_at_the_shown_t_leaves_the_chart_with_the_theorems_number_as_a_word(T):
    result = stored()[0]
    settings = result.settings.replace(shown_loops=T)
    picture = guess_chart(settings, GUESS, result.looking_at(settings))
    (arrow,) = picture.spec["layout"]["annotations"]
    exponent = round(np.log10(64 * T**2 * 10.0**3) + 4 * T * np.log10(8))  # n/d at d = 10
    assert f"n/d = 10{str(exponent).translate(str.maketrans('0123456789', '⁰¹²³⁴⁵⁶⁷⁸⁹'))} at T = {T}" in arrow["text"]
    assert arrow["x"] == pytest.approx(np.log10(T))
    assert (arrow["yref"], arrow["y"]) == ("paper", 1)
    assert arrow["ay"] > 0  # from below
    assert arrow["yshift"] - arrow["ay"] >= 18  # two lines round its foot stand above all that can be guessed
    assert arrow["yshift"] <= picture.spec["layout"]["margin"]["t"]
    assert arrow["arrowcolor"] == colour("bound")


def test_the_theorems_number_is_off_the_chart_for_every_d():
    top = guess_chart(ContextSettings(), GUESS).spec["layout"]["yaxis"]["range"][1]
    field = ContextSettings.table["features"]
    for d in range(int(field.low), int(field.high) + 1):
        assert theory.exponential_requirement(1, d) - np.log10(d) > top + 1


@pytest.mark.parametrize("name", EDGES)
def test_the_chart_can_be_drawn_and_said_at_the_edges(name):
    result = sweep(ContextSettings(**{"prompts": 8, "loops": 40} | EDGES[name]))
    guess = GUESS[: len(asked_loops(result.settings))]
    picture = guess_chart(result.settings, guess, result)
    assert not re.search(r"\b(nan|inf)\b", picture.alt, re.IGNORECASE)
    assert "Infinity" not in json.dumps(picture.figure.to_plotly_json(), default=lambda values: values.tolist())
    assert len({len(column) for column in picture.table.values()}) == 1
    needed = result.needed_ratio(result.settings.target_error)
    text = needs(result, guess)
    for T in asked_loops(result.settings):
        if np.isfinite(needed[T]):
            assert re.search(rf"{needed[T]:.3g} at T = {T} \(", text)
            assert (f"at most {needed[T]:.3g} at T = {T} " in text) == (needed[T] <= result.ratio[0])
        elif np.isfinite(needed[list(asked_loops(result.settings))]).any():
            assert f"none up to {result.ratio[-1]:.3g} at T = {T} " in text
        else:
            assert text.startswith("No measured n/d")
