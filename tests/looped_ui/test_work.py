"""A job goes on in a thread, pauses and continues, waits for its turn, and says a sentence when it fails."""

import gc
import itertools
import threading
import weakref

import pytest

from looped_ui import work as works
from looped_ui.line import Line
from looped_ui.work import BROKEN, Job
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
    until(lambda: [job.state for job in jobs] == ["running", "waiting", "running"])
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
    monkeypatch.setattr(works, "TURN", 0.0)

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
    monkeypatch.setattr(works, "TURN", 0.0)
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


@pytest.mark.parametrize("slots", [1, 3])
def test_every_job_gets_its_turn(slots):
    line = Line(slots)
    jobs = [Job(Counting(end=20), line) for _ in range(12)]
    for job in jobs:
        job.start()
    assert all(job.join(PATIENCE) for job in jobs)
    assert list(itertools.chain(*(job.records for job in jobs))) == list(range(1, 21)) * 12
