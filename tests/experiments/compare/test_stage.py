"""The first picture: its numbers against the prompt's own, its words against every setting that can show them."""

import json
import re

import numpy as np
import pytest

from looped import Settings, compare
from looped.algorithms import ALGORITHMS
from looped.experiments.compare import words
from looped.experiments.compare.inside import record
from looped.experiments.compare.player_layout import query_edges
from looped.experiments.compare.stage import before, stage
from looped.experiments.compare.summary import summarise
from looped_ui.live.pictures import plain

SMALL = {"examples": 6, "features": 2, "loops": 12, "prompts": 3}
RUNS = {
    "small": Settings(**SMALL),
    "slots": Settings(**SMALL, layout="slots"),
    "noise and scale": Settings(**SMALL, noise=0.4, label_scale=-3.0),
    "n < d": Settings(examples=3, features=7, prompts=2),
    "one feature": Settings(features=1, prompts=2),
    "one example": Settings(examples=1, prompts=2),
    "one loop": Settings(loops=1, prompts=1),
    "diverging": Settings(**SMALL, step_size=3.0),
    "float32": Settings(**SMALL, dtype="float32"),
    "token": Settings(**SMALL, form="token"),
    "large": Settings(examples=100, features=30, loops=700, prompts=2),
    "table": Settings(data="diabetes", loops=40),
    **{name: Settings(**SMALL, algorithm=name) for name in ALGORITHMS},
}
MOVING = ("gd++", "eagle", "newton")
"""Algorithms whose loop changes the examples too."""


def named(picture):
    """The grids of cells of a picture, by name."""
    return {trace["name"]: trace for trace in picture.spec["data"] if trace["type"] == "heatmap"}


@pytest.mark.parametrize("name", RUNS)
def test_its_numbers_are_those_of_the_prompt(name):
    result = compare(RUNS[name])
    shown = record(result)
    X, y = result.prompts.X[0].double().numpy(), result.prompts.y[0].double().numpy()
    w, w_ref = result.looped[shown.loops, 0].astype(float), result.w_ref[0]
    tolerance = 1e-4 if name == "float32" else 1e-9
    np.testing.assert_allclose(shown.errors, np.linalg.norm(w - w_ref, axis=1) / np.linalg.norm(w_ref), rtol=1e-6)
    np.testing.assert_allclose(shown.predictions, w @ shown.new_x, rtol=1e-9)
    task = (
        w_ref if result.prompts.w_star is None else RUNS[name].label_scale * result.prompts.w_star[0].double().numpy()
    )
    assert shown.new_y == pytest.approx(float(task @ shown.new_x))
    assert shown.task_known == (name != "table")
    if name not in MOVING:
        residuals = w @ X.T - RUNS[name].label_scale * y  # a preconditioner changes what is written, not the scores
        if name == "softmax":
            residuals = np.exp(residuals) / np.exp(residuals).sum(axis=1, keepdims=True)
        np.testing.assert_allclose(shown.scores, residuals[:, :40], atol=tolerance * max(1, np.abs(residuals).max()))
    else:
        assert not shown.scores.size


@pytest.mark.parametrize("name", RUNS)
def test_before_a_guess_nothing_in_it_depends_on_the_loops(name):
    settings = RUNS[name]
    result = compare(settings)
    picture, opened = before(result), stage(result)
    longer = before(compare(settings.replace(loops=settings.loops + 1)))
    assert json.dumps(picture.spec, default=plain) == json.dumps(longer.spec, default=plain)
    assert picture.alt == longer.alt
    assert picture.motion.captions == [""]
    bars, shown = (
        [trace["y"] for trace in traces if trace["type"] == "bar"]
        for traces in (picture.spec["data"], opened.motion.at(0, opened.spec["data"]))
    )
    np.testing.assert_array_equal(bars, shown)
    for layout in (picture.spec["layout"], picture.motion.narrow):
        told = " ".join(note["text"] for note in layout["annotations"])
        assert "κ" not in told
        assert "Error" not in told
        assert not layout["yaxis5"]["visible"]


