"""The places, axes and titles of the views in the first picture of page 1, wide or narrow, and the loop drawn there."""

from typing import Any

import numpy as np

from looped.chart import CELLS, colour, log_range
from looped.experiments.compare.curves import ERROR_CEILING
from looped.experiments.compare.inside import Inside
from looped.experiments.compare.player_layout import Box, placed, query_edges, row_names

HEIGHT = 400
"""Pixels, where nothing else is known."""
TALL = 430
"""Pixels on a narrow page, without the legend."""
ENTRY = 20
"""Pixels of a name in the legend of a narrow page."""
MARGIN = {"l": 48, "r": 12, "t": 48, "b": 44}
"""Pixels round the views, for their axes; a margin that fits itself would be measured at every picture."""
MOST_NAMED = 7
"""Rows of a token up to which each has its name."""
WIDE: dict[str, Box] = {
    "tokens": (0, 0.4, 0.55, 1), "scores": (0, 0.4, 0.0, 0.25), "pass": (0, 0.4, 0.27, 0.38),
    "plane": (0.49, 0.72, 0.0, 1), "error": (0.8, 1, 0.0, 1),
}  # fmt: skip
"""Places of the views on a wide page."""
NARROW: dict[str, Box] = {
    "tokens": (0, 1, 0.773, 1), "scores": (0, 1, 0.483, 0.622), "pass": (0, 1, 0.631, 0.689),
    "plane": (0, 0.42, 0.0, 0.326), "error": (0.6, 1, 0.0, 0.326),
}  # fmt: skip
"""Places of the views on a narrow page."""
ROUND = {True: (0.012, 0.03), False: (0.03, 0.03)}
"""Radius of the loop's corners on a wide page or not, across and up, as shares of the views' width and height."""
HEADS = {"M -5,-10 L 0,0 L 5,-10 Z": (1, 1), "M -5,10 L 0,0 L 5,10 Z": (0, 0)}
"""Arrow heads of the loop in pixels, up into the query and down to the scores; which edge each stands on, and how high.

Plotly's own, with a note at its end, take a quarter of a picture's time."""
APART = 0.21
"""Columns from the query to the new x, as a share of the examples: room for the names of both."""
INSIDE = 8
"""Pixels from the loop to the words inside it."""
FEWEST_FOR_NEW = 5
"""Examples from which on the loop has room for two of its words."""
MOST_ROWS, MOST_COLUMNS = 5, 9
"""Rows of a token and examples up to which every number is written into its cell."""
UNDER = 26
"""Pixels from the tokens to what is said below the new x."""
NUMBERS = 15
"""Pixels below the scores for their numbers."""
AXES = {view: str(place) if place > 1 else "" for place, view in enumerate(WIDE, 1)}
"""Number of each view's axes, as Plotly writes them."""


