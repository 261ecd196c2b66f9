"""Numbers that a name or 0 may stand for: box, slider, marks, switch and link show one value, and each sets it."""

import re

import numpy as np
import pytest

from looped import ContextSettings, Settings, TrainSettings, compare
from looped.experiments.compare.lessons import COMPARE
from looped.lesson import by_key
from looped_ui import live
from tests.app import open_page, press, run, set_value, texts

TWO = {"d": "2", "n": "6", "kappa": "10", "T": "12"}
"""λ₁ = 20/11 and λ₂ = 2/11 in every prompt: κ = 10, and their sum is d = 2."""
OWN = Settings(features=2, examples=6, condition_number=10.0, loops=12)


def queried(at, key="step"):
    found = at.query_params.get(key)
    return found[0] if isinstance(found, list) else found


def shown(at, key="step"):
    """What box, slider and marks of a setting show."""
    slider = next((slider.value for slider in at.select_slider if slider.key == f"{key}_slider"), None)
    return at.number_input(key=f"{key}_number").value, slider, at.button_group(key=f"{key}_marks").value


def settings_of(at, page="compare"):
    return at.session_state[f"{page}.last"]


@pytest.mark.parametrize(
    ("name", "mark", "number"),
    [("auto", "1/λ₁", 11 / 20), ("optimal", "optimal", 2 / (20 / 11 + 2 / 11))],
)
def test_a_name_shows_its_mark_and_the_number_of_the_run_and_stays_in_the_link(name, mark, number):
    for at in (open_page(**TWO, step=name), set_value(open_page(**TWO), "button_group", "step_marks", mark)):
        assert shown(at) == (pytest.approx(number, rel=1e-3), pytest.approx(number, rel=1e-3), mark)
        assert settings_of(at) == OWN.replace(step_size=name)
        assert queried(at) in (name, None if name == "auto" else name)


def test_the_edge_of_divergence_is_a_number_that_stays_when_the_data_change():
    at = set_value(open_page(**TWO), "button_group", "step_marks", "2/λ₁")
    assert shown(at) == (pytest.approx(1.1), pytest.approx(1.1), "2/λ₁")
    assert settings_of(at).step_size == pytest.approx(1.1, rel=1e-12)
    assert "Oscillates" in texts(at, "warning")
    assert float(queried(at)) == settings_of(at).step_size
    at = set_value(at, "number_input", "kappa", 100.0)
    assert shown(at) == (pytest.approx(1.1), pytest.approx(1.1), None)


@pytest.mark.parametrize(("kind", "key"), [("number_input", "step_number"), ("select_slider", "step_slider")])
def test_box_and_slider_set_a_number_in_place_of_a_name(kind, key):
    at = set_value(open_page(**TWO, step="optimal"), kind, key, 0.7)
    assert shown(at) == (0.7, 0.7, None)
    assert queried(at) == "0.7"
    assert settings_of(at) == OWN.replace(step_size=0.7)
    at = set_value(at, "button_group", "step_marks", "1/λ₁")
    assert queried(at) is None
    assert settings_of(at) == OWN


def test_a_step_beyond_the_slider_has_a_place_of_its_own():
    at = open_page(**TWO, step="123456")
    assert shown(at) == (123456, 123456, None)
    places = at.session_state["compare.sliders"]["step_slider"]
    assert places == ("step_size", tuple(float(place) for place in at.select_slider(key="step_slider").options))


def test_a_link_that_changes_in_the_open_page_is_followed():
    at = open_page(**TWO, step="optimal")
    at.query_params["step"] = "0.3"
    assert shown(run(at))[::2] == (0.3, None)
    del at.query_params["step"]
    assert shown(run(at))[2] == "1/λ₁"
    at.query_params["step"] = "0,25"
    assert shown(run(at))[0] == 0.25
    assert "its comma was read as a decimal point. Using 0.25." in texts(at, "warning")
    assert queried(at) == "0.25"


