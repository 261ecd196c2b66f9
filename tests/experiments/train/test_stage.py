"""The first picture of the third page: the run's own numbers in every state, beside the ideal."""

import numpy as np
import pytest

from looped.experiments.train.lessons import TRAIN
from looped.experiments.train.measure import MOST_FRAME_BYTES, MOST_FRAMES, TrainWork, frame_steps
from looped.experiments.train.result import TrainResult
from looped.experiments.train.settings import TrainSettings
from looped.experiments.train.stage import before, stage
from looped.experiments.train.stored import stored
from looped.experiments.train.weights_file import pack

TINY = {"loops": 2, "examples": 8, "features": 2, "steps": 12, "batch": 32}


def trained(**settings):
    """A run whose training is over, without its evaluation."""
    work = TrainWork(TrainSettings(**TINY | settings))
    for record in work.run():
        if record is None or record.stopped:
            break
    return work.snapshot()


def matrices(picture):
    """The four heat maps: P and Q trained, P and Q of the ideal."""
    return [trace for trace in picture.spec["data"] if trace["type"] == "heatmap"]


def moved(picture, trace, attribute):
    number = next(place for place, one in enumerate(picture.spec["data"]) if one is trace)
    return picture.motion.moved[number, attribute]


@pytest.mark.parametrize("steps", [1, 2, 12, 200, 20_000])
@pytest.mark.parametrize(("features", "layers"), [(1, 1), (5, 1), (40, 1), (40, 30)])
def test_states_are_kept_on_a_logarithmic_scale_within_a_bound(steps, features, layers):
    state = 2 * 8 * layers * (features + 1) ** 2
    kept = sorted(frame_steps(steps, state))
    assert {0, 1, steps} <= set(kept)
    assert len(kept) <= MOST_FRAMES
    assert len(kept) * state <= max(MOST_FRAME_BYTES, 3 * state)
    gaps = np.diff(kept)
    assert (np.diff(gaps[gaps > 1]) >= -1).all()  # they grow, up to rounding


def test_the_states_are_those_of_the_training_and_the_last_is_the_result():
    run, other = trained(), trained(steps=4)
    assert list(run.frames["step"]) == sorted(frame_steps(12, 2 * 8 * 9))
    np.testing.assert_array_equal(run.frames["P"][-1], run.P)
    np.testing.assert_array_equal(run.frames["Q"][-1], run.Q)
    first = list(run.frames["step"]).index(1)
    np.testing.assert_array_equal(run.frames["P"][:first], other.frames["P"][:first])  # the same first weights
    assert (run.frames["P"][0] != run.frames["P"][first]).any()


def test_the_files_of_a_run_hold_no_states():
    run = trained()
    assert pack(run).keys() == pack(TrainResult(run.settings, run.P, run.Q, run.history, run.stopped)).keys()


def test_a_run_on_its_way_ends_with_its_present_state():
    work = TrainWork(TrainSettings(**TINY | {"steps": 20_000}))
    records = work.run()
    for _ in range(6):
        next(records)
    steps = work.snapshot().frames["step"]
    assert steps[-1] == 6
    assert list(steps) == sorted(set(steps))


def test_every_state_is_drawn_in_the_gauge_with_the_loss_of_its_weights():
    run = stored()[0]
    picture = stage(run, 200, run)
    P, Q, _, _ = matrices(picture)
    steps, captions = run.frames["step"], picture.motion.captions
    assert len(captions) == len(steps) > 20
    dot = next(trace for trace in picture.spec["data"] if trace.get("mode") == "markers")
    for place, step in enumerate(steps):
        corner = run.frames["P"][place, 0, -1, -1]
        for trace, matrix in ((P, run.frames["P"][place, 0] / corner), (Q, run.frames["Q"][place, 0] * corner)):
            np.testing.assert_allclose(moved(picture, trace, "z")[place], matrix, atol=2e-5 * np.abs(matrix).max())
        at = min(step, 199)  # step s + 1 is made from the weights after s steps
        assert moved(picture, dot, "x")[place] == [at + 1]
        assert moved(picture, dot, "y")[place] == [run.history["median"][at]]
        assert captions[place].startswith(f"after {step} of 200 steps, T = {run.history['loops'][at]}: error of w ")
    np.testing.assert_array_equal(P["z"], moved(picture, P, "z")[-1])


def names_of_levels(run, known):
    """By name of each level that is drawn: the words beside it, and its height."""
    picture = stage(run, run.settings.training().steps, known)
    texts = {text["text"]: text for text in picture.spec["layout"]["annotations"]}
    levels = [trace for trace in picture.spec["data"] if "error of w" in trace.get("name", "")]
    return {name: (texts[name], trace["y"][0]) for trace in levels for name in [trace["name"].partition(":")[0]]}


