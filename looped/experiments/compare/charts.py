"""The first page's figures: error against loops, and predictions for a table."""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from looped.chart import LEGEND_BELOW, NARROW_MARGIN, SMALLEST_BAND, Picture, band, line, log_range
from looped.experiments.compare.real_data import HeldOut
from looped.experiments.compare.result import ERROR_CEILING, Comparison

MOST_POINTS = 301
"""Loops drawn at most on an even axis; as many again below a third of T make the early loops as dense on a log axis."""
GD_RIVAL = "Plain gradient descent, η = 2/(λ₁+λ<sub>d</sub>)"
"""Legend of plain gradient descent next to another algorithm."""
TO_TASK = "Distance to αw*"
"""Legend of the second curve, where least squares is not the task."""


@dataclass(frozen=True, slots=True)
class Held:
    """A curve kept on the chart while the settings change."""

    label: str
    """What it was run with."""
    loop: np.ndarray
    error: np.ndarray


def error_chart(result: Comparison) -> Picture:
    """Relative error against loops on a log axis: looped transformer, explicit algorithm, closed form, bounds.

    Next to another algorithm stands plain gradient descent; the rounding floor is drawn where it is in sight.
    """
    settings, curves = result.settings, result.curves
    loops = drawn_loops(settings.loops)
    tiny = float(np.finfo(settings.dtype).eps) / 20
    drawn = {name: np.maximum(values[loops], tiny) for name, values in curves.items()}
    batch = result.prompts.shape[0]
    of = f", median of {batch} prompts" if batch > 1 else ""

    data = [
        line(loops, drawn["looped_median"], result.algorithm.loop_name, width=6, opacity=0.7, role="model"),
        line(
            loops,
            drawn["explicit_median"],
            f"Explicit {result.algorithm.twin}",
            "dash",
            "circle-open",
            role="counterpart",
        ),
    ]
    if "closed_form_median" in drawn:
        name = f"Closed form {result.algorithm.curve}"
        data.append(line(loops, drawn["closed_form_median"], name, "dot", "x-thin-open", width=1, role="reference"))
    if "gd_median" in drawn:
        data.append(line(loops, drawn["gd_median"], GD_RIVAL, "longdash", "cross-open", role="descent"))
    if "task_median" in drawn:
        data.append(line(loops, drawn["task_median"], TO_TASK, "dashdot", "diamond-open", role="task"))
        name = f"{result.algorithm.limit_curve} to αw*"
        data.append(line(loops, drawn["floor_median"], name, "longdashdot", width=1.5, role="floor"))
    data += [
        line(loops, drawn[bound.key], f"Bound {_raised(bound.label)}", dash, symbol, width=1.5, role="bound")
        for bound, dash, symbol in zip(
            result.bounds,
            ("longdash", "longdashdot", "longdashdot"),
            ("triangle-up-open", "square-open", "square-open"),
            strict=True,
        )
        if bound.key in drawn
    ]

    measured = np.concatenate([values for name, values in drawn.items() if name.startswith(("looped", "task"))])
    if result.algorithm.softmax:
        measured = np.concatenate([measured, drawn["explicit_median"]])
    axis, tick = log_range(measured)
    if "rounding_floor" in drawn and np.log10(drawn["rounding_floor"][0]) > axis[0]:
        name = f"Rounding floor, {settings.dtype} (estimate)"
        data.append(line(loops, drawn["rounding_floor"], name, "dot", width=2.5, role="floor"))
    if batch >= SMALLEST_BAND:  # last, so that its two edges take no colour from the lines
        data += band(loops, drawn["looped_p10"], drawn["looped_p90"], "10–90 % of prompts")

    figure = go.Figure(
        {
            "data": data,
            "layout": {
                "height": 430,
                "margin": NARROW_MARGIN,
                "hovermode": "x unified",
                "legend": LEGEND_BELOW,
                "xaxis": {
                    "title": {"text": "loop t"},
                    "range": [0, settings.loops],
                    "dtick": 1 if settings.loops <= 10 else None,
                    "automargin": True,
                },
                "yaxis": {
                    "title": {"text": "relative error ‖w<sub>t</sub> − w<sub>ref</sub>‖ / ‖w<sub>ref</sub>‖"},
                    "type": "log",
                    "range": axis,
                    "exponentformat": "power",
                    **tick,
                    "hoverformat": ".3e",
                    "automargin": True,
                },
            },
        }
    )
    names = {
        "looped_median": result.algorithm.loop_name.lower(),
        "looped_p10": "looped, 10 %",
        "looped_p90": "looped, 90 %",
        "explicit_median": f"explicit {result.algorithm.short()}",
        "closed_form_median": "closed form",
        "gd_median": "plain GD",
        "rounding_floor": "rounding floor",
        "task_median": "distance to αw*",
        "floor_median": "least squares to αw*",
        **{bound.key: f"bound {bound.label}" for bound in result.bounds},
    }
    table = {"loop": loops} | {label: curves[name][loops] for name, label in names.items() if name in curves}
    return Picture(figure, _describe(result, of), table)


def keep(picture: Picture, label: str) -> Held:
    """The loop's own curve of an error chart, to be held on later ones under this label."""
    own = picture.figure.data[0]
    return Held(label, np.asarray(own.x), np.asarray(own.y))


