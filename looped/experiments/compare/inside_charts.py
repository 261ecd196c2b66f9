"""One prompt inside the loop: tokens, scores, update, iterate, path and weights, one figure with a frame per loop."""

from typing import Any

import numpy as np

from looped.chart import Picture, log_range
from looped.experiments.compare import player_layout as stage
from looped.experiments.compare.curves import ERROR_CEILING
from looped.experiments.compare.inside import Inside
from looped.experiments.compare.player_layout import AXES

ELLIPSES = 9
"""Lines of equal loss, evenly spaced, the widest through the corners of the plane."""
POINTS = 73
"""Points of an ellipse."""
FURTHEST = 3.0
"""Factor on its start up to which a diverging value is drawn."""
ORDER = (
    "iterate", "explicit", "solution", "scores", "examples", "query", "update", "loss", "P", "Q",
    "path", "explicit path", "goal", "errors", "error now",
)  # fmt: skip
"""Traces as drawn. Plotly's ten colours come round: traces 0 to 2 and 10 to 12 are transformer, GD and w_ref."""


def player(inside: Inside, *, controls: bool = True) -> Picture:
    """Everything one pass computes, a frame per loop.

    Eight views in one figure, so that a frame moves them together. Only what moves is in the frames.

    Args:
        inside: one prompt's record.
        controls: draw Plotly's own play button and slider; a page with its own leaves them out.
    """
    frames = [_moving(inside, place) for place in range(len(inside.loops))]
    styles, moving = _styles(inside), [ORDER.index(name) for name in frames[0]]
    traces = styles | {name: styles[name] | numbers for name, numbers in frames[0].items()}
    wide = arrange(inside, narrow=False)
    layout = stage.layout(inside, _axes(inside)) | {"height": wide.height}
    wide.apply(layout)
    spec = {
        "data": [traces[name] for name in ORDER],
        "layout": layout | (_controls(inside, wide.height) if controls else {}),
        "frames": [
            {
                "name": str(loop),
                "traces": moving,
                "data": [{"type": styles[name]["type"], **numbers} for name, numbers in frame.items()],
            }
            for loop, frame in zip(inside.loops, frames, strict=True)
        ],
    }
    return Picture(spec, _describe(inside), _table(inside))


def captions(inside: Inside) -> list[str]:
    """The text that a screen reader says at each shown loop."""
    return [
        f"loop {loop:,} of {inside.last:,}: error {error:.2g}"
        for loop, error in zip(inside.loops, inside.errors, strict=True)
    ]


def arrange(inside: Inside, *, narrow: bool) -> stage.Arrangement:
    """Places of the views on a wide or a narrow page, with a square piece of the plane."""
    arrangement, radius = stage.arrange(len(inside.rows), narrow=narrow), _radius(inside)
    for axis, middle in zip("xy", inside.plane.center, strict=True):
        arrangement.layout[f"{axis}axis{AXES['plane']}.range"] = [float(middle - radius), float(middle + radius)]
    return arrangement


def _moving(inside: Inside, place: int) -> dict[str, dict[str, Any]]:
    """The numbers that change, at one of the shown loops."""
    w, seen = inside.iterate_rows, slice(place + 1)
    path, explicit = inside.plane.looped[seen], inside.plane.explicit[seen]
    here = np.zeros(place + 1, np.int8)
    here[-1] = 11
    return {
        "iterate": {"x": _short(inside.queries[place, w])},
        "explicit": {"x": _short(inside.explicit[place])},
        "scores": {"y": _short(inside.scores[place])},
        "query": {"z": _short(inside.queries[place])[:, None]},
        "update": {"x": _short(inside.updates[place])},
        "path": {"x": _short(path[:, 0]), "y": _short(path[:, 1]), "marker": {"size": here, "opacity": 1}},
        "explicit path": {"x": _short(explicit[:, 0]), "y": _short(explicit[:, 1])},
        "error now": {"x": inside.loops[[place]], "y": _errors(inside)[[place]]},
    }


