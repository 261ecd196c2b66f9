"""Figures of the page on tasks that share a signal: smallest risks, training, the learned step, and the flow."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from looped.chart import (
    BEGINNING,
    CELLS,
    NARROW_MARGIN,
    Picture,
    Role,
    Series,
    grid,
    layout,
    level,
    line_chart,
    log_axis,
    said,
    upright,
)
from looped.experiments.signal.cloud import Cloud
from looped.experiments.signal.result import Sweep
from looped.experiments.signal.stored import StoredRun
from looped.shared_signal.bounds import flow_rate, outside_range
from looped.shared_signal.flow import Flow
from looped.shared_signal.levels import Levels
from looped.shared_signal.models import ReadOut
from looped.shared_signal.risks import Optimum
from looped.shared_signal.tasks import SignalTask
from looped.shared_signal.training import Kind, Progress

MODELS: dict[Kind, tuple[str, str, Role]] = {
    "ltb": ("LTB, with MLP", "circle", "model"), "lsa": ("LSA, attention alone", "square", "counterpart"),
    "gd-beta": ("GD-β", "diamond", "reference"), "gd-0": ("GD-0", "x", "descent"),
}  # fmt: skip
"""Name, marker and role of every model's line."""
AXES = {"signal": "s, with β* = s·(1, …, 1)", "examples": "examples in a prompt, M", "noise": "label noise σ"}
SYMBOLS = {"signal": "s", "examples": "M", "noise": "σ"}
UNTRAINED = "No training at these settings yet."
"""What the chart of trainings says without one, on the page and in a file."""
M_TICKS = (1, 2, 5, 10, 20, 50, 100, 200, 400)
RATIO_FOR_LOG = 20
"""From this ratio of the largest to the smallest risk on, the risk axis is logarithmic."""
NO_RISK = 1e-12
"""Up to here a Bayes risk is 0 but for rounding: on a logarithmic axis it is drawn at the edge."""
BELOW = 0.1
"""Share of the axis that is free between the edge, where a Bayes risk of 0 is drawn, and all other lines."""
SAME = 5e-3
"""Share of the picture up to which two estimates lie on each other."""
NO_GAP = 1e-9
"""Share of the block's risk up to which a gap is rounding."""


