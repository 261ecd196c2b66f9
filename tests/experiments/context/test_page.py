"""The second page through Streamlit's AppTest: stored results at once, redraws without computing, clear words."""

import re

import numpy as np
import pytest

from looped.experiments.context import ContextSettings, sweep
from looped.experiments.context.lessons import CONTEXT
from looped.experiments.context.stored import stored
from looped.lesson import by_key
from looped_ui import backend
from tests.app import (
    PATIENCE,
    alt,
    alts,
    answer,
    lines,
    metrics,
    open_page,
    press,
    run,
    set_value,
    spec,
    texts,
    until,
)  # fmt: skip

HEADINGS = [
    "Error against n/d",
    "Error for every n/d and T",
    "Smallest n/d that reaches the target",
    "The two requirements",
    "The κ of the examples",
    "Error and bound at the measured κ",
]


@pytest.fixture(autouse=True)
def fixture_no_caches_between_tests():
    backend.sweep.clear()
    backend.sweep_chart.clear()


KAPPA = HEADINGS[4]
VIEWS = HEADINGS  # the lesson of the defaults is not about κ
CHARTS = [f"chart{heading}" for heading in VIEWS]
ERROR, EVERY, NEED = CHARTS[:3]
"""Keys of the charts in the tabs."""


def open_context(**query):
    """The page with what was measured beside a guess."""
    return open_page("context", **({"guess": "8,8,8"} | query))


def view(at, heading):
    """The page with another tab open."""
    at.session_state["view"] = heading
    return run(at)


def line(at, chart, name):
    return lines(spec(at, chart))[name]


def never(*_, **__):
    raise AssertionError("this must not compute")


def test_the_first_view_is_the_stored_result_with_a_guess_one_chart_and_the_others_in_tabs(monkeypatch):
    monkeypatch.setattr("looped.experiments.context.sweep", never)
    at = open_page("context")
    assert at.title[0].value == "How many examples?"
    assert list(lines(spec(at, "need"))) == ["drag me"]
    assert (len(at.get("plotly_chart")), len(at.tabs), metrics(at)) == (1, 0, {})
    answer(at)
    assert [tab.label for tab in at.tabs] == VIEWS
    assert len(at.get("plotly_chart")) == 2
    assert "κ measured, median" in lines(spec(view(at, KAPPA), f"chart{KAPPA}"))
    view(at, HEADINGS[0])
    result = stored()[0]
    x, y = line(at, ERROR, "T = 50")
    np.testing.assert_allclose(x, result.ratio)
    np.testing.assert_allclose(y, np.maximum(result.median[:, 50], 1e-17))
    assert metrics(at)["n/d for T = 50"] == f"{result.needed_ratio(1e-3)[50]:.3g}"
    place = list(result.learned.loops).index(50)
    assert metrics(at)["n/d, learned, T = 50"] == f"{result.learned_needed_ratio(1e-3)[place]:.3g}"
    assert metrics(at)["exponential n"] == "10¹⁹⁰"
    for heading, chart in zip(VIEWS, CHARTS, strict=True):
        assert alt(view(at, heading), chart)
    view(at, HEADINGS[2])
    assert line(at, NEED, "Learned A, median prompt")[0].tolist() == result.learned.loops.tolist()
    assert "| about | **learned** weights" in texts(view(at, "The two requirements"))


def guess_now(at, name="your guess"):
    return line(at, "need", name)[1].tolist()


def test_the_measured_need_stands_beside_the_guess_once_it_is_asked_for():
    at = open_page("context", T="40")
    assert guess_now(at, "drag me") == [10, 10, 10]
    at.select_slider(key="guess_1").set_value(3.0)
    run(at)
    assert guess_now(at) == [10, 3, 10]
    assert "half of the prompts need n/d" not in texts(at)
    press(at, "Show what was measured")
    assert guess_now(at) == [10, 3, 10]
    x, y = line(at, "need", "measured: half of the prompts")
    np.testing.assert_allclose(y, stored()[0].needed_ratio(1e-3)[x.astype(int)])
    needed = stored()[0].needed_ratio(1e-3)
    assert f"{needed[50]:.3g} at T = 50 (guess 3)" in texts(at)
    assert at.query_params["guess"] in ("10,3,10", ["10,3,10"])
    press(at, "Guess again")
    assert guess_now(at) == [10, 3, 10]
    assert "guess" not in at.query_params
    assert "measured: half of the prompts" not in lines(spec(at, "need"))


