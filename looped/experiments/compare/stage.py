"""The first picture of page 1: prompt, attention layer, way down the loss and error, with a frame for each loop."""

from typing import Any

import numpy as np

from looped.chart import IN_CELL, Motion, Picture, colour, leave, short, short_each
from looped.experiments.compare.charts import leaving
from looped.experiments.compare.curves import ERROR_CEILING
from looped.experiments.compare.inside import MOST_FEATURES, Inside, record
from looped.experiments.compare.player_layout import query_edges
from looped.experiments.compare.result import Comparison
from looped.experiments.compare.stage_layout import (
    AXES,
    MOST_ROWS,
    NARROW,
    WIDE,
    drawn_errors,
    layout_of,
    new_edges,
    written,
)

FEW_COLUMNS = 6
"""Examples up to which a cell has room for two digits behind the point."""
SCORES = {"score": "attention scores: {}, the error on each", "weight": "attention weights: they add up to 1"}
"""What the numbers of the examples are, by their name, with how they are made."""
ERRORS = "{}, the error on each example"
"""What they are where the loop reads a matrix in place of the examples."""
LOSS = "The loss around its minimum"
RUN = ("way", "path", "rings", "here", "gone", "errors", "task errors", "explicit errors", "now", "predicted y")
"""Traces of what the loops do."""


def stage(result: Comparison, prompt: int = 0) -> Picture:
    """The picture of one prompt, with a step for each loop that is shown; 1 to 2 ms.

    Args:
        result: A comparison.
        prompt: which of its B prompts, from 0.
    """
    shown = record(result, prompt)
    traces, word = _traces(shown), leaving(result)
    layouts = [layout_of(shown, places, _scores(result, shown)) for places in (WIDE, NARROW)]
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
    layouts = [layout_of(shown, places, _scores(result, shown), waits=True) for places in (WIDE, NARROW)]
    for layout in layouts:
        for axis in ("xaxis", "yaxis"):
            layout[f"{axis}{AXES['error']}"] |= {"visible": False, "range": [0, 1], "type": "linear"}
    kept = [trace for name, trace in traces.items() if name not in RUN]
    motion = Motion(captions=[""], grown=[], moved={}, narrow=layouts[1])
    return Picture({"data": kept, "layout": layouts[0]}, f"{_prompt(shown)} {LOSS}.", {}, motion=motion)


def _scores(result: Comparison, shown: Inside) -> str:
    """What the bars below the examples are."""
    attends = result.settings.form == "token" or not result.algorithm.has_state
    labels = "y" if result.settings.label_scale == 1 else "αy"
    return (SCORES[shown.score] if attends else ERRORS).format(f"w·x − {labels}")


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
    path, errors = short(shown.plane.looped), drawn_errors(shown.errors)
    moves: dict[tuple[str, str], Any] = {
        ("pass", "text"): [[_pass(shown, place)] for place in range(len(path))],
        ("here", "x"): path[:, :1],
        ("here", "y"): path[:, 1:],
        ("now", "x"): shown.loops[:, None],
        ("now", "y"): errors[:, None],
    }
    if shown.plane.exit is not None:
        moves["gone", "text"] = shown.plane.told()
    if new_edges(shown):
        moves["predicted y", "z"] = short_each(shown.predictions[:, None, None])
        if len(shown.examples) <= MOST_ROWS:
            moves["predicted y", "text"] = [_numbers(each) for each in shown.predictions[:, None, None]]
    if shown.algorithm.one_query:
        moves["query", "z"] = short_each(shown.queries[..., None])
        moves["scores", "y"] = short_each(shown.scores)
        if written(shown):
            moves["numbers", "customdata"] = short_each(shown.scores)
            moves["numbers", "text"] = [_numbers(score[None])[0] for score in shown.scores]
        if len(shown.examples) <= MOST_ROWS:
            moves["query", "text"] = [_numbers(query[:, None]) for query in shown.queries]
    else:
        features, labels = shown.by_kind(shown.moving)
        moves["examples", "z"] = short_each(features)
        if shown.label_rows.size:
            moves["labels", "z"] = short_each(labels)
        if written(shown):
            moves["examples", "text"] = [_numbers(each) for each in features]
            if shown.label_rows.size:
                moves["labels", "text"] = [_numbers(each) for each in labels]
    return moves


