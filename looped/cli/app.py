"""Start the web demo in the browser; options after `--` go to Streamlit, as in `looped app -- --server.port 8502`."""

import argparse
import importlib.util
import os
import sys
from pathlib import Path

from looped.cli.options import UsageError
from looped.cli.streams import give

ROOT = Path(__file__).parents[2]
APPS = (ROOT / "looped_ui" / "demo" / "app.py", ROOT / "app.py")
"""The demo of an installed package, and that of a checkout."""


def add(command: argparse.ArgumentParser) -> None:
    """The options of `looped app`."""
    command.add_argument("streamlit", nargs="*", metavar="-- OPTION", help="Options for `streamlit run`.")


def run(chosen: argparse.Namespace) -> None:
    """Become `streamlit run app.py`, in the folder that holds its configuration.

    Raises:
        UsageError: if the package stands alone, without the demo, or Streamlit is missing.
    """
    app = next(filter(Path.exists, APPS), None)
    if app is None:
        raise UsageError(f"{APPS[0]} does not exist: install the package again, with `pip install .`.")
    if importlib.util.find_spec("streamlit") is None:
        raise UsageError("Streamlit is not installed: run `pip install streamlit`.")
    give("")  # Streamlit prints the address there, and ends in a traceback where it cannot
    os.chdir(app.parent)
    os.execv(sys.executable, [sys.executable, "-m", "streamlit", "run", str(app), *chosen.streamlit])
