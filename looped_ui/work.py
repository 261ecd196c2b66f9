"""Work that goes on in a thread of its own, step by step, in its turn; whatever the steps do."""

import logging
import os
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, Generic, Literal, Protocol, TypeVar

from looped_ui import busy
from looped_ui.line import LINE, Line, Told

SNAPSHOT_EVERY = 0.4
"""Least seconds between two snapshots of a running job."""
NICENESS = 10
"""Niceness added to a job's thread, so that threads that answer sliders come first, where the system has it."""
GIVES_WAY, LONGEST = 2.0, 0.5
"""Times as long as a step took a job waits after it while pages are being run, so at least a third of its time is its
own, and the most seconds that it does: it hears of Stop after that. PyTorch lets other threads of Python go first at
each operation: a step among ten busy ones takes ten times as long and slows each of them."""
TURN = 60.0
"""Seconds after which a job goes to the end of the line, if another waits that could run."""
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
        came = looked = last = time.monotonic()
        began = came - self.seconds
        try:
            for record in self._away(told.stop) if self.scheduler else self.work.run():
                self.records.append(record)
                now = time.monotonic()
                self.seconds = now - began
                if self.scheduler:  # all records of the state that comes back last must come in
                    continue
                busy.give_way(min(GIVES_WAY * (now - last), LONGEST))
                last = time.monotonic()
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
