"""The lesson of every page, in the page itself: its text stands only where it is true, its answer after a guess."""

import re

import pytest
from streamlit.testing.v1 import AppTest

from looped.experiments import EXPERIMENTS
from looped.experiments.beyond.lessons import BEYOND
from looped.experiments.beyond.settings import BeyondSettings
from looped.experiments.compare.lessons import COMPARE, OPENING
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
from looped_ui import lesson as lesson_module
from looped_ui.parts import typeset
from tests.app import PATIENCE, ROOT, alts, open_page, press, run, set_value
from tests.thorough import thorough_but

PAGES = {
    "compare": (COMPARE, Settings),
    "context": (CONTEXT, ContextSettings),
    "train": (TRAIN, TrainSettings),
    "signal": (SIGNAL, SignalSettings),
    "gpt2": (GPT2, GPT2Settings),
    "beyond": (BEYOND, BeyondSettings),
}
DIFFER, NONE = "**It asks, for its own settings:**", "No lesson is open"
OUTSIDE = {
    "compare": {"algorithm": "ridge"}, "context": {"prompts": "11"}, "train": {"noise": "0.5"},
    "signal": {"noise": "0.5"}, "gpt2": {"noise": "0.5"}, "beyond": {"target-error": "1e-6"},
}  # fmt: skip
"""A setting that no lesson of the page leaves free, at a value that none has."""
ALL = [
    pytest.param(page, lesson, id=f"{page}-{lesson.key}") for page, (lessons, _) in PAGES.items() for lesson in lessons
]
BEFORE = re.compile(
    r"(not shown yet|No estimate is shown yet|The loss around its minimum|No example changes by more than \S+|"
    r"Not started\. .*)\.$"
)
"""How the texts of pictures end that can be seen before the guess."""
FEW = thorough_but(lambda page, lesson: lesson is PAGES[page][0][1], ALL)
"""The same; a plain run has the second lesson of every page."""


def panel(at, page, lessons):
    """The lessons whose texts stand on the page, the one chosen, and True if the page says that it does not apply."""
    said = [str(element.value) for element in at.markdown]
    shown = {lesson.key for lesson in lessons if typeset(lesson.see) in said or answered(at, lesson)}
    box = at.selectbox(key=f"{page}_lesson").value
    return shown, box, any(DIFFER in text for text in said)


def answered(at, lesson):
    """The verdict before the lesson's answer, or None while the answer is not shown."""
    said = [str(element.value) for element in at.markdown]
    return next((text.removesuffix(typeset(lesson.answer)).strip() for text in said
                 if text.endswith(typeset(lesson.answer))), None)  # fmt: skip


def guess(at, page, choice):
    at.button_group(key=f"{page}_guess").set_value(choice)
    return run(at)


def step(at, page, which):
    at.button(key=f"{page}_lesson_{which}").click()
    return run(at)


def reloaded(at, page):
    """The page opened anew at the address that the other one has."""
    return open_page(page, **at.query_params)


def settings_of(lesson, kind):
    return kind(**lesson.settings)


def usual(lessons, kind):
    """The lesson of the defaults."""
    return next(lesson.key for lesson in lessons if settings_of(lesson, kind) == kind())


@pytest.mark.parametrize("page", PAGES)
def test_the_lesson_of_the_defaults_is_open_at_the_start(page):
    lessons, kind = PAGES[page]
    assert panel(open_page(page), page, lessons) == ({usual(lessons, kind)}, usual(lessons, kind), False)


def test_an_address_that_asks_for_nothing_opens_the_first_page_with_its_first_lesson():
    at = run(AppTest.from_file(ROOT / "pages/compare.py", default_timeout=PATIENCE))
    lessons, kind = PAGES["compare"]
    assert panel(at, "compare", lessons) == ({OPENING}, OPENING, False)
    assert at.session_state["compare.last"] == settings_of(lessons[0], kind)


@pytest.mark.parametrize("view", [{"predict": "1"}, {"present": "1"}, {"hide": "lesson"}, {"embed": "true"}], ids=str)
def test_parameters_of_the_view_alone_open_the_first_lesson_as_no_parameters_do(view):
    at = open_page("compare", **view)
    assert at.session_state["compare.last"] == settings_of(COMPARE[0], Settings)


