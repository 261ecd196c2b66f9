"""Pictures that a browser asks for while a slider is moved: one request each, and no run of the page.

What draws them is the page's own function, under a name that only its visitor knows, for as long as the session lives.
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
        self.run = 0
        """Number of the run of the page that `charts` and `sliders` are of."""
        self.charts: Mapping[str, Draw] = {}
        self.sliders: Sliders = {}
        self._own = kept.own()
        _rows[self.name] = self

    def show(self, charts: Mapping[str, Draw], sliders: Sliders) -> None:
        """Follow these sliders with these charts from now on."""
        self.run, self.charts, self.sliders = self.run + 1, charts, sliders

    def at(self, slider: str, place: int) -> str:
        """The pictures at a place of a slider, by name of the chart, as JSON.

        Where the run at that place is refused, they are those of the page.
        """
        name, stops = self.sliders[slider]
        with busy.running(), kept.of(self._own):
            drawn = {key: _drawn(draw, {name: stops[place]}) for key, draw in self.charts.items()}
        return json.dumps({key: {"figure": as_json(picture), "alt": picture.alt} for key, picture in drawn.items()})


_rows: "WeakValueDictionary[str, Row]" = WeakValueDictionary()
_AT_ONCE = anyio.CapacityLimiter(cores())
"""More pictures at the same time would only wait for each other."""


async def answer(request: Request) -> Response:
    """The pictures that `picture/{row}/{run}/{slider}/{place}` asks for; 404 where there are none any more."""
    asked = request.path_params
    row = _rows.get(asked["row"])
    if row is None or row.run != asked["run"] or asked["place"] >= len(row.sliders.get(asked["slider"], ("", ()))[1]):
        return Response(status_code=404)
    async with _AT_ONCE:
        text = await run_in_threadpool(row.at, asked["slider"], asked["place"])
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
