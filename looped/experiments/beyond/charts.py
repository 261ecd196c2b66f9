"""Figures of the page: the main chart of every view, and what stands below it."""

from dataclasses import replace
from typing import Any

import numpy as np

from looped.chart import (
    ARROW,
    BESIDE,
    COLOURS,
    Motion,
    Picture,
    Role,
    Series,
    arrow,
    band,
    colour,
    layout,
    level,
    line_chart,
    log_axis,
    log_range,
    said,
    short,
)
from looped.experiments.beyond.append import Append
from looped.experiments.beyond.depth import Depth
from looped.experiments.beyond.more_loops import MoreLoops
from looped.experiments.beyond.one_step import OneStep
from looped.experiments.beyond.result import Found
from looped.experiments.beyond.rivals import METHODS, MOST_LOOPS, Rivals
from looped.experiments.beyond.stacks import LAYERS, Stacks

COVARIANCES = {"same": "One covariance for all prompts", "rotated": "A new rotation in every prompt"}
"""Headings of the charts on depth, by the setting that says which of them is the first."""
BEFORE_ONE = 0.5
"""Place of 0 loops on a logarithmic axis."""
LOWEST, HIGHEST = 1e-12, 1e9
"""Errors that a chart has room for: loops whose errors grow beyond have a λ_max(Γ*Σ̂) above 2."""
MOST = {"examples": 24, "rows": 10, "steps": 40}
"""Examples, rows of a slot, and steps of the token matrix that are drawn."""
GIVEN = (
    "exact mean", "step 1/λ₁", "bound of the mean", "Gradient descent", "Heavy ball", "one covariance, n/d",
    "rotated, n/d", "its limit",
)  # fmt: skip
"""How the names of the curves begin that no question asks for."""
FOUND = ("best number", "mean above")
"""The same of the points that are an answer."""
WITHIN_LINE = 0.01
"""Share of the value axis that a band is hidden in, if it is thinner: the width of a line."""
COLOURED = 1.5
"""Numbers of this size and beyond have the darkest colours."""


def main_chart(found: Found) -> Picture:
    """The first chart of a view."""
    return next(iter(pictures(found).values()))


def before(found: Found) -> Picture:
    """The first chart for a reader who is to guess: where its curves begin, and in full those that the lessons name.

    Of trained layers it is the loss on inputs as in training.
    """
    picture = main_chart(found)
    traces = []
    for trace in picture.spec["data"]:
        if trace["name"].startswith(GIVEN):
            traces.append(trace)
        elif "markers" in trace["mode"] and not trace["name"].startswith(FOUND):
            traces.append(trace | {"y": np.where(_begins(found, trace["x"]), trace["y"], np.nan)})
    heights = np.concatenate([trace["y"] for trace in traces])
    limits, ticks = log_range(np.array([np.nanmin(heights) / 10, np.nanmax(heights) * 10]))
    drawn = {name: part for name, part in picture.spec["layout"].items() if name != "annotations"}
    up = {name: part for name, part in drawn["yaxis"].items() if name not in ("dtick", "tickvals", "ticktext")}
    return Picture(
        {"data": traces, "layout": drawn | {"yaxis": up | {"range": limits, **ticks}}},
        f"{picture.alt.split('. ')[0]}. How its curves go on is not shown yet.",
        {name: column[:1] for name, column in picture.table.items()},
    )


def _begins(found: Found, x: np.ndarray) -> np.ndarray:
    """Where a curve is drawn before the guess, True or False for each of its places."""
    return np.asarray(x) == 1 if isinstance(found, Stacks) else np.arange(len(x)) == 0


def pictures(found: Found) -> dict[str, Picture]:
    """Every chart of a view by heading, the main one first."""
    match found:
        case Append():
            return {
                "Error after each step": iterate_chart(found), "The chain as a token matrix": token_chart(found, True),
                "The loop as a token matrix": token_chart(found, False),
            }  # fmt: skip
        case OneStep():
            return {"Error after each step": error_chart(found)}
        case MoreLoops():
            return {"Error after each loop": loops_chart(found), "When the layer diverges": factor_chart(found)}
        case Rivals():
            return {"Loops against κ": rivals_chart(found)}
        case Depth():
            charts = {heading: depth_chart(found, kind) for kind, heading in COVARIANCES.items()}
            first = COVARIANCES[found.settings.covariance]
            return {first: charts.pop(first), **charts}
        case Stacks():
            return {"Inputs of another size": scale_chart(found), "After each loop": stack_chart(found)}


