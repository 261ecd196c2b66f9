"""A Plotly chart that stays mounted, follows sliders while they are dragged, and steps through the loops.

Streamlit's own chart is drawn anew whenever its data change, and hears of a slider when it is let go. Here the browser
gets each new picture as JSON and draws it with `Plotly.react`: zoom, hidden curves and hover stay. While a slider is
dragged the browser sends its place and waits for the picture before it sends the next; only a fragment runs. With the
picture come those of the next places, as many as can be made in a moment, and a move there is drawn at once: an answer
costs the browser as much as drawing it. Where the component does not start, Streamlit's chart is drawn instead.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from looped.chart import Picture
from looped.fields import SettingsError
from looped_ui import busy

CHART_CONFIG = {
    "displaylogo": False,
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "zoomIn2d", "zoomOut2d", "autoScale2d"],
    "scrollZoom": False,
}
NARROWEST = 640
"""Width in pixels from which on the wide layout is used."""
MOMENT = 0.08
"""Seconds in which a browser draws the first picture."""
AHEAD_SECONDS, MOST_AHEAD = 0.03, 6
"""Seconds after which no further picture of a next place is made, and the most that are."""


Sliders = Mapping[str, tuple[str, tuple[Any, ...]]]
"""By key of a slider: the name of its setting, and the values at its places."""
Draw = Callable[[Mapping[str, Any]], Picture]
"""Gives a picture for changes of the page's settings, by name."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A curve that the pointer draws, on a chart with two logarithmic axes whose own dragging is off."""

    trace: int
    """Number of its trace; its points keep their places and change their heights."""
    stops: tuple[float, ...]
    """Heights that a point can have."""
    take: Callable[[Sequence[float]], None]
    """Told of the heights when the pointer is let go, before the page runs again."""


def _source(part: str) -> str:
    return (Path(__file__).parent / f"live.{part}").read_text(encoding="utf-8")


_component = st.components.v2.component(
    "looped_live", html=_source("html"), css=_source("css"), js=_source("js"), isolate_styles=False
)


def begin() -> None:
    """Ask the browser, once in a session, whether it can draw such charts; the page runs again when it says so."""
    if not st.session_state.get("live"):
        _component(key="live_probe", data=None, on_ready_change=_ready)


def _ready() -> None:
    st.session_state["live"] = True


def figure(picture: Picture, key: str, *, heights: tuple[int, int] | None = None, below: int = 0) -> None:
    """Draw a picture with its text for those who do not see it.

    Args:
        picture: The picture.
        key: Name of its element.
        heights: The least and the most pixels it is high, to fit the window; as high as it says if not given.
        below: Pixels of the window that are left free below it.
    """
    if st.session_state.get("live"):
        _mount(key, picture, heights=heights, below=below)
    else:
        st.plotly_chart(picture.figure, key=key, config=CHART_CONFIG, alt=picture.alt)


def live(key: str, draw: Draw, sliders: Sliders, *, heights: tuple[int, int], below: int = 0) -> None:
    """Draw a picture that follows sliders while they are dragged.

    Args:
        key: Name of its element.
        draw: gives the picture for changes of the page's settings, by name.
        sliders: `Controls.sliders`, those that it follows.
        heights: The least and the most pixels it is high, to fit the window.
        below: Pixels of the window that are left free below it.
    """
    live_row({key: ("", draw)}, sliders, heights=heights, below=below)


def live_row(
    charts: Mapping[str, tuple[str, Draw]],
    sliders: Sliders,
    *,
    heights: tuple[int, int],
    below: int = 0,
    drawn: Drawn | None = None,
) -> None:
    """Draw pictures side by side, which follow sliders together while they are dragged.

    Args:
        charts: By name of its element, the heading of each picture, and what draws it; as in `live`.
        sliders: `Controls.sliders`, those that they follow.
        heights: The least and the most pixels each is high, to fit the window.
        below: Pixels of the window that are left free below them.
        drawn: A curve of the first picture that the pointer draws.
    """
    state = st.session_state
    teller = next(iter(charts))  # the browser keeps one of several messages, so one of them tells of the slider
    state[f"{teller}_run"] = run = state.get(f"{teller}_run", 0) + 1

    def take() -> None:
        values = _said(teller, "drawn").get("values")
        if (
            drawn is not None
            and isinstance(values, list)
            and all(isinstance(v, int | float) and 0 < v < 1e9 for v in values)
        ):
            drawn.take(values)
            state[f"{teller}_taken"] = True

    def pictures() -> None:
        if state.pop(f"{teller}_taken", False):
            st.rerun()  # all that shows what was drawn stands outside
        drag = _said(teller, "drag")
        if drag.get("run") != run or drag.get("key") not in [*sliders]:  # of an earlier run: let go since then
            drag = {}
        places = st.columns(len(charts)) if len(charts) > 1 else [st.container()]
        for place, (key, (heading, draw)) in zip(places, charts.items(), strict=True):
            with place:
                if heading:
                    st.markdown(f"**{heading}**")
                shown = _dragged(draw, *sliders[drag["key"]], drag.get("place")) if drag else draw({})
                if state.get("live"):
                    telling: dict[str, Any] = {"sliders": tuple(sliders)} if key == teller else {}
                    if drag:
                        telling |= {"follows": drag["key"], "ahead": _ahead(draw, sliders[drag["key"]], drag, shown)}
                    if drawn is not None and key == teller:
                        telling |= {"drawn": drawn.trace, "stops": drawn.stops}
                    answer = drag.get("number", 0)
                    telling |= {"run": run, "answer": answer, "row": tuple(charts)}
                    _mount(key, shown, take, heights=heights, below=below, **telling)
                else:
                    figure(shown, key)

    st.fragment(pictures)()


