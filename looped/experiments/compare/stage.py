"""The first picture of page 1: prompt, attention layer, way down the loss and error, with a frame for each loop."""

from typing import Any

import numpy as np

from looped.chart import CELLS, IN_CELL, Motion, Picture, colour, leave, log_range, short, short_each
from looped.experiments.compare.charts import leaving
from looped.experiments.compare.curves import ERROR_CEILING
from looped.experiments.compare.inside import MOST_FEATURES, Inside, record
from looped.experiments.compare.player_layout import Box, placed, query_edges, row_names
from looped.experiments.compare.result import Comparison

HEIGHT = 400
"""Pixels, where nothing else is known."""
TALL = 398
"""Pixels on a narrow page, without the legend."""
ENTRY = 20
"""Pixels of a name in the legend of a narrow page."""
MARGIN = {"l": 48, "r": 12, "t": 48, "b": 44}
"""Pixels round the views, for their axes; a margin that fits itself would be measured at every picture."""
MOST_ROWS, MOST_COLUMNS = 5, 9
"""Tokens and examples up to which every number is written into its cell."""
MOST_SAID = 2
"""Features up to which the new x is written out."""
FEW_COLUMNS = 6
"""Examples up to which a cell has room for two digits behind the point."""
MOST_NAMED = 7
"""Rows of a token up to which each has its name."""
WIDE: dict[str, Box] = {
    "tokens": (0, 0.355, 0.55, 1), "scores": (0, 0.355, 0.0, 0.25), "pass": (0, 0.355, 0.27, 0.38),
    "plane": (0.445, 0.7, 0.0, 1), "error": (0.78, 1, 0.0, 1),
}  # fmt: skip
"""Places of the views on a wide page."""
NARROW: dict[str, Box] = {
    "tokens": (0, 1, 0.75, 1), "scores": (0, 1, 0.49, 0.59), "pass": (0, 1, 0.6, 0.66),
    "plane": (0, 0.42, 0.0, 0.36), "error": (0.6, 1, 0.0, 0.36),
}  # fmt: skip
"""Places of the views on a narrow page."""
HEADS = {"M -5,-10 L 0,0 L 5,-10 Z": (1, 1), "M -5,10 L 0,0 L 5,10 Z": (0, 0)}
"""Arrow heads of the loop in pixels, up into the query and down to the scores; which edge each stands on, and how high.

Plotly's own, with a note at its end, take a quarter of a picture's time."""
INSIDE = 8
"""Pixels from the loop to the words inside it."""
SCORES = {"score": "attention scores: the errors of w", "weight": "attention weights: they add up to 1"}
"""What the numbers of the examples are, by their name."""
ERRORS = "errors of w on the examples"
"""What they are where the loop reads a matrix in place of the examples."""
LOSS = "The loss around its minimum"
RUN = ("way", "path", "rings", "here", "gone", "errors", "task errors", "explicit errors", "now")
"""Traces of what the loops do."""
AXES = {view: str(place) if place > 1 else "" for place, view in enumerate(WIDE, 1)}
"""Number of each view's axes, as Plotly writes them."""


def stage(result: Comparison, prompt: int = 0) -> Picture:
    """The picture of one prompt, with a step for each loop that is shown; 1 ms.

    Args:
        result: A comparison.
        prompt: which of its B prompts, from 0.
    """
    shown = record(result, prompt)
    traces, word = _traces(shown), leaving(result)
    layouts = [_layout(shown, places, _scores(result, shown)) for places in (WIDE, NARROW)]
    curves = [traces[name] for name in ("errors", "task errors", "explicit errors") if name in traces]
    arrows = leave(curves, ERROR_CEILING, layouts[0]["yaxis5"]["range"][1], word, axes=AXES["error"])
    for layout in layouts:
        layout["annotations"] += arrows
    names = list(traces)
    motion = Motion(
        captions=[_caption(shown, place) for place in range(len(shown.loops))],
        opens=0,
        grown=[names.index(name) for name in ("path", "rings")],
        moved={(names.index(name), attribute): values for (name, attribute), values in _moves(shown).items()},
        narrow=layouts[1],
    )
    table = {
        "loop": shown.loops,
        "error of the transformer": shown.errors,
        "error of the explicit method": shown.explicit_errors,
        "prediction for the new x": shown.predictions,
    }
    spec = {"data": list(traces.values()), "layout": layouts[0]}
    return Picture(spec, _describe(shown), table, motion=motion)


