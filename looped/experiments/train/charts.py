"""The third page's figures: the loss while training, the trained weights, and their errors on fresh prompts."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from looped.chart import (
    CELLS,
    IN_CELL,
    NARROW_MARGIN,
    Picture,
    Role,
    Series,
    grid,
    level,
    line_chart,
    log_axis,
    log_ticks,
    upright,
)
from looped.experiments.train.result import STATISTICS, Sweep, TrainResult, written
from looped.experiments.train.rivals import best_descent, level_medians
from looped.experiments.train.settings import TrainSettings
from looped.training import gdpp

MARGIN = NARROW_MARGIN | {"t": 25}
MOST_POINTS = 1000
"""Largest number of steps drawn, evenly spaced."""
MOST_CELLS = 6
"""Largest matrix with numbers in its cells; in larger ones they are too small on a phone."""
FINE = 0.02
"""Entries below this share of the largest one are written to that precision, the others with two digits."""
CAP = 100.0
"""The charts of the loss and of the sweeps have room for this many times the error of the answer 0."""
MARKS: dict[str, tuple[str, str, float, Role]] = {
    "trained": ("solid", "circle", 4.0, "model"),
    "nearest GD++": ("dash", "square-open", 2.0, "counterpart"),
    "best GD++": ("dashdot", "diamond-open", 2.0, "reference"),
    "constructed GD": ("dot", "x-thin-open", 2.0, "descent"),
    "GD tuned here": ("longdash", "triangle-up-open", 2.0, "descent"),
    "answering 0": ("dot", "line-ew-open", 1.5, "nothing"),
}
"""Dash, marker, width and role of every model's line."""
SWEEPS = {
    "loops": ("Beyond the trained T", "loop t", "linear"),
    "examples": ("At other n", "n, examples", "log"),
    "covariance": ("With other covariances", "κ<sub>Σ</sub>, condition number of the inputs' covariance", "log"),
    "scale": ("With scaled inputs", "factor on all inputs", "log"),
    "noise": ("With label noise", "σ of the labels", "linear"),
}
"""Heading, axis title and axis type of every sweep."""

STATISTIC_TITLES = {
    "mean": "mean query error of the drawn prompts",
    "median": "median query error",
    "99.9 %": "99.9 % point of the query error",
}
"""Axis title of every statistic."""

LEVELS: dict[str, tuple[str, Role]] = {
    "answering 0": ("dot", "nothing"),
    "one layer, closed form": ("dash", "descent"),
    "constructed GD": ("dashdot", "descent"),
    "best GD++": ("longdash", "reference"),
    "A alone, trained": ("longdashdot", "learned"),
}
"""Dash and role of every level of the loss chart."""
MAIN_LEVELS = ("best GD++", "constructed GD", "one layer, closed form", "answering 0")
"""Levels in the order in which they are wanted."""
History = Mapping[str, np.ndarray]


def pictures(run: TrainResult, statistic: str = "median") -> dict[str, Picture]:
    """All charts of the page by heading; those of the evaluation as far as it has come."""
    charts = {}
    if len(run.history.get("step", ())):
        charts["Loss"] = loss_chart(run.settings, run.history, run.settings.training().steps, run)
    charts["Weights"] = weights_chart(run)
    for kind, (heading, _, _) in SWEEPS.items():
        if kind in run.sweeps:
            charts[heading] = sweep_chart(run, kind, statistic)
    return charts


def levels(settings: TrainSettings, run: TrainResult | None = None) -> dict[str, np.ndarray]:
    """Medians of ‖w_T − w*‖² to compare that of a batch with, by name: in ascending order, one for each set of prompts.

    Args:
        settings: Settings of the run.
        run: one that has been evaluated; if it is of the same sizes, the levels that take time to find are its own.
    """
    if run is not None and not _same_prompts(run.settings, settings):
        run = None
    named = level_medians(settings, None if run is None else run.best)
    if run is not None and run.alone is not None and settings.loops > 1:
        named = {**named, "A alone, trained": np.array([run.alone.median])}
    return named


def middle(medians: np.ndarray) -> float:
    """The level that is drawn."""
    return float(np.median(medians))


