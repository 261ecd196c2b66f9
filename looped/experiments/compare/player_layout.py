"""The places of the views of one pass in their figure, wide or narrow, and the axes, titles and labels they have."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from looped.attention import Weights
from looped.chart import CELLS, log_range, symmetric_range
from looped.experiments.compare.inside import Inside

TITLES = {
    "scores": "Scores z<sub>i</sub>ᵀQz: how wrong is each example?",
    "tokens": "Tokens Z<sub>t</sub>: which of them moves?",
    "update": "Update Δ<sub>t</sub>",
    "iterate": "Iterate w<sub>t</sub>",
    "plane": "Where is w<sub>t</sub> on the loss?",
    "P": "P: what is written",
    "Q": "Q: what is compared",
    "error": "How far is w<sub>t</sub> from its limit?",
}
WITH_SOFTMAX = {
    "scores": "Weights softmax(z<sub>i</sub>ᵀQz): which example counts?",
    "error": "How far is w<sub>t</sub> from w<sub>ref</sub>?",
}
"""Titles that are others where scores pass through a softmax, and the loop ends elsewhere."""
AXES = {view: str(place) if place > 1 else "" for place, view in enumerate(TITLES, 1)}
"""Number of each view's axes, as Plotly writes them."""
Box = tuple[float, float, float, float]
"""Left, right, bottom and top of a view, as shares of the figure."""
Axes = Mapping[str, tuple[dict[str, Any], dict[str, Any]]]
"""The x axis and the y axis of every view, in the order of their numbers."""
MARGIN = {"l": 56, "r": 12, "t": 8, "b": 8}
WEIGHTS_HEIGHT = 140
"""Height of P and Q in pixels."""
CELL_WITH_NUMBER = 15
"""Smallest cell in pixels that has room for a number; that of a smaller one stands on its left."""
SMALLEST_LETTER = 10
"""Smallest size in pixels of a block of P or Q that is labelled 0."""


def on(view: str) -> dict[str, str]:
    """The axes of a view, as a trace names them."""
    return {"xaxis": f"x{AXES[view]}", "yaxis": f"y{AXES[view]}"}


def places(rows: int, *, narrow: bool) -> tuple[int, dict[str, Box]]:
    """The height of the figure in pixels and the places of the views: in three rows, or stacked for a narrow page.

    Args:
        rows: The rows of a token that are shown, which decide how high the tokens are.
        narrow: True for a page too narrow for three columns.
    """
    tall = int(np.clip(22 * rows, 120, 340))
    low = 368 + 2 * tall if narrow else 250 + tall  # where the plane begins, below the tokens and what is beside them
    total = low + (766 if narrow else 380)
    views = {
        "scores": (0, 1, 96, 100), "tokens": (0, 1, 232, tall), "update": (0, 0.46, 308 + tall, tall),
        "iterate": (0.54, 1, 308 + tall, tall), "plane": (0, 1, low, 300), "error": (0, 1, low + 380, 140),
        "P": (0, 0.42, low + 596, WEIGHTS_HEIGHT), "Q": (0.58, 1, low + 596, WEIGHTS_HEIGHT),
    } if narrow else {
        "scores": (0, 0.6, 26, 100), "tokens": (0, 0.6, 162, tall), "update": (0.65, 0.8, 162, tall),
        "iterate": (0.85, 1, 162, tall), "plane": (0, 0.5, low, 330), "error": (0.61, 1, low, 110),
        "P": (0.61, 0.77, low + 190, WEIGHTS_HEIGHT), "Q": (0.84, 1, low + 190, WEIGHTS_HEIGHT),
    }  # left and right, and in pixels top and height  # fmt: skip
    boxes = {
        view: (left, right, 1 - (top + height) / total, 1 - top / total)
        for view, (left, right, top, height) in views.items()
    }
    return total + MARGIN["t"] + MARGIN["b"], boxes


def placed(axes: Axes, boxes: Mapping[str, Box], titles: Mapping[str, str], **style: Any) -> dict[str, Any]:
    """The axes of every view at its place, and its title above it where it has one."""
    layout: dict[str, Any] = {"annotations": []}
    for place, (view, (x, y)) in enumerate(axes.items(), 1):
        k, (left, right, bottom, top) = str(place) if place > 1 else "", boxes[view]
        layout[f"xaxis{k}"] = x | {"anchor": f"y{k}", "domain": [left, right]}
        layout[f"yaxis{k}"] = y | {"anchor": f"x{k}", "domain": [bottom, top]}
        if view in titles:
            layout["annotations"].append({
                "text": f"<b>{titles[view]}</b>", "xref": "paper", "yref": "paper", "x": left, "y": top,
                "xanchor": "left", "yanchor": "bottom", "showarrow": False, **style,
            })  # fmt: skip
    return layout


