"""The app in the browser: opened by a link, waited for, driven as a visitor drives it, and read."""

import contextlib
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, urlparse

from playwright.sync_api import ConsoleMessage, Download, FloatRect, Locator, Page, WebSocket, expect
from playwright.sync_api import TimeoutError as NotInTime
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

PATIENCE = 120
"""Seconds that a test waits for something; far more than it takes, for machines that are busy with other work."""
QUESTION = 3000
"""Milliseconds in which a page that is drawn has the question of its lesson."""
VIEWPORT = {"width": 1280, "height": 720}
IDLE = "[data-testid=stApp][data-test-script-state=notRunning][data-test-connection-state=CONNECTED]"
MAIN = {
    "": "stage",
    "compare": "stage",
    "context": "picture",
    "train": "loss",
    "signal": "picture",
    "gpt2": "kept",
    "beyond": "main",
}
"""First chart of every page, by the path in its address: its key, words of it, or the key of the row that it begins."""
GROUND = {"light": "#FFFFFF", "dark": "#12161C"}
"""Background by theme, as in .streamlit/config.toml."""
CONTROLS = {"T": "T · loops", "n": "n · examples", "d": "d · features", "kappa": "κ · condition"}
"""Key in the link to label on the page, of the four main controls."""
LABELS = {**CONTROLS, "step": "η · step size"}
"""Those and the step size."""
PLOT = """key => {
    const named = document.querySelector(`.st-key-${key}`)
        ?? [...document.querySelectorAll('[class*=st-key-chart]')].find(box => box.className.includes(key));
    return named?.querySelector('.js-plotly-plot');
}"""
DRAWN = f"""key => {{
    const plot = ({PLOT})(key);
    return !!plot?._fullData?.length && !!plot.querySelector('.cartesianlayer .subplot .trace, .heatmaplayer image');
}}"""
LIVE = f"""() => {{
    const live = [...document.querySelectorAll('.looped-live:has(.js-plotly-plot)')];
    const all = document.querySelectorAll('.js-plotly-plot').length;
    const drawn = live.every(chart => chart.dataset.pictures && !chart.dataset.busy);
    const captions = [...document.querySelectorAll('[data-testid=stCaptionContainer]')];
    const filled = !captions.some(caption => caption.textContent.includes('prompts so far'));
    return live.length > 0 && live.length === all && drawn && filled && !!document.querySelector('{IDLE}');
}}"""
"""Whether the page's own charts have taken the place of Streamlit's, each shows its latest numbers, of all prompts, and
no run goes on: the run of a picture goes on after it is drawn.
"""
STANDS = """() => [
    [...document.querySelectorAll('.js-plotly-plot')].map(plot => ({...plot.closest('.looped-live')?.dataset})),
    [...document.querySelectorAll('[data-testid=stCaptionContainer]')].map(caption => caption.textContent),
    {...document.querySelector('[data-testid=stApp]').dataset},
]"""
"""What `LIVE` looks at."""
CHART = f"""key => {{
    const plot = ({PLOT})(key);
    return {{
        handed_over: plot.data.map(trace => trace.name),
        range: plot._fullLayout.yaxis.range,
        lines: Object.fromEntries(plot._fullData.filter(trace => trace.showlegend !== false).map(
            trace => [trace.name, {{x: [...trace.x ?? []], y: [...trace.y ?? []]}}])),
    }};
}}"""
AT_REST = """() => document.getAnimations().every(
    motion => motion.playState !== 'running' || motion.effect.getComputedTiming().iterations === Infinity)"""
PAINTED = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
METRICS = """boxes => boxes.map(box => ['stMetricLabel', 'stMetricValue'].map(
    part => box.querySelector(`[data-testid=${part}] p`).textContent))"""
