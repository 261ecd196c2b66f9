"""One thread of arithmetic during a run: small batches are slower with two, and sums keep one order.

So the same settings give the same bytes whatever number of threads the process has. Importing the package changes no
number of threads; the run functions, the commands and the app ask for one here.
"""

import functools
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from threading import Lock
from typing import Any, TypeVar, cast

import torch
from threadpoolctl import ThreadpoolController

F = TypeVar("F", bound=Callable[..., Any])

SWITCH = 0.001
"""Seconds for which a Python thread may keep the others waiting."""
_lock = Lock()
_running = 0
_before = ExitStack()


@functools.cache
def _pools(loaded: tuple[str, ...]) -> ThreadpoolController:  # noqa: ARG001
    """The thread pools of the loaded libraries; they are looked up, in 20 ms, when one more has been loaded."""
    return ThreadpoolController()


def _loaded() -> tuple[str, ...]:
    """Those of the libraries with thread pools that have been imported, some of them after the first run."""
    return tuple(name for name in ("numpy", "torch", "scipy.linalg", "sklearn") if name in sys.modules)


@contextmanager
def one_thread() -> Iterator[None]:
    """Use one thread; the previous numbers of threads return when the last of several overlapping runs has ended."""
    global _running
    with _lock:
        if _running == 0:
            _before.callback(torch.set_num_threads, torch.get_num_threads())
            _before.enter_context(_pools(_loaded()).limit(limits=1))
        _running += 1
        torch.set_num_threads(1)
    try:
        yield
    finally:
        with _lock:
            _running -= 1
            if _running == 0:
                _before.close()


def in_one_thread(function: F) -> F:
    """A function that runs in `one_thread`; of a generator function, each step does."""

    @functools.wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        with one_thread():
            return function(*arguments, **named)

    @functools.wraps(function)
    def steps(*arguments: Any, **named: Any) -> Iterator[Any]:
        iterator = function(*arguments, **named)
        try:
            while True:
                with one_thread():
                    try:
                        step = next(iterator)
                    except StopIteration:
                        return
                yield step
        finally:
            iterator.close()

    return cast(F, steps if inspect.isgeneratorfunction(function) else call)


def keep_to_one_thread() -> None:
    """One thread of arithmetic from now on, for a process that does nothing else, such as the app.

    Its Python threads take turns more often than by default: each operation of PyTorch lets the others go first, and a
    loop of many small ones took three times as long beside three busy threads.
    """
    sys.setswitchinterval(SWITCH)
    torch.set_num_threads(1)
    _pools(_loaded()).limit(limits=1)
