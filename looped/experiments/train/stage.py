"""The first picture of page 3: the loss beside P and Q and their ideal, with a frame for each state that was kept."""

from dataclasses import replace
from typing import Any

import numpy as np

from looped.chart import CELLS, IN_CELL, NARROW_MARGIN, Motion, Picture, colour, short
from looped.experiments.train import charts
from looped.experiments.train.result import TrainResult
from looped.experiments.train.settings import TrainSettings

HEIGHT, TALL = 400, 980
"""Pixels on a wide page, where nothing else is known, and on a narrow one."""
TITLES = {
    "prediction": {
        "full": ("P, while training", "Q, while training"), "sparse": ("P, u while training", "Q, A while training"),
        "preconditioner": ("P, fixed", "Q, A while training"),
    },
    "generation": {
        "full": ("P, while training", "Q, while training"), "sparse": ("P, A and u while training", "Q, fixed"),
        "preconditioner": ("P, A while training", "Q, fixed"),
    },
}  # fmt: skip
"""What is trained of P and of Q, by the task and the kind of weights; true in every state. Their ideals stand below."""
IDEALS = ("best GD++", "constructed GD")
"""What may stand there: the first where all weights are trained and it is known."""
GIVEN = ("constructed GD", "one layer, closed form")
"""The levels of gradient descent, of which the first that there is is drawn from the start."""
BEFORE = {"range": [-4.2, 2.2], "tickmode": "linear", "tick0": 0, "dtick": 2}
"""The loss axis while nothing has been trained, of decades round the start, whatever comes out."""
ROOM = 0.1
"""Share of the loss axis below its values, for the name of the lower level."""
LINE = 0.15
"""Share of the loss axis that a line of text needs, on the lowest picture."""
Box = tuple[float, float, float, float]
WIDE: tuple[Box, ...] = (
    (0, 0.43, 0.24, 1), (0.46, 0.728, 0.55, 1), (0.732, 1, 0.55, 1), (0.46, 0.728, 0, 0.45), (0.732, 1, 0, 0.45),
)  # fmt: skip
"""Places of the loss and the matrices on a wide page: left, right, bottom, top."""
NARROW: tuple[Box, ...] = (
    (0, 1, 0.765, 0.98), (0, 1, 0.542, 0.695), (0, 1, 0.181, 0.334), (0, 1, 0.3615, 0.5145), (0, 1, 0, 0.1535),
)  # fmt: skip
"""The same on a narrow page, where a row of numbers needs all of its width: each matrix stands above its ideal."""


def stage(run: TrainResult, steps: int, known: TrainResult | None = None, layer: int = 0) -> Picture:
    """The loss of a run up to its present state, and the matrices of one of its layers in every state kept.

    Args:
        run: A run, finished or not.
        steps: its budget, where the axis ends.
        known: a run of the same sizes that has been evaluated, for what takes time to find.
        layer: whose matrices, from 0.
    """
    settings, curve = run.settings, charts.loss_chart(run.settings, run.history, steps, known, hidden=False)
    found = charts.levels(settings, known)
    main = {name: found[name] for name in charts.named_levels(settings, found)}
    loss = curve.spec["data"]
    goals = charts.ideals(settings, known.best if known is not None and "best GD++" in found else None)
    family = settings.weights == "full" and not settings.untied
    ideal = IDEALS[0] if family and IDEALS[0] in goals else IDEALS[1]
    states = _states(run, layer)
    final, goal = states[-1][1], goals[ideal]
    most = []  # full colour: the largest entry, but a run that went astray does not make its ideal pale
    for trained, ideal_one in zip(final, goal, strict=True):
        largest = float(np.abs(ideal_one).max())
        most.append(float(np.clip(np.abs(trained).max(), largest, 2 * largest)))
    written = settings.features < charts.MOST_CELLS
    cells = []
    for place, values in enumerate((*final, *goal)):
        shown = short(values) if place < 2 else values
        cells.append(charts.cells(shown, place % 2, place + 2))
        if written:
            cells[-1] |= IN_CELL | {"text": charts.numbers(values, most[place % 2])}
    reached = [_reached(run, step) for step, _ in states]
    now = {
        "type": "scatter", "mode": "markers", "marker": {"size": 11, "color": colour("model")}, "hoverinfo": "skip",
        "x": [reached[-1][0]], "y": [reached[-1][1]], "showlegend": False, "cliponaxis": False,
    }  # fmt: skip
    first = len(loss) + 1  # number of the first matrix among the traces
    moved: dict[tuple[int, str], Any] = {
        (first - 1, "x"): [[at] for at, _, _ in reached], (first - 1, "y"): [[value] for _, value, _ in reached],
    }  # fmt: skip
    for column in (0, 1):
        moved[first + column, "z"] = [short(pair[column]) for _, pair in states]
        if written:
            moved[first + column, "text"] = [charts.numbers(pair[column], most[column]) for _, pair in states]
    captions = [_caption(step, steps, T, value) for (step, _), (_, value, T) in zip(states, reached, strict=True)]
    scales = {
        name: CELLS | {"cmin": -value, "cmax": value, "showscale": False}
        for name, value in zip(("coloraxis", "coloraxis2"), most, strict=True)
    }
    layouts = [_layout(curve, main, boxes, ideal, settings) | scales for boxes in (WIDE, NARROW)]
    motion = Motion(captions=captions, grown=[], moved=moved, narrow=layouts[1] | {"height": TALL}, unit="state")
    size, titles = settings.features + 1, "; ".join(TITLES[settings.task][settings.weights])
    alt = (
        f"{curve.alt} Beside it P and Q, {size} by {size} ({titles}), above those of the {ideal}, in the state after "
        f"{states[-1][0]:,} steps and in {len(states) - 1} earlier ones."
    )
    return Picture({"data": [*loss, now, *cells], "layout": layouts[0]}, alt, curve.table, motion=motion)