def test_a_number_that_cannot_be_used_is_named_in_one_sentence():
    at = set_value(open_page(**TWO, step="0.4"), "number_input", "step_number", 0.0)
    assert texts(at, "warning").count("step = 0 cannot be used") == 1
    assert "Using auto." in texts(at, "warning")
    assert shown(at)[2] == "1/λ₁"


def test_hidden_it_is_not_drawn_at_all_and_keeps_the_links_value():
    at = open_page(**TWO, step="0.3", hide="step")
    keys = [widget.key for kind in ("number_input", "select_slider", "button_group") for widget in at.get(kind)]
    assert not [key for key in keys if key.startswith("step_")]
    assert settings_of(at).step_size == 0.3
    at.query_params["step"] = "optimal"
    assert settings_of(run(at)).step_size == "optimal"
    del at.query_params["step"]
    assert settings_of(run(at)).step_size == "auto"


def test_lessons_and_reset_set_it():
    at = set_value(open_page(**TWO, step="0.3"), "selectbox", "compare_lesson", "over-the-edge")
    assert shown(at)[::2] == (1.1, None)
    assert queried(at) == "1.1"
    at = set_value(at, "selectbox", "compare_lesson", "optimal-step")
    assert (shown(at)[2], queried(at)) == ("optimal", "optimal")
    assert settings_of(at) == Settings(**by_key(COMPARE)["optimal-step"].settings)
    at = press(at, "Reset to defaults")
    assert (shown(at)[2], queried(at)) == ("1/λ₁", None)
    assert settings_of(at) == Settings(**COMPARE[0].settings)


def test_where_prompts_differ_it_says_that_the_number_is_their_median():
    at = open_page(data="gaussian")
    result = compare(Settings(data="gaussian"))
    eta, kappa = result.step_size, result.prompts.spectrum.condition_number.numpy()
    assert shown(at)[0] == pytest.approx(np.median(eta), rel=1e-3)
    medians = [text.value for text in at.sidebar.caption if "Median" in text.value]
    assert medians == [f"Median of 64 prompts, {each.min():.3g} to {each.max():.3g}" for each in (kappa, eta)]
    chosen = [text.value for text in open_page(data="gaussian", step="0.3").sidebar.caption]
    assert [text for text in chosen if "Median" in text] == medians[:1]
    assert not [text for text in open_page().sidebar.caption if "Median" in text.value]


@pytest.mark.parametrize(
    ("algorithm", "key", "mark", "number"),
    [
        ("heavy-ball", "momentum", "best", (1 - 0.1**0.5) ** 2),  # at η = 1/λ₁ the slowest mode has ηλ = 1/κ
        ("gd++", "gamma", "follows η", 11 / 40),  # 1/(2λ₁)
    ],
)
def test_the_own_number_of_an_algorithm_has_box_slider_and_mark(algorithm, key, mark, number):
    at = open_page(**TWO, algorithm=algorithm)
    assert shown(at, key) == (pytest.approx(number, rel=1e-3), pytest.approx(number, rel=1e-3), mark)
    at = set_value(at, "select_slider", f"{key}_slider", 0.9)
    assert (shown(at, key), queried(at, key)) == ((0.9, 0.9, None), "0.9")
    assert getattr(settings_of(at), key) == 0.9
    at = run(set_value(at, "selectbox", "algorithm", "gd"))
    assert getattr(settings_of(at), key) == "auto"  # what has no effect differs from nothing
    at = set_value(at, "selectbox", "algorithm", algorithm)
    assert shown(at, key) == (0.9, 0.9, None)
    at = set_value(at, "button_group", f"{key}_marks", mark)
    assert (getattr(settings_of(at), key), queried(at, key)) == ("auto", None)


def test_the_places_of_a_momentum_lie_closer_towards_one():
    places = [float(place) for place in open_page(algorithm="heavy-ball").select_slider(key="momentum_slider").options]
    round_ones = [place for place in places if place != 0.3056]  # the best μ at κ = 5: (1 − 1/√5)²
    assert (round_ones[0], round_ones[-1]) == (0.1, 0.9999)
    assert {0.5, 0.9, 0.99, 0.999} < set(round_ones)


