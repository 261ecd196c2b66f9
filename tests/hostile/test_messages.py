"""Messages on the app's own websocket, where a browser's limits do not hold: no traceback of ours, and it serves on.

Streamlit reads every message before this program does, and its own widgets raise for some: these errors break the page
of the visitor who forged the message and are counted here by name.
"""

import asyncio
import collections
import json
import math
import random
import re
from urllib.parse import quote

import numpy as np
import pytest
from google.protobuf.message import DecodeError

from benchmarks.visitor import Visitor, state
from looped import SignalSettings
from looped.experiments import EXPERIMENTS
from looped.experiments.signal.cloud import _axes
from looped_ui.controls import _written
from looped_ui.link import DISPLAY, OWN
from tests.app import answer, open_page, set_value, spec
from tests.browser.conftest import ROOT, running_app

MESSAGES = 2000
"""Messages to each kind of page in the slow suite."""
PER_SESSION = 25
"""Messages of one session: what it was sent before stays with it."""
PAGES = list(EXPERIMENTS)
NUMBERS = [0.0, -0.0, 1.0, -1.0, 2.5, 1e308, -1e308, 5e-324, math.inf, -math.inf, math.nan, 1e19, 10001.0, 3e9]
WHOLE = [0, 1, -1, 2, 7, 2**31, 2**53, 2**63 - 1, -(2**63), 10_001]
TEXTS = [
    "", " ", "nan", "-inf", "1e400", "1_000", "\0", "a\nb", "\u202e", "é", "true", "None", "auto", "optimal", "gd",
    "csv", "eagle", "x" * 3000, "<script>alert(1)</script>", "'; drop", "../../etc/passwd", "{", "[", "[[1]]",
    "9" * 5000, "$x$", "=1+1", "1,2,3", "0:9", "-1", "10", "0.1", "Layer 9", "Show", "diabetes", "whole",
]  # fmt: skip
DEEP = "[" * 2000 + "]" * 2000
JSON = [
    None, True, 3, -1.5, "x", [], {}, {"drag": None}, {"drag": []}, {"drag": {"run": "x", "key": [], "place": {}}},
    {"drag": {"run": 1, "key": "T_slider", "place": -1, "number": "x", "ahead": [1, "2", None, 10**30]}},
    {"drag": {"run": 2, "key": "T_slider", "place": 10**30, "number": [], "ahead": {}}},
    {"drag": {"run": 2, "key": {}, "place": 1.5}}, {"drawn": {"values": [None]}},
    {"drawn": {"values": [1e400, -1, "x"]}}, {"drawn": {"values": [True, 0.1, 10.0, 3.0]}}, {"ready": "x"},
    {"ready": {"a": []}}, {"typed": {"key": [], "what": {}}},
    {"typed": {"key": "T", "what": "two ways"}}, {"typed": {"key": "T", "what": "x"}}, {"typed": 3}, {"open": "x"},
    {"": ""}, [[[[[]]]]], {"a" * 3000: 1},
]  # fmt: skip


