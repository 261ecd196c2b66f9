"""One prompt inside the loop: tokens, scores, update, iterate, path and weights, with a step for each loop."""

from typing import Any

import numpy as np

from looped.chart import CELLS, IN_CELL, Motion, Picture, colour, leave, short, short_each
from looped.experiments.compare import player_layout as stage
from looped.experiments.compare.curves import ERROR_CEILING
from looped.experiments.compare.inside import Inside

ORDER = (
    "iterate", "explicit", "solution", "scores", "examples", "query", "update", "loss", "P", "Q",
    "path", "explicit path", "goal", "errors", "error now", "here", "gone",
)  # fmt: skip
"""Traces as drawn. Plotly's ten colours come round: traces 0 to 2 and 10 to 12 are transformer, GD and w_ref."""


def player(inside: Inside) -> Picture:
    """Everything one pass computes, a step for each shown loop; one figure, so that a step moves all eight views.

    Raises:
        ValueError: for an algorithm that moves more than one query.
    """
    if not inside.algorithm.one_query:
        raise ValueError(f"{inside.algorithm.name} moves more than one query.")
    traces, layouts = _styles(inside), [stage.layout(inside, narrow=narrow) for narrow in (False, True)]
    axes = stage.AXES["error"]
    top = layouts[0][f"yaxis{axes}"]["range"][1]
    arrows = leave([traces["errors"]], ERROR_CEILING, top, "off the chart", axes=axes)
    for layout in layouts:
        layout["annotations"] += arrows
    motion = Motion(
        captions=captions(inside),
        grown=[ORDER.index("path"), ORDER.index("explicit path")],
        moved={(ORDER.index(name), attribute): values for (name, attribute), values in _moved(inside).items()},
        narrow=layouts[1],
        opens=0,
    )
    spec = {"data": [traces[name] for name in ORDER], "layout": layouts[0]}
    return Picture(spec, _describe(inside), _table(inside), motion=motion)


def captions(inside: Inside) -> list[str]:
    """The text that a screen reader says at each shown loop."""
    return [
        f"loop {loop:,} of {inside.last:,}: error {error:.2g}"
        for loop, error in zip(inside.loops, inside.errors, strict=True)
    ]


def _moved(inside: Inside) -> dict[tuple[str, str], Any]:
    """What changes from loop to loop: by trace and attribute, its value at each, (F, …)."""
    path = short(inside.plane.looped)
    return {
        ("iterate", "x"): short(inside.queries[:, inside.iterate_rows]),
        ("explicit", "x"): short(inside.explicit),
        ("scores", "y"): short_each(inside.scores),
        ("query", "z"): short_each(inside.queries[..., None]),
        ("update", "x"): short(inside.updates),
        ("here", "x"): path[:, :1],
        ("here", "y"): path[:, 1:],
        ("gone", "text"): inside.plane.told(),
        ("error now", "x"): inside.loops[:, None],
        ("error now", "y"): inside.drawn_errors[:, None],
    }