PROBED = re.compile(r"/\w+/_stcore/(health|host-config)$")
WORDS = """() => {
    const copy = document.querySelector('[data-testid=stApp]').cloneNode(true);
    const aside = '.katex, code, style, script, [data-testid=stDataFrame], [data-testid=stIconMaterial]';
    copy.querySelectorAll(aside).forEach(part => part.remove());
    return [...copy.querySelectorAll('*')].flatMap(part => [...part.childNodes])
        .filter(node => node.nodeType === Node.TEXT_NODE).map(node => node.textContent);
}"""
RAW = re.compile(r"[A-Za-zα-ωΑ-Ω‖²)\]]_[A-Za-z0-9α-ωΑ-Ω]|\^[({A-Za-z0-9½−]")
OVERLAPS = """() => {
    const texts = [...document.querySelectorAll('.st-key-picture .js-plotly-plot text')].filter(text =>
        text.textContent.trim() && text.checkVisibility({opacityProperty: true, visibilityProperty: true}));
    const boxes = texts.map(text => ({text: text.textContent, box: text.getBoundingClientRect()}));
    const shared = (one, other, from, to) => Math.min(one[to], other[to]) - Math.max(one[from], other[from]);
    return boxes.flatMap(({text, box}, place) => boxes.slice(place + 1).filter(other =>
        shared(box, other.box, 'left', 'right') > 3 && shared(box, other.box, 'top', 'bottom') > 7
    ).map(other => [text, other.text]));
}"""
"""Texts of the first picture that lie on one another; the box of a line is a third higher than its letters."""
GO = """link => {
    history.pushState({}, '', link);
    dispatchEvent(new PopStateEvent('popstate'));
}"""
TO_THE_TOP = """() => {
    document.querySelector('[data-testid=stMain]').scrollTo(0, 0);
    dispatchEvent(new Event('resize'));
}"""
SIDEWAYS = """() => Math.max(document.documentElement.scrollWidth - innerWidth, ...['stMain', 'stApp'].map(part => {
    const box = document.querySelector(`[data-testid=${part}]`);
    return box.scrollWidth - box.clientWidth;
}))"""

expect.set_options(timeout=1000 * PATIENCE)


