"""One prompt's error by eigen-mode, and the effect of the step size on the slowest mode."""

from typing import Any

import numpy as np

from looped.chart import Picture, Series, layout, leave, log_axis
from looped.experiments.compare.charts import drawn_loops
from looped.experiments.compare.curves import ERROR_CEILING
from looped.experiments.compare.modes import Modes

DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
CIRCLES = 9
"""Points of the closed form drawn on each line."""


def mode_chart(modes: Modes, tolerance: float, dtype: str = "float64") -> Picture:
    """Error along each eigenvector against loops: the transformer's states as lines, the closed form as circles.

    Args:
        modes: Modes of one prompt.
        tolerance: a star marks the loop at which a mode falls to it, in units of ‖w_ref‖.
        dtype: Type of the run; nothing below its rounding is drawn.
    """
    tiny, loops = float(np.finfo(dtype).eps) / 20, drawn_loops(modes.loops)
    measured = np.clip(modes.measured, tiny, ERROR_CEILING)
    drawn = (modes.closed_form >= tiny) & (modes.closed_form < ERROR_CEILING)
    closed_form = np.where(drawn, modes.closed_form, np.nan)
    needed = modes.loops_to(tolerance)
    data, look = [], {"showlegend": False, "hovertemplate": "%{y:.3e}"}
    for place, k in enumerate(modes.shown):
        slow = k == modes.slowest
        name = f"mode {k + 1}, λ = {modes.eigenvalues[k]:.4g}{', the slowest' if slow else ''}"
        dash, width = DASHES[place % len(DASHES)], 5 if slow else 2
        data.append(Series(measured[loops, place], "", name, None, dash, "", width, more=look).trace(loops))
    circles = loops[np.unique(np.linspace(0, len(loops) - 1, CIRCLES).round().astype(int))]
    fallen = [(needed[k], measured[int(needed[k]), place])
              for place, k in enumerate(modes.shown) if needed[k] <= modes.loops]  # fmt: skip
    up = log_axis("|⟨v<sub>k</sub>, w<sub>t</sub> − w<sub>ref</sub>⟩| / ‖w<sub>ref</sub>‖", values=measured)
    low, high = up["range"]
    arrows = leave(data, ERROR_CEILING, high, "diverges")
    numbers = [_number_at(measured[:, place], 10 ** (low + 0.25 * (high - low))) for place in range(len(modes.shown))]
    data += [
        {
            "type": "scatter", "mode": "markers", "name": "closed form |1 − ηλ<sub>k</sub>|ᵗ", "hoverinfo": "skip",
            "x": np.tile(circles, len(modes.shown)), "y": closed_form[circles].T.ravel(),
            "marker": {"symbol": "circle-open", "size": 8},
        },
        {
            "type": "scatter", "mode": "markers", "name": f"falls below {tolerance:g}", "hoverinfo": "skip",
            "x": [loop for loop, _ in fallen], "y": [value for _, value in fallen],
            "marker": {"symbol": "star", "size": 12, "opacity": 1},
        },
        {
            "type": "scatter", "mode": "text", "showlegend": False, "hoverinfo": "skip", "cliponaxis": False,
            "x": [loop for loop, _ in numbers], "y": [value for _, value in numbers], "textposition": "middle right",
            "text": [f"  <b>{k + 1}</b>" for k in modes.shown], "textfont": {"size": 13},
        },
    ]  # fmt: skip
    shape = {
        "type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": tolerance, "y1": tolerance,
        "line": {"dash": "dot", "width": 1, "color": "gray"},
    }  # fmt: skip
    across = {"title": {"text": "loop t"}, "range": [0, modes.loops * 1.07]}
    spec = {"data": data, "layout": layout(across, up, hovermode="x unified", shapes=[shape], annotations=arrows)}
    return Picture(spec, _describe(modes, tolerance, needed), _table(modes, tolerance, needed))


