"""The parts of every figure: the picture with its text and its table, its curves as rows, bands and axes."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

if TYPE_CHECKING:
    import plotly.graph_objects as go  # 0.9 s, and this module is read where nothing is drawn

MARKERS = 18
"""Markers shown on a line."""
MOST_TIMES = 3.0
"""A diverging value is drawn up to so many times its start."""
MOST_DECADES = 7
"""Powers of ten that a log axis names, about; on a longer one only every second, third and so on."""
SMALLEST_BAND = 5
"""Smallest number of prompts for which a 10–90 % band is drawn; fewer have no such quantiles."""
UNDER_WORD = 0.15
"""Share of a chart's height that a word at its upper edge needs, from a line below it."""
ARROW, BESIDE = 0.12, 6
"""Length of the arrow of a line that leaves, as a share of the chart's height, and pixels from the line to the word."""
BEGINNING = 0.05
"""Share of a training that is drawn while the rest is to be guessed."""
NO_UPLOAD = {"showSendToCloud": False}
"""Plotly's configuration of every chart: without this its tools offer to send the data to a server of Plotly's."""
LEGEND_BELOW = {"orientation": "h", "y": -0.2, "x": 0, "yanchor": "top"}
NARROW_MARGIN = {"l": 10, "r": 10, "t": 10, "b": 10}
COLOURS = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#8A6D00", "#56B4E9", "#E69F00", "#444444", "#7A3E9D", "#005F5F",
)  # fmt: skip
"""Colours of lines, those of the light theme: Okabe and Ito's first, told apart with any colour vision."""
Role = Literal["model", "counterpart", "reference", "descent", "bound", "nothing", "mark", "floor", "learned", "task"]
ROLES: tuple[Role, ...] = get_args(Role)
"""The roles a line can have, in the order of the colours; each has the same colour on every page.

model: the transformer or block in question, constructed or trained. counterpart: what it is compared with first, such
as the explicit algorithm or the model without MLP. reference: a closed form, a limit or the best known. descent: plain
gradient descent. bound: a proved or derived bound. nothing: a model that ignores the examples. mark: a value that the
settings name. floor: a level set by rounding, by noise or by Bayes. learned: the trained matrix A. task: the distance
to the task itself.
"""
INK, GRID = "#1B1F24", "#DDE1E6"
SIGNED = ("#EE6F6F", "#E3E5EA", "#3D9BE9")
"""Colours of the numbers in a matrix, below 0, at 0 and above: `INK` can be read on all of them, in either theme."""
SEQUENTIAL = ("#E4F1FA", "#56B4E9", "#0072B2", "#00324F")
DIVERGING = ("#8E0152", "#DE77AE", "#F7F7F7", "#7FBC41", "#276419")


def _scale(colours: Sequence[str]) -> list[tuple[float, str]]:
    return [(place / (len(colours) - 1), colour) for place, colour in enumerate(colours)]


def _axis(grid: bool) -> dict[str, Any]:
    lines = {"gridcolor": GRID, "zerolinecolor": GRID, "tickcolor": GRID, "minor": {"gridcolor": GRID}}
    return {"automargin": True, "showgrid": grid, "zeroline": grid, "title": {"standoff": 12}, **lines}