@pytest.mark.parametrize(("examples", "features"), [(3, 1), (6, 2), (12, 4), (40, 4), (200, 4), (6, 5)])
def test_up_to_four_features_the_query_has_its_numbers_in_a_cell_that_has_room_for_them(examples, features):
    picture = stage(compare(Settings(examples=examples, features=features, loops=3, prompts=1)))
    assert any(what == "text" and len(text[0]) == features + 1 for (_, what), text in picture.motion.moved.items()) == (
        features <= 4
    )
    cells = named(picture)
    left, right = cells["query"]["x"]
    width = np.diff(picture.spec["layout"]["xaxis"]["range"])[0]
    assert (right - left) / width > 0.1
    assert (np.diff(cells["new x"]["x"])[0]) / width > 0.1
    assert cells["new x"]["x"][0] > right


@pytest.mark.parametrize("name", RUNS)
def test_the_new_x_stands_beside_the_tokens_with_what_w_predicts_in_the_row_of_the_labels(name):
    result = compare(RUNS[name])
    picture, shown = stage(result), record(result)
    there = name != "newton"  # it shows the slot alone in which the examples are rewritten
    assert ("new x" in named(picture)) == ("predicted y" in named(picture)) == there
    for layout in (picture.spec["layout"], picture.motion.narrow):
        notes = [note["text"] for note in layout["annotations"]]
        assert ("<b>new x</b>" in notes) == there
        true = "" if name == "table" else f"<br>true: {shown.new_y:.3g}".replace("-", "−")
        assert (f"predicted{true}" in notes) == there
    assert "predicted y" not in named(before(result))
    if not there:
        return
    column, features = np.ravel(named(picture)["new x"]["z"]), min(12, result.prompts.shape[2])
    np.testing.assert_allclose(column[:features], shown.new_x[:features], rtol=1e-4)
    assert np.isnan(column[features:]).all()
    place = len(shown.loops) - 1
    (predicted,) = (
        cell for cell in picture.motion.at(place, picture.spec["data"]) if cell.get("name") == "predicted y"
    )
    w = result.looped[-1, 0].astype(float)
    np.testing.assert_allclose(predicted["z"], [[w @ shown.new_x]], rtol=1e-4)
    labels = named(picture)["labels"]
    assert (predicted["y0"], predicted["coloraxis"]) == (labels["y0"], labels["coloraxis"])
    assert named(picture)["new x"]["coloraxis"] == named(picture)["examples"]["coloraxis"]


def test_features_and_labels_have_a_scale_of_colours_each():
    result = compare(RUNS["table"])
    picture = stage(result)
    features, labels, query = (named(picture)[name] for name in ("examples", "labels", "query"))
    X, y = result.prompts.X[0].numpy()[:40], result.prompts.y[0].numpy()[:40]
    np.testing.assert_allclose(features["z"][:10], X.T, atol=1e-4)
    assert np.isnan(features["z"][10]).all()
    np.testing.assert_allclose(labels["z"], [y], atol=1e-3)
    assert labels["y0"] == 10
    assert query["coloraxis"] == labels["coloraxis"] != features["coloraxis"]
    for layout in (picture.spec["layout"], picture.motion.narrow):
        assert layout[features["coloraxis"]]["cmax"] == pytest.approx(np.abs(X).max())
        assert layout[labels["coloraxis"]]["cmax"] == pytest.approx(np.abs(y).max())


@pytest.mark.parametrize("kappa", [1, 5, 20, 99, 130, 600, 1e4])
@pytest.mark.parametrize("step", ["auto", "optimal", 1.5])
def test_a_line_of_equal_loss_closes_in_the_picture_and_an_enlarged_height_is_said_and_holds_the_path(kappa, step):
    result = compare(Settings(condition_number=kappa, step_size=step, prompts=1, loops=30, seed=11))
    shown, picture = record(result), stage(result)
    plane = shown.plane
    across, up = plane.ranges()
    valley, path = plane.valley(), plane.looped
    width = max(across[1] - across[0], 1e-300)
    parts = np.split(valley, np.flatnonzero(np.isnan(valley[:, 0])))
    closed = [part for part in parts if len(part) > 2 and np.nanmax(np.abs(part[:, 0] - plane.center[0])) < width / 2]
    assert closed
    for layout in (picture.spec["layout"], picture.motion.narrow):
        said = [note["text"] for note in layout["annotations"] if "enlarged" in note["text"]]
        assert said == [f"↕ {plane.stretch} × enlarged"] * (plane.stretch > 1)
        assert layout["yaxis4"]["scaleratio"] == plane.stretch == pytest.approx(width / (up[1] - up[0]))
    if plane.stretch > 1:
        assert kappa > 99
        assert (np.abs(path[:, 1] - plane.center[1]) < (up[1] - up[0]) / 2).all()
    if step == "auto":
        assert (plane.stretch > 1) == (kappa > 99)


