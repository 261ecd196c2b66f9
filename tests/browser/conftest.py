"""The real app in the real Chromium: one server and one browser for all tests, a fresh page for each."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, WebSocket, expect, sync_playwright
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

ROOT = Path(__file__).parents[2]
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
IDLE = "[data-testid=stApp][data-test-script-state=notRunning][data-test-connection-state=CONNECTED]"
DRAWN = """() => {
    const plot = document.querySelector('.js-plotly-plot');
    return !!plot && !!plot._fullData?.length && !!plot.querySelector('.scatterlayer .trace path');
}"""
CHART = """() => {
    const plot = document.querySelector('.js-plotly-plot');
    return {
        handed_over: plot.data.map(trace => trace.name),
        range: plot._fullLayout.yaxis.range,
        lines: Object.fromEntries(plot._fullData.filter(trace => trace.showlegend !== false).map(
            trace => [trace.name, {x: Array.from(trace.x), y: Array.from(trace.y)}])),
    };
}"""
CONTROLS = {"T": "T · loops", "n": "n · examples", "d": "d · features", "kappa": "κ · condition"}
"""Key in the link to label on the page."""

expect.set_options(timeout=15_000)


def idle(page: Page) -> None:
    """Wait until the script has run, the connection stands and the chart is drawn."""
    page.wait_for_selector(IDLE)
    page.wait_for_function(DRAWN)


def traces(page: Page, key: str) -> list[dict[str, Any]]:
    """Name and values of every trace of the chart of that key, once it is drawn."""
    plot = f"document.querySelector('.st-key-{key} .js-plotly-plot')"
    page.wait_for_function(f"() => !!{plot}?._fullData?.length")
    return page.evaluate(f"{plot}._fullData.map(({{name, x, y}}) => ({{name, x: [...x ?? []], y: [...y ?? []]}}))")


class Visit:
    """A page, what went over its wires, and what a reader sees on it."""

    def __init__(self, page: Page, server: str) -> None:
        self.page, self.server = page, server
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.asked = self.started = self.finished = 0
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: message.type == "error" and self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("websocket", self._listen)

    def _listen(self, wire: WebSocket) -> None:
        self.requests.append(wire.url)
        wire.on("framesent", self._sent)
        wire.on("framereceived", self._received)

    def _sent(self, frame: bytes | str) -> None:
        if isinstance(frame, bytes) and BackMsg.FromString(frame).WhichOneof("type") == "rerun_script":
            self.asked += 1

    def _received(self, frame: bytes | str) -> None:
        kind = ForwardMsg.FromString(frame).WhichOneof("type") if isinstance(frame, bytes) else None
        self.started += kind == "new_session"
        self.finished += kind == "script_finished"

    def open(self, query: str = "", width: int = 1280) -> "Visit":
        """Load the app by a link."""
        self.page.set_viewport_size({"width": width, "height": 900})
        self.page.goto(f"{self.server}/{query}")
        idle(self.page)
        return self

    @contextlib.contextmanager
    def change(self) -> Iterator[None]:
        """Wait after the body until the script has run again and the page is idle."""
        before = self.finished
        yield
        deadline = time.monotonic() + 30
        while self.finished == before:
            assert time.monotonic() < deadline, "the page did not run again"
            self.page.wait_for_timeout(10)
        idle(self.page)

    def slider(self, key: str) -> Locator:
        """The slider of one of the four main controls."""
        return self.page.get_by_role("slider", name=re.compile(f"^{CONTROLS[key].split()[0]}"))

    def slider_box(self, key: str) -> Locator:
        """The visible part of that slider."""
        return self.page.get_by_test_id("stSlider").filter(has=self.slider(key))

    def number(self, key: str) -> Locator:
        """The number input of one of the four main controls."""
        return self.page.get_by_role("spinbutton", name=re.compile(f"^{CONTROLS[key].split()[0]}"))

    def numbers(self) -> dict[str, str]:
        """The values in the four number inputs."""
        return {key: self.number(key).input_value() for key in CONTROLS}

    def metrics(self) -> dict[str, str]:
        """Label to value of the number strip."""
        found = self.page.get_by_test_id("stMetric").evaluate_all(
            """boxes => boxes.map(box => ['stMetricLabel', 'stMetricValue'].map(
                part => box.querySelector(`[data-testid=${part}] p`).textContent))"""
        )
        return {label: value for label, value in found}  # noqa: C416

    def error_after(self) -> str:
        """The metric `error after T`."""
        return next(value for label, value in self.metrics().items() if label.startswith("error after T"))

    def chart(self) -> dict[str, Any]:
        """The lines of the first chart, from the browser's own copy."""
        return self.page.evaluate(CHART)

    def section(self, title: str) -> Locator:
        """An expander of the sidebar, opened."""
        found = (
            self.page.get_by_test_id("stSidebar")
            .get_by_test_id("stExpander")
            .filter(has=self.page.locator("summary").get_by_text(title, exact=True))
        )
        found.locator("summary").click()
        return found


@contextlib.contextmanager
def running_app(log: Path) -> Iterator[str]:
    """The address of an app of its own, started as a user starts it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)],
            cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            _wait_until_healthy(f"http://localhost:{port}", process, log)
            yield f"http://localhost:{port}"
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the app that most tests visit."""
    with running_app(tmp_path_factory.mktemp("server") / "log") as address:
        yield address


def _wait_until_healthy(address: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/_stcore/health", timeout=5) as answer:
            if answer.read() == b"ok":
                return
        time.sleep(0.1)
    pytest.fail(f"the server did not start:\n{log.read_text()}")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The machine's own Chromium."""
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no Chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """One cache of files for all pages; what the browser remembers about the sidebar is forgotten."""
    shared = chromium.new_context()
    shared.add_init_script("localStorage.clear(); sessionStorage.clear()")
    yield shared
    shared.close()


@pytest.fixture
def visit(context: BrowserContext, server: str) -> Iterator[Visit]:
    """A page of its own, nothing loaded yet."""
    page = context.new_page()
    yield Visit(page, server)
    page.close()


@pytest.fixture
def fresh_visit(chromium: Browser, server: str) -> Iterator[Visit]:
    """A page in a browser that has never been here."""
    context = chromium.new_context()
    yield Visit(context.new_page(), server)
    context.close()
