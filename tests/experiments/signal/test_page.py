"""The page on shared signals through Streamlit's AppTest: what it draws is what the closed forms give."""

import base64
import io
import json
import re
import time
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from looped.experiments.signal.result import levels
from looped.experiments.signal.settings import SignalSettings
from looped.shared_signal import SignalTask, gd_optimum

ROOT = Path(__file__).parents[3]


def open_page(**query):
    at = AppTest.from_file(ROOT / "pages/signal.py", default_timeout=60)
    for key, value in query.items():
        at.query_params[key] = value
    return run(at)


def run(at):
    at.run()
    assert not at.exception
    return at


def chart(at, place):
    found = at.get("plotly_chart")[place].proto
    return json.loads(found.spec), found.alt


def numbers(values):
    if isinstance(values, dict):
        return np.frombuffer(base64.b64decode(values["bdata"]), np.dtype(values["dtype"])).astype(float)
    return np.array(values, dtype=float)


def metrics(at):
    return {metric.label: metric.value for metric in at.metric}


def text(at):
    return " ".join(part.value for kind in (at.caption, at.markdown, at.warning, at.error, at.info) for part in kind)


def test_figure_1_stands_there_on_the_first_visit():
    at = open_page()
    assert metrics(at) == {
        "LTB, with MLP": "2.727",
        "LSA, no MLP": "4.557",
        "gap": "1.83",
        "GD-0": "4.837",
        "Bayes": "0",
    }
    assert len(at.get("plotly_chart")) == 4
    risk, alt = chart(at, 0)
    assert [trace["name"] for trace in risk["data"]][:3] == [
        "LTB = GD-β, with MLP",
        "LSA, attention alone: smallest found",
        "GD-0",
    ]
    assert "linear risk axis" in alt
    training, alt = chart(at, 1)
    assert [trace["name"] for trace in training["data"]] == [
        "optimum with MLP, 2.727",
        "smallest found for attention alone, 4.557",
    ]
    assert "Not begun" in alt


def test_the_link_sets_what_is_drawn():
    at = open_page(signal="2", n="7", d="3", noise="0.5", **{"kappa-H": "10"})
    settings = SignalSettings(signal=2.0, M=7, features=3, noise=0.5, H_condition=10.0)
    best = levels(settings.task())
    assert metrics(at)["LTB, with MLP"] == f"{best.gd.risk:.4g}"
    assert metrics(at)["LSA, no MLP"] == best.written["lsa"]
    risk, _ = chart(at, 0)
    x, y = (numbers(risk["data"][0][axis]) for axis in "xy")
    np.testing.assert_allclose(y, [gd_optimum(settings.replace(signal=s).task()).risk for s in x])


def test_the_chart_can_be_drawn_against_m_and_noise():
    at = open_page()
    for against, word in (("M", "examples in a prompt"), ("σ", "label noise")):
        at.segmented_control(key="signal_against").set_value(against)
        run(at)
        assert word in chart(at, 0)[1]


def test_what_a_link_asks_for_and_cannot_have_is_said():
    at = open_page(signal="-4", n="0", d="5000")
    said = text(at)
    assert "choose a number from 0 to 100" in said
    assert "choose a whole number from 1 to 400" in said
    assert "choose a whole number from 1 to 50" in said


@pytest.mark.parametrize("query", [{"n": "1"}, {"signal": "0"}, {"d": "1"}, {"d": "50", "n": "400", "signal": "100"}])
def test_the_edges_of_the_range_are_drawn(query):
    at = open_page(**query)
    assert len(at.get("plotly_chart")) == 4
    if query == {"d": "1"}:
        assert "rank below 2" in text(at)


def matrix(values):
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def test_a_rank_deficient_matrix_from_a_file_is_used_and_said():
    at = open_page(d="2", n="4")
    at.file_uploader(key="upload_H").set_value([("H.npy", matrix(np.diag([1.0, 0.0])), "application/octet-stream")])
    run(at)
    task = SignalTask.shared(2, 4, 1.0, H=np_tensor(np.diag([1.0, 0.0])))
    assert metrics(at)["LTB, with MLP"] == f"{gd_optimum(task).risk:.4g}"
    assert "H has rank 1 of 2: the closed forms use pseudo-inverses" in text(at)
    assert not at.error


def np_tensor(values):
    import torch

    return torch.from_numpy(values)


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
    at = open_page()
    at.file_uploader(key="upload_H").set_value([("H.npy", content, "application/octet-stream")])
    run(at)
    (said,) = at.main.error  # not in a closed box of the sidebar
    assert sentence in said.value.replace("\\", "")
    assert said.value.endswith("The file is not used.")
    assert metrics(at)["LTB, with MLP"] == "2.727"


