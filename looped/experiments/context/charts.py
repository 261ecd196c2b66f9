"""The second page's figures: error against n/d, the (n/d × T) map, the need for examples, κ and its bound."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from looped import theory
from looped.chart import (
    SMALLEST_BAND,
    Picture,
    Role,
    Series,
    band,
    layout,
    level,
    line_chart,
    log_axis,
    log_range,
    log_ticks,
)
from looped.experiments.context.result import ContextResult
from looped.experiments.context.words import ROWS, TENTHS, ratio_text, unreached

TINY = 1e-17
"""Smallest error that is drawn; smaller ones are rounding."""
MAP_LOOPS = 60
"""Largest number of values of T in the map, evenly spaced on a logarithmic scale."""
CURVE_POINTS = 200
EXPONENTIAL = "n > 64 T²d⁴8⁴ᵀ, derived here<br>from a theorem on learned weights"
EDGES = "((1+√(d/n))/(1−√(d/n)))²,<br>independent features, large d"
BOUND = "e<sup>−T/(2κ)</sup>"
LIMIT = "Construction, limit of large d"
RATE = "n = c·d from the rate and κ"
ERROR = "median error ‖w<sub>T</sub> − w*‖ / ‖w*‖"
SUFFICIENT = "n = c·d: construction, from its rate and κ"
LIMIT_LOOPS = 40
"""Values of T at which the limit of large d is worked out."""
DASHES = ("solid", "dash", "dot", "dashdot")
SYMBOLS = ("circle", "square-open", "diamond-open", "x-thin-open")
_chart = partial(line_chart, hovermode=None)


def ratio_chart(result: ContextResult) -> Picture:
    """Median error after T loops against n/d: the T shown with its 10–90 % band, and a tenth, a quarter and 4 of it."""
    settings, T = result.settings, result.settings.shown
    others = sorted({max(1, T // 10), max(1, T // 4), min(4 * T, settings.loops)} - {T})
    x, low, high = result.ratio, result.bands[0, :, T], result.bands[2, :, T]
    rows = [Series(result.n, "n", scales=False)]
    for loops, dash, symbol in zip([T, *others], DASHES, SYMBOLS, strict=False):
        width, opacity = (4, 1) if loops == T else (1.8, 0.6)
        median = result.median[:, loops]
        rows.append(
            Series(median, f"median, T = {loops}", f"T = {loops}", "model", dash, symbol, width, opacity=opacity)
        )
    rows += [
        level(settings.target_error, x[[0, -1]], f"target {settings.target_error:g}", "longdashdot", "mark"),
        Series(low, f"10 %, T = {T}", scales=False),
        Series(high, f"90 %, T = {T}", scales=False),
        Series(result.mean[:, T], f"mean, T = {T}", scales=False),
    ]
    needed = result.needed_ratio(settings.target_error)[T]
    alt = (
        f"Median error to w* over {settings.prompts} prompts against n/d, both axes logarithmic, d = "
        f"{settings.features}. After T = {T} loops it is {result.median[0, T]:.2e} at n/d = {x[0]:.3g} and "
        f"{result.median[-1, T]:.2e} at n/d = {x[-1]:.3g}. {_needed_sentence(result, needed, T)}"
    )
    over = _band(result, x, low, high, f", T = {T}")
    return _chart(("n/d", x), rows, alt, _ratio_axis(result), log_axis(ERROR, ".2e"), lowest=TINY, over=over)


def map_chart(result: ContextResult) -> Picture:
    """log₁₀ of the median error for every n/d and T, with the level line of the target error."""
    settings = result.settings
    loops = spread(settings.loops, MAP_LOOPS)
    x, keep = np.unique(result.ratio, return_index=True)
    z = np.log10(np.maximum(result.median[keep][:, loops], TINY)).T  # (T, R)
    needed = result.needed_ratio(settings.target_error)
    reach = np.flatnonzero(np.isfinite(needed) & (needed > x[0]) & (np.arange(len(needed)) > 0))
    data: list[dict[str, Any]] = [
        {
            "type": "heatmap", "x": x, "y": loops, "z": z, "zmax": 0.0, "zmin": max(float(z.min()), -16.0),
            "colorbar": {"title": {"text": "median error"}, "thickness": 14, **_decade_ticks(float(z.min()))},
            "customdata": 10**z,
            "hovertemplate": "n/d %{x:.3g}<br>T %{y}<br>median error %{customdata:.2e}<extra></extra>",
        },
        Series(reach, "", f"error = {settings.target_error:g}", "mark", "solid", "circle-open", 3).trace(needed[reach]),
        Series(
            np.full(2, settings.shown), "", f"T = {settings.shown}", "mark", "dot", more={"hoverinfo": "skip"}
        ).trace(x[[0, -1]]),
    ]  # fmt: skip
    where = unreached(result)
    if reach.size:
        where = (
            f"The level line of {settings.target_error:g} runs from n/d = {needed[reach[0]]:.3g} at T = {reach[0]} to "
            f"n/d = {needed[reach[-1]]:.3g} at T = {reach[-1]}"
        )
    elif np.isfinite(needed[1:]).any():
        first = int(np.flatnonzero(np.isfinite(needed[1:]))[0]) + 1
        where = f"The target {settings.target_error:g} is reached at every measured n/d at T = {first}"
    alt = (
        f"Map of the median error over n/d from {x[0]:.3g} to {x[-1]:.3g} and T from 1 to {settings.loops}, "
        f"logarithmic axes. Its smallest value is {10 ** z.min():.1e}. {where}."
    )
    long = {"n/d": np.repeat(x, len(loops)), "T": np.tile(loops, len(x)), "median error": 10 ** z.T.ravel()}
    return Picture({"data": data, "layout": layout(_ratio_axis(result), loop_axis(settings.loops))}, alt, long)


def need_chart(result: ContextResult) -> Picture:
    """The smallest n/d that reaches the target against T: constructed, learned, and from the rate."""
    settings, target = result.settings, result.settings.target_error
    loops, ends = spread(settings.loops, CURVE_POINTS), result.ratio[[0, -1]]
    prompts = {1: "median prompt"} | ({2: "9 of 10 prompts"} if settings.prompts >= TENTHS else {})
    rows = [Series(ends)]  # the axis has room for all that was measured
    for quantile, prompt in prompts.items():
        needed = result.needed_ratio(target, quantile)[loops]
        symbol = "circle" if quantile == 1 else "square-open"
        rows.append(_need(needed, "Construction", prompt, "model", symbol))
    if (rate := sufficient_ratios(result, loops)) is not None:
        some = spread(settings.loops, LIMIT_LOOPS)
        limit = np.array([result.limit_ratio(int(T)) for T in some], dtype=float)
        rows += [
            Series(limit, "construction, limit of large d", LIMIT, "reference", "dashdot", x=some, scales=False),
            Series(rate, "c from the rate", RATE, "bound", "dot", scales=False),
        ]
    text = ""
    if (grid := result.learned) is not None:
        for quantile, prompt in prompts.items():
            needed = result.learned_needed_ratio(target, quantile)
            symbol = "diamond" if quantile == 1 else "diamond-open"
            rows.append(_need(needed, "Learned A", prompt, "learned", symbol, grid.loops))
        text = " " + _learned_sentence(result)
    span = log_range(np.concatenate([row.values for row in rows if row.scales]))[0]
    up = {"title": {"text": "smallest n/d"}, "type": "log", "range": span, **log_ticks(*span)}
    at = [T for T in (10, 50, 200, settings.loops) if settings.loops >= T]
    found = " ".join(_needed_sentence(result, result.needed_ratio(target)[T], T) for T in dict.fromkeys(at))
    alt = (
        f"Smallest measured n/d at which the median error is at most {target:g}, against T, logarithmic axes. "
        f"{found}{text}"
    )
    return _chart(("T", loops), rows, alt, loop_axis(settings.loops), up)


def _need(needed: np.ndarray, name: str, prompt: str, role: Role, symbol: str, x: np.ndarray | None = None) -> Series:
    """The need of the median prompt, or, thin and dashed, of 9 of 10."""
    dash, width = ("solid", 3) if prompt.startswith("median") else ("dash", 2)
    heading = f"{name.lower()}, {prompt.partition(' prompt')[0]}"
    return Series(needed, heading, f"{name}, {prompt}", role, dash, symbol, width, x=x)


def requirement_chart(result: ContextResult) -> Picture:
    """n against T: the exponential requirement, n = c·d, and what was measured; the axis counts decades of n."""
    T, target, d = result.settings.loops, result.settings.target_error, result.settings.features
    loops = spread(T, CURVE_POINTS)
    exponential = np.array([theory.exponential_requirement(int(loop), d) for loop in loops])
    measured = np.log10(result.needed_ratio(target)[loops] * d)
    rows = [Series(exponential, "log10 n, exponential", EXPONENTIAL, "bound", "dash", "triangle-up-open")]
    if (rate := sufficient_ratios(result, loops)) is not None:
        rows.append(Series(np.log10(rate * d), "log10 n, c·d", SUFFICIENT, "bound", "dot"))
    heading = "log10 n, construction measured"
    rows.append(Series(measured, heading, "measured, construction", "model", "solid", "circle", 3))
    learned = ""
    if (grid := result.learned) is not None:
        needed, heading = np.log10(result.learned_needed_ratio(target) * d), "log10 n, learned A measured"
        rows.append(Series(needed, heading, "measured, learned A", "learned", "dashdot", "diamond", 3, x=grid.loops))
        learned = " " + _learned_sentence(result)
    top = float(exponential.max())
    step = next(k for k in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000) if top / k <= 8)
    ticks = np.arange(0, top + step, step)
    up = {
        "title": {"text": "n, examples"}, "range": [0, 1.04 * top], "tickvals": ticks,
        "ticktext": [f"10<sup>{tick:.0f}</sup>" for tick in ticks],
    }  # fmt: skip
    need = result.needed_ratio(target)[T]
    found = (
        f"the construction was measured to need n = {need * d:.3g}{' or fewer' if need <= result.ratio[0] else ''}"
        if np.isfinite(need)
        else "no measured n is enough"
    )
    alt = (
        f"Examples needed against T at d = {d}, n on a logarithmic axis up to 10 to the power {top:.0f}. At T = {T} "
        f"the requirement derived here from a theorem on learned weights is 10 to the power {exponential[-1]:.0f}; for "
        f"an error of {target:g} {found}.{learned}"
    )
    return _chart(("T", loops), rows, alt, loop_axis(T), up)


def condition_chart(result: ContextResult, revealed: bool = True) -> Picture:
    """κ of XᵀX/n, median and 10–90 % of prompts, against Marchenko and Pastur's edges.

    Args:
        result: a sweep.
        revealed: False for a reader who is to guess: nothing is drawn below n = d.
    """
    settings, x = result.settings, result.ratio
    median, (low, high) = result.median_kappa, np.quantile(result.kappa, [0.1, 0.9], axis=1)
    fine = np.unique(np.concatenate([np.geomspace(x[0], x[-1], CURVE_POINTS), x]))
    edges = np.array([theory.marchenko_pastur_condition_number(float(ratio)) for ratio in fine])
    edges[edges > 10 * float(high.max())] = np.nan
    own, near, drawn = result.marchenko_pastur, result.nearest(4), x > 0
    if not revealed:
        drawn, edges[fine < 1] = ~result.undetermined, np.nan
        median, low, high = (np.where(drawn, values, np.nan) for values in (median, low, high))
    rows = [
        Series(median, "κ median", "κ measured, median", "model", "solid", "circle", 3),
        Series(low, "κ 10 %"),
        Series(high, "κ 90 %"),
        Series(edges, "", EDGES, "reference", "dash", x=fine, scales=False),
        Series(own, "Marchenko–Pastur", scales=False),
        Series(median / own, "median / Marchenko–Pastur", scales=False),
    ]
    limit = "Marchenko and Pastur's limit for independent features"
    alt = (
        f"Condition number of the data against n/d, logarithmic axes, d = {settings.features}, {ROWS[settings.rows]}. "
        f"At n/d = {x[near]:.3g} the median is {median[near]:.3g}, "
    )
    if np.isfinite(own[near]):
        alt += f"{median[near] / own[near]:.2f} of {limit}, {own[near]:.3g}."
    else:
        alt += f"where {limit} is infinite."
    if not revealed:
        alt += " What it is below n = d is not shown yet."
    over = _band(result, x[drawn], low[drawn], high[drawn])
    return _chart(("n/d", x), rows, alt, _ratio_axis(result), log_axis("κ of XᵀX/n"), over=over)


def bound_chart(result: ContextResult) -> Picture | None:
    """Error after T loops against e^(−T/(2κ)) at the measured κ, for n ≥ d; None where the bound applies nowhere."""
    T = result.settings.shown
    if (share := result.largest_of_bound) is None:
        return None
    where = np.flatnonzero(np.isfinite(result.of_bound))
    x, kappa, largest = result.ratio[where], result.median_kappa[where], result.kappa[where].max(axis=1)
    bound, worst = np.exp(-T / (2 * kappa)), np.exp(-T / (2 * largest))
    low, median, high = np.maximum(result.bands[:, where, T], TINY)
    at_worst = f"{BOUND} at the largest κ"
    rows = [
        Series(median, "error, median", "Looped transformer, median", "model", "solid", "circle", 3),
        Series(high, "error, 90 %"),
        Series(kappa, "median κ", scales=False),
        Series(bound, "bound at median κ", f"{BOUND} at the median κ", "bound", "dash", "triangle-up-open"),
        Series(largest, "largest κ", scales=False),
        Series(worst, "bound at largest κ", at_worst, "bound", "dot", "triangle-down-open", scales=False),
        Series(result.of_bound[where], "largest error/bound, T ≥ 1", scales=False),
    ]
    alt = (
        f"Median error after T = {T} loops and the bound, the exponential of −T/(2κ) at the measured κ, against n/d, "
        f"logarithmic axes. The largest error over its bound, of all prompts and loops from 1 on, is {share:.3g}. At "
        f"n/d = {x[-1]:.3g} the error is {median[-1]:.1e}, the bound {bound[-1]:.1e}."
    )
    over = _band(result, x, low, high)
    return _chart(("n/d", x), rows, alt, _ratio_axis(result, x), log_axis(ERROR, ".2e"), over=over)


CHARTS: dict[str, tuple[Callable[[ContextResult], Picture | None], tuple[str, ...]]] = {
    "Error against n/d": (ratio_chart, ("shown_loops", "target_error")),
    "Error for every n/d and T": (map_chart, ("shown_loops", "target_error")),
    "Smallest n/d that reaches the target": (need_chart, ("target_error",)),
    "The two requirements": (requirement_chart, ("target_error",)),
    "The κ of the examples": (condition_chart, ()),
    "Error and bound at the measured κ": (bound_chart, ("shown_loops",)),
}
"""All charts of a sweep by heading, in their order, and what each reads of the settings that only figures read."""


def pictures(result: ContextResult) -> dict[str, Picture]:
    """All charts by heading; the bound's only where it applies."""
    drawn = {heading: chart(result) for heading, (chart, _) in CHARTS.items()}
    return {heading: picture for heading, picture in drawn.items() if picture is not None}


