"""Pictures that a browser asks for while a slider is moved: one request each, and no run of the page.

What draws them is the page's own function, under a name that only its visitor knows, for as long as the page is open.
"""

import json
import secrets
from collections.abc import Callable, Mapping
from typing import Any
from weakref import WeakValueDictionary

import anyio
import numpy as np
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from looped.budget import cores
from looped.chart import Picture
from looped.fields import SettingsError
from looped_ui import busy, kept

Sliders = Mapping[str, tuple[str, tuple[Any, ...]]]
"""By key of a slider: the name of its setting, and the values at its places."""
Draw = Callable[[Mapping[str, Any]], Picture]
"""Gives a picture for changes of the page's settings, by name. It is called outside of a run of the page as well."""


class Row:
    """Charts of one visitor that follow sliders together."""

    def __init__(self) -> None:
        self.name = secrets.token_urlsafe(16)
        self.shown: tuple[int, Mapping[str, Draw], Sliders] = 0, {}, {}
        """Number of the run of the page, and the charts and sliders of that run."""
        self.turn = anyio.Lock()
        self._own = kept.own()
        _rows[self.name] = self

    @property
    def run(self) -> int:
        """Number of the run of the page whose pictures are given."""
        return self.shown[0]

    def show(self, charts: Mapping[str, Draw], sliders: Sliders) -> None:
        """Follow these sliders with these charts from now on."""
        self.shown = self.run + 1, charts, sliders

    def at(self, slider: str, place: int, run: str) -> str:
        """The pictures at a place of a slider, by name of the chart, as JSON; empty where there are none any more.

        Where the run at that place is refused, they are those of the page.
        """
        now, charts, sliders = self.shown
        name, stops = sliders.get(slider, ("", ()))
        if str(now) != run or place >= len(stops):
            return ""
        with busy.running(lambda: None), kept.of(self._own):
            drawn = {key: _drawn(draw, {name: stops[place]}) for key, draw in charts.items()}
        return json.dumps({key: {"figure": as_json(picture), "alt": picture.alt} for key, picture in drawn.items()})


_rows: "WeakValueDictionary[str, Row]" = WeakValueDictionary()
_AT_ONCE = anyio.CapacityLimiter(cores())
"""More pictures at the same time would only wait for each other."""
NOTHING = 204
"""Status of an answer without a picture: a browser reports others as errors, and this is none."""


async def answer(request: Request) -> Response:
    """The pictures that `picture/{row}/{run}/{slider}/{place}` asks for; nothing where there are none any more.

    A row has one request answered at a time, so nobody takes all places.
    """
    asked = request.path_params
    row, place = _rows.get(asked["row"]), asked["place"]
    if row is None or not (place.isdecimal() and len(place) < 7):
        return Response(status_code=NOTHING)
    async with row.turn, _AT_ONCE:
        text = await run_in_threadpool(row.at, asked["slider"], int(place), asked["run"])
    if not text:
        return Response(status_code=NOTHING)
    return Response(text, media_type="application/json", headers={"Cache-Control": "no-store"})


def _drawn(draw: Draw, changes: Mapping[str, Any]) -> Picture:
    try:
        return draw(changes)
    except SettingsError:
        return draw({})


def as_json(picture: Picture) -> str:
    """The picture as the browser draws it."""
    motion = picture.motion
    moving = {} if motion is None else {
        "captions": motion.captions, "grown": motion.grown, "narrow": motion.narrow, "unit": motion.unit,
        "opens": motion.first,
        "moved": [{"trace": n, "attribute": name, "values": v} for (n, name), v in motion.moved.items()],
    }  # fmt: skip
    figure = {name: picture.spec[name] for name in ("data", "layout")} | moving
    return json.dumps(figure, default=plain, separators=(",", ":"), allow_nan=False)


def plain(values: np.ndarray | np.generic) -> Any:
    """Numbers as JSON holds them; a gap in a line is null."""
    if values.dtype.kind != "f" or np.isfinite(values).all():
        return values.tolist()
    gaps = values.astype(object)
    gaps[~np.isfinite(values)] = None
    return gaps.tolist()