def _styles(inside: Inside) -> dict[str, dict[str, Any]]:
    """Every trace with what does not change."""
    plane, w, (R, C) = inside.plane, inside.iterate_rows, inside.examples.shape
    ellipses = _ellipses(inside)
    number = "%{x:.4g}<extra>%{fullData.name}</extra>"
    points = {"type": "scatter", "mode": "markers"}
    on_plane = {**stage.on("plane"), "showlegend": False, "hoverinfo": "skip"}
    solution = {**points, "name": "limit w<sub>ref</sub>",
                "marker": {"symbol": "x-thin-open", "size": 11, "line": {"width": 2}}}  # fmt: skip
    explicit = {**points, "name": inside.twin}
    return {
        "iterate": {
            **points, "name": "transformer", "y": w, "marker": {"size": 9}, **stage.on("iterate"),
            "hovertemplate": number,
        },
        "explicit": {
            **explicit, "y": w, "marker": {"symbol": "circle-open", "size": 14}, **stage.on("iterate"),
            "hovertemplate": number,
        },
        "solution": {**solution, "x": _short(inside.solution), "y": w, **stage.on("iterate"), "hovertemplate": number},
        "scores": {
            "type": "bar", "name": "score", "x": np.arange(1, C + 1), "showlegend": False, **stage.on("scores"),
            "hovertemplate": "example %{x}: %{y:.4g}<extra></extra>",
        },
        "examples": {
            "type": "heatmap", "z": _short(inside.examples), "coloraxis": "coloraxis", "x0": 1, **stage.on("tokens"),
            "hovertemplate": "example %{x}: %{z:.4g}<extra></extra>",
        },
        "query": {
            "type": "heatmap", "x": stage.query_edges(C), "coloraxis": "coloraxis", **stage.on("tokens"),
            "hovertemplate": "query: %{z:.4g}<extra></extra>",
        },
        "update": {
            "type": "bar", "orientation": "h", "name": "update", "y": np.arange(R), "showlegend": False,
            **stage.on("update"), "hovertemplate": number,
        },
        "loss": {
            "type": "scatter", "mode": "lines", "x": _short(ellipses[:, 0]), "y": _short(ellipses[:, 1]),
            "line": {"width": 1, "color": "gray"}, "opacity": 0.55, **on_plane,
        },
        "P": _matrix(inside, "P"),
        "Q": _matrix(inside, "Q"),
        "path": {**points, "mode": "lines+markers", "name": "transformer", "line": {"width": 3}, **on_plane},
        "explicit path": {**explicit, "marker": {"symbol": "circle-open", "size": 9}, **on_plane},
        "goal": {**solution, "x": _short(plane.center[:1]), "y": _short(plane.center[1:]), **on_plane},
        "errors": {
            "type": "scatter", "mode": "lines", "x": inside.loops, "y": _errors(inside), "showlegend": False,
            **stage.on("error"), "hovertemplate": "loop %{x}: %{y:.2e}<extra></extra>",
        },
        "error now": {**points, "showlegend": False, "marker": {"size": 12}, **stage.on("error"), "hoverinfo": "skip"},
    }  # fmt: skip


def _ellipses(inside: Inside) -> np.ndarray:
    """Lines of equal loss with gaps between them, (E·(POINTS + 1), 2)."""
    corner = _radius(inside) * np.array([[1.3, 1.0], [1.3, -1.0]])
    largest = float((np.einsum("ci,ij,cj->c", corner, inside.plane.curvature, corner) / 2).max()) or 1.0
    gap = np.full((1, 2), np.nan)
    steps = (np.arange(1, ELLIPSES + 1) / ELLIPSES) ** 2
    return np.concatenate([part for step in steps for part in (inside.plane.contour(largest * step, POINTS), gap)])


def _matrix(inside: Inside, name: str) -> dict[str, Any]:
    """P or Q: zero entries stay empty, and a single number in a block is written into its cell."""
    shown, slots = stage.weight_rows(inside, name), stage.slots(inside)
    alone = np.full(shown.shape, "", dtype=object)
    for _, top, bottom in slots:
        for _, left, right in slots:
            if (bottom - top) * (right - left) == 1 and shown[top, left]:
                alone[top, left] = stage.block(shown[top:bottom, left:right])
    return {
        "type": "heatmap", "z": np.where(shown == 0, np.nan, shown).astype(np.float32), "zmin": -1.2, "zmax": 1.2,
        "showscale": False, "autocolorscale": True, "xgap": 1, "ygap": 1, "text": alone, "texttemplate": "%{text}",
        "hovertemplate": "%{z:.4g}<extra></extra>", "hoverongaps": False, **stage.on(name),
    }  # fmt: skip