class Fuzzer:
    """Hostile messages to one kind of page.

    Args:
        page: name of its experiment.
        seed: of the messages.
    """

    def __init__(self, page, seed):
        self.page, self.draw = page, random.Random(f"{page} {seed}")
        fields = EXPERIMENTS[page].load("settings").table.values()
        self.keys = [*(field.key for field in fields), *DISPLAY, *OWN]
        self.foreign = []
        """Ids of widgets of sessions before."""

    def value(self):
        """The name of a field of the protocol, and what a browser would not put there."""
        choose = self.draw.choice
        match choose(
            ["bool", "trigger", "double", "int", "string", "doubles", "ints", "strings", "json", "json", "none"]
        ):
            case "bool":
                return "bool_value", choose([True, False])
            case "trigger":
                return "trigger_value", choose([True, True, False])
            case "double":
                return "double_value", choose(NUMBERS)
            case "int":
                return "int_value", choose(WHOLE)
            case "string":
                return "string_value", choose(TEXTS)
            case "doubles":
                return "double_array_value", [choose(NUMBERS) for _ in range(choose([0, 1, 1, 2, 3]))]
            case "ints":
                return "int_array_value", [choose(WHOLE) for _ in range(choose([0, 1, 1, 2, 3]))]
            case "strings":
                return "string_array_value", [choose(TEXTS) for _ in range(choose([0, 1, 1, 2, 60]))]
            case "json":
                text = json.dumps(choose(JSON))
                return choose(
                    [("json_value", text), ("json_trigger_value", text), ("json_value", choose([DEEP, "{", ""]))]
                )
            case _:
                return "none", None

    def plausible(self, element):
        """A value of the kind that the widget sends, in or out of its range."""
        choose, kind = self.draw.choice, element.WhichOneof("type")
        match kind:
            case "slider":
                if element.slider.options:
                    return "string_array_value", [choose([*element.slider.options, *TEXTS])]
                return "double_array_value", [choose([element.slider.min, element.slider.max, *NUMBERS])]
            case "number_input":
                return "double_value", choose([element.number_input.max, element.number_input.min, *NUMBERS])
            case "checkbox":
                return "bool_value", choose([True, False])
            case "selectbox":
                return "string_value", choose([*element.selectbox.options, *TEXTS])
            case "multiselect":
                return "string_array_value", [choose([*element.multiselect.options, *TEXTS]) for _ in range(3)]
            case "button_group":
                return "string_array_value", [choose([*TEXTS[:9], "0", "1"]) for _ in range(choose([0, 1, 2]))]
            case "button" | "download_button":
                return "trigger_value", True
            case "bidi_component" | "component_instance":
                return "json_value", json.dumps(choose(JSON))
            case "text_input" | "text_area":
                return "string_value", choose(TEXTS)
            case _:
                return self.value()

    def forged(self, ids):
        """An id that no widget of the page has."""
        name = self.draw.choice([*ids, *self.foreign, "$$ID-0-T"])
        return self.draw.choice([
            name[:-1], name + "x", name.replace("-", "--"), name[::-1], "", "$$ID--", "\0", "x" * 5000,
            f"$$ID-{self.draw.getrandbits(64):x}-{self.draw.choice(self.keys)}",
            self.draw.choice(self.foreign or [name]), "$$STREAMLIT_INTERNAL_KEY_FORM_STATE", "$$GENERATED_WIDGET_ID",
        ])  # fmt: skip

    def said(self, elements):
        """What one message says of widgets, the ids being all different."""
        ids, found = list(elements), {}
        for _ in range(self.draw.choice([1, 1, 2, 3, 8])):
            chance = self.draw.random()
            name = self.forged(ids) if chance < 0.15 or not ids else self.draw.choice(ids)
            kind, value = self.plausible(elements[name][0]) if name in elements and chance < 0.6 else self.value()
            found[name] = state(name, kind, value) if kind != "none" else state(name, "bool_value", False)
        return list(found.values())

    def query(self):
        """A query string."""
        choose = self.draw.choice
        pairs = [f"{quote(choose(self.keys))}={quote(choose(TEXTS))}" for _ in range(choose([0, 1, 2, 5]))]
        return choose(["&".join(pairs), "&".join(pairs), "%ff=%fe", "=" * 50, "&".join(["T=3"] * 50), "a" * 3000])


async def attack(address, page, messages, seed=0):
    """Send the messages; how many were sent, and the pages that did not answer."""
    fuzzer, sent, lost = Fuzzer(page, seed), 0, []
    while sent < messages:
        visitor = Visitor(address, page, fuzzer.query() if fuzzer.draw.random() < 0.5 else "v=1")
        await visitor.open()
        for _ in range(PER_SESSION):
            if fuzzer.draw.random() < 0.15:
                visitor.query = fuzzer.query()
            fragments = ["", "", "", *sorted({fragment for _, fragment in visitor.elements.values()})]
            if fuzzer.draw.random() < 0.05:
                await visitor.send([], "no such")  # has no answer
            try:
                said = fuzzer.said(visitor.elements)
            except (UnicodeEncodeError, DecodeError):
                continue
            sent += 1
            try:
                await visitor.run(*said, fragment=fuzzer.draw.choice(fragments))
            except Exception as error:
                lost.append(repr(error))
                break
            if visitor.exceptions:
                break
        fuzzer.foreign = list(visitor.elements)[:50] or fuzzer.foreign
        await visitor.close()
    return sent, lost


FRAME = re.compile(r'File "([^"]+)", line \d+, in (\S+)')
ERROR = re.compile(r"([\w.]+): |([\w.]+(?:Error|Exception))$")
OURS, STREAMLITS = f"{ROOT}/", "/site-packages/streamlit/"


