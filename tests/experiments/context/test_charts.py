"""The second page's charts: their numbers are the sweep's, their texts say them, and nothing breaks at the edges."""

import re

import numpy as np
import pytest

from looped import theory
from looped.chart import ROLES, colour
from looped.experiments.context import ContextSettings, sweep
from looped.experiments.context import charts as figures
from looped.experiments.context.stored import stored

COLOURS_OF_ROLES = {None, *map(colour, ROLES)}

EDGES = {
    "one ratio": {"ratios": (4,)},
    "as many examples as features": {"ratios": (1,)},
    "one loop": {"loops": 1, "shown_loops": 1},
    "one feature": {"features": 1},
    "one prompt": {"prompts": 1, "ratios": (1, 4)},
    "only n < d": {"ratios": (0.2, 0.5)},
    "diverging": {"step_size": 1.5, "loops": 3000, "ratios": (0.5, 1, 4)},
    "a target that is always reached": {"target_error": 0.9, "ratios": (20, 50)},
    "a target that is never reached": {"target_error": 1e-12, "loops": 5},
    "T beyond T max": {"shown_loops": 900, "loops": 30},
    "student": {"rows": "student"},
}


@pytest.fixture(scope="module", name="result")
def fixture_result():
    return stored()[0]


def lines(picture):
    return {trace.name: trace for trace in picture.figure.data if trace.name}


@pytest.mark.parametrize("name", EDGES)
def test_every_chart_can_be_drawn_at_the_edges(name):
    result = sweep(ContextSettings(**{"prompts": 8, "loops": 40} | EDGES[name]))
    for picture in figures.pictures(result).values():
        text = picture.figure.to_json()
        assert not re.search(r"\b(nan|inf)\b", picture.alt, re.IGNORECASE)
        assert "Infinity" not in text
        assert len({len(column) for column in picture.table.values()}) == 1


def test_no_line_is_told_by_colour_alone(result):
    for picture in figures.pictures(result).values():
        marks = [
            (trace.line.dash, trace.marker.symbol if "markers" in trace.mode else None)
            for trace in picture.figure.data
            if trace.type == "scatter" and trace.line.width
        ]
        assert len(set(marks)) == len(marks)
        assert all(trace.line.color in COLOURS_OF_ROLES for trace in picture.figure.data if trace.type == "scatter")


def test_the_error_chart_draws_the_medians_of_its_loops(result):
    picture = figures.ratio_chart(result)
    for T in (5, 12, 50, 200):
        trace = lines(picture)[f"T = {T}"]
        np.testing.assert_allclose(trace.x, result.ratio)
        np.testing.assert_allclose(trace.y, np.maximum(result.median[:, T], 1e-17))
    assert "After T = 50 loops it is" in picture.alt
    assert f"{result.median[-1, 50]:.2e}" in picture.alt
    assert f"From n/d = {result.needed_ratio(1e-3)[50]:.3g} on" in picture.alt


def test_the_map_holds_every_median_and_its_level_line_the_needed_ratio(result):
    picture = figures.map_chart(result)
    (heat,) = (trace for trace in picture.figure.data if trace.type == "heatmap")
    place = list(heat.y).index(200)
    np.testing.assert_allclose(np.array(heat.z)[place], np.log10(np.maximum(result.median[:, 200], 1e-17)))
    level = lines(picture)["error = 0.001"]
    needed = result.needed_ratio(1e-3)
    np.testing.assert_allclose(level.x, needed[np.array(level.y)])
    assert np.isfinite(level.x).all()


def test_the_level_line_separates_what_reaches_the_target_from_what_does_not(result):
    level = lines(figures.map_chart(result))["error = 0.001"]
    for ratio, T in zip(level.x, level.y, strict=True):
        assert (result.median[result.ratio > ratio * 1.001, T] <= 1e-3).all()
        assert result.median[result.ratio < ratio * 0.999, T][-1] > 1e-3


def test_the_need_chart_has_construction_learned_weights_and_the_rate(result):
    drawn = lines(figures.need_chart(result))
    learned = drawn["Learned A, median prompt"]
    np.testing.assert_allclose(learned.y, result.learned_needed_ratio(1e-3))
    rate, limit = drawn[figures.RATE], drawn[figures.LIMIT]
    assert rate.y[-1] == pytest.approx(theory.sufficient_ratio(200, 1e-3, "auto"))
    assert dict(zip(limit.x, limit.y, strict=True))[200] == pytest.approx(1.7783, abs=1e-3)
    assert "With the trained A it is n/d: " in figures.need_chart(result).alt


@pytest.mark.parametrize("prompts", [1, 9, 10])
def test_nine_of_ten_prompts_are_spoken_of_from_ten_on(prompts):
    settings = ContextSettings(prompts=prompts, loops=20, ratios=(2, 8))
    names = lines(figures.need_chart(sweep(settings))).keys()
    assert ("Construction, 9 of 10 prompts" in names) == (prompts >= 10)


@pytest.mark.parametrize(("rows", "step_size"), [("student", "auto"), ("correlated", "optimal"), ("gaussian", 0.3)])
def test_the_limit_of_large_d_is_not_drawn_where_it_is_not_known(rows, step_size):
    result = sweep(ContextSettings(prompts=3, loops=20, ratios=(2, 8), rows=rows, step_size=step_size))
    assert not {figures.LIMIT, figures.RATE} & lines(figures.need_chart(result)).keys()


def test_a_map_of_diverging_prompts_is_not_said_to_fall():
    result = sweep(ContextSettings(step_size=3.0, loops=30, ratios=(1, 4), prompts=4))
    alt = figures.map_chart(result).alt
    assert "falls" not in alt
    assert f"smallest value is {result.median[:, 1:].min():.1e}" in alt


def test_no_text_of_a_chart_has_a_raw_caret_or_underscore(result):
    for picture in figures.pictures(result).values():
        names = [trace.name or "" for trace in picture.figure.data]
        assert not re.search(r"\^|\w_\w", " ".join([picture.alt, *names, *picture.table]))


def test_the_requirements_are_drawn_in_decades(result):
    drawn = lines(figures.requirement_chart(result))
    assert "derived here<br>from a theorem on learned weights" in figures.EXPONENTIAL  # the label of the exported chart
    exponential = drawn[figures.EXPONENTIAL]
    assert exponential.y[-1] == pytest.approx(theory.exponential_requirement(200, 10))
    measured = drawn["measured, construction"]
    place = list(measured.x).index(200)
    assert 10 ** measured.y[place] == pytest.approx(10 * result.needed_ratio(1e-3)[200])


def test_the_kappa_chart_is_against_the_edge_ratio(result):
    picture = figures.condition_chart(result)
    np.testing.assert_allclose(lines(picture)["κ measured, median"].y, np.median(result.kappa, axis=1))
    place = list(picture.table["n/d"]).index(4)
    assert picture.table["Marchenko–Pastur"][place] == pytest.approx(9)


def test_the_bound_is_drawn_at_the_measured_kappa_and_only_from_n_equal_to_d_on(result):
    bound = lines(figures.bound_chart(result))["e<sup>−T/(2κ)</sup> at the median κ"]
    where = result.ratio >= 1
    np.testing.assert_allclose(bound.x, result.ratio[where])
    np.testing.assert_allclose(bound.y, np.exp(-50 / (2 * np.median(result.kappa[where], axis=1))))
    assert figures.bound_chart(sweep(ContextSettings(ratios=(0.5,), loops=3))) is None
    assert figures.bound_chart(sweep(ContextSettings(ratios=(4,), loops=3, step_size=0.1))) is None