def risk_chart(sweep: Sweep, at: float, until: float | None = None) -> Picture:
    """The smallest risk of every model against s, M or σ, for attention alone the smallest found and what is proved.

    Against M the gap has a line of its own: on a logarithmic axis the distance of two lines is their ratio.

    Args:
        sweep: the smallest risks.
        at: the value that is set, where a line stands.
        until: for a reader who is to guess, the value up to which the lines of attention alone and of the gap are
            drawn, beside those of the block and of Bayes alone; None for all lines.
    """
    x, levels, now = sweep.values, sweep.levels, SYMBOLS[sweep.over]
    gd, lsa, gd0 = (np.array([getattr(best, name).risk for best in levels]) for name in ("gd", "lsa", "gd0"))
    bayes = np.array([best.bayes.mean for best in levels])
    if until is not None:
        lsa = np.where(x <= until, lsa, np.nan)
    noise = x**2 if sweep.over == "noise" else np.zeros(len(x))  # part of every risk: with it the lines lie together
    log = bool(np.nanmax(lsa - noise) > RATIO_FOR_LOG * max((gd - noise).min(), 1e-300))
    error = np.array([best.bayes.standard_error for best in levels])
    bound, gaps = gd + np.array([best.bounds.valid for best in levels]), lsa - gd
    zero = "Bayes (0 drawn at the edge)" if log and (bayes - noise <= NO_RISK).any() else "Bayes"
    rows = [
        Series(gd, "LTB = GD-β", "LTB = GD-β, with MLP", "model", "solid", "circle", 3, text="with MLP {:.4g}"),
        Series(lsa, "LSA, smallest found", "LSA, attention alone: smallest found", "counterpart", "solid", "square", 3,
               text="attention alone {:.4g}"),
        Series(gd0, "GD-0", "GD-0", "descent", "dash", "x-thin-open", text="GD-0 {:.4g}"),
        Series(bayes, "Bayes", zero, "floor", "dot", "diamond-open", text="Bayes {:.3g}"),
        Series(error, "Bayes, standard error", scales=False),
        Series(bound, "LSA, proved lower bound", "proved lower bound for LSA", "bound", "dashdot", width=1.5),
    ]  # fmt: skip
    if sweep.over == "examples" and np.nanmin(gaps / gd) > NO_GAP:
        rows.append(Series(gaps, "gap", "gap: attention alone less with MLP", "mark", "solid", "triangle-up", 3))
    if until is not None:
        rows = [row for row in rows if row.role in ("model", "counterpart", "floor", "mark")]
    if sweep.over == "noise":
        above = [replace(row, values=row.values - noise, column="") for row in rows if row.legend]
        rows = [*(replace(row, legend="", text="", scales=False) for row in rows), *above]
    across: dict[str, Any] = {"title": {"text": AXES[sweep.over]}}
    if sweep.over == "examples":
        across |= {"type": "log", "tickvals": [tick for tick in M_TICKS if tick <= x[-1]]}
    title = "risk above σ²" if sweep.over == "noise" else "risk: mean of (f − y)²"
    up: dict[str, Any] = {"title": {"text": title}, "rangemode": "tozero"}
    if log:
        drawn = np.concatenate([row.values for row in rows if row.legend and row.scales])
        up = log_axis(title, ".4g", drawn[drawn > NO_RISK])
        if zero != "Bayes":
            low, high = up["range"]
            up["range"] = [low - BELOW * (high - low), high]
    first, last = (", ".join(said(rows, place)) for place in (0, -1))
    told = (
        f"At {now} = {x[0]:.4g}: {first}. At {now} = {x[-1]:.4g}: {last}. The gap between attention alone and the "
        f"block with an MLP goes from {gaps[0]:.3g} to {gaps[-1]:.3g}."
        if until is None
        else f"At {now} = {x[0]:.4g}: {first}. Attention alone above {now} = {until:.4g} is not shown yet."
    )
    here = upright(at) | {"label": {"text": f"{now} = {at:.4g}", "textposition": "end", "textangle": 0}}
    return line_chart(
        (now, x),
        rows,
        f"Smallest risk against {AXES[sweep.over]}, for attention alone the smallest found, "
        f"{'logarithmic' if log else 'linear'} risk axis{', above σ²' if noise.any() else ''}. A line marks {now} = "
        f"{at:.4g}, which is set. {told}",
        across,
        up,
        lowest=10 ** up["range"][0] if log else 0.0,
        shapes=[here],
        margin=NARROW_MARGIN | {"t": 26},
    )


