"""The prompts of a run that a slider move did not wait for: run beside the page, which is drawn again with them.

They have a line of their own, and are run when no page is: those who wait for a page come first.
"""

import atexit
import time
from collections.abc import Iterator
from dataclasses import dataclass

import streamlit as st

from looped import Settings
from looped_ui import backend, busy, jobs
from looped_ui.line import Line
from looped_ui.work import Job

PAUSE = 0.3
"""Seconds that the settings rest before the other prompts are run."""
QUIET, LONGEST = 0.1, 30.0
"""Seconds without a page being run before a part is, and the most that it waits for them."""
LOOK = 1.2
"""Seconds between two looks whether there are more."""
GROWTH = 4
"""Times as many prompts in each part as in the one before."""
NAME = "fill"
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
            asked = time.monotonic()
            while busy.quiet() < QUIET and time.monotonic() - asked < LONGEST:
                time.sleep(QUIET)
                yield done
            done = min(GROWTH * done, self.settings.prompts)
            backend.comparison(self.settings, (), None, done)
            yield done

    def snapshot(self) -> None:
        """Nothing to draw: the results are in the cache."""


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