def let_draw() -> None:
    """Leave the browser a moment to draw a picture before the rest of the page arrives, and makes it busy.

    A move within that moment ends the run, so that a key held down draws pictures alone. Where others wait, what the
    server does for them gives it that moment.
    """
    if st.session_state.get("live") and busy.count() <= 1:
        time.sleep(MOMENT)


def _dragged(draw: Draw, name: str, stops: tuple[Any, ...], place: object) -> Picture:
    """The picture at a place of a slider; that of the page where the place does not exist or the run is refused."""
    if not isinstance(place, int) or not 0 <= place < len(stops):
        return draw({})
    try:
        return draw({name: stops[place]})
    except SettingsError:
        return draw({})


def _ahead(draw: Draw, slider: tuple[str, tuple[Any, ...]], drag: Mapping[str, Any], shown: Picture) -> str:
    """The picture of the slider's place and those of the next ones that were asked for, as far as time allows; JSON."""
    asked, began = drag.get("ahead"), time.monotonic()
    places = [place for place in asked if isinstance(place, int)][:MOST_AHEAD] if isinstance(asked, list) else []
    pictures = {str(drag.get("place")): shown}
    for place in places:
        if time.monotonic() - began > AHEAD_SECONDS:
            break
        pictures[str(place)] = _dragged(draw, *slider, place)
    drawn = {place: {"figure": _json(picture), "alt": picture.alt} for place, picture in pictures.items()}
    return json.dumps(drawn, separators=(",", ":"))


def _said(key: str, what: str) -> Mapping[str, Any]:
    """The last message of that kind from a component; empty if there is none or it cannot be read."""
    told = st.session_state.get(key)
    message = told.get(what) if isinstance(told, Mapping) else None
    return message if isinstance(message, Mapping) else {}


def _nothing() -> None:
    """A state of the component needs a callback, which may have nothing to do."""


def _json(picture: Picture) -> str:
    """The picture as the browser draws it."""
    motion = picture.motion
    moving = {} if motion is None else {
        "captions": motion.captions, "grown": motion.grown, "narrow": motion.narrow, "unit": motion.unit,
        "opens": motion.first,
        "moved": [{"trace": n, "attribute": name, "values": v} for (n, name), v in motion.moved.items()],
    }  # fmt: skip
    figure = {name: picture.spec[name] for name in ("data", "layout")} | moving
    return json.dumps(figure, default=_plain, separators=(",", ":"), allow_nan=False)


def _mount(key: str, picture: Picture, take: Callable[[], None] = _nothing, **data: Any) -> None:
    # For a list or a dict Streamlit would import pandas, to see whether it is a table. Another first chart may be made
    # meanwhile, and Plotly fails where pandas is half imported.
    _component(
        key=key,
        data={
            "figure": _json(picture),
            "alt": picture.alt,
            "config": json.dumps(CHART_CONFIG),
            "narrowest": NARROWEST,
            "key": key,
            "row": (key,),
            "lesson": st.query_params.get("lesson", ""),
            **data,
        },
        on_drag_change=_nothing,
        on_drawn_change=take,
    )


def _plain(values: np.ndarray | np.generic) -> Any:
    """Numbers as JSON holds them; a gap in a line is null."""
    if values.dtype.kind != "f" or np.isfinite(values).all():
        return values.tolist()
    plain = values.astype(object)
    plain[~np.isfinite(values)] = None
    return plain.tolist()
