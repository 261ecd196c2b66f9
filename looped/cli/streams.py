"""Standard output for the result and standard error for messages: neither a stream nor a signal ends in a traceback.

A run continues when its messages cannot be written. When the result itself cannot be written, one line says so and the
exit status is 1; a reader that closes the pipe early, such as `| head`, is no error. Ctrl-C and a request to terminate
end a run with one line and the status of their signal, 130 or 143.
"""

import contextlib
import io
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import TextIO

from looped.fields import one_line
from looped.signals import stopped_by

OUTPUT_FAILED = 1
"""Exit status where the result could not be written to standard output."""


class Stopped(KeyboardInterrupt):
    """A signal that ends a run; its number is the argument."""


def say(message: str) -> None:
    """One line on standard error; nothing where that cannot be written."""
    show(f"looped: {one_line(message)}\n")


def show(text: str) -> None:
    """The text on standard error, as it is; nothing where that cannot be written."""
    put(sys.stderr, text)


def give(text: str) -> None:
    """The text on standard output, with a line break.

    Raises:
        SystemExit: where it cannot be written, unless its reader has gone.
    """
    if (error := put(sys.stdout, text + "\n")) and not isinstance(error, BrokenPipeError):
        say(f"standard output cannot be written to ({error.strerror or error})")
        sys.exit(OUTPUT_FAILED)


def guard(program: Callable[[], None]) -> None:
    """Run a program with usable streams, and end it with one line when it is interrupted.

    Notes on the KeyboardInterrupt that it raises say how to resume.
    """
    _open()
    try:
        with stopped_by(_interrupt):
            program()
    except KeyboardInterrupt as stop:
        say("; ".join(["stopped", *getattr(stop, "__notes__", ())]))
        sys.exit(128 + (stop.args[0] if stop.args else signal.SIGINT))


def _interrupt(number: int, _frame: FrameType | None) -> None:
    raise Stopped(number)


def _open() -> None:
    """Point closed streams at the null device, so that no file is opened in their place, and print any name."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest free number, which is this one
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
        if isinstance(stream := getattr(sys, name), io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def put(stream: TextIO, text: str) -> OSError | None:
    """The text on a stream, as it is; the error where that fails, and then all that follows is left out."""
    try:
        stream.write(text)
        stream.flush()
    except OSError as error:
        _silence(stream)
        return error
    return None


def _silence(stream: TextIO) -> None:
    """Send what is left in the stream's buffer, and all that follows, to the null device."""
    with contextlib.suppress(OSError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