def rate_chart(modes: Modes) -> Picture:
    """The chart of the share of the error that one loop leaves in the worst mode, max |1 − ηλ_k|, against η."""
    eta, limit, best = modes.step_size, modes.limit, modes.optimal_step
    widest = max(1.3 * limit, min(1.1 * eta, 3 * limit))
    axis = np.unique(np.r_[np.linspace(0, widest, 120), best, limit])
    top = float(np.clip(modes.rate(np.array([widest]))[0], 1.3, 1.7))
    off = " (right of the chart)" if eta > widest else ""
    steps = np.array([eta, limit / 2, best, limit])
    rates = modes.rate(steps)
    points = (
        ("now", f"η now: {eta:.4g}{off}", "diamond", "now", "top center"),
        ("1/λ₁", f"1/λ₁: {limit / 2:.4g}", "circle-open", "1/λ₁", "bottom left"),
        ("optimal", f"optimal 2/(λ₁+λ<sub>d</sub>): {best:.4g}", "star-open", "optimal", "bottom center"),
        ("limit 2/λ₁", f"limit 2/λ₁: {limit:.4g}", "x-open", "2/λ₁", "top left"),
    )
    data: list[dict[str, Any]] = [
        Series(modes.rate(axis), "", "max |1 − ηλ<sub>k</sub>|", "reference", width=3,
               more={"hovertemplate": "η %{x:.4g}: %{y:.4g} a loop<extra></extra>"}).trace(axis)
    ]  # fmt: skip
    data += [
        {
            "type": "scatter", "mode": "markers+text", "name": f"{name}, {rate:.4g} a loop",
            "x": [step], "y": [rate], "text": [text], "textposition": place, "cliponaxis": False,
            "marker": {"symbol": symbol, "size": 13, "line": {"width": 2}}, "hoverinfo": "name",
        }
        for (_, name, symbol, text, place), step, rate in zip(points, steps, rates, strict=True)
    ]  # fmt: skip
    shape = {
        "type": "rect", "yref": "paper", "x0": limit, "x1": widest, "y0": 0, "y1": 1, "layer": "below",
        "fillcolor": "rgba(128, 128, 128, 0.22)", "line": {"width": 0},
        "label": {"text": "diverges", "textposition": "bottom center"},
    }  # fmt: skip
    across = {"title": {"text": "step size η"}, "range": [0, widest]}
    bottom = -0.12 if rates[2] < 0.15 else 0
    up = {"title": {"text": "left of the error after a loop, worst mode"}, "range": [bottom, top]}
    alt = (
        "What one loop leaves of the error in the worst mode against the step size η: a V whose tip is the optimal "
        f"step 2/(λ₁+λ_d) = {best:.4g}, leaving {rates[2]:.4g}. The step 1/λ₁ = {limit / 2:.4g} leaves {rates[1]:.4g}. "
        f"Above 2/λ₁ = {limit:.4g}, shaded, the loop diverges. Now η = {eta:.4g}, {rates[0]:.4g} a loop."
    )
    table = {"column": np.array([column for column, *_ in points]), "η": steps, "left after a loop": rates}
    return Picture({"data": data, "layout": layout(across, up, shapes=[shape])}, alt, table)


def _number_at(values: np.ndarray, level: float) -> tuple[int, float]:
    """The point of a line that carries its mode's number: where it falls below the level, else at its end."""
    below = values < level
    place = int(below.argmax()) if below.any() else len(values) - 1
    return place, float(values[place])


def _describe(modes: Modes, tolerance: float, needed: np.ndarray) -> str:
    slow, ranks = modes.slowest, ", ".join(str(k + 1) for k in modes.shown)
    which = f"modes {ranks} of {len(modes.eigenvalues)}" if len(modes.shown) < len(modes.eigenvalues) else "all modes"
    until = f"after {needed[slow]:,.0f} loops" if np.isfinite(needed[slow]) else "never"
    return (
        f"Error of prompt {modes.prompt + 1} along {which} of XᵀX/n against loops, log axis, one line each, from "
        f"the transformer's states. The slowest is mode {slow + 1} with λ = {modes.eigenvalues[slow]:.4g}: a loop "
        f"leaves {abs(modes.factors[slow]):.4g} of it, and it falls below {tolerance:g} {until}. The closed form "
        f"|1 − ηλ_k|ᵗ differs from the states by at most {modes.gap:.1e}."
    )


def _table(modes: Modes, tolerance: float, needed: np.ndarray) -> dict[str, np.ndarray]:
    shown = modes.shown
    return {
        "mode": shown + 1,
        "λ": modes.eigenvalues[shown],
        "left after a loop": np.abs(modes.factors[shown]),
        "share of the start": modes.weights[shown],
        f"loops to {tolerance:g}": needed[shown],
        f"after {modes.loops} loops, states": modes.measured[-1],
        f"after {modes.loops} loops, closed form": modes.closed_form[-1],
    }
