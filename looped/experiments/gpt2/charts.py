"""Figures of the page on GPT-2: training with and without MLP sub-layers."""

from collections.abc import Sequence

import numpy as np

from looped.chart import Picture, Role, Series, level, line_chart, log_axis
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
    rows, parts, at = [], [], np.array([0])
    for curve in curves:
        x, y = (np.array([getattr(record, name) for record in curve.history]) for name in ("step", "loss"))
        at = x if x.size > at.size or curve is curves[0] else at
        name, mlp = NAMES[curve.settings.mlp], curve.settings.mlp
        role: Role = "model" if mlp else "counterpart"
        symbol = "circle" if mlp else "square"
        rows.append(Series(y, f"loss {name}", f"GPT-2 {name}", role, "solid", symbol, 2.5, x=x))
        if curve.risk is not None:
            parts.append(f"{name} {curve.risk.mean:.3g} ± {curve.risk.standard_error:.1g} on fresh prompts at the end")
        elif len(y):
            parts.append(f"{name} {y[-1]:.3g} after {x[-1]} steps")
    ends, spread = (1, settings.steps), settings.task().c
    levels = [
        level(spread, ends, f"predict ⟨β*, x⟩: {spread:.3g}", "dot", "nothing"),
        level(best.gd.risk, ends, f"one linear block: {best.gd.risk:.3g}", "dash", "descent"),
    ]
    if best.bayes.mean > 1e-9:
        levels.append(level(best.bayes.mean, ends, f"Bayes: {best.bayes.mean:.3g}", "dashdot", "floor"))
    alt = (
        "Squared error of GPT-2 on fresh prompts against training steps, logarithmic error axis. "
        f"{'; '.join(parts) or 'Not started'}. Levels: {', '.join(row.legend for row in levels)}."
    )
    across = {"title": {"text": "training steps"}, "range": [0, settings.steps]}
    up = log_axis("squared error on fresh prompts", ".3g")
    return line_chart(("step", at), [*rows, *levels], alt, across, up, height=420)
