"""Pages run without a browser: opened by a link, driven as a visitor drives them, and read."""

import base64
import functools
import json
import time
from pathlib import Path

import numpy as np
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest, local_script_runner

# AppTest looks through every installed package for components in each new app and compiles the page in each run.
# Once is enough: a page opens in 0.02 s instead of 0.15 s.
manifest_scanner.scan_component_manifests = functools.cache(manifest_scanner.scan_component_manifests)
local_script_runner.ScriptCache = functools.cache(local_script_runner.ScriptCache)

ROOT = Path(__file__).parents[1]
PATIENCE = 120
"""Seconds that a test waits for something; far more than it takes, for machines that are busy with other work."""


def open_page(page="compare", session=None, **query):
    """The page of that name, or the whole app for `app`, opened by a link and with the given session state."""
    at = AppTest.from_file(ROOT / ("app.py" if page == "app" else f"pages/{page}.py"), default_timeout=PATIENCE)
    for key, value in (query or {"v": "1"}).items():  # an address that asks for nothing opens a lesson
        at.query_params[key] = value
    for key, value in (session or {}).items():
        at.session_state[key] = value
    return run(at)


def run(at):
    """Run the page in its present state."""
    at.run()
    assert not at.exception
    return at


def answer(at):
    """Choose the first answer to the question of the lesson, if one is open, as one who wants to see what came out."""
    for pills in [group for group in at.button_group if str(group.key).endswith("_guess")]:
        pills.set_value(pills.options[0])
        run(at)
    return at


def press(at, label):
    """Press the button of that label."""
    next(button for button in at.button if button.label == label).click()
    return run(at)


def set_value(at, widget, key, value):
    """Set the widget of that kind and key, and run the page."""
    getattr(at, widget)(key=key).set_value(value)
    return run(at)


def upload(at, name, content, kind="text/csv", key=None):
    """Choose a file in the uploader of that key, or in the first."""
    uploader = at.file_uploader(key=key) if key else at.file_uploader[0]
    uploader.set_value((name, content, kind))
    return run(at)


def wait_for(at, condition):
    """Run the page again and again until the condition gives something true, and return that."""
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline, texts(at)
        time.sleep(0.02)
        run(at)
    return found


def until(condition):
    """Wait until the condition holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def texts(at, *kinds):
    """All text of these kinds of elements, one element a line."""
    kinds = kinds or ("title", "subheader", "caption", "markdown", "info", "warning", "error")
    return "\n".join(str(element.value) for kind in kinds for element in getattr(at, kind))


def metrics(at):
    """Label to value of the number strip."""
    return {metric.label: metric.value for metric in at.metric}


def chart(at, key):
    """Figure and text of the chart with that key; two times None while there is none."""
    found = [node.proto for node in at.get("plotly_chart") if node.proto.id.endswith(f"-{key}")]
    return (json.loads(found[0].spec), found[0].alt) if found else (None, None)


def spec(at, key):
    """The figure of the chart with that key."""
    return chart(at, key)[0]


def alt(at, key):
    """The text of the chart with that key, for those who do not see it."""
    return chart(at, key)[1]


def alts(at):
    """The texts of all charts, in their order on the page."""
    return [node.proto.alt for node in at.get("plotly_chart")]


def numbers(values):
    """A Plotly array, plain or as base64."""
    if isinstance(values, dict):
        return np.frombuffer(base64.b64decode(values["bdata"]), np.dtype(values["dtype"])).astype(float)
    return np.array(values, dtype=float)


def lines(spec):
    """Name to (x, y) of every line of a figure."""
    return {trace.get("name"): (numbers(trace["x"]), numbers(trace["y"])) for trace in spec["data"]}
