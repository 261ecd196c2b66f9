"""Start the web demo in the browser; options after `--` go to Streamlit, as in `looped app -- --server.port 8502`."""

import importlib.util
import os
import sys
from pathlib import Path

import click

from looped.cli.program import HELP
from looped.cli.streams import give

ROOT = Path(__file__).parents[2]
APPS = (ROOT / "looped_ui" / "demo" / "app.py", ROOT / "app.py")
"""The demo of an installed package, and that of a checkout."""


@click.command(params=[HELP], add_help_option=False, help=__doc__)
@click.argument("streamlit", nargs=-1, metavar="-- OPTION ...")
def run(streamlit: tuple[str, ...]) -> None:
    """Replace this process by `streamlit run app.py`, in the folder that holds its configuration.

    Raises:
        click.UsageError: if the package stands alone, without the demo, or Streamlit is missing.
    """
    app = next(filter(Path.exists, APPS), None)
    if app is None:
        raise click.UsageError(f"{APPS[0]} does not exist: install the package again, with `pip install .`.")
    if importlib.util.find_spec("streamlit") is None:
        raise click.UsageError("Streamlit is not installed: run `pip install streamlit`.")
    give("")  # Streamlit prints the address there, and ends in a traceback where it cannot
    os.chdir(app.parent)
    os.execv(sys.executable, [sys.executable, "-m", "streamlit", "run", str(app), *streamlit])