def hold(picture: Picture, held: Sequence[Held]) -> Picture:
    """The error chart with curves of earlier settings on it, axes wide enough for all."""
    figure = go.Figure(picture.figure)
    for place, curve in enumerate(held):
        symbol = ("hexagram-open", "star-open", "pentagon-open", "cross-open")[place % 4]
        figure.add_trace(
            line(curve.loop, curve.error, f"Held: {html.escape(curve.label)}", "dot", symbol, role="model")
        )
    both, others = picture.figure.data[:2], picture.figure.data[2:]
    shown = [trace.y for trace in (*both, *(other for other in others if other.name == TO_TASK))]
    axis, tick = log_range(np.concatenate([*shown, *(curve.error for curve in held)]))
    last = max(picture.table["loop"][-1], *(curve.loop[-1] for curve in held))
    plain: dict[str, Any] = {"dtick": None, "tickformat": None}
    figure.update_layout(yaxis={"range": axis, **plain, **tick}, xaxis={"range": [0, last], "dtick": None})
    ends = "; ".join(f"{curve.label} ends at {curve.error[-1]:.2e}" for curve in held)
    return Picture(figure, f"{picture.alt} Held from earlier: {ends}.", picture.table)


def log_loops(picture: Picture) -> Picture:
    """The error chart with loops on a log axis, from loop 1 on: early loops of a long run are seen."""
    figure = go.Figure(picture.figure)
    last = figure.layout.xaxis.range[1]
    figure.update_xaxes(type="log", range=[0, max(float(np.log10(last)), 0.1)], dtick=None)
    return Picture(figure, f"{picture.alt} The loop axis is logarithmic and starts at loop 1.", picture.table)


def drawn_loops(T: int) -> np.ndarray:
    """Which of the loops 0 … T are drawn."""
    if T < MOST_POINTS:
        return np.arange(T + 1)
    even = np.linspace(0, T, MOST_POINTS)
    early = np.geomspace(1, T / 3, MOST_POINTS)
    return np.unique(np.concatenate([even, early]).round().astype(int))


def prediction_chart(held_out: HeldOut) -> Picture:
    """Prediction against truth for every row of a table, each predicted from the rows of the other folds."""
    y, looped = held_out.y, held_out.looped
    low, high = float(min(y.min(), looped.min())), float(max(y.max(), looped.max()))
    figure = go.Figure(
        {
            "data": [
                {
                    "type": "scatter", "x": y, "y": looped, "mode": "markers", "name": "held-out row",
                    "marker": {"symbol": "circle-open", "size": 6},
                    "hovertemplate": "y %{x:.4g}<br>ŷ %{y:.4g}<extra></extra>",
                },
                {
                    "type": "scatter", "x": [low, high], "y": [low, high], "mode": "lines", "name": "ŷ = y",
                    "line": {"dash": "dash", "width": 1.5}, "hoverinfo": "skip",
                },
            ],
            "layout": {
                "height": 380,
                "margin": NARROW_MARGIN,
                "legend": LEGEND_BELOW,
                "xaxis": {"title": {"text": f"y, {html.escape(held_out.target)}"}, "automargin": True},
                "yaxis": {"title": {"text": "ŷ, predicted by the looped transformer"}, "automargin": True},
            },
        }
    )  # fmt: skip
    alt = (
        f"Scatter of predicted against true {held_out.target} for {len(y)} held-out rows: R² is "
        f"{held_out.r2_looped:.4f} for the looped transformer and {held_out.r2_reference:.4f} for scikit-learn's "
        "LinearRegression on the same folds."
    )
    return Picture(figure, alt, {"y": y, "looped transformer": looped, "LinearRegression": held_out.reference})


def _raised(formula: str) -> str:
    """A formula such as e^(−t/(2κ)) as Plotly sets it, the exponent raised."""
    return re.sub(r"\^\((.*)\)$", r"<sup>\1</sup>", formula)


def _describe(result: Comparison, of: str) -> str:
    settings, curves = result.settings, result.curves
    final = curves["looped_median"][-1]
    who = result.algorithm.loop_name if result.passed is None else "The looped transformer"
    text = (
        f"Relative error against loops, log axis{of}. {who} goes from 1 at loop 0 to "
        f"{final:.2e} at loop {settings.loops}. The largest difference to the iterates of explicit "
        f"{result.algorithm.twin} is {result.gap:.1e}, {result.relative_gap:.1e} of the largest iterate"
    )
    if result.passed is None:
        end = curves["explicit_median"][-1]
        text += f": {result.algorithm.loop_name.lower()} does something else. Gradient descent ends at {end:.2e}."
    else:
        text += f", {'within' if result.passed else 'beyond'} the tolerance {result.tolerance:.1e}."
    if "closed_form_median" in curves:
        text += f" The closed form ends at {curves['closed_form_median'][-1]:.2e}."
    if "gd_median" in curves:
        text += f" Plain gradient descent with the step 2/(λ₁+λ_d) ends at {curves['gd_median'][-1]:.2e}."
    if "rounding_floor" in curves:
        text += f" In {settings.dtype} rounding is estimated to rule below {curves['rounding_floor'][-1]:.1e}."
    if result.ceiling_from is not None:
        text += f" Curves are cut at {ERROR_CEILING:.0e}, first reached at loop {result.ceiling_from}."
    if "task_median" in curves:
        text += (
            f" The distance to the true task αw* ends at {curves['task_median'][-1]:.2e}; that of the limit w_ref is "
            f"{curves['floor_median'][-1]:.2e}."
        )
    for bound in result.bounds:
        if bound.values is not None:
            text += f" The bound {bound.label} ends at {float(bound.values[-1]):.2e}."
    return text
