"""Jobs wait in line: as many run at once as there are cores, one of each visitor, and the others wait."""

import atexit
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from looped.budget import cores

if TYPE_CHECKING:
    from looped_ui.work import Job

LAST_STEP = 5.0
"""Most seconds that the process waits at its end for a step that is being made."""


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