def layout_of(shown: Inside, places: dict[str, Box], scores: str, *, waits: bool = False) -> dict[str, Any]:
    """The layout of the picture.

    Args:
        shown: One prompt in the transformer.
        places: `WIDE` or `NARROW`.
        scores: What the bars below the examples are.
        waits: True before a guess: without the titles of what the loops do.
    """
    wide, (rows, columns) = places is WIDE, shown.examples.shape
    scored, names = shown.algorithm.one_query, row_names(shown.weights, shown.rows)
    still = {"fixedrange": True, "zeroline": False, "showgrid": False}
    edges = query_edges(columns)
    ticks = [1, *range(10, columns - 4, 10)] if columns > 12 else list(range(1, columns + 1))
    new = new_edges(shown)
    span = [0.4, (new or edges)[1] + 0.1]
    across = {"range": span, **still}
    plane, ranges = shown.plane, shown.plane.ranges()
    curves = [each for each in (shown.errors, shown.explicit_errors, shown.task_errors) if each is not None]
    limits, tick = log_range(drawn_errors(np.concatenate(curves)))
    query = {"tickvals": [*ticks, sum(edges) / 2], "ticktext": [*map(str, ticks), "<b>query</b>"]}
    named = list(range(rows)) if rows <= MOST_NAMED else [0, rows - 1]
    level = {"zeroline": False, "showgrid": False, "nticks": 5}
    axes: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "tokens": (
            across | {"tickangle": 0, **(query if scored else {"tickvals": ticks})},
            {"range": [rows - 0.5, -0.5], "tickvals": named, "ticktext": [names[row] for row in named], **still},
        ),
        "scores": (
            across | {"showticklabels": False, "visible": scored, "title": _name(scores, 4 + NUMBERS * written(shown))},
            {"range": shown.score_range, "tickvals": _marks(shown.score_range, low=not wide), "fixedrange": True,
             "visible": scored},
        ),
        "pass": ({"range": [0, 1], "visible": False, "fixedrange": True}, {"visible": False, "fixedrange": True}),
        "plane": (
            level | {"range": ranges[0], "title": _name(plane.names[0], 4)},
            level | {"range": ranges[1], "scaleanchor": f"x{AXES['plane']}", "scaleratio": plane.stretch,
                     "title": _name(plane.names[1], 2)},
        ),
        "error": (
            {"range": [-0.05 * shown.loops[-1], 1.04 * shown.loops[-1]], "title": _name("loop t", 4), "nticks": 5},
            {"type": "log", "range": limits, **tick, "exponentformat": "power", "hoverformat": ".3e"},
        ),
    }  # fmt: skip
    scales = [float(np.nanmax(np.abs(each), initial=0)) for each in shown.by_kind(shown.examples)]
    if not scored:
        places = _lower(places)
    layout: dict[str, Any] = {
        "height": HEIGHT, "margin": MARGIN, "hovermode": "closest", "bargap": 0.25,
        "legend": {"orientation": "h", "x": 1, "xanchor": "right", "y": 1, "yref": "container", "yanchor": "top"},
    }  # fmt: skip
    for name, largest in zip(("coloraxis", "coloraxis2"), scales, strict=True):
        layout[name] = CELLS | {"showscale": False, "cmin": -(largest or 1.0), "cmax": largest or 1.0}
    if not wide:  # the legend stands below the two charts that it is about
        legend = ENTRY * len(curves)
        layout |= {"height": TALL + legend, "margin": MARGIN | {"t": 42, "b": MARGIN["b"] + legend, "r": 18}}
        below = {"x": 0, "xanchor": "left", "y": 0, "yref": "container", "yanchor": "bottom"}
        layout["legend"] = below | {"tracegroupgap": 0}
    titles = {"tokens": _sees(shown), "plane": "Loss" if waits else _valley(shown, wide=wide)}
    if not waits:
        titles["error"] = "Error: from w to ✕"
    fixed = {"automargin": False}  # a margin that fits itself would be measured at every picture
    layout |= placed({view: (x | fixed, y | fixed) for view, (x, y) in axes.items()}, places, titles, yshift=3)
    if plane.stretch > 1:
        layout["annotations"].append({
            "text": f"↕ {plane.stretch} × enlarged", "xref": f"x{AXES['plane']} domain",
            "yref": f"y{AXES['plane']} domain", "x": 1, "y": 0, "xanchor": "right", "yanchor": "bottom",
            "showarrow": False,
        })  # fmt: skip
    if new:
        middle = {"xref": f"x{AXES['tokens']}", "x": sum(new) / 2, "yref": "paper", "showarrow": False}
        beneath = "predicted" + f"<br>true: {shown.new_y:.3g}".replace("-", "−") * shown.task_known
        layout["annotations"] += [
            middle | {"text": "<b>new x</b>", "y": places["tokens"][3], "yanchor": "bottom", "yshift": 3},
            middle | {"text": beneath, "y": places["tokens"][2], "yanchor": "top", "yshift": -UNDER},
        ]
    if scored:
        _draw_loop(layout, shown, places, span, (0.5, sum(edges) / 2))
    return layout


def written(shown: Inside) -> bool:
    """Whether there is room for every number."""
    rows, columns = shown.examples.shape
    return rows <= MOST_ROWS and columns <= MOST_COLUMNS


def new_edges(shown: Inside) -> tuple[float, ...]:
    """Left and right edge of the column of the new x, right of the query; empty where no token has x and y."""
    if not (shown.feature_rows.size and shown.label_rows.size):
        return ()
    columns = shown.examples.shape[1]
    left, right = query_edges(columns)
    aside = max(APART * columns, right - columns - 0.5) if shown.algorithm.one_query else 0.0
    return left + aside, right + aside


