"""Figures of the page on GPT-2: training with and without MLP sub-layers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from looped.chart import LEGEND_BELOW, NARROW_MARGIN, Picture, Role, line, log_range
from looped.experiments.gpt2.curves import NAMES, Curve
from looped.experiments.gpt2.settings import GPT2Settings
from looped.shared_signal.levels import Levels


def curves_chart(curves: Sequence[Curve], settings: GPT2Settings, best: Levels) -> Picture:
    """Squared error on fresh prompts against training steps.

    Args:
        curves: Curves to be drawn, all on one task.
        settings: The settings that they share, but for the MLP.
        best: the smallest risks of simpler models on that task.
    """
    data: list[dict[str, Any]] = []
    table: dict[str, np.ndarray] = {}
    parts = []
    for curve in curves:
        x = np.array([record.step for record in curve.history])
        y = np.array([record.loss for record in curve.history])
        name, mlp = NAMES[curve.settings.mlp], curve.settings.mlp
        data.append(
            line(
                x,
                y,
                f"GPT-2 {name}",
                "solid",
                "circle" if mlp else "square",
                2.5,
                role="model" if mlp else "counterpart",
            )
        )
        table |= {"step": x, f"loss {name}": y}
        if curve.risk is not None:
            parts.append(f"{name} {curve.risk.mean:.3g} ± {curve.risk.standard_error:.1g} on fresh prompts at the end")
        elif len(y):
            parts.append(f"{name} {y[-1]:.3g} after {x[-1]} steps")
    steps, spread = settings.steps, settings.task().c
    levels: dict[str, tuple[float, str, Role]] = {
        f"predict ⟨β*, x⟩: {spread:.3g}": (spread, "dot", "nothing"),
        f"one linear block: {best.gd.risk:.3g}": (best.gd.risk, "dash", "descent"),
    }
    if best.bayes.mean > 1e-9:
        levels[f"Bayes: {best.bayes.mean:.3g}"] = (best.bayes.mean, "dashdot", "floor")
    ends = np.array([1, steps])
    data += [
        line(ends, np.full(2, value), name, dash, width=1.5, role=role) for name, (value, dash, role) in levels.items()
    ]
    values = np.array(
        [value for value, _, _ in levels.values()] + [y for c in curves for y in (r.loss for r in c.history)]
    )
    limits, tick = log_range(values)
    layout = {
        "height": 420, "margin": NARROW_MARGIN, "hovermode": "x unified", "legend": LEGEND_BELOW,
        "xaxis": {"title": {"text": "training steps"}, "range": [0, steps], "automargin": True},
        "yaxis": {
            "title": {"text": "squared error on fresh prompts"}, "type": "log", "range": limits, **tick,
            "exponentformat": "power", "hoverformat": ".3g", "automargin": True,
        },
    }  # fmt: skip
    alt = (
        "Squared error of GPT-2 on fresh prompts against training steps, logarithmic error axis. "
        f"{'; '.join(parts) or 'Not begun'}. Levels: {', '.join(levels)}."
    )
    return Picture(go.Figure({"data": data, "layout": layout}), alt, table or {"step": np.array([0])})