@pytest.mark.parametrize("name", MOVING)
def test_examples_that_move_are_shown_as_they_are_in_every_loop(name):
    """GD++ and EAGLE multiply an example by J, GD++ takes ⟨w_t, x⟩ from its label, and Newton rewrites it to N x."""
    result = compare(RUNS[name])
    shown, picture = record(result), stage(result)
    X, y = result.prompts.X[0].numpy(), result.prompts.y[0].numpy()
    H, scale = X.T @ X / len(X), np.eye(2)
    for loop in range(1, 5):
        if name == "newton":
            scale = 2 * scale - result.step_size[0] * scale @ H @ scale
            expected = scale @ X.T
        else:
            now = scale @ H @ scale
            share = 1 / (3 * np.linalg.eigvalsh(now)[-1]) if name == "eagle" else (
                result.algorithm.contraction * result.step_size[0])  # fmt: skip
            scale = scale - share * scale @ H @ scale @ scale
            expected = scale @ X.T
        np.testing.assert_allclose(shown.moving[loop][:2], expected, rtol=1e-9, atol=1e-12)
        cells, *labels = (
            trace for trace in picture.motion.at(loop, picture.spec["data"]) if trace["type"] == "heatmap"
        )
        np.testing.assert_allclose(cells["z"][:2], expected, atol=1e-4)
        assert cells["text"][0][0] == f"{expected[0, 0]:z.2f}".replace("-", "−")
        if name == "gd++":
            np.testing.assert_allclose(shown.moving[loop][2], y - X @ result.looped[loop, 0], atol=1e-12)
            six_digits = 5e-6 * np.abs(shown.moving[loop][2:]).max()
            np.testing.assert_allclose(labels[0]["z"], shown.moving[loop][2:], rtol=1e-4, atol=six_digits)
    kappas = [np.linalg.cond(now[:2]) ** 2 for now in shown.moving] if name != "newton" else []
    np.testing.assert_allclose(shown.kappas, kappas, rtol=1e-8)
    passes = next(text for (_, what), text in picture.motion.moved.items() if what == "text" and len(text[0]) == 1)
    for loop, (said,) in enumerate(passes):
        assert (f"</b>, κ = {kappas[loop]:.3g}<br>" in said) if kappas else ("κ" not in said)
    assert not record(compare(RUNS["small"])).moving.size
    assert not record(compare(RUNS[name].replace(examples=2000, features=12, loops=1))).kappas.size


@pytest.mark.parametrize(("n", "d"), [(45, 40), (20, 5)])
def test_kappa_is_left_out_from_where_examples_overflow_even_where_only_hidden_ones_do(n, d, capfd):
    """At d = 40 a feature beyond the twelve that are shown does so first; LAPACK complains of what is not finite."""
    settings = Settings(algorithm="gd++", examples=n, features=d, loops=60, prompts=1, step_size=5.0, gamma=3.0,
                        data="gaussian", dtype="float32", seed=11)  # fmt: skip
    result = compare(settings)
    shown, picture = record(result), stage(result)
    assert capfd.readouterr() == ("", "")
    assert np.isfinite(shown.moving).all()
    known = np.isfinite(shown.kappas)
    assert 1 < known.sum() < len(known)
    assert not known[np.flatnonzero(~known)[0] :].any()
    passes = next(text for (_, what), text in picture.motion.moved.items() if what == "text" and len(text[0]) == 1)
    assert ["κ" in said for (said,) in passes] == known.tolist()


