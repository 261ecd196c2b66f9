"""Figures on layers: the smallest loss for a number of loops, and trained layers that are tied or untied."""

from dataclasses import replace
from typing import Any

import numpy as np

from looped.chart import (
    ARROW,
    BESIDE,
    Picture,
    Role,
    Series,
    arrow,
    band,
    colour,
    level,
    line_chart,
    log_axis,
    log_range,
    said,
    upright,
)
from looped.experiments.beyond.depth import Depth
from looped.experiments.beyond.heights import BELOW, HIGHEST, LOWEST
from looped.experiments.beyond.stacks import LAYERS, Stacks

COVARIANCES = {"same": "One covariance for all prompts", "rotated": "A new rotation in every prompt"}
"""Headings of the charts on depth, by the setting that says which of them is the first."""
BEFORE_ONE = 0.5
"""Place of 0 loops on a logarithmic axis."""
WITHIN_LINE = 0.01
"""Share of the value axis that is as thick as a line, which hides a thinner band."""


def depth_chart(found: Depth, covariance: str) -> Picture:
    """Smallest loss against loops, from the answer 0 on: exact, for large n and d, and with infinitely many examples.

    Args:
        found: The losses.
        covariance: `same` in all prompts, or `rotated` anew in each.
    """
    one = covariance == "same"
    case, ratio = "one covariance" if one else "rotated", f"n/d = {found.ratio:.4g}"
    losses, limit = (found.fixed, found.limit) if one else (found.rotated_exact, found.rotated_limit)
    endless = np.zeros(len(found.loops)) if one else found.rotated
    places = np.r_[BEFORE_ONE, found.loops]
    rows = [
        Series(np.r_[1, losses], case, f"{case}, {ratio}", "model", "solid", "circle", 3,
               x=places[: len(losses) + 1], text=f"{ratio} {{:.3g}}"),
        Series(np.r_[1, limit], f"{case}, limit", "its limit for large n and d", "reference", "dash", x=places,
               text="the limit for large n and d {:.3g}"),
    ]  # fmt: skip
    if one and found.floor:
        rows.append(level(found.floor, places[[0, -1]], f"1 − n/d = {found.floor:.3g}", "longdash", "floor"))
    many = Series(np.r_[1, endless], f"{case}, infinite context", f"{case}, n → ∞", "counterpart", "dashdot", "diamond",
                  x=places, text="infinitely many examples {:.3g}")  # fmt: skip
    rows.append(many)
    up, notes, over = log_axis("loss relative to the answer 0", ".3g"), [], []
    if not endless.any():  # 0 after one loop: the line leaves the logarithmic axis
        heights = np.concatenate([row.values for row in rows[:-1]]).clip(LOWEST)
        up = log_axis("loss relative to the answer 0", ".3g", heights)
        falls = np.array([1, 10 ** up["range"][0]])
        rows[-1] = replace(many, legend="", scales=False)
        falling = replace(many, values=falls, x=places[:2], more={
            "mode": "lines+markers", "marker": {"symbol": "diamond", "size": 8, "opacity": [1, 0]},
            "hovertemplate": ["%{y:.3g}", "0"],
        })  # fmt: skip
        over = [falling.trace(places)]
        notes = _fall(up["range"][0])
    told = [[0, *found.loops.tolist()].index(L) for L in sorted({1, int(found.exact[-1]), int(found.loops[-1])})]
    after = " ".join(
        f"After {found.loops[k - 1]}: {', '.join(said([row for row in rows if len(row.values) > k], k))}." for k in told
    )
    return line_chart(
        ("loops", np.r_[0, found.loops]), rows,
        f"Smallest loss with one step size, relative to that of the answer 0, against the number of loops, both axes "
        f"logarithmic: {COVARIANCES[covariance].lower()}. {after}",
        {"title": {"text": "loops L, each number with its best step size"}, "type": "log", "tickvals": places,
         "ticktext": ["0", *map(str, found.loops)]},
        up, lowest=LOWEST, below=BELOW, over=over, annotations=notes,
    )  # fmt: skip


def _fall(low: float) -> list[dict[str, Any]]:
    """The arrow and the words where a line falls from 1 to 0 in one loop, through the lower edge of the chart.

    Args:
        low: where the value axis begins, in log10.
    """
    start = float(np.log10(BEFORE_ONE))
    words = {"text": "0 after one loop", "showarrow": False, "x": 0.0, "y": low, "xanchor": "left", "yanchor": "bottom"}
    return [arrow(0.0, low, ARROW * low, -ARROW * start, {"color": colour("counterpart")}), words | {"xshift": BESIDE}]


def scale_chart(stacks: Stacks) -> Picture:
    """Losses of tied and untied layers for inputs of another size."""
    middle = int(np.abs(stacks.scales - 1).argmin())
    return _pair(
        stacks.by_scale, ("factor on the covariance", stacks.scales),
        {"title": {"text": "times the covariance in training"}},
        f"Relative loss of trained layers after {LAYERS} loops against the size of the inputs, logarithmic loss axis",
        (middle, "for inputs as in training"), (-1, f"for inputs with {stacks.scales[-1]:g} times the covariance"),
    )  # fmt: skip


def stack_chart(stacks: Stacks) -> Picture:
    """Losses of tied and untied layers after every loop, medians with ranges over seeds."""
    loops = np.arange(stacks.by_loop.shape[2])
    picture = _pair(
        stacks.by_loop, ("loop", loops), {"title": {"text": f"loops; {LAYERS} were trained"}},
        "Relative loss of trained layers on the common test set after every loop, logarithmic loss axis",
        (LAYERS, f"after the {LAYERS} trained loops"), (loops[-1], f"after {loops[-1]}"),
    )  # fmt: skip
    picture.spec["layout"]["shapes"] = [upright(LAYERS)]
    return picture


def _pair(
    losses: np.ndarray, x: tuple[str, np.ndarray], across: dict[str, Any], what: str, *places: tuple[int, str]
) -> Picture:
    """Medians of tied and untied models with the range of the seeds as a band."""
    middle, least, most = np.median(losses, axis=1), losses.min(axis=1), losses.max(axis=1).clip(max=HIGHEST)
    (low, high), _ = log_range(middle.clip(LOWEST, HIGHEST))
    looks: tuple[tuple[Role, str, str], ...] = (("model", "solid", "circle"), ("counterpart", "dash", "square"))
    rows, bands = [], []
    for k, (kind, (role, dash, symbol)) in enumerate(zip(("tied", "untied"), looks, strict=True)):
        hidden = bool(np.log10(most[k] / least[k]).max() < WITHIN_LINE * (high - low))
        legend = f"{kind} layers, median" + (f"; all {losses.shape[1]} seeds lie on the line" if hidden else "")
        rows.append(Series(middle[k], kind, legend, role, dash, symbol, 3, text=f"{kind} {{:.3g}}"))
        if not hidden:
            bands += band(x[1], least[k], most[k], f"{kind}, all {losses.shape[1]} seeds", role, role)
    ends = "; ".join(f"{words}: {', '.join(said(rows, place))}" for place, words in places)
    return line_chart(
        x, rows, f"{what}; medians of {losses.shape[1]} seeds. {ends[0].upper()}{ends[1:]}.", across,
        log_axis("loss relative to the answer 0", ".3g"), lowest=LOWEST, highest=HIGHEST, over=bands,
    )  # fmt: skip
