"""Start the web demo in the browser; options after `--` go to Streamlit, as in `looped app -- --server.port 8502`."""

import argparse
import importlib.util
import os
import sys
from pathlib import Path

from looped.cli.options import UsageError
from looped.cli.streams import give

APP = Path(__file__).parents[2] / "app.py"


def add(command: argparse.ArgumentParser) -> None:
    """The options of `looped app`."""
    command.add_argument("streamlit", nargs="*", metavar="-- OPTION", help="Options for `streamlit run`.")


def run(chosen: argparse.Namespace) -> None:
    """Become `streamlit run app.py`, in the folder that holds its configuration.

    Raises:
        UsageError: if the package stands alone, without the pages beside it, or Streamlit is missing.
    """
    if not APP.exists():
        raise UsageError(f"{APP} does not exist: start the demo from a checkout of the repository.")
    if importlib.util.find_spec("streamlit") is None:
        raise UsageError("Streamlit is not installed: run `pip install -r requirements.txt`.")
    give("")  # Streamlit prints the address there, and ends in a traceback where it cannot
    os.chdir(APP.parent)
    os.execv(sys.executable, [sys.executable, "-m", "streamlit", "run", str(APP), *chosen.streamlit])