def iterate_chart(found: Append) -> Picture:
    """The squared error of the iterates, overwritten, appended and explicit."""
    loops, now = np.arange(found.settings.loops + 1), found.errors
    rings: dict[str, Any] = {"mode": "markers", "marker": {"symbol": "circle-open", "size": 11, "line": {"width": 2}}}
    rows = [
        Series(now["explicit"], "descent", "Gradient descent with the same step", "descent", "dash", width=2,
               text="gradient descent {:.3g}"),
        Series(now["overwritten"], "overwritten", "query overwritten: the loop", "model", "solid", "circle", 3,
               text="overwritten {:.3g}"),
        Series(now["appended"], "appended", "query appended: the chain", "counterpart", more=rings,
               text="appended {:.3g}"),
    ]  # fmt: skip
    return line_chart(
        ("step", loops), rows,
        f"Squared error of the last query, median over {found.run} prompts with a task each, against steps, "
        f"logarithmic error axis. After {loops[-1]} steps: {', '.join(said(rows))}.",
        {"title": {"text": "steps: appended tokens, or loops"}}, log_axis("squared error ‖w − w*‖²", ".3g"),
        lowest=LOWEST, highest=HIGHEST, word="diverges",
    )  # fmt: skip


def error_chart(found: OneStep) -> Picture:
    """Median and mean of the squared error with the learned step and with one read from each prompt."""
    loops, now = np.arange(found.settings.loops + 1), found.statistics
    rows = [
        Series(now["fixed_median"], "learned step, median", "learned step, median", "model", "solid", "circle", 3,
               text="learned step: median {:.3g}"),
        Series(now["fixed_mean"], "learned step, mean", "learned step, mean", "model", "dash", "triangle-up",
               text="mean {:.3g}"),
        Series(now["own_median"], "own step, median", "step 1/λ₁ of each prompt, median", "descent", "solid", "square",
               text="step of each prompt: median {:.3g}"),
        Series(now["own_mean"], "own step, mean", "step 1/λ₁ of each prompt, mean", "descent", "dot", "x-thin-open",
               text="mean {:.3g}"),
        Series(np.array([found.risk]), "exact", "exact mean after one step", "reference", "solid", "star",
               x=np.array([1]), more={"mode": "markers", "marker": {"symbol": "star", "size": 13}}),
    ]  # fmt: skip
    return line_chart(
        ("step", loops), rows,
        f"Squared error averaged over tasks, of {found.settings.prompts:,} prompts, against steps, logarithmic error "
        f"axis. After {loops[-1]} steps: {', '.join(said(rows))}. The exact mean after one step of the learned step is "
        f"{found.risk:.4g}. Errors beyond {HIGHEST:g} are above the chart.",
        {"title": {"text": "steps"}}, log_axis("‖w − w*‖², mean over tasks", ".3g"),
        lowest=LOWEST, highest=HIGHEST, word="diverges",
    )  # fmt: skip


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


