"""A Plotly chart that stays mounted, follows sliders while they are dragged, and steps through the loops.

Streamlit's own chart is drawn anew whenever its data change, and hears of a slider when it is let go. Here the browser
gets each new picture as JSON and draws it with `Plotly.react`: zoom, hidden curves and hover stay. While a slider is
dragged the browser fetches the picture of its place, one at a time, without a run of the page: an answer to a run costs
the browser as much as drawing the picture. Where the component does not start, Streamlit's chart is drawn instead.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from looped.chart import NO_UPLOAD, Picture
from looped_ui import busy
from looped_ui.live.pictures import Draw, Row, Sliders, as_json
from looped_ui.present import LARGER, presenting

CHART_CONFIG = NO_UPLOAD | {
    "displaylogo": False,
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "zoomIn2d", "zoomOut2d", "autoScale2d"],
    "scrollZoom": False,
}
NARROWEST = 640
"""Width in pixels from which on the wide layout is used."""
MOMENT = 0.08
"""Seconds in which a browser draws the first picture."""


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


def begin(page: str) -> None:
    """Ask the browser, once in a session, whether it can draw such charts; the page runs again when it says so.

    What drew the pictures of another page is forgotten.
    """
    state = st.session_state
    if not state.get("live"):
        _component(key="live_probe", data=None, on_ready_change=_ready)
    if state.get("pictures_page") != page:
        state["pictures_page"], state["pictures_rows"] = page, {}


def _ready() -> None:
    st.session_state["live"] = True


def figure(picture: Picture, key: str, *, heights: tuple[int, int] | None = None, below: int = 0) -> None:
    """Draw a picture with its text for those who do not see it.

    Args:
        picture: The picture.
        key: Name of its element.
        heights: The least and the most pixels it is high, to fit the window; as high as it says if not given.
        below: Pixels of the window that are left free below it, in the usual size of type.
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
        below: Pixels of the window that are left free below it, in the usual size of type.
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
        below: Pixels of the window that are left free below them, in the usual size of type.
        drawn: A curve of the first picture that the pointer draws.
    """
    teller = next(iter(charts))  # one of them asks for the pictures of all

    def take() -> None:
        values = _said(teller, "drawn").get("values")
        if (
            drawn is not None
            and isinstance(values, list)
            and all(isinstance(v, int | float) and 0 < v < 1e9 for v in values)
        ):
            drawn.take(values)

    state = st.session_state
    rows: dict[str, Row] = state.setdefault("pictures_rows", {})
    row = rows[teller] = rows.get(teller) or Row()
    row.show({key: draw for key, (_, draw) in charts.items()}, sliders)
    places = st.columns(len(charts)) if len(charts) > 1 else [st.container()]
    for place, (key, (heading, draw)) in zip(places, charts.items(), strict=True):
        with place:
            if heading:
                st.markdown(f"**{heading}**")
            if not state.get("live"):
                figure(draw({}), key)
                continue
            telling: dict[str, Any] = {"sliders": tuple(sliders), "asks": row.name} if key == teller else {}
            if drawn is not None and key == teller:
                telling |= {"drawn": drawn.trace, "stops": drawn.stops}
            _mount(key, draw({}), take, heights=heights, below=below, run=row.run, row=tuple(charts), **telling)


def let_draw() -> None:
    """Leave the browser a moment to draw a picture before the rest of the page arrives, and makes it busy.

    A move within that moment ends the run, so that a key held down draws pictures alone. Where others wait, what the
    server does for them gives it that moment.
    """
    if st.session_state.get("live") and busy.count() <= 1:
        time.sleep(MOMENT)
    let_others_draw()


def let_others_draw() -> None:
    """Once the main picture of a page stands, those of other visitors come before its rest; a move ends the wait."""
    busy.rest()


def _said(key: str, what: str) -> Mapping[str, Any]:
    """The last message of that kind from a component; empty if there is none or it cannot be read."""
    told = st.session_state.get(key)
    message = told.get(what) if isinstance(told, Mapping) else None
    return message if isinstance(message, Mapping) else {}


def _nothing() -> None:
    """A state of the component needs a callback, which may have nothing to do."""


def _mount(key: str, picture: Picture, take: Callable[[], None] = _nothing, *, below: int, **data: Any) -> None:
    busy.between()
    # For a list or a dict Streamlit would import pandas, to see whether it is a table. Another first chart may be made
    # meanwhile, and Plotly fails where pandas is half imported.
    _component(
        key=key,
        data={
            "figure": as_json(picture),
            "alt": picture.alt,
            "config": json.dumps(CHART_CONFIG),
            "narrowest": NARROWEST,
            "key": key,
            "row": (key,),
            "below": round(below * LARGER) if presenting() else below,
            "lesson": st.query_params.get("lesson", ""),
            **data,
        },
        on_drawn_change=take,
    )
