"""The page on shared signals through Streamlit's AppTest: what it draws is what the closed forms give."""

import io
import re

import numpy as np
import pytest
import torch

from looped.experiments.signal.lessons import SIGNAL
from looped.experiments.signal.settings import SignalSettings
from looped.experiments.signal.stored import stored_run
from looped.lesson import by_key
from looped.shared_signal import SignalTask, gd_optimum
from looped.shared_signal.levels import levels
from looped_ui import busy, risks
from looped_ui.kept import kept
from tests.app import PATIENCE, answer, chart, metrics, numbers, open_page, press, run, texts, wait_for


def open_signal(**query):
    """The page, with the question of its lesson answered, and the smallest risks unfolded."""
    return answer(open_page("signal", session={"smallest": True}, **query))


def test_figure_1_stands_there_on_the_first_visit():
    at = open_signal()
    assert metrics(at) == {
        "LTB, with MLP": "2.727",
        "LSA, no MLP": "4.557",
        "gap": "1.83",
        "GD-0": "4.837",
        "Bayes": "0",
    }
    assert len(at.get("plotly_chart")) == 5
    cloud, alt = chart(at, "cloud")
    assert "with MLP: from β*" in [trace["name"] for trace in cloud["data"]]
    assert "s·√d = 2.24 from 0, in two of 5 coordinates" in alt
    risk, alt = chart(at, "levels")
    assert [trace["name"] for trace in risk["data"]][:3] == [
        "LTB = GD-β, with MLP",
        "LSA, attention alone: smallest found",
        "GD-0",
    ]
    assert "linear risk axis" in alt
    training, alt = chart(at, "training")
    assert [trace["name"] for trace in training["data"]] == [
        "LTB, with MLP: stored run",
        "LSA, attention alone: stored run",
        "optimum with MLP, 2.727",
        "smallest found for attention alone, 4.557",
    ]
    assert "Not started. A stored run of these settings ended at:" in alt
    assert "of the length of β*" in chart(at, "start")[1]
    assert "On screen is the stored run of exactly these settings." in texts(at)
    assert "Smallest risk: **2.727** with MLP, **4.557** found without: 1.83 more." in texts(at)
    assert "The stored trainings were made by `python -m looped.experiments.signal.stored`" in texts(at)


def asked_of(lesson):
    """The page before the guess, and the one chart that it has."""
    at = open_page("signal", lesson=lesson)
    assert len(at.get("plotly_chart")) == 1
    assert metrics(at) == {}
    assert not {"What to notice", "Smallest risks"} & {panel.label for panel in at.expander}
    return at, *chart(at, by_key(SIGNAL)[lesson].pictures[0])


def test_of_a_training_whose_end_is_asked_the_beginning_is_drawn():
    at, training, alt = asked_of("figure-1")
    assert [trace["name"] for trace in training["data"]] == ["LTB, with MLP", "LSA, attention alone"]
    run = stored_run(SignalSettings())
    for trace, kind in zip(training["data"], ("ltb", "lsa"), strict=True):
        assert numbers(trace["x"]).tolist() == [0, 100, 200, 300, 400]
        np.testing.assert_allclose(numbers(trace["y"]), run.risks[kind][:5], rtol=1e-6)
    assert "at first for 400 of the 8,000 training steps" in by_key(SIGNAL)["figure-1"].see
    assert training["layout"]["xaxis"]["range"] == [0, 8000]
    assert alt.endswith("How the risks go on is not shown yet.")
    assert not re.search(r"2\.727|4\.557|1\.83", texts(at))


def test_of_tasks_whose_estimates_are_asked_only_they_are_drawn():
    _, cloud, alt = asked_of("no-signal")
    assert [trace["name"] for trace in cloud["data"]] == ["tasks β̃", "tasks to estimate", "β*, the shared signal"]
    assert alt.endswith("No estimate is shown yet.")


@pytest.mark.parametrize(("lesson", "over", "until"), [
    ("strong-signal", "signal", 0), ("more-context", "examples", 5), ("noisy", "noise", 0),
])  # fmt: skip
def test_of_smallest_risks_that_are_asked_attention_alone_has_only_what_the_text_says(lesson, over, until):
    at, risks, alt = asked_of(lesson)
    drawn = {trace["name"]: trace for trace in risks["data"]}
    gap = ["gap: attention alone less with MLP"] if over == "examples" else []
    assert [name.partition(" (")[0] for name in drawn] == [
        "LTB = GD-β, with MLP", "LSA, attention alone: smallest found", "Bayes", *gap,
    ]  # fmt: skip
    for name in gap:
        y = numbers(drawn[name]["y"])
        assert numbers(drawn[name]["x"])[np.isfinite(y)].max() == until
    x, y = (numbers(drawn["LSA, attention alone: smallest found"][axis]) for axis in "xy")
    assert x[np.isfinite(y)].max() == until < getattr(SignalSettings(**by_key(SIGNAL)[lesson].settings), over)
    at_start = levels(SignalSettings(**{**by_key(SIGNAL)[lesson].settings, over: until}).task())
    assert y[np.isfinite(y)][-1] == pytest.approx(at_start.lsa.risk)
    gap = f"{at_start.gap:.3g}" if lesson != "strong-signal" else f"both are {at_start.gd.risk:.4g}"
    assert gap in by_key(SIGNAL)[lesson].see
    assert "is not shown yet." in alt
    assert "at first" in by_key(SIGNAL)[lesson].see  # true of the chart after the guess as well
    after = answer(at)
    y = numbers(chart(after, "risks")[0]["data"][1]["y"])
    assert np.isfinite(y).all()