CELLS: dict[str, Any] = {"colorscale": _scale(SIGNED)}
"""The colour scale of a matrix."""
IN_CELL: dict[str, Any] = {"texttemplate": "%{text}", "textfont": {"color": INK, "size": 13}}
"""Numbers in the cells of a matrix, for cells that have room for them."""
TEMPLATE: dict[str, Any] = {
    "data": {"heatmap": [{"colorscale": _scale(SEQUENTIAL)}], "contour": [{"colorscale": _scale(SEQUENTIAL)}]},
    "layout": {
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
        "font": {"color": INK, "family": "sans-serif", "size": 13},
        "colorway": COLOURS,
        "colorscale": {
            "sequential": _scale(SEQUENTIAL),
            "sequentialminus": _scale(SEQUENTIAL[::-1]),
            "diverging": _scale(DIVERGING),
        },
        "xaxis": _axis(grid=False),
        "yaxis": _axis(grid=True),
        "hoverlabel": {"bgcolor": "white", "bordercolor": GRID, "font": {"color": INK}},
    },
}
"""The template of a figure outside the app: every colour is set, whatever template the figure was made under."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """What changes in a figure from step to step, and what each step is called."""

    captions: list[str]
    """A sentence for each of the S steps."""
    grown: list[int]
    """Numbers of the traces of which step s shows the first s + 1 points."""
    moved: dict[tuple[int, str], Any]
    """By number and attribute of a trace, its value at each step, (S, …)."""
    narrow: dict[str, Any]
    """The layout on a narrow page; one that is higher than the wide one is not squeezed into the window."""
    unit: str = "loop"
    """What a step is one of, in the words of the play bar."""
    opens: int = -1
    """The step that it is opened at, from the end where below 0."""

    @property
    def first(self) -> int:
        """The number of the step that it is opened at."""
        return range(len(self.captions))[self.opens]

    def at(self, step: int, data: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The traces at one of the steps."""
        traces = [dict(trace) for trace in data]
        for number in self.grown:
            traces[number] |= {axis: traces[number][axis][: step + 1] for axis in "xy"}
        for (number, attribute), values in self.moved.items():
            traces[number][attribute] = values[step]
        return traces

    def frames(self, data: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Plotly's frames, one for each step, for a figure outside the app."""
        moving = sorted({*self.grown, *(number for number, _ in self.moved)})
        names = {number: {"type", *(a for n, a in self.moved if n == number)} for number in moving}
        names |= {number: {"type", "x", "y"} for number in self.grown}
        return [
            {"name": str(step), "traces": moving,
             "data": [{name: traces[number][name] for name in names[number]} for number in moving]}
            for step, traces in enumerate(self.at(step, data) for step in range(len(self.captions)))
        ]  # fmt: skip

    def controls(self) -> dict[str, Any]:
        """The layout of Plotly's own play button and slider, below a figure outside the app."""
        at_once = {"mode": "immediate", "transition": {"duration": 0}, "frame": {"duration": 0, "redraw": True}}
        play = {"transition": {"duration": 0}, "frame": {"duration": 350, "redraw": True}, "fromcurrent": True}
        buttons = {
            "type": "buttons", "direction": "left", "showactive": False, "x": 0, "y": 0, "xanchor": "left",
            "yanchor": "top", "pad": {"t": 30, "l": -40},
            "buttons": [
                {"label": "▶", "method": "animate", "args": [None, play]},
                {"label": "❚❚", "method": "animate", "args": [[None], at_once]},
            ],
        }  # fmt: skip
        slider = {
            "x": 0.12, "len": 0.88, "y": 0, "pad": {"t": 20}, "active": self.first,
            "currentvalue": {"prefix": "", "font": {"color": "gray"}}, "font": {"color": "rgba(0,0,0,0)"}, "ticklen": 0,
            "steps": [
                {"label": caption, "method": "animate", "args": [[str(step)], at_once], "value": str(step)}
                for step, caption in enumerate(self.captions)
            ],
        }  # fmt: skip
        return {"updatemenus": [buttons], "sliders": [slider]}


@dataclass(frozen=True)
class Picture:
    """A figure with its content in words and as a table."""

    spec: dict[str, Any]
    """The figure as Plotly's plain dictionaries: data, layout and, where it moves, frames."""
    alt: str
    """Text that stands for the figure, from its own numbers."""
    table: dict[str, np.ndarray]
    """Column name to values, all of one length."""
    scale: np.ndarray = field(default_factory=lambda: np.zeros(0))
    """Of a chart of curves: what its value axis has room for."""
    motion: Motion | None = None
    """What changes in it from step to step, if anything does."""

    @cached_property
    def figure(self) -> "go.Figure":
        """The figure as Plotly's object, as it is opened; it checks every value, when it is first asked for."""
        import plotly.graph_objects as go

        spec = dict(self.spec)
        if self.motion is not None:
            spec["data"] = self.motion.at(self.motion.first, spec["data"])
        return go.Figure(spec)

    def still(self, step: int | None = None) -> dict[str, Any]:
        """Data and layout at one of its steps, or as it is opened, in `TEMPLATE` and with its colours."""
        data = self.spec["data"]
        if self.motion is not None:
            data = self.motion.at(self.motion.first if step is None else step, data)
        shown: dict[str, Any] = _with_own_colours({**self.spec, "data": data})
        return {**shown, "layout": {**shown["layout"], "template": TEMPLATE}}

    def standing_alone(self) -> "go.Figure":
        """A copy of the figure in `TEMPLATE`, for a file or a notebook.

        A figure carries the template that was Plotly's default when it was made. Under Streamlit that is one of
        placeholders, which only Streamlit's own pages replace with the colours of their theme.
        """
        import plotly.graph_objects as go

        figure = go.Figure(self.still())
        if self.motion is not None:
            figure.frames = self.motion.frames(self.spec["data"])
            figure.update_layout(self.motion.controls())
            figure.update_layout(height=figure.layout.height + 90, margin={"l": 56, "b": 98})
        return figure


def _with_own_colours(value: Any) -> Any:
    """A copy of plain values with a colour of `COLOURS` in place of each role's placeholder."""
    match value:
        case dict():
            return {name: _with_own_colours(part) for name, part in value.items()}
        case list() | tuple():
            return [_with_own_colours(part) for part in value]
        case str():
            return _OWN_COLOURS.get(value, value)
        case _:
            return value


@dataclass(frozen=True, slots=True)
class Series:
    """One curve of a chart and all that is said of it: a line, a column of the table, a part of the text."""

    values: np.ndarray
    """As computed, (K,)."""
    column: str = ""
    """Its heading in the table; empty for none."""
    legend: str = ""
    """Its name in the legend; empty where it is not drawn."""
    role: Role | None = None
    """The role that sets its colour; None leaves that to its place among the traces."""
    dash: str = "solid"
    """Plotly's name for its dash. Lines differ in dash or marker, so that colour is not what tells them apart."""
    symbol: str = ""
    """Plotly's name for its marker; empty for none."""
    width: float = 2
    """Pixels."""
    _: KW_ONLY
    opacity: float = 1
    x: np.ndarray | None = None
    """Its places, (K,); None for those of the chart."""
    key: str = ""
    """Its name in files, where that is another than the column's."""
    text: str = ""
    """Its part of the alt text, {} standing for one of the values; empty for none."""
    scales: bool = True
    """True where the value axis must have room for it."""
    if_seen: bool = False
    """True for a level that is drawn last, and only where the value axis reaches down to it."""
    more: dict[str, Any] = field(default_factory=dict)
    """Whatever else Plotly is to know of the trace."""

    def trace(self, x: np.ndarray, lowest: float | None = None) -> dict[str, Any]:
        """The line, its values cut to what is drawn, at places x unless it has its own."""
        trace: dict[str, Any] = {
            "type": "scatter", "x": x if self.x is None else self.x, "y": _cut(self.values, lowest, None),
            "name": self.legend, "mode": "lines", "opacity": self.opacity,
            "line": {"dash": self.dash, "width": self.width},
        }  # fmt: skip
        if self.role is not None:
            trace["line"]["color"] = colour(self.role)
        if self.symbol:
            trace |= {"mode": "lines+markers", "marker": {"symbol": self.symbol, "size": 8, "maxdisplayed": MARKERS}}
        trace |= self.more
        if "markers" in trace["mode"]:
            trace["cliponaxis"] = False  # the first and the last are whole
        return trace

    def at(self, x: np.ndarray) -> np.ndarray:
        """The values at the places of the table: each at the nearest one up to the last, NaN elsewhere."""
        if self.x is None:
            return self.values
        column = np.full(len(x), np.nan)
        for place, value in zip(self.x, self.values, strict=True):
            if x[-1] >= place:
                column[np.abs(x - place).argmin()] = value
        return column


def _cut(values: np.ndarray, lowest: float | None, highest: float | None) -> np.ndarray:
    return values if lowest is None and highest is None else np.clip(values, lowest, highest)


def level(value: float, ends: Sequence[float] | np.ndarray, legend: str, dash: str, role: Role, **more: Any) -> Series:
    """A thin horizontal line between two places, which is not in the table."""
    return Series(np.full(2, value), "", legend, role, dash, width=1.5, x=np.array(ends), more=more)


def said(series: Sequence[Series], place: int = -1) -> list[str]:
    """The parts of the alt text that the series have, with their values at a place."""
    return [row.text.format(row.values[place]) for row in series if row.text]


def line_chart(
    x: tuple[str, np.ndarray],
    series: Sequence[Series],
    alt: str,
    across: dict[str, Any],
    up: dict[str, Any],
    *,
    lowest: float | None = None,
    highest: float | None = None,
    word: str = "off the chart",
    below: str = "",
    over: Sequence[dict[str, Any]] = (),
    **rest: Any,
) -> Picture:
    """A chart of curves and its table.

    Args:
        x: heading and places, (K,), of the table's first column.
        series: the curves, in the order of the legend and of the columns.
        alt: the text that stands for the figure.
        across: the horizontal axis.
        up: the value axis; one that is logarithmic and names no range gets that of the series that scale it.
        lowest: the height at which lower values are drawn, or below which lines leave the chart.
        highest: the height from which on a line leaves the chart, with an arrow; the value axis is logarithmic then.
        word: what is said beside these arrows.
        below: the same of lines that leave the chart, with an arrow too, below `lowest`; empty if none does.
        over: further traces, drawn last.
        **rest: whatever else the layout has.
    """
    scale = _cut(np.concatenate([row.values for row in series if row.scales]), lowest, highest)
    if up.get("type") == "log" and "range" not in up:
        limits, ticks = log_range(scale)
        up = {**up, "range": limits, **ticks}
    seen = [row for row in series if row.if_seen and np.log10(row.values[0]) > up["range"][0]]
    drawn = [*(row for row in series if row.legend and not row.if_seen), *seen]
    traces = [row.trace(x[1], lowest) for row in drawn]
    if highest is not None:
        marks = [float(trace["x"][0]) for trace in over if np.ptp(trace["x"]) == 0]
        arrows = leave(traces, highest, up["range"][1], word, log=across.get("type") == "log", marks=marks)
        rest = rest | {"annotations": [*rest.get("annotations", ()), *arrows]}
    if lowest is not None and below:
        arrows = fall(traces, lowest, up["range"][0], below, log=across.get("type") == "log")
        rest = rest | {"annotations": [*rest.get("annotations", ()), *arrows]}
    spec = {
        "data": [*traces, *over],
        "layout": layout(across, up, **{"hovermode": "x unified"} | rest),
    }
    return Picture(spec, alt, dict([x]) | {row.column: row.at(x[1]) for row in series if row.column}, scale)


def leave(
    traces: Sequence[dict[str, Any]],
    highest: float,
    top: float,
    word: str,
    *,
    log: bool = False,
    axes: str = "",
    marks: Sequence[float] = (),
) -> list[dict[str, Any]]:
    """Let lines leave a chart straight through its upper edge where they are too high, and give the arrows there.

    Args:
        traces: lines with a logarithmic value axis, which are changed in place; a height of `highest` may have been
            greater before it was cut, and the line goes on as it ran up to there.
        highest: the height from which on a line has left.
        top: where the value axis ends, in log10.
        word: what is said once where no line runs: left of the first, or behind the last where that leaves early, or
            behind those that come back.
        log: whether the other axis is logarithmic.
        axes: the number of the axes, as Plotly writes it.
        marks: where vertical lines stand, behind which the word of lines that come back begins if they are close.
    """
    arrows: list[dict[str, Any]] = []
    exits: list[tuple[float, float]] = []
    heights = np.concatenate([np.array(trace["y"], dtype=float) for trace in traces])
    low = np.log10(min(heights[heights > 0], default=highest))
    under, length = top - UNDER_WORD * (top - low), ARROW * (top - low)
    back = -np.inf  # the place from which on all lines that have come back are below the word
    for trace in traces:
        x, y = np.array(trace["x"], dtype=float), np.array(trace["y"], dtype=float)
        gone = y >= highest
        if gone.any() and not gone[-1]:
            above = np.flatnonzero(y > 10.0 ** (top - 2 / 3 * UNDER_WORD * (top - low)))[-1]
            back = max(back, x[min(above + 1, len(y) - 1)])
        if gone.all() or not gone.any():
            continue
        with np.errstate(divide="ignore", invalid="ignore"):
            across, up = np.log10(x) if log else x.copy(), np.log10(y)
        first = gone & ~np.r_[False, gone[:-1]]
        up[gone] = np.nan
        for place in map(int, np.flatnonzero(first)):
            slope = _slope(across[: place + 1], up[:place], float(y[place]), highest)
            up[place] = top
            if np.isfinite(slope):  # the last one may end below the edge
                start = across[place - 1]
                across[place] = min(across[-1], start + (top - up[place - 1]) / slope)
                up[place] = min(top, up[place - 1] + slope * (across[place] - start))
                x[place] = 10.0 ** across[place] if log else across[place]
        y[gone] = 10.0 ** up[gone]
        trace |= {"x": x, "y": y}
        if "markers" in trace.get("mode", ""):  # none where the line leaves: nothing was measured there
            trace["marker"] = trace.get("marker", {}) | {"opacity": np.where(gone, 0, 1)}
        trace.setdefault("hovertemplate", ["off the chart" if high else "%{y}" for high in gone])
        look = trace.get("line") or trace.get("marker") or {}
        leaves = int(gone.argmax())
        low_enough = int(max(np.flatnonzero(up[:leaves] <= under), default=-1))
        clear = 0.0
        if low_enough >= 0:
            clear = float(np.interp(under, up[low_enough : low_enough + 2], across[low_enough : low_enough + 2]))
        steep = _slope(across[: leaves + 1], up[:leaves], float(y[leaves]), 0)
        aside = length / steep
        shorter = min(1.0, (across[leaves] - across[0]) / aside) if aside > 0 else 1.0  # none begins before its line
        arrows.append(arrow(across[leaves], up[leaves], shorter * length, shorter * aside, look, axes))
        exits.append((x[leaves], 10.0**clear if log and low_enough >= 0 else clear))
    arrows.sort(key=lambda arrow: arrow["x"])
    exits.sort()
    if exits and word:
        (earliest, clear), (latest, _) = exits[0], exits[-1]
        last = max(float(np.max(trace["x"])) for trace in traces if len(trace["x"]))
        side, at = "left", latest
        if earliest > last / 2 and clear > 0:
            side, at = "right", clear
        elif back > latest:
            at = max([back, *(mark for mark in marks if back <= mark < back + last / 5)])
        arrows.append({
            "x": float(np.log10(at) if log else at), "y": float(top), "xref": f"x{axes}", "yref": f"y{axes}",
            "text": word, "showarrow": False, "xanchor": side, "yanchor": "top",
            "xshift": BESIDE if side == "left" else 0,
        })  # fmt: skip
    return arrows


def fall(
    traces: Sequence[dict[str, Any]], lowest: float, bottom: float, word: str, *, log: bool = False
) -> list[dict[str, Any]]:
    """The same through the lower edge where lines are too low: `leave` on a chart that is turned upside down.

    Args:
        traces: lines with a logarithmic value axis, which are changed in place.
        lowest: the height from which on a line has left.
        bottom: where the value axis begins, in log10.
        word: what is said once where no line runs.
        log: whether the other axis is logarithmic.
    """
    with np.errstate(divide="ignore"):
        turned = [trace | {"y": 1 / np.array(trace["y"], dtype=float)} for trace in traces]
        heights = [trace["y"] for trace in turned]
        arrows = leave(turned, 1 / lowest, -bottom, word, log=log)
        for trace, other, before in zip(traces, turned, heights, strict=True):
            if other["y"] is not before:
                trace |= other | {"y": 1 / other["y"]}
    back = {"top": "bottom"}
    return [
        {name: -part if name in ("y", "ay") else back.get(part, part) if name == "yanchor" else part
         for name, part in one.items()}
        for one in arrows
    ]  # fmt: skip


def _slope(across: np.ndarray, up: np.ndarray, height: float, highest: float) -> float:
    """How steeply a line comes to its last place; infinitely where there is nothing to go by.

    Towards its height there if that is above `highest`, at which heights may be cut; else as it ran up to there, and at
    least so steeply that it reaches `highest`.

    Args:
        across: places on the axis, (K,).
        up: log10 of the heights before the last, (K − 1,).
        height: the last height.
        highest: the height at which heights may be cut.
    """
    known = height > highest
    slopes = np.diff([*up, np.log10(height if known else highest)][-3:]) / np.diff(across[-3:])
    possible = slopes[-1:] if known else slopes
    return float(max(possible[~np.isnan(possible)], default=np.inf))


def arrow(x: float, y: float, length: float, aside: float, look: dict[str, Any], axes: str = "") -> dict[str, Any]:
    """An arrow to a point from one lower by a length and further left; places on a logarithmic axis are its log10."""
    return {
        "x": float(x), "y": float(y), "xref": f"x{axes}", "yref": f"y{axes}", "ax": float(x - aside),
        "ay": float(y - length), "axref": f"x{axes}", "ayref": f"y{axes}", "text": "", "showarrow": True,
        "arrowhead": 2, "arrowsize": 1.2, "arrowwidth": 2, "arrowcolor": look.get("color", "gray"),
    }  # fmt: skip


def layout(across: dict[str, Any], up: dict[str, Any], **rest: Any) -> dict[str, Any]:
    """The layout of a chart: a narrow margin, the legend below, two axes, and whatever else it has."""
    return {
        "height": 400, "margin": NARROW_MARGIN, "legend": LEGEND_BELOW, "xaxis": {"automargin": True, **across},
        "yaxis": {"automargin": True, **up}, **rest,
    }  # fmt: skip


def log_axis(title: str, digits: str | None = None, values: np.ndarray | None = None) -> dict[str, Any]:
    """A logarithmic value axis with powers of ten.

    Args:
        title: what is on it.
        digits: the format of a number under the pointer.
        values: what it must have room for; None for the series that scale it.
    """
    axis = {"title": {"text": title}, "type": "log", "exponentformat": "power", "hoverformat": digits}
    if values is None:
        return axis
    limits, ticks = log_range(values)
    return axis | {"range": limits, **ticks}


@lru_cache(maxsize=64)
def _grid(**sizes: Any) -> dict[str, Any]:
    from plotly.subplots import make_subplots

    made: dict[str, Any] = make_subplots(**sizes).layout.to_plotly_json()
    return {name: part for name, part in made.items() if name != "template"}


def grid(**sizes: Any) -> dict[str, Any]:
    """The layout of a grid of plots as `plotly.subplots.make_subplots` gives it, asked once for each kind."""
    return deepcopy(_grid(**sizes))


def colour(role: Role) -> str:
    """The colour of a role, as Streamlit's placeholder for a colour of the page's theme.

    `Picture.standing_alone` puts one of `COLOURS` in its place.
    """
    return f"#{ROLES.index(role) + 1:06d}"


_OWN_COLOURS = dict(zip(map(colour, ROLES), COLOURS, strict=True))


def band(
    x: np.ndarray, low: np.ndarray, high: np.ndarray, name: str, group: str = "band", role: Role | None = None
) -> list[dict[str, Any]]:
    """A band between two curves, grey or of a role; drawn last, so that its edges take no colour from the lines."""
    edge: dict[str, Any] = {"type": "scatter", "x": x, "mode": "lines", "hoverinfo": "skip", "name": name}
    edge |= {"line": {"width": 0}, "legendgroup": group}
    filled = {"fill": "tonexty", "fillcolor": "rgba(128, 128, 128, 0.25)"}
    if role is not None:  # Plotly fills with half of the line's colour where none is named
        edge |= {"line": {"width": 0, "color": colour(role)}, "opacity": 0.5}
        del filled["fillcolor"]
    return [edge | {"y": low, "showlegend": False}, edge | {"y": high} | filled]


def log_range(values: np.ndarray) -> tuple[list[float], dict[str, Any]]:
    """Range (in log10) and ticks of a log axis that holds all positive finite values: half decades where over two."""
    used = values[np.isfinite(values) & (values > 0)]
    low, high = (float(np.log10(used.min())), float(np.log10(used.max()))) if used.size else (-1.0, 0.0)
    decades = high - low
    if decades <= 2:
        limits = [low - 0.1, high + 0.1]
        return limits, log_ticks(*limits) if decades > 0.6 else {"tickformat": "~g"}
    limits = [float(np.floor(2 * low)) / 2 - 0.2, float(np.ceil(2 * (high - 1e-9))) / 2 + 0.2]
    return limits, {"dtick": int(np.ceil(round(limits[1] - limits[0] - 0.4) / MOST_DECADES))}


def log_ticks(low: float, high: float) -> dict[str, Any]:
    """Ticks of a log axis written out: at 1, 2 and 5 of every decade, at 1 alone on a long axis; limits in log10.

    Plotly's own are smaller at 2 and 5.
    """
    mantissas = (1, 2, 5) if high - low < 2.7 else (1,)
    decades = range(int(np.floor(low)), int(np.ceil(high)) + 1)
    values = [mantissa * 10.0**decade for decade in decades for mantissa in mantissas]
    return {"tickvals": values, "ticktext": [f"{value:,g}" for value in values]}


def upright(x: float, layer: str = "above") -> dict[str, Any]:
    """A dotted line over the whole height of a chart, above or below what is drawn there."""
    look = {"line": {"dash": "dot", "color": "gray", "width": 1}, "layer": layer}
    return {"type": "line", "x0": x, "x1": x, "yref": "paper", "y0": 0, "y1": 1, **look}


def short(values: np.ndarray) -> np.ndarray:
    """Six digits of the largest value are enough to draw with, and travel in a third of the bytes."""
    values = np.clip(values.astype(float), -1e30, 1e30)
    largest = float(np.nanmax(np.abs(values), initial=1e-300))
    return values.round(6 - int(np.ceil(np.log10(largest))))


def short_each(values: np.ndarray) -> np.ndarray:
    """The same for every frame (F, …) by itself: where a run diverges the first frames keep their digits."""
    values = np.clip(values.astype(float), -1e30, 1e30)
    largest = np.nanmax(np.abs(values), axis=tuple(range(1, values.ndim)), keepdims=True, initial=1e-300)
    scale = 10.0 ** (6 - np.ceil(np.log10(largest)))
    return np.asarray(np.round(values * scale) / scale)


def symmetric_range(values: np.ndarray) -> list[float]:
    """A range around 0 that holds all frames (F, …), or what a diverging run starts with."""
    each = np.abs(values).max(axis=1, initial=0)
    start = each[each > 0][:1]
    largest = 1.1 * float(min(each.max(), MOST_TIMES * start[0])) if start.size else 1.0
    return [-largest, largest]