def named_levels(settings: TrainSettings, medians: Mapping[str, np.ndarray]) -> list[str]:
    """The two levels that are drawn at once; GD++ only beside weights that can move the examples."""
    wanted = MAIN_LEVELS if settings.weights == "full" else MAIN_LEVELS[1:]
    return [name for name in wanted if name in medians][:2]


def level_text(name: str, medians: np.ndarray) -> str:
    """What a level is called, with its error of w, the median, and its spread over the sets of prompts."""
    low, value, high = (f"{value:.2g}" for value in (medians[0], middle(medians), medians[-1]))
    return f"{name}: error of w {value}" + (f" ({low} to {high})" if low != high else "")


def _same_prompts(one: TrainSettings, other: TrainSettings) -> bool:
    return all(
        getattr(one, name) == getattr(other, name) for name in ("task", "loops", "examples", "features", "noise")
    )


def loss_chart(
    settings: TrainSettings, history: History, steps: int, known: TrainResult | None = None, hidden: bool = True
) -> Picture:
    """The median squared error of each step's fresh prompts, log axis, with medians to compare it with.

    Args:
        settings: Settings of the run.
        history: columns of its progress; may be empty.
        steps: its budget, where the axis ends.
        known: a run of the same sizes that has been evaluated, for the levels that take time to find.
        hidden: whether the axis has room for the levels beside the two main ones, which a click in the legend shows.
    """
    step = np.asarray(history.get("step", np.zeros(0)))
    chosen = np.unique(np.linspace(0, len(step) - 1, min(len(step), MOST_POINTS)).round().astype(int))
    chosen = chosen if len(step) else np.zeros(0, dtype=int)
    x, start, T, means, medians = (
        np.asarray(history.get(name, np.zeros(0)))[chosen] for name in ("step", "start", "loops", "loss", "median")
    )
    hover = {"customdata": T, "hovertemplate": "%{y:.3g}, T = %{customdata}"}
    found, ends = levels(settings, known), (1, max(steps, 2))
    main = named_levels(settings, found)
    marks = {name: middle(medians) for name, medians in found.items() if hidden or name in main}
    rows = [
        Series(start, "start", scales=False),
        Series(T, "loops", scales=False),
        Series(means, "mean", scales=False),
        Series(medians, "median", "median of the batch", "model", width=3.5, more=hover),
        *(level(value, ends, level_text(name, found[name]), *LEVELS[name], hoverinfo="skip",
                visible=True if name in main else "legendonly")
          for name, value in marks.items()),
    ]  # fmt: skip
    grown = [int(x[place]) for place in np.flatnonzero(np.diff(T, prepend=T[:1]) > 0)] if len(T) else []
    shapes = [upright(at) | {"yref": "y domain", "opacity": 0.6} for at in grown]
    if not len(step):
        alt = f"Empty chart of the loss against {steps} steps, log axis, before training."
    else:
        good = np.isfinite(medians)
        last = medians[good][-1] if good.any() else math.nan
        alt = (
            f"Loss of {int(step[-1])} of {steps} training steps, log axis: the median of ‖w_T − w*‖² in a batch goes "
            f"from {medians[0]:.2e} to {last:.2e}, with T = {int(T[-1])} loops in the last step."
        )
    named = ", ".join(f"{name} {value:.3g}" for name, value in marks.items())
    highest = CAP * middle(found["answering 0"])
    shown = np.clip([*medians, *marks.values()], None, highest)
    return line_chart(
        ("step", x), rows, f"{alt} Medians of ‖w_T − w*‖² to compare with: {named}.",
        {"title": {"text": "step" if settings.loops == 1 else "step (dotted: T grows)"}, "range": [0, ends[1]]},
        log_axis("error of w: median of ‖w<sub>T</sub> − w*‖²", ".3e", shown), highest=highest,
        word="diverges" if medians.size and not medians[-1] < highest else "off the chart", height=430, margin=MARGIN,
        shapes=shapes,
    )  # fmt: skip