def _draw_loop(
    layout: dict[str, Any],
    shown: Inside,
    places: dict[str, Box],
    across: list[float],
    sides: tuple[float, float],
) -> None:
    """Add the loop: from the query past the examples down to the scores, along these and up into the query.

    Args:
        layout: Layout of the figure.
        shown: one prompt in the transformer.
        places: places of its views.
        across: range of the columns.
        sides: where the loop goes down and up, in columns.
    """
    scores = shown.score_range
    left, right, bottom, top = places["scores"]
    edges = [left + (right - left) * (side - across[0]) / (across[1] - across[0]) for side in sides]
    low = bottom - (top - bottom) * scores[0] / (scores[1] - scores[0])
    high, on = places["pass"][3], {"xref": "paper", "yref": "paper"}
    line = {"line": {"width": 3, "color": colour("model")}, **on}
    (x0, x1), (rx, ry) = edges, ROUND[places is WIDE]
    way = (
        f"M {x1},{high} L {x0 + rx},{high} Q {x0},{high} {x0},{high - ry} L {x0},{low + ry} Q {x0},{low} "
        f"{x0 + rx},{low} L {x1 - rx},{low} Q {x1},{low} {x1},{low + ry} L {x1},{high}"
    )
    layout["shapes"] = [
        {"type": "path", "layer": "below", "path": way, **line},
        *({
            "type": "path", "path": path, "fillcolor": colour("model"), "xsizemode": "pixel", "ysizemode": "pixel",
            "xanchor": edges[side], "yanchor": (places["pass"][2], high)[up], **line,
        } for path, (side, up) in HEADS.items()),
    ]  # fmt: skip
    if shown.examples.shape[1] >= FEWEST_FOR_NEW:
        layout["annotations"].append({
            "text": "new w", "x": x1, "y": sum(places["pass"][2:]) / 2, "xshift": -INSIDE, "xanchor": "right",
            "yanchor": "middle", "showarrow": False, **on,
        })  # fmt: skip


def _marks(ends: list[float], *, low: bool) -> list[float]:
    """A round number near the end of a range around or from 0, on each side, and 0 where the bars are not too low."""
    end = ends[1]
    step = 10.0 ** np.floor(np.log10(end))
    mark = max(step * digit for digit in (1, 1.5, 2, 3, 4, 5, 6, 8) if digit == 1 or step * digit <= end)
    return [-mark, *[0.0] * (not low), mark] if ends[0] < 0 else [0.0, mark]


def _name(text: str, standoff: int) -> dict[str, Any]:
    """The name of an axis, in letters of the size of its numbers."""
    return {"text": text, "standoff": standoff, "font": {"size": 13}}


def _lower(places: dict[str, Box]) -> dict[str, Box]:
    """The places where there are no scores: the tokens are higher by as much."""
    left, right, bottom, top = places["tokens"]
    free = places["pass"][2] - places["scores"][2]
    return places | {
        "tokens": (left, right, bottom - free, top),
        "pass": (left, right, places["scores"][2], places["pass"][3] - free),
    }


def _sees(shown: Inside) -> str:
    """What the tokens are, and how many of the examples are shown where those are not all."""
    n, columns = shown.sizes[0], shown.examples.shape[1]
    if shown.weights.copy is not None:
        return f"x′ of its {n:,} example{'s' * (n != 1)}" + f", {columns} shown" * (columns < n)
    if columns < n:
        return f"It sees {n:,} examples, {columns} shown"
    return f"It sees {n:,} example{'s' * (n != 1)}{' and a query' if shown.algorithm.one_query else ''}"


def _valley(shown: Inside, *, wide: bool) -> str:
    """The shape of the loss: how many times as steep it is up its sides as along its floor."""
    (across, _), (_, up) = shown.plane.curvature
    kappa, times = _times(shown.plane.condition_number), _times(up / across)
    if up and times != kappa:  # where a penalty is added to the loss
        return f"Loss: steep/flat = {times}" if wide else "Loss"
    if not shown.algorithm.one_query and shown.weights.copy is None:  # every loop changes that of the examples
        return f"Loss: κ = {kappa} at loop 0" if wide else f"Loss: first κ = {kappa}"
    return f"Loss: κ = steep/flat = {kappa}" if wide and up and times != "1" else f"Loss: κ = {kappa}"


def _times(ratio: float) -> str:
    return f"{ratio:.3g}" if ratio < 1000 else f"{ratio:,.0f}"


def drawn_errors(values: np.ndarray) -> np.ndarray:
    """The errors, cut to what a log axis can show."""
    return np.clip(values, 1e-17, ERROR_CEILING)
