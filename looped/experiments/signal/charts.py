"""Figures of the page on tasks that share a signal: smallest risks, training, what it learns, and the flow."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from looped.chart import LEGEND_BELOW, NARROW_MARGIN, Picture, Role, line, log_range
from looped.experiments.signal.result import Sweep
from looped.shared_signal.bounds import flow_rate, outside_range
from looped.shared_signal.flow import Flow
from looped.shared_signal.levels import Levels
from looped.shared_signal.models import ReadOut
from looped.shared_signal.risks import Optimum
from looped.shared_signal.tasks import SignalTask
from looped.shared_signal.training import Kind, Progress

NAMES: dict[Kind, str] = {"ltb": "LTB, with MLP", "lsa": "LSA, attention alone", "gd-beta": "GD-β", "gd-0": "GD-0"}
STYLES: dict[Kind, tuple[str, Role]] = {
    "ltb": ("circle", "model"), "lsa": ("square", "counterpart"), "gd-beta": ("diamond", "reference"),
    "gd-0": ("x", "descent"),
}  # fmt: skip
"""Marker and role of every model's line."""
AXES = {"signal": "s, with β* = s·(1, …, 1)", "examples": "examples in a prompt, M", "noise": "label noise σ"}
SYMBOLS = {"signal": "s", "examples": "M", "noise": "σ"}
M_TICKS = (1, 2, 5, 10, 20, 50, 100, 200, 400)
RATIO_FOR_LOG = 20
"""From this ratio of the largest to the smallest risk on, the risk axis is logarithmic."""


def risk_chart(sweep: Sweep) -> Picture:
    """The smallest risk of every model against s, M or σ, for attention alone the smallest found and what is proved."""
    x = sweep.values
    gd = np.array([level.gd.risk for level in sweep.levels])
    lsa = np.array([level.lsa.risk for level in sweep.levels])
    gd0 = np.array([level.gd0.risk for level in sweep.levels])
    bayes = np.array([level.bayes.mean for level in sweep.levels])
    bound = gd + np.array([level.bounds.valid for level in sweep.levels])
    log = bool(lsa.max() > RATIO_FOR_LOG * max(gd.min(), 1e-300))
    floor = _floor(gd, bayes) if log else 0.0
    zero = bool((bayes < floor).any())
    data = [
        line(x, gd, "LTB = GD-β, with MLP", "solid", "circle", 3, role="model"),
        line(x, lsa, "LSA, attention alone: smallest found", "solid", "square", 3, role="counterpart"),
        line(x, gd0, "GD-0", "dash", "x-thin-open", role="descent"),
        line(
            x,
            np.maximum(bayes, floor),
            "Bayes (0 drawn at the edge)" if zero else "Bayes",
            "dot",
            "diamond-open",
            role="floor",
        ),
        line(x, bound, "proved: LSA is not below", "dashdot", width=1.5, role="bound"),
    ]
    values = np.concatenate([gd, lsa, gd0, bound, np.maximum(bayes, floor)])
    vertical = (
        _log_axis("risk E(f − y)²", values) if log else {"title": {"text": "risk E(f − y)²"}, "rangemode": "tozero"}
    )
    horizontal: dict[str, Any] = {"title": {"text": AXES[sweep.over]}, "automargin": True}
    if sweep.over == "examples":
        horizontal |= {"type": "log", "tickvals": [tick for tick in M_TICKS if tick <= x[-1]]}
    now = SYMBOLS[sweep.over]
    gaps = lsa - gd
    alt = (
        f"Smallest risk against {AXES[sweep.over]}, for attention alone the smallest found, "
        f"{'logarithmic' if log else 'linear'} risk axis. At {now} = {x[0]:.4g}: with MLP {gd[0]:.4g}, attention alone "
        f"{lsa[0]:.4g}, GD-0 {gd0[0]:.4g}, Bayes {bayes[0]:.3g}. At {now} = {x[-1]:.4g}: {gd[-1]:.4g}, {lsa[-1]:.4g}, "
        f"{gd0[-1]:.4g} and {bayes[-1]:.3g}. The gap between attention alone and the block with an MLP goes from "
        f"{gaps[0]:.3g} to {gaps[-1]:.3g}."
    )
    table = {
        now: x, "LTB = GD-β": gd, "LSA, smallest found": lsa, "GD-0": gd0, "Bayes": bayes,
        "Bayes, standard error": np.array([level.bayes.standard_error for level in sweep.levels]),
        "LSA, proved lower bound": bound,
    }  # fmt: skip
    return Picture(_figure(data, horizontal, vertical), alt, table)