def before(run: TrainResult, steps: int, layer: int = 0) -> Picture:
    """The same before the first step, without an ideal: for a reader who is to guess what the weights become.

    Of the levels that of gradient descent is drawn. P and Q have the room of their ideal as well.
    """
    history, frames = ({name: values[:1] for name, values in part.items()} for part in (run.history, run.frames))
    picture = stage(replace(run, history=history, frames=frames), steps, layer=layer)
    assert picture.motion is not None
    loss, *levels, now, P, Q = picture.spec["data"][:-2]
    given = next(name for name in GIVEN if any(trace["name"].startswith(name) for trace in levels))
    now_named = TITLES[run.settings.task][run.settings.weights]
    titles = {title: title.replace("while", "before") for title in now_named}
    for layout in (picture.spec["layout"], picture.motion.narrow):
        layout["annotations"] = [
            note | {"text": titles.get(note["text"], given)}
            for note in layout["annotations"]
            if note["text"] in (*titles, given)
        ]
        for number in (2, 3):
            trained, ideal = (layout[f"yaxis{axis}"] for axis in (number, number + 2))
            trained["domain"] = ideal["domain"][0], trained["domain"][1]
        layout["yaxis"] |= BEFORE
    drawn = [loss, *(trace for trace in levels if trace["name"].startswith(given)), now, P, Q]
    size = run.settings.features + 1
    alt = (
        f"P and Q, {size} by {size}, before the first of {steps:,} training steps, beside the axes of the loss. What "
        "they become is not shown yet."
    )
    motion = replace(picture.motion, moved={})
    return replace(picture, spec=picture.spec | {"data": drawn}, alt=alt, motion=motion)


def _states(run: TrainResult, layer: int) -> list[tuple[int, tuple[np.ndarray, np.ndarray]]]:
    """Steps made, and P and Q in their gauge, of every state that was kept, the present one last."""
    kept = run.frames or {"step": np.array([len(run.history.get("step", ()))]), "P": run.P[None], "Q": run.Q[None]}
    return [
        (int(step), charts.in_gauge(run.settings, P[layer], Q[layer]))
        for step, P, Q in zip(kept["step"], kept["P"], kept["Q"], strict=True)
    ]


def _reached(run: TrainResult, step: int) -> tuple[int, float | None, int]:
    """Where the loss of the weights after so many steps stands: its step, its median, the loops; None where unknown."""
    medians = run.history.get("median", np.zeros(0))
    if not len(medians):
        return 0, None, run.settings.loops
    at = min(step, len(medians) - 1)  # the loss of a step is that of the weights before it
    value = float(medians[at])
    return at + 1, value if np.isfinite(value) else None, int(run.history["loops"][at])