def loops_chart(found: MoreLoops) -> Picture:
    """Medians of both layers against loops, the limit of many examples, the mean and its bound, and the best number."""
    loops, (n, longer) = np.arange(found.settings.loops + 1), found.contexts
    rows = [
        Series(found.medians[0], f"trained on {n}", f"trained on n = {n}, median", "model", "solid", "circle", 3,
               text=f"trained on {n} {{:.3g}}"),
        Series(found.medians[1], f"trained on {longer}", f"trained on n = {longer}, median", "counterpart", "solid",
               "square", 3, text=f"trained on {longer} {{:.3g}}"),
        Series(found.limit[0], f"mean for m → ∞, {n}", f"mean for m → ∞, n = {n}", "reference", "dash"),
        Series(found.medians[[0, 1], found.best], "", f"best number of loops up to {loops[-1]}", "mark", "solid",
               "star", x=found.best, more={"mode": "markers", "marker": {"symbol": "star", "size": 13}}, scales=False),
    ]  # fmt: skip
    bound = " No published bound is drawn: it is for the covariance of training."
    if found.bound is not None and found.mean is not None:
        met = " (that mean lies on it)" if np.allclose(found.bound, found.limit[0], atol=0) else ""
        rows[3:3] = [
            Series(found.mean, f"mean over prompts, {n}", f"mean over prompts, n = {n}", "model", "dot",
                   "triangle-up"),
            Series(found.bound, "published bound", f"bound of the mean for m → ∞, n = {n}{met}", "bound",
                   "dashdot"),
        ]  # fmt: skip
        if met:
            del rows[2]
        crossed = found.crossed
        if crossed is not None:
            rows.append(
                Series(
                    found.mean[[crossed]],
                    "",
                    f"mean above the bound from loop {crossed} on",
                    "bound",
                    "solid",
                    "x",
                    x=np.array([crossed]),
                    more={"mode": "markers", "marker": {"symbol": "x", "size": 11}},
                    scales=False,
                )
            )
        passing = "for some loops, but not in the end" if found.above.any() else "never"
        over = passing if crossed is None else f"from loop {crossed} on"
        bound = (
            f" The published bound of the mean for infinitely many examples ends at {found.bound[-1]:.3g}; the mean "
            f"over prompts and tasks of n = {n} is above it {over}."
        )
    return line_chart(
        ("loop", loops), rows,
        f"Median squared error on {found.settings.prompts:,} prompts with a task each, of m = "
        f"{found.settings.test_examples} examples against loops, logarithmic error axis. At the start "
        f"{found.medians[0, 0]:.3g}; after {loops[-1]} loops: "
        f"{', '.join(said(rows))}. The best numbers of loops are {found.best[0]} and {found.best[1]}.{bound} Errors "
        f"beyond {HIGHEST:g} are above the chart.",
        {"title": {"text": "loops; 1 was trained"}}, log_axis("squared error ‖w − w*‖²", ".3g"),
        lowest=LOWEST, highest=HIGHEST, word="diverges",
    )  # fmt: skip


def factor_chart(found: MoreLoops) -> Picture:
    """λ_max(Γ*Σ̂) against the number of examples in training, with the limit 2."""
    lengths, factors = found.lengths, found.factors
    rows = [
        Series(factors, "λ_max", "λ<sub>max</sub>(Γ*Σ̂), median prompt", "model", "solid", "circle", 3),
        level(2.0, [1, lengths[-1]], "2: above it the loop diverges", "dot", "mark"),
        Series(found.middle, "", "the two layers", "counterpart", "solid", "square",
               x=np.array(found.contexts), more={"mode": "markers", "marker": {"symbol": "square", "size": 11}}),
    ]  # fmt: skip
    over = lengths[factors > 2]
    where = f"From {over[0]} examples on it is above 2." if over.size else "It is never above 2."
    return line_chart(
        ("examples in training", lengths), rows,
        f"Largest eigenvalue of the learned step times the test's covariance, median over prompts, against the "
        f"examples in training. It goes from {factors[0]:.3g} to {factors[-1]:.3g}. {where}",
        {"title": {"text": "examples in a prompt in training"}, "type": "log", "exponentformat": "power", "dtick": 1},
        {"title": {"text": "λ<sub>max</sub>"}, "rangemode": "tozero"},
    )  # fmt: skip


