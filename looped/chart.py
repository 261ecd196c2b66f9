"""The parts of every figure: the picture with its text and its table, and lines, bands and axes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

import numpy as np

if TYPE_CHECKING:
    import plotly.graph_objects as go  # 0.9 s, and this module is read where nothing is drawn

MARKERS = 18
"""Markers shown on a line."""
SMALLEST_BAND = 5
"""Prompts from which on a 10–90 % band is drawn; fewer have no such quantiles."""
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
gradient descent. bound: what is proved or derived. nothing: a model that ignores the examples. mark: a value that is
asked for. floor: a level set by rounding, by noise or by Bayes. learned: the trained matrix A. task: the distance to
the task itself.
"""
INK, GRID = "#1B1F24", "#DDE1E6"
SEQUENTIAL = ("#E4F1FA", "#56B4E9", "#0072B2", "#00324F")
DIVERGING = ("#8E0152", "#DE77AE", "#F7F7F7", "#7FBC41", "#276419")


def _scale(colours: Sequence[str]) -> list[tuple[float, str]]:
    return [(place / (len(colours) - 1), colour) for place, colour in enumerate(colours)]


def _axis(grid: bool) -> dict[str, Any]:
    lines = {"gridcolor": GRID, "zerolinecolor": GRID, "tickcolor": GRID, "minor": {"gridcolor": GRID}}
    return {"automargin": True, "showgrid": grid, "zeroline": grid, "title": {"standoff": 12}, **lines}


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
"""The look of a figure on a page of its own: every colour written out, whatever template it was made under."""


class Drawing(Protocol):
    """Something that a page can draw: a picture, or one that moves."""

    @property
    def figure(self) -> "go.Figure":
        """The figure at rest."""

    @property
    def alt(self) -> str:
        """Text that stands for the figure."""

    @property
    def parts(self) -> dict[str, Any]:
        """Its data and layout as plain dictionaries and arrays, and of one that moves what changes from loop to loop.

        narrow: the layout on a narrow page. grown: the traces of which step t shows the first t + 1 points. moved: a
        value for each step of one attribute of a trace. captions: a sentence for each step.
        """


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure, the same in words, and the same as a table."""

    figure: "go.Figure"
    alt: str
    """Text that stands for the figure, from its own numbers."""
    table: dict[str, np.ndarray]
    """Column name to values, all of one length."""

    @property
    def parts(self) -> dict[str, Any]:
        """Data and layout as plain dictionaries and arrays."""
        parts: dict[str, Any] = self.figure.to_plotly_json()
        del parts["layout"]["template"]
        return parts

    def standing_alone(self) -> "go.Figure":
        """A copy of the figure in `TEMPLATE`, for a file or a notebook.

        A figure carries the template that was Plotly's default when it was made. Under Streamlit that is one of
        placeholders, which only Streamlit's own pages replace with the colours of their theme.
        """
        figure = type(self.figure)(self.figure)
        figure.layout.template = TEMPLATE  # an update would leave what is in the old one
        own = dict(zip(map(colour, ROLES), COLOURS, strict=True))
        for trace in figure.select_traces(lambda trace: getattr(trace, "line", None) and trace.line.color in own):
            trace.line.color = own[trace.line.color]
        return figure


def colour(role: Role) -> str:
    """The colour of a role, as Streamlit's placeholder for a colour of the page's theme.

    `Picture.standing_alone` puts one of `COLOURS` in its place.
    """
    return f"#{ROLES.index(role) + 1:06d}"


def line(
    x: np.ndarray,
    y: np.ndarray,
    name: str,
    dash: str = "solid",
    symbol: str = "",
    width: float = 2,
    opacity: float = 1,
    *,
    role: Role | None = None,
) -> dict[str, Any]:
    """A line with its own dash and, if given, its own marker, so that colour is not what tells lines apart.

    Args:
        x: the places of its points, (K,).
        y: the values at these places, (K,).
        name: its name in the legend.
        dash: Plotly's name for its dash.
        symbol: Plotly's name for its marker; empty for none.
        width: its width in pixels.
        opacity: its opacity, from 0 to 1.
        role: the role that sets its colour; None leaves that to its place among the traces.
    """
    trace: dict[str, Any] = {
        "type": "scatter", "x": x, "y": y, "name": name, "mode": "lines", "opacity": opacity,
        "line": {"dash": dash, "width": width},
    }  # fmt: skip
    if role is not None:
        trace["line"]["color"] = colour(role)
    if symbol:
        trace |= {"mode": "lines+markers", "marker": {"symbol": symbol, "size": 8, "maxdisplayed": MARKERS}}
    return trace


def band(x: np.ndarray, low: np.ndarray, high: np.ndarray, name: str, group: str = "band") -> list[dict[str, Any]]:
    """A grey band between two curves; to be drawn last, so that its two edges take no colour from the lines."""
    edge = {"type": "scatter", "x": x, "mode": "lines", "line": {"width": 0}, "hoverinfo": "skip", "name": name}
    return [
        edge | {"y": low, "showlegend": False, "legendgroup": group},
        edge | {"y": high, "fill": "tonexty", "fillcolor": "rgba(128, 128, 128, 0.25)", "legendgroup": group},
    ]


def log_range(values: np.ndarray) -> tuple[list[float], dict[str, Any]]:
    """Range (in log10) and ticks of a log axis that holds all positive finite values: whole decades where over two."""
    used = values[np.isfinite(values) & (values > 0)]
    low, high = (float(np.log10(used.min())), float(np.log10(used.max()))) if used.size else (-1.0, 0.0)
    decades = high - low
    if decades <= 2:  # 1, 2 and 5 of every decade, written in full
        return [low - 0.1, high + 0.1], {"dtick": "D2", "tickformat": "~g"} if decades > 0.6 else {"tickformat": "~g"}
    return [float(np.floor(low)) - 0.2, float(np.ceil(high - 1e-9)) + 0.2], {"dtick": 1} if decades < 12 else {}