def _styles(inside: Inside) -> dict[str, dict[str, Any]]:
    """Every trace with what does not change."""
    plane, w, (R, C) = inside.plane, inside.iterate_rows, inside.examples.shape
    valley, path, explicit_path = (short(v) for v in (plane.valley(), plane.looped, plane.explicit))
    number = "%{x:.4g}<extra>%{fullData.name}</extra>"
    points = {"type": "scatter", "mode": "markers"}
    on_plane = {**stage.on("plane"), "showlegend": False, "hoverinfo": "skip"}
    what = inside.algorithm.limit_curve.lower() if inside.algorithm.ends_elsewhere else "limit"
    solution = {**points, "name": f"{what} w<sub>ref</sub>",
                "marker": {"symbol": "x-thin-open", "size": 11, "line": {"width": 2}}}  # fmt: skip
    explicit = {**points, "name": f"explicit {inside.algorithm.twin}"}
    return {
        "iterate": {
            **points, "name": "transformer", "y": w, "marker": {"size": 9}, **stage.on("iterate"),
            "hovertemplate": number,
        },
        "explicit": {
            **explicit, "y": w, "marker": {"symbol": "circle-open", "size": 14}, **stage.on("iterate"),
            "hovertemplate": number,
        },
        "solution": {
            **solution, "cliponaxis": False, "x": short(inside.solution), "y": w, **stage.on("iterate"),
            "hovertemplate": number,
        },
        "scores": {
            "type": "bar", "name": inside.score, "x": np.arange(1, C + 1), "showlegend": False, **stage.on("scores"),
            "hovertemplate": "example %{x}: %{y:.4g}<extra></extra>",
        },
        "examples": {
            "type": "heatmap", "z": short(inside.examples), "coloraxis": "coloraxis", "x0": 1, **stage.on("tokens"),
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
            "type": "scatter", "mode": "lines", "x": valley[:, 0], "y": valley[:, 1],
            "line": {"width": 1, "color": "gray"}, "opacity": 0.55, **on_plane,
        },
        "P": _matrix(inside, "P"),
        "Q": _matrix(inside, "Q"),
        "path": {
            **points, "mode": "lines", "name": "transformer", "line": {"width": 3}, "x": path[:, 0], "y": path[:, 1],
            **on_plane,
        },
        "explicit path": {
            **explicit, "marker": {"symbol": "circle-open", "size": 9}, "x": explicit_path[:, 0],
            "y": explicit_path[:, 1], **on_plane,
        },
        "here": {**points, "marker": {"size": 11, "color": colour("model")}, **on_plane},
        "gone": {**points, "mode": "text", **plane.gone(), **on_plane},
        "goal": {**solution, "x": short(plane.center[:1]), "y": short(plane.center[1:]), **on_plane},
        "errors": {
            "type": "scatter", "mode": "lines", "x": inside.loops, "y": inside.drawn_errors, "showlegend": False,
            **stage.on("error"), "hovertemplate": "loop %{x}: %{y:.2e}<extra></extra>",
        },
        "error now": {**points, "showlegend": False, "marker": {"size": 12}, **stage.on("error"), "hoverinfo": "skip"},
    }  # fmt: skip


def _matrix(inside: Inside, name: str) -> dict[str, Any]:
    """P or Q: zero entries stay empty, and a single number in a block is written into its cell if that is large."""
    shown, slots = stage.weight_rows(inside, name), stage.slots(inside.weights, inside.rows)
    alone = np.full(shown.shape, "", dtype=object)
    for _, top, bottom in slots:
        for _, left, right in slots:
            large = len(shown) * stage.CELL_WITH_NUMBER <= stage.WEIGHTS_HEIGHT
            if large and (bottom - top) * (right - left) == 1 and shown[top, left]:
                alone[top, left] = stage.block(shown[top:bottom, left:right])
    return {
        "type": "heatmap", "z": np.where(shown == 0, np.nan, shown).astype(np.float32), "zmin": -1.2, "zmax": 1.2,
        "showscale": False, "xgap": 1, "ygap": 1, "text": alone, "hovertemplate": "%{z:.4g}<extra></extra>",
        "hoverongaps": False, **CELLS, **IN_CELL, **stage.on(name),
    }  # fmt: skip


def _describe(inside: Inside) -> str:
    n, d = inside.sizes
    score, update = inside.largest_score, inside.update_length
    return (
        f"Prompt {inside.prompt + 1} inside the loop, {len(inside.loops)} of its loops from 0 to {inside.last:,} to "
        f"step through: the {n:,} example tokens, which stay, and the query, which moves; the attention {inside.score} "
        f"of every example; the update of the query; the iterate beside explicit {inside.algorithm.twin} and where "
        f"{'that' if inside.algorithm.ends_elsewhere else 'it'} is heading; both paths on the contours of the loss; "
        f"the error; the blocks of P and Q for d = {d}. From the first to the last loop the error goes from "
        f"{inside.errors[0]:.2g} to {inside.errors[-1]:.2g}, the largest {inside.score} from {score[0]:.2g} to "
        f"{score[-1]:.2g} and the length of the update from {update[0]:.2g} to {update[-1]:.2g}. {inside.cut}"
    ).strip()


def _table(inside: Inside) -> dict[str, np.ndarray]:
    apart = np.abs(inside.queries[:, inside.iterate_rows] - inside.explicit).max(axis=1)
    return {
        "loop": inside.loops,
        "error": inside.errors,
        f"largest {inside.score}": inside.largest_score,
        "length of the update": inside.update_length,
        "difference to the explicit iterate": apart,
    }