@pytest.mark.parametrize(("page", "lesson"), FEW)
def test_a_lesson_opens_by_its_link_and_a_reload_of_its_settings_finds_it_again(page, lesson):
    lessons, kind = PAGES[page]
    at = open_page(page, lesson=lesson.key)
    assert panel(at, page, lessons) == ({lesson.key}, lesson.key, False)
    assert at.query_params["lesson"] == lesson.key
    assert restores(at, page) == []
    again = at
    for _ in range(2):
        again = reloaded(again, page)
        assert panel(again, page, lessons) == ({lesson.key}, lesson.key, False)
        assert again.session_state[f"{page}.last"] == settings_of(lesson, kind)
    query = settings_of(lesson, kind).to_query()
    again = open_page(page, **{key: text for key, text in query.items() if text != kind().to_query()[key]})
    assert panel(again, page, lessons) == ({lesson.key}, lesson.key, False)


def restores(at, page):
    """The buttons that restore the lesson, one or none."""
    return [button for button in at.button if button.key == f"{page}_lesson_again"]


@pytest.mark.parametrize("page", thorough_but(lambda page: page == "signal", PAGES))
def test_next_and_previous_open_every_lesson_with_its_settings_and_its_address(page):
    lessons, kind = PAGES[page]
    at = open_page(page, lesson=lessons[0].key)
    addresses = {}
    for which, order in (("next", lessons[1:]), ("previous", lessons[-2::-1])):
        for lesson in order:
            step(at, page, which)
            assert panel(at, page, lessons) == ({lesson.key}, lesson.key, False)
            assert at.query_params["lesson"] == lesson.key
            assert at.session_state[f"{page}.last"] == settings_of(lesson, kind)
            address = {key: at.query_params[key] for key in at.query_params}
            if lesson.key not in addresses:  # the same address opens the same page
                addresses[lesson.key] = address
                again = reloaded(at, page)
                assert panel(again, page, lessons) == ({lesson.key}, lesson.key, False)
                assert again.session_state[f"{page}.last"] == settings_of(lesson, kind)
            assert address == addresses[lesson.key]
        assert at.button(key=f"{page}_lesson_{which}").disabled


def leads(at):
    """What leads the reader to the verdict."""
    return [part.proto.body for part in at.get("html") if "st-key-verdict" in part.proto.body]


@pytest.mark.parametrize(("page", "lesson"), FEW)
def test_a_guess_shows_the_verdict_and_the_answer_and_a_lesson_opened_again_has_both(page, lesson, monkeypatch):
    monkeypatch.setattr(lesson_module, "TOLD", 3600.0)  # on a busy machine a run takes longer than the verdict stays
    lessons, _ = PAGES[page]
    at = open_page(page, lesson=lesson.key)
    right, *wrong = sorted(lesson.choices, key=lambda choice: choice != lesson.choices[lesson.right])
    assert answered(at, lesson) is None
    assert answered(guess(at, page, right), lesson) == "**Right.**"
    led = leads(at)
    assert len(led) == 1
    for choice in wrong:
        assert answered(guess(at, page, choice), lesson) == f"**Not quite: it is “{right}”.**"
        assert len(leads(at)) == 1
        assert leads(at) != led  # else the browser would not run it again
    monkeypatch.setattr(lesson_module, "TOLD", 0.0)
    assert not leads(at.run())
    there, back = ("next", "previous") if lesson is not lessons[-1] else ("previous", "next")
    assert at.button_group(key=f"{page}_guess").value == wrong[-1]
    step(at, page, there)
    assert not any(answered(at, other) for other in lessons)
    step(at, page, back)
    assert at.button_group(key=f"{page}_guess").value == wrong[-1]
    assert answered(at, lesson) == f"**Not quite: it is “{right}”.**"
    press(at, "Guess again")
    assert answered(at, lesson) is None
    assert answered(guess(at, page, right), lesson) == "**Right.**"
    assert answered(reloaded(at, page), lesson) is None


@pytest.mark.parametrize(("page", "lesson"), FEW)
def test_reset_leads_to_what_the_page_opens_with(page, lesson):
    lessons, kind = PAGES[page]
    first = OPENING if page == "compare" else usual(lessons, kind)
    opened = settings_of(by_key(lessons)[first], kind)
    at = guess(open_page(page, lesson=lesson.key), page, lesson.choices[0])
    at = press(at, "Reset to defaults")
    assert panel(at, page, lessons) == ({first}, first, False)
    assert at.button_group(key=f"{page}_guess").value is None
    assert at.session_state[f"{page}.last"] == opened
    assert "lesson" not in at.query_params
    again = reloaded(at, page)
    assert panel(again, page, lessons) == ({first}, first, False)
    assert again.session_state[f"{page}.last"] == opened


