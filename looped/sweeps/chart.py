"""The table of a sweep as a chart: one scalar against one setting, coloured by another."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from looped.chart import COLOURS, LEGEND_BELOW, Picture, Series, band, line_chart, log_axis, said
from looped.fields import SettingsError
from looped.sweeps.engine import Plan
from looped.sweeps.grid import NUMBERS, field_of

if TYPE_CHECKING:
    import pandas as pd

MOST_COLOURS = len(COLOURS)
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
SYMBOLS = ("circle", "square-open", "diamond", "triangle-up-open", "x-thin-open")
WIDE = 30
"""Largest over smallest value from which an axis is logarithmic."""


@dataclass(frozen=True)
class View:
    """What a chart of a sweep shows."""

    x: str
    """Setting on the horizontal axis, by name."""
    y: str
    """Scalar on the vertical axis: a column of the table."""
    colour: str
    """Setting that colours the curves, by name; empty for one curve."""


def choose(plan: Plan, table: "pd.DataFrame", x: str = "", y: str = "", colour: str = "") -> View:
    """What to show; where nothing is named, the swept settings with the most values that are not the seed.

    Args:
        plan: The runs.
        table: their table.
        x: key, option or name of a setting; empty to choose.
        y: a column with numbers; empty for the experiment's headline.
        colour: as `x`.

    Raises:
        SettingsError: for a setting that does not exist, or a column without numbers.
    """
    swept = sorted(
        (name for name in plan.swept if name != "seed"),
        key=lambda name: (plan.settings.table[name].kind not in NUMBERS, -table[name].nunique()),
    )
    across = field_of(x, plan.settings).name if x else next(iter(swept), "seed" if "seed" in plan.swept else "loops")
    if across not in table:
        across = next(iter(plan.settings.table))
    others = [name for name in swept if name != across]
    numbers = [name for name in table.columns[len(plan.settings.table) :] if table[name].dtype.kind in "fiu"]
    if y and y not in numbers:
        raise SettingsError("y", f"y = {y} is no column of numbers: choose from {', '.join(numbers)}.")
    headline = plan.experiment.headline
    return View(
        x=across,
        y=y or (headline if headline in numbers else "seconds"),
        colour=field_of(colour, plan.settings).name if colour else next(iter(others), ""),
    )


def chart(plan: Plan, table: "pd.DataFrame", view: View) -> Picture:
    """Medians over all else that changes, with a band from the smallest to the largest value."""
    fields = plan.settings.table
    whole = table[table[view.y].notna()]
    places = list(dict.fromkeys(whole.sort_values(view.x)[view.x])) if len(whole) else []
    numeric = fields[view.x].kind in ("whole", "real")
    x = np.array(places, float) if numeric else np.arange(len(places))
    groups = list(whole.groupby(view.colour, sort=True)) if view.colour else [("", whole)] * (not whole.empty)
    evenly = np.linspace(0, len(groups) - 1, min(len(groups), MOST_COLOURS)).round().astype(int)
    shown = [groups[place] for place in evenly]
    rows, bands = [], []
    for place, (value, part) in enumerate(shown):
        name = f"{fields[view.colour].label} {value}" if view.colour else view.y
        at = part.groupby(view.x)[view.y].agg(["median", "min", "max", "count"]).reindex(places)
        ink = COLOURS[place]
        line = {"line": {"color": ink, "dash": DASHES[place % 5], "width": 2}, "connectgaps": True}
        rows.append(
            Series(at["median"].to_numpy(float), name, name, symbol=SYMBOLS[place % 5], more=line,
                   text=f"{name} ends at {{:.3g}}.")
        )  # fmt: skip
        if at["count"].max() > 1:
            low, high = (at[end].to_numpy(float) for end in ("min", "max"))
            tint = ", ".join(str(int(ink[start : start + 2], 16)) for start in (1, 3, 5))
            lower, upper = band(x, low, high, f"{name}, all runs", f"band{place}")
            bands += [lower, upper | {"fillcolor": f"rgba({tint}, 0.18)", "showlegend": False}]
    values = whole[view.y].to_numpy(float)
    up: dict[str, Any] = {"title": {"text": view.y}}
    if len(values) and values.min() > 0 and values.max() > WIDE * values.min():
        up = log_axis(view.y, ".3g", values)
    across: dict[str, Any] = {"title": {"text": fields[view.x].label}}
    if not numeric:
        across |= {"tickvals": x, "ticktext": [str(place) for place in places]}
    elif fields[view.x].log and len(x) and x.min() > 0 and x.max() > WIDE * x.min():
        across |= {"type": "log"}
    alt = [f"{view.y} against {fields[view.x].label}: medians of {len(whole)} runs, with all of them as a band."]
    if len(shown) < len(groups):
        alt.append(f"{len(shown)} of {len(groups)} values of {fields[view.colour].label} are drawn.")
    if without := len(table) - len(whole):
        alt.append(f"{without} runs have no such number and are left out.")
    if not rows:
        rows = [Series(np.zeros(0), view.y, view.y)]
    legend = LEGEND_BELOW | {"traceorder": "normal"}
    text = " ".join([*alt, *said(rows)])
    return line_chart((fields[view.x].label, x), rows, text, across, up, over=bands, height=460, legend=legend)