def test_a_refused_run_and_a_guess_that_is_asked_for_leave_the_number_open():
    refused = open_page(T="10000", n="2000", d="200", form="token")
    assert refused.error
    asked = open_page(lesson="optimal-step", predict="1")
    for at, mark in ((refused, "1/λ₁"), (asked, "optimal")):
        assert shown(at) == (None, None, mark)


def test_the_second_page_shows_the_step_of_the_prompts_with_four_examples_for_each_feature():
    at = open_page("context", step="optimal")
    value, slider, mark = shown(at)
    assert (value, mark) == (slider, "optimal")
    assert pytest.approx(value, rel=0.1) == 2 / ((1 + 0.25**0.5) ** 2 + (1 - 0.25**0.5) ** 2)  # Marchenko and Pastur
    assert any(re.fullmatch(r"Median of 64 prompts, [\d.]+ to [\d.]+, at n/d\s=\s4", text.value)
               for text in at.sidebar.caption)  # fmt: skip
    at = set_value(at, "select_slider", "step_slider", 0.6)
    assert (shown(at), queried(at)) == ((0.6, 0.6, None), "0.6")
    assert settings_of(at, "context") == ContextSettings(step_size=0.6)


def test_the_browser_is_told_of_every_slider_before_it_is_drawn(monkeypatch):
    told = {}
    monkeypatch.setattr(live, "_component", lambda key, data=None, **_: told.update({key: data}))
    at = open_page(session={"live": True}, **TWO)
    set_value(at, "selectbox", "algorithm", "heavy-ball")
    assert {"T_slider", "step_slider", "momentum_slider"} <= set(told["stage"]["sliders"])


@pytest.mark.parametrize("key", ["steps", "batch", "patience"])
def test_a_switch_stands_for_0_and_lets_go_at_the_number_that_a_run_uses(key):
    plan = TrainSettings().training()
    in_use = {"steps": plan.steps, "batch": plan.batch, "patience": plan.steps}[key]
    at = open_page("train")
    box, switch = at.number_input(key=f"{key}_number"), at.toggle(key=f"{key}_zero")
    assert (box.value, box.disabled, switch.value, queried(at, key)) == (in_use, True, True, None)
    at = set_value(at, "toggle", f"{key}_zero", False)
    assert (at.number_input(key=f"{key}_number").disabled, queried(at, key)) == (False, str(in_use))
    assert getattr(settings_of(at, "train"), key) == in_use
    assert settings_of(at, "train").training() == TrainSettings(**{key: in_use}).training()
    at = set_value(at, "number_input", f"{key}_number", 33.0)
    assert (queried(at, key), getattr(settings_of(at, "train"), key)) == ("33", 33)
    again = open_page("train", **{key: "33"})
    assert (again.number_input(key=f"{key}_number").value, again.toggle(key=f"{key}_zero").value) == (33, False)
    at = set_value(at, "toggle", f"{key}_zero", True)
    assert (queried(at, key), getattr(settings_of(at, "train"), key)) == (None, 0)
    zero = open_page("train", **{key: "0"})
    assert (zero.number_input(key=f"{key}_number").value, zero.toggle(key=f"{key}_zero").value) == (in_use, True)


def test_half_a_step_is_rounded_with_a_word_and_the_sentences_call_0_by_its_switch():
    at = set_value(open_page("train", steps="40"), "number_input", "steps_number", 7.5)
    assert texts(at, "warning").count("steps = 7.5 cannot be used") == 1
    assert settings_of(at, "train").steps == 8
    assert TrainSettings.table["steps"].in_words(0) == "automatic"
    assert TrainSettings.table["patience"].in_words(12) == "12"


def test_a_number_that_stood_for_a_name_before_and_is_reported_late_is_no_choice():
    at = open_page(**TWO)
    before = at.number_input(key="step_number").value
    at = set_value(at, "number_input", "kappa", 100.0)
    assert at.number_input(key="step_number").value != before
    at = set_value(at, "number_input", "step_number", before)
    assert settings_of(at).step_size == "auto"
    assert queried(at) is None
    assert settings_of(set_value(at, "number_input", "step_number", 0.7)).step_size == 0.7