def test_reset_leaves_what_the_link_hides():
    at = press(open_page(lesson="noise", hide="lesson,kappa", kappa="20", T="7"), "Reset to defaults")
    assert at.session_state["compare.last"] == Settings(noise=0.5, loops=60, form="auto", condition_number=20.0)
    assert at.query_params["lesson"] == "noise"


@pytest.mark.parametrize(("page", "lesson"), FEW)
def test_a_setting_that_makes_a_lesson_untrue_leaves_what_is_true_and_asked_and_restore_brings_all_back(page, lesson):
    lessons, kind = PAGES[page]
    at = open_page(page, lesson=lesson.key, **OUTSIDE[page])
    own = at.session_state[f"{page}.last"]
    assert own != settings_of(lesson, kind)
    for differing in (at, reloaded(at, page)):
        assert panel(differing, page, lessons) == (set(), lesson.key, True)
        assert differing.session_state[f"{page}.last"] == own
        (kept,) = (text.value for text in differing.markdown if typeset(lesson.question) in text.value)
        still = typeset(lesson.still(own))
        assert kept == f"{still} {DIFFER} {typeset(lesson.question)}".strip()
        (restore,) = restores(differing, page)
        untrue = [name for name in lesson.changed(own) if name not in lesson.free]
        assert restore.label == f"Differs in {', '.join(kind.table[n].label.split(' · ')[0] for n in untrue)} · restore"
        restore.click()
        assert panel(run(differing), page, lessons) == ({lesson.key}, lesson.key, False)
        assert restores(differing, page) == []
        assert differing.session_state[f"{page}.last"] == settings_of(lesson, kind)
        press(differing, "Undo restore")
        assert differing.session_state[f"{page}.last"] == own
        assert panel(reloaded(differing, page), page, lessons) == (set(), lesson.key, True)
        assert not [button for button in differing.button if button.label == "Undo restore"]
        press(differing, restore.label)


@pytest.mark.parametrize(("page", "lesson"), [case for case in FEW if case.values[1].settings])
def test_a_setting_put_back_to_its_default_stays_there_after_a_reload_and_when_the_lesson_is_left(page, lesson):
    _, kind = PAGES[page]
    at = open_page(page, lesson=lesson.key)
    *_, name = lesson.settings
    default = {name: getattr(kind(), name)}
    field = kind.table[name]
    if field.kind == "step":
        mark = next(mark for mark in field.marks if mark.value == default[name])
        at.button_group(key=f"{field.key}_marks").set_value(mark.label)
    else:
        element = next(element for kind_ in ("number_input", "selectbox", "text_input", "toggle")
                       for element in getattr(at, kind_) if element.key == field.key)  # fmt: skip
        element.set_value(field.to_text(default[name]) if field.kind == "numbers" else default[name])
    changed = run(at).session_state[f"{page}.last"]
    assert changed == settings_of(lesson, kind).replace(**default)
    assert at.query_params["default"] == field.key
    again = reloaded(at, page)
    assert again.session_state[f"{page}.last"] == changed
    assert again.selectbox(key=f"{page}_lesson").value == lesson.key
    restores(again, page)[0].click()
    assert "default" not in run(again).query_params
    assert reloaded(again, page).session_state[f"{page}.last"] == settings_of(lesson, kind)


def test_back_in_the_history_opens_the_lesson_of_that_entry_with_its_answer():
    at = guess(open_page("compare", lesson="noise"), "compare", by_key(COMPARE)["noise"].choices[0])
    before = dict(at.query_params)
    step(at, "compare", "next")
    assert panel(at, "compare", COMPARE) == ({"rounding"}, "rounding", False)
    for key in [*at.query_params]:
        del at.query_params[key]
    for key, value in before.items():
        at.query_params[key] = value
    run(at)
    assert at.selectbox(key="compare_lesson").value == "noise"
    restores(at, "compare")[0].click()  # a browser sets the bound widgets as well
    assert answered(run(at), by_key(COMPARE)["noise"])


