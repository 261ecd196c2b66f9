"""Training from the command line: step by step, with regular checkpoints."""

import time
from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

from looped.cli.streams import Stopped
from looped.signals import stopped_by

Record = TypeVar("Record", covariant=True)


class Stepwise(Protocol[Record]):
    """A run that goes step by step."""

    @property
    def finished(self) -> bool:
        """True when no step is left."""

    def step(self) -> Record:
        """Make one step and report on it."""


def train(run: Stepwise[Record], save: Callable[[], None] | None, every: float) -> Iterator[Record]:
    """Train to the end. A signal stops the run between two steps, so that a saved run resumes to the same bytes.

    Args:
        run: the run.
        save: called at regular intervals, at the end, and when a signal ends the run; None saves nothing.
        every: seconds of wall time between two calls.

    Yields:
        What each step reports.

    Raises:
        Stopped: if a signal ends the run before its end.
    """
    told: list[int] = []
    with stopped_by(lambda number, _frame: told.append(number)):
        saved = time.monotonic()
        while not (run.finished or told):
            yield run.step()
            if save is not None and time.monotonic() - saved > every and not run.finished:
                save()
                saved = time.monotonic()
        if save is not None:
            save()
    if not run.finished:
        raise Stopped(*told[:1])