def in_gauge(settings: TrainSettings, P: np.ndarray, Q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """P and Q of a layer in the gauge P[d, d] = 1, or Q[d, d] = −1 where w is generated; as they are if that is 0."""
    P, Q, generates = P.astype(float), Q.astype(float), settings.task == "generation"
    corner = -Q[-1, -1] if generates else P[-1, -1]
    if corner == 0:
        return P, Q
    return (P * corner, Q / corner) if generates else (P / corner, Q * corner)


def ideals(settings: TrainSettings, best: gdpp.Best | None) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """P and Q in the same gauge of what is known: the best gradient descent, and the best GD++ if given."""
    d, step = settings.features, best_descent(settings)[0]
    if settings.task == "generation":
        return {"constructed GD": (np.diag([step] * d + [0.0]), np.diag([1.0] * d + [-1.0]))}
    known = {"constructed GD": (np.diag([0.0] * d + [1.0]), np.diag([step] * d + [0.0]))}
    if best is not None:
        known["best GD++"] = (np.diag([best.gamma / best.a] * d + [1.0]), np.diag([best.a] * d + [0.0]))
    return known


def cells(values: np.ndarray, column: int, panel: int, name: str = "") -> dict[str, Any]:
    """The heat map of a P (column 0) or a Q (column 1) in the axes of that number."""
    axes = "" if panel == 1 else panel  # the first have no number in a layout
    return {
        "type": "heatmap", "z": values, "coloraxis": ("coloraxis", "coloraxis2")[column], "xgap": 1, "ygap": 1,
        "xaxis": f"x{axes}", "yaxis": f"y{axes}",
        "hovertemplate": f"{'PQ'[column]}[%{{y}}, %{{x}}] = %{{z:.4g}}<extra>{name}</extra>",
    }  # fmt: skip


def numbers(cells: np.ndarray, most: float) -> list[list[str]]:
    """The entries as short as they are readable."""
    fine = FINE * most
    digits = max(0, math.ceil(-math.log10(fine))) if fine else 0

    def written(value: float) -> str:
        return _short(value if abs(value) >= fine else round(value, digits) + 0.0)

    return [[written(value) for value in row] for row in cells.tolist()]


def _short(value: float) -> str:
    """Two digits without the 0 before the point."""
    if abs(value) >= 999.5:
        return f"{value:.0e}".replace("e+0", "e").replace("-", "−")
    text = (f"{value:.0f}" if abs(value) >= 9.95 else f"{value:.2g}").replace("-", "−")
    return text.replace("0.", ".", 1) if abs(value) < 1 else text


def weights_chart(run: TrainResult, layer: int = 0) -> Picture:
    """P and Q of a layer above the constructed ones and the best GD++, in the gauge that has a fixed corner."""
    settings, d = run.settings, run.settings.features
    fixed = "Q[d, d] = −1" if settings.task == "generation" else "P[d, d] = 1"
    rows = {"trained": in_gauge(settings, run.P[layer], run.Q[layer]), **ideals(settings, run.best)}
    drawn = grid(
        rows=len(rows), cols=2, horizontal_spacing=0.04, vertical_spacing=0.07,
        subplot_titles=tuple(f"{matrix}, {name}" for name in rows for matrix in "PQ"),
    )  # fmt: skip
    for heading in drawn["annotations"]:
        del heading["font"]  # that of the page, which fits into half of a phone
    hidden = {"showticklabels": False, "ticks": "", "showgrid": False, "zeroline": False, "fixedrange": True}
    for axis in drawn:
        if "axis" in axis:
            drawn[axis] |= hidden | ({"autorange": "reversed"} if axis.startswith("y") else {})
    drawn |= {"height": 80 + 160 * len(rows), "margin": NARROW_MARGIN | {"t": 30}}
    data: list[dict[str, Any]] = []
    largest = [max(float(np.abs(pair[column]).max()) for pair in rows.values()) or 1.0 for column in (0, 1)]
    for column, (matrix, most) in enumerate(zip("PQ", largest, strict=True)):
        scale = ("coloraxis", "coloraxis2")[column]
        drawn[scale] = {
            "cmin": -most, "cmax": most, **CELLS,
            "colorbar": {
                "orientation": "h", "thickness": 10, "len": 0.48, "x": 0.52 * column, "xanchor": "left", "y": 0,
                "yanchor": "top", "nticks": 5, "title": {"text": f"entry of {matrix}", "side": "bottom"},
            },
        }  # fmt: skip
        for row, (name, pair) in enumerate(rows.items()):
            trace = cells(pair[column], column, 2 * row + column + 1, name)
            if d < MOST_CELLS:
                trace |= IN_CELL | {"text": numbers(pair[column], most)}
            data.append(trace)
    fits = run.fits()
    others = ", ".join(list(rows)[1:])
    alt = f"Heat maps of P and Q, {d + 1} by {d + 1}, in the gauge {fixed}: trained above {others}."
    if fits:
        fit = fits[layer]
        alt += (
            f" The nearest GD++ has a = {fit.a:.3g}, γ = {fit.gamma:.3g}, {100 * (1 - fit.unexplained_p):.4g} % of P "
            f"and {100 * (1 - fit.unexplained_q):.4g} % of Q."
        )
    i, j = np.indices((d + 1, d + 1)).reshape(2, -1)
    table: dict[str, np.ndarray] = {"row": i, "column": j}
    for name, pair in rows.items():
        table |= {f"P, {name}": pair[0].ravel(), f"Q, {name}": pair[1].ravel()}
    return Picture({"data": data, "layout": drawn}, alt, table)


def sweep_chart(run: TrainResult, kind: str, statistic: str = "median") -> Picture:
    """Squared error of the query as one quantity changes, log axis, which ends where the answer 0 is far better."""
    sweep, settings = run.sweeps[kind], run.settings
    heading, title, scale = SWEEPS[kind]
    row = STATISTICS.index(statistic)
    cap = CAP * float(sweep.series["answering 0"][row].max())
    x = title.split(",")[0].split("<")[0]
    rows = [
        Series(np.where(np.isfinite(values[row]), values[row], np.inf), name, name, role, dash, symbol, width)
        for name, values in sweep.series.items()
        for dash, symbol, width, role in [MARKS[name]]
    ]
    values = np.clip(np.concatenate([curve.values for curve in rows]), 1e-17, cap)
    up = log_axis(STATISTIC_TITLES[statistic], ".3e", values)
    trained_at = {"loops": settings.loops, "examples": settings.examples, "covariance": 1, "scale": 1,
                  "noise": settings.noise}[kind]  # fmt: skip
    here = Series(10 ** np.array(up["range"]), "", "trained here", "mark", "dot", width=1.5, opacity=0.7,
                  more={"hoverinfo": "skip"}).trace(np.full(2, trained_at))  # fmt: skip
    top = 10 ** up["range"][1]
    alt = _describe_sweep(sweep, heading, statistic, trained_at, x, rows, top)
    across: dict[str, Any] = {"title": {"text": title}, "type": scale}
    if scale == "log":
        across |= log_ticks(*np.log10(sweep.x[[0, -1]]))
    return line_chart(
        (x, sweep.x), rows, alt, across, up, lowest=1e-17, highest=top, over=[here],
        height=430, margin=MARGIN,
    )  # fmt: skip


def _describe_sweep(
    sweep: Sweep, heading: str, statistic: str, trained_at: float, axis: str, rows: Sequence[Series], top: float
) -> str:
    table = {row.column: row.values for row in rows}
    here = int(np.argmin(np.abs(sweep.x - trained_at)))
    text = f"{heading}: {statistic} query error over {sweep.prompts:,} prompts, log axis. "
    text += f"Where it was trained ({axis} {sweep.x[here]:g}): "
    text += ", ".join(f"{name} {written(values[here])}" for name, values in table.items()) + ". "
    for place, where in ((0, "At the left end"), (-1, "At the right end")):
        text += f"{where} ({sweep.x[place]:g}): trained {written(table['trained'][place])}, "
        text += f"GD tuned here {written(table['GD tuned here'][place])}. "
    if any((values > top).any() for values in table.values()):
        text += f"Curves leave the chart above {top:.3g}."
    return text.strip()
