"""A job runs beside its page, pauses and continues, waits for its turn, and shows a sentence when it fails."""

import gc
import itertools
import threading
import weakref

import pytest
from streamlit.testing.v1 import AppTest

from looped_ui import jobs
from looped_ui.jobs import BROKEN, Job, Line
from tests.app import PATIENCE, until


class Counting:
    """Work that counts to `end`, one step for each permit it is given."""

    def __init__(self, end=10**9, permits=10**9):
        self.count, self.end = 0, end
        self.permits = threading.Semaphore(permits)
        self.errors = {}

    def run(self):
        """Continue to count."""
        while self.count < self.end:
            assert self.permits.acquire(timeout=PATIENCE)
            if self.count in self.errors:
                raise self.errors[self.count]
            self.count += 1
            yield self.count

    def snapshot(self):
        """Its position."""
        return {"count": self.count}


def test_it_goes_to_the_end_and_keeps_every_record():
    job = Job(Counting(end=500), Line(1))
    assert (job.state, job.snapshot, job.active) == ("new", {"count": 0}, False)
    job.start()
    assert job.join(PATIENCE)
    assert (job.state, job.snapshot, job.active) == ("finished", {"count": 500}, False)
    assert job.records == list(range(1, 501))
    assert job.seconds > 0
    job.start()
    assert job.state == "finished"


def test_a_line_forgets_a_job_that_left_it():
    line = Line(1)
    job = Job(Counting(end=3), line)
    gone = weakref.ref(job)
    job.start()
    assert job.join(PATIENCE)
    del job
    gc.collect()
    assert gone() is None


def test_it_stops_between_two_steps_and_continues_from_there():
    work = Counting(end=30, permits=0)
    job = Job(work, Line(1))
    job.start()
    for _ in range(7):
        work.permits.release()
    until(lambda: len(job.records) == 7)
    job.stop()
    assert job.state == "paused"
    work.permits.release()  # the step it was in
    assert job.join(PATIENCE)
    assert job.records == list(range(1, 9))
    assert job.snapshot == {"count": 8}
    for _ in range(22):
        work.permits.release()
    job.start()
    assert job.join(PATIENCE)
    assert job.records == list(range(1, 31))
    assert job.state == "finished"


def test_resumed_before_the_last_step_of_its_pause_is_over_it_never_runs_twice_at_once():
    work = Counting(permits=0)
    job = Job(work, Line(1))
    job.start()
    until(lambda: job.state == "running")
    for _ in range(20):
        job.stop()
        job.start()
    for _ in range(40):
        work.permits.release()
    until(lambda: len(job.records) == 40)
    assert job.records == list(range(1, 41))
    assert job.state == "running"
    job.stop()
    work.permits.release()
    assert job.join(PATIENCE)
    assert job.state == "paused"


def test_no_more_run_at_once_than_there_are_slots_and_the_line_moves_up():
    line = Line(2)
    works = [Counting(permits=0) for _ in range(5)]
    jobs = [Job(work, line) for work in works]
    for number, job in enumerate(jobs):
        job.start()
        until(lambda number=number: len(line.jobs) == number + 1)
    until(lambda: [job.state for job in jobs[:2]] == ["running"] * 2)
    assert [job.place for job in jobs] == [0, 0, 1, 2, 3]
    assert [job.state for job in jobs[2:]] == ["waiting"] * 3
    jobs[2].stop()  # out of the line without ever having run
    assert jobs[2].join(PATIENCE)
    assert [job.place for job in jobs] == [0, 0, 0, 1, 2]
    assert jobs[2].records == []
    jobs[0].stop()
    works[0].permits.release()
    until(lambda: jobs[3].state == "running")
    assert [job.place for job in jobs[3:]] == [0, 1]
    for job, work in zip(jobs, works, strict=True):
        job.stop()
        work.permits.release()
        assert job.join(PATIENCE)
    assert line.jobs == []


def test_one_job_of_an_owner_runs_at_a_time_and_the_next_in_line_goes_first():
    line, mine = Line(2), object()
    works = [Counting(permits=0) for _ in range(3)]
    jobs = [Job(work, line, owner) for work, owner in zip(works, (mine, mine, object()), strict=True)]
    for number, job in enumerate(jobs):
        job.start()
        until(lambda number=number: len(line.jobs) == number + 1)
    until(lambda: jobs[2].state == "running")
    assert [job.state for job in jobs] == ["running", "waiting", "running"]
    assert [line.own_first(job) for job in jobs] == [False, True, False]
    assert [job.place for job in jobs] == [0, 1, 0]
    jobs[0].stop()
    works[0].permits.release()
    until(lambda: jobs[1].state == "running")
    for job, work in zip(jobs, works, strict=True):
        job.stop()
        work.permits.release()
        assert job.join(PATIENCE)