def sufficient_ratios(result: ContextResult, loops: np.ndarray) -> np.ndarray | None:
    """c of n = c·d for each T, where the rate and Marchenko and Pastur's κ apply: Σ = I and a step from the data."""
    settings = result.settings
    if settings.rows not in ("gaussian", "rademacher") or not isinstance(settings.step_size, str):
        return None
    return np.array([theory.sufficient_ratio(int(T), settings.target_error, settings.step_size) for T in loops])


def _needed_sentence(result: ContextResult, needed: float, T: int) -> str:
    target = result.settings.target_error
    if not np.isfinite(needed):
        return f"{unreached(result)} after T = {T} loops."
    if needed <= result.ratio[0]:
        return f"The smallest measured n/d, {needed:.3g}, already reaches {target:g} after T = {T} loops."
    return f"From n/d = {needed:.3g} on it reaches {target:g} after T = {T} loops."


def _learned_sentence(result: ContextResult) -> str:
    assert result.learned is not None
    needed = result.learned_needed_ratio(result.settings.target_error)
    found = [
        f"{ratio_text(ratio, result.learned_ratio[0])} at T = {T}"
        for T, ratio in zip(result.learned.loops, needed, strict=True)
        if np.isfinite(ratio)
    ]
    return (
        f"With the trained A it is n/d: {', '.join(found)}."
        if found
        else "The trained A does not reach it at any measured n/d."
    )