def test_two_levels_are_named_by_what_is_drawn():
    run = stored()[0]
    layout, levels = stage(run, 200, run).spec["layout"], names_of_levels(run, run)
    assert layout["yaxis"]["title"]["text"].startswith("error of w: median")  # the cards have the query error
    assert list(levels) == ["constructed GD", "best GD++"]
    for text, value in levels.values():
        assert 10 ** text["y"] == pytest.approx(value)
        assert layout["yaxis"]["range"][0] < text["y"] < layout["yaxis"]["range"][1]


LOW_WINDOW = {"width": 262, "height": 115, "letter": 7, "line": 16}
"""Pixels of the loss in a frame of 700 by 500, and of a letter."""


@pytest.mark.parametrize("lesson", TRAIN, ids=lambda lesson: lesson.key)
def test_no_name_of_a_level_lies_on_the_curve_or_on_another_level(lesson):
    run, _ = stored(TrainSettings(**lesson.settings))
    layout, levels = stage(run, run.settings.training().steps, run).spec["layout"], names_of_levels(run, run)
    low, high = layout["yaxis"]["range"]
    across = run.history["step"] / layout["xaxis"]["range"][1] * LOW_WINDOW["width"]
    up = (np.log10(run.history["median"]) - low) / (high - low) * LOW_WINDOW["height"]
    for name, (text, value) in levels.items():
        width = LOW_WINDOW["letter"] * len(name)
        left = LOW_WINDOW["width"] - width if text["xanchor"] == "right" else 0
        bottom = (np.log10(value) - low) / (high - low) * LOW_WINDOW["height"] + text["yshift"]
        bottom -= LOW_WINDOW["line"] if text["yanchor"] == "top" else 0
        under_it = (across > left) & (across < left + width) & (up > bottom + 2) & (up < bottom + LOW_WINDOW["line"])
        assert under_it.mean() < 0.02, name
        for other, (_, height) in levels.items():
            level = (np.log10(height) - low) / (high - low) * LOW_WINDOW["height"]
            assert other == name or not bottom < level < bottom + LOW_WINDOW["line"]


@pytest.mark.parametrize(
    ("last", "word"), [(1e6, "diverges"), (np.inf, "diverges"), (np.nan, "diverges"), (1.0, "off the chart")]
)
def test_a_loss_that_is_too_high_leaves_the_chart_with_an_arrow_and_a_word(last, word):
    run = stored()[0]
    median = np.r_[run.history["median"][:100], np.full(99, 1e5), last]
    other = TrainResult(run.settings, run.P, run.Q, run.history | {"median": median}, "")
    layout = stage(other, 200, run).spec["layout"]
    (arrow,) = (text for text in layout["annotations"] if text["showarrow"])
    said = next(text for text in layout["annotations"] if text["text"] == word)
    assert said["x"] <= arrow["x"]
    assert 100 < arrow["x"] < 102
    assert said["y"] == arrow["y"] == layout["yaxis"]["range"][1]
    drawn = np.array(next(t["y"] for t in stage(other, 200, run).spec["data"] if t["name"] == "median of the batch"))
    inside = drawn[~np.isnan(drawn)]
    assert len(inside) == 101 + (last == 1.0)
    assert np.log10(inside.max()) == pytest.approx(layout["yaxis"]["range"][1])
    assert not any(text["showarrow"] for text in stage(run, 200, run).spec["layout"]["annotations"])


def test_every_cell_has_a_short_number_with_two_digits_or_a_fiftieth_of_the_largest():
    run = stored()[0]
    picture = stage(run, 200, run)
    for trace in matrices(picture)[:2]:
        most = np.abs([matrix["z"] for matrix in matrices(picture) if matrix["coloraxis"] == trace["coloraxis"]]).max()
        for values, texts in zip(moved(picture, trace, "z"), moved(picture, trace, "text"), strict=True):
            for value, text in zip(np.ravel(values), np.ravel(texts), strict=True):
                assert 1 <= len(text) <= 5
                assert float(text.replace("−", "-")) == pytest.approx(value, rel=0.06, abs=0.0101 * most)


