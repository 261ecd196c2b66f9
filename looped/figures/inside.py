"""One prompt inside the loop: tokens, scores, update, iterate, path and weights, one figure with a frame per loop."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from looped.attention import Weights
from looped.experiments.inside import GRID, Inside
from looped.figures.picture import Picture

FURTHEST = 3.0
"""How far beyond its start a diverging value is still drawn."""
MARGIN = {"l": 56, "r": 12, "t": 8, "b": 8}
TITLES = {
    "scores": "Scores z<sub>i</sub>ᵀQz: how wrong is each example?",
    "tokens": "Tokens Z<sub>t</sub>: which of them moves?",
    "update": "Update Δ<sub>t</sub>",
    "iterate": "Iterate w<sub>t</sub>",
    "plane": "Where is w<sub>t</sub> on the loss?",
    "P": "P: what is written",
    "Q": "Q: what is compared",
}
AXES = {view: str(place) if place > 1 else "" for place, view in enumerate(TITLES, 1)}
"""Number of each view's axes, as Plotly writes them."""


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Where the views stand: what changes in the layout between a wide and a narrow page."""

    height: int
    """Of the figure, pixels."""
    layout: dict[str, Any]
    """Keys in Plotly's dotted form, for `update_layout` here and `relayout` in the browser."""


def player(inside: Inside, *, controls: bool = True) -> Picture:
    """Everything one pass computes, a frame per loop.

    Seven views in one figure, so that a frame moves them together. Only what moves is in the frames.

    Args:
        inside: one prompt's record.
        controls: draw Plotly's own play button and slider; a page with its own leaves them out.
    """
    wide = arrange(inside, narrow=False)
    moving, still = _moving(inside, 0), _still(inside)
    # Plotly gives trace k the k-th of ten colours: 0, 1, 2 and 10, 11, 12 are the transformer, GD and w_ref twice.
    order = ["iterate", "explicit", "solution", "scores", "examples", "query", "update", "loss", "P", "Q",
             "path", "explicit path", "goal"]  # fmt: skip
    traces = {**moving, **still}
    places = [order.index(name) for name in moving]
    figure = go.Figure(
        {
            "data": [traces[name] for name in order],
            "layout": _layout(inside),
            "frames": [
                {
                    "name": str(loop),
                    "traces": places,
                    "data": [_only_numbers(trace) for trace in _moving(inside, frame).values()],
                }
                for frame, loop in enumerate(inside.loops)
            ],
        }
    )
    figure.update_layout({"height": wide.height, **wide.layout})
    if controls:
        _add_controls(figure, inside, wide.height)
    return Picture(figure, _describe(inside), _table(inside))


def captions(inside: Inside) -> list[str]:
    """What a reader hears at each shown loop."""
    return [
        f"loop {loop:,} of {inside.last:,}: error {error:.2g}"
        for loop, error in zip(inside.loops, inside.errors, strict=True)
    ]


def arrange(inside: Inside, *, narrow: bool) -> Arrangement:
    """Places of the seven views and their titles: in three rows, or one below the other for a narrow page."""
    tall = int(np.clip(22 * len(inside.rows), 120, 340))
    views: dict[str, tuple[float, float, int, int]] = {}  # left, right, top and height in pixels
    if narrow:
        rows: list[tuple[int, dict[str, tuple[float, float]]]] = [
            (100, {"scores": (0, 1)}), (tall, {"tokens": (0, 1)}), (tall, {"update": (0, 0.46), "iterate": (0.54, 1)}),
            (300, {"plane": (0, 1)}), (130, {"P": (0, 0.42), "Q": (0.58, 1)}),
        ]  # fmt: skip
        top, gaps = 84, [34, 74, 74, 84, 40]
    else:
        rows = [
            (100, {"scores": (0, 0.6)}),
            (tall, {"tokens": (0, 0.6), "update": (0.65, 0.8), "iterate": (0.85, 1)}),
            (300, {"plane": (0, 0.48), "P": (0.6, 0.77), "Q": (0.83, 1)}),
        ]
        top, gaps = 26, [34, 84, 50]
    for (height, across), gap in zip(rows, gaps, strict=True):
        views |= {view: (left, right, top, height if len(view) > 1 else 150) for view, (left, right) in across.items()}
        top += height + gap
    layout: dict[str, Any] = {
        "legend.x": 0 if narrow else 0.65, "legend.y": 1, "legend.orientation": "h" if narrow else "v",
        "yaxis3.showticklabels": narrow,
    }  # fmt: skip
    for place, (view, (left, right, above, height)) in enumerate(views.items()):
        layout[f"xaxis{AXES[view]}.domain"] = [left, right]
        layout[f"yaxis{AXES[view]}.domain"] = [1 - (above + height) / top, 1 - above / top]
        layout[f"annotations[{list(TITLES).index(view)}].x"] = left
        layout[f"annotations[{list(TITLES).index(view)}].y"] = 1 - (above - 3) / top
        del place
    return Arrangement(top + MARGIN["t"] + MARGIN["b"], layout)


