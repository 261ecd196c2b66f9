"""The stored answers: one for every lesson on what is computed, each what is found now, and used for it alone."""

from dataclasses import fields

import numpy as np
import pytest

from looped import BeyondSettings, beyond
from looped.experiments.beyond import charts, stored, words
from looped.experiments.beyond.lessons import BEYOND
from looped.experiments.beyond.settings import READS
from looped.lesson import by_key
from looped_ui import backend
from tests.app import alt, answer, open_page, run, texts

LESSONS = {key: lesson for key, lesson in by_key(BEYOND).items() if lesson.settings.get("view") != "tied"}
"""The lessons on what is computed; trained layers are in a file of their own."""
VIEWS = [view for view in READS if view != "tied"]
OTHER = {
    "loops": 7, "examples": 33, "features": 6, "condition_number": 2.5, "tested_on": "same", "test_examples": 50,
    "covariance": "rotated",
    "largest_condition": 1e3, "target_error": 1e-6, "prompts": 500, "seed": 1,
}  # fmt: skip


def test_every_lesson_and_question_on_what_is_computed_has_a_stored_answer_and_there_is_no_other():
    answers, origin = stored.stored()
    lessons = {key: BeyondSettings(**lesson.settings) for key, lesson in LESSONS.items()}
    plain = {view: BeyondSettings(view=view) for view in VIEWS}
    assert set(answers) == {settings.computed for settings in (*lessons.values(), *plain.values())}
    others = {view: settings for view, settings in plain.items() if settings not in lessons.values()}
    assert origin["settings"] == {name: settings.to_dict() for name, settings in (lessons | others).items()}
    assert {settings.view for settings in answers} == set(VIEWS)
    for view in VIEWS:
        assert BeyondSettings(view=view).computed in answers  # what the page shows where only the question is chosen


def test_the_stored_file_says_where_it_comes_from():
    origin = stored.stored()[1]
    assert origin["command"] == stored.COMMAND
    assert {"looped", "torch", "numpy", "python"} <= origin["versions"].keys()
    assert origin["date"] >= "2026"
    assert origin["hardware"]


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_stored_answer_is_what_is_found_now(lesson):
    settings = BeyondSettings(**LESSONS[lesson].settings)
    kept, now = stored.answer(settings), beyond(settings).found
    assert type(kept) is type(now)
    for name in (field.name for field in fields(now) if field.name != "single"):
        old, new = getattr(kept, name), getattr(now, name)
        if isinstance(new, dict):
            assert old.keys() == new.keys()
            for part, values in new.items():
                counts = 1.0 if name == "loops" else 0.0  # another processor may count one loop more of 149,384
                np.testing.assert_allclose(old[part], values, rtol=1e-8, atol=counts, err_msg=f"{name}.{part}")
        elif name == "checks":
            assert [tuple(row) for row in old] == new
        elif name == "gap":
            assert old == pytest.approx(new, abs=now.tolerance * now.scale)
        elif new is None or name == "settings":
            assert old == new
        else:
            np.testing.assert_allclose(old, new, rtol=1e-8, atol=1e-14, err_msg=name)
    assert words.verdict(kept).split("largest difference")[0] == words.verdict(now).split("largest difference")[0]
    assert words.notice(kept) == words.notice(now)
    for (heading, one), other in zip(charts.pictures(kept).items(), charts.pictures(now).values(), strict=True):
        assert one.alt == other.alt, heading


@pytest.mark.parametrize("view", VIEWS)
def test_a_stored_answer_is_for_its_own_settings_alone_and_for_whatever_its_view_does_not_read(view):
    settings = BeyondSettings(view=view)
    for name, value in OTHER.items():
        changed = settings.replace(**{name: value})
        assert (stored.answer(changed) is None) == (name in READS[view]), name


def test_what_is_packed_is_unpacked():
    for settings in (BeyondSettings(view=view, loops=3, prompts=100, largest_condition=100.0) for view in VIEWS):
        found = beyond(settings).found
        again = stored.unpack(settings, stored.pack(found))
        np.testing.assert_equal(again.results, found.results)
        assert words.verdict(again) == words.verdict(found)


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_is_first_painted_from_what_is_stored(lesson, monkeypatch):
    def found_now(settings):
        raise AssertionError(f"{settings} were computed")

    monkeypatch.setattr(backend, "find_beyond", found_now)
    backend.beyond.clear()
    at = open_page("beyond", lesson=lesson)
    kept = stored.answer(BeyondSettings(**LESSONS[lesson].settings))
    assert alt(at, "main") == charts.before(kept).alt
    assert f"made by `{stored.COMMAND}`" in texts(answer(at), "caption")
    assert alt(at, "main") == charts.main_chart(kept).alt


def test_other_settings_than_a_lessons_are_found_now_and_not_said_to_be_stored():
    at = open_page("beyond", T="7", v="1")
    assert stored.COMMAND not in texts(at, "caption")
    assert "the same 7 iterates" in texts(answer(at), "markdown")
    at.number_input(key="T").set_value(20)
    run(at)
    assert stored.COMMAND in texts(at, "caption")