def test_against_noise_risks_are_drawn_above_what_noise_no_model_can_avoid():
    at = open_signal(lesson="noisy")
    drawn, _ = chart(at, "risks")
    x, y = (numbers(drawn["data"][0][axis]) for axis in "xy")
    np.testing.assert_allclose(y, [gd_optimum(SignalSettings(noise=s).task()).risk - s**2 for s in x])
    at.session_state["behind_signal"] = True
    table = run(at).dataframe[0].value
    np.testing.assert_allclose(table["LTB = GD-β"], y + x**2)


@pytest.mark.parametrize("lesson", ["figure-1", "no-signal"])
def test_what_other_lessons_ask_for_is_one_click_away(lesson):
    at = answer(open_page("signal", lesson=lesson))
    assert chart(at, "levels") == (None, None)
    assert chart(at, "risks") == (None, None)
    at.session_state["smallest"] = True
    assert chart(run(at), "levels")[0]


def test_settings_without_a_stored_run_show_their_levels_alone():
    at = open_signal(n="6")
    training, alt = chart(at, "training")
    assert len(training["data"]) == 2
    assert "No training at these settings yet. Levels" in alt
    (said,) = training["layout"]["annotations"]
    assert said["text"] == "No training at these settings yet."
    low, high = training["layout"]["yaxis"]["range"]
    heights = (np.log10([numbers(trace["y"])[0] for trace in training["data"]]) - low) / (high - low)
    assert np.abs(heights - said["y"]).min() > 0.2
    start, alt = chart(at, "start")
    assert "Nothing is trained yet" in alt
    assert start["layout"]["showlegend"]  # of a single line as well
    assert r"No training is stored at these settings, so β\* and Γ\*ᵀ stand here alone: Train makes one." in texts(at)
    assert "stored run" not in texts(at)
    assert chart(open_signal(), "training")[0]["layout"].get("annotations", []) == []


@pytest.mark.parametrize(("query", "sign", "said", "at"), [
    ({"signal": "3"}, "s", "s = 3", 3.0), ({"n": "7"}, "M", "M = 7", 7), ({"noise": "0.5"}, "σ", "σ = 0.5", 0.5),
    ({"signal": "0"}, "s", "s = 0", 0.0),
])  # fmt: skip
def test_a_line_marks_the_setting_among_the_smallest_risks(query, sign, said, at):
    risks, alt = chart(open_signal(against=sign, **query), "levels")
    (line,) = risks["layout"]["shapes"]
    assert (line["x0"], line["x1"], line["label"]["text"]) == (at, at, said)
    assert f"A line marks {said}, which is set." in alt
    assert any(at in numbers(trace["x"]) for trace in risks["data"])


def test_the_lesson_on_more_examples_asks_about_the_line_of_the_gap():
    lesson = by_key(SIGNAL)["more-context"]
    line = next(t for t in chart(open_signal(lesson="more-context"), "risks")[0]["data"] if t["name"].startswith("gap"))
    gaps = dict(zip(numbers(line["x"]).tolist(), numbers(line["y"]).tolist(), strict=True))
    assert f"{gaps[5] / gaps[40]:.1f}" in lesson.choices[lesson.right]
    assert f"falls to {gaps[40]:.3g} at M = 40 and {gaps[160]:.3g} at M = 160" in lesson.answer
    assert max(gaps) == 160
    ratios = [1 + gap / gd_optimum(SignalSettings(examples=int(M)).task()).risk for M, gap in gaps.items()]
    assert f"their ratio, {min(ratios):.1f} to {max(ratios):.1f} at every M shown" in lesson.answer