def rivals_chart(found: Rivals) -> Picture:
    """Loops to the error asked for against κ, both axes logarithmic."""
    looks: dict[str, tuple[Any, str, str, float]] = {
        "gd": ("descent", "dash", "x-thin-open", 2), "heavy-ball": ("counterpart", "solid", "triangle-up", 2),
        "gd++": ("counterpart", "dash", "diamond", 2), "newton": ("counterpart", "dot", "square", 2),
        "eagle": ("model", "solid", "circle", 3), "cg": ("reference", "dashdot", "star", 2),
    }  # fmt: skip
    legends = METHODS | {"gd++": f"GD++, up to {MOST_LOOPS:,} loops", "cg": "Conjugate gradients, exact arithmetic"}
    rows = [
        Series(values, METHODS[name], legends[name], *looks[name], text=f"{METHODS[name]} {{:.4g}}")
        for name, values in found.loops.items()
    ]
    ends = ", ".join(text for text in said(rows) if "nan" not in text)
    rows.append(Series(found.in_float64, "Conjugate gradients in float64", scales=False))
    low, high = float(found.kappa[0]), float(found.kappa[-1])
    limits, ticks = log_range(np.array([low, high]))
    return line_chart(
        ("κ", found.kappa), rows,
        f"Loops to a relative error of {found.settings.target_error:g} against the condition number κ of XᵀX, both "
        f"axes logarithmic. At κ = {high:.3g}: {ends}.",
        {"title": {"text": "κ of XᵀX"}, "type": "log", "exponentformat": "power", "range": limits, **ticks},
        log_axis(f"loops to {found.settings.target_error:g}", ",.0f"),
    )  # fmt: skip


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
    up, notes = log_axis("loss relative to the answer 0", ".3g"), []
    if not endless.any():  # 0 after one loop: the line leaves the logarithmic axis
        heights = np.concatenate([row.values for row in rows[:-1]]).clip(LOWEST)
        up = log_axis("loss relative to the answer 0", ".3g", heights)
        falls = np.array([1, 10 ** up["range"][0]])
        rows[-1:] = [
            replace(many, legend="", scales=False),
            replace(many, values=falls, column="", text="", x=places[:2], more={
                "mode": "lines+markers", "marker": {"symbol": "diamond", "size": 8, "opacity": [1, 0]},
                "hovertemplate": ["%{y:.3g}", "0"],
            }),
        ]  # fmt: skip
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
        up, lowest=LOWEST, annotations=notes,
    )  # fmt: skip


def _fall(low: float) -> list[dict[str, Any]]:
    """The arrow and the words where a line falls from 1 to 0 in one loop, through the lower edge of the chart.

    Args:
        low: where the value axis begins, in log10.
    """
    start = float(np.log10(BEFORE_ONE))
    words = {"text": "0 after one loop", "showarrow": False, "x": 0.0, "y": low, "xanchor": "left", "yanchor": "bottom"}
    return [arrow(0.0, low, ARROW * low, -ARROW * start, {"color": colour("counterpart")}), words | {"xshift": BESIDE}]


def stack_chart(stacks: Stacks) -> Picture:
    """Losses of tied and untied layers after every loop, medians with ranges over seeds."""
    loops = np.arange(stacks.by_loop.shape[2])
    picture = _pair(
        stacks.by_loop, ("loop", loops), {"title": {"text": f"loops; {LAYERS} were trained"}},
        "Relative loss of trained layers on the common test set after every loop, logarithmic loss axis",
        (LAYERS, f"after the {LAYERS} trained loops"), (loops[-1], f"after {loops[-1]}"),
    )  # fmt: skip
    line = {
        "type": "line",
        "x0": LAYERS,
        "x1": LAYERS,
        "yref": "paper",
        "y0": 0,
        "y1": 1,
        "line": {"dash": "dot", "color": "gray"},
    }
    picture.spec["layout"]["shapes"] = [line]
    return picture


def scale_chart(stacks: Stacks) -> Picture:
    """Losses of tied and untied layers for inputs of another size."""
    middle = int(np.abs(stacks.scales - 1).argmin())
    return _pair(
        stacks.by_scale, ("factor on the covariance", stacks.scales),
        {"title": {"text": "times the covariance in training"}},
        f"Relative loss of trained layers after {LAYERS} loops against the size of the inputs, logarithmic loss axis",
        (middle, "for inputs as in training"), (-1, f"for inputs with {stacks.scales[-1]:g} times the covariance"),
    )  # fmt: skip


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