def test_a_guess_that_was_not_moved_is_drawn_and_said_like_any_other_by_its_link_too():
    at = open_page("context", d="9", seed="5")
    press(at, "Show what was measured")
    assert at.query_params["guess"] in ("10,10,10", ["10,10,10"])
    for shown in (at, open_page("context", d="9", seed="5", guess="10,10,10"), open_page("context", d="9", guess="0")):
        assert texts(shown).count("(guess 10)") == 3
        assert guess_now(shown) == [10, 10, 10]


def test_nothing_that_was_measured_is_offered_before_the_question_of_the_lesson_is_answered():
    at = open_page("context", lesson="more-loops")
    assert "Show what was measured" not in [button.label for button in at.button]
    assert not [slider for slider in at.select_slider if str(slider.key).startswith("guess")]  # the question is there
    answer(at)
    assert "half of the prompts need n/d" in texts(at)


def need_of(**changes):
    """The need of the median prompt against T from 1 on, measured with these settings."""
    return sweep(ContextSettings(**changes)).needed_ratio(1e-3)


@pytest.mark.parametrize(("lesson", "name", "most"), [
    ("more-loops", "up to T = 50", 50), ("dimension", "d = 10", 200), ("heavy-tails", "normal", 200),
    ("one-step-for-all", "η = 1/λ₁", 200), ("correlated", "independent", 200),
])  # fmt: skip
def test_before_the_guess_the_need_that_the_question_compares_with_is_drawn_and_no_other(lesson, name, most):
    at = open_page("context", lesson=lesson)
    drawn = lines(spec(at, "need"))
    assert list(drawn) == ["drag me", f"measured: {name}"]
    x, y = drawn[f"measured: {name}"]
    assert x[-1] == most
    np.testing.assert_allclose(y, need_of()[x.astype(int)])
    answer(at)
    after = lines(spec(at, "need"))
    assert (f"measured: {name}" in after) == (lesson != "more-loops")  # there it is the measured curve itself
    own = {"dimension": "d = 20", "heavy-tails": "heavy-tailed", "one-step-for-all": "η = 0.6"}
    x, y = after[f"measured: {own.get(lesson, 'correlated' if lesson == 'correlated' else 'half of the prompts')}"]
    np.testing.assert_allclose(y, need_of(**by_key(CONTEXT)[lesson].settings)[x.astype(int)])


def test_the_first_lesson_ends_where_the_question_of_the_next_begins_and_another_t_shows_all():
    at = answer(open_page("context"))
    x, _ = line(at, "need", "measured: half of the prompts")
    assert x[-1] == 50
    assert "T = 50." in texts(at)
    assert "at T = 200" not in texts(at).partition("**More loops.**")[0]
    assert "T = 200" not in alt(at, "need")
    set_value(at, "number_input", "T", 100)
    assert line(at, "need", "measured: half of the prompts")[0][-1] == 200


@pytest.mark.parametrize("loops", [50, 200])
def test_lessons_on_the_same_data_give_the_same_need(loops):
    first, few = (need_of(**by_key(CONTEXT)[key].settings)[loops] for key in ("three-per-feature", "too-few"))
    assert first == pytest.approx(few)


def test_before_the_guess_at_kappa_it_is_drawn_from_n_equal_to_d_on_and_then_whole():
    at = open_page("context", lesson="too-few")
    assert spec(at, "need") is None
    for name, (x, y) in lines(spec(at, "kappa")).items():
        assert x[np.isfinite(y)].min() >= 1, name
    assert alt(at, "kappa").endswith("What it is below n = d is not shown yet.")
    answer(at)
    x, y = lines(spec(at, "kappa"))["κ measured, median"]
    assert x[0] == 0.1
    assert np.isfinite(y).all()
    edges = dict(
        zip(*lines(spec(at, "kappa"))["((1+√(d/n))/(1−√(d/n)))²,<br>independent features, large d"], strict=True)
    )
    assert edges[0.5] == pytest.approx(edges[2])
    assert edges[2] == pytest.approx(34, abs=0.5)