def test_the_link_sets_what_is_drawn():
    at = open_signal(signal="2", n="7", d="3", noise="0.5", **{"kappa-H": "10"})
    settings = SignalSettings(signal=2.0, examples=7, features=3, noise=0.5, H_condition=10.0)
    best = levels(settings.task())
    assert metrics(at)["LTB, with MLP"] == f"{best.gd.risk:.4g}"
    assert metrics(at)["LSA, no MLP"] == best.written["lsa"]
    risk, _ = chart(at, "levels")
    x, y = (numbers(risk["data"][0][axis]) for axis in "xy")
    np.testing.assert_allclose(y, [gd_optimum(settings.replace(signal=s).task()).risk for s in x])


@pytest.mark.parametrize(
    ("lesson", "sign", "word"),
    [("figure-1", "s", "s, with β*"), ("more-context", "M", "examples in a prompt"), ("noisy", "σ", "label noise"),
     ("strong-signal", "s", "s, with β*")],
)  # fmt: skip
def test_the_smallest_risks_are_first_drawn_against_what_the_lesson_sets(lesson, sign, word):
    at = open_signal(lesson=lesson)
    assert at.segmented_control(key="against").value == sign
    assert word in chart(at, "levels")[1]
    assert open_signal(lesson=lesson, against="M").segmented_control(key="against").value == "M"


def test_the_next_lesson_draws_the_smallest_risks_anew():
    at = open_signal(lesson="more-context")
    at.segmented_control(key="against").set_value("s")
    at = answer(press(run(at), "▶"))
    assert at.segmented_control(key="against").value == "σ"


def test_the_chart_can_be_drawn_against_m_and_noise():
    at = open_signal()
    for against, word in (("M", "examples in a prompt"), ("σ", "label noise")):
        at.segmented_control(key="against").set_value(against)
        run(at)
        assert word in chart(at, "levels")[1]


def test_among_many_the_lines_follow_the_levels_that_are_known(monkeypatch):
    alone = open_signal(n="6", **{"kappa-H": "2"})
    monkeypatch.setattr(busy, "crowded", lambda: True)
    monkeypatch.setattr(risks, "sweep", kept(entries=1, mebibytes=1)(risks.sweep._function))
    at = open_signal(n="6", **{"kappa-H": "2"})
    first, _ = chart(at, "levels")
    best = gd_optimum(SignalSettings(examples=6, H_condition=2.0).task())
    assert [numbers(first["data"][0][axis]).tolist() for axis in "xy"] == [[1.0], [best.risk]]
    assert "The lines follow" in texts(at)
    wait_for(at, lambda: "The lines follow" not in texts(at))
    for line, whole in zip(*(chart(page, "levels")[0]["data"] for page in (at, alone)), strict=True):
        np.testing.assert_array_equal(numbers(line["y"]), numbers(whole["y"]))
    assert "job_later" not in at.session_state


def test_the_numbers_of_both_charts_can_be_read():
    at = open_signal()
    at.session_state["behind_signal"] = True
    run(at)
    assert list(at.dataframe[0].value.columns[:2]) == ["s", "LTB = GD-β"]
    (choice,) = (box for box in at.selectbox if box.label == "Chart")
    choice.set_value("Tasks and estimates")
    run(at)
    table = at.dataframe[0].value
    assert len(table) == 150
    assert table["with MLP, along β*"].notna().all()


def test_an_unusable_value_of_a_link_is_named():
    at = open_signal(signal="-4", n="0", d="5000")
    said = texts(at)
    assert "choose a number from 0 to 100" in said
    assert "choose a whole number from 1 to 400" in said
    assert "choose a whole number from 1 to 50" in said


@pytest.mark.parametrize("query", [{"n": "1"}, {"signal": "0"}, {"d": "1"}, {"d": "50", "n": "400", "signal": "100"}])
def test_the_edges_of_the_range_are_drawn(query):
    at = open_signal(**query)
    assert len(at.get("plotly_chart")) == 5
    if query == {"d": "1"}:
        assert "rank below 2" in texts(at)


def matrix(values):
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def upload_H(at, content):
    at.file_uploader(key="upload_H").set_value([("H.npy", content, "application/octet-stream")])
    return run(at)


def test_a_rank_deficient_matrix_from_a_file_is_used_and_said():
    at = open_signal(d="2", n="4")
    upload_H(at, matrix(np.diag([1.0, 0.0])))
    task = SignalTask.shared(2, 4, 1.0, H=torch.diag(torch.tensor([1.0, 0.0], dtype=torch.float64)))
    assert metrics(at)["LTB, with MLP"] == f"{gd_optimum(task).risk:.4g}"
    assert "H has rank 1 of 2: the closed forms use pseudo-inverses" in texts(at)
    assert not at.error


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (matrix(np.eye(3)), "H has the shape 3 × 3: with d = 5 features it must be 5 × 5"),
        (matrix(-np.eye(5)), "H has the negative eigenvalue"),
        (b"1,2,3", "is no .npy file of numbers"),
        (matrix(1e60 * np.eye(5)), "H has 1e+60 as its largest entry: give it in other units"),
        (matrix(np.eye(5) * np.nan), "H holds a value that is not finite"),
        (matrix(np.eye(5) * 1j), "does not hold real numbers"),
    ],
)
def test_a_file_that_is_no_covariance_is_refused_in_one_sentence(content, sentence):
    at = open_signal()
    upload_H(at, content)
    (said,) = at.main.error  # not in a closed box of the sidebar
    assert sentence in said.value.replace("\\", "")
    assert said.value.endswith("The file is not used.")
    assert metrics(at)["LTB, with MLP"] == "2.727"


