"""Figures of the page: the main chart of every view, and what stands below it."""

from typing import Any

import numpy as np

from looped.chart import Picture, Series, level, line_chart, log_axis, log_range, said
from looped.experiments.beyond.append import Append
from looped.experiments.beyond.depth import Depth
from looped.experiments.beyond.depth_charts import COVARIANCES, depth_chart, scale_chart, stack_chart
from looped.experiments.beyond.heights import BELOW, HIGHEST, LOWEST
from looped.experiments.beyond.more_loops import MoreLoops
from looped.experiments.beyond.one_step import OneStep
from looped.experiments.beyond.result import Found
from looped.experiments.beyond.rivals import METHODS, MOST_LOOPS, Rivals
from looped.experiments.beyond.stacks import Stacks
from looped.experiments.beyond.token_chart import token_chart

GIVEN = (
    "exact mean", "step 1/λ₁", "bound of the mean", "Gradient descent", "Heavy ball", "one covariance, n/d",
    "rotated, n/d", "its limit",
)  # fmt: skip
"""How the names of the curves begin that no question asks for."""
FOUND = ("best number", "mean above")
"""The same of the points that are an answer."""
BEYOND = f"Errors beyond {HIGHEST:g} are above the chart, and those {BELOW} below it."


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
        lowest=LOWEST, highest=HIGHEST, word="diverges", below=BELOW,
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
        f"{found.risk:.4g}. {BEYOND}",
        {"title": {"text": "steps"}}, log_axis("‖w − w*‖², mean over tasks", ".3g"),
        lowest=LOWEST, highest=HIGHEST, word="diverges", below=BELOW,
    )  # fmt: skip


def loops_chart(found: MoreLoops) -> Picture:
    """Medians of both layers against loops, the limit of many examples, the mean and its bound, and the best number."""
    loops, (n, longer) = np.arange(found.settings.loops + 1), found.contexts
    best = np.where((lowest := found.medians.min(axis=1)) >= LOWEST, lowest, np.nan)
    rows = [
        Series(found.medians[0], f"trained on {n}", f"trained on n = {n}, median", "model", "solid", "circle", 3,
               text=f"trained on {n} {{:.3g}}"),
        Series(found.medians[1], f"trained on {longer}", f"trained on n = {longer}, median", "counterpart", "solid",
               "square", 3, text=f"trained on {longer} {{:.3g}}"),
        Series(found.limit[0], f"mean for m → ∞, {n}", f"mean for m → ∞, n = {n}", "reference", "dash"),
        Series(best, "", f"best number of loops up to {loops[-1]}" if (best >= LOWEST).any() else "", "mark", "solid",
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
        if crossed is not None and found.mean[crossed] >= LOWEST:
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
        f"{', '.join(said(rows))}. The best numbers of loops are {found.best[0]} and {found.best[1]}.{bound} "
        f"{BEYOND}",
        {"title": {"text": "loops; 1 was trained"}}, log_axis("squared error ‖w − w*‖²", ".3g"),
        lowest=LOWEST, highest=HIGHEST, word="diverges", below=BELOW,
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
        "gd++": ("counterpart", "longdash", "diamond-open", 2),
        "newton": ("counterpart", "dot", "square-open", 2),
        "eagle": ("model", "solid", "circle", 3), "cg": ("reference", "dashdot", "star", 2),
    }  # fmt: skip
    rings = {"marker": {"symbol": "square-open", "size": 11}}  # round those of EAGLE, which are close
    legends = METHODS | {"gd++": f"GD++, up to {MOST_LOOPS:,} loops", "cg": "Conjugate gradients, exact arithmetic"}
    rows = [
        Series(
            values,
            METHODS[name],
            legends[name],
            *looks[name],
            text=f"{METHODS[name]} {{:.4g}}",
            more=rings if name == "newton" else {},
        )
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
