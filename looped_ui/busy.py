"""The pages that the server runs at this moment: each costs less while others wait, and main pictures come first."""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

import streamlit as st

from looped.budget import cores

PICTURES, RESTS = 1, 1
"""Main pictures, and pages of which the rest is drawn, at the same time: more share one interpreter, and all come late.
"""
LOOK, LONGEST = 0.1, 3.0
"""Seconds between two looks of a page that waits for its turn, and the most that it waits."""
Part = Literal["", "comes", "picture", "waits", "rest", "aside"]
_pages: Counter[Part] = Counter()
_queue: deque[threading.Event] = deque()
"""Pages that come, in the order in which they came."""
_lock = threading.RLock()
_changes, _nobody = threading.Condition(_lock), threading.Condition(_lock)
"""Told when a rest can be drawn, and when no page is run any more: who is woken takes time from the pages."""
_own = threading.local()
_ended = 0.0


def look_for_moves() -> None:
    """End this run of the page where it is to be run again: Streamlit looks when a script asks for its state."""
    st.session_state.get("live")


@contextmanager
def running(look: Callable[[], object] = look_for_moves) -> Iterator[None]:
    """One page more is being run, its main picture first, in its turn.

    Args:
        look: as for `rest`.
    """
    global _ended
    _own.part = ""
    try:
        _come(look)
        yield
    finally:
        _ended = time.monotonic()
        _go_to("")


def rest(look: Callable[[], object] = look_for_moves) -> None:
    """The main picture of the page that is run here stands: main pictures of others come before its rest.

    Args:
        look: called now and then while the page waits; what it raises ends the wait.
    """
    if _part() != "picture":  # a page that is run without the app
        return
    _own.until = time.monotonic() + LONGEST
    _wait(look)


def between(look: Callable[[], object] = look_for_moves) -> None:
    """Between two parts of its rest the page that is run here lets main pictures of others come first.

    Args:
        look: as for `rest`; a page waits no longer in all.
    """
    if _part() == "rest" and _pages["picture"]:
        _wait(look)


def _wait(look: Callable[[], object]) -> None:
    _go_to("waits")
    while not _goes_on(_own.until):
        look()


@contextmanager
def aside() -> Iterator[None]:
    """The page that is run here computes something long: the rests of others do not wait for it meanwhile."""
    part = _part()
    if part:
        _go_to("aside")
    try:
        yield
    finally:
        if part:
            _go_to(part)


def count() -> int:
    """Pages that are being run."""
    with _changes:
        return sum(_pages.values()) - _pages[""]


def crowded() -> bool:
    """Whether more pages are being run than there are cores."""
    return count() > cores()


def give_way(seconds: float) -> None:
    """Wait until no page is being run, at most some seconds: work beside the pages does so between two of its steps."""
    with _nobody:
        _nobody.wait_for(lambda: not count(), seconds)


def quiet() -> float:
    """Seconds since a page was run; 0 while one is."""
    return 0.0 if count() else time.monotonic() - _ended


def _part() -> Part:
    """What is done now of the page that this thread runs; nothing if it runs none."""
    return getattr(_own, "part", "")


def _go_to(part: Part) -> None:
    with _changes:
        _pages[_part()] -= 1
        _pages[part] += 1
        _own.part = part
        while _queue and _pages["picture"] < PICTURES:
            _pages["comes"] -= 1
            _pages["picture"] += 1
            _queue.popleft().set()
        if _free():
            _changes.notify()
        if not count():
            _nobody.notify_all()


def _come(look: Callable[[], object]) -> None:
    """Wait for the turn of this page."""
    turn, until = threading.Event(), time.monotonic() + LONGEST
    with _lock:
        _queue.append(turn)
        _go_to("comes")
    try:
        while not turn.wait(LOOK) and time.monotonic() < until:
            look()
    finally:
        with _lock:
            if turn.is_set():
                _own.part = "picture"  # it is counted as one since then
            else:
                _queue.remove(turn)
    _go_to("picture")


def _free() -> bool:
    """Whether the rest of a page can be drawn."""
    return not _pages["picture"] and _pages["rest"] < RESTS


def _goes_on(until: float) -> bool:
    """Whether the rest of this page is drawn now; waits a moment for that."""
    with _changes:
        if _changes.wait_for(_free, LOOK) or time.monotonic() > until:
            _go_to("rest")
        return _part() == "rest"