def cloud_chart(cloud: Cloud, estimates: bool = True) -> Picture:
    """The tasks in two of their coordinates, along β* and across it, with arrows to the estimates of typical ones.

    An arrow starts at what the model predicts with before it has seen an example: β* with an MLP, 0 without. From its
    point a dotted line leads to the task. The axes have scales of their own, so that the tasks fill them; where 0 is
    far, it lies beyond the left edge, at which its arrows begin. Where both models have the same estimates, as at
    β* = 0, the arrows of the block are drawn wider, so that they are seen below the others.

    Args:
        cloud: the tasks, and what the models take them for.
        estimates: False for a reader who is to guess how good they are: the tasks alone.
    """
    start, which = cloud.task.beta_star, cloud.typical()
    tasks, ltb, lsa = ((points @ cloud.axes.mT).numpy() for points in (cloud.tasks, cloud.ltb, cloud.lsa))
    (along, across), shown, zero = tasks.T, tasks[which], np.zeros(2)
    beta = (cloud.axes @ start).numpy()
    ends = np.concatenate([tasks, ltb[which], lsa[which], beta[None]])
    low, high = (extreme(ends, axis=0) for extreme in (np.min, np.max))
    far = low[0] > high[0] - low[0]
    if not far:
        low, high = np.minimum(low, zero), np.maximum(high, zero)
    (left, right), room = _room(low[0], high[0]), _room(low[1], high[1])
    entry = lsa[which] * (left / lsa[which, :1]) if far else np.broadcast_to(zero, shown.shape)
    dots: dict[str, Any] = {"mode": "markers", "marker": {"symbol": "circle", "size": 4, "opacity": 0.4}}
    larger: dict[str, Any] = {"mode": "markers", "marker": {"symbol": "circle", "size": 11}}
    points = {"mode": "markers", "marker": {"symbol": "diamond", "size": 12}}
    same = bool((np.abs(ltb - lsa)[which] < SAME * (high - low)).all())
    begins = f"β*{'' if beta[0] else ' = 0'}{', the same arrows, drawn wide' if same else ''}"
    arrows = [
        _arrows(np.broadcast_to(beta, shown.shape), ltb[which], f"with MLP: from {begins}", "model", 3 if same else 1),
        _arrows(entry, lsa[which], "attention alone: from 0", "counterpart"),
        _missed(np.concatenate([ltb[which], lsa[which]]), np.concatenate([shown, shown])),
    ] if estimates else []  # fmt: skip
    rows = [
        Series(across, "", "tasks β̃", "task", x=along, more=dots),
        Series(shown[:, 1], "", "tasks to estimate", "task", x=shown[:, 0], more=larger),
        *arrows,
        Series(beta[1:], "", "β*, the shared signal", "reference", x=beta[:1], more=points),
    ]
    away = f"s·√d = {beta[0]:.3g}"
    way = "β*" if beta[0] else "(1, …, 1)"
    title = f"coordinate along β*, which is at {away}" if beta[0] else f"coordinate along {way}; β* is at 0"
    apart = [np.linalg.norm(found - tasks, axis=1) for found in (ltb, lsa)]
    missed = "; ".join(
        f"{name} {with_mlp:.3g} with MLP and {without:.3g} without"
        for name, with_mlp, without in (
            *((f"task {k + 1}", *(one[k] for one in apart)) for k in which),
            ("all tasks, in the root mean square,", *(np.sqrt(np.mean(one**2)) for one in apart)),
        )
    )
    off = {"x": left, "y": 0, "yref": "paper", "text": "← 0 is off the chart", "showarrow": False, "xanchor": "left",
           "yanchor": "bottom"}  # fmt: skip
    return Picture(
        {"data": [row.trace(along) for row in rows], "layout": layout(
            {"title": {"text": title}, "range": [left, right], "zeroline": True},
            {"title": {"text": "coordinate across it"}, "zeroline": True, "range": room},
            hovermode="closest", annotations=[off] if far else [],
        )},
        f"{len(along)} tasks around β*, which {f'lies {away} from' if beta[0] else 'is'} 0, in two of "
        f"{cloud.task.features} coordinates: along {way}, and across it where the tasks vary most. With an MLP an "
        f"estimate starts at β*, without one at 0. "
        + (f"Drawn distance from the estimate to the task: {missed}." if estimates else "No estimate is shown yet."),
        {"task": np.arange(1, len(along) + 1), f"along {way}": along, "across": across}
        | {f"{name}, {axis}": found[:, k]
           for name, found in (("with MLP", ltb), ("attention alone", lsa))
           for k, axis in enumerate((f"along {way}", "across"))},
    )  # fmt: skip


def _arrows(starts: np.ndarray, ends: np.ndarray, legend: str, role: Role, times: int = 1) -> Series:
    """An arrow from each of K points, (K, 2), to another, (K, 2), so many times as wide as usual."""
    x, y = _pairs(starts, ends)
    sizes = [0, 10 + 4 * times, 0] * len(ends)
    marker = {"symbol": "arrow", "angleref": "previous", "size": sizes, "opacity": 1, "line": {"width": 0}}
    return Series(y, "", legend, role, width=2 * times, x=x, more={"mode": "lines+markers", "marker": marker})