def training_chart(history: Mapping[Kind, Sequence[Progress]], best: Levels, steps: int) -> Picture:
    """Exact risk of the weights against training steps, with the smallest risk of each model."""
    data: list[dict[str, Any]] = []
    shown = [np.array([best.gd.risk, best.lsa.risk])]
    columns: dict[str, np.ndarray] = {}
    for kind, records in history.items():
        x, y = np.array([r.step for r in records]), np.array([r.risk for r in records])
        symbol, role = STYLES[kind]
        data.append(line(x, y, NAMES[kind], "solid", symbol, 3, role=role))
        columns |= {"step": x, f"risk, {NAMES[kind]}": y, f"loss of the batches, {NAMES[kind]}": _losses(records)}
        shown.append(y[1:])  # random weights may start a thousand times above everything else
    drawn: dict[str, tuple[float, str, Role]] = {
        f"optimum with MLP, {best.written['gd']}": (best.gd.risk, "dash", "model"),
        f"smallest found for attention alone, {best.written['lsa']}": (best.lsa.risk, "dot", "counterpart"),
    }
    if "gd-0" in history:
        drawn[f"optimum of GD-0, {best.written['gd0']}"] = (best.gd0.risk, "dashdot", "descent")
    for name, (value, dash, role) in drawn.items():
        data.append(line(np.array([0, steps]), np.full(2, value), name, dash, width=1.5, role=role))
    ends = [f"{NAMES[kind]} {records[-1].risk:.4g}" for kind, records in history.items() if records]
    reached = (
        f"After {max(len(r) and r[-1].step for r in history.values())} of {steps} steps: {', '.join(ends)}."
        if ends
        else "Not begun."
    )
    alt = (
        f"Risk of the trained weights against training steps, logarithmic risk axis. {reached} Levels: "
        + "; ".join(drawn)
        + "."
    )
    horizontal = {"title": {"text": "training steps"}, "range": [0, steps], "automargin": True}
    axis = _log_axis("exact risk of the weights", np.concatenate(shown))
    return Picture(_figure(data, horizontal, axis), alt, columns or {"step": np.array([0])})


def where_training_stands(kind: Kind, record: Progress, steps: int, best: Levels) -> str:
    """The last record of a training beside the smallest risk of its model, as Markdown."""
    level = best.optimum(kind)
    text = f"**{NAMES[kind]}**: step {record.step:,} of {steps:,}, exact risk {record.risk:.5g}"
    if level > 0:
        name = "the smallest found" if kind == "lsa" else "its smallest possible risk"
        text += f", {max(record.risk / level - 1, 0.0):.2%} above {name}, {level:.5g}"
    return f"{text}."


def start_chart(learned: ReadOut | None, task: SignalTask) -> Picture:
    """The start β that the block has learned next to the shared signal β*."""
    index, wanted = np.arange(1, task.features + 1), task.beta_star.numpy()
    data = [line(index, wanted, "β*, the shared signal", "dash", width=2, role="reference")]
    table = {"feature": index, "β*": wanted}
    alt = f"The shared signal β*, {task.features} entries of {wanted[0]:.4g}. Nothing is trained yet."
    if learned is not None:
        found = learned.beta.numpy()
        points = {"mode": "markers", "marker": {"symbol": "circle", "size": 10}}
        data.append(line(index, found, "learned β = g", symbol="circle", role="model") | points)
        table["learned β"] = found
        length = float(np.linalg.norm(wanted))
        away = float(np.linalg.norm(found - wanted))
        share = f"{away / length:.2%} of the length of β*" if length else f"{away:.3g} from β* = 0"
        alt = (
            f"Learned β by feature, from {found.min():.4g} to {found.max():.4g}, next to β* = {wanted[0]:.4g} in each: "
            f"the difference is {share}."
        )
    high = max(1.15 * float(max(np.max(values) for name, values in table.items() if name != "feature")), 0.5)
    low = min(0.0, 1.15 * float(min(np.min(values) for name, values in table.items() if name != "feature")))
    horizontal = {"title": {"text": "feature"}, "dtick": 1 if task.features <= 12 else None, "automargin": True}
    figure = _figure(data, horizontal, {"title": {"text": "entry of β"}, "range": [low, high]}, height=330)
    return Picture(figure, alt, table)


