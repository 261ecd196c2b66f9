"""The first page's figures: error against loops, and predictions for a table."""

import html
import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from looped.chart import SMALLEST_BAND, Picture, Series, band, layout, leave, line_chart, log_axis, log_range, said
from looped.experiments.compare.curves import ERROR_CEILING
from looped.experiments.compare.real_data import HeldOut
from looped.experiments.compare.result import Comparison

MOST_POINTS = 301
"""Loops drawn at most on an even axis; as many again below a third of T make the early loops as dense on a log axis."""


def error_chart(result: Comparison) -> Picture:
    """Relative error against loops on a log axis, with every curve of the result."""
    settings, batch = result.settings, result.prompts.shape[0]
    loops = drawn_loops(settings.loops)
    rows = [replace(row, values=row.values[loops]) for row in result.series]
    of = _sample(result)
    text = [f"Relative error against loops, log axis{of and f', {of}'}.", *said(rows)]
    if result.ceiling_from is not None:
        text.append(f"Curves are cut at {ERROR_CEILING:.0e}, first reached at loop {result.ceiling_from}.")
    tiny = float(np.finfo(settings.dtype).eps) / 20
    edges = (np.maximum(result.curves[f"looped_{name}"][loops], tiny) for name in ("p10", "p90"))
    low, high = (np.where(edge < ERROR_CEILING, edge, 2 * ERROR_CEILING) for edge in edges)  # beyond the axis
    title = {"text": f"loop t{of and f' · {of}'}"}
    across = {"title": title, "range": [0, settings.loops], "dtick": 1 if settings.loops <= 10 else None}
    up = log_axis("relative error ‖w<sub>t</sub> − w<sub>ref</sub>‖ / ‖w<sub>ref</sub>‖", ".3e")
    over = band(loops, low, high, "10–90 % of prompts") if batch >= SMALLEST_BAND else ()
    highest = None if result.ceiling_from is None else ERROR_CEILING
    return line_chart(
        ("loop", loops), rows, " ".join(text), across, up, lowest=tiny, highest=highest, word=leaving(result),
        over=over, height=430,
    )  # fmt: skip


def leaving(result: Comparison) -> str:
    """What is said where a curve leaves the chart."""
    return "diverges" if result.prediction.kind == "diverges" else "off the chart"


def _sample(result: Comparison) -> str:
    """What the curves are the median of; empty for one prompt."""
    run, drawn = result.prompts.shape[0], result.settings.prompts
    if result.table is None and run < drawn:
        return f"median of the first {run} of {drawn} prompts" if run > 1 else f"the first of {drawn} prompts"
    return f"median of {run} prompts" if run > 1 else ""


def keep(picture: Picture, label: str) -> Series:
    """The loop's own curve of an error chart, to be held on later ones; its label is what it was run with."""
    loops, own, *_ = picture.table.values()
    lowest = np.nanmin(picture.spec["data"][0]["y"])
    return Series(np.maximum(own, lowest), "", label, "model", "dot", x=loops)


def hold(picture: Picture, held: Sequence[Series]) -> Picture:
    """The error chart with curves of earlier settings on it, axes wide enough for all."""
    symbols = itertools.cycle(("hexagram-open", "star-open", "pentagon-open", "cross-open"))
    traces = [
        replace(curve, legend=f"Held: {html.escape(curve.legend)}", symbol=symbol).trace(picture.table["loop"])
        for curve, symbol in zip(held, symbols, strict=False)
    ]
    limits, ticks = log_range(np.concatenate([picture.scale, *(curve.values for curve in held)]))
    arrows = leave(traces, ERROR_CEILING, limits[1], "")
    last = max(trace["x"][-1] for trace in (*picture.spec["data"], *traces))
    up = {"range": limits, "dtick": None, "tickformat": None, "tickvals": None, "ticktext": None, **ticks}
    ends = "; ".join(f"{curve.legend} ends at {curve.values[-1]:.2e}" for curve in held)
    return _with(
        picture, f"Held from earlier: {ends}.", traces, arrows, xaxis={"range": [0, last], "dtick": None}, yaxis=up
    )


def log_loops(picture: Picture) -> Picture:
    """The error chart with loops on a log axis, from loop 1 on: early loops of a long run are seen."""
    last = picture.spec["layout"]["xaxis"]["range"][1]
    axis = {"type": "log", "range": [0, max(float(np.log10(last)), 0.1)], "dtick": None}
    found = _with(picture, "The loop axis is logarithmic and starts at loop 1.", xaxis=axis)
    arrows = found.spec["layout"]["annotations"]
    found.spec["layout"]["annotations"] = [
        arrow | {end: float(np.log10(max(arrow[end], 1))) for end in ("x", "ax") if end in arrow} for arrow in arrows
    ]
    return found


def _with(
    picture: Picture,
    text: str,
    traces: Sequence[dict[str, Any]] = (),
    arrows: Sequence[dict[str, Any]] = (),
    **axes: dict[str, Any],
) -> Picture:
    """The picture with more text, more traces, more arrows and other axes."""
    data, layout = picture.spec["data"], picture.spec["layout"]
    changed: dict[str, Any] = {name: layout[name] | axis for name, axis in axes.items()}
    changed["annotations"] = [*layout.get("annotations", ()), *arrows]
    spec = {"data": [*data, *traces], "layout": layout | changed}
    return replace(picture, spec=spec, alt=f"{picture.alt} {text}")


def drawn_loops(T: int) -> np.ndarray:
    """The loops of 0 … T that are drawn."""
    if T < MOST_POINTS:
        return np.arange(T + 1)
    even = np.linspace(0, T, MOST_POINTS)
    early = np.geomspace(1, T / 3, MOST_POINTS)
    return np.unique(np.concatenate([even, early]).round().astype(int))


def prediction_chart(held_out: HeldOut) -> Picture:
    """Prediction against truth for every row of a table, each predicted from the rows of the other folds."""
    y, looped = held_out.y, held_out.looped
    low, high = float(min(y.min(), looped.min())), float(max(y.max(), looped.max()))
    data = [
        {
            "type": "scatter", "x": y, "y": looped, "mode": "markers", "name": "held-out row",
            "marker": {"symbol": "circle-open", "size": 6},
            "hovertemplate": "y %{x:.4g}<br>ŷ %{y:.4g}<extra></extra>",
        },
        {
            "type": "scatter", "x": [low, high], "y": [low, high], "mode": "lines", "name": "ŷ = y",
            "line": {"dash": "dash", "width": 1.5}, "hoverinfo": "skip",
        },
    ]  # fmt: skip
    across = {"title": {"text": f"y, {html.escape(held_out.target)}"}}
    up = {"title": {"text": "ŷ, predicted by the looped transformer"}}
    alt = (
        f"Scatter of predicted against true {held_out.target} for {len(y)} held-out rows: R² is "
        f"{held_out.r2_looped:.4f} for the looped transformer and {held_out.r2_reference:.4f} for scikit-learn's "
        "LinearRegression on the same folds."
    )
    return Picture(
        {"data": data, "layout": layout(across, up, height=380)},
        alt,
        {"y": y, "looped transformer": looped, "LinearRegression": held_out.reference},
    )
