"""Ctrl-C and a request to terminate, and who is told of them."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def stopped_by(told: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Call `told` on Ctrl-C and on a request to terminate, as long as it lasts; ignored signals stay ignored."""
    before = {}
    if threading.current_thread() is threading.main_thread():
        numbers = (number for number in STOPPING if signal.getsignal(number) is not signal.SIG_IGN)
        before = {number: signal.signal(number, told) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