@pytest.mark.parametrize(
    ("settings", "ideal"),
    [({}, "best GD++"), ({"weights": "preconditioner"}, "constructed GD"), ({"untied": True}, "constructed GD"),
     ({"task": "generation"}, "constructed GD"), ({"features": 7}, "constructed GD")],
    ids=str,
)  # fmt: skip
def test_every_kind_of_run_has_an_ideal_of_its_own_kind(small, settings, ideal):
    run = trained(**settings)
    picture = stage(run, 12, small)
    d, (P, Q, goal_P, goal_Q) = run.settings.features, matrices(picture)
    assert f"those of the {ideal}" in picture.alt
    corner = -goal_Q["z"][d, d] if run.settings.task == "generation" else goal_P["z"][d, d]
    assert corner == 1
    assert ("text" in P) == (d < 6)
    if ideal == "best GD++":
        np.testing.assert_allclose(goal_Q["z"], np.diag([small.best.a] * d + [0]))
        np.testing.assert_allclose(goal_P["z"], np.diag([small.best.gamma / small.best.a] * d + [1]))
    for trace in (P, Q):
        assert np.isfinite(trace["z"]).all()
    layout, narrow = picture.spec["layout"], picture.motion.narrow
    assert narrow["height"] > layout["height"]
    assert picture.figure.data


@pytest.mark.parametrize("task", ["prediction", "generation"])
@pytest.mark.parametrize("weights", ["preconditioner", "sparse", "full"])
def test_what_is_trained_is_framed_and_named(task, weights):
    run = trained(task=task, weights=weights)
    picture, asked = stage(run, 12), before(run, 12)
    moving = [np.any(run.frames[name] != run.frames[name][-1], axis=(0, 1)) for name in "PQ"]
    for drawn, word in ((picture, "while training"), (asked, "before training")):
        for layout in (drawn.spec["layout"], drawn.motion.narrow):
            framed = [np.zeros((3, 3), dtype=bool) for _ in "PQ"]
            for frame in (shape for shape in layout["shapes"] if shape["type"] == "rect"):
                assert frame["xref"][1:] == frame["yref"][1:]
                columns, rows = (
                    slice(int(frame[a] + 0.5), int(frame[b] + 0.5)) for a, b in (("x0", "x1"), ("y0", "y1"))
                )
                framed["23".index(frame["xref"][1:])][rows, columns] = True
            for name, frame, moved_ones in zip("PQ", framed, moving, strict=True):
                np.testing.assert_array_equal(frame, moved_ones & (weights != "full"))
                title = next(note["text"] for note in layout["annotations"] if note["text"].startswith(f"{name}, "))
                assert (word in title) == moved_ones.any()
                assert ("fixed" in title) != moved_ones.any()


@pytest.mark.parametrize("settings", [TrainSettings(**lesson.settings) for lesson in TRAIN], ids=str)
def test_gdpp_is_a_level_only_beside_weights_that_can_become_it(settings):
    run, _ = stored(settings)
    assert ("best GD++" in names_of_levels(run, run)) == (settings == TrainSettings())


@pytest.mark.parametrize("settings", [TrainSettings(**lesson.settings) for lesson in TRAIN], ids=str)
def test_the_axis_of_the_loss_has_room_for_what_is_drawn_and_no_more(settings):
    run, _ = stored(settings)
    picture = stage(run, run.settings.training().steps, run)
    drawn = np.concatenate([trace["y"] for trace in picture.spec["data"] if trace["type"] == "scatter"])
    low, high = picture.spec["layout"]["yaxis"]["range"]
    assert low < np.log10(drawn).min() < low + 0.25 * (high - low)
    assert high - 0.25 * (high - low) < np.log10(drawn).max() < high


def test_a_run_that_went_astray_does_not_make_its_ideal_pale():
    run = stored()[0]
    P = run.P + 1e3 * np.eye(6)[[1]]
    picture = stage(TrainResult(run.settings, P, run.Q, run.history, run.stopped), 200, run)
    layout = picture.spec["layout"]
    assert layout["coloraxis"]["cmax"] == 2 == -layout["coloraxis"]["cmin"]  # the corner of P is 1
    assert run.best.a <= layout["coloraxis2"]["cmax"] <= 2 * run.best.a


def test_layers_have_their_own_states():
    run = trained(untied=True)
    one, two = (stage(run, 12, run, layer) for layer in (0, 1))
    assert (np.array(moved(one, matrices(one)[1], "z")[-1]) != np.array(moved(two, matrices(two)[1], "z")[-1])).any()


def test_without_states_the_bar_has_one_step():
    run = trained()
    picture = stage(TrainResult(run.settings, run.P, run.Q, run.history, run.stopped), 12, run)
    assert len(picture.motion.captions) == 1
    assert matrices(picture)[0]["z"].shape == (3, 3)
    empty = stage(TrainResult(run.settings, run.P, run.Q, {}, ""), 12, run)
    assert empty.alt.startswith("Empty chart")
