"""Start the web demo in the browser; options after `--` go to Streamlit, as in `looped app -- --server.port 8502`."""

import contextlib
import importlib.util
import io
import logging
import os
import runpy
import sys
import warnings
from pathlib import Path
from types import FrameType
from typing import TextIO

import click

from looped.cli.program import HELP
from looped.cli.streams import give, put, say
from looped.signals import stopped_by

ROOT = Path(__file__).parents[2]
APPS = (ROOT / "looped_ui" / "demo" / "app.py", ROOT / "app.py")
"""The demo of an installed package, and that of a checkout."""


class _Output(io.StringIO):
    """Standard output of the server, which serves on where nobody reads that any more."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream

    def write(self, text: str) -> int:
        if error := put(self._stream, text):
            say(f"standard output cannot be written to ({error.strerror}): the demo goes on without it")
        return len(text)

    def isatty(self) -> bool:
        return self._stream.isatty()


@click.command(params=[HELP], add_help_option=False, help=__doc__)
@click.argument("streamlit", nargs=-1, metavar="-- OPTION ...")
def run(streamlit: tuple[str, ...]) -> None:
    """`streamlit run app.py` in this process, in the folder that holds its configuration.

    Raises:
        click.UsageError: if the package stands alone, without the demo, or Streamlit is missing.
    """
    app = next(filter(Path.exists, APPS), None)
    if app is None:
        raise click.UsageError(f"{APPS[0]} does not exist: install the package again, with `pip install .`.")
    if importlib.util.find_spec("streamlit") is None:
        raise click.UsageError("Streamlit is not installed: run `pip install streamlit`.")
    give("")  # Streamlit prints the address there: nothing begins where it cannot
    os.chdir(app.parent)
    sys.argv = ["streamlit", "run", str(app), *streamlit]
    with stopped_by(_stop), contextlib.redirect_stdout(_Output(sys.stdout)):
        runpy.run_module("streamlit", run_name="__main__", alter_sys=True)


def _stop(number: int, _frame: FrameType | None) -> None:
    """End a start; a server that is up ends as Streamlit does it."""
    logging.disable()  # the server would log where it was interrupted
    warnings.simplefilter("ignore", RuntimeWarning)  # and Python that its coroutine has not run
    say("stopped")
    sys.exit(128 + number)  # Streamlit makes an exit status of its own of a KeyboardInterrupt