def layout(inside: Inside, *, narrow: bool) -> dict[str, Any]:
    """The layout of the figure, wide or for a page too narrow for three columns; the ranges hold every frame."""
    tall, boxes = places(len(inside.rows), narrow=narrow)
    R, C = inside.examples.shape
    fixed: dict[str, Any] = {"fixedrange": True}
    still = {**fixed, "zeroline": False, "showgrid": False}
    rows = {"range": [R - 0.5, -0.5], **still}
    named = {"tickvals": list(range(R)), "ticktext": row_names(inside.weights, inside.rows)}
    edges, ticks = query_edges(C), [1, *range(10, C - 1, 10), C] if C > 12 else list(range(1, C + 1))
    columns = {"range": [0.4, edges[1] + 0.1], **still}
    iterates = np.c_[inside.queries[:, inside.iterate_rows], np.tile(inside.solution, (len(inside.loops), 1))]
    (across, up), names, level = inside.plane.ranges(), inside.plane.names, {"nticks": 6, "zeroline": False}
    stretched = f", {inside.plane.stretch} × enlarged" if inside.plane.stretch > 1 else ""
    limits, powers = log_range(inside.drawn_errors)
    groups = slots(inside.weights, inside.rows)
    centred = {
        "tickvals": [(start + stop - 1) / 2 for _, start, stop in groups], "ticktext": [name for name, *_ in groups],
        "ticks": "", "tickangle": 0,
    }  # fmt: skip
    weights = {"range": [-0.5, R - 0.5], **still, **centred}, {**rows, **centred}
    axes = {
        "scores": (
            {**columns, "showticklabels": False}, {**fixed, "range": inside.score_range, "nticks": 4},
        ),
        "tokens": (
            {**columns, "tickvals": [*ticks, sum(edges) / 2], "ticktext": [*map(str, ticks), "<b>query</b>"],
             "tickangle": 0, "title": {"text": "example i", "standoff": 4}},
            {**rows, **named},
        ),
        "update": (
            {**fixed, "range": symmetric_range(inside.updates), "nticks": 3},
            {**rows, **named, "showticklabels": narrow},
        ),
        "iterate": (
            {**fixed, "range": symmetric_range(iterates), "nticks": 5},
            {**rows, "showticklabels": False, "showgrid": True, "tickvals": inside.iterate_rows.tolist()},
        ),
        "plane": (
            {**level, "range": across, "title": {"text": names[0], "standoff": 4}},
            {**level, "range": up, "title": {"text": names[1] + stretched, "standoff": 2},
             "scaleanchor": f"x{AXES['plane']}", "scaleratio": inside.plane.stretch},
        ),
        "P": weights,
        "Q": weights,
        "error": (
            {**fixed, "range": [0, inside.last], "title": {"text": "loop t", "standoff": 2}, "nticks": 6},
            {**fixed, "type": "log", "range": limits, "nticks": 4, "exponentformat": "power", **powers},
        ),
    }  # fmt: skip
    titles = TITLES | (WITH_SOFTMAX if inside.algorithm.softmax else {})
    made = placed(axes, boxes, titles, yshift=4, align="left", font={"size": 13})
    made["annotations"] += [label for name in ("P", "Q") for label in _labels(inside, name)]
    return made | {
        "height": tall, "margin": MARGIN, "bargap": 0.25, "hovermode": "closest",
        "legend": {"x": 0 if narrow else 0.65, "y": 1, "yanchor": "top"},
        "coloraxis": CELLS | {"showscale": False, "cmin": -2, "cmax": 2},
        "shapes": [edge for name in ("P", "Q") for edge in _edges(name, groups, R)],
    }  # fmt: skip