def _moving(inside: Inside, frame: int) -> dict[str, dict[str, Any]]:
    """The traces that change, at one frame."""
    w = np.flatnonzero(~np.isnan(inside.solution))
    path, explicit = inside.plane.looped[: frame + 1], inside.plane.explicit[: frame + 1]
    here = np.zeros(frame + 1, np.int8)
    here[-1] = 11
    return {
        "iterate": {
            "type": "scatter", "mode": "markers", "name": "transformer", "x": _short(inside.queries[frame, w]), "y": w,
            "marker": {"size": 9}, **_on("iterate"), "hovertemplate": "%{x:.4g}",
        },
        "explicit": {
            "type": "scatter", "mode": "markers", "name": "explicit gradient descent", "y": w,
            "x": _short(inside.explicit[frame, w]), "marker": {"symbol": "circle-open", "size": 14},
            **_on("iterate"), "hovertemplate": "%{x:.4g}",
        },
        "scores": {
            "type": "bar", "name": "score", "y": _short(inside.scores[frame]), **_on("scores"),
            "x": np.arange(1, inside.scores.shape[1] + 1), "showlegend": False, "hovertemplate": "example %{x}: %{y:.4g}",
        },
        "query": {
            "type": "heatmap", "name": "query", "z": _short(inside.queries[frame])[:, None], **_on("tokens"),
            "x": _query_edges(inside), "coloraxis": "coloraxis", "hovertemplate": "query: %{z:.4g}<extra></extra>",
        },
        "update": {
            "type": "bar", "orientation": "h", "name": "update", "x": _short(inside.updates[frame]), **_on("update"),
            "y": np.arange(len(inside.rows)), "showlegend": False, "hovertemplate": "%{x:.4g}",
        },
        "path": {
            "type": "scatter", "mode": "lines+markers", "name": "transformer's path", "showlegend": False,
            "x": _short(path[:, 0]), "y": _short(path[:, 1]), "marker": {"size": here, "opacity": 1}, **_on("plane"),
            "line": {"width": 3}, "hoverinfo": "skip",
        },
        "explicit path": {
            "type": "scatter", "mode": "markers", "name": "path of explicit gradient descent", "showlegend": False,
            "x": _short(explicit[:, 0]), "y": _short(explicit[:, 1]), "marker": {"symbol": "circle-open", "size": 9},
            **_on("plane"), "hoverinfo": "skip",
        },
    }  # fmt: skip


def _only_numbers(trace: dict[str, Any]) -> dict[str, Any]:
    numbers = {key: trace[key] for key in ("x", "y", "z") if trace.get("type") and key in trace}
    match trace["name"]:
        case "transformer" | "explicit gradient descent" | "update":
            del numbers["y"]
        case "query" | "score":
            del numbers["x"]
        case "transformer's path":
            numbers["marker"] = {"size": trace["marker"]["size"]}
    return {"type": trace["type"], **numbers}