def tracebacks(log):
    """How often each error is in the log, by its type and by the last place in our code or Streamlit's on its way."""
    found = collections.Counter()
    for part in log.split("Traceback (most recent call last):")[1:]:
        lines = part.splitlines()
        places = [
            place for line in lines if (place := FRAME.search(line)) and (OURS in place[1] or STREAMLITS in place[1])
        ]
        error = next((error for line in lines if (error := ERROR.match(line))), None)
        kind = (error[1] or error[2]) if error else "?"
        found[
            kind, f"{places[-1][1].partition('site-packages/')[2] or places[-1][1]}:{places[-1][2]}" if places else "?"
        ] += 1
    return found


def ours(found):
    """Those that our code raised, or that Streamlit raised for what our code asked of it; not those of its widgets."""
    return {
        (kind, place): number for (kind, place), number in found.items()
        if not place.startswith("streamlit/") or kind.startswith("streamlit.")
    }  # fmt: skip


def test_an_error_is_told_by_the_last_place_that_is_ours_or_streamlits():
    log = f"""Traceback (most recent call last):
  File "/x/site-packages/streamlit/runtime/state/session_state.py", line 9, in unpack
  File "/usr/lib/python3/json/decoder.py", line 1, in decode
json.decoder.JSONDecodeError: Expecting value
Traceback (most recent call last):
  File "/x/site-packages/streamlit/runtime/scriptrunner/exec_code.py", line 9, in run
  File "{ROOT}/looped_ui/lesson.py", line 3, in draw
  File "/x/site-packages/numpy/core.py", line 1, in add
ValueError: no
Traceback (most recent call last):
  File "{ROOT}/looped_ui/lesson.py", line 3, in draw
  File "/x/site-packages/streamlit/elements/slider.py", line 1, in slider
streamlit.errors.StreamlitAPIException: no
"""
    found = tracebacks(log)
    assert found["json.decoder.JSONDecodeError", "streamlit/runtime/state/session_state.py:unpack"] == 1
    assert set(ours(found)) == {
        ("ValueError", f"{ROOT}/looped_ui/lesson.py:draw"),
        ("streamlit.errors.StreamlitAPIException", "streamlit/elements/slider.py:slider"),
    }


@pytest.fixture(scope="module", name="app")
def fixture_app(tmp_path_factory):
    """The address of a server, and its log."""
    log = tmp_path_factory.mktemp("messages") / "log"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STREAMLIT_LOGGER_ENABLE_RICH", "false")  # tracebacks as Python writes them
        with running_app(log) as address:
            asyncio.run(an_ordinary_visit(Visitor(address)))
            yield address, log


def assert_it_holds(app, page, messages):
    address, log = app
    began = log.stat().st_size
    sent, lost = asyncio.run(attack(address, page, messages))
    with log.open() as file:
        file.seek(began)
        found = tracebacks(file.read())
    print(f"{page}: {sent} messages, {sum(found.values())} errors in Streamlit: {dict(found)}")
    assert lost == []
    assert ours(found) == {}
    visitor = Visitor(address, page)
    asyncio.run(an_ordinary_visit(visitor))
    assert visitor.exceptions == []


async def an_ordinary_visit(visitor):
    await visitor.open()
    await visitor.move()
    await visitor.close()


def test_a_forged_message_about_what_was_typed_is_ignored(monkeypatch):
    monkeypatch.setattr("looped_ui.repairs.misread", lambda: ("T", "no such"))
    assert "repairs" not in open_page().session_state


def test_a_forged_message_that_takes_a_mark_away_changes_nothing():
    at = open_page(step="auto")
    at = set_value(at, "button_group", "step_marks", None)
    assert at.session_state["compare.last"].step_size == "auto"


def test_a_forged_message_that_chooses_no_statistic_shows_the_median():
    at = set_value(answer(open_page("train")), "button_group", "statistic", None)
    assert spec(at, "sweep_loops")["layout"]["yaxis"]["title"]["text"] == "median query error"


def test_a_signal_whose_squares_vanish_has_axes_all_the_same():
    axes = _axes(SignalSettings(features=3, signal=5e-324).task())
    assert (axes @ axes.mT).numpy() == pytest.approx(np.eye(2), abs=1e-12)


def test_a_forged_message_that_puts_a_slider_nowhere_has_a_text():
    assert [_written(stop) for stop in (None, 0.5, 20.0)] == ["", "0.5", "20"]


@pytest.mark.thorough
@pytest.mark.parametrize("page", PAGES)
def test_a_few_hostile_messages_break_nothing_of_ours(app, page):
    assert_it_holds(app, page, 50)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_two_thousand_hostile_messages_break_nothing_of_ours(app, page):
    assert_it_holds(app, page, MESSAGES)