@pytest.mark.parametrize("page", PAGES)
def test_a_lesson_that_is_open_no_longer_leaves_the_address(page):
    lessons, _ = PAGES[page]
    at = open_page(page, lesson="no-such-lesson", **OUTSIDE[page])
    assert at.selectbox(key=f"{page}_lesson").value is None
    assert "lesson" not in at.query_params
    assert any("does not exist here" in warning.value for warning in at.warning)
    at = step(at, page, "next")
    assert at.query_params["lesson"] == lessons[0].key


@pytest.mark.parametrize(("page", "lesson"), [case for case in FEW if case.values[0] != "compare"])
def test_a_class_link_can_ask_for_a_guess_before_it_shows_the_outcome(page, lesson):
    def outcome(at):
        return len([text for text in alts(at) if not BEFORE.search(text)]) + len(at.metric)

    at = open_page(page, lesson=lesson.key, hide="lesson", predict="1")
    assert outcome(at) == 0
    assert any("Choose an answer" in info.value for info in at.info)
    guess(at, page, lesson.choices[lesson.right])
    assert outcome(at) > 0
    assert not any("Choose an answer" in info.value for info in at.info)
    assert at.query_params["predict"] == "1"
    at = open_page(page, lesson=lesson.key, hide="lesson")
    assert outcome(at) == 0  # every page asks first, without the link's word as well


@pytest.mark.parametrize(("page", "lesson"), FEW)
def test_a_class_link_shows_nothing_of_other_settings_before_the_question_is_answered_once(page, lesson):
    def seen(at):
        return len(at.get("plotly_chart")) + len(at.metric)

    at = open_page(page, lesson=lesson.key, predict="1", **OUTSIDE[page])
    for differing in (at, reloaded(at, page)):
        assert seen(differing) == 0
        assert [info.value for info in differing.info] == ["Restore the lesson's settings to answer its question."]
        assert "Show what was measured" not in [button.label for button in differing.button]
        restores(differing, page)[0].click()
        assert answered(guess(run(differing), page, lesson.choices[0]), lesson)
        press(differing, "Undo restore")
        assert seen(differing) > 0
        assert not any("to answer its question" in info.value for info in differing.info)
        restores(differing, page)[0].click()
        assert answered(run(differing), lesson)


@pytest.mark.parametrize("page", [page for page in PAGES if page != "beyond"])
def test_what_was_answered_is_known_again_where_the_settings_are_restored(page):
    lesson = PAGES[page][0][0]
    at = guess(open_page(page, lesson=lesson.key), page, lesson.choices[0])
    field = next(field for field in PAGES[page][1].table.values() if field.key in OUTSIDE[page])
    if field.key == "algorithm":
        at.selectbox(key=field.key).set_value(OUTSIDE[page][field.key])
    else:
        at.number_input(key=field.key).set_value(float(OUTSIDE[page][field.key]))
    assert not answered(run(at), lesson)
    restores(at, page)[0].click()
    assert answered(run(at), lesson)


@pytest.mark.parametrize("page", PAGES)
def test_a_link_with_a_lesson_of_another_page_leads_to_that_page_with_all_that_it_asks(page):
    other = next(name for name in PAGES if name != page)
    key = PAGES[other][0][-1].key
    at = open_page(page, lesson=key, predict="1", hide="lesson")
    (said,) = (warning.value for warning in at.warning if "does not exist here" in warning.value)
    assert f"[{EXPERIMENTS[other].title}]({other}?lesson={key}&predict=1&hide=lesson)" in said


@pytest.mark.parametrize("embed", [{}, {"embed": "true"}])
def test_an_unknown_lesson_is_told_once_beside_what_else_the_link_asks_for(embed):
    at = open_page("compare", lesson="nowhere", T="1e9", **embed)
    said = " ".join(warning.value for warning in at.warning)
    assert "lesson = nowhere does not exist here. Choose one from the list." in said
    assert "T = " in said
    assert "Using" in said
    again = run(set_value(at, "number_input", "n", 7.0))
    assert "nowhere" not in " ".join(warning.value for warning in again.warning).replace(said, "")


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
    assert [button.label for button in restores(at, "compare")] == ["Differs in Algorithm · restore"]


@pytest.mark.parametrize("lesson", [case.values[1] for case in ALL], ids=[case.id for case in ALL])
def test_what_stays_of_a_lesson_is_part_of_it_and_what_undoes_it_is_not_free(lesson):
    sentences = lesson.see.removesuffix(".").split(". ")
    assert lesson.stays < len(sentences)
    assert not set(lesson.unless) & set(lesson.free)
    kind = next(kind for lessons, kind in PAGES.values() if lesson in lessons)
    assert set(lesson.unless) <= set(kind.table)
    assert lesson.still(kind(**lesson.settings)) == "".join(f"{text}. " for text in sentences[: lesson.stays]).strip()


