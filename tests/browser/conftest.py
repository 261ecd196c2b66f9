"""The real app in the real Chromium: one server, one browser and one tab for all tests.

A tab that has loaded the app before opens a page in half the time of a new one, in which Plotly is compiled anew.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

from .visit import PATIENCE, Visit

ROOT = Path(__file__).parents[2]
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


@contextlib.contextmanager
def running_app(log: Path, path: str = "", environment: Mapping[str, str] = os.environ) -> Iterator[str]:
    """The address of an app of its own, started as a user starts it; under a path if one is given."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port),
             "--server.baseUrlPath", path], cwd=ROOT, env=environment, stdout=out, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            address = f"http://localhost:{port}/{path}".rstrip("/")
            _wait_until_healthy(address, process, log)
            yield address
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_healthy(address: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/_stcore/health", timeout=5) as answer:
            if answer.read() == b"ok":
                return
        time.sleep(0.1)
    pytest.fail(f"the server did not start:\n{log.read_text()}")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the app that most tests visit."""
    with running_app(tmp_path_factory.mktemp("server") / "log") as address:
        yield address


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The machine's own Chromium."""
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no Chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS, timeout=1000 * PATIENCE)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """One cache of files for all tabs; what the browser remembers about the sidebar is forgotten."""
    shared = chromium.new_context()
    shared.add_init_script("if (location.protocol === 'http:') { localStorage.clear(); sessionStorage.clear() }")
    yield shared
    shared.close()


@pytest.fixture(scope="session")
def tab(context: BrowserContext, server: str) -> Visit:
    """The tab of all tests."""
    return Visit(context.new_page(), server)


@pytest.fixture
def visit(tab: Visit) -> Iterator[Visit]:
    """The tab, with nothing loaded."""
    yield tab
    tab.leave()


@pytest.fixture
def other_tab(context: BrowserContext, server: str) -> Iterator[Visit]:
    """A tab of its own, which a test may close."""
    page = context.new_page()
    yield Visit(page, server)
    page.close()


@pytest.fixture
def new_browser(chromium: Browser, server: str) -> Iterator[Visit]:
    """A tab in a browser that has never been here."""
    context = chromium.new_context()
    yield Visit(context.new_page(), server)
    context.close()
