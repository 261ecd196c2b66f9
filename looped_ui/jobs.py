"""The long jobs of a visitor: begun, watched and stopped from a page.

A job outlives the run of the script that started it and a move to another page; it ends with its tab.
"""

import os
from collections.abc import Callable
from typing import Any, Literal

import streamlit as st

from looped_ui import busy
from looped_ui.line import AWAY, LINE, Line
from looped_ui.work import Job, Work

REFRESH = 0.6
"""Seconds between two looks at a running job."""
SCHEDULER = "LOOPED_SCHEDULER"
"""Environment variable with the address of a Dask scheduler: trainings run there, and not in this process."""


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


def buttons(
    name: str,
    make: Callable[[], Work[Any]],
    *,
    label: str = "Train",
    asks: bool = False,
    waits: bool = False,
    began: Callable[[], object] = lambda: None,
) -> None:
    """Train, Stop or Resume, and Reset for the job of that name.

    Args:
        name: Name of the job.
        make: the work as the page's settings ask for it, called when it is to begin. The sentence of a ValueError it
            raises is shown, and nothing begins.
        label: Text of the button that begins.
        asks: whether the link wants the question of a lesson answered first: nothing begins before that.
        waits: whether the question of a lesson waits for a guess: that is the next thing to do, and no button that
            begins stands out.
        began: called when the work begins or goes on.
    """
    job = current(name)
    first = "Answer the question of the lesson first." if asks else None
    leading: Literal["primary", "secondary"] = "secondary" if waits else "primary"
    with st.container(horizontal=True, width="content"):
        if job is not None and job.active:
            st.button("Stop", type="primary", key=f"{name}_stop", on_click=job.stop)
        else:
            if job is not None and job.state == "paused":
                st.button(
                    "Resume", type=leading, key=f"{name}_resume", on_click=_go_on, args=(name, job, began),
                    disabled=asks, help=first,
                )  # fmt: skip
            st.button(
                label,
                type=leading if job is None else "secondary",
                key=f"{name}_begin",
                on_click=_try_to_begin,
                args=(name, make, began),
                disabled=asks,
                help=first,
            )
        st.button("Reset", key=f"{name}_reset", on_click=forget, args=(name,), disabled=job is None)
    if refusal := st.session_state.pop(f"job_{name}_refusal", None):
        st.error(refusal)


def watch(name: str, draw: Callable[[Job[Any] | None], None], *, every: float = REFRESH, quiet: bool = False) -> None:
    """Draw the job of that name, again and again while it is active; the whole page runs once more when it ends.

    Args:
        name: Name of the job.
        draw: shows its records and snapshot, or what stands there before there is a job.
        every: seconds between two drawings on a server that runs no other page, and as many times longer as pages
            are being run. Charts are mounted anew each time and need longer than text.
        quiet: say nothing about the line and failures, as another `watch` of this job does.
    """
    job = current(name)
    was_active = job is not None and job.active
    every *= max(1, busy.count())  # looks that overtake each other hold moves back

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


def _try_to_begin(name: str, make: Callable[[], Work[Any]], began: Callable[[], object]) -> None:
    try:
        begin(name, make())
        began()
    except ValueError as error:
        st.session_state[f"job_{name}_refusal"] = str(error)


def _go_on(name: str, job: Job[Any], began: Callable[[], object] = lambda: None) -> None:
    _ends_with_tab()[name] = job
    job.start()
    began()
