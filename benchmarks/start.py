"""The cost of a start, relative to the least possible: ratios of the best of several runs, taken in turns.

`python benchmarks/start.py [RUNS]`; seconds by the clock. The first pair is a command and the import of its two
libraries, the second the app's first chart in Chromium and that of a page which imports PyTorch and draws one line.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).parents[1]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
ENVIRONMENT.pop("PYTHONDONTWRITEBYTECODE", None)  # a start after the first finds its modules compiled
DRAWN = "() => !!document.querySelector('.js-plotly-plot .scatterlayer .trace path')"
BARE = """import plotly.graph_objects as go
import streamlit as st
import torch

st.plotly_chart(go.Figure(go.Scatter(y=torch.arange(50).sqrt().tolist())))
"""


def command(*arguments: str) -> None:
    """Run Python to its end."""
    subprocess.run([sys.executable, *arguments], env=ENVIRONMENT, capture_output=True, check=True)


class Server(NamedTuple):
    """A running app."""

    address: str
    pid: int


@contextlib.contextmanager
def serving(
    folder: Path, log: Path = Path(os.devnull), streamlit: Sequence[str] = ("-m", "streamlit")
) -> Iterator[Server]:
    """`streamlit run app.py` in a folder, as soon as it answers; what it says is added to the log."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    run = [sys.executable, *streamlit, "run", "app.py", "--server.port", address.rpartition(":")[2]]
    with (
        log.open("a") as out,
        subprocess.Popen(run, cwd=folder, env=ENVIRONMENT, stdout=out, stderr=subprocess.STDOUT) as server,
    ):
        try:
            while True:
                with contextlib.suppress(OSError):
                    urllib.request.urlopen(f"{address}/_stcore/health").close()
                    break
                time.sleep(0.01)
            yield Server(address, server.pid)
        finally:
            server.terminate()


def first_chart(browser: Browser, folder: Path) -> None:
    """Start the app of a folder and wait for its first chart."""
    with serving(folder) as server:
        page = browser.new_page()
        page.goto(server.address, timeout=300_000)
        page.wait_for_function(DRAWN, timeout=300_000)
        page.close()


def compare(what: str, run: Callable[[], None], least: Callable[[], None], runs: int) -> None:
    """Time both in turns, after one run of each that fills the disk's cache, and print their ratio."""
    best = [float("inf")] * 2
    for turn in range(runs + 1):
        for place, timed in enumerate((run, least)):
            began = time.perf_counter()
            timed()
            if turn:
                best[place] = min(best[place], time.perf_counter() - began)
    print(f"{what}: {best[0]:.2f} s against {best[1]:.2f} s, {best[0] / best[1]:.2f} times", flush=True)


def main(runs: int) -> None:
    """Both pairs."""
    compare(
        "looped compare --T 20",
        lambda: command("-m", "looped", "compare", "--T", "20"),
        lambda: command("-c", "import torch, numpy"),
        runs,
    )
    with tempfile.TemporaryDirectory() as bare, sync_playwright() as playwright:
        shutil.copytree(ROOT / ".streamlit", Path(bare) / ".streamlit")
        (Path(bare) / "app.py").write_text(BARE)
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        compare(
            "first chart of the app", lambda: first_chart(browser, ROOT), lambda: first_chart(browser, Path(bare)), runs
        )
        browser.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