@pytest.mark.parametrize("lesson", ["three-per-feature", "more-loops", "dimension"])
def test_kappa_below_n_equal_to_d_is_one_click_away_in_the_lessons_before_it_is_asked_for(lesson):
    at = answer(open_page("context", lesson=lesson))
    assert spec(at, "kappa") is None
    assert KAPPA in [tab.label for tab in at.tabs]


def test_who_only_answers_the_question_has_drawn_no_guess_and_none_is_shown():
    at = answer(open_page("context", lesson="more-loops"))
    assert "your guess" not in lines(spec(at, "need"))
    assert "guess" not in alt(at, "need").lower()
    assert "(guess" not in texts(at)
    assert "Your guess" not in texts(at)
    drew = open_page("context", lesson="more-loops")
    drew.session_state["guess_curve"] = (10.0, 3.0, 10.0)  # as the pointer leaves it
    answer(run(drew))
    assert guess_now(drew) == [10, 3, 10]
    assert "Your guess, and what was measured" in texts(drew)


def test_a_link_with_a_guess_shows_what_was_measured_and_another_lesson_asks_anew():
    at = open_context(guess="20,5,2.5")
    assert guess_now(at) == [20, 5]
    assert "(guess 5)" in texts(at)
    at.button(key="context_lesson_next").click()
    run(at)
    assert guess_now(at, "drag me") == [10, 10, 10]
    at.pills(key="context_guess").set_value(CONTEXT[1].choices[0])
    run(at)
    assert "1.43 at T = 200." in texts(at)
    assert "(guess" not in texts(at)
    assert [button.key for button in at.button if button.label == "Guess again"] == ["context_guess_again"]


def test_the_link_carries_the_guess_but_not_that_for_a_class_that_guesses_nor_another_pages():
    at = open_page("context", session={"context_share": True}, guess="20,5,2", lesson="more-loops")
    assert ["guess=20%2C5%2C2" in code.value for code in at.code] == [True, True]
    at.toggle(key="context_predict").set_value(True)
    run(at)
    assert ["guess=" in code.value for code in at.code] == [True, False]
    other = open_page("signal", session={"signal_share": True, **{k: at.session_state[k] for k in ("guess_shown",)}})
    assert other.code
    assert not any("guess=" in code.value for code in other.code)


def test_a_guess_of_a_link_that_cannot_be_used_is_named_and_the_usual_one_stands_there():
    at = open_context(guess="a,b")
    assert "guess = a,b cannot be used" in texts(at).replace("\\", "")
    assert guess_now(at, "drag me") == [10, 10]


def test_with_predict_nothing_that_was_measured_is_drawn_before_the_guess():
    at = open_context(lesson="more-loops", predict="1", guess="20,5,2")
    assert list(lines(spec(at, "need"))) == ["drag me", "measured: up to T = 50"]
    assert (len(at.get("plotly_chart")), len(at.metric), len(at.tabs)) == (1, 0, 0)
    assert "Show what was measured" not in [button.label for button in at.button]
    at.pills(key="context_guess").set_value(CONTEXT[1].choices[0])
    run(at)
    assert "measured: half of the prompts" in lines(spec(at, "need"))
    assert at.metric


def test_with_predict_and_no_question_to_answer_the_curve_is_the_guess():
    at = open_context(predict="1", seed="5", d="9", guess="20,5,2")
    assert "No lesson is open" in texts(at)
    assert (len(at.metric), len(at.tabs)) == (0, 0)
    press(at, "Show what was measured")
    assert at.metric


def test_the_page_says_where_the_stored_result_was_made():
    made = stored()[1]
    (said,) = (node.value for node in open_context().caption if node.value.startswith("The stored default was made"))
    for part in (made["command"], made["date"], made["hardware"], f"torch {made['versions']['torch']}"):
        assert part in said


def test_a_need_met_at_the_smallest_ratio_is_an_upper_limit():
    shown = metrics(open_context(**{"target-error": "0.9"}))
    assert shown["n/d for T = 50"] == "≤ 0.5"
    assert shown["n/d, learned, T = 50"] == "≤ 1"