def _axes(inside: Inside) -> dict[str, dict[str, Any]]:
    """The ranges of the axes, which hold every frame, and their names."""
    both = np.c_[inside.queries[:, inside.iterate_rows], np.tile(inside.solution, (len(inside.loops), 1))]
    return {
        f"yaxis{AXES['scores']}": {"range": _symmetric(inside.scores), "nticks": 4},
        f"xaxis{AXES['update']}": {"range": _symmetric(inside.updates), "nticks": 3},
        f"xaxis{AXES['iterate']}": {"range": _symmetric(both), "nticks": 5},
        f"xaxis{AXES['plane']}": {"title": {"text": inside.plane.names[0], "standoff": 4}},
        f"yaxis{AXES['plane']}": {"title": {"text": inside.plane.names[1], "standoff": 2}},
        f"xaxis{AXES['error']}": {"range": [0, inside.last]},
        f"yaxis{AXES['error']}": {"range": log_range(_errors(inside))[0]},
    }


def _controls(inside: Inside, height: int) -> dict[str, Any]:
    """The layout of Plotly's own play button and slider, for a page that has no other."""
    at_once = {"mode": "immediate", "transition": {"duration": 0}, "frame": {"duration": 0, "redraw": True}}
    play = {"transition": {"duration": 0}, "frame": {"duration": 350, "redraw": True}, "fromcurrent": True}
    buttons = {
        "type": "buttons", "direction": "left", "showactive": False, "x": 0, "y": 0, "xanchor": "left",
        "yanchor": "top", "pad": {"t": 30, "l": -40},
        "buttons": [
            {"label": "▶", "method": "animate", "args": [None, play]},
            {"label": "❚❚", "method": "animate", "args": [[None], at_once]},
        ],
    }  # fmt: skip
    slider = {
        "x": 0.12, "len": 0.88, "y": 0, "pad": {"t": 20}, "currentvalue": {"prefix": "", "font": {"color": "gray"}},
        "steps": [
            {"label": text, "method": "animate", "args": [[str(loop)], at_once], "value": str(loop)}
            for loop, text in zip(inside.loops, captions(inside), strict=True)
        ],
        "font": {"color": "rgba(0,0,0,0)"}, "ticklen": 0,
    }  # fmt: skip
    return {
        "height": height + 90, "margin": stage.MARGIN | {"b": 98}, "updatemenus": [buttons], "sliders": [slider],
    }  # fmt: skip


def _short(values: np.ndarray) -> np.ndarray:
    """Seven digits are enough to draw with, and travel in half the bytes."""
    return np.clip(values, -1e30, 1e30).astype(np.float32)


def _symmetric(values: np.ndarray) -> list[float]:
    """A range around 0 that holds all frames (F, …), or what a diverging run starts with."""
    each = np.abs(values).max(axis=1)
    start = each[each > 0][:1]
    largest = 1.1 * float(min(each.max(), FURTHEST * start[0])) if start.size else 1.0
    return [-largest, largest]


def _errors(inside: Inside) -> np.ndarray:
    """The errors, cut to what a log axis can show."""
    return np.clip(inside.errors, np.finfo(inside.queries.dtype).eps / 20, ERROR_CEILING)


def _radius(inside: Inside) -> float:
    """Half the width of the plane that is shown: the whole path, or what a diverging one starts with."""
    distance = np.abs(inside.plane.looped - inside.plane.center).max(axis=1)
    return 1.15 * float(min(distance.max(), FURTHEST * distance[0])) or 1.0


def _describe(inside: Inside) -> str:
    n, d = inside.sizes
    score, update = inside.largest_score, inside.update_length
    return (
        f"Prompt {inside.prompt + 1} inside the loop, {len(inside.loops)} of its loops from 0 to {inside.last:,} to "
        f"step through: the {n:,} example tokens, which stay, and the query, which moves; the attention score of every "
        f"example; the update of the query; the iterate beside {inside.twin} and where it is heading; both paths "
        f"on the contours of the loss; the error; the blocks of P and Q for d = {d}. From the first to the last loop "
        f"the error goes from {inside.errors[0]:.2g} to {inside.errors[-1]:.2g}, the largest score from {score[0]:.2g} "
        f"to {score[-1]:.2g} and the length of the update from {update[0]:.2g} to {update[-1]:.2g}. {inside.cut}"
    ).strip()


def _table(inside: Inside) -> dict[str, np.ndarray]:
    apart = np.abs(inside.queries[:, inside.iterate_rows] - inside.explicit).max(axis=1)
    return {
        "loop": inside.loops,
        "error": inside.errors,
        "largest score": inside.largest_score,
        "length of the update": inside.update_length,
        "difference to the explicit iterate": apart,
    }