def _pass(shown: Inside, place: int) -> str:
    head = f"<b>↺ Same layer, loop {shown.loops[place]:,}</b>"
    if shown.algorithm.one_query:
        return head
    kappa = f", κ = {shown.kappas[place]:.3g}" if shown.kappas.size and np.isfinite(shown.kappas[place]) else ""
    slot = "" if shown.weights.copy is None else ", as x′"
    return f"{head}{kappa}<br>Every pass moves the examples too{slot}"


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
    features, labels = shown.by_kind(shown.examples)
    example = cells | {"x0": 1, "hovertemplate": "example %{x}: %{z:.4g}<extra></extra>"}
    of_labels, edges, new_x = {"coloraxis": "coloraxis2"}, new_edges(shown), np.full((len(shown.rows), 1), np.nan)
    new_x[shown.feature_rows, 0] = shown.new_x[: len(shown.feature_rows)]
    traces = {
        "examples": example | {"z": short(features)} | _text(shown, features),
        "labels": example | of_labels | {"z": short(labels), "y0": shown.label_rows.sum()} | _text(shown, labels),
        "query": cells | of_labels | {
            "x": list(query_edges(columns)), "hovertemplate": "query: %{z:.4g}<extra></extra>",
        },
        "new x": cells | {
            "x": edges, "z": short(new_x), "hovertemplate": "new x: %{z:.4g}<extra></extra>",
        } | ({"text": _numbers(new_x)} if len(new_x) <= MOST_ROWS else {}),
        "predicted y": cells | of_labels | {
            "x": edges, "y0": shown.label_rows.sum(), "hovertemplate": "predicted y: %{z:.4g}<extra></extra>",
        },
        "scores": {
            "type": "bar", "x": np.arange(1, columns + 1), "showlegend": False, "marker": {"color": colour("task")},
            "hovertemplate": f"{shown.score} of example %{{x}}: %{{y:.4g}}<extra></extra>", **_on("scores"),
        },
        "numbers": {
            "type": "scatter", "mode": "text", "x": np.arange(1, columns + 1), "cliponaxis": False, **silent,
            "y": np.full(columns, shown.score_range[0]), "textposition": "bottom center", **_on("scores"),
            "texttemplate": "%{text}", "textfont": {"size": 13},
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
        "errors": curve | {"x": shown.loops, "y": drawn_errors(shown.errors)} | _on("error"),
        "task errors": {
            "type": "scatter", "mode": "lines", "x": shown.loops, "name": "Distance to αw*", **_on("error"),
            "line": {"width": 2, "color": colour("task"), "dash": "dashdot"},
            "y": None if shown.task_errors is None else drawn_errors(shown.task_errors),
        },
        "explicit errors": ring | {"x": shown.loops, "y": drawn_errors(shown.explicit_errors)} | _on("error"),
        "now": dot | {"cliponaxis": False} | _on("error"),
    }  # fmt: skip
    there = {
        "new x": edges, "predicted y": edges,
        "labels": shown.label_rows.size, "query": shown.algorithm.one_query, "scores": shown.algorithm.one_query,
        "numbers": shown.algorithm.one_query and written(shown), "gone": shown.plane.exit,
        "task errors": shown.task_errors is not None,
    }  # fmt: skip
    named = {name: trace | ({"name": name} if trace["type"] == "heatmap" else {}) for name, trace in traces.items()}
    return {name: trace for name, trace in named.items() if there.get(name, True)}


def _caption(shown: Inside, place: int) -> str:
    right = "true" if shown.task_known else "least squares"
    new_x = "new x → predicted y" if new_edges(shown) else "predicted y for a new x"
    return (
        f"loop {shown.loops[place]:,} of {shown.loops[-1]:,} · {new_x} {shown.predictions[place]:.3g}, "
        f"{right} {shown.new_y:.3g}"
    ).replace("-", "−")


def _on(view: str) -> dict[str, str]:
    return {"xaxis": f"x{AXES[view]}", "yaxis": f"y{AXES[view]}"}


def _text(shown: Inside, values: np.ndarray) -> dict[str, Any]:
    """The numbers in the cells of a trace, where they have room."""
    return {"text": _numbers(values)} if written(shown) else {}


def _numbers(values: np.ndarray) -> list[list[str]]:
    """Each number with so many digits that it fits into its cell; nothing for NaN."""
    digits = 2 if values.shape[1] <= FEW_COLUMNS else 1
    return [["" if np.isnan(value) else _number(value, digits) for value in row] for row in values]


def _number(value: float, digits: int) -> str:
    whole = f"{abs(value):.0f}"
    text = f"{value:z.{max(0, digits - len(whole) + 1)}f}" if len(whole) < 4 else f"{value:.0e}".replace("e+0", "e+")
    return text.replace("e+", "e").replace("-", "−")