def _still(inside: Inside) -> dict[str, dict[str, Any]]:
    """The traces that stay."""
    plane, w = inside.plane, np.flatnonzero(~np.isnan(inside.solution))
    radius, center = _radius(inside), plane.center
    across, up = (center[:, None] + radius * np.array([[2.2], [1.4]]) * np.linspace(-1, 1, GRID)).astype(np.float32)
    excess = plane.excess(across, up)
    solution = {"name": "least squares w<sub>ref</sub>", "type": "scatter", "mode": "markers",
                "marker": {"symbol": "x-thin-open", "size": 11, "line": {"width": 2}}}  # fmt: skip
    return {
        "solution": {**solution, "x": _short(inside.solution[w]), "y": w, **_on("iterate"), "hovertemplate": "%{x:.4g}"},
        "goal": {
            **solution, "x": _short(center[:1]), "y": _short(center[1:]), **_on("plane"), "showlegend": False,
            "hoverinfo": "skip",
        },
        "examples": {
            "type": "heatmap", "name": "examples", "z": _short(inside.examples), "coloraxis": "coloraxis", "x0": 1,
            **_on("tokens"), "hovertemplate": "example %{x}: %{z:.4g}<extra></extra>",
        },
        "loss": {
            "type": "contour", "x": across, "y": up, "showscale": False, **_on("plane"), "hoverinfo": "skip",
            "z": _short(np.log10(np.maximum(excess, 1e-4 * excess.max() + 1e-300))), "ncontours": 12, "opacity": 0.6,
            "contours": {"coloring": "lines"}, "line": {"width": 1.2}, "autocolorscale": True,
        },
        **{
            name: {
                "type": "heatmap", "z": _short(matrix.numpy()[np.ix_(inside.rows, inside.rows)]), **_on(name), "zmin": -1,
                "zmax": 1, "showscale": False, "autocolorscale": True, "xgap": 1, "ygap": 1,
                "hovertemplate": "%{z:.4g}<extra></extra>",
            }
            for name, matrix in (("P", inside.weights.P), ("Q", inside.weights.Q))
        },
    }  # fmt: skip