def spread(most: int, count: int) -> np.ndarray:
    """Whole numbers from 1 to `most`, about evenly spaced on a logarithmic scale."""
    return np.unique(np.geomspace(1, most, count).round().astype(int))


def _band(
    result: ContextResult, x: np.ndarray, low: np.ndarray, high: np.ndarray, of: str = ""
) -> list[dict[str, Any]]:
    """The band of the prompts, where there are enough of them."""
    few = result.settings.prompts < SMALLEST_BAND
    return [] if few else band(x, np.maximum(low, TINY), np.maximum(high, TINY), f"10–90 % of prompts{of}")


def _ratio_axis(result: ContextResult, x: np.ndarray | None = None) -> dict[str, Any]:
    low, high = np.log10((result.ratio if x is None else x)[[0, -1]])
    if high - low < 0.02:
        low, high = low - 0.1, high + 0.1
    room = 0.02 * (high - low)  # for whole markers beside the numbers of the other axis
    limits = [low - room, high + room]
    return {"title": {"text": "n/d, examples per feature"}, "type": "log", "range": limits, **log_ticks(*limits)}


def loop_axis(loops: int) -> dict[str, Any]:
    """The logarithmic axis of T, from 1 to a largest one."""
    high = max(float(np.log10(loops)), 0.3)
    return {"title": {"text": "T, loops"}, "type": "log", "range": [0.0, high], **log_ticks(0, high)}


def _decade_ticks(least: float) -> dict[str, Any]:
    step = 1 if least > -5 else 2 if least > -10 else 4
    values = list(range(0, int(np.floor(max(least, -16.0))) - 1, -step))
    return {"tickvals": values, "ticktext": [f"10<sup>{value}</sup>" if value else "1" for value in values]}