@pytest.mark.parametrize("page", [page for page in PAGES if page != "compare"])
def test_notes_and_data_that_answer_the_question_come_after_the_guess(page):
    lessons, _ = PAGES[page]
    at = open_page(page, lesson=lessons[0].key)
    assert not any(box.label == "What to notice" for box in at.expander)
    assert not at.metric
    assert any(box.label == "What to notice" for box in guess(at, page, lessons[0].choices[0]).expander)


@pytest.mark.parametrize("page", ["train", "signal", "gpt2"])
def test_no_button_stands_out_before_the_guess_and_then_train_does(page):
    def standing_out(at):
        return [button.label for button in at.button if button.proto.type == "primary"]

    lessons, _ = PAGES[page]
    at = open_page(page, lesson=lessons[0].key)
    assert standing_out(at) == []
    assert standing_out(guess(at, page, lessons[0].choices[0])) == ["Train"]


@pytest.mark.parametrize("page", PAGES)
def test_most_lessons_leave_a_sentence_where_a_setting_differs(page):
    lessons, _ = PAGES[page]
    assert sum(lesson.stays > 0 for lesson in lessons) >= len(lessons) / 2


def test_a_sentence_that_a_setting_makes_untrue_does_not_stay():
    lesson = by_key(COMPARE)["optimal-step"]
    own = Settings(**lesson.settings)
    assert lesson.still(own.replace(noise=1.0)).endswith("falls more slowly.")
    assert lesson.still(own.replace(algorithm="newton")) == ""


def test_settings_of_no_lesson_show_none():
    at = open_page("compare", algorithm="ridge", ridge="3")
    assert panel(at, "compare", COMPARE) == (set(), None, False)
    assert any(NONE in str(element.value) for element in at.markdown)
    at.selectbox(key="compare_lesson").set_value("softmax")
    assert panel(run(at), "compare", COMPARE) == ({"softmax"}, "softmax", False)
    assert at.selectbox(key="algorithm").value == "softmax"


@pytest.mark.parametrize("lesson", [case.values[1] for case in ALL], ids=[case.id for case in ALL])
def test_a_question_has_a_few_choices_one_of_them_right_and_what_stands_above_does_not_say_which(lesson):
    assert 2 <= len(lesson.choices) == len(set(lesson.choices)) <= 4
    assert 0 <= lesson.right < len(lesson.choices)
    assert lesson.question.endswith("?")
    above = f"{lesson.title} {lesson.see} {lesson.question}".casefold()
    assert lesson.choices[lesson.right].casefold() not in above
    for choice in lesson.choices:
        assert len(choice) <= 50
        assert typeset(choice) == choice
        assert not set("*`[]<>") & set(choice)


def test_the_right_choice_is_not_always_at_one_place_nor_the_longest():
    everything = [lesson for lessons, _ in PAGES.values() for lesson in lessons]
    places = [lesson.right for lesson in everything]
    longest = [max(lesson.choices, key=len) == lesson.choices[lesson.right] for lesson in everything]
    assert max(places.count(place) for place in range(4)) < 0.6 * len(places)
    assert sum(longest) < 0.6 * len(longest)


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
    assert fitting(COMPARE, Settings(loops=77, condition_number=9)).key == OPENING
    assert fitting(COMPARE, Settings(data="gaussian", examples=33)).key == "more-examples"
    assert fitting(COMPARE, Settings(algorithm="ridge")) is None
    assert by_key(COMPARE)["conditioning"].changed(Settings()) == ["loops", "condition_number", "form"]


@pytest.mark.parametrize("page", PAGES)
def test_the_share_panel_puts_the_guess_into_the_class_link_alone(page):
    lessons, _ = PAGES[page]
    at = open_page(page, {f"{page}_share": True}, lesson=lessons[1].key)
    for toggled in (False, True):
        at.toggle(key=f"{page}_predict").set_value(toggled)
        full, for_class = (link.value for link in run(at).code if f"lesson={lessons[1].key}" in link.value)
        assert "predict=1" not in full
        assert ("predict=1" in for_class) == toggled