def slots(weights: Weights, rows: np.ndarray) -> list[tuple[str, int, int]]:
    """The slots of the shown rows of a token: name, first row, row after the last; x and w may share their rows.

    Args:
        weights: The weights that a token is made for.
        rows: The shown rows, (R,).
    """
    before, copy = weights.before or slice(0), weights.copy or slice(0)
    held: dict[tuple[int, int], list[str]] = {}
    for name, first, stop in (
        ("x", weights.x.start, weights.x.stop), ("y", weights.y, weights.y + 1),
        *([] if weights.predicts else [("w", weights.w.start, weights.w.stop)]),
        *([] if weights.alpha is None else [("α", weights.alpha, weights.alpha + 1)]),
        ("w′", before.start or 0, before.stop), ("x′", copy.start or 0, copy.stop),
    ):  # fmt: skip
        shown = np.flatnonzero((rows >= first) & (rows < stop))
        if len(shown):
            held.setdefault((int(shown[0]), int(shown[-1]) + 1), []).append(name)
    return [(", ".join(names), start, stop) for (start, stop), names in sorted(held.items())]


def row_names(weights: Weights, rows: np.ndarray) -> list[str]:
    """A name for every shown row of a token, (R,): x<sub>1</sub>, …, y."""
    return [
        ", ".join(f"{part}<sub>{k}</sub>" if part[0] in "xw" else part for part in label.split(", "))
        for label, start, stop in slots(weights, rows)
        for k in range(1, stop - start + 1)
    ]


def weight_rows(inside: Inside, name: str) -> np.ndarray:
    """The shown rows and columns of P or Q, (R, R)."""
    matrix: np.ndarray = {"P": inside.weights.P, "Q": inside.weights.Q}[name].numpy()[np.ix_(inside.rows, inside.rows)]
    return matrix


def block(values: np.ndarray) -> str:
    """The name of a block of P or Q: 0, a number, a multiple of I, or nothing."""
    if not values.any():
        return "0"
    scale = float(values.flat[0])
    number = f"{scale:g}".replace("-", "−")
    if values.size == 1:
        return number
    if values.shape[0] == values.shape[1] and np.array_equal(values, scale * np.eye(len(values))):
        return {1.0: "I", -1.0: "−I"}.get(scale, f"{number}·I")
    return ""


def query_edges(examples: int) -> tuple[float, float]:
    """The query stands right of the examples, a little apart and wide enough for its numbers."""
    return examples + 0.5 + max(0.03 * examples, 0.3), examples + 0.5 + max(0.17 * examples, 1.3)


def _labels(inside: Inside, name: str) -> Iterable[dict[str, Any]]:
    """The names of the blocks, beside the diagonal where they have one; single numbers stand in their cells."""
    shown, groups = weight_rows(inside, name), slots(inside.weights, inside.rows)
    for _, top, bottom in groups:
        for _, left, right in groups:
            text, zero = block(shown[top:bottom, left:right]), not shown[top:bottom, left:right].any()
            room = min(bottom - top, right - left) * WEIGHTS_HEIGHT / len(shown)
            single = not zero and (bottom - top) * (right - left) == 1
            if (zero and room < SMALLEST_LETTER) or (single and room >= CELL_WITH_NUMBER):
                continue
            if single:
                yield {
                    "text": text, "showarrow": False, "xref": f"x{AXES[name]}", "yref": f"y{AXES[name]}",
                    "x": left - 0.5, "y": top, "xanchor": "right",
                }  # fmt: skip
                continue
            aside = 0 if zero else 0.25
            yield {
                "text": text, "showarrow": False, "font": {"size": 14 if zero else 18}, "xref": f"x{AXES[name]}",
                "yref": f"y{AXES[name]}", "x": (left + right - 1) / 2 + aside * (right - left),
                "y": (top + bottom - 1) / 2 - aside * (bottom - top),
            }  # fmt: skip


def _edges(name: str, groups: list[tuple[str, int, int]], rows: int) -> Iterable[dict[str, Any]]:
    """Lines between the slots."""
    line = {"type": "line", "line": {"width": 1, "color": "gray"}, "xref": f"x{AXES[name]}", "yref": f"y{AXES[name]}"}
    for _, _, stop in groups[:-1]:
        at, ends = {"0": stop - 0.5, "1": stop - 0.5}, {"0": -0.5, "1": rows - 0.5}
        yield {**line, **{f"x{k}": v for k, v in at.items()}, **{f"y{k}": v for k, v in ends.items()}}
        yield {**line, **{f"y{k}": v for k, v in at.items()}, **{f"x{k}": v for k, v in ends.items()}}