def before(result: Comparison, prompt: int = 0) -> Picture:
    """The same picture at loop 0, without the paths, the errors and their axes: what can be seen before a guess.

    Args:
        result: A comparison.
        prompt: which of its B prompts, from 0.
    """
    shown = record(result, prompt, np.zeros(1, dtype=int))
    traces = _traces(shown)
    for (name, attribute), values in _moves(shown).items():
        traces[name] |= {attribute: values[0]}
    layouts = [_layout(shown, places, _scores(result, shown), waits=True) for places in (WIDE, NARROW)]
    for layout in layouts:
        for axis in ("xaxis", "yaxis"):
            layout[f"{axis}{AXES['error']}"] |= {"visible": False, "range": [0, 1], "type": "linear"}
    kept = [trace for name, trace in traces.items() if name not in RUN]
    motion = Motion(captions=[""], grown=[], moved={}, narrow=layouts[1])
    return Picture({"data": kept, "layout": layouts[0]}, f"{_prompt(shown)} {LOSS}.", {}, motion=motion)


def _scores(result: Comparison, shown: Inside) -> str:
    """What the bars below the examples are."""
    attends = result.settings.form == "token" or not result.algorithm.has_state
    return SCORES[shown.score] if attends else ERRORS


def _describe(shown: Inside) -> str:
    return (
        f"{_prompt(shown)} {LOSS}, with the path of the transformer and that of the explicit method. The error after "
        f"each of {shown.loops[-1]:,} loops: from {shown.errors[0]:.3g} to {shown.errors[-1]:.3g} for the transformer, "
        f"and to {shown.explicit_errors[-1]:.3g} for the explicit method."
    )


def _prompt(shown: Inside) -> str:
    n, d = shown.sizes
    tokens = "Its examples, one column for each, which every pass changes"
    if shown.algorithm.one_query:
        tokens = (
            "Its tokens, one column for each example and one for the query, which holds the iterate w; the attention "
        )
        tokens += f"{shown.score}s of the examples"
    return f"One prompt with {n:,} examples of {d:,} features. {tokens}{_cut(shown)}."


def _cut(shown: Inside) -> str:
    """A part of a sentence on the examples and features that are left out; empty where there are none."""
    n, d = shown.sizes
    columns = shown.examples.shape[1]
    parts = [f"{columns} examples"] * (columns < n) + [f"{MOST_FEATURES} features"] * (d > MOST_FEATURES)
    return f", the first {' and '.join(parts)} shown" if parts else ""


def _moves(shown: Inside) -> dict[tuple[str, str], Any]:
    """What changes from loop to loop: by trace and attribute, a value for each loop."""
    path, errors = short(shown.plane.looped), _errors(shown.errors)
    moves: dict[tuple[str, str], Any] = {
        ("pass", "text"): [[_pass(shown, place)] for place in range(len(path))],
        ("here", "x"): path[:, :1],
        ("here", "y"): path[:, 1:],
        ("now", "x"): shown.loops[:, None],
        ("now", "y"): errors[:, None],
    }
    if shown.plane.exit is not None:
        moves["gone", "text"] = shown.plane.told()
    if shown.algorithm.one_query:
        moves["query", "z"] = short_each(shown.queries[..., None])
        moves["scores", "y"] = short_each(shown.scores)
        if len(shown.examples) <= MOST_ROWS:
            moves["query", "text"] = [_numbers(query[:, None]) for query in shown.queries]
    else:
        features, labels = _by_kind(shown, shown.moving)
        moves["examples", "z"] = short_each(features)
        if _labels(shown).size:
            moves["labels", "z"] = short_each(labels)
        if _written(shown):
            moves["examples", "text"] = [_numbers(each) for each in features]
            if _labels(shown).size:
                moves["labels", "text"] = [_numbers(each) for each in labels]
    return moves


