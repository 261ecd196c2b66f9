"""How many pages the server runs at this moment: each costs less while others wait."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_running, _ended = 0, 0.0


@contextmanager
def running() -> Iterator[None]:
    """One page more is being run."""
    global _running, _ended
    with _lock:
        _running += 1
    try:
        yield
    finally:
        with _lock:
            _running, _ended = _running - 1, time.monotonic()


def count() -> int:
    """Pages that are being run."""
    return _running


def quiet() -> float:
    """Seconds since a page was run; 0 while one is."""
    return 0.0 if _running else time.monotonic() - _ended
