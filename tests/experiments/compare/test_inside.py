from functools import cache

import numpy as np
import pytest

from looped import Settings, compare
from looped.chart import ROLES, colour
from looped.experiments.compare import player_layout as stage
from looped.experiments.compare.inside import MOST_EXAMPLES, MOST_FEATURES, MOST_FRAMES, record, shown_loops
from looped.experiments.compare.inside_charts import ORDER, player

COLOURS_OF_ROLES = {None, *map(colour, ROLES)}

LARGEST_PAYLOAD = 300_000
CASES = {
    "default": Settings(prompts=3),
    "slots": Settings(prompts=2, layout="slots"),
    "plane": Settings(prompts=2, features=2, step_size="optimal", condition_number=20),
    "scaled": Settings(prompts=2, label_scale=-3.0, noise=0.3),
    "one feature": Settings(prompts=2, features=1),
    "one example": Settings(prompts=2, examples=1),
    "n < d": Settings(prompts=2, examples=4, features=7),
    "one loop": Settings(prompts=2, loops=1),
    "diverging": Settings(prompts=2, step_size=3.0),
    "float32": Settings(prompts=2, dtype="float32"),
    "large": Settings(prompts=2, features=50, examples=100, loops=800, condition_number=100),
    "large slots": Settings(prompts=2, features=50, examples=100, loops=800, layout="slots"),
    "diabetes": Settings(data="diabetes", loops=500),
    "ridge": Settings(prompts=2, algorithm="ridge", ridge=0.5),
    "preconditioned": Settings(prompts=2, algorithm="preconditioned", data="correlated", condition_number=20),
    "heavy ball": Settings(prompts=2, algorithm="heavy-ball", condition_number=20),
    "heavy ball, slots": Settings(prompts=2, algorithm="heavy-ball", layout="slots", label_scale=2.0),
    "heavy ball, large": Settings(prompts=1, algorithm="heavy-ball", features=50, examples=100, loops=800),
    "softmax": Settings(prompts=2, algorithm="softmax", noise=0.3),
    "softmax, float32": Settings(prompts=2, algorithm="softmax", dtype="float32", layout="slots"),
}


@cache
def case(name):
    return compare(CASES[name])


def formula(result, prompt, loop):
    """Tokens, scores and update at a loop, from Z ← Z − (η/n) P Z M (ZᵀQZ) R written out in full matrices."""
    X, y = result.prompts.X[prompt].double().numpy(), result.prompts.y[prompt].double().numpy()
    n, d = X.shape
    alpha, w = result.settings.label_scale, result.looped[loop, prompt].astype(float)
    if result.settings.layout == "compact":
        Z = np.block([[X.T, w[:, None]], [y[None], np.array([[alpha]])]])
        P, Q, R = np.diag([1.0] * d + [0]), np.diag([1.0] * d + [-1]), np.zeros((n + 1, n + 1))
        R[n, n] = 1
    else:
        Z = np.zeros((2 * d + 2, n + 1))
        Z[:d, :n], Z[d, :n], Z[d + 1 : -1, n], Z[-1, n] = X.T, y, w, alpha
        P, Q, R = np.zeros((2 * d + 2, 2 * d + 2)), np.zeros((2 * d + 2, 2 * d + 2)), np.eye(n + 1)
        P[d + 1 : -1, :d], Q[:d, d + 1 : -1], Q[d, -1] = np.eye(d), np.eye(d), -1
    M = np.diag([1.0] * n + [0])
    scores = Z.T @ Q @ Z
    change = -result.step_size[prompt] / n * P @ Z @ M @ scores @ R
    return Z, scores[:n, n], change, P, Q