def test_the_distance_to_the_task_is_drawn_where_the_loop_does_not_end_there():
    for name, there in (("small", False), ("noise and scale", True), ("n < d", True), ("table", False)):
        result = compare(RUNS[name])
        drawn = [trace for trace in stage(result).spec["data"] if trace.get("name") == "Distance to αw*"]
        assert bool(drawn) == there
        if there:
            task = RUNS[name].label_scale * result.prompts.w_star[0].numpy()
            apart = np.linalg.norm(result.looped[:, 0] - task, axis=1) / np.linalg.norm(task)
            np.testing.assert_allclose(drawn[0]["y"], apart)


def test_the_picture_opens_before_the_first_loop_where_the_scores_are_large():
    picture = stage(compare(RUNS["small"]))
    assert picture.motion.captions[picture.motion.first].startswith("loop 0 of 12")
    assert len(picture.figure.data[picture.motion.grown[0]].x) == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [({}, "read once, into a matrix (state form)"), ({"form": "token"}, "every loop reads all examples (token form)"),
     ({"form": "auto"}, "every loop reads all examples (token form)"),
     ({"form": "auto", "loops": 9000, "examples": 100}, "(state form)"),
     ({"algorithm": "newton"}, "every loop reads all examples (token form)"),
     ({"examples": 5}, "read once"), ({"examples": 5, "algorithm": "heavy-ball"}, "as few examples as stand for all"),
     ({"examples": 5, "algorithm": "ridge"}, "as few examples as stand for all")],
)  # fmt: skip
def test_a_caption_says_how_often_the_examples_are_read(changes, said):
    settings = Settings(prompts=2, **changes)
    result = compare(settings)
    assert said in words.form(result.settings, summarise(result))


def test_a_number_of_a_diverging_run_fits_its_cell():
    def cells(eta):
        picture = stage(compare(Settings(**SMALL, step_size=eta)))
        kinds = [trace["type"] for trace in picture.spec["data"]]
        written = [moved for (place, name), moved in picture.motion.moved.items()
                   if name == "text" and kinds[place] == "heatmap"]  # fmt: skip
        assert len(written) == 2  # the query, and what is predicted for the new x
        return {text for moved in written for grid in moved for row in grid for text in row}

    for eta in (1.0, 3.0, 1e6):
        assert max(map(len, cells(eta))) <= 6, eta
    assert any(re.fullmatch("−?[1-9]e[1-9][0-9]", text) for text in cells(1e6))


def test_a_path_that_leaves_the_picture_says_so_from_that_loop_on_at_the_edge_where_it_leaves():
    result = compare(RUNS["diverging"])
    shown, picture = record(result), stage(result)
    plane, (across, up) = shown.plane, shown.plane.ranges()
    outside = ~((plane.looped >= [across[0], up[0]]) & (plane.looped <= [across[1], up[1]])).all(axis=1)
    first = int(outside.argmax())
    assert plane.exit.place == first
    away = np.abs([plane.exit.x, plane.exit.y] - plane.center) / plane.reach
    assert away.max() == pytest.approx(1)
    upright, aside = plane.exit.side.split()
    assert upright in ("top", "bottom")  # beside the path, where the middle is
    assert aside == ("left" if plane.exit.x > plane.center[0] else "right")
    for place in (first - 1, first):
        (gone,) = [
            trace for trace in picture.motion.at(place, picture.spec["data"])
            if trace.get("mode") == "text" and trace["xaxis"] == "x4"
        ]  # fmt: skip
        assert ("leaves" in gone["text"][0]) == (place == first)
        assert len(gone["text"][0]) <= len("<b>  leaves →</b>")  # whole on a plane of 150 pixels
    notes = [a for a in picture.spec["layout"]["annotations"] if a.get("xref") == "x5"]
    assert notes[0]["showarrow"]
    assert "diverges" in [note["text"] for note in notes]
    assert record(compare(RUNS["small"])).plane.exit is None


