"""A training on a worker in a process of its own: the numbers it has here, stopped, continued, and lost on the way."""

import pytest

from looped import ContextSettings, GPT2Settings, SettingsError, SignalSettings, TrainSettings
from looped.experiments.context import Sweep
from looped.experiments.gpt2.result import GPT2Training
from looped.experiments.signal.result import SignalTraining
from looped.experiments.train.measure import TrainWork
from looped_ui.jobs import SCHEDULER
from looped_ui.line import Line
from looped_ui.work import Job
from tests.app import PATIENCE, open_page, press, until
from tests.sweeps.test_cluster import scheduler, worker  # noqa: F401

pytestmark = pytest.mark.thorough
pytest.importorskip("distributed")

LONG = TrainSettings(loops=2, features=2, examples=10, steps=20_000, patience=5_000, weights="preconditioner")
MAKE = {
    "train": lambda: TrainWork(TrainSettings(loops=2, features=2, examples=10, steps=40, weights="preconditioner")),
    "signal": lambda: SignalTraining(SignalSettings(features=3, examples=6, steps=900)),
    "context": lambda: Sweep(ContextSettings(ratios=(1, 2, 4), prompts=8, loops=10)),
    "gpt2": lambda: GPT2Training(GPT2Settings(width=8, layers=1, heads=1, features=2, examples=3, steps=40)),
}


def losses(records):
    """What a training reports of its steps, as text, in which NaN equals NaN; an evaluation reports None."""
    return [str(record) for record in records if record is not None]


@pytest.mark.parametrize("kind", MAKE)
def test_it_reports_there_what_it_reports_here_also_when_it_was_stopped_on_the_way(scheduler, kind):  # noqa: F811
    here = losses(MAKE[kind]().run())
    address, _ = scheduler
    with worker(address):
        job = Job(MAKE[kind](), Line(1), scheduler=address)
        job.start()
        until(lambda: job.records)
        job.stop()
        assert job.join(PATIENCE)
        assert losses(job.records) == here[: len(losses(job.records))]
        job.start()
        assert job.join(PATIENCE)
        assert (job.state, job.failure) == ("finished", "")
    assert losses(job.records) == here


def test_it_stops_within_a_second_and_its_worker_is_free_for_the_next(scheduler):  # noqa: F811
    address, _ = scheduler
    with worker(address):
        long = Job(TrainWork(LONG), Line(2), scheduler=address)
        long.start()
        until(lambda: len(long.records) > 5)
        long.stop()
        next_one = Job(MAKE["signal"](), Line(2), scheduler=address)
        next_one.start()
        assert next_one.join(PATIENCE)
        assert next_one.state == "finished"
        assert long.state == "paused"


def test_a_worker_that_is_lost_costs_what_it_did_since_its_last_message(scheduler):  # noqa: F811
    address, _ = scheduler
    with worker(address) as lost:
        job = Job(TrainWork(LONG), Line(1), scheduler=address)
        job.start()
        until(lambda: len(job.records) > 5)
        lost.kill()
        before = len(job.records)
        with worker(address):
            until(lambda: len(job.records) > before + 100)
            job.stop()
            assert job.join(PATIENCE)
    steps = [record.step for record in job.records if hasattr(record, "step")]
    assert steps == list(range(steps[0], steps[0] + len(steps)))


class Diverging:
    """Work that refuses its settings after a step."""

    def run(self):
        """One step, and the refusal."""
        yield 1
        raise SettingsError("steps", "steps = 2 diverge: choose fewer.")

    def snapshot(self):
        """Nothing."""


def test_what_the_work_refuses_there_is_said_here(scheduler):  # noqa: F811
    address, _ = scheduler
    with worker(address):
        job = Job(Diverging(), Line(1), scheduler=address)
        job.start()
        assert job.join(PATIENCE)
    assert (job.state, job.failure) == ("failed", "steps = 2 diverge: choose fewer.")


def test_no_scheduler_is_one_sentence_and_a_lost_one_keeps_what_was_reached(scheduler):  # noqa: F811
    job = Job(TrainWork(LONG), Line(1), scheduler="tcp://127.0.0.1:9")
    job.start()
    assert job.join(PATIENCE)
    assert job.failure.startswith("No scheduler answers at tcp://127.0.0.1:9")
    address, process = scheduler
    with worker(address):
        job = Job(TrainWork(LONG), Line(1), scheduler=address)
        job.start()
        until(lambda: len(job.records) > 5)
        process.kill()
        assert job.join(PATIENCE)
    assert job.failure.startswith("The scheduler was lost;")
    assert job.records


def test_a_page_trains_on_the_cluster_that_the_environment_names(scheduler, monkeypatch):  # noqa: F811
    address, _ = scheduler
    monkeypatch.setenv(SCHEDULER, address)
    with worker(address):
        at = open_page("signal", d="3", n="6", steps="300")
        press(at, "Train")
        job = at.session_state["job_signal"]
        assert job.join(PATIENCE)
        assert (job.state, job.scheduler) == ("finished", address)
    assert losses(job.records) == losses(SignalTraining(job.work.settings).run())