def _layout(inside: Inside) -> dict[str, Any]:
    names, R, C = row_names(inside), len(inside.rows), inside.examples.shape[1]
    rows = {"range": [R - 0.5, -0.5], "fixedrange": True, "zeroline": False, "showgrid": False}
    named = {"tickvals": list(range(R)), "ticktext": names}
    tokens = {"range": [0.4, _query_edges(inside)[1] + 0.1], "fixedrange": True, "showgrid": False, "zeroline": False}
    ticks = [1, *range(10, C - 1, 10), C] if C > 12 else list(range(1, C + 1))
    radius, center, span = _radius(inside), inside.plane.center, np.array([-1.0, 1.0])
    w = ~np.isnan(inside.solution)
    layout: dict[str, Any] = {
        "margin": MARGIN, "bargap": 0.25, "hovermode": "closest", "legend": {"yanchor": "top"},
        "coloraxis": {"autocolorscale": True, "showscale": False, "cmin": -2, "cmax": 2},
        "xaxis": {**tokens, "showticklabels": False},
        "yaxis": {"range": _symmetric(inside.scores), "fixedrange": True, "nticks": 4},
        "xaxis2": {
            **tokens, "tickvals": [*ticks, float(np.mean(_query_edges(inside)))],
            "ticktext": [*map(str, ticks), "<b>query</b>"], "tickangle": 0, "title": {"text": "example i", "standoff": 4},
        },
        "yaxis2": {**rows, **named},
        "xaxis3": {"range": _symmetric(inside.updates), "fixedrange": True, "nticks": 3},
        "yaxis3": {**rows, **named},
        "xaxis4": {
            "range": _symmetric(np.c_[inside.queries[:, w], np.tile(inside.solution[w], (len(inside.loops), 1))]),
            "fixedrange": True, "nticks": 3,
        },
        "yaxis4": {**rows, "showticklabels": False, "showgrid": True, "tickvals": list(np.flatnonzero(w))},
        "xaxis5": {
            "title": {"text": inside.plane.names[0], "standoff": 4}, "range": list(center[0] + radius * span),
            "nticks": 6, "zeroline": False,
        },
        "yaxis5": {
            "title": {"text": inside.plane.names[1], "standoff": 2}, "range": list(center[1] + radius * span),
            "scaleanchor": "x5", "nticks": 6, "zeroline": False,
        },
        "annotations": [
            {"text": f"<b>{title}</b>", "xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "bottom",
             "showarrow": False, "align": "left"} for title in TITLES.values()
        ],
        "shapes": [],
    }  # fmt: skip
    groups = slots(inside)
    middles = [(start + stop - 1) / 2 for _, start, stop in groups]
    for name, matrix in (("P", inside.weights.P), ("Q", inside.weights.Q)):
        k, shown = AXES[name], matrix.numpy()[np.ix_(inside.rows, inside.rows)]
        labels = {"tickvals": middles, "ticktext": [label for label, *_ in groups], "ticks": "", "tickangle": 0}
        layout[f"xaxis{k}"] = {**labels, "range": [-0.5, R - 0.5], "fixedrange": True, "showgrid": False, "side": "bottom"}
        layout[f"yaxis{k}"] = {**rows, **labels}
        for i, (_, top, bottom) in enumerate(groups):
            for j, (_, left, right) in enumerate(groups):
                layout["annotations"].append(
                    {"text": block(shown[top:bottom, left:right]), "x": middles[j], "y": middles[i], "xref": f"x{k}",
                     "yref": f"y{k}", "showarrow": False, "font": {"size": 15}}
                )  # fmt: skip
        for _, _, stop in groups[:-1]:
            edge = {"type": "line", "line": {"width": 1, "color": "gray"}, "xref": f"x{k}", "yref": f"y{k}"}
            layout["shapes"] += [
                {**edge, "x0": stop - 0.5, "x1": stop - 0.5, "y0": -0.5, "y1": R - 0.5},
                {**edge, "y0": stop - 0.5, "y1": stop - 0.5, "x0": -0.5, "x1": R - 0.5},
            ]
    for view, k in AXES.items():
        layout[f"xaxis{k}"]["anchor"], layout[f"yaxis{k}"]["anchor"] = f"y{k}", f"x{k}"
        del view
    return layout


def slots(inside: Inside) -> list[tuple[str, int, int]]:
    """What the shown rows of a token hold: name, first row, row after the last."""
    weights = inside.weights
    held: dict[tuple[int, int], list[str]] = {}
    for name, rows in _slots(weights):
        places = np.flatnonzero((inside.rows >= rows.start) & (inside.rows < rows.stop))
        held.setdefault((int(places[0]), int(places[-1]) + 1), []).append(name)
    return [(", ".join(names), start, stop) for (start, stop), names in sorted(held.items())]


def _slots(weights: Weights) -> Iterable[tuple[str, slice]]:
    yield from (("x", weights.x), ("y", slice(weights.y, weights.y + 1)))
    yield from (("w", weights.w), ("α", slice(weights.alpha, weights.alpha + 1)))


def row_names(inside: Inside) -> list[str]:
    """A name for every shown row: x<sub>1</sub>, …, y, and the query's own."""
    names = []
    for label, start, stop in slots(inside):
        first = inside.rows[start]
        names += [
            label if stop - start == 1 and inside.sizes[1] > 1 else ", ".join(f"{part}<sub>{row - first + 1}</sub>" for part in label.split(", "))
            for row in inside.rows[start:stop]
        ]
    return names


def block(values: np.ndarray) -> str:
    """The name of a block of P or Q: 0, a number, a multiple of I, or nothing."""
    if not values.any():
        return "0"
    scale = float(values.flat[0])
    number = f"{scale:g}".replace("-", "−")
    if values.size == 1:
        return number
    if values.shape[0] == values.shape[1] and np.array_equal(values, scale * np.eye(len(values))):
        return "I" if scale == 1 else "−I" if scale == -1 else f"{number}·I"
    return ""