def test_the_legend_stands_at_the_charts_that_it_names():
    """On a wide page over the path and the errors, which end on the right; on a narrow one below them."""
    for name, entries in (("small", 2), ("noise and scale", 3)):
        picture = stage(compare(RUNS[name]))
        wide, narrow = picture.spec["layout"], picture.motion.narrow
        assert (wide["legend"]["x"], wide["legend"]["xanchor"], wide["legend"]["y"]) == (1, "right", 1)
        assert (narrow["legend"]["y"], narrow["legend"]["yanchor"]) == (0, "bottom")
        assert narrow["margin"]["b"] - wide["margin"]["b"] == 20 * entries
        assert sum(trace.get("showlegend", "name" in trace) and trace["xaxis"] == "x5"
                   for trace in picture.spec["data"]) == entries  # fmt: skip


def test_a_new_x_is_another_with_another_seed_and_the_same_with_the_same():
    first, again, other = (record(compare(Settings(**SMALL, seed=seed))).new_x for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).all()


@pytest.mark.parametrize("name", RUNS)
def test_every_step_is_a_figure_of_its_loop_and_travels_as_json(name):
    result = compare(RUNS[name])
    picture, shown = stage(result), record(result)
    assert len(picture.motion.captions) == len(shown.loops)
    json.dumps([picture.spec, picture.motion.narrow], default=plain, allow_nan=False)
    json.dumps(list(picture.motion.moved.values()), default=plain, allow_nan=False)
    path = picture.motion.grown[0]
    for step in (0, len(shown.loops) - 1):
        traces = picture.motion.at(step, picture.spec["data"])
        assert len(traces[path]["x"]) == step + 1
        (now,) = (trace for trace in traces if trace.get("xaxis") == "x5" and len(trace["x"]) == 1)
        assert now["x"][0] == shown.loops[step]
    assert picture.figure.layout.yaxis5.type == "log"


@pytest.mark.parametrize("name", [name for name in RUNS if name not in MOVING])
def test_the_loop_goes_from_the_query_past_the_first_example_to_the_scores_and_back(name):
    result = compare(RUNS[name])
    picture, seen = stage(result), record(result).examples.shape[1]
    for layout in (picture.spec["layout"], picture.motion.narrow):
        loop, up, down = layout["shapes"]
        columns, scores = layout["xaxis2"], layout["yaxis2"]
        sides = np.interp([0.5, np.mean(query_edges(seen))], columns["range"], columns["domain"])
        way = np.array([point.split(",") for point in loop["path"].split() if "," in point], float)
        (left, low), (right, high) = way.min(axis=0), way.max(axis=0)
        assert [left, right] == pytest.approx(sides)
        assert low == pytest.approx(np.interp(0, scores["range"], scores["domain"]))  # the scores stand on it
        assert layout["yaxis2"]["domain"][1] < high < layout["yaxis"]["domain"][0]
        assert way[0].tolist() == way[-1].tolist() == [right, high]  # from the query and back to it
        assert (up["xanchor"], up["yanchor"]) == (right, high)
        assert down["xanchor"] == left
        assert low < down["yanchor"] < high


@pytest.mark.parametrize("name", [name for name in RUNS if name not in MOVING])
def test_the_scores_have_a_mark_on_each_side_of_zero_near_the_end_of_their_axis(name):
    axis = stage(compare(RUNS[name])).spec["layout"]["yaxis2"]
    (low, high), marks = axis["range"], axis["tickvals"]
    assert 0 in marks
    assert 0.6 * high < max(marks) <= high
    assert min(marks) == (0 if name == "softmax" else -max(marks))
    assert float(f"{max(marks):.1e}") == pytest.approx(max(marks))  # a number of two digits
    assert low <= min(marks)


@pytest.mark.parametrize("name", RUNS)
def test_the_scores_have_their_numbers_where_the_cells_have_theirs(name):
    picture, shown = stage(compare(RUNS[name])), record(compare(RUNS[name]))
    rows, columns = shown.examples.shape
    there = name not in MOVING and rows <= 5 and columns <= 9
    told = [moved for (place, what), moved in picture.motion.moved.items()
            if what == "text" and picture.spec["data"][place].get("textposition") == "bottom center"]  # fmt: skip
    assert bool(told) == there
    for (texts,) in [told] if there else []:
        for score, text in zip(shown.scores, texts, strict=True):
            for value, said in zip(score, text, strict=True):
                if abs(value) < 100:
                    assert float(said.replace("−", "-")) == pytest.approx(
                        float(value), abs=0.06 + 0.006 * abs(float(value))
                    )


