"""Figures of the page on GPT-2: training with and without MLP sub-layers."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from looped.chart import BEGINNING, Picture, Role, Series, band, level, line_chart, log_axis, upright
from looped.experiments.gpt2.curves import Curve, named
from looped.experiments.gpt2.settings import GPT2Settings
from looped.numerals import with_error
from looped.shared_signal.levels import KnownLevels

WITHOUT = (("solid", "square"), ("dash", "triangle-up"), ("dashdot", "diamond"))
"""Dash and marker of the models without MLP, in their order."""
MOST_DRAWN = 3
"""Models that are drawn at once; others stand in the legend, for a click."""
COLUMNS, BESIDE, BEHIND = np.array([1.1, 1.2, 1.3]), 0.02, 1.36
"""Places of the columns of three seeds, how far apart models stand in one, and the end of the axis, by the steps."""


def curves_chart(curves: Sequence[Curve], settings: GPT2Settings, best: KnownLevels, revealed: bool = True) -> Picture:
    """Squared error on fresh prompts against training steps: the middle of a model's seeds, in a band of them all.

    Where there are several seeds, the final error of each stands behind the last step, a column for a seed, in which
    the models stand beside one another.

    Args:
        curves: Curves to be drawn, all on one task; those of one model differ in nothing but their seed.
        settings: The settings that they share, but for the model.
        best: the smallest risks of simpler models on that task.
        revealed: False for a reader who is to guess: the curves are drawn at their beginning alone.
    """
    models: dict[GPT2Settings, list[Curve]] = {}
    for curve in curves:
        models.setdefault(curve.settings.replace(seed=0), []).append(curve)
    rows: list[Series] = []
    bands, parts, at = [], [], np.array([0])
    ends: list[Series] = []
    places = dict(zip(sorted({curve.settings.seed for curve in curves}), settings.steps * COLUMNS, strict=False))
    without = iter(WITHOUT)
    for place, (model, seeds) in enumerate(models.items()):
        x = np.array([record.step for record in seeds[0].history])
        shown = x <= settings.steps * (1 if revealed else BEGINNING)
        x, losses = x[shown], np.array([[record.loss for record in curve.history] for curve in seeds])[:, shown]
        at = x if x.size > at.size or not rows else at
        name = named(model, settings)
        role: Role = "model" if model.mlp else "counterpart"
        dash, symbol = ("solid", "circle") if model.mlp else next(without)
        more = {"legendgroup": name} | ({} if place < MOST_DRAWN else {"visible": "legendonly"})
        if len(seeds) > 1 and revealed:
            edges = band(x, losses.min(0), losses.max(0), name, role=role)
            bands += [edge | more | {"showlegend": False} for edge in edges]
            rows += [
                Series(values, f"loss {name}, seed {curve.settings.seed}", x=x)
                for curve, values in zip(seeds, losses, strict=True)
            ]
        column = f"loss {name}" + (", middle seed" if len(seeds) > 1 else "")
        rows.append(Series(np.median(losses, 0), column, f"GPT-2 {name}", role, dash, symbol, 2.5, x=x, more=more))
        final = [curve.risk for curve in seeds if curve.risk is not None]
        if len(final) > 1 and revealed:
            columns = np.array([places.get(one.settings.seed, np.nan) for one in seeds if one.risk is not None])
            columns += settings.steps * BESIDE * (place - (len(models) - 1) / 2)
            alone = {"mode": "markers", "showlegend": False, "hoverinfo": "skip"}
            ends.append(Series(np.array([risk.mean for risk in final]), "", f"GPT-2 {name}, each seed", role, dash,
                               symbol, x=columns, more=more | alone))  # fmt: skip
        if final and revealed:
            each = " and ".join(" ± ".join(with_error(risk.mean, risk.standard_error)) for risk in final)
            parts.append(f"{name} {each} on fresh prompts at the end")
        elif len(x):
            parts.append(f"{name} {losses[0, -1]:.3g} after {x[-1]} steps")
    across, spread = (1, settings.steps), settings.task().c
    levels = [
        level(spread, across, f"predict ⟨β*, x⟩: {spread:.3g}", "dot", "nothing"),
        level(best.gd.risk, across, f"one linear block: {best.gd.risk:.3g}", "dash", "descent"),
    ]
    if best.bayes.mean > 1e-9:
        levels.append(level(best.bayes.mean, across, f"Bayes: {best.bayes.mean:.3g}", "dashdot", "floor"))
    alt = (
        "Squared error of GPT-2 on fresh prompts against training steps, logarithmic error axis. "
        f"{'; '.join(parts) or 'Not started'}. Levels: {', '.join(row.legend for row in levels)}."
        f"{'' if revealed else ' How its curves go on is not shown yet.'}"
    )
    steps: dict[str, Any] = {"title": {"text": "training steps"}, "range": [0, settings.steps]}
    beside: dict[str, Any] = {}
    if ends:
        ticks, seeds_shown = _ticks(settings.steps), [str(seed) for seed in places]
        seeds_shown[len(places) // 2] += "<br>seed"
        steps |= {
            "range": [0, settings.steps * BEHIND], "tickvals": [*ticks.tolist(), *places.values()],
            "ticktext": [*(f"{tick:,.0f}" for tick in ticks), *seeds_shown],
        }  # fmt: skip
        beside = {"shapes": [upright(settings.steps)]}
    up = log_axis("mean squared error", ".3g")
    return line_chart(("step", at), [*rows, *ends, *levels], alt, steps, up, over=bands, height=420, **beside)


def _ticks(steps: int) -> np.ndarray:
    """Round numbers of steps, four to ten of them above 0, none beyond the last."""
    power = 10.0 ** np.floor(np.log10(steps))
    apart = next(apart for apart in (power, power / 2, power / 5) if steps >= 4 * apart)
    return np.arange(0, steps + apart / 2, apart)
