"""Long jobs beside a page: a thread for each job, as many at once as there are cores, the others wait in line.

A visitor has one place at a time, and hands it on after a while when others wait. A job outlives the run of the script
that started it and a move to another page; it ends with its tab. It takes any work that runs step by step, whatever the
steps do.
"""

import atexit
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Generic, Literal, Protocol, TypeVar

import streamlit as st

from looped.budget import cores

REFRESH = 0.6
"""Seconds between two looks at a running job."""
SNAPSHOT_EVERY = 0.4
"""Least seconds between two snapshots of a running job."""
SCHEDULER = "LOOPED_SCHEDULER"
"""Environment variable with the address of a Dask scheduler: trainings run there, and not in this process."""
NICENESS = 10
"""Niceness added to a job's thread, so that threads that answer sliders come first, where the system has it."""
TURN = 60.0
"""Seconds after which a job goes to the end of the line, if another waits that could run."""
LAST_STEP = 5.0
"""Most seconds that the process waits at its end for a step that is being made."""
BROKEN = "It stopped because of an error in this program, which is in the server's log. The results so far are kept."

Record = TypeVar("Record", covariant=True)
State = Literal["new", "waiting", "running", "paused", "finished", "failed"]


class Work(Protocol[Record]):
    """A job that runs step by step and can be inspected between two steps."""

    def run(self) -> Iterator[Record]:
        """Continue from the present state, one record per step; a step should take well under a second.

        Dropping the iterator pauses; a new one continues. A ValueError ends the work, and its sentence is shown.
        """

    def snapshot(self) -> Any:
        """The state that a page may draw while the work goes on: a copy, since it is read by another thread."""


class Told:
    """What the thread of a job is told: to stop, and to look up, since it is to stop or since its turn has come."""

    def __init__(self) -> None:
        self.stop, self.look_up = threading.Event(), threading.Event()


class Line:
    """Jobs in the order they came; the first few run, one of each owner, and the others wait.

    Args:
        slots: Number of jobs that run at once.
    """

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.jobs: list[Job[Any]] = []
        self._told: dict[Job[Any], Told] = {}
        self._moves = threading.Lock()

    def place(self, job: "Job[Any]") -> int:
        """0 for a job that may run, 1 for the next in line, and so on."""
        with self._moves:
            runs = self._runs()
            waiting = [other for other in self.jobs if other not in runs]
            return waiting.index(job) + 1 if job in waiting else 0

    def own_first(self, job: "Job[Any]") -> bool:
        """Whether a job waits for another one of its owner."""
        with self._moves:
            runs = self._runs()
            return job not in runs and any(_same_owner(job, other) for other in runs)

    @contextmanager
    def turn(self, job: "Job[Any]", told: Told) -> Iterator[None]:
        """Wait in line until it is this job's turn, or until the job is told to stop; then let the next one in."""
        with self._moves:
            self.jobs.append(job)
            self._told[job] = told
            self._call()
        try:
            told.look_up.wait()
            yield
        finally:
            with self._moves:
                self.jobs.remove(job)
                del self._told[job]
                self._call()

    def waits_for(self, job: "Job[Any]") -> bool:
        """Whether somebody else's job would run if this one did not."""
        with self._moves:
            others = [other for other in self.jobs if other is not job and not _same_owner(other, job)]
            return len(self._runs(others)) == self.slots

    def hand_on(self, job: "Job[Any]") -> None:
        """Go to the end of the line, and wait there as in `turn`."""
        with self._moves:
            self.jobs.remove(job)
            self.jobs.append(job)
            (told := self._told[job]).look_up.clear()
            if told.stop.is_set():
                told.look_up.set()
            self._call()
        told.look_up.wait()

    def _call(self) -> None:
        """Wake those whose turn it is, and nobody else: a thread that wakes takes time from the pages."""
        for job in self._runs():
            self._told[job].look_up.set()

    def _runs(self, jobs: "Sequence[Job[Any]] | None" = None) -> "list[Job[Any]]":
        """Those of the jobs in line that may run; such a job keeps its place until it leaves."""
        runs: list[Job[Any]] = []
        for job in self.jobs if jobs is None else jobs:
            if len(runs) < self.slots and not any(_same_owner(job, other) for other in runs):
                runs.append(job)
        return runs

    def close(self) -> None:
        """Stop all jobs and wait for the steps that are being made: the process must not end within one."""
        for job in list(self.jobs):
            job.stop()
            job.join(LAST_STEP)