def test_training_reaches_the_levels_and_shows_what_was_learned():
    at = open_page(d="3", n="5", steps="1000", batch="64")
    at.session_state["signal_share"] = True
    next(button for button in at.button if button.label == "Train").click()
    run(at)
    deadline = time.monotonic() + 60
    while any(button.label == "Stop" for button in at.button):
        assert time.monotonic() < deadline
        time.sleep(0.3)
        run(at)
    training, alt = chart(at, 1)
    assert [trace["name"] for trace in training["data"]][:2] == ["LTB, with MLP", "LSA, attention alone"]
    assert "After 1000 of 1000 steps" in alt
    best = levels(SignalSettings(features=3, M=5).task())
    ends = [numbers(trace["y"])[-1] for trace in training["data"][:2]]
    assert ends[0] == pytest.approx(best.gd.risk, rel=0.05)
    assert ends[1] == pytest.approx(best.lsa.risk, rel=0.05)
    assert "of the length of β*" in chart(at, 2)[1]
    assert "differs from it by" in chart(at, 3)[1]
    assert "press Train" not in text(at)
    at.file_uploader(key="upload_H").set_value([("H.npy", matrix(np.eye(3) * 2), "application/octet-stream")])
    run(at)
    assert "press Train" in text(at)  # the training was of another H, though the settings are the same
    at.file_uploader(key="upload_H").set_value([])
    at.number_input(key="signal").set_value(3.0)
    run(at)
    assert "This training is of other settings" in text(at)


def test_a_training_that_takes_too_long_is_refused_in_one_sentence():
    at = open_page(d="50", n="400", steps="100000", batch="2000")
    next(button for button in at.button if button.label == "Train").click()
    run(at)
    assert "(at most 1,800 s): choose fewer steps" in text(at)


RAW = re.compile(r"[A-Za-zλβΓΨ‖⁺]_\w|\^\S")


def raw_symbols(words):
    """Underscores and carets that stand outside typeset mathematics, links and code."""
    return RAW.findall(re.sub(r"\$[^$]+\$|`[^`]+`|\(http[^)]+\)", " ", words))


def test_symbols_are_set_as_mathematics():
    at = open_page(d="1", n="2", flow="true", bound="true", **{"kappa-H": "1"})
    for key in ("flow", "bound"):
        at.session_state[key] = True
    run(at)
    helps = [part.help for kind in (at.metric, at.number_input, at.selectbox) for part in kind if part.help]
    shown = [part.value for kind in (at.caption, at.markdown) for part in kind]
    assert any("lambda^+" in words for words in shown)
    assert {words: found for words in shown + helps if (found := raw_symbols(words))} == {}


@pytest.mark.parametrize(("H", "drawn"), [(np.diag([1.0, 1, 1, 1, 0]), False), (np.eye(5), True)])
def test_the_flows_bound_and_its_condition_stand_there(H, drawn):
    at = open_page()
    at.file_uploader(key="upload_H").set_value([("H.npy", matrix(H), "application/octet-stream")])
    at.session_state["flow"] = True
    run(at)
    assert r"If $\beta(0) - \beta^*$ is in the range of $H$, then" in text(at)
    assert ("Here it is." in text(at)) == drawn
    assert ("Here it is not, and no bound is drawn:** 0.45 of its length is outside" in text(at)) != drawn
    flows = [chart(at, place) for place in range(len(at.get("plotly_chart")))]
    spec = next(spec for spec, alt in flows if alt.startswith("Squared distance"))
    assert any("bound" in trace["name"] for trace in spec["data"]) == drawn


@pytest.mark.parametrize(
    "query", [{}, {"n": "10", "signal": "3", "noise": "0.3", "kappa-H": "100", "kappa-Psi": "1e4"}]
)
def test_strip_chart_and_training_level_show_one_number(query):
    at = open_page(**query)
    shown = metrics(at)["LSA, no MLP"]
    risk, _ = chart(at, 0)
    now = float(query.get("signal", 1))
    x, y = (numbers(risk["data"][1][axis]) for axis in "xy")
    assert f"{y[np.argmin(np.abs(x - now))]:.{len(shown.partition('.')[2])}f}" == shown
    training, _ = chart(at, 1)
    assert f"smallest found for attention alone, {shown}" in [trace["name"] for trace in training["data"]]
    assert "smallest found; proved: not below" in text(at)


def test_no_sentence_calls_what_was_found_the_smallest_possible():
    at = open_page()
    assert not re.search(r"cannot be below|searches|smallest possible|only if", text(at))