def _labels(shown: Inside) -> np.ndarray:
    """Which of the shown rows of a token holds the label: one, or none where examples are rewritten in a slot."""
    return np.flatnonzero(shown.rows == shown.weights.y)


def _by_kind(shown: Inside, examples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Examples (…, R, C) without their labels, NaN there, and the labels, (…, 1, C): each kind has its colour scale."""
    row = _labels(shown)
    features = examples.astype(float)
    features[..., row, :] = np.nan
    return features, examples[..., row, :]


def _pass(shown: Inside, place: int) -> str:
    moved = "" if shown.algorithm.one_query else "<br>Every pass moves the examples too"
    slot = "" if shown.weights.copy is None else ", as x′"
    return f"<b>↻ Same layer, loop {shown.loops[place]:,}</b>{moved}{slot}"


def _traces(shown: Inside) -> dict[str, dict[str, Any]]:
    """Every trace with what does not change."""
    columns = shown.examples.shape[1]
    model, counterpart = colour("model"), colour("counterpart")
    cells = {"type": "heatmap", "coloraxis": "coloraxis", "xgap": 1, "ygap": 1}
    cells |= IN_CELL | {"hoverongaps": False} | _on("tokens")
    silent = {"showlegend": False, "hoverinfo": "skip"}
    curve: dict[str, Any] = {
        "type": "scatter",
        "mode": "lines",
        "name": shown.algorithm.loop_name,
        "legendgroup": "loop",
    }
    curve |= {"line": {"width": 4, "color": model}}
    ring: dict[str, Any] = {
        "type": "scatter",
        "mode": "markers",
        "name": f"Explicit {shown.algorithm.twin}",
        "legendgroup": "twin",
    }
    ring |= {"marker": {"symbol": "circle-open", "size": 9, "color": counterpart, "maxdisplayed": 18}}
    dot = {"type": "scatter", "mode": "markers", "marker": {"size": 11, "color": model}, **silent}
    valley, path, rings = (short(v) for v in (shown.plane.valley(), shown.plane.looped, shown.plane.explicit))
    features, labels = _by_kind(shown, shown.examples)
    example = cells | {"x0": 1, "hovertemplate": "example %{x}: %{z:.4g}<extra></extra>"}
    of_labels = {"coloraxis": "coloraxis2"}
    traces = {
        "examples": example | {"z": short(features)} | _text(shown, features),
        "labels": example | of_labels | {"z": short(labels), "y0": _labels(shown).sum()} | _text(shown, labels),
        "query": cells | of_labels | {
            "x": list(query_edges(columns)), "hovertemplate": "query: %{z:.4g}<extra></extra>",
        },
        "scores": {
            "type": "bar", "x": np.arange(1, columns + 1), "showlegend": False, "marker": {"color": colour("task")},
            "hovertemplate": f"{shown.score} of example %{{x}}: %{{y:.4g}}<extra></extra>", **_on("scores"),
        },
        "pass": {
            "type": "scatter", "mode": "text", "x": [0.05 * shown.algorithm.one_query], "y": [0], "cliponaxis": False,
            **silent, **_on("pass"),
            "textposition": "middle right" if shown.algorithm.one_query else "bottom right",
        },
        "loss": {
            "type": "scatter", "mode": "lines", "x": valley[:, 0], "y": valley[:, 1], "opacity": 0.5,
            "line": {"width": 1, "color": "gray"}, **silent, **_on("plane"),
        },
        "way": curve | silent | _on("plane") | {
            "x": path[:, 0], "y": path[:, 1], "line": {"width": 1.5, "color": model}, "opacity": 0.5,
        },
        "path": curve | silent | _on("plane") | {"x": path[:, 0], "y": path[:, 1]},
        "rings": ring | silent | _on("plane") | {"x": rings[:, 0], "y": rings[:, 1]},
        "here": dot | _on("plane"),
        "gone": {
            "type": "scatter", "mode": "text", **shown.plane.gone(), **silent, **_on("plane"),
        },
        "goal": {
            "type": "scatter", "mode": "markers", "x": shown.plane.center[:1], "y": shown.plane.center[1:],
            "marker": {"symbol": "x-thin", "size": 11, "line": {"width": 2.5, "color": colour("reference")}},
            "showlegend": False, "hovertemplate": "w<sub>ref</sub>, where the loss is smallest<extra></extra>",
            **_on("plane"),
        },
        "errors": curve | {"x": shown.loops, "y": _errors(shown.errors)} | _on("error"),
        "task errors": {
            "type": "scatter", "mode": "lines", "x": shown.loops, "name": "Distance to αw*", **_on("error"),
            "line": {"width": 2, "color": colour("task"), "dash": "dashdot"},
            "y": None if shown.task_errors is None else _errors(shown.task_errors),
        },
        "explicit errors": ring | {"x": shown.loops, "y": _errors(shown.explicit_errors)} | _on("error"),
        "now": dot | {"cliponaxis": False} | _on("error"),
    }  # fmt: skip
    there = {
        "labels": _labels(shown).size, "query": shown.algorithm.one_query, "scores": shown.algorithm.one_query,
        "gone": shown.plane.exit, "task errors": shown.task_errors is not None,
    }  # fmt: skip
    return {name: trace for name, trace in traces.items() if there.get(name, True)}


def _layout(shown: Inside, places: dict[str, Box], scores: str, *, waits: bool = False) -> dict[str, Any]:
    rows, columns = shown.examples.shape
    scored, names = shown.algorithm.one_query, row_names(shown.weights, shown.rows)
    still = {"fixedrange": True, "zeroline": False, "showgrid": False}
    edges = query_edges(columns)
    ticks = [1, *range(10, columns - 4, 10)] if columns > 12 else list(range(1, columns + 1))
    span = [0.4, edges[1] + 0.1]
    across = {"range": span, **still}
    plane, ranges = shown.plane, shown.plane.ranges()
    curves = [each for each in (shown.errors, shown.explicit_errors, shown.task_errors) if each is not None]
    limits, tick = log_range(_errors(np.concatenate(curves)))
    query = {"tickvals": [*ticks, sum(edges) / 2], "ticktext": [*map(str, ticks), "<b>query</b>"]}
    named = list(range(rows)) if rows <= MOST_NAMED else [0, rows - 1]
    level = {"zeroline": False, "showgrid": False, "nticks": 5}
    axes: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "tokens": (
            across | {"tickangle": 0, **(query if scored else {"tickvals": ticks})},
            {"range": [rows - 0.5, -0.5], "tickvals": named, "ticktext": [names[row] for row in named], **still},
        ),
        "scores": (
            across | {"showticklabels": False, "visible": scored, "title": _name(scores, 4)},
            {"range": shown.score_range, "nticks": 3, "fixedrange": True, "visible": scored},
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
    wide = places is WIDE
    scales = [float(np.nanmax(np.abs(each), initial=0)) for each in _by_kind(shown, shown.examples)]
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
        layout |= {"height": TALL + legend, "margin": MARGIN | {"t": 42, "b": MARGIN["b"] + legend}}
        below = {"x": 0, "xanchor": "left", "y": 0, "yref": "container", "yanchor": "bottom"}
        layout["legend"] = below | {"tracegroupgap": 0}
    titles = {"tokens": _sees(shown), "plane": "Loss" if waits else _valley(shown, wide=wide)}
    if not waits:
        titles["error"] = "Error of w, this prompt" if wide else "Error of w"
    fixed = {"automargin": False}  # a margin that fits itself would be measured at every picture
    layout |= placed({view: (x | fixed, y | fixed) for view, (x, y) in axes.items()}, places, titles, yshift=3)
    if plane.stretch > 1:
        layout["annotations"].append({
            "text": f"↕ {plane.stretch} × enlarged", "xref": f"x{AXES['plane']} domain",
            "yref": f"y{AXES['plane']} domain", "x": 1, "y": 0, "xanchor": "right", "yanchor": "bottom",
            "showarrow": False,
        })  # fmt: skip
    if scored:
        _draw_loop(layout, places, span, (0.5, sum(edges) / 2), shown.score_range)
    return layout


def _draw_loop(
    layout: dict[str, Any],
    places: dict[str, Box],
    across: list[float],
    sides: tuple[float, float],
    scores: list[float],
) -> None:
    """Add the loop: from the query past the examples down to the scores, along these and up into the query.

    Args:
        layout: Layout of the figure.
        places: places of its views.
        across: range of the columns.
        sides: where the loop goes down and up, in columns.
        scores: range of the scores.
    """
    left, right, bottom, top = places["scores"]
    edges = [left + (right - left) * (side - across[0]) / (across[1] - across[0]) for side in sides]
    low = bottom - (top - bottom) * scores[0] / (scores[1] - scores[0])
    high, on = places["pass"][3], {"xref": "paper", "yref": "paper"}
    line = {"line": {"width": 3, "color": colour("model")}, **on}
    layout["shapes"] = [
        {"type": "rect", "layer": "below", "x0": edges[0], "x1": edges[1], "y0": low, "y1": high, **line},
        *({
            "type": "path", "path": path, "fillcolor": colour("model"), "xsizemode": "pixel", "ysizemode": "pixel",
            "xanchor": edges[side], "yanchor": (places["pass"][2], high)[up], **line,
        } for path, (side, up) in HEADS.items()),
    ]  # fmt: skip
    layout["annotations"].append({
        "text": "new w", "x": edges[1], "y": sum(places["pass"][2:]) / 2, "xshift": -INSIDE, "xanchor": "right",
        "yanchor": "middle", "showarrow": False, **on,
    })  # fmt: skip


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
    if columns < n:
        return f"It sees {n:,} examples, {columns} shown"
    return f"It sees {n:,} examples{' and a query' if shown.algorithm.one_query else ''}"


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


def _caption(shown: Inside, place: int) -> str:
    right = "true" if shown.task_known else "solution’s"
    which = f" ({', '.join(f'{value:.2f}' for value in shown.new_x)})" if len(shown.new_x) <= MOST_SAID else ""
    return (
        f"loop {shown.loops[place]:,} of {shown.loops[-1]:,} · new x{which} → predicted "
        f"y {shown.predictions[place]:.3g}, {right} {shown.new_y:.3g}"
    ).replace("-", "−")


def _on(view: str) -> dict[str, str]:
    return {"xaxis": f"x{AXES[view]}", "yaxis": f"y{AXES[view]}"}


def _written(shown: Inside) -> bool:
    rows, columns = shown.examples.shape
    return rows <= MOST_ROWS and columns <= MOST_COLUMNS


def _text(shown: Inside, values: np.ndarray) -> dict[str, Any]:
    """The numbers in the cells of a trace, where they have room."""
    return {"text": _numbers(values)} if _written(shown) else {}


def _numbers(values: np.ndarray) -> list[list[str]]:
    """Each number with so many digits that it fits into its cell; nothing for NaN."""
    digits = 2 if values.shape[1] <= FEW_COLUMNS else 1
    return [["" if np.isnan(value) else _number(value, digits) for value in row] for row in values]


def _number(value: float, digits: int) -> str:
    whole = f"{abs(value):.0f}"
    text = f"{value:z.{max(0, digits - len(whole) + 1)}f}" if len(whole) < 4 else f"{value:.0e}".replace("e+0", "e+")
    return text.replace("e+", "e").replace("-", "−")


def _errors(values: np.ndarray) -> np.ndarray:
    """The errors, cut to what a log axis can show."""
    return np.clip(values, 1e-17, ERROR_CEILING)
