"""What a slider move did not wait for, the other prompts of a run or a chart far below: made beside the page.

The page is drawn again with it. This work has a line of its own, and is done when no page is run: those who wait for a
page come first.
"""

import atexit
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import streamlit as st

from looped import Settings
from looped_ui import backend, busy, jobs, kept
from looped_ui.kept import Kept
from looped_ui.line import Line
from looped_ui.work import Job

R = TypeVar("R")
PAUSE = 0.3
"""Seconds that the settings rest before the work begins."""
QUIET, LONGEST = 0.1, 30.0
"""Seconds without a page being run before a part is done, and the most that it waits for them."""
LOOK = 1.2
"""Seconds between two looks whether there is more."""
GROWTH = 4
"""Times as many prompts in each part as in the one before."""
NAME, LATER = "fill", "later"
LINE = Line(1)
"""The line of this work, for all visitors."""
atexit.register(LINE.close)


@dataclass(frozen=True)
class Rest:
    """The other prompts of a run, a larger part of the same sample in each step."""

    settings: Settings
    first: int
    """How many prompts the page has run."""

    def run(self) -> Iterator[int]:
        """The number of prompts that were run, step by step."""
        time.sleep(PAUSE)
        done = self.first
        yield done
        while done < self.settings.prompts:
            for _ in _until_quiet():
                yield done
            done = min(GROWTH * done, self.settings.prompts)
            backend.comparison(self.settings, (), None, done)
            yield done

    def snapshot(self) -> None:
        """Nothing to draw: the results are in the cache."""


@dataclass(frozen=True)
class Later:
    """A result that a page does without for a while."""

    of: tuple[object, ...]
    """The arguments that it is known by."""
    make: Callable[[], object] = field(compare=False)

    def run(self) -> Iterator[None]:
        """Wait until no page is run, and make it."""
        time.sleep(PAUSE)
        yield
        yield from _until_quiet()
        self.make()
        yield

    def snapshot(self) -> None:
        """Nothing to draw: the result is in the cache."""


def _until_quiet() -> Iterator[None]:
    asked = time.monotonic()
    while busy.quiet() < QUIET and time.monotonic() - asked < LONGEST:
        time.sleep(QUIET)
        yield


def soon(function: Kept[..., R], *arguments: Any) -> R | None:
    """A result for what stands below the main picture; None where many are served and it has yet to be computed.

    Then it is computed beside the page when no page is run, and the page is drawn again with it.

    Args:
        function: gives the result.
        *arguments: those of the function.
    """
    if not busy.crowded():
        return function(*arguments)
    found, job = function.known(*arguments), jobs.current(LATER)
    if found is not None:
        jobs.forget(LATER)
        return found
    mine = kept.own()

    def make() -> None:
        with kept.of(mine):
            function(*arguments)

    later = Later(function.key(*arguments), make)
    if job is None or job.work != later:
        jobs.begin(LATER, later, LINE)
    elif not job.active:  # it is not kept any more, or could not be made
        return function(*arguments)
    jobs.watch(LATER, lambda _job: None, every=LOOK, quiet=True)
    return None


def ready(settings: Settings) -> int:
    """How many prompts have been run beside the page for these settings; 0 if none."""
    job = _of(settings)
    return job.records[-1] if job and job.records else 0


def _of(settings: Settings) -> Job[int] | None:
    """The job that runs the rest for these settings."""
    job = jobs.current(NAME)
    return job if job and isinstance(job.work, Rest) and job.work.settings == settings else None


def fill_up(settings: Settings, first: int) -> None:
    """Run the prompts that are missing, and draw the page again whenever there are more; say how many there are.

    Args:
        settings: Settings of the run.
        first: how many of its prompts the page shows.
    """
    if first >= settings.prompts:
        jobs.forget(NAME)
        return
    if _of(settings) is None:
        jobs.begin(NAME, Rest(settings, first), LINE)

    def look(_job: Job[int] | None) -> None:
        if ready(settings) > first:
            st.rerun()
        st.caption(f"{first} of {settings.prompts} prompts so far; the others follow.")

    jobs.watch(NAME, look, every=LOOK, quiet=True)
