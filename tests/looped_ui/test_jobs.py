"""A visitor's job is begun, watched and stopped from a page."""

import pytest
from streamlit.testing.v1 import AppTest

from looped_ui import jobs
from looped_ui.line import LINE
from tests.app import PATIENCE, until


def page():
    import streamlit as st

    from looped_ui import jobs
    from tests.looped_ui.test_work import Counting

    def make():
        if st.session_state.get("too_large"):
            raise ValueError("That is too large: choose 5.")
        return Counting()

    jobs.buttons("count", make)
    jobs.watch("count", lambda job: st.text("nothing yet" if job is None else f"{job.state} {len(job.records) > 0}"))


def labels(app):
    return [(button.label, button.disabled) for button in app.button]


def test_the_buttons_drive_it():
    app = AppTest.from_function(page, default_timeout=PATIENCE).run()
    assert labels(app) == [("Train", False), ("Reset", True)]
    assert app.text[0].value == "nothing yet"
    app.button[0].click().run()
    job = app.session_state["job_count"]
    try:
        assert labels(app) == [("Stop", False), ("Reset", False)]
        until(lambda: len(job.records) > 0)
        app.button[0].click().run()
        assert labels(app) == [("Resume", False), ("Train", False), ("Reset", False)]
        assert app.text[0].value == "paused True"
        assert job.join(PATIENCE)
        before = len(job.records)
        app.button[0].click().run()
        until(lambda: len(job.records) > before)
        app.button[1].click().run()
        assert labels(app) == [("Train", False), ("Reset", True)]
        assert job.join(PATIENCE)
        assert "job_count" not in app.session_state
    finally:
        job.stop()
    assert not app.exception


def test_work_that_is_refused_shows_its_sentence_and_does_not_begin():
    app = AppTest.from_function(page, default_timeout=PATIENCE)
    app.session_state["too_large"] = True
    app.run()
    app.button[0].click().run()
    assert [error.value for error in app.error] == ["That is too large: choose 5."]
    assert labels(app) == [("Train", False), ("Reset", True)]
    app.run()
    assert len(app.error) == 0


def test_a_job_that_waits_shows_its_place_in_the_line(monkeypatch):
    until(lambda: not LINE.jobs)  # of pages that other tests have opened
    monkeypatch.setattr(LINE, "slots", 0)
    app = AppTest.from_function(page, default_timeout=PATIENCE).run()
    app.button[0].click().run()
    job = app.session_state["job_count"]
    until(lambda: job in LINE.jobs)
    app.run()
    assert [info.value for info in app.info] == [
        "All 0 places are taken by other trainings: this one is number 1 in the queue."
    ]
    assert app.text[0].value == "waiting False"
    app.button[0].click().run()
    assert job.join(PATIENCE)
    assert job.records == []


def two_jobs():
    from looped_ui import jobs
    from tests.looped_ui.test_work import Counting

    for name in ("one", "two"):
        jobs.buttons(name, Counting)
        jobs.watch(name, lambda _job: None)


def test_a_second_training_of_a_visitor_says_that_it_waits_for_the_first(monkeypatch):
    monkeypatch.setattr(LINE, "slots", len(LINE.jobs) + 2)
    app = AppTest.from_function(two_jobs, default_timeout=PATIENCE).run()
    app.button(key="one_begin").click().run()
    app.button(key="two_begin").click().run()
    first, second = (app.session_state[f"job_{name}"] for name in ("one", "two"))
    until(lambda: first.state == "running" and second in LINE.jobs)
    app.run()
    sentence = "Your other training runs first: this one follows when that has ended or is stopped."
    assert [info.value for info in app.info] == [sentence]
    app.button(key="one_stop").click().run()
    until(lambda: second.state == "running")
    second.stop()
    assert first.join(PATIENCE)
    assert second.join(PATIENCE)


@pytest.mark.parametrize(("pages", "seconds"), [(0, jobs.REFRESH), (1, jobs.REFRESH), (5, 5 * jobs.REFRESH)])
def test_a_page_looks_less_often_after_its_job_while_others_are_run(monkeypatch, pages, seconds):
    every = []
    monkeypatch.setattr(jobs.busy, "count", lambda: pages)
    monkeypatch.setattr(jobs.st, "fragment", lambda run_every: every.append(run_every) or (lambda look: look))
    app = AppTest.from_function(page, default_timeout=PATIENCE).run()
    app.button[0].click().run()
    app.session_state["job_count"].stop()
    assert every == [None, seconds]