@pytest.mark.parametrize("name", ["default", "slots", "plane", "scaled", "one feature", "one example", "n < d"])
def test_tokens_scores_and_update_are_those_of_the_layer_written_out(name):
    result = case(name)
    inside = record(result, 1)
    for place in (0, 1, len(inside.loops) // 2, len(inside.loops) - 1):
        Z, scores, change, P, Q = formula(result, 1, inside.loops[place])
        rows = inside.rows
        np.testing.assert_allclose(inside.examples, Z[rows, :-1][:, :MOST_EXAMPLES], atol=1e-14)
        np.testing.assert_allclose(inside.queries[place], Z[rows, -1], atol=1e-14)
        np.testing.assert_allclose(inside.scores[place], scores[:MOST_EXAMPLES], atol=1e-12)
        np.testing.assert_allclose(inside.updates[place], change[rows, -1], atol=1e-13)
        assert np.abs(change[:, :-1]).max() == 0  # no example moves
        np.testing.assert_array_equal(stage.weight_rows(inside, "P"), P[np.ix_(rows, rows)])
        np.testing.assert_array_equal(stage.weight_rows(inside, "Q"), Q[np.ix_(rows, rows)])


@pytest.mark.parametrize(
    "name",
    [
        "default",
        "slots",
        "scaled",
        "n < d",
        "one loop",
        "float32",
        "ridge",
        "preconditioned",
        "heavy ball",
        "heavy ball, slots",
        "softmax",
        "softmax, float32",
    ],
)
def test_every_update_leads_to_the_next_loop(name):
    inside = record(case(name))
    np.testing.assert_array_equal(inside.loops, np.arange(inside.last + 1))
    eps = np.finfo(inside.queries.dtype).eps
    np.testing.assert_allclose(inside.queries[:-1] + inside.updates[:-1], inside.queries[1:], atol=30 * eps)


def test_ridge_descends_its_penalised_loss():
    result = case("ridge")
    plane, X, y = record(result).plane, result.prompts.X[0].numpy(), result.prompts.y[0].numpy()
    axes = np.linalg.eigh(X.T @ X)[1][:, [0, -1]]
    axes = axes * np.where(result.w_ref[0] @ axes < 0, -1, 1)

    def loss(w):
        return np.sum((X @ w - y) ** 2) / (2 * len(X)) + 0.5 * np.sum(w**2) / 2

    for point in plane.contour(0.3, 9):
        w = result.w_ref[0] + axes @ (point - plane.center)
        assert loss(w) - loss(result.w_ref[0]) == pytest.approx(0.3, rel=1e-9)


@pytest.mark.parametrize("algorithm", ["gd++", "newton"])
def test_an_algorithm_that_moves_more_than_a_query_is_refused(algorithm):
    inside = record(compare(Settings(prompts=1, algorithm=algorithm)))
    assert not inside.scores.size
    with pytest.raises(ValueError, match="moves more than one query"):
        player(inside)


def test_heavy_ball_keeps_the_iterate_of_the_loop_before_in_rows_of_its_own():
    result = case("heavy ball")
    X, y, mu = result.prompts.X[1].numpy(), result.prompts.y[1].numpy(), result.algorithm.momentum
    inside, (w, before) = record(result, 1), result.looped[[20, 19], 1]
    np.testing.assert_allclose(inside.queries[20], [*w, 1.0, *before], rtol=1e-12)
    assert stage.row_names(inside.weights, inside.rows)[-10:] == [f"w′<sub>{k}</sub>" for k in range(1, 11)]
    np.testing.assert_allclose(inside.scores[20], X @ w - y, atol=1e-12)
    step = -result.step_size[1] / 40 * X.T @ (X @ w - y) + mu * (w - before)
    np.testing.assert_allclose(inside.updates[20], [*step, 0, *(w - before)], atol=1e-13)
    np.testing.assert_array_equal(inside.queries[0, :10], inside.queries[0, 11:])  # both 0


def test_softmax_weighs_the_examples_by_positive_numbers_that_add_up_to_1():
    result = case("softmax")
    X, y = result.prompts.X[1].numpy(), result.prompts.y[1].numpy()
    inside, w = record(result, 1), result.looped[30, 1]
    share = np.exp(X @ w - y) / np.exp(X @ w - y).sum()
    np.testing.assert_allclose(inside.scores[30], share, rtol=1e-9)
    np.testing.assert_allclose(inside.scores.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(inside.updates[30, :10], -result.step_size[1] * X.T @ share, atol=1e-13)
    picture = player(inside)
    assert "the attention weight of every example" in picture.alt
    assert "largest weight" in picture.table
    titles = [note["text"] for note in picture.spec["layout"]["annotations"]]
    assert "<b>Weights softmax(z<sub>i</sub>ᵀQz): which example counts?</b>" in titles
    assert "<b>How far is w<sub>t</sub> from w<sub>ref</sub>?</b>" in titles
    assert picture.spec["data"][ORDER.index("solution")]["name"] == "least squares w<sub>ref</sub>"


def test_scores_are_the_residuals_and_the_errors_those_of_the_run():
    result = compare(Settings(prompts=2, noise=0.2, label_scale=2.0))
    inside = record(result, 1)
    residuals = inside.queries[:, :10] @ result.prompts.X[1].numpy().T - 2.0 * result.prompts.y[1].numpy()
    np.testing.assert_allclose(inside.scores, residuals, atol=1e-12)
    np.testing.assert_allclose(inside.largest_score, np.abs(residuals).max(axis=1), atol=1e-12)
    np.testing.assert_allclose(inside.errors, result.errors[:, 1])


@pytest.mark.parametrize("name", ["default", "plane", "n < d", "one feature", "diabetes"])
def test_the_contours_are_those_of_the_loss(name):
    result = case(name)
    inside = record(result)
    X, y = result.prompts.X[0].numpy(), result.prompts.y[0].numpy()
    w_ref, plane = result.w_ref[0], inside.plane

    def loss(w):
        return np.sum((X @ w - y) ** 2) / (2 * len(X))

    values, vectors = np.linalg.eigh(X.T @ X / len(X))
    values = values[values > 1e-9]
    vectors = vectors[:, -len(values) :]  # those of eigenvalues that are not 0, the smallest first
    axes = vectors[:, [0, -1]] if len(values) > 1 else np.c_[vectors[:, 0], np.zeros(len(w_ref))]
    axes = axes * np.where(w_ref @ axes < 0, -1, 1)
    assert (plane.center >= 0).all()
    np.testing.assert_allclose(plane.center, w_ref @ axes, atol=1e-9)
    np.testing.assert_allclose(plane.looped, result.looped[inside.loops, 0] @ axes, atol=1e-8)
    np.testing.assert_allclose(plane.explicit, result.explicit[inside.loops, 0] @ axes, atol=1e-8)
    flat = np.linalg.eigvalsh(plane.curvature)[0] < 1e-9
    for excess in (0.01, 2.0):
        points = plane.contour(excess, 5)[1::2] if flat else plane.contour(excess, 8)  # across the flat direction
        for point in points:
            w = w_ref + axes @ (point - plane.center)
            assert loss(w) - loss(w_ref) == pytest.approx(excess, rel=1e-5)


def test_the_axes_of_the_plane_say_which_eigenvalues_they_have():
    result = case("plane")
    largest, smallest = 2 * 20 / 21, 2 / 21  # their sum is d and their ratio κ
    across, up = record(result).plane.names
    assert across == f"w along flat: λ<sub>2</sub> = {smallest:.2g}"
    assert up == f"w along steep: λ<sub>1</sub> = {largest:.2g}"
    assert record(result).plane.condition_number == pytest.approx(20)
    steeper = compare(case("plane").settings.replace(algorithm="ridge", ridge=0.5, step_size="auto"))
    across, up = record(steeper).plane.names
    assert across == f"w along flat: λ<sub>2</sub> + ρ = {smallest + 0.5:.2g}"
    assert up == f"w along steep: λ<sub>1</sub> + ρ = {largest + 0.5:.2g}"
    assert record(case("one feature")).plane.names[1] == "there is no second direction"


@pytest.mark.parametrize("loops", [1, 2, 59, 60, 61, 100, 10_000])
def test_at_most_sixty_loops_are_shown_the_first_and_the_last_among_them(loops):
    shown = shown_loops(loops)
    assert (shown[0], shown[-1]) == (0, loops)
    assert len(shown) <= MOST_FRAMES
    assert (np.diff(shown) > 0).all()
    if loops < MOST_FRAMES:
        assert len(shown) == loops + 1
    else:
        np.testing.assert_array_equal(shown[:20], np.arange(20))


def test_what_is_left_out_is_said():
    inside = record(case("large"))
    assert inside.examples.shape == (MOST_FEATURES + 1, MOST_EXAMPLES)
    for part in ("first 40 of 100 examples", "first 12 of 50 features", "Of 800 loops 60 are shown"):
        assert part in inside.cut
        assert part in player(inside).alt
    assert record(case("default")).cut == ""


@pytest.mark.parametrize("name", CASES)
def test_every_case_gives_one_small_figure_with_a_step_for_each_loop(name):
    inside = record(case(name))
    picture = player(inside)
    figure, motion = picture.figure, picture.motion
    text = figure.to_json()
    assert len(text) + sum(np.size(values) for values in motion.moved.values()) * 8 < LARGEST_PAYLOAD
    assert "NaN" not in text
    assert "Infinity" not in text
    assert len(motion.captions) == len(inside.loops) <= MOST_FRAMES
    assert {len(values) for values in motion.moved.values()} == {len(inside.loops)}
    assert len(picture.alt) > 200
    assert {len(column) for column in picture.table.values()} == {len(inside.loops)}
    for axis in ("xaxis", "xaxis3", "xaxis4", "xaxis5", "yaxis", "yaxis5", "yaxis8"):
        for layout in (picture.spec["layout"], motion.narrow):
            low, high = layout[axis]["range"]
            assert low < high
            assert np.isfinite([low, high]).all()
    lines = [trace for trace in figure.data if trace.type == "scatter"]
    assert all(trace.line.color in (*COLOURS_OF_ROLES, "gray") for trace in lines)


def test_a_diverging_run_leaves_both_charts_with_an_arrow_and_words():
    inside = record(case("diverging"))
    picture = player(inside)
    top, (low, _) = picture.spec["layout"]["yaxis8"]["range"][1], picture.spec["layout"]["yaxis8"]["range"]
    errors = np.asarray(picture.spec["data"][ORDER.index("errors")]["y"])
    first = int((inside.errors >= 1e6).argmax())
    assert errors[first] == pytest.approx(10**top)
    assert np.isnan(errors[first + 1 :]).all()
    assert "off the chart" in [note["text"] for note in picture.spec["layout"]["annotations"]]
    told = [texts[0] for texts in picture.motion.moved[ORDER.index("gone"), "text"]]
    outside = np.abs(inside.plane.looped - inside.plane.center).max(axis=1) > inside.plane.radius
    first = int(outside.argmax())
    assert set(told[:first]) == {""}
    assert all("leaves" in text for text in told[first:])
    assert low < 0


def test_a_step_moves_every_view_that_moves_to_its_loop():
    result = case("default")
    inside = record(result)
    picture = player(inside)
    traces = dict(zip(ORDER, picture.motion.at(7, picture.spec["data"]), strict=True))
    np.testing.assert_allclose(traces["iterate"]["x"], result.looped[7, 0], atol=1e-5)
    np.testing.assert_allclose(traces["explicit"]["x"], result.explicit[7, 0], atol=1e-5)
    np.testing.assert_allclose(traces["scores"]["y"], inside.scores[7], atol=1e-5)
    np.testing.assert_allclose(traces["query"]["z"][:, 0], [*result.looped[7, 0], 1.0], atol=1e-5)
    np.testing.assert_allclose(traces["update"]["x"][:10], result.looped[8, 0] - result.looped[7, 0], atol=1e-5)
    np.testing.assert_allclose(traces["path"]["x"], inside.plane.looped[:8, 0], atol=1e-5)
    np.testing.assert_allclose(traces["explicit path"]["y"], inside.plane.explicit[:8, 1], atol=1e-5)
    assert traces["error now"]["y"][0] == pytest.approx(result.errors[7, 0])
    assert len(picture.motion.at(0, picture.spec["data"])[ORDER.index("path")]["x"]) == 1


def test_the_same_thing_has_the_same_colour_and_mark_in_both_views():
    """Plotly takes trace k's colour from a list of ten."""
    for once, again in (("iterate", "path"), ("explicit", "explicit path"), ("solution", "goal")):
        assert (ORDER.index(again) - ORDER.index(once)) % 10 == 0
    figure = player(record(case("default"))).figure
    symbols = [figure.data[ORDER.index(name)].marker.symbol for name in ("iterate", "explicit", "solution")]
    assert symbols == [None, "circle-open", "x-thin-open"]


@pytest.mark.parametrize("layout", ["compact", "slots"])
def test_the_blocks_of_the_weights_are_named(layout):
    inside = record(compare(Settings(prompts=1, layout=layout, features=2)))
    slots = stage.slots(inside.weights, inside.rows)
    named = {
        name: {
            (row, column): stage.block(stage.weight_rows(inside, name)[top:bottom, left:right])
            for row, top, bottom in slots
            for column, left, right in slots
        }
        for name in ("P", "Q")
    }
    if layout == "compact":
        assert named["P"] == {
            ("x, w", "x, w"): "I", ("x, w", "y, α"): "0", ("y, α", "x, w"): "0", ("y, α", "y, α"): "0"
        }  # fmt: skip
        assert named["Q"] == named["P"] | {("y, α", "y, α"): "−1"}
    else:
        assert [slot for slot, *_ in slots] == ["x", "y", "w", "α"]
        assert {place: text for place, text in named["P"].items() if text != "0"} == {("w", "x"): "I"}
        assert {place: text for place, text in named["Q"].items() if text != "0"} == {("x", "w"): "I", ("y", "α"): "−1"}


@pytest.mark.parametrize(
    ("values", "text"), [([[2.0, 0], [0, 2]], "2·I"), ([[-1.0, 0], [0, -1]], "−I"), ([[1.0, 2], [3, 4]], ""),
                         ([[0.5]], "0.5"), ([[0.0, 0]], "0"), ([[1.0, 1.0]], "")],
)  # fmt: skip
def test_a_block_has_the_name_of_what_it_is(values, text):
    assert stage.block(np.array(values)) == text


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize("name", ["default", "large slots", "one feature"])
def test_no_two_views_overlap(name, narrow):
    picture = player(record(case(name)))
    layout = picture.motion.narrow if narrow else picture.spec["layout"]
    boxes = [(*layout[f"xaxis{k}"]["domain"], *layout[f"yaxis{k}"]["domain"]) for k in stage.AXES.values()]
    assert len(boxes) == len(stage.TITLES)
    for place, (left, right, low, high) in enumerate(boxes):
        assert 0 <= left < right <= 1
        assert 0 <= low < high <= 1
        for other in boxes[place + 1 :]:
            assert right <= other[0] or other[1] <= left or high <= other[2] or other[3] <= low


def test_in_a_file_a_button_and_a_slider_step_through_the_same_loops():
    picture = player(record(case("plane")))
    alone = picture.standing_alone()
    assert not picture.figure.layout.sliders
    steps = alone.layout.sliders[0].steps
    assert [step.args[0] for step in steps] == [(frame.name,) for frame in alone.frames]
    assert [step.label for step in steps] == picture.motion.captions
    assert alone.layout.updatemenus[0].buttons[0].method == "animate"
    frame = alone.frames[3]
    shown = dict(zip(frame.traces, frame.data, strict=True))
    expected = picture.motion.at(3, picture.spec["data"])
    for number, trace in shown.items():
        for name in trace.to_plotly_json():
            np.testing.assert_array_equal(trace[name], expected[number][name])