class Visit:
    """A tab, what went over its wires, and what a reader sees in it."""

    def __init__(self, page: Page, server: str) -> None:
        self.page, self.server = page, server
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.set_default_timeout(1000 * PATIENCE)
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("websocket", self._listen)
        self.leave()

    def leave(self) -> None:
        """Go nowhere, as a tab that has just been opened: of its usual size, and nothing seen."""
        self.page.goto("about:blank")
        self.page.set_viewport_size(VIEWPORT)
        self.page.emulate_media(color_scheme="light", reduced_motion="no-preference")
        self.requests.clear()
        self.complaints.clear()
        self.asked = self.started = self.finished = 0

    def _hear(self, message: ConsoleMessage) -> None:
        """Keep an error, unless Streamlit asks below the page's name whether the server answers there."""
        if message.type == "error" and not PROBED.search(message.location["url"]):
            self.complaints.append(message.text)

    def _listen(self, wire: WebSocket) -> None:
        self.requests.append(wire.url)
        wire.on("framesent", self._sent)
        wire.on("framereceived", self._received)

    def _sent(self, frame: bytes | str) -> None:
        message = BackMsg.FromString(frame) if isinstance(frame, bytes) else BackMsg()
        self.asked += message.WhichOneof("type") == "rerun_script" and not message.rerun_script.fragment_id

    def _received(self, frame: bytes | str) -> None:
        message = ForwardMsg.FromString(frame) if isinstance(frame, bytes) else ForwardMsg()
        kind = message.WhichOneof("type")
        self.started += kind == "new_session"  # also of a fragment
        self.finished += kind == "script_finished" and message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY

    def open(self, link: str = "?v=1", width: int = VIEWPORT["width"], height: int = VIEWPORT["height"]) -> "Visit":
        """Load a page by a link, as a browser does that has never been there, and wait for its first chart.

        An address that asks for nothing would open the first lesson.
        """
        self.leave()
        self.page.set_viewport_size({"width": width, "height": height})
        self.page.goto(f"{self.server}/{link}")
        self.idle()
        return self

    def go(self, link: str) -> None:
        """Show another link in the page that is loaded, as Forward does, and wait for the run: a fifth of a load.

        The session stays the visitor's: what was unfolded or held is so still.
        """
        with self.change():
            self.page.evaluate(GO, f"/{link}")

    def idle(self) -> None:
        """Wait until the script has run, the connection stands and the page's charts are drawn."""
        self.page.wait_for_selector(IDLE)
        self.drawn(self.first_chart())
        try:
            self.page.wait_for_function(LIVE)
        except NotInTime as late:
            late.add_note(f"charts, captions, state: {self.page.evaluate(STANDS)}, complaints {self.complaints}")
            raise

    def answer(self) -> None:
        """Choose the first answer to the question of the lesson, if it is open and has none, and wait for the run."""
        choices = self.page.locator("[class*='_guess'] [role=radio]")
        try:
            choices.first.wait_for(timeout=QUESTION)
        except NotInTime:  # none is open
            return
        if self.page.locator("[class*='_guess'] [role=radio][aria-checked=true]").count():
            return
        with self.change():
            choices.first.click()

    def to_the_top(self) -> None:
        """Scroll back to the picture, as a reader does from the question below it; it fits itself to the window."""
        self.page.evaluate(TO_THE_TOP)
        self.page.evaluate(PAINTED)
        self.idle()

    def first_chart(self) -> str:
        """The key of the page's first chart."""
        return MAIN[urlparse(self.page.url).path.strip("/")]

    def lowest(self) -> float:
        """Pixels from the top of the window to the lower edge of what the first picture is drawn with."""
        box = self.page.locator(".st-key-picture").bounding_box()
        assert box is not None
        return box["y"] + box["height"]

    def in_theme(self, scheme: Literal["light", "dark"]) -> None:
        """Change the browser's theme, and wait until the page and its first chart have followed."""
        self.page.emulate_media(color_scheme=scheme)
        followed = f"([key, ground]) => ({PLOT})(key)?._fullLayout?.paper_bgcolor.toUpperCase() === ground"
        self.page.wait_for_function(followed, arg=[self.first_chart(), GROUND[scheme]])
        self.page.evaluate(PAINTED)
        self.page.wait_for_function(AT_REST)

    def drawn(self, key: str) -> None:
        """Wait until the chart with that key has its lines or its picture."""
        self.page.wait_for_function(DRAWN, arg=key)

    def until(self, condition: Callable[[], Any], wanted: str = "what is waited for") -> None:
        """Wait until the condition gives something true."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, f"{wanted} did not come at {self.page.url}"
            self.page.wait_for_timeout(20)

    @contextlib.contextmanager
    def change(self) -> Iterator[None]:
        """Wait after the body until the script has run again and the page is idle."""
        asked, started, before = self.asked, self.started, self.finished
        yield
        try:
            self.until(lambda: self.finished > before, "a new run")
        except AssertionError as late:
            late.add_note(f"asked {self.asked - asked}, begun {self.started - started}, complaints {self.complaints}")
            raise
        self.page.evaluate(PAINTED)
        self.idle()

    def still(self, place: Locator) -> FloatRect:
        """Where something stands, once it stands still: a busy browser may lay the page out again."""
        before, now = None, place.bounding_box()
        while now is None or now != before:
            self.page.wait_for_timeout(300)
            before, now = now, place.bounding_box()
        return now

    def settle(self) -> None:
        """Wait until an upload, which may run the script more than once, has come to rest."""
        finished = -1
        while finished != self.finished:
            finished = self.finished
            self.page.wait_for_timeout(400)
            self.idle()

    def query(self) -> dict[str, list[str]]:
        """The link's keys and values."""
        return parse_qs(urlparse(self.page.url).query)

    def slider(self, key: str) -> Locator:
        """The slider of one of the main controls."""
        return self.page.get_by_role("slider", name=re.compile(f"^{LABELS[key].split()[0]}"))

    def slider_box(self, key: str) -> Locator:
        """The visible part of that slider."""
        return self.page.get_by_test_id("stSlider").filter(has=self.slider(key))

    def move(self, key: str, arrow: str = "ArrowRight") -> None:
        """Move that slider by one stop, with the keyboard, once the page is idle, and wait for the run."""
        self.idle()
        self.page.evaluate(PAINTED)
        with self.change():
            self.slider(key).focus()
            self.page.keyboard.press(arrow)

    def number(self, key: str) -> Locator:
        """The number input of one of the main controls."""
        return self.page.get_by_role("spinbutton", name=re.compile(f"^{LABELS[key].split()[0]}"))

    def numbers(self) -> dict[str, str]:
        """What the number inputs of the main controls show, but for those whose value the data decide."""
        self.number("T").wait_for()
        return {key: self.number(key).input_value() for key in CONTROLS if self.number(key).count()}

    def metrics(self) -> dict[str, str]:
        """Label to value of the number strip, once it is there: it comes after the first chart."""
        self.page.get_by_test_id("stMetric").first.wait_for()
        return dict(self.page.get_by_test_id("stMetric").evaluate_all(METRICS))

    def error_after(self) -> str:
        """The metric `error after T`."""
        return next(value for label, value in self.metrics().items() if label.startswith("error after T"))

    def chart(self, key: str = "errors") -> dict[str, Any]:
        """What the chart with that key draws, from the browser's own copy, once it is drawn."""
        self.drawn(key)
        return self.page.evaluate(CHART, key)

    def lines(self, key: str) -> dict[str, list[float]]:
        """Name to heights of the named lines of that chart."""
        return {name: line["y"] for name, line in self.chart(key)["lines"].items()}

    def alert(self, text: str | re.Pattern[str]) -> Locator:
        """The note, warning or refusal with that text."""
        return self.page.get_by_test_id("stAlert").filter(has_text=text)

    def section(self, title: str) -> Locator:
        """An expander of the sidebar, opened."""
        sidebar = self.page.get_by_test_id("stSidebar")
        summary = self.page.locator("summary").get_by_text(title, exact=True)
        found = sidebar.get_by_test_id("stExpander").filter(has=summary)
        found.locator("summary").click()
        expect(found.locator("details")).to_have_attribute("open", "")
        return found

    def unfold(self, *titles: str) -> None:
        """Open those of the closed expanders that are there, and wait until they are as high as they become."""
        for title in titles:
            closed = self.page.locator("details:not([open]) > summary").get_by_text(title, exact=True)
            if closed.count():
                closed.click()
        self.page.wait_for_function(AT_REST)

    def choose(self, name: str, option: str | re.Pattern[str]) -> None:
        """Take an option of a select box, and wait for the run; a list that a late drawing closed is opened again."""
        box, wanted = self.page.get_by_role("combobox", name=name), self.page.get_by_role("option", name=option)

        def taken() -> bool:
            box.click()
            try:
                wanted.click(timeout=10_000)
            except NotInTime:
                self.page.keyboard.press("Escape")
                return False
            return True

        with self.change():
            self.until(taken, f"{option} of {name}")

    def press(self, name: str | re.Pattern[str], within: str = "stMain") -> None:
        """Press the button of that name."""
        self.page.get_by_test_id(within).get_by_role("button", name=name, exact=True).click()

    def share(self) -> Locator:
        """The panel of links and files, opened, with both of its links."""
        self.page.get_by_role("button", name="Share and export").click()
        opened = self.page.get_by_test_id("stPopoverBody")
        expect(opened.get_by_test_id("stCode")).to_have_count(2)
        return opened

    def download(self, label: str, folder: Path) -> Path:
        """The file behind that button of the opened panel."""
        opened = self.page.get_by_test_id("stPopoverBody")
        opened.get_by_role("tab", name="Files").click()
        with self.page.expect_download() as waiting:
            opened.get_by_role("button", name=label, exact=True).click()
        found: Download = waiting.value
        path = folder / found.suggested_filename
        found.save_as(path)
        return path

    def outside(self) -> list[str]:
        """Addresses that were asked for anything and are not the server's."""
        own = urlparse(self.server).netloc
        addresses = [url for url in self.requests if not url.startswith(("data:", "blob:", "about:"))]
        return [url for url in addresses if urlparse(url).netloc != own]

    def overlaps(self) -> list[list[str]]:
        """Texts of the first picture that lie on one another."""
        return self.page.evaluate(OVERLAPS)

    def scrolls_sideways(self) -> bool:
        """True where something is wider than the window."""
        return self.page.evaluate(SIDEWAYS) > 0

    def raw_symbols(self) -> list[str]:
        """Texts in which a symbol stands as it is typed, such as w_t."""
        return [text for text in self.page.evaluate(WORDS) if RAW.search(text)]