def test_a_long_job_hands_its_place_on_when_somebody_else_waits_and_gets_it_back(monkeypatch):
    line, steps = Line(1), []
    monkeypatch.setattr(jobs, "TURN", 0.0)

    class Noted(Counting):
        """It also notes whose step it was."""

        def run(self):
            """Continue to count."""
            for count in super().run():
                steps.append(self)
                yield count

    long, short = (Job(Noted(end=end, permits=0), line, object()) for end in (5, 2))
    long.start()
    long.work.permits.release()
    until(lambda: long.records == [1])
    short.start()
    until(lambda: len(line.jobs) == 2)
    for job in (long, short):
        for _ in range(5):
            job.work.permits.release()
    assert short.join(PATIENCE)
    assert long.join(PATIENCE)
    assert [job.state for job in (long, short)] == ["finished"] * 2
    assert ["short" if step is short.work else "long" for step in steps] == [
        "long", "long", "short", "long", "short", "long", "long",
    ]  # fmt: skip


def test_a_job_that_handed_its_place_on_can_be_stopped_while_it_waits(monkeypatch):
    line = Line(1)
    first, second = Job(Counting(permits=1), line, object()), Job(Counting(permits=0), line, object())
    monkeypatch.setattr(jobs, "TURN", 0.0)
    first.start()
    until(lambda: first.records == [1])
    second.start()
    until(lambda: len(line.jobs) == 2)
    first.work.permits.release()
    until(lambda: (first.state, second.state) == ("waiting", "running"))
    first.stop()
    assert first.join(PATIENCE)
    assert (first.state, first.snapshot) == ("paused", {"count": 2})
    second.stop()
    second.work.permits.release()
    assert second.join(PATIENCE)


def test_a_refusal_in_the_middle_is_shown_and_what_was_reached_is_kept():
    work = Counting()
    work.errors[3] = ValueError("Too steep: choose a smaller rate.")
    job = Job(work, Line(1))
    job.start()
    assert job.join(PATIENCE)
    assert (job.state, job.failure) == ("failed", "Too steep: choose a smaller rate.")
    assert (job.records, job.snapshot) == ([1, 2, 3], {"count": 3})


def test_an_error_of_the_program_gets_one_sentence_and_a_log(caplog):
    work, line = Counting(), Line(1)
    work.errors[0] = ZeroDivisionError("secret")
    job = Job(work, line)
    job.start()
    assert job.join(PATIENCE)
    assert (job.state, job.failure, line.jobs) == ("failed", BROKEN, [])
    assert "secret" in caplog.text


def page():
    import streamlit as st

    from looped_ui import jobs
    from tests.looped_ui.test_jobs import Counting

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
    until(lambda: not jobs.LINE.jobs)  # of pages that other tests have opened
    monkeypatch.setattr(jobs.LINE, "slots", 0)
    app = AppTest.from_function(page, default_timeout=PATIENCE).run()
    app.button[0].click().run()
    job = app.session_state["job_count"]
    until(lambda: job in jobs.LINE.jobs)
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
    from tests.looped_ui.test_jobs import Counting

    for name in ("one", "two"):
        jobs.buttons(name, Counting)
        jobs.watch(name, lambda _job: None)


def test_a_second_training_of_a_visitor_says_that_it_waits_for_the_first(monkeypatch):
    monkeypatch.setattr(jobs.LINE, "slots", len(jobs.LINE.jobs) + 2)
    app = AppTest.from_function(two_jobs, default_timeout=PATIENCE).run()
    app.button(key="one_begin").click().run()
    app.button(key="two_begin").click().run()
    first, second = (app.session_state[f"job_{name}"] for name in ("one", "two"))
    until(lambda: first.state == "running" and second in jobs.LINE.jobs)
    app.run()
    sentence = "Your other training runs first: this one follows when that has ended or is stopped."
    assert [info.value for info in app.info] == [sentence]
    app.button(key="one_stop").click().run()
    until(lambda: second.state == "running")
    second.stop()
    assert first.join(PATIENCE)
    assert second.join(PATIENCE)


@pytest.mark.parametrize("slots", [1, 3])
def test_every_job_gets_its_turn(slots):
    line = Line(slots)
    jobs = [Job(Counting(end=20), line) for _ in range(12)]
    for job in jobs:
        job.start()
    assert all(job.join(PATIENCE) for job in jobs)
    assert list(itertools.chain(*(job.records for job in jobs))) == list(range(1, 21)) * 12
