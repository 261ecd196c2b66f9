"""The lesson of every page, in the page itself: its text stands only where every sentence of it is true."""

import pytest

from looped.experiments.compare.lessons import COMPARE
from looped.experiments.context import ContextSettings
from looped.experiments.context.lessons import CONTEXT
from looped.experiments.gpt2.lessons import GPT2
from looped.experiments.gpt2.settings import GPT2Settings
from looped.experiments.signal.lessons import SIGNAL
from looped.experiments.signal.settings import SignalSettings
from looped.experiments.train.lessons import TRAIN
from looped.experiments.train.settings import TrainSettings
from looped.lesson import by_key, fitting
from looped.settings import Settings
from looped_ui.parts import typeset
from tests.app import open_page, press, run

PAGES = {
    "compare": (COMPARE, Settings),
    "context": (CONTEXT, ContextSettings),
    "train": (TRAIN, TrainSettings),
    "signal": (SIGNAL, SignalSettings),
    "gpt2": (GPT2, GPT2Settings),
}
DIFFER, NONE = "The settings differ from this lesson's", "No lesson is open"
OUTSIDE = {
    "compare": {"algorithm": "ridge"}, "context": {"prompts": "11"}, "train": {"noise": "0.5"},
    "signal": {"noise": "0.5"}, "gpt2": {"noise": "0.5"},
}  # fmt: skip
"""A setting that no lesson of the page leaves free, at a value that none has."""
ALL = [
    pytest.param(page, lesson, id=f"{page}-{lesson.key}") for page, (lessons, _) in PAGES.items() for lesson in lessons
]


def panel(at, page, lessons):
    """The lessons whose texts stand on the page, the one chosen, and True if the page says that it does not apply."""
    said = [str(element.value) for element in at.markdown]
    shown = {lesson.key for lesson in lessons if typeset(lesson.see) in said or typeset(lesson.answer) in said}
    box = at.selectbox(key=f"{page}_lesson").value
    return shown, box, any(DIFFER in text for text in said)


def settings_of(lesson, kind):
    return kind(**lesson.settings)


@pytest.mark.parametrize("page", PAGES)
def test_the_first_lesson_is_the_defaults_and_is_open_at_the_start(page):
    lessons, kind = PAGES[page]
    assert settings_of(lessons[0], kind) == kind()
    assert panel(open_page(page), page, lessons) == ({lessons[0].key}, lessons[0].key, False)


@pytest.mark.parametrize(("page", "lesson"), ALL)
def test_a_lesson_opens_by_its_link_and_a_reload_of_its_settings_finds_it_again(page, lesson):
    lessons, kind = PAGES[page]
    at = open_page(page, lesson=lesson.key)
    assert panel(at, page, lessons) == ({lesson.key}, lesson.key, False)
    assert "lesson" not in at.query_params
    assert at.button(key=f"{page}_lesson_again").disabled
    query = settings_of(lesson, kind).to_query()
    again = open_page(page, **{key: text for key, text in query.items() if text != kind().to_query()[key]})
    assert panel(again, page, lessons) == ({lesson.key}, lesson.key, False)


@pytest.mark.parametrize(("page", "lesson"), ALL)
def test_reset_opens_the_first_lesson_with_the_defaults(page, lesson):
    lessons, _ = PAGES[page]
    at = open_page(page, lesson=lesson.key)
    assert panel(press(at, "Reset to defaults"), page, lessons) == ({lessons[0].key}, lessons[0].key, False)


@pytest.mark.parametrize(("page", "lesson"), ALL)
def test_a_setting_that_makes_a_lesson_untrue_hides_its_text_and_restore_brings_both_back(page, lesson):
    lessons, kind = PAGES[page]
    at = open_page(page, lesson=lesson.key, **OUTSIDE[page])
    assert panel(at, page, lessons) == (set(), lesson.key, True)
    at.button(key=f"{page}_lesson_again").click()
    assert panel(run(at), page, lessons) == ({lesson.key}, lesson.key, False)
    assert at.session_state[f"{page}.last"] == settings_of(lesson, kind)


@pytest.mark.parametrize(("page", "lesson"), ALL)
def test_every_setting_is_either_free_or_takes_the_lesson_away(page, lesson):
    _, kind = PAGES[page]
    own = settings_of(lesson, kind)
    assert set(lesson.free) <= set(kind.table)
    for name, field in kind.table.items():
        now = getattr(own, name)
        other = {"whole": field.high, "real": field.high, "step": 0.123, "yes/no": not now}.get(field.kind)
        if field.kind == "choice":
            other = next(choice for choice in field.ids if choice != now)
        if other is None or other == now:
            continue
        try:
            changed = own.replace(**{name: other})
        except ValueError:  # the two settings exclude each other
            continue
        assert lesson.changed(changed) == [name]
        assert lesson.holds(changed) == (name in lesson.free)


def test_another_algorithm_hides_the_text_until_its_own_is_restored():
    at = open_page("compare", lesson="more-examples")
    at.selectbox(key="algorithm").set_value("newton")
    assert panel(run(at), "compare", COMPARE) == (set(), "more-examples", True)
    assert any("Algorithm" in text.value for text in at.markdown if DIFFER in text.value)


def test_settings_of_no_lesson_show_none():
    at = open_page("compare", algorithm="ridge", ridge="3")
    assert panel(at, "compare", COMPARE) == (set(), None, False)
    assert any(NONE in str(element.value) for element in at.markdown)
    at.selectbox(key="compare_lesson").set_value("softmax")
    assert panel(run(at), "compare", COMPARE) == ({"softmax"}, "softmax", False)
    assert at.selectbox(key="algorithm").value == "softmax"


def test_a_class_link_keeps_its_lesson_in_the_address():
    at = open_page("compare", lesson="conditioning", hide="lesson")
    assert at.query_params["lesson"] == "conditioning"
    assert any(text.value == "**The condition number sets the speed**" for text in at.markdown)
    at.selectbox(key="algorithm").set_value("newton")
    assert any(DIFFER in text.value for text in run(at).markdown)


def test_the_lesson_that_settings_belong_to_is_the_one_that_sets_them_else_the_first_that_holds():
    assert fitting(COMPARE, Settings()).key == "one-step"
    for lesson in COMPARE:
        assert fitting(COMPARE, Settings(**lesson.settings)).key == lesson.key
    assert fitting(COMPARE, Settings(loops=77, condition_number=9)).key == "one-step"
    assert fitting(COMPARE, Settings(data="gaussian", examples=33)).key == "more-examples"
    assert fitting(COMPARE, Settings(algorithm="ridge")) is None
    assert by_key(COMPARE)["conditioning"].changed(Settings()) == ["loops", "condition_number"]