@pytest.mark.parametrize("name", RUNS)
def test_its_words_are_true_of_the_run(name):
    result = compare(RUNS[name])
    summary, picture, shown = summarise(result), stage(result), record(result)
    title = picture.spec["layout"]["annotations"][0]["text"]
    told = name not in MOVING
    n, seen = result.prompts.shape[1], shown.examples.shape[1]
    sees = f"It sees {n} example{'s' * (n > 1)}{f', {seen} shown' if seen < n else ' and a query' * told}"
    assert title == f"<b>{f'x′ of its {n} examples' if name == 'newton' else sees}</b>"
    assert ("query" in picture.alt) == ("query" in json.dumps(picture.spec["layout"]["xaxis"])) == told
    passing = next(text for (_, what), text in picture.motion.moved.items() if what == "text" and len(text[0]) == 1)
    assert ("moves the examples too" in passing[-1][0]) == (not told)
    attends = RUNS[name].form == "token" or not result.algorithm.has_state
    error = f"w·x − {'y' if RUNS[name].label_scale == 1 else 'αy'}, the error on each"
    bars = "attention weights" if name == "softmax" else f"attention scores: {error}" if attends else error
    assert picture.spec["layout"]["xaxis2"]["title"]["text"].startswith(bars)
    assert passing[-1][0].startswith(f"<b>↺ Same layer, loop {shown.loops[-1]}</b>")
    notes = [note["text"] for note in picture.spec["layout"]["annotations"]]
    assert ("new w" in notes) == (told and n >= 5)
    assert "<b>Error: from w to ✕</b>" in notes
    assert bool(picture.spec["layout"].get("shapes")) == told
    assert bool(re.search(r"the first \d+ ", picture.alt)) == (
        result.prompts.shape[1] > 40 or result.prompts.shape[2] > 12
    )
    assert (", true " in picture.motion.captions[0]) == (name != "table")
    new_x = "predicted y for a new x" if name == "newton" else "new x → predicted y"
    assert f"· {new_x} {shown.predictions[-1]:.3g}".replace("-", "−") in picture.motion.captions[-1]
    assert f" {shown.new_y:.3g}".replace("-", "−") in picture.motion.captions[-1]
    (valley,) = (note["text"] for note in picture.spec["layout"]["annotations"] if "Loss" in note["text"])
    X = result.prompts.X[0].double().numpy()
    eigenvalues = np.linalg.svd(X, compute_uv=False)[: min(X.shape[1], np.linalg.matrix_rank(X))] ** 2 / len(X)
    ridge = result.algorithm.penalty
    times = (eigenvalues[0] + ridge) / (eigenvalues[-1] + ridge)
    if len(eigenvalues) == 1:
        assert valley == "<b>Loss: κ = 1</b>"
    else:
        assert float(re.search(r" = ([\d.,]+)", valley)[1].replace(",", "")) == pytest.approx(times, rel=5e-3)
        assert ("κ" in valley) == (not ridge)
    assert ("at loop 0" in valley) == (name in ("gd++", "eagle"))  # every loop changes the κ of the examples
    said = words.verdict(RUNS[name], summary)
    if result.passed is None:
        assert "not meant to be" in said
        assert f"{result.gap:.2g}" in said
    elif result.relative_gap == 0:
        assert "every digit" in said
    else:
        assert result.passed
        digits = int(said.split(" to ")[1].split()[0])
        assert 10.0**-digits >= result.relative_gap > 10.0 ** -(digits + 1) * 0.999
    assert result.passed is None or f"{result.relative_gap:.1e}" in said
    line = words.what_runs(RUNS[name], summary)
    assert ("one prompt" in line) == (result.prompts.shape[0] == 1)
    assert ("read once" in line) == (result.algorithm.has_state and RUNS[name].form == "state")
    assert ("set by hand" in line) == (RUNS[name].step_size == 3.0)
    assert shown.loops[-1] == RUNS[name].loops