def _missed(ends: np.ndarray, tasks: np.ndarray) -> Series:
    """A dotted line from each of K estimates, (K, 2), to its task, (K, 2)."""
    x, y = _pairs(ends, tasks)
    line = {"dash": "dot", "width": 1.5, "color": "gray"}
    return Series(y, "", "what the estimate misses", x=x, more={"line": line, "hoverinfo": "skip"})


def _pairs(starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """K lines between points, (K, 2) each, as one path with a gap after each: (2, 3K)."""
    return np.stack([starts, ends, np.full_like(ends, np.nan)], axis=1).reshape(-1, 2).T


def _room(low: float, high: float) -> list[float]:
    """A range that stays while its ends move a little: both ends at a step of a seventh of the length."""
    step = 10 ** np.floor(np.log10(max(high - low, 1e-6))) / 2
    return [float(np.floor(low / step - 0.2) * step), float(np.ceil(high / step + 0.2) * step)]


def outcome(best: Levels, task: SignalTask) -> str:
    """What the two models can reach, as Markdown."""
    written = best.written
    start = (
        "the block with MLP takes every task to be at β\\*, attention alone at 0"
        if task.beta_star.any()
        else "either model takes every task to be at 0, which is β\\*"
    )
    more = "no gap" if float(written["gap"]) == 0 else f"{written['gap']} more"
    return (
        f"Before any example {start}. Smallest risk: **{written['gd']}** with MLP, **{written['lsa']}** "
        f"found without: {more}."
    )


def beginning_chart(stored: Mapping[Kind, StoredRun], steps: int) -> Picture:
    """The beginning of a stored training, for a reader who is to guess how it goes on.

    Args:
        stored: the stored run of each model.
        steps: the number of steps of the whole training.
    """
    rows, at = [], np.array([0])
    for kind, run in stored.items():
        name, symbol, role = MODELS[kind]
        at = run.steps[run.steps <= BEGINNING * steps]
        rows.append(Series(run.risks[kind][: len(at)], f"risk, {name}", name, role, "solid", symbol, 3))
    reached = ", ".join(f"{row.legend} {row.values[-1]:.4g}" for row in rows)
    return line_chart(
        ("step", at),
        rows,
        f"Risk of the trained weights against training steps, logarithmic risk axis. After {at[-1]} of {steps} steps: "
        f"{reached}. How the risks go on is not shown yet.",
        *_training_axes(steps),
    )


def _training_axes(steps: int) -> tuple[dict[str, Any], dict[str, Any]]:
    across = {"title": {"text": "training steps"}, "range": [0, steps]}
    return across, log_axis("exact risk, mean of (f − y)²", ".4g")


def training_chart(
    history: Mapping[Kind, Sequence[Progress]], best: Levels, steps: int, stored: Mapping[Kind, StoredRun] | None = None
) -> Picture:
    """Exact risk of the weights against training steps, with the smallest risk of each model.

    Args:
        history: the records of each model that is trained.
        best: the smallest risks.
        steps: the number of steps of the whole training.
        stored: the stored run of each model that is drawn behind.
    """
    rows, at = [], np.array([0])
    for kind, run in (stored or {}).items():
        name, symbol, role = MODELS[kind]
        look = role, "solid", f"{symbol}-open"
        rows += [
            Series(run.risks[kind], "", f"{name}: stored run", *look, opacity=0.5, x=run.steps, scales=False),
            Series(run.risks[kind][1:]),
        ]
    for kind, records in history.items():
        at, risks = np.array([record.step for record in records]), np.array([record.risk for record in records])
        (name, symbol, role), losses = MODELS[kind], np.array([record.loss for record in records])
        rows += [
            Series(risks, f"risk, {name}", name, role, "solid", symbol, 3, scales=False),
            Series(risks[1:]),  # room for these: random weights may start a thousand times above everything else
            Series(losses, f"loss of the batches, {name}", scales=False),
        ]
    levels = [
        level(best.gd.risk, (0, steps), f"optimum with MLP, {best.written['gd']}", "dash", "model"),
        level(best.lsa.risk, (0, steps), f"smallest found for attention alone, {best.written['lsa']}", "dot",
              "counterpart"),
    ]  # fmt: skip
    if "gd-0" in history:
        levels.append(level(best.gd0.risk, (0, steps), f"optimum of GD-0, {best.written['gd0']}", "dashdot", "descent"))
    ends = [f"{MODELS[kind][0]} {records[-1].risk:.4g}" for kind, records in history.items() if records]
    reached = f"After {at[-1]} of {steps} steps: {', '.join(ends)}." if ends else "Not started."
    across, up = _training_axes(steps)
    empty: list[dict[str, Any]] = []
    if not history and not stored:
        heights = np.array([row.values[0] for row in levels])
        up = log_axis(up["title"]["text"], ".4g", heights)
        empty = [_between(heights, up["range"], UNTRAINED)]
        reached = UNTRAINED
    if stored:
        ended = (f"{MODELS[kind][0]} {run.risks[kind][-1]:.4g}" for kind, run in stored.items())
        reached += f" A stored run of these settings ended at: {', '.join(ended)}."
    return line_chart(
        ("step", at),
        [*rows, *levels],
        f"Risk of the trained weights against training steps, logarithmic risk axis. {reached} Levels: "
        f"{'; '.join(row.legend for row in levels)}.",
        across,
        up,
        annotations=empty,
    )


def _between(heights: np.ndarray, limits: list[float], text: str) -> dict[str, Any]:
    """Words in the middle of a chart, where there is most room between some heights on its logarithmic axis."""
    ends = np.sort([*limits, *np.log10(heights[heights > 0])])
    widest = int(np.diff(ends).argmax())
    middle = (ends[widest : widest + 2].mean() - limits[0]) / (limits[1] - limits[0])
    return {"text": text, "x": 0.5, "y": float(middle), "xref": "paper", "yref": "paper", "showarrow": False}


def where_training_stands(kind: Kind, record: Progress, steps: int, best: Levels) -> str:
    """The last record of a training beside the smallest risk of its model, as Markdown."""
    level = best.optimum(kind)
    text = f"**{MODELS[kind][0]}**: step {record.step:,} of {steps:,}, exact risk {record.risk:.5g}"
    if level > 0:
        name = "the smallest found" if kind == "lsa" else "its smallest possible risk"
        text += f", {max(record.risk / level - 1, 0.0):.2%} above {name}, {level:.5g}"
    return f"{text}."


def start_chart(learned: ReadOut | None, task: SignalTask) -> Picture:
    """The start β that the block has learned next to the shared signal β*."""
    index, wanted = np.arange(1, task.features + 1), task.beta_star.numpy()
    rows = [Series(wanted, "β*", "β*, the shared signal", "reference", "dash")]
    alt = f"The shared signal β*, {task.features} entries of {wanted[0]:.4g}. Nothing is trained yet."
    if learned is not None:
        found = learned.beta.numpy()
        points = {"mode": "markers", "marker": {"symbol": "circle", "size": 10}}
        rows.append(Series(found, "learned β", "learned β = g", "model", more=points))
        length = float(np.linalg.norm(wanted))
        away = float(np.linalg.norm(found - wanted))
        share = f"{away / length:.2%} of the length of β*" if length else f"{away:.3g} from β* = 0"
        alt = (
            f"Learned β by feature, from {found.min():.4g} to {found.max():.4g}, next to β* = {wanted[0]:.4g} in each: "
            f"the difference is {share}."
        )
    low, high = (1.15 * float(extreme([extreme(row.values) for row in rows])) for extreme in (np.min, np.max))
    return line_chart(
        ("feature", index), rows, alt, {"title": {"text": "feature"}, "dtick": 1 if task.features <= 12 else None},
        {"title": {"text": "entry of β"}, "range": [min(0.0, low), max(high, 0.5)]}, height=330, showlegend=True,
    )  # fmt: skip


def matrix_chart(learned: ReadOut | None, best: Optimum) -> Picture:
    """The matrix step Γᵀ that the block has learned beside the optimal one, on one colour scale."""
    wanted = best.Gamma.mT.numpy()
    found = np.full_like(wanted, np.nan) if learned is None else learned.Gamma.mT.numpy()
    d, size = len(wanted), float(np.abs(wanted).max()) or 1.0
    index = np.arange(1, d + 1)
    heat = {
        "type": "heatmap", "x": index, "y": index, "zmin": -size, "zmax": size, "zmid": 0, **CELLS,
        "hovertemplate": "row %{y}, column %{x}: %{z:.4g}<extra></extra>",
    }  # fmt: skip
    data = [
        heat | {"z": found, "showscale": False},
        heat | {"z": wanted, "xaxis": "x2", "yaxis": "y2", "colorbar": {"thickness": 12}},
    ]
    drawn = grid(cols=2, horizontal_spacing=0.08, shared_yaxes=True)
    step = {"dtick": 1} if d <= 12 else {}
    for name, title in (("", "learned r<sub>d+1</sub>·U₁₁"), ("2", "optimal Γ*ᵀ")):
        drawn[f"xaxis{name}"] |= {"range": [0.5, d + 0.5], "showgrid": False, "title": {"text": title}, **step}
        drawn[f"yaxis{name}"] |= {"range": [d + 0.5, 0.5], "showgrid": False, "automargin": True, **step}
    drawn |= {"height": 330, "margin": NARROW_MARGIN, "hovermode": "closest"}
    low, high = wanted.diagonal().min(), wanted.diagonal().max()
    alt = f"Two {d} × {d} matrices. The optimal Γ*ᵀ has diagonal entries from {low:.4g} to {high:.4g}. "
    if learned is None:
        alt += "Nothing is trained yet."
    else:
        difference = float(np.linalg.norm(found - wanted) / (np.linalg.norm(wanted) or 1.0))
        alt += f"The learned one differs from it by {difference:.2%} of its size."
    row, column = (part.ravel() + 1 for part in np.indices((d, d)))
    table = {"row": row, "column of Γᵀ": column, "learned": found.ravel(), "optimal": wanted.ravel()}
    return Picture({"data": data, "layout": drawn}, alt, table)


def flow_chart(flow: Flow, task: SignalTask) -> Picture:
    """Distance of β to β* along gradient flow, next to the rate that is proved, where its condition holds."""
    times = flow.times.numpy()
    away = (flow.beta - task.beta_star).square().sum(dim=1).numpy()
    alt = (
        f"Squared distance of β to β* against time under gradient flow, logarithmic: from {away[0]:.3g} to "
        f"{away[-1]:.2e} at τ = {times[-1]:.3g}"
    )
    distance = "‖β(τ) − β*‖²"
    rows = [Series(away, distance, "gradient flow", "model", "solid", "circle", 3)]
    if outside_range(task, flow.beta[0]):
        alt += ". No bound is drawn: β(0) − β* is not in the range of H."
    else:
        rate = flow_rate(task)
        bound = away[0] * np.exp(-rate * times)
        rows.append(Series(bound, "bound", f"bound exp(−{rate:.3g}·τ)", "bound", "dash"))
        alt += f", where the bound is {bound[-1]:.2e}."
    shown = np.concatenate([np.clip(row.values, 1e-12 * max(float(away[0]), 1e-30), None) for row in rows])
    return line_chart(
        ("τ", times), rows, alt, {"title": {"text": "time τ"}}, log_axis(distance, ".4g", shown),
        lowest=1e-30, height=330,
    )  # fmt: skip