def test_moving_t_or_the_target_only_redraws(monkeypatch):
    at = open_context()
    monkeypatch.setattr("looped.experiments.context.sweep", never)
    set_value(at, "number_input", "T", 100)
    _, y = line(at, ERROR, "T = 100")
    np.testing.assert_allclose(y, np.maximum(stored()[0].median[:, 100], 1e-17))
    set_value(at, "number_input", "target-error", 1e-6)
    view(at, HEADINGS[1])
    needed = stored()[0].needed_ratio(1e-6)[100]
    assert metrics(at)["n/d for T = 100"] == f"{needed:.3g}"
    assert "error = 1e-06" in [trace.get("name") for trace in spec(at, EVERY)["data"]]


def test_another_seed_is_computed_at_once_without_learned_weights():
    at = open_context(seed="5")
    _, y = line(at, ERROR, "T = 50")
    expected = sweep(ContextSettings(seed=5))
    np.testing.assert_allclose(y, np.maximum(expected.median[:, 50], 1e-17))
    assert "n/d, learned, T = 50" not in metrics(at)


@pytest.mark.parametrize("lesson", CONTEXT, ids=lambda lesson: lesson.key)
def test_every_lesson_can_be_opened_by_its_link(lesson):
    at = open_context(lesson=lesson.key)
    assert len(at.get("plotly_chart")) == len(lesson.pictures) + 1
    assert len(at.tabs) >= 4
    for name, value in lesson.settings.items():
        field = ContextSettings.table[name]
        given = at.query_params[field.key]
        assert field.read(given[0] if isinstance(given, list) else given) == field.read(value)


def test_fewer_examples_than_features_are_explained_and_have_no_bound():
    at = open_context(ratios="0.2,0.5", prompts="16")
    assert "**n < d.**" in texts(at)
    assert "No bound is drawn" in texts(at)
    assert "Error and bound at the measured κ" not in [tab.label for tab in at.tabs]
    assert "nan" not in " ".join(metrics(at).values())


def test_divergence_and_a_mean_dominated_by_few_are_said():
    at = open_context(step="0.6")
    assert "diverge; most at n/d = 0.5" in texts(at)
    assert "**The median is drawn.**" in texts(at)
    assert "49 of its 64 prompts diverge" in texts(at)


def test_a_long_sweep_says_its_cost_first_and_runs_when_asked():
    at = open_context(**{"T-max": "10000", "prompts": "64", "ratios": "1,2,3,4,5,6"})
    assert "This sweep takes about" in at.info[0].value
    assert "Until then the charts show the stored default" in texts(at)
    np.testing.assert_allclose(line(at, ERROR, "T = 50")[0], stored()[0].ratio)
    press(at, "Compute")
    assert at.session_state["job_context"].join(PATIENCE)
    run(at)
    assert not at.info
    assert line(at, ERROR, "T = 50")[0].tolist() == [1, 2, 3, 4, 5, 6]
    assert "Until then" not in texts(at)


def test_a_running_sweep_stops_between_two_steps_and_continues():
    at = open_context(**{"learned": "true", "seed": "3", "learned-ratios": "1,2,4", "learned-T": "50"})
    assert [tab.label for tab in at.tabs] == [heading for heading in VIEWS if heading != KAPPA]  # it stands above
    assert "Until then the charts show the construction alone" in texts(at)
    press(at, "Compute")
    job = at.session_state["job_context"]
    until(lambda: job.records)
    press(at, "Stop")
    assert job.join(PATIENCE)
    done = len(job.records)
    assert (0 < done < 400, job.state) == (True, "paused")
    assert "paused" in at.get("progress")[0].proto.text
    press(at, "Resume")
    until(lambda: len(job.records) > done)
    press(at, "Reset")
    assert job.join(PATIENCE)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"prompts": "1000", "T-max": "10000"}, "This sweep needs about"),
        ({"d": "40", "learned": "true"}, "d = 40 is too large to train A"),
        ({"d": "200", "ratios": "200"}, "One prompt of n = 40,000 examples"),
        ({"ratios": "0,zero"}, "ratios = zero cannot be used, it is not a number"),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(query, sentence):
    at = open_context(**query)
    assert sentence in texts(at).replace("\\", "")


