"""Figures of the page on tasks that share a signal: smallest risks, training, the learned step, and the flow."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from looped.chart import NARROW_MARGIN, Picture, Role, Series, grid, level, line_chart, log_axis, said
from looped.experiments.signal.result import Sweep
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
M_TICKS = (1, 2, 5, 10, 20, 50, 100, 200, 400)
RATIO_FOR_LOG = 20
"""From this ratio of the largest to the smallest risk on, the risk axis is logarithmic."""


def risk_chart(sweep: Sweep) -> Picture:
    """The smallest risk of every model against s, M or σ, for attention alone the smallest found and what is proved."""
    x, levels, now = sweep.values, sweep.levels, SYMBOLS[sweep.over]
    gd, lsa, gd0 = (np.array([getattr(best, name).risk for best in levels]) for name in ("gd", "lsa", "gd0"))
    bayes = np.array([best.bayes.mean for best in levels])
    log = bool(lsa.max() > RATIO_FOR_LOG * max(gd.min(), 1e-300))
    floor = _floor(gd, bayes) if log else 0.0
    zero = "Bayes (0 drawn at the edge)" if (bayes < floor).any() else "Bayes"
    error = np.array([best.bayes.standard_error for best in levels])
    bound = gd + np.array([best.bounds.valid for best in levels])
    rows = [
        Series(gd, "LTB = GD-β", "LTB = GD-β, with MLP", "model", "solid", "circle", 3, text="with MLP {:.4g}"),
        Series(lsa, "LSA, smallest found", "LSA, attention alone: smallest found", "counterpart", "solid", "square", 3,
               text="attention alone {:.4g}"),
        Series(gd0, "GD-0", "GD-0", "descent", "dash", "x-thin-open", text="GD-0 {:.4g}"),
        Series(bayes, "Bayes", zero, "floor", "dot", "diamond-open", text="Bayes {:.3g}"),
        Series(error, "Bayes, standard error", scales=False),
        Series(bound, "LSA, proved lower bound", "proved lower bound for LSA", "bound", "dashdot", width=1.5),
    ]  # fmt: skip
    across: dict[str, Any] = {"title": {"text": AXES[sweep.over]}}
    if sweep.over == "examples":
        across |= {"type": "log", "tickvals": [tick for tick in M_TICKS if tick <= x[-1]]}
    title = "risk E(f − y)²"
    up = log_axis(title, ".4g") if log else {"title": {"text": title}, "rangemode": "tozero"}
    first, last = (", ".join(said(rows, place)) for place in (0, -1))
    gaps = lsa - gd
    return line_chart(
        (now, x),
        rows,
        f"Smallest risk against {AXES[sweep.over]}, for attention alone the smallest found, "
        f"{'logarithmic' if log else 'linear'} risk axis. At {now} = {x[0]:.4g}: {first}. At {now} = {x[-1]:.4g}: "
        f"{last}. The gap between attention alone and the block with an MLP goes from {gaps[0]:.3g} to {gaps[-1]:.3g}.",
        across,
        up,
        lowest=floor,
    )


def training_chart(history: Mapping[Kind, Sequence[Progress]], best: Levels, steps: int) -> Picture:
    """Exact risk of the weights against training steps, with the smallest risk of each model."""
    rows, at = [], np.array([0])
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
    return line_chart(
        ("step", at),
        [*rows, *levels],
        f"Risk of the trained weights against training steps, logarithmic risk axis. {reached} Levels: "
        f"{'; '.join(row.legend for row in levels)}.",
        {"title": {"text": "training steps"}, "range": [0, steps]},
        log_axis("exact risk of the weights", ".4g"),
    )


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
        {"title": {"text": "entry of β"}, "range": [min(0.0, low), max(high, 0.5)]}, height=330,
    )  # fmt: skip


def matrix_chart(learned: ReadOut | None, best: Optimum) -> Picture:
    """The matrix step Γᵀ that the block has learned beside the optimal one, on one colour scale."""
    wanted = best.Gamma.mT.numpy()
    found = np.full_like(wanted, np.nan) if learned is None else learned.Gamma.mT.numpy()
    d, size = len(wanted), float(np.abs(wanted).max()) or 1.0
    index = np.arange(1, d + 1)
    heat = {
        "type": "heatmap", "x": index, "y": index, "zmin": -size, "zmax": size, "zmid": 0, "autocolorscale": True,
        "hovertemplate": "row %{y}, column %{x}: %{z:.4g}<extra></extra>",
    }  # fmt: skip
    data = [
        heat | {"z": found, "showscale": False},
        heat | {"z": wanted, "xaxis": "x2", "yaxis": "y2", "colorbar": {"thickness": 12}},
    ]
    drawn = grid(cols=2, horizontal_spacing=0.08, shared_yaxes=True)
    step = {"dtick": 1} if d <= 12 else {}
    for name, title in (("", "learned v·U₁₁"), ("2", "optimal Γ*ᵀ")):
        drawn[f"xaxis{name}"] |= {"range": [0.5, d + 0.5], "showgrid": False, "title": {"text": title}, **step}
        drawn[f"yaxis{name}"] |= {"range": [d + 0.5, 0.5], "showgrid": False, "automargin": True, **step}
    drawn |= {"height": 330, "margin": NARROW_MARGIN, "hovermode": "closest"}
    low, high = wanted.diagonal().min(), wanted.diagonal().max()
    alt = f"Two {d} × {d} matrices. The optimal Γ*ᵀ has diagonal entries from {low:.4g} to {high:.4g}. "
    if learned is None:
        alt += "Nothing is trained yet."
    else:
        difference = float(np.linalg.norm(found - wanted) / (np.linalg.norm(wanted) or 1.0))
        alt += f"The learned one, v·U₁₁, differs from it by {difference:.2%} of its size."
    row, column = (part.ravel() + 1 for part in np.indices((d, d)))
    table = {"row": row, "column of Γᵀ": column, "learned": found.ravel(), "optimal": wanted.ravel()}
    return Picture({"data": data, "layout": drawn}, alt, table)


def flow_chart(flow: Flow, task: SignalTask) -> Picture:
    """Distance of β to β* along gradient flow, next to the rate that is proved, where its condition holds."""
    times = flow.times.numpy()
    away = (flow.beta - task.beta_star).square().sum(dim=1).numpy()
    alt = (
        f"Squared distance of β to β* against time under gradient flow, logarithmic: from {away[0]:.3g} to "
        f"{away[-1]:.2e} at t = {times[-1]:.3g}"
    )
    distance = "‖β(t) − β*‖²"
    rows = [Series(away, distance, "gradient flow", "model", "solid", "circle", 3)]
    if outside_range(task, flow.beta[0]):
        alt += ". No bound is drawn: β(0) − β* is not in the range of H."
    else:
        rate = flow_rate(task)
        bound = away[0] * np.exp(-rate * times)
        rows.append(Series(bound, "bound", f"bound exp(−{rate:.3g}·t)", "bound", "dash"))
        alt += f", where the bound is {bound[-1]:.2e}."
    shown = np.concatenate([np.clip(row.values, 1e-12 * max(float(away[0]), 1e-30), None) for row in rows])
    return line_chart(
        ("t", times), rows, alt, {"title": {"text": "time t"}}, log_axis(distance, ".4g", shown),
        lowest=1e-30, height=330,
    )  # fmt: skip


def _floor(gd: np.ndarray, bayes: np.ndarray) -> float:
    """The height at which a Bayes risk of 0 is drawn on a log axis: below all other values."""
    positive = np.concatenate([gd, bayes[bayes > 1e-12]])
    return float(positive.min()) / 4
