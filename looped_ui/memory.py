"""Memory that is free goes back to the system.

glibc keeps what was freed for later, in a place of its own for each of some threads. Each run of a page is a new
thread, and soon most of the server's memory is such places, each as large as the largest run that it once served.
"""

import ctypes
import threading
import time
from collections.abc import Callable
from typing import Any

PLACES = 2
"""The most places that threads allocate from; the default is eight a core."""
EVERY = 30.0
"""Seconds between two returns of what is free."""
_M_ARENA_MAX = -8  # malloc.h


def keep_low() -> None:
    """From now on allocate from few places, and return what is free in them again and again, beside all else.

    Where the C library is not glibc, memory stays as that library keeps it.
    """
    few, trim = _glibc("mallopt"), _glibc("malloc_trim")
    if few is None or trim is None:
        return
    few(_M_ARENA_MAX, PLACES)

    def return_again_and_again() -> None:
        while True:
            time.sleep(EVERY)
            trim(0)

    threading.Thread(target=return_again_and_again, name="memory", daemon=True).start()


def _glibc(name: str) -> Callable[..., Any] | None:
    """That function of the C library, where it has one; Python's lock is free while it works."""
    try:
        function: Callable[..., Any] = getattr(ctypes.CDLL(None), name)
    except (AttributeError, TypeError):  # another C library; Windows
        return None
    return function
