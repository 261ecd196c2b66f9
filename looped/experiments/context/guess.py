"""A guess at the need, and what was measured beside it."""

from typing import Any

import numpy as np

from looped import theory
from looped.chart import SMALLEST_BAND, Picture, Series, band, colour, line_chart, log_ticks, upright
from looped.experiments.context.charts import CURVE_POINTS, loop_axis, spread
from looped.experiments.context.result import ContextResult
from looped.experiments.context.settings import ContextSettings
from looped.experiments.context.words import decades, difference, unreached

STOPS = (
    0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 12.0, 15.0, 20.0, 25.0,
    30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 100.0, 120.0, 150.0, 200.0, 250.0, 300.0, 400.0, 500.0, 600.0, 700.0,
    800.0, 900.0, 1000.0,
)  # fmt: skip
"""The n/d that can be guessed."""
START = 10.0
"""The guess at every T until another is made."""


def asked_loops(settings: ContextSettings, until: int | None = None) -> tuple[int, ...]:
    """The values of T, up to three, at which a guess is made: a twentieth and a quarter of T max, and T max.

    Args:
        settings: their T max.
        until: only those up to this T; None for all.
    """
    loops = sorted({max(1, round(settings.loops / part)) for part in (20, 4, 1)})
    return tuple(T for T in loops if until is None or until >= T)


def nearest_stop(value: float) -> float:
    """The n/d that can be guessed nearest to a value above 0, by their quotient."""
    return min(STOPS, key=lambda stop: abs(np.log(stop / value)))


def guess_chart(
    settings: ContextSettings,
    guess: tuple[float, ...],
    result: ContextResult | None = None,
    known: ContextResult | None = None,
    *,
    until: int | None = None,
    touched: bool = True,
) -> Picture:
    """The guessed n/d against T, and with a result the measured need of the median prompt with its band.

    The number that is derived from a theorem has no place on this axis: an arrow at the T shown leaves the chart.

    Args:
        settings: their T max is where the axis of T ends, and a line marks their T shown.
        guess: n/d at each of the `asked_loops`; empty where none was made.
        result: a sweep of these settings; None while it is to be guessed.
        known: a sweep of other settings, whose need is drawn to compare with, up to its own T max.
        until: where the axis of T ends instead, if that is before.
        touched: False for a line that stands there to be dragged, and is nobody's guess yet.
    """
    at, d, T = np.array(asked_loops(settings, until)), settings.features, settings.shown
    most = settings.loops if until is None else min(until, settings.loops)
    own = "your guess" if touched else "drag me"
    lines = [Series(np.array(guess), own, own, "mark", "dash", "diamond", 3, x=at[: len(guess)])] if guess else []
    beside, measured = None if known is None else difference(known.settings, settings), "half of the prompts"
    if known is not None and beside and (result is None or known.settings.drawn != settings.drawn):
        measured = difference(settings, known.settings)
        to = spread(min(known.settings.loops, most), CURVE_POINTS)
        need, name = known.needed_ratio(known.settings.target_error)[to], f"measured: {beside}"
        lines.append(Series(need, f"need, {beside}", name, "counterpart", "dashdot", "square-open", x=to))
    low = min(STOPS[0], *settings.ratios)
    span = [float(np.log10(low)) - 0.1, float(np.log10(STOPS[-1])) + 0.1]
    up: dict[str, Any] = {"title": {"text": "n/d, examples per feature"}, "type": "log", "range": span}
    across = loop_axis(most)
    across["range"] = [-0.04, across["range"][1] + 0.06]  # room for whole points
    rest: dict[str, Any] = {"hovermode": "closest", "showlegend": True, "margin": {"l": 10, "r": 10, "t": 30, "b": 10}}
    rest["shapes"] = [upright(T, "below")]
    guessed = ", ".join(f"{value:g} at T = {T}" for T, value in zip(at, guess, strict=False))
    who = "Guessed n/d" if touched else "A line to drag, n/d"
    alt = f"{who} against T, logarithmic axes: {guessed}." if guess else "n/d against T, logarithmic axes."
    if result is None:
        fixed = {"fixedrange": True}  # here the pointer draws
        return line_chart(
            ("T", at), lines, f"{alt} The measured need is not shown yet.", across | fixed,
            up | log_ticks(*span) | fixed, dragmode=False, **rest,
        )  # fmt: skip
    loops, target = spread(most, CURVE_POINTS), settings.target_error
    easiest, median, hardest = (result.needed_ratio(target, quantile)[loops] for quantile in range(3))
    rows = [
        *lines,
        Series(median, "measured, half of the prompts", f"measured: {measured}", "model", "solid", "circle", 3),
        Series(easiest, "measured, 1 of 10 prompts"),
        Series(hardest, "measured, 9 of 10 prompts"),
    ]
    reached = np.isfinite(easiest) & np.isfinite(hardest)
    within = settings.prompts >= SMALLEST_BAND and reached.any()
    over = band(loops[reached], easiest[reached], hardest[reached], "1 to 9 of 10 prompts") if within else []
    theorem = f"n/d = {decades(theory.exponential_requirement(T, d) - np.log10(d))}"
    right = most < T * T
    arrow = {
        "x": float(np.log10(T)), "y": 1, "yref": "paper", "yshift": 46, "ax": -22 if right else 14, "ay": 26,
        "arrowhead": 2, "arrowwidth": 2.5, "arrowcolor": colour("bound"), "xanchor": "right" if right else "left",
        "align": "left",
        "text": f"{theorem} at T = {T}, off the chart:<br>from a theorem on learned weights",
        "font": {"color": colour("bound")},
    }  # fmt: skip
    rest["margin"] = rest["margin"] | {"t": 50}  # for the words, above all that can be guessed
    alt = f"{alt} {needs(result, guess, until)} An arrow at T = {T} leaves the chart: {theorem}."
    return line_chart(
        ("T", loops), rows, alt, across, up | log_ticks(*span), over=over, annotations=[arrow],
        **rest,
    )  # fmt: skip


def needs(result: ContextResult, guess: tuple[float, ...], until: int | None = None) -> str:
    """The measured need at each of the `asked_loops`, beside the guess if one was made, in one sentence."""
    settings, at = result.settings, asked_loops(result.settings, until)
    needed = result.needed_ratio(settings.target_error)
    found = []
    for place, T in enumerate(at):
        if not np.isfinite(needed[T]):
            text = f"none up to {result.ratio[-1]:.3g}"
        else:
            text = f"{'at most ' if needed[T] <= result.ratio[0] else ''}{needed[T]:.3g}"
        beside = f" (guess {guess[place]:g})" if place < len(guess) else ""
        found.append(f"{text} at T = {T}{beside}")
    if not np.isfinite(needed[list(at)]).any():
        return f"{unreached(result)} at {' or '.join(f'T = {T}' for T in at)}."
    return f"For an error of {settings.target_error:g} half of the prompts need n/d: {', '.join(found)}."
