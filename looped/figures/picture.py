"""What every figure is made of: the picture with its text and its table, and lines, bands and axes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

MARKERS = 18
"""Markers shown on a line."""
SMALLEST_BAND = 5
"""Prompts from which on a 10–90 % band is drawn; fewer have no such quantiles."""
LEGEND_BELOW = {"orientation": "h", "y": -0.2, "x": 0, "yanchor": "top"}
NARROW_MARGIN = {"l": 10, "r": 10, "t": 10, "b": 10}


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure, the same in words, and the same as a table."""

    figure: go.Figure
    alt: str
    """Text that stands for the figure, from its own numbers."""
    table: dict[str, np.ndarray]
    """Column name to values, all of one length."""


def line(
    x: np.ndarray, y: np.ndarray, name: str, dash: str = "solid", symbol: str = "", width: float = 2, opacity: float = 1
) -> dict[str, Any]:
    """A line with its own dash and, if given, its own marker, so that colour is not what tells lines apart."""
    trace: dict[str, Any] = {
        "type": "scatter", "x": x, "y": y, "name": name, "mode": "lines", "opacity": opacity,
        "line": {"dash": dash, "width": width},
    }  # fmt: skip
    if symbol:
        trace |= {"mode": "lines+markers", "marker": {"symbol": symbol, "size": 8, "maxdisplayed": MARKERS}}
    return trace


def band(x: np.ndarray, low: np.ndarray, high: np.ndarray, name: str, group: str = "band") -> list[dict[str, Any]]:
    """A grey band between two curves; to be drawn last, so that its two edges take no colour from the lines."""
    edge = {"type": "scatter", "x": x, "mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "name": name}
    return [
        edge | {"y": low, "showlegend": False, "legendgroup": group},
        edge | {"y": high, "fill": "tonexty", "fillcolor": "rgba(128, 128, 128, 0.25)", "legendgroup": group},
    ]


def log_range(values: np.ndarray) -> tuple[list[float], dict[str, Any]]:
    """Range (in log10) and ticks of a log axis that holds all positive finite values: whole decades where over two."""
    used = values[np.isfinite(values) & (values > 0)]
    low, high = (float(np.log10(used.min())), float(np.log10(used.max()))) if used.size else (-1.0, 0.0)
    decades = high - low
    if decades <= 2:  # 1, 2 and 5 of every decade, written in full
        return [low - 0.1, high + 0.1], {"dtick": "D2", "tickformat": "~g"} if decades > 0.6 else {"tickformat": "~g"}
    return [float(np.floor(low)) - 0.2, float(np.ceil(high - 1e-9)) + 0.2], {"dtick": 1} if decades < 12 else {}