def _add_controls(figure: go.Figure, inside: Inside, height: int) -> None:
    """Plotly's own play button and slider, for a page that has no other."""
    at_once = {"mode": "immediate", "transition": {"duration": 0}, "frame": {"duration": 0, "redraw": True}}
    play = {"transition": {"duration": 0}, "frame": {"duration": 350, "redraw": True}, "fromcurrent": True}
    figure.update_layout(
        height=height + 90,
        margin={"b": 98},
        updatemenus=[
            {
                "type": "buttons", "direction": "left", "showactive": False, "x": 0, "y": 0, "xanchor": "left",
                "yanchor": "top", "pad": {"t": 30, "l": -40},
                "buttons": [
                    {"label": "▶", "method": "animate", "args": [None, play]},
                    {"label": "❚❚", "method": "animate", "args": [[None], at_once]},
                ],
            }
        ],
        sliders=[
            {
                "x": 0.12, "len": 0.88, "y": 0, "pad": {"t": 20}, "currentvalue": {"prefix": ""},
                "steps": [
                    {"label": str(loop), "method": "animate", "args": [[str(loop)], at_once], "value": text}
                    for loop, text in zip(inside.loops, captions(inside), strict=True)
                ],
            }
        ],
    )  # fmt: skip


def _on(view: str) -> dict[str, str]:
    return {"xaxis": f"x{AXES[view]}", "yaxis": f"y{AXES[view]}"}


def _query_edges(inside: Inside) -> list[float]:
    """The query stands right of the examples, a little apart and wide enough to be seen."""
    C = inside.examples.shape[1]
    return [C + 0.5 + max(0.03 * C, 0.3), C + 0.5 + max(0.11 * C, 1.3)]


def _short(values: np.ndarray) -> np.ndarray:
    """Seven digits are enough to draw with, and travel in half the bytes."""
    return np.clip(np.nan_to_num(values, nan=0.0), -1e30, 1e30).astype(np.float32)


def _symmetric(values: np.ndarray) -> list[float]:
    """A range around 0 that holds all frames (F, …), or what a diverging run starts with."""
    each = np.abs(values).reshape(len(values), -1).max(axis=1)
    start = each[each > 0][:1]
    largest = 1.1 * float(min(each.max(), FURTHEST * start[0])) if start.size else 1.0
    return [-largest, largest]


def _radius(inside: Inside) -> float:
    """Half the width of the plane that is shown: the whole path, or what a diverging one starts with."""
    distance = np.abs(inside.plane.looped - inside.plane.center).max(axis=1)
    return 1.15 * float(min(distance.max(), FURTHEST * distance[0])) or 1.0


def _describe(inside: Inside) -> str:
    n, d = inside.sizes
    score, update = inside.largest_score, inside.update_length
    return (
        f"Prompt {inside.prompt + 1} inside the loop, {len(inside.loops)} of its loops from 0 to {inside.last:,} to step "
        f"through: the {n} example tokens, which stay, and the query, which moves; the attention score of every example; "
        f"the update of the query; the iterate beside explicit gradient descent and least squares; both paths on the "
        f"contours of the loss; the blocks of P and Q for d = {d}. From the first to the last loop the error goes from "
        f"{inside.errors[0]:.2g} to {inside.errors[-1]:.2g}, the largest score from {score[0]:.2g} to {score[-1]:.2g} and "
        f"the length of the update from {update[0]:.2g} to {update[-1]:.2g}. {inside.cut}"
    ).strip()


def _table(inside: Inside) -> dict[str, np.ndarray]:
    w = ~np.isnan(inside.solution)
    return {
        "loop": inside.loops,
        "error": inside.errors,
        "largest score": inside.largest_score,
        "length of the update": inside.update_length,
        "largest difference to explicit GD": np.abs(inside.queries[:, w] - inside.explicit[:, w]).max(axis=1),
    }