def t_controls(at):
    """T in the number field, on its slider, in the link and in the strip."""
    (shown,) = (int(label.removeprefix("n/d for T = ")) for label in metrics(at) if label.startswith("n/d for T"))
    link = at.query_params["T"]
    in_link = int(link if isinstance(link, str) else link[0])
    return at.number_input(key="T").value, at.session_state["T_slider"], in_link, shown


@pytest.mark.parametrize(("query", "most"), [({"T": "5000"}, 200), ({"T": "99", "T-max": "60", "ratios": "1,4"}, 60)])
def test_t_beyond_t_max_in_a_link_becomes_t_max_everywhere_with_a_word(query, most):
    at = open_context(**query)
    assert t_controls(at) == (most, most, most, most)
    assert f"T = {query['T']} is beyond T max = {most}. Using {most}" in at.warning[0].value


def test_t_typed_beyond_t_max_becomes_t_max_everywhere_with_a_word():
    at = open_context()
    set_value(at, "number_input", "T", 5000)
    assert t_controls(at) == (200, 200, 200, 200)
    assert "T = 5000 is beyond T max = 200. Using 200; for more, raise T max first." in at.warning[0].value
    set_value(at, "number_input", "T-max", 30)
    assert t_controls(at) == (30, 30, 30, 30)
    assert at.warning[0].value.count("beyond") == 1
    at.number_input(key="T-max").set_value(60)
    at.number_input(key="T").set_value(40)
    run(at)
    assert t_controls(at)[0] == 40
    assert not at.warning


def test_a_hidden_t_beyond_t_max_is_said_once():
    at = open_context(T="5000", hide="T")
    for _ in range(2):
        assert at.warning[0].value.count("beyond T max = 200") == 1
        assert "n/d for T = 200" in metrics(at)
        run(at)


PAGE_LANGUAGE = re.compile(r"[A-Za-zα-ωΑ-Ω]_[A-Za-zα-ωΑ-Ω0-9]|\^")


@pytest.mark.parametrize("lesson", CONTEXT, ids=lambda lesson: lesson.key)
def test_no_formula_stands_raw_on_the_page(lesson):
    at = open_context(lesson=lesson.key)
    said = [node.value for node in (*at.caption, *at.markdown, *at.info, *at.warning)]
    for kind in ("metric", "number_input", "selectbox", "text_input", "toggle"):
        said += [f"{node.label} {node.help or ''}" for node in at.get(kind)]
    for text in said:
        plain = re.sub(r"\$[^$]*\$|`[^`]*`|\]\([^)]*\)", "", text)
        assert not PAGE_LANGUAGE.search(plain), plain


def test_the_needs_of_learned_and_constructed_weights_stand_side_by_side_at_the_same_loops():
    at = open_context(T="150")
    result = stored()[0]
    assert metrics(at)["n/d, learned, T = 50"] == f"{result.learned_needed_ratio(1e-3)[-1]:.3g}"
    assert f"construction there: {result.needed_ratio(1e-3)[50]:.3g}" in texts(at)


@pytest.mark.parametrize(
    ("rows", "said"), [("student", "does not hold for these features"), ("correlated", "Σ alone has 10")]
)
def test_kappa_is_not_compared_with_a_limit_of_other_rows(rows, said):
    at = open_context(rows=rows, prompts="8")
    assert said in texts(at)
    assert "of Marchenko–Pastur's" not in texts(at)


def test_nine_of_ten_prompts_are_not_spoken_of_with_fewer_than_ten():
    assert "9 of 10 of them" not in texts(open_context(prompts="9"))
    assert "9 of 10 of them" in texts(open_context(prompts="10"))


def test_every_control_has_a_help_text():
    at = open_context(rows="correlated")
    for node in (*at.number_input, *at.selectbox, *at.toggle, *at.text_input):
        if node.key in {field.key for field in ContextSettings.table.values()}:
            assert len(node.help) > 40, node.key


def test_the_alt_text_of_every_chart_speaks_of_its_own_numbers():
    at = open_context(guess="20,5,2")
    said = {text for heading in VIEWS for text in alts(view(at, heading))}
    assert len(said) == 1 + len(VIEWS)
    assert all(re.search(r"\d", text) for text in said)
    assert not any("nan" in re.split(r"\W+", text.lower()) for text in said)