def test_training_reaches_the_levels_and_shows_what_was_learned():
    at = open_signal(d="3", n="5", steps="1000", batch="64")
    at.session_state["signal_share"] = True
    press(at, "Train")
    assert at.session_state["job_signal"].join(PATIENCE)
    run(at)
    assert all(button.label != "Stop" for button in at.button)
    training, alt = chart(at, "training")
    assert [trace["name"] for trace in training["data"]][:2] == ["LTB, with MLP", "LSA, attention alone"]
    assert "After 1000 of 1000 steps" in alt
    best = levels(SignalSettings(features=3, examples=5).task())
    ends = [numbers(trace["y"])[-1] for trace in training["data"][:2]]
    assert ends[0] == pytest.approx(best.gd.risk, rel=0.05)
    assert ends[1] == pytest.approx(best.lsa.risk, rel=0.05)
    assert "of the length of β*" in chart(at, "start")[1]
    assert "differs from it by" in chart(at, "matrix")[1]
    assert "press Train" not in texts(at)
    upload_H(at, matrix(np.eye(3) * 2))
    assert "press Train" in texts(at)  # the training was of another H, though the settings are the same
    at.file_uploader(key="upload_H").set_value([])
    at.number_input(key="signal").set_value(3.0)
    run(at)
    assert "This training has other settings" in texts(at)


def test_a_training_that_takes_too_long_is_refused_in_one_sentence():
    at = open_signal(d="50", n="400", steps="100000", batch="2000")
    press(at, "Train")
    assert "(at most 1,800 s): choose fewer steps" in texts(at)


RAW = re.compile(r"[A-Za-zλβΓΨ‖⁺]_\w|\^\S")


def raw_symbols(words):
    """Underscores and carets that stand outside typeset mathematics, links and code."""
    return RAW.findall(re.sub(r"\$[^$]+\$|`[^`]+`|\(http[^)]+\)", " ", words))


def test_symbols_are_set_as_mathematics():
    at = open_signal(d="1", n="2", flow="true", bound="true", **{"kappa-H": "1"})
    for key in ("flow", "bound"):
        at.session_state[key] = True
    run(at)
    helps = [part.help for kind in (at.metric, at.number_input, at.selectbox) for part in kind if part.help]
    shown = [part.value for kind in (at.caption, at.markdown) for part in kind]
    assert any("lambda^+" in words for words in shown)
    assert {words: found for words in shown + helps if (found := raw_symbols(words))} == {}


@pytest.mark.parametrize(("H", "drawn"), [(np.diag([1.0, 1, 1, 1, 0]), False), (np.eye(5), True)])
def test_the_flows_bound_and_its_condition_stand_there(H, drawn):
    at = open_signal()
    upload_H(at, matrix(H))
    at.session_state["flow"] = True
    run(at)
    assert r"If $\beta(0) - \beta^*$ is in the range of $H$, then" in texts(at)
    assert ("Here it is." in texts(at)) == drawn
    assert ("Here it is not, and no bound is drawn:** 0.45 of its length is outside" in texts(at)) != drawn
    flow, alt = chart(at, "flow_chart")
    assert alt.startswith("Squared distance")
    assert any("bound" in trace["name"] for trace in flow["data"]) == drawn


@pytest.mark.parametrize(
    "query", [{}, {"n": "10", "signal": "3", "noise": "0.3", "kappa-H": "100", "kappa-Psi": "1e4"}]
)
def test_strip_chart_and_training_level_show_one_number(query):
    at = open_signal(**query)
    shown = metrics(at)["LSA, no MLP"]
    risk, _ = chart(at, "levels")
    now = float(query.get("signal", 1))
    x, y = (numbers(risk["data"][1][axis]) for axis in "xy")
    assert f"{y[np.argmin(np.abs(x - now))]:.{len(shown.partition('.')[2])}f}" == shown
    training, _ = chart(at, "training")
    assert f"smallest found for attention alone, {shown}" in [trace["name"] for trace in training["data"]]
    assert "smallest found; proved to be at least" in texts(at)


def test_no_sentence_calls_what_was_found_the_smallest_possible():
    at = open_signal()
    assert not re.search(r"cannot be below|searches|smallest possible|only if", texts(at))