def _caption(step: int, steps: int, loops: int, value: float | None) -> str:
    after = f"after {step:,} of {steps:,} steps, T = {loops}"
    return after if value is None else f"{after}: error of w {value:.2g}"


def _layout(
    curve: Picture, main: dict[str, np.ndarray], boxes: tuple[Box, ...], ideal: str, settings: TrainSettings
) -> dict[str, Any]:
    """The axes at their places, the titles of the matrices, frames round what is trained, and names of the levels."""
    own, features = curve.spec["layout"], settings.features
    titles = *TITLES[settings.task][settings.weights], f"P, {ideal}", f"Q, {ideal}"
    left, right, bottom, top = boxes[0]
    layout: dict[str, Any] = own | {
        "height": HEIGHT, "margin": NARROW_MARGIN | {"t": 24}, "showlegend": False, "hovermode": "closest",
        "xaxis": own["xaxis"] | {"domain": [left, right], "automargin": False},
        "yaxis": own["yaxis"] | {"domain": [bottom, top]},
    }  # fmt: skip
    hidden = {"showticklabels": False, "ticks": "", "showgrid": False, "zeroline": False, "fixedrange": True}
    texts = []
    for number, (box, title) in enumerate(zip(boxes[1:], titles, strict=True), 2):
        layout[f"xaxis{number}"] = hidden | {"domain": box[:2], "anchor": f"y{number}", "range": [-0.5, features + 0.5]}
        layout[f"yaxis{number}"] = hidden | {"domain": box[2:], "anchor": f"x{number}", "range": [features + 0.5, -0.5]}
        texts.append(_text(title, (box[0] + box[1]) / 2, box[3], "center"))
    low, high = own["yaxis"]["range"]
    layout["yaxis"] |= {
        "title": {"text": "error of w: median ‖w<sub>T</sub> − w*‖²"},
        "range": [low - ROOM * (high - low), high],
    }
    layout["shapes"] = [*own["shapes"], *_frames(settings)]
    return layout | {"annotations": [*own["annotations"], *texts, *_names(main, curve)]}


def _frames(settings: TrainSettings) -> list[dict[str, Any]]:
    """Frames round A, and round u if there is one, in the matrix in which they stand; none where all is trained."""
    if settings.weights == "full":
        return []
    d, generates = settings.features, settings.task == "generation"
    A, u = (2 if generates else 3, (0, d, 0, d)), (2, (d, d + 1, 0, d) if generates else (0, d, d, d + 1))
    return [
        {"type": "rect", "xref": f"x{axes}", "yref": f"y{axes}", "x0": left - 0.5, "x1": right - 0.5,
         "y0": top - 0.5, "y1": bottom - 0.5, "line": {"width": 3, "color": colour("mark")}}
        for axes, (left, right, top, bottom) in (A, u)[: 2 if settings.weights == "sparse" else 1]
    ]  # fmt: skip


def _names(main: dict[str, np.ndarray], curve: Picture) -> list[dict[str, Any]]:
    """The names of the levels, away from the curve, which falls from the upper left.

    Below a level that it has not left behind there is room on the left, above the others on the right. Where two levels
    are too close for a line of text between them, it stands below one and above the other.
    """
    low, high = curve.spec["layout"]["yaxis"]["range"]
    finite = curve.table["median"][np.isfinite(curve.table["median"])]
    last = finite[-1] if len(finite) else np.inf
    levels = sorted((float(np.log10(charts.middle(medians))), name) for name, medians in main.items())
    line = LINE * (1 + ROOM) * (high - low)
    close = len(levels) == 2 and levels[1][0] - levels[0][0] < line
    texts = []
    for place, (level, name) in enumerate(levels):
        right = last < 10 ** (level - line / 2)
        over = place == 1 if close else right
        words = _text(name, 0.99 if right else 0.01, level, "right" if right else "left")
        words |= {"yanchor": "bottom", "yshift": 5} if over else {"yanchor": "top", "yshift": -5}
        texts.append(words | {"xref": "x domain", "yref": "y"})
    return texts


def _text(text: str, x: float, y: float, side: str) -> dict[str, Any]:
    """Words above a point of the paper."""
    return {
        "text": text, "x": x, "y": y, "xref": "paper", "yref": "paper", "xanchor": side, "yanchor": "bottom",
        "showarrow": False,
    }  # fmt: skip
