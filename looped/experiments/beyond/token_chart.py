"""The token matrix of the page: the query appended, or overwritten, step by step."""

from typing import Any

import numpy as np

from looped.chart import COLOURS, Motion, Picture, layout, short
from looped.experiments.beyond.append import Append

MOST = {"examples": 24, "rows": 10, "steps": 40}
"""Examples, rows of a slot, and steps of the token matrix that are drawn."""
COLOURED = 1.5
"""Numbers of this size and beyond have the darkest colours."""


def token_chart(found: Append, append: bool) -> Picture:
    """The tokens of one prompt as columns, step by step: the query appended, or overwritten."""
    d, n, steps = found.settings.features, found.settings.examples, min(found.settings.loops, MOST["steps"])
    kept = min(d, MOST["rows"])
    rows = np.r_[0:kept, d, d + 1 : d + 1 + kept, 2 * d + 1]
    names = [*(f"x{k + 1}" for k in range(kept)), "y", *(f"w{k + 1}" for k in range(kept)), "1"]
    shown = min(n, MOST["examples"])
    examples, chain = found.tokens[rows, :shown], found.tokens[rows, n : n + steps + 1]
    width = shown + (steps + 1 if append else 1)
    frames = np.full((steps + 1, len(rows), width), np.nan)
    frames[:, :, :shown] = examples
    for t in range(steps + 1):
        if append:
            frames[t, :, shown : shown + t + 1] = chain[:, : t + 1]
        else:
            frames[t, :, shown] = chain[:, t]
    frames = short(frames)
    heads = [f"example {k + 1}" for k in range(shown)]
    heads += [f"query {t}" for t in range(steps + 1)] if append else ["query"]
    scale = [[0, COLOURS[1]], [0.5, "rgba(128, 128, 128, 0)"], [1, COLOURS[0]]]  # 0 is the ground of either theme
    trace: dict[str, Any] = {
        "type": "heatmap", "z": frames[-1], "x": np.arange(width), "y": np.arange(len(rows)),
        "zmin": -COLOURED, "zmax": COLOURED, "colorscale": scale, "showscale": False, "xgap": 1, "ygap": 1,
        "customdata": np.array([[f"{name} of {head}" for head in heads] for name in names]),
        "hovertemplate": "%{customdata}: %{z:.3g}<extra></extra>",
    }  # fmt: skip
    line = {
        "type": "line",
        "x0": shown - 0.5,
        "x1": shown - 0.5,
        "y0": -0.5,
        "y1": len(rows) - 0.5,
        "line": {"width": 2, "color": "gray"},
    }
    ticks = [kept // 2, kept, kept + 1 + kept // 2, len(rows) - 1]
    drawn = layout(
        {"title": {"text": "tokens: examples, then " + ("every query so far" if append else "the query")},
         "showticklabels": False, "showgrid": False, "zeroline": False, "range": [-0.5, width - 0.5]},
        {"autorange": "reversed", "tickvals": ticks, "ticktext": ["x", "y", "w", "1"], "showgrid": False,
         "zeroline": False},
        shapes=[line], height=360, hovermode="closest",
    )  # fmt: skip
    verb = "appended" if append else "overwritten"
    alt = (
        f"The tokens of one prompt as columns, {shown} of its {n} examples and a query that is {verb}, in slots for "
        f"x, y, w and a 1. In {steps} steps the matrix "
        + (f"grows from {n + 1} to {n + 1 + steps} tokens" if append else f"stays {n + 1} tokens wide")
        + f". No example changes by more than {found.moved:g}."
    )
    captions = [f"step {t}: {n + 1 + t if append else n + 1} tokens" for t in range(steps + 1)]
    table: dict[str, np.ndarray] = {"step": np.arange(steps + 1)}
    table |= {f"w{k + 1}": chain[kept + 1 + k] for k in range(kept)}
    motion = Motion(captions=captions, grown=[], moved={(0, "z"): frames}, narrow=drawn, unit="step", opens=0)
    return Picture({"data": [trace], "layout": drawn}, alt, table, motion=motion)
