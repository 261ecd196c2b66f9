"""A visitor without a browser: opens a page of a running app over its websocket and moves sliders."""

import asyncio
import contextlib
import json
import random
import time
import urllib.request
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState

PATIENCE = 120.0
"""Seconds after which an answer counts as lost."""

DRAWING = 0.04
"""Seconds in which a browser draws a picture."""


def state(widget: str, kind: str, value: Any) -> WidgetState:
    """What a browser says of a widget: `kind` is the name of its field in the protocol."""
    said = WidgetState(id=widget)
    if kind.endswith("_array_value"):
        getattr(said, kind).data[:] = value
    else:
        setattr(said, kind, value)
    return said


@dataclass
class Visitor:
    """One tab.

    Args:
        address: That of the app.
        page: Name of the page in its address; empty for the first.
        query: What follows the question mark of the address.
    """

    address: str
    page: str = ""
    query: str = ""
    exceptions: list[str] = field(default_factory=list)
    """Tracebacks that the page showed."""
    elements: dict[str, tuple[Element, str]] = field(default_factory=dict)
    """By id of a widget on the page: its element, and the fragment that it stands in."""
    received: int = 0
    """Bytes."""
    picture: float = float("nan")
    """Seconds from the last move to its first chart."""
    cut: int = 0
    """Runs of the page whose end was not told: Streamlit drops the last messages of a run when a fragment's turn comes
    just after it, unless `looped_ui.ends` prevents it. In a browser what they showed before stays until another run."""

    def __post_init__(self) -> None:
        self.values: dict[str, WidgetState] = {}
        self._page_hash = ""
        self._whole = False  # whether a run of the whole page has begun, and its end has not been told
        self._finished: asyncio.Queue[int] = asyncio.Queue()
        self._urls: asyncio.Queue[Any] = asyncio.Queue()
        self._session = ""
        self._timers: dict[str, asyncio.Task[None]] = {}
        self._moved = 0.0
        self._seen: dict[str, tuple[Element, str]] = {}

    async def open(self) -> float:
        """Connect; seconds until the first run has ended. Then the charts stay, as in a browser."""
        began = time.perf_counter()
        self.socket = await websockets.connect(
            self.address.replace("http", "ws", 1) + "/_stcore/stream", subprotocols=["streamlit"],  # type: ignore[list-item]
            max_size=None, open_timeout=PATIENCE, ping_interval=None,
        )  # fmt: skip
        self._listener = asyncio.create_task(self._listen())
        await self.run()
        seconds = time.perf_counter() - began
        for widget in self.elements:
            if widget.endswith("-live_probe"):
                await self.run(state(widget, "json_value", json.dumps({"ready": True})))
                break
        return seconds

    async def close(self) -> None:
        """Close the tab."""
        self._stop_timers(list(self._timers))
        await self.socket.close()
        with contextlib.suppress(websockets.ConnectionClosed):
            await self._listener

    async def drop(self) -> None:
        """Lose the connection: no goodbye is said."""
        self._stop_timers(list(self._timers))
        self.socket.transport.abort()
        with contextlib.suppress(websockets.ConnectionClosed):
            await self._listener

    async def fall_silent(self) -> None:
        """Lose the connection without a word: it stays open, and nobody answers."""
        self._stop_timers(list(self._timers))
        self.socket.transport.pause_reading()

    async def run(self, *said: WidgetState, fragment: str = "") -> None:
        """Say something of widgets, and wait for the end of the run that follows."""
        while not self._finished.empty():
            self._finished.get_nowait()
        await self.send(said, fragment)
        async with asyncio.timeout(PATIENCE):
            wanted = (0, 3) if fragment else (0,)
            while await self._finished.get() not in wanted:
                pass

    async def move(self) -> float:
        """Move one slider of the page anywhere; seconds until the run has ended."""
        sliders = [item for item in self.elements.items() if item[1][0].WhichOneof("type") == "slider"]
        widget, (element, fragment) = random.choice(sliders)
        slider = element.slider
        if slider.options:
            said = state(widget, "string_array_value", [random.choice(slider.options)])
        else:
            said = state(widget, "double_array_value", [float(random.randint(int(slider.min), int(slider.max)))])
        self.values[widget] = said
        self.picture, self._moved = float("nan"), time.perf_counter()
        await self.run(fragment=fragment)
        return time.perf_counter() - self._moved

    async def drag(self, slider: str, seconds: float) -> list[float]:
        """Drag a slider of the first picture to and fro; the wait for each picture, one after another, in seconds."""
        waits, last, ended = [], len(self._options(slider)) - 1, time.perf_counter() + seconds
        step = random.randrange(2 * last)
        with ThreadPoolExecutor(1) as alone:
            while (began := time.perf_counter()) < ended:
                step += 1
                place = abs((step % (2 * last)) - last)
                text = await asyncio.get_running_loop().run_in_executor(alone, self._picture, slider, place)
                if text:  # nothing comes where the page is being run
                    self.received += len(text)
                    waits.append(time.perf_counter() - began)
                await asyncio.sleep(DRAWING)
        return waits

    def _picture(self, slider: str, place: int) -> bytes:
        """What the browser fetches for a place of a slider."""
        shown = (element.bidi_component for element, _ in self.elements.values())
        data = next(told for told in (json.loads(one.json or "{}") for one in shown) if told and "asks" in told)
        address = f"{self.address}/picture/{data['asks']}/{data['run']:.0f}/{slider}/{place}"
        with urllib.request.urlopen(address, timeout=PATIENCE) as answer:
            return bytes(answer.read())

    def _options(self, key: str) -> list[str]:
        """The places of the slider with that key."""
        return next([*e.slider.options] for widget, (e, _) in self.elements.items() if widget.endswith(f"-{key}"))

    async def press(self, label: str) -> None:
        """Press the button of that label."""
        widget, (_, fragment) = next(
            item for item in self.elements.items()
            if item[1][0].WhichOneof("type") == "button" and item[1][0].button.label == label
        )  # fmt: skip
        await self.run(state(widget, "trigger_value", True), fragment=fragment)

    async def upload(self, name: str, content: bytes) -> None:
        """Choose a file in the first uploader of the page."""
        widget, (_, fragment) = next(
            item for item in self.elements.items() if item[1][0].WhichOneof("type") == "file_uploader"
        )
        asked = BackMsg()
        asked.file_urls_request.request_id = asked.file_urls_request.session_id = self._session
        asked.file_urls_request.file_names.append(name)
        await self.socket.send(asked.SerializeToString())
        async with asyncio.timeout(PATIENCE):
            urls = await self._urls.get()
        await asyncio.to_thread(self._put, urls.upload_url, name, content)
        said = WidgetState(id=widget)
        said.file_uploader_state_value.uploaded_file_info.add(
            name=name, size=len(content), file_id=urls.file_id, file_urls=urls
        )
        self.values[widget] = said
        await self.run(fragment=fragment)

    def _put(self, path: str, name: str, content: bytes) -> None:
        with urllib.request.urlopen(f"{self.address}/_stcore/health") as answer:
            cookie = next(
                (text for text in answer.headers.get_all("Set-Cookie") or () if text.startswith("_streamlit_xsrf=")), ""
            ).partition(";")[0]
        form = f'--form\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        request = urllib.request.Request(
            self.address + path, form.encode() + content + b"\r\n--form--\r\n", method="PUT",
            headers={"Content-Type": "multipart/form-data; boundary=form", "Cookie": cookie,
                     "X-Xsrftoken": cookie.partition("=")[2]},
        )  # fmt: skip
        urllib.request.urlopen(request).close()

    async def send(self, said: Iterable[WidgetState], fragment: str = "", auto: bool = False) -> None:
        """Ask for a run, without waiting for it."""
        message = BackMsg()
        asked = message.rerun_script
        asked.query_string, asked.page_script_hash, asked.fragment_id = self.query, self._page_hash, fragment
        asked.is_auto_rerun = auto
        if not self._page_hash:
            asked.page_name = self.page
        asked.widget_states.widgets.extend([*self.values.values(), *said])
        await self.socket.send(message.SerializeToString())

    async def _listen(self) -> None:
        async for raw in self.socket:
            self.received += len(raw)
            message = ForwardMsg.FromString(raw)
            kind = message.WhichOneof("type")
            if kind == "new_session":
                self._page_hash = message.new_session.page_script_hash
                self._session = message.new_session.initialize.session_id or self._session
                if not message.metadata.run.fragment_ids:
                    self._whole = True
                    self._stop_timers(list(self._timers))
                    self._seen = {}
            elif kind == "navigation":  # that of the page; the one before is the app's own
                self._page_hash = message.navigation.page_script_hash
            elif kind == "file_urls_response":
                self._urls.put_nowait(message.file_urls_response.file_urls[0])
            elif kind == "page_info_changed":
                self.query = message.page_info_changed.query_string
            elif kind == "auto_rerun":
                self._stop_timers([message.auto_rerun.fragment_id])
                self._timers[message.auto_rerun.fragment_id] = asyncio.create_task(
                    self._again(message.auto_rerun.fragment_id, message.auto_rerun.interval)
                )
            elif kind == "stop_auto_rerun":
                self._stop_timers(message.stop_auto_rerun.fragment_ids)
            elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
                self._see(message.delta.new_element, message.delta.fragment_id)
            elif kind == "script_finished":
                status, untold = message.script_finished, self._whole and bool(message.metadata.run.fragment_ids)
                self._whole, self.cut = False, self.cut + untold
                self.elements = self._seen if status == 0 else self.elements | self._seen
                self._finished.put_nowait(0 if untold else status)

    def _see(self, element: Element, fragment: str) -> None:
        kind = element.WhichOneof("type") or ""
        shown = getattr(element, kind, None)
        if self.picture != self.picture and kind in ("plotly_chart", "bidi_component") and "live_probe" not in shown.id:
            self.picture = time.perf_counter() - self._moved
        if kind == "exception":
            self.exceptions.append(f"{element.exception.type}: {element.exception.message}")
        elif widget := getattr(shown, "id", ""):
            self._seen[widget] = element, fragment
            if getattr(shown, "set_value", False):  # the script's word counts
                self.values.pop(widget, None)

    async def _again(self, fragment: str, interval: float) -> None:
        while True:
            await asyncio.sleep(interval)
            await self.send([], fragment, auto=True)

    def _stop_timers(self, fragments: Iterable[str]) -> None:
        for fragment in fragments:
            if timer := self._timers.pop(fragment, None):
                timer.cancel()