def _same_owner(one: "Job[Any]", other: "Job[Any]") -> bool:
    return one.owner is not None and one.owner is other.owner


LINE = Line(cores())
"""The line of this server, for all its visitors."""
AWAY = Line(100)
"""The line of jobs on a cluster, which has a queue of its own."""
atexit.register(LINE.close)
atexit.register(AWAY.close)


class Job(Generic[Record]):
    """Work done in a thread of its own.

    `records` only ever grows and `snapshot` is replaced as a whole, so both can be read at any time.

    Args:
        work: The work that is done; on a cluster, its state as it last came back.
        line: The line in which it waits for its turn.
        owner: Whose job it is, of whom one job runs at a time; nobody's if None.
        scheduler: Address of the scheduler of a cluster that does the work; empty to do it here.
    """

    def __init__(self, work: Work[Record], line: Line = LINE, owner: object = None, scheduler: str = "") -> None:
        self.work, self.line, self.owner, self.scheduler = work, line, owner, scheduler
        self.records: list[Record] = []
        self.snapshot = work.snapshot()
        self.state: State = "new"
        self.failure = ""
        self.seconds = 0.0  # of running so far, up to the last step
        self._told = Told()
        self._changes = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def active(self) -> bool:
        """True where it runs or waits for its turn."""
        return self.state in ("waiting", "running")

    @property
    def place(self) -> int:
        """0 while it runs, else how many must leave before it does."""
        return self.line.place(self)

    def start(self) -> None:
        """Start, or continue after a pause; an active or finished job is left as it is."""
        with self._changes:
            if self.state not in ("new", "paused"):
                return
            self.state, self._told = "waiting", Told()
            self._thread = threading.Thread(target=self._main, args=(self._thread, self._told), name="job", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Pause after the step that is being made."""
        with self._changes:
            if self.active:
                self.state = "paused"
                self._told.stop.set()
                self._told.look_up.set()

    def join(self, seconds: float | None = None) -> bool:
        """Wait for the job's thread to end; True if it has."""
        if self._thread is not None:
            self._thread.join(seconds)
        return self._thread is None or not self._thread.is_alive()

    def _main(self, before: threading.Thread | None, told: Told) -> None:
        if before is not None:  # it may still be at the step after which it was to pause
            before.join()
        _step_back()
        try:
            with self.line.turn(self, told):
                if not told.stop.is_set() and self._change("waiting", "running"):
                    self._steps(told)
        except ValueError as error:
            self._fail(str(error))
        except Exception:
            logging.getLogger("looped").exception("A job ended with an error.")
            self._fail(BROKEN)

    def _steps(self, told: Told) -> None:
        came = looked = time.monotonic()
        began = came - self.seconds
        try:
            for record in self._away(told.stop) if self.scheduler else self.work.run():
                self.records.append(record)
                now = time.monotonic()
                self.seconds = now - began
                if self.scheduler:  # all records of the state that comes back last must come in
                    continue
                if told.stop.is_set():
                    return
                if now - looked > SNAPSHOT_EVERY:
                    self.snapshot, looked = self.work.snapshot(), now
                if now - came > TURN and self.line.waits_for(self) and self._change("running", "waiting"):
                    self.line.hand_on(self)
                    if not self._change("waiting", "running"):
                        return
                    came = time.monotonic()
                    began = came - self.seconds
        finally:
            self.snapshot = self.work.snapshot()
        self._change("running", "finished")

    def _away(self, told_to_stop: threading.Event) -> Iterator[Record]:
        from looped.sweeps import remote

        for records, work in remote.steps(self.work, self.scheduler, told_to_stop):
            self.work, self.snapshot = work, work.snapshot()
            yield from records

    def _change(self, old: State, new: State) -> bool:
        with self._changes:
            if self.state != old:
                return False
            self.state = new
            return True

    def _fail(self, sentence: str) -> None:
        with self._changes:
            self.state, self.failure = "failed", sentence


def _step_back() -> None:
    """Lower the priority of this thread alone: Linux gives each its own."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


def _stop_all(jobs: dict[str, Job[Any]]) -> None:
    for job in jobs.values():
        job.stop()


@st.cache_resource(scope="session", show_spinner=False, on_release=_stop_all)
def _ends_with_tab() -> dict[str, Job[Any]]:
    """The jobs of this session; when its tab is closed or its connection lost, Streamlit releases them: they stop."""
    return {}


def current(name: str) -> Job[Any] | None:
    """The job of that name of this visitor, started on any page; None if there is none."""
    return st.session_state.get(f"job_{name}")


def begin(name: str, work: Work[Any], line: Line | None = None) -> None:
    """Start work as this visitor's job of that name; the one before it is stopped and forgotten.

    Args:
        name: Name of the job.
        work: the work.
        line: where it waits to be run in this process. By default that of all trainings, or the cluster's if one is
            named in the environment.
    """
    forget(name)
    scheduler = "" if line is not None else os.environ.get(SCHEDULER, "")
    line = line or (AWAY if scheduler else LINE)
    st.session_state[f"job_{name}"] = job = Job(work, line, _ends_with_tab(), scheduler)
    _go_on(name, job)


def forget(name: str) -> None:
    """Stop and forget the job of that name, if there is one."""
    _ends_with_tab().pop(name, None)
    if job := st.session_state.pop(f"job_{name}", None):
        job.stop()


def buttons(name: str, make: Callable[[], Work[Any]], *, label: str = "Train") -> None:
    """Train, Stop or Resume, and Reset for the job of that name.

    Args:
        name: Name of the job.
        make: the work as the page's settings ask for it, called when it is to begin. The sentence of a ValueError it
            raises is shown, and nothing begins.
        label: Text of the button that begins.
    """
    job = current(name)
    with st.container(horizontal=True, width="content"):
        if job is not None and job.active:
            st.button("Stop", type="primary", key=f"{name}_stop", on_click=job.stop)
        else:
            if job is not None and job.state == "paused":
                st.button("Resume", type="primary", key=f"{name}_resume", on_click=_go_on, args=(name, job))
            st.button(
                label,
                type="primary" if job is None else "secondary",
                key=f"{name}_begin",
                on_click=_try_to_begin,
                args=(name, make),
            )
        st.button("Reset", key=f"{name}_reset", on_click=forget, args=(name,), disabled=job is None)
    if refusal := st.session_state.pop(f"job_{name}_refusal", None):
        st.error(refusal)


def watch(name: str, draw: Callable[[Job[Any] | None], None], *, every: float = REFRESH, quiet: bool = False) -> None:
    """Draw the job of that name, again and again while it is active; the whole page runs once more when it ends.

    Args:
        name: Name of the job.
        draw: shows its records and snapshot, or what stands there before there is a job.
        every: seconds between two drawings; charts are mounted anew each time and need longer than text.
        quiet: say nothing about the line and failures, as another `watch` of this job does.
    """
    job = current(name)
    was_active = job is not None and job.active

    @st.fragment(run_every=every if was_active else None)
    def look() -> None:
        if was_active and job is not None and not job.active:
            st.rerun()
        if job is not None and job.line.own_first(job) and not quiet:
            st.info("Your other training runs first: this one follows when that has ended or is stopped.")
        elif job is not None and job.place and not quiet:
            st.info(
                f"All {job.line.slots} places are taken by other trainings: this one is number {job.place} in the "
                "queue."
            )
        draw(job)
        if job is not None and job.failure and not quiet:
            st.error(job.failure)

    look()


def _try_to_begin(name: str, make: Callable[[], Work[Any]]) -> None:
    try:
        begin(name, make())
    except ValueError as error:
        st.session_state[f"job_{name}_refusal"] = str(error)


def _go_on(name: str, job: Job[Any]) -> None:
    _ends_with_tab()[name] = job
    job.start()
