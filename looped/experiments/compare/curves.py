"""The curves of a comparison, one row each: the number, its names in files, table and legend, its look and its text."""

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from looped.chart import Series

if TYPE_CHECKING:
    from looped.experiments.compare.result import Comparison

ERROR_CEILING = 1e6
"""Relative error at which curves of a diverging run are cut off; the arrays are not cut."""


def curves_of(result: "Comparison") -> list[Series]:
    """Every curve, (T+1,), in the order of curves.csv, of the legend and of the columns of the table."""
    algorithm, dtype, T = result.algorithm, result.settings.dtype, result.settings.loops
    who = algorithm.loop_name if result.passed is None else "The looped transformer"
    rows = [
        *_over_prompts("looped", result.errors, algorithm.loop_name.lower(), algorithm.loop_name, "model", width=6,
                       opacity=0.7, text=f"{who} goes from 1 at loop 0 to {{:.2e}} at loop {T}.", spread="looped"),
        *_over_prompts("explicit", result.explicit_errors, f"explicit {algorithm.short()}",
                       f"Explicit {algorithm.twin}", "counterpart", "dash", "circle-open", text=_gap(result),
                       scales=algorithm.softmax),
        *_over_prompts("closed_form", result.closed_form, "closed form", f"Closed form {algorithm.curve}", "reference",
                       "dot", "x-thin-open", 1, text="The closed form ends at {:.2e}.", scales=False),
        *_over_prompts("gd", result.gd_errors, "plain GD", "Plain gradient descent, η = 2/(λ₁+λ<sub>d</sub>)",
                       "descent", "longdash", "cross-open", scales=False,
                       text="Plain gradient descent with the step 2/(λ₁+λ_d) ends at {:.2e}."),
        *_over_prompts("task", result.task_errors, "distance to αw*", "Distance to αw*", "task", "dashdot",
                       "diamond-open", text="The distance to the true task αw* ends at {:.2e}."),
        *_at_every_loop(T, "floor_median", result.floor, "least squares to αw*", f"{algorithm.limit_curve} to αw*",
                        "floor", "longdashdot", width=1.5, text="The distance from the limit w_ref to αw* is {:.2e}."),
        *_at_every_loop(T, "rounding_floor", result.rounding_floor, "rounding floor",
                        f"Rounding floor, {dtype} (estimate)", "floor", "dot", width=2.5, if_seen=True,
                        text=f"In {dtype} rounding is estimated to dominate below {{:.1e}}."),
    ]  # fmt: skip
    for bound, dash, symbol in zip(
        result.bounds, ("longdash", *["longdashdot"] * 2), ("triangle-up-open", *["square-open"] * 2), strict=True
    ):
        if bound.values is not None:
            legend = "Bound " + re.sub(r"\^\((.*)\)$", r"<sup>\1</sup>", bound.label)  # the exponent raised
            rows.append(
                Series(bound.values.numpy(), f"bound {bound.label}", legend, "bound", dash, symbol, 1.5, key=bound.key,
                       text=f"The bound {bound.label} ends at {{:.2e}}.", scales=False)
            )  # fmt: skip
    return rows


def _over_prompts(key: str, errors: np.ndarray | None, *look: Any, spread: str = "", **said: Any) -> list[Series]:
    """Median and 10–90 % over the prompts of errors (T+1, B), cut at the ceiling; nothing for None.

    Args:
        key: what the names in files begin with.
        errors: the errors, or None.
        *look: heading, name, role and look of the median.
        spread: what the headings of the two quantiles begin with; empty where they are in the files alone.
        **said: whatever else is said of the median.
    """
    if errors is None:
        return []
    p10, median, p90 = np.quantile(np.minimum(errors, ERROR_CEILING), [0.1, 0.5, 0.9], axis=1)
    low, high = (f"{spread}, {share} %" if spread else "" for share in (10, 90))
    return [
        Series(median, *look, key=f"{key}_median", **said),
        Series(p10, low, key=f"{key}_p10", scales=bool(spread)),
        Series(p90, high, key=f"{key}_p90", scales=bool(spread)),
    ]


def _at_every_loop(T: int, key: str, values: np.ndarray | None, *look: Any, **said: Any) -> list[Series]:
    """The median over the prompts of values (B,), the same at every loop; nothing for None."""
    if values is None:
        return []
    return [Series(np.full(T + 1, np.median(values)), *look, key=key, scales=False, **said)]


def _gap(result: "Comparison") -> str:
    algorithm = result.algorithm
    text = (
        f"The largest difference to the iterates of explicit {algorithm.twin} is {result.gap:.1e}, "
        f"{result.relative_gap:.1e} of the largest explicit iterate"
    )
    if result.passed is None:
        return f"{text}: {algorithm.loop_name.lower()} does something else. Gradient descent ends at {{:.2e}}."
    return f"{text}, {'within' if result.passed else 'beyond'} the tolerance {result.tolerance:.1e}."
