"""The first page through Streamlit's AppTest: what it draws is what `looped.compare` gives, whatever the link says."""

import re

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from looped import Settings, compare
from looped.algorithms import ALGORITHMS
from looped.experiments import EXPERIMENTS
from looped.experiments.compare.cost import most_prompts
from looped.experiments.compare.lessons import COMPARE
from looped.tables import choose, diabetes
from looped_ui import backend
from looped_ui.parts import typeset
from tests.app import ROOT, alt, lines, metrics, open_page, press, run, set_value, spec, texts, upload, wait_for

LOOPED, EXPLICIT = "Looped transformer", "Explicit gradient descent"
TINY = np.finfo(float).eps / 20  # a log axis has no 0: the chart draws at least this

CSV = "\n".join(["size,rooms,name,price", *(f"{i},{(i * i) % 7},n{i},{3 * i + (i * 5) % 4}" for i in range(1, 21))])
BAD_CSVS = {
    "empty": (b"", "is empty"),
    "picture": (b"\x89PNG\r\n\x1a\n\x00", "is not a CSV"),
    "ragged": (b"a,b\n1,2\n3,4,5\n6,7\n", "same number of values"),
    "numbers for a header": (b"1,2\n3,4\n5,6\n7,9\n", "column names"),
}


def traces(at, key="errors"):
    """Name to (x, y) of every line of a chart."""
    return lines(spec(at, key))


def place_of(at, wanted):
    """Position on the page of the first element that `wanted` accepts."""
    return next(place for place, node in enumerate(at.main) if wanted(node))


def queried(at, key):
    value = at.query_params.get(key)
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def marked(at, key):
    """The mark that is chosen below the slider of a setting."""
    return at.button_group(key=f"{key}_marks").value


def value(at, key):
    """The value in the number input of a setting."""
    return at.number_input(key=key).value


def assert_draws(at, settings):
    """Both lines of the chart are the medians of the errors of both sides, at the loops on the axis."""
    result, drawn = compare(settings), traces(at)
    for name, iterates in ((LOOPED, result.looped), (EXPLICIT, result.explicit)):
        errors = np.linalg.norm(iterates - result.w_ref, axis=2) / np.linalg.norm(result.w_ref, axis=1)
        x, y = drawn[name]
        assert (x[0], x[-1]) == (0, settings.loops)
        places = np.ceil(x).astype(int)  # a line that leaves ends between two loops
        expected = np.maximum(np.median(np.minimum(errors, 1e6), axis=1)[places], TINY)
        inside = expected < 1e6
        np.testing.assert_allclose(y[inside], expected[inside], rtol=1e-9, atol=1e-17)
        assert not (y[~inside] < 1e6).any()  # through the upper edge, or no longer there


@pytest.mark.parametrize("page", ["compare", "app"])
def test_the_first_run_draws_looped_and_explicit_with_the_numbers_of_compare(page):
    at = open_page(page)
    assert at.title[0].value == "The loop is the step"
    assert len(at.get("plotly_chart")) == 2
    assert_draws(at, Settings())
    x, _ = traces(at)[LOOPED]
    np.testing.assert_array_equal(x, np.arange(51))


def test_the_chart_has_a_text_with_its_own_numbers():
    at = open_page()
    result = compare(Settings())
    assert f"{np.median(result.errors[-1]):.2e} at loop 50" in alt(at, "errors")
    assert "explicit gradient descent" in alt(at, "errors")


def test_the_chart_shows_closed_form_and_the_bounds_of_its_step():
    drawn = traces(open_page(kappa="4", T="30"))
    t = np.arange(31)
    np.testing.assert_allclose(drawn["Closed form (1−ηλ)ᵗ"][1], drawn[LOOPED][1], rtol=1e-9)
    bounds = {name: y for name, (_, y) in drawn.items() if name.startswith("Bound")}
    assert len(bounds) == 2
    expected = sorted([np.exp(-t / 8).tolist(), (0.75**t).tolist()])
    np.testing.assert_allclose(sorted(y.tolist() for y in bounds.values()), expected, rtol=1e-12)


def test_the_verdict_strip_shows_gap_condition_number_and_error():
    at = open_page()
    result = compare(Settings())
    shown = metrics(at)
    assert shown["max |loop − GD|"] == f"{result.gap:.1e}"
    assert shown["κ measured"] == "5"
    assert shown["error after T = 50"] == f"{np.median(result.errors[-1]):.3g}"
    assert "PASS" in texts(at)
    strip = texts(at, "caption").replace("\u2060", "")
    assert f"tolerance {16 * np.finfo(float).eps * (5 + 50**0.5):.1e} in float64" in strip


@pytest.mark.parametrize(
    ("key", "value", "change"),
    [
        ("T", 20, {"loops": 20}),
        ("n", 15, {"examples": 15}),
        ("d", 4, {"features": 4}),
        ("kappa", 25.0, {"condition_number": 25.0}),
    ],
    ids=["T", "n", "d", "κ"],
)
@pytest.mark.parametrize("by", ["number", "slider"])
def test_moving_a_main_control_redraws_the_chart(key, value, change, by):
    at = open_page()
    before = spec(at, "errors")["data"]
    if by == "number":
        at.number_input(key).set_value(value)
    else:
        slider = at.select_slider(f"{key}_slider")
        slider.set_value(float(slider.options[5]))
    run(at)
    if by == "slider":
        change = {next(iter(change)): at.number_input(key).value}
        assert at.number_input(key).value == at.select_slider(f"{key}_slider").value
    assert spec(at, "errors")["data"] != before
    assert_draws(at, Settings(**change))