def matrix_chart(learned: ReadOut | None, best: Optimum) -> Picture:
    """The matrix step Γᵀ that the block has learned beside the optimal one, on one colour scale."""
    wanted = best.Gamma.mT.numpy()
    found = np.full_like(wanted, np.nan) if learned is None else learned.Gamma.mT.numpy()
    d, size = len(wanted), float(np.abs(wanted).max()) or 1.0
    index = np.arange(1, d + 1)
    shared = {
        "type": "heatmap", "x": index, "y": index, "zmin": -size, "zmax": size, "zmid": 0, "autocolorscale": True,
        "hovertemplate": "row %{y}, column %{x}: %{z:.4g}<extra></extra>",
    }  # fmt: skip
    right = {"xaxis": "x2", "yaxis": "y2", "colorbar": {"thickness": 12}}
    data = [shared | {"z": found, "showscale": False}, shared | {"z": wanted} | right]
    across = {"range": [0.5, d + 0.5], "showgrid": False, **({"dtick": 1} if d <= 12 else {})}
    down = across | {"range": [d + 0.5, 0.5]}
    figure = _figure(data, across | {"domain": [0, 0.44], "title": {"text": "learned v·U₁₁"}}, down, 330)
    figure.update_layout(
        xaxis2=across | {"domain": [0.52, 0.96], "title": {"text": "optimal Γ*ᵀ"}},
        yaxis2=down | {"anchor": "x2", "showticklabels": False},
        hovermode="closest",
    )
    low, high = wanted.diagonal().min(), wanted.diagonal().max()
    alt = f"Two {d} × {d} matrices. The optimal Γ*ᵀ has diagonal entries from {low:.4g} to {high:.4g}. "
    if learned is None:
        alt += "Nothing is trained yet."
    else:
        difference = float(np.linalg.norm(found - wanted) / (np.linalg.norm(wanted) or 1.0))
        alt += f"The learned one, v·U₁₁, differs from it by {difference:.2%} of its size."
    row, column = (part.ravel() + 1 for part in np.indices((d, d)))
    table = {"row": row, "column of Γᵀ": column, "learned": found.ravel(), "optimal": wanted.ravel()}
    return Picture(figure, alt, table)


def flow_chart(flow: Flow, task: SignalTask) -> Picture:
    """Distance of β to β* along gradient flow, next to the rate that is proved, where its condition holds."""
    times = flow.times.numpy()
    away = (flow.beta - task.beta_star).square().sum(dim=1).numpy()
    largest = max(float(away[0]), 1e-30)
    data = [line(times, np.maximum(away, 1e-30), "gradient flow", "solid", "circle", 3, role="model")]
    table = {"t": times, "‖β(t) − β*‖²": away}
    alt = (
        f"Squared distance of β to β* against time under gradient flow, logarithmic: from {away[0]:.3g} to "
        f"{away[-1]:.2e} at t = {times[-1]:.3g}"
    )
    if outside_range(task, flow.beta[0]):
        alt += ". No bound is drawn: β(0) − β* is not in the range of H."
    else:
        rate = flow_rate(task)
        table["bound"] = away[0] * np.exp(-rate * times)
        data.append(
            line(times, np.maximum(table["bound"], 1e-30), f"bound exp(−{rate:.3g}·t)", "dash", width=2, role="bound")
        )
        alt += f", where the bound is {table['bound'][-1]:.2e}."
    values = np.concatenate([column for name, column in table.items() if name != "t"])
    axis = _log_axis("‖β(t) − β*‖²", np.clip(values, largest * 1e-12, None))
    return Picture(_figure(data, {"title": {"text": "time t"}, "automargin": True}, axis, height=330), alt, table)


def _losses(records: Sequence[Progress]) -> np.ndarray:
    return np.array([record.loss for record in records])


def _floor(gd: np.ndarray, bayes: np.ndarray) -> float:
    """The height at which a Bayes risk of 0 is drawn on a log axis: below all other values."""
    positive = np.concatenate([gd, bayes[bayes > 1e-12]])
    return float(positive.min()) / 4


def _log_axis(title: str, values: np.ndarray) -> dict[str, Any]:
    limits, tick = log_range(values)
    return {
        "title": {"text": title}, "type": "log", "range": limits, **tick, "automargin": True,
        "exponentformat": "power", "hoverformat": ".4g",
    }  # fmt: skip


def _figure(data: Sequence[Any], x: dict[str, Any], y: dict[str, Any], height: int = 400) -> go.Figure:
    layout = {
        "height": height, "margin": NARROW_MARGIN, "hovermode": "x unified", "legend": LEGEND_BELOW, "xaxis": x,
        "yaxis": {"automargin": True} | y,
    }  # fmt: skip
    return go.Figure({"data": list(data), "layout": layout})