@pytest.mark.parametrize("key", ["T", "n", "d", "kappa"])
def test_every_slider_reaches_both_ends_of_its_range_and_its_number(key):
    at = open_page()
    slider = at.select_slider(f"{key}_slider")
    low, high = {"T": (1, 10_000), "n": (1, 2_000), "d": (1, 200), "kappa": (1, 10_000)}[key]
    assert [float(slider.options[0]), float(slider.options[-1])] == [low, high]
    assert at.number_input(key).min == low
    assert at.number_input(key).max == high


@pytest.mark.parametrize(
    ("widget", "key", "value", "change"),
    [
        ("button_group", "step_marks", "optimal", {"step_size": "optimal"}),
        ("number_input", "step_number", 0.3, {"step_size": 0.3}),
        ("select_slider", "step_slider", 0.6, {"step_size": 0.6}),
        ("selectbox", "spectrum", "outlier", {"spectrum": "outlier"}),
        ("selectbox", "data", "gaussian", {"data": "gaussian"}),
        ("selectbox", "layout", "slots", {"layout": "slots"}),
        ("selectbox", "form", "token", {"form": "token"}),
        ("number_input", "seed", 5, {"seed": 5}),
        ("number_input", "prompts", 3, {"prompts": 3}),
        ("number_input", "alpha", -2.0, {"label_scale": -2.0}),
        ("toggle", "shared", True, {"shared_step": True}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_other_controls_reach_the_run(widget, key, value, change):
    at = open_page(T="30", data="gaussian") if key == "shared" else open_page(T="30")
    base = Settings(loops=30, data="gaussian" if key == "shared" else "exact")
    getattr(at, widget)(key=key).set_value(value)
    assert_draws(run(at), base.replace(**change))


def test_a_link_sets_every_main_field():
    at = open_page(T="33", n="21", d="6", kappa="12.5", seed="4")
    shown = {key: at.number_input(key).value for key in ("T", "n", "d", "kappa", "seed")}
    assert shown == {"T": 33, "n": 21, "d": 6, "kappa": 12.5, "seed": 4}
    assert not at.warning
    assert_draws(at, Settings(loops=33, examples=21, features=6, condition_number=12.5, seed=4))


def test_a_link_sets_the_other_fields_too():
    at = open_page(T="12", prompts="5", step="0.25", layout="slots", form="token", alpha="-2", noise="0.5")
    settings = Settings(loops=12, prompts=5, step_size=0.25, layout="slots", form="token", label_scale=-2, noise=0.5)
    assert not at.warning
    assert_draws(at, settings)


def test_the_app_honours_a_link_as_the_page_does():
    at = open_page("app", T="7", n="0")
    assert at.number_input("T").value == 7
    assert at.number_input("n").value == 1
    assert "n = 0" in texts(at, "warning")
    assert_draws(at, Settings(loops=7, examples=1))


@pytest.mark.parametrize(
    ("key", "asked", "used", "change"),
    [
        ("T", "20000", 10_000, {}),
        ("T", "0", 1, {"loops": 1}),
        ("T", "-5", 1, {"loops": 1}),
        ("T", "1e999", 10_000, {}),
        ("T", "7.6", 8, {"loops": 8}),
        ("n", "0", 1, {"examples": 1}),
        ("n", "abc", 40, {}),
        ("n", "", 40, {}),
        ("d", "500", 200, {"features": 200}),
        ("kappa", "0.5", 1.0, {"condition_number": 1.0}),
        ("kappa", "nan", 5.0, {}),
        ("kappa", "inf", 10_000.0, {"condition_number": 10_000.0}),
        ("seed", "-1", 0, {}),
        ("noise", "11", 10.0, {"noise": 10.0}),
        ("alpha", "0", 1.0, {}),
    ],
    ids=lambda value: value or "nothing" if isinstance(value, str) else "",
)
def test_a_bad_value_in_a_link_becomes_the_nearest_and_is_named(key, asked, used, change):
    at = open_page(**{key: asked})
    assert at.number_input(key).value == used
    assert f"{key} = {asked}" in texts(at, "warning").replace("\\", "")
    assert f"Using {used:g}." in texts(at, "warning").replace("\\", "")
    if change and key != "d":  # at d = 200 fewer prompts are run
        assert_draws(at, Settings(**change))


@pytest.mark.parametrize(
    ("key", "asked", "used"),
    [("data", "moon", "exact"), ("layout", "wide", "compact"), ("dtype", "int8", "float64")],
)
def test_a_bad_choice_in_a_link_becomes_the_default_and_is_named(key, asked, used):
    at = open_page(**{key: asked})
    assert at.selectbox(key=key).value == used
    assert f"{key} = {asked}" in texts(at, "warning")
    assert_draws(at, Settings())


def test_every_bad_value_of_a_link_is_named():
    at = open_page(T="0", n="abc", d="1000", kappa="nan", seed="7")
    warning = texts(at, "warning")
    assert all(f"{bad} cannot be used" in warning for bad in ("T = 0", "n = abc", "d = 1000", "kappa = nan"))
    assert "seed" not in warning


def test_a_value_that_stands_twice_in_a_link_is_used_once_and_named():
    at = open_page(T=["5", "7"])
    assert at.number_input("T").value == 7
    assert "T is in the link 2 times" in texts(at, "warning")
    assert_draws(at, Settings(loops=7))


def test_markdown_in_a_link_stays_text():
    at = open_page(T="**x** [a](http://x.test)")
    assert "[a](" not in texts(at, "warning")
    assert "\\[a\\]" in texts(at, "warning")


def test_the_warning_goes_when_it_is_dismissed_or_a_control_is_moved():
    at = open_page(T="0")
    assert not press(at, "Dismiss").warning
    again = open_page(T="0")
    again.number_input("n").set_value(20)
    assert not run(again).warning
    assert again.number_input("T").value == 1


def test_the_link_is_repaired():
    assert queried(open_page(T="20000"), "T") == "10000"


@pytest.mark.parametrize("by", ["link", "hand"])
def test_divergence_is_predicted_in_words_below_the_picture_before_the_metrics_and_the_chart_stays_finite(by):
    at = open_page(step="3") if by == "link" else open_page()
    if by == "hand":
        set_value(at, "number_input", "step_number", 3.0)
    assert "Diverges" in at.error[0].value
    assert "Predicted before running" in at.error[0].value
    assert "η = 3 is above 2/λ₁" in at.error[0].value
    verdict = place_of(at, lambda node: node.type == "error")
    picture = place_of(at, lambda node: node.type == "plotly_chart")
    assert picture < verdict < place_of(at, lambda node: node.type == "metric")
    for x, y in traces(at).values():
        assert np.isfinite(x).all()
        assert 1e6 <= np.nanmax(y) < 1e7
    assert np.isnan(traces(at)[LOOPED][1][-1])  # it has left the chart
    assert "diverges" in [note["text"] for note in spec(at, "errors")["layout"]["annotations"]]
    assert all(np.isfinite(spec(at, "errors")["layout"]["yaxis"]["range"]))
    assert "1,000,000" in texts(at, "caption")
    assert not any(name.startswith("Bound") for name in traces(at))
    assert "No bound is drawn" in texts(at, "caption")
    assert_draws(at, Settings(step_size=3.0))


def test_convergence_is_predicted_with_the_factor_of_the_slowest_mode():
    at = open_page(kappa="10")
    assert not at.error
    assert (at.metric[0].label, at.metric[0].value) == ("Predicted", "converges")
    assert "leaves 0.9 of the error" in texts(at, "caption")


@pytest.mark.parametrize("asked", ["-1", "fast", "0"])
def test_a_step_in_a_link_that_cannot_be_used_is_the_default_and_is_named(asked):
    at = open_page(step=asked)
    assert f"step = {asked} cannot be used" in texts(at, "warning")
    assert (marked(at, "step"), queried(at, "step")) == ("1/λ₁", "auto")
    assert_draws(at, Settings())


def test_fewer_examples_than_features_are_explained_and_no_bound_is_drawn():
    at = open_page(n="6", d="10")
    assert "n < d" in texts(at, "caption")
    assert "n = 6 cannot determine d = 10 weights" in texts(at, "caption")
    assert "No bound is drawn" in texts(at, "caption")
    assert not any(name.startswith("Bound") for name in traces(at))
    assert_draws(at, Settings(examples=6, features=10))
    assert "No bound is drawn" not in texts(open_page(), "caption")


@pytest.mark.parametrize("query", [{"n": "1", "d": "10"}, {"n": "10", "d": "1"}], ids=["n = 1", "d = 1"])
def test_a_single_eigenvalue_forces_the_condition_number_to_1_and_says_so(query):
    at = open_page(**query)
    assert "κ is 1" in texts(at, "caption")
    assert metrics(at)["κ measured"] == "1"


def test_noise_shows_the_floor_and_the_distance_to_the_task():
    at = open_page(noise="0.3")
    result = compare(Settings(noise=0.3))
    task = result.prompts.w_star.numpy()
    floor = np.median(np.linalg.norm(result.w_ref - task, axis=1))
    drawn = traces(at)
    np.testing.assert_allclose(drawn["Least squares to αw*"][1], np.full(51, floor), rtol=1e-9)
    to_task = np.median(np.linalg.norm(result.looped - task, axis=2), axis=1)
    np.testing.assert_allclose(drawn["Distance to αw*"][1], to_task, rtol=1e-9)
    assert metrics(at)["error floor"] == f"{floor:.3g}"
    assert "Noise σ = 0.3" in texts(at, "caption")
    assert "No bound is drawn" in texts(at, "caption")
    assert_draws(at, Settings(noise=0.3))


def test_a_long_run_shows_the_first_prompts_of_the_same_sample_and_fills_up_by_itself():
    at, settings = open_page(T="10000"), Settings(loops=10_000)
    few = most_prompts(settings, quick=1)
    assert 1 < few < 64
    assert f"median of the first {few} of 64 prompts" in alt(at, "errors")
    assert f"{few} of 64 prompts so far; the others follow." in texts(at, "caption")
    short = compare(settings.replace(loops=50)).errors[50, :few]  # the sample that T = 50 shows
    loops, errors = traces(at)["Looped transformer"]
    at_50 = float(np.interp(50, loops, errors))  # between two loops that are drawn
    assert at_50 == pytest.approx(np.median(short), rel=0.05)
    wait_for(at, lambda: "median of 64 prompts" in alt(at, "errors"))
    assert "prompts so far" not in texts(at, "caption")
    assert_draws(at, settings)


def test_a_run_that_the_limits_cut_says_how_many_prompts_are_drawn():
    at, settings = open_page(T="10000", n="100", d="50"), Settings(loops=10_000, examples=100, features=50)
    most = most_prompts(settings)
    assert 1 < most < 64
    assert f"{most} prompts are drawn, not 64: as many as the limits allow." in texts(at, "caption")


def test_a_run_beyond_every_limit_is_refused_in_words():
    at = open_page(T="10000", n="2000", d="200", form="token")
    assert "choose the state form" in at.error[0].value
    assert not at.get("plotly_chart")


def test_diabetes_shows_coefficients_beside_linear_regression():
    at = open_page(data="diabetes", T="10000", step="optimal")
    table = choose(diabetes(), "target")
    fitted = LinearRegression().fit(table.X, table.y)
    (shown,) = (frame.value for frame in at.dataframe if "LinearRegression" in frame.value.columns)
    assert shown["column"].tolist() == [*table.columns, "(intercept)"]
    np.testing.assert_allclose(shown["LinearRegression"], [*fitted.coef_, fitted.intercept_], rtol=1e-12)
    np.testing.assert_allclose(shown["looped transformer"], [*fitted.coef_, fitted.intercept_], rtol=1e-8)
    assert all(at.number_input(key).disabled for key in ("n", "d", "kappa"))
    assert not at.number_input("T").disabled
    assert "held-out" in alt(at, "predictions")
    x, y = traces(at, "predictions")["held-out row"]
    np.testing.assert_array_equal(np.sort(x), np.sort(table.y))
    assert 1 - ((x - y) ** 2).sum() / ((x - x.mean()) ** 2).sum() == pytest.approx(0.4977, abs=1e-3)


def test_choosing_diabetes_and_coming_back_keeps_the_controls():
    at = open_page(n="21", kappa="9")
    before = spec(at, "errors")["data"]
    at.selectbox(key="data").set_value("diabetes")
    assert "What it learned" in run(at).subheader[0].value
    at.selectbox(key="data").set_value("exact")
    assert spec(run(at), "errors")["data"] == before


def test_target_and_features_of_the_table_can_be_chosen():
    at = open_page(data="diabetes")
    at.selectbox(key="target").set_value("bmi")
    run(at)
    at.multiselect(key="columns").set_value(["age", "bp"])
    run(at)
    (shown,) = (frame.value for frame in at.dataframe if "LinearRegression" in frame.value.columns)
    table = choose(diabetes(), "bmi", ("age", "bp"))
    result = compare(Settings(data="diabetes", target="bmi", feature_columns=("age", "bp")), table)
    expected = result.report.coefficients
    assert shown["column"].tolist() == ["age", "bp", "(intercept)"]
    np.testing.assert_allclose(shown["looped transformer"][:2], expected.looped, rtol=1e-9)


def test_without_a_file_the_diabetes_data_is_shown_and_said():
    at = open_page(data="csv")
    assert "No file is chosen: diabetes" in texts(at, "info")
    assert texts(at).count("No file is chosen") == 1
    assert len(at.get("plotly_chart")) == 3


def test_an_uploaded_csv_is_run_on_its_numeric_columns():
    at = upload(open_page(data="csv", T="300"), "houses.csv", CSV.encode())
    assert "houses.csv" in texts(at, "caption")
    assert "name" in next(caption.value for caption in at.caption if "Left out" in caption.value)
    (shown,) = (frame.value for frame in at.dataframe if "LinearRegression" in frame.value.columns)
    assert shown["column"].tolist() == ["size", "rooms", "(intercept)"]
    raw = np.loadtxt(CSV.splitlines(), delimiter=",", skiprows=1, usecols=(0, 1, 3))
    fitted = LinearRegression().fit(raw[:, :2], raw[:, 2])
    np.testing.assert_allclose(shown["LinearRegression"], [*fitted.coef_, fitted.intercept_], rtol=1e-10)
    np.testing.assert_allclose(shown["looped transformer"], [*fitted.coef_, fitted.intercept_], rtol=1e-8)


@pytest.mark.parametrize("bad", BAD_CSVS)
def test_a_bad_csv_is_refused_in_words_and_the_last_good_table_stays(bad):
    content, words = BAD_CSVS[bad]
    at = upload(open_page(data="csv"), "houses.csv", CSV.encode())
    before = spec(at, "errors")["data"]
    upload(at, "bad.csv", content)
    assert words in at.error[0].value
    assert "houses.csv is shown instead." in at.main.error[0].value
    assert spec(at, "errors")["data"] == before
    assert "houses.csv" in texts(at, "caption")


def test_a_csv_without_two_columns_of_numbers_is_refused_and_the_last_good_table_stays():
    at = upload(open_page(data="csv"), "houses.csv", CSV.encode())
    before = spec(at, "errors")["data"]
    upload(at, "words.csv", b"a,b\nx,1\ny,2\nz,4\n")
    assert "words.csv" in at.error[0].value
    assert "houses.csv is shown instead." in at.main.error[0].value
    assert spec(at, "errors")["data"] == before


@pytest.mark.parametrize("content", [b"\x00\x01", b"5.1,3.5,kind-a\n4.9,3.0,kind-a\n7.0,3.2,kind-b\n6.4,3.1,kind-b\n"])
@pytest.mark.parametrize("query", [{}, {"target": "y"}], ids=["", "a link with columns"])
def test_a_bad_first_file_is_named_beside_the_chart_that_is_shown_instead(content, query):
    at = upload(open_page(data="csv", **query), "bad.csv", content)
    (said,) = at.error
    assert said in list(at.main.error)
    said = said.value.replace("\\", "")
    assert said.startswith("bad.csv could not be read: ")
    assert said.endswith("diabetes (scikit-learn) is shown instead.")
    assert ("binary" in said) == (content[0] == 0)
    assert ("choose header = no" in said) == (content[0] != 0)
    assert "No file is chosen" not in texts(at)
    assert len(at.get("plotly_chart")) == 3


def test_a_file_with_too_many_features_is_named_beside_the_table_that_is_shown_instead():
    names = [f"c{place}" for place in range(203)]
    rows = [[str((row + 2) ** 2 * (place + 1) % 13 + row) for place in range(203)] for row in range(6)]
    at = upload(open_page(data="csv"), "big.csv", "\n".join(map(",".join, [names, *rows])).encode())
    (said,) = at.main.error
    said = said.value.replace("\\", "")
    assert said.startswith("big.csv gives 202 features: choose from 1 to 200 columns. The last choice, 'target' of dia")
    assert said.endswith("is shown instead.")
    assert at.get("plotly_chart")


def test_taking_the_file_away_keeps_the_last_table_and_says_so():
    at = upload(open_page(data="csv"), "houses.csv", CSV.encode())
    at.file_uploader[0].set_value(None)
    run(at)
    assert "No file is chosen: houses.csv is shown." in texts(at, "info")


def test_a_column_that_is_constant_within_a_fold_does_not_take_the_page_down():
    lines = ["a,rare,y", *(f"{i},{int(i == 7)},{i * i % 5 + i}" for i in range(20))]
    at = upload(open_page(data="csv"), "rare.csv", "\n".join(lines).encode())
    assert "rare" in texts(at, "info")
    assert "constant" in texts(at, "info")
    assert at.get("plotly_chart")


@pytest.mark.parametrize("data", ["exact", "diabetes", "csv"])
def test_every_control_has_a_help_text(data):
    at = open_page(data=data)
    with_input = {
        "number_input", "selectbox", "toggle", "multiselect", "select_slider", "file_uploader", "slider", "checkbox",
        "radio", "text_input", "button_group", "text_area",
    }  # fmt: skip
    widgets = [node for node in at.sidebar if node.type in with_input]
    assert len(widgets) > 12
    helped = {widget.label for widget in widgets if widget.proto.help}
    for widget in widgets:
        twin = widget.label.partition(" (")[0]  # its label is hidden, the number beside it carries the help
        assert widget.label in helped or twin in helped, widget.label


def test_the_four_main_controls_come_first_and_begin_with_their_letters():
    labels = [node.label for node in open_page().sidebar if node.type == "number_input"]
    assert [label[0] for label in labels[:4]] == ["T", "n", "d", "κ"]


def test_the_table_behind_the_chart_holds_its_numbers():
    at = open_page(T="12")
    assert not at.dataframe
    at.session_state["behind"] = True
    run(at)
    (shown,) = (frame.value for frame in at.dataframe if "loop" in frame.value.columns)
    np.testing.assert_array_equal(shown["loop"], np.arange(13))
    np.testing.assert_allclose(shown["looped transformer"], traces(at)[LOOPED][1], rtol=1e-12)


def test_a_link_to_a_lesson_sets_what_the_lesson_sets_and_the_rest_of_the_link_on_top():
    at = open_page(lesson="conditioning", T="60")
    assert (value(at, "kappa"), value(at, "T")) == (100, 60)
    assert "it sets the slope in the long run" in texts(at, "markdown")
    assert_draws(at, Settings(condition_number=100.0, loops=60))


def test_choosing_a_lesson_sets_its_settings_and_resets_all_others():
    at = open_page(n="77", kappa="3")
    box = at.selectbox(key="compare_lesson")
    box.set_value("noise")
    run(at)
    lesson = next(lesson for lesson in COMPARE if lesson.key == "noise")
    assert_draws(at, Settings(**lesson.settings))


@pytest.mark.parametrize("lesson", COMPARE, ids=lambda lesson: lesson.key)
def test_every_lesson_can_be_opened_by_its_link(lesson):
    at = open_page(lesson=lesson.key)
    assert typeset(lesson.see) in texts(at, "markdown")
    assert typeset(lesson.question) in at.button_group(key="compare_guess").label
    assert not at.warning


def test_hidden_controls_are_not_drawn_and_keep_the_links_value():
    at = open_page(hide="kappa,T,lesson", kappa="20", T="30")
    assert [box.key for box in at.number_input if box.key in ("T", "kappa")] == []
    assert all(box.key != "compare_lesson" for box in at.selectbox)
    assert_draws(at, Settings(condition_number=20.0, loops=30))


def test_hiding_a_control_never_changes_a_result():
    shown, hidden = open_page(seed="5", data="gaussian"), open_page(seed="5", data="gaussian", hide="data,seed,n,d")
    assert spec(shown, "errors")["data"] == spec(hidden, "errors")["data"]


def test_a_link_of_another_version_or_lesson_is_named():
    at = open_page(v="99", lesson="nothing", hide="bogus", log_t="perhaps", tolerance="junk")
    said = texts(at, "warning")
    for name in ("v = 99", "lesson = nothing", "hide = bogus", "log\\_t = perhaps", "tolerance = junk"):
        assert name in said


def test_a_held_curve_stays_while_the_settings_change():
    at = open_page()
    before = traces(at)[LOOPED]
    press(at, "Hold this curve")
    at.number_input(key="kappa").set_value(50.0)
    run(at)
    held = next(curve for name, curve in traces(at).items() if name.startswith("Held"))
    np.testing.assert_array_equal(held[1], before[1])
    assert_draws(at, Settings(condition_number=50.0))
    press(at, "Let go")
    assert not any(name.startswith("Held") for name in traces(at))


def test_held_curves_are_in_the_link():
    at = open_page(T="20")
    press(at, "Hold this curve")
    at.number_input(key="kappa").set_value(50.0)
    run(at)
    press(at, "Hold this curve")
    at.number_input(key="T").set_value(30)
    run(at)
    held = {name: curve for name, curve in traces(at).items() if name.startswith("Held")}
    assert list(held) == ["Held: T = 20", "Held: T = 20, kappa = 50"]
    link = at.query_params["hold"]
    there = open_page(T="30", kappa="50", hold=link if isinstance(link, str) else link[0])
    for name, curve in held.items():
        np.testing.assert_array_equal(traces(there)[name], curve)
    press(there, "Let go")
    assert "hold" not in there.query_params


def test_a_link_whose_held_curve_cannot_be_run_says_so_and_shows_the_rest():
    at = run(open_page(hold="T=0;kappa=20;data=csv;xyz;colour=3"))
    assert [name for name in traces(at) if name.startswith("Held")] == ["Held: kappa = 20"]
    said = texts(at, "warning").replace("\\", "")
    assert "hold = T=0; data=csv; xyz names settings that cannot be run" in said
    assert "cannot be used" not in said


def test_the_log_axis_changes_the_drawing_alone():
    at = open_page(T="2000")
    linear = traces(at)[LOOPED]
    at.toggle(key="log_t").set_value(True)
    run(at)
    np.testing.assert_array_equal(traces(at)[LOOPED][1], linear[1])
    assert spec(at, "errors")["layout"]["xaxis"]["type"] == "log"
    assert linear[0][1] == 1


def test_a_new_seed_draws_other_prompts_and_reset_brings_the_first_screen_back():
    at = open_page(kappa="9")
    press(at, "New seed")
    assert value(at, "kappa") == 9
    press(at, "Reset to defaults")
    assert (value(at, "kappa"), value(at, "seed")) == (10, COMPARE[0].settings["seed"])
    assert_draws(at, Settings(**COMPARE[0].settings))


@pytest.mark.parametrize("name", [name for name in ALGORITHMS if name not in ("gd", "softmax")])
def test_every_algorithm_is_drawn_beside_its_explicit_twin_and_gradient_descent(name):
    at = open_page(algorithm=name, T="12")
    result, drawn = compare(Settings(algorithm=name, loops=12)), traces(at)
    twin = next(label for label in drawn if label.startswith("Explicit"))
    assert ALGORITHMS[name].twin in twin
    for label, iterates in ((LOOPED, result.looped), (twin, result.explicit)):
        errors = np.linalg.norm(iterates - result.w_ref, axis=2) / np.linalg.norm(result.w_ref, axis=1)
        np.testing.assert_allclose(drawn[label][1], np.maximum(np.median(errors, axis=1), TINY), rtol=1e-9)
    assert any(label.startswith("Plain gradient descent") for label in drawn)
    assert ":green-badge[PASS]" in texts(at, "caption")
    assert {field for field in ("ridge", "momentum", "gamma") if any(
        box.key in (field, f"{field}_number") for box in at.number_input)} == set(ALGORITHMS[name].reads)  # fmt: skip


def test_softmax_has_no_verdict_and_says_so():
    at = open_page(algorithm="softmax")
    assert "No verdict before running" in texts(at, "info")
    assert "not meant to agree" in texts(at, "caption")
    assert "badge" not in texts(at, "caption")


def test_every_page_is_one_of_the_list():
    assert sorted(path.stem for path in (ROOT / "pages").glob("*.py")) == sorted(EXPERIMENTS)


@pytest.mark.parametrize("path", sorted((ROOT / "pages").glob("*.py")), ids=lambda path: path.stem)
def test_no_page_computes(path):
    assert not re.search(r"^import (numpy|torch)", path.read_text(encoding="utf-8"), re.MULTILINE)


def test_what_changes_the_display_alone_never_runs_the_transformer_again(monkeypatch):
    at = open_page(seed="123")

    def compare_others(settings, *rest):  # work beside a page of another test may still be under way
        return pytest.fail("it was computed again") if settings.seed == 123 else compare(settings, *rest)

    monkeypatch.setattr(backend, "compare", compare_others)
    at.toggle(key="log_t").set_value(True)
    run(at)
    press(at, "Hold this curve")
    press(at, "Let go")
    at.session_state["behind"] = True
    run(at)


COMMAS = "a;b;y\n1,5;2,25;3,1\n2,5;1,25;4,0\n4,5;2,0;9,2\n5,5;0,25;6,0\n3,5;1,5;2,5\n"


def coefficients(at):
    return next(frame.value for frame in at.dataframe if "LinearRegression" in frame.value.columns)


def test_what_was_guessed_about_a_file_is_said_and_can_be_set():
    at = upload(open_page(data="csv"), "t.csv", COMMAS.encode())
    assert not at.error
    assert "t.csv is read as UTF-8, separator semicolon, decimal comma, names in line 1." in texts(at, "caption")
    at.selectbox(key="csv_decimal").set_value("point")
    run(at)
    assert "'1,5' in row 2" in at.error[0].value
    assert "no columns of numbers" in at.error[0].value
    at.selectbox(key="csv_decimal").set_value("auto")
    assert not run(at).error


def test_a_file_without_names_asks_on_the_page_and_is_read_when_told():
    text = COMMAS.replace(",", ".").replace(";", ",").split("\n", 1)[1]
    at = upload(open_page(data="csv"), "t.csv", text.encode())
    assert "choose header = no" in at.error[0].value
    at.selectbox(key="csv_header").set_value("no")
    assert not run(at).error
    assert coefficients(at)["column"].tolist() == ["column 1", "column 2", "(intercept)"]
    before = coefficients(at)["looped transformer"].tolist()
    at.selectbox(key="csv_header").set_value(
        "yes"
    )  # the first row becomes names: other numbers, not those of the cache
    assert not run(at).error
    assert coefficients(at)["column"].tolist() == ["1.5", "2.25", "(intercept)"]
    assert coefficients(at)["looped transformer"].tolist() != before


def test_columns_left_out_are_named_with_the_reason():
    text = "name,a,b,y\nx,1,2,3\ny,4,,1\nz,2,5,5\nx,3,1,4\n"
    at = upload(open_page(data="csv"), "t.csv", text.encode())
    left_out = next(caption.value for caption in at.caption if "Left out" in caption.value)
    left_out = left_out.replace("\\", "")
    assert "name holds text ('x' in row 2)" in left_out
    assert "b has 1 missing value, the first in row 3" in left_out
    assert sum("Left out of t.csv" in caption.value for caption in at.main.caption) == 1
    upload(at, "t.csv", COMMAS.encode())
    assert "Left out" not in texts(at, "caption")


CHANGED = {
    "an unknown target": ({"target": "nope"}, "no usable column 'nope': 'target' is predicted from all other columns."),
    "an unknown feature": ({"columns": "age,zzz"}, "no usable column 'zzz': 'target' is predicted from 'age'."),
    "unknown features alone": ({"columns": "zzz"}, "column 'zzz': 'target' is predicted from all other columns."),
    "both": ({"target": "no", "columns": "age,zz"}, "column 'no', 'zz': 'target' is predicted from 'age'."),
    "the target as the feature": (
        {"target": "bmi", "columns": "bmi"},
        "'bmi' is the target and so left out of the features: 'bmi' is predicted from all other columns.",
    ),
    "the target among the features": (
        {"target": "bmi", "columns": "age,bmi,bp"},
        "'bmi' is the target and so left out of the features: 'bmi' is predicted from 'age', 'bp'.",
    ),
    "the target that is none given": (
        {"columns": "target,age"},
        "'target' is the target and so left out of the features: 'target' is predicted from 'age'.",
    ),
    "a feature twice": (
        {"columns": "age,age"},
        "features named more than once are used once ('age'): 'target' is predicted from 'age'.",
    ),
}


@pytest.mark.parametrize("case", CHANGED)
def test_columns_of_a_link_that_cannot_be_used_are_told_with_what_is_used_and_leave_the_address(case):
    query, words = CHANGED[case]
    at = open_page(data="diabetes", **query)
    (warning,) = at.main.warning
    assert warning.value.replace("\\", "").endswith(words)
    target = re.search("'([a-z]+)' is predicted", words)[1]
    features = re.findall("'([a-z]+)'", words.partition("predicted from")[2])
    assert at.selectbox(key="target").value == target
    assert at.multiselect(key="columns").value == features
    assert queried(at, "target") in ((None, target) if target == "target" else (target,))
    assert queried(at, "columns") == (",".join(features) or None)
    shown = coefficients(at)["column"].tolist()[:-1]
    assert shown == (features or [name for name in diabetes().numeric if name != target])
    at.number_input("T").set_value(7)
    assert words in texts(run(at), "warning").replace("\\", "")
    at.selectbox(key="target").set_value("sex")
    assert words not in texts(run(at), "warning").replace("\\", "")


@pytest.mark.parametrize("query", [{}, {"target": "bmi"}, {"columns": "age,bp"}, {"target": "bp", "columns": "age"}])
def test_columns_of_a_link_that_can_be_used_are_used_without_a_word(query):
    at = open_page(data="diabetes", **query)
    assert not at.warning
    assert {key: queried(at, key) for key in ("target", "columns")} == {"target": None, "columns": None, **query}


def test_the_address_follows_the_columns_that_are_chosen():
    at = open_page(data="diabetes")
    at.selectbox(key="target").set_value("bmi")
    run(at)
    at.multiselect(key="columns").set_value(["age", "bp"])
    run(at)
    assert (queried(at, "target"), queried(at, "columns")) == ("bmi", "age,bp")
    again = open_page(data="diabetes", target=queried(at, "target"), columns=queried(at, "columns"))
    assert coefficients(again).equals(coefficients(at))
    at.selectbox(key="target").set_value("age")
    run(at)
    assert "'age' is the target and so left out of the features" in texts(at, "warning")
    assert (queried(at, "target"), queried(at, "columns")) == ("age", "bp")
    press(at, "Reset to defaults")
    assert (queried(at, "target"), queried(at, "columns")) == (None, None)
    at.selectbox(key="data").set_value("diabetes")
    run(at)
    assert (at.selectbox(key="target").value, at.multiselect(key="columns").value) == ("target", [])
    assert not at.warning


@pytest.mark.parametrize("names", [{"target": "a", "columns": "y"}, {"target": "a"}, {"columns": "y"}])
def test_the_columns_of_a_link_wait_for_the_file(names):
    at = open_page(data="csv", **names)
    assert not at.warning
    assert not at.error
    (said,) = at.info
    assert said.value.startswith("No file is chosen: diabetes")
    assert "about a file of your own" in said.value
    assert all(f"{key} = {value}" in said.value for key, value in names.items())
    at.number_input("T").set_value(7)
    run(at)
    assert {key: queried(at, key) for key in names} == names
    upload(at, "t.csv", COMMAS.replace("a;b;y", "y;b;a").encode())
    assert not at.warning
    assert not at.info
    assert at.selectbox(key="target").value == "a"
    assert at.multiselect(key="columns").value == names.get("columns", "").split()
    assert {key: queried(at, key) for key in names} == names


def test_a_file_without_the_columns_of_the_link_says_what_is_used_and_changes_the_address():
    at = upload(open_page(data="csv", target="price", columns="a,size"), "t.csv", COMMAS.encode())
    (warning,) = at.warning
    assert "t.csv has no usable column 'price', 'size'\\: 'y' is predicted from 'a'." in warning.value
    assert (queried(at, "target"), queried(at, "columns")) == ("y", "a")


def test_a_target_of_the_diabetes_data_is_not_asked_of_the_file_that_follows():
    at = open_page(data="diabetes", target="bmi")
    at.selectbox(key="data").set_value("csv")
    run(at)
    assert "about a file of your own" not in texts(at, "info")
    upload(at, "t.csv", COMMAS.encode())
    assert not at.warning
    assert at.selectbox(key="target").value == "y"


def test_the_page_says_which_of_the_two_fits_better_and_that_raw_columns_are_truncated():
    gdp = [21e12, 8.5e12, 3.1e12, 14.9e12, 5.6e12, 1.2e12, 11.3e12, 2.7e12]
    rate = [2.1, 3.4, 1.9, 4.2, 2.8, 3.9, 1.5, 3.0]
    lines = ["gdp,rate,y", *(f"{g},{r},{2e-12 * g + 5 * r + 3}" for g, r in zip(gdp, rate, strict=True))]
    at = upload(open_page(data="csv", T="5000"), "t.csv", "\n".join(lines).encode())
    shown = coefficients(at)
    for column in ("looped transformer", "LinearRegression"):
        np.testing.assert_allclose(shown[column], [2e-12, 5, 3], rtol=1e-9)
    assert "both fit the examples to rounding" in texts(at, "caption")
    assert "drops 1 of 2 directions here" in texts(at, "caption")


def measured(at):
    """What stands in place of the controls that do not set a value."""
    return {box.key: box.value for box in at.text_input if box.key.endswith("_measured")}


def test_a_table_shows_its_own_sizes_and_condition_number_where_the_controls_were():
    at = open_page(data="diabetes", T="5", n="17")
    eigenvalues = np.linalg.eigvalsh(np.corrcoef(choose(diabetes(), "target").X.T))
    assert measured(at) == {
        "n_measured": "442", "d_measured": "10", "kappa_measured": f"{eigenvalues[-1] / eigenvalues[0]:.4g}",
    }  # fmt: skip
    assert all(box.disabled for box in at.text_input if box.key.endswith("_measured"))
    set_value(at, "selectbox", "data", "exact")
    assert measured(at) == {}
    assert at.number_input(key="n").value == 17  # it was kept


def test_gaussian_rows_show_the_condition_number_that_was_measured():
    at = open_page(data="gaussian", T="5", n="30", d="4", prompts="7", seed="3")
    drawn = compare(Settings(data="gaussian", loops=5, examples=30, features=4, prompts=7, seed=3)).prompts.X
    kappa = np.median([np.linalg.cond(X) ** 2 for X in drawn.numpy()])
    assert measured(at) == {"kappa_measured": f"{kappa:.4g}"}


def test_while_a_guess_is_asked_for_nothing_measured_stands_in_a_control():
    at = open_page(lesson="more-examples", predict="1")
    assert measured(at) == {"kappa_measured": "–"}


def test_what_is_measured_follows_the_data():
    at = open_page(data="csv", T="2")
    rows = "\n".join(["x,y", *(f"{i % 7},{3 * (i % 7) + i % 2}" for i in range(10_000))])
    upload(at, "long.csv", rows.encode())
    assert measured(at) == {"n_measured": "10000", "d_measured": "1", "kappa_measured": "1"}
    set_value(at, "selectbox", "data", "gaussian")
    before = measured(at)
    set_value(at, "number_input", "n", 400.0)
    assert float(measured(at)["kappa_measured"]) < float(before["kappa_measured"])
