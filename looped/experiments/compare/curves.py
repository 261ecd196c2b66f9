"""The curves of a comparison, one row each: the number, its names in files, table and legend, its look and its text."""

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from looped.chart import Series

if TYPE_CHECKING:
    from looped.experiments.compare.result import Comparison

ERROR_CEILING = 1e6
"""Relative error at which curves of a diverging run are cut; the arrays go on."""


def curves_of(result: "Comparison") -> list[Series]:
    """Every curve, (T+1,), in the order of curves.csv, of the legend and of the columns of the table."""
    algorithm, dtype, T = result.algorithm, result.settings.dtype, result.settings.loops
    who = algorithm.loop_name if result.passed is None else "The looped transformer"
    rows = [
        *_over_prompts(
            "looped", result.errors, legend=algorithm.loop_name, column=algorithm.loop_name.lower(), role="model",
            width=6, opacity=0.7, spread="looped", text=f"{who} goes from 1 at loop 0 to {{:.2e}} at loop {T}.",
        ),
        *_over_prompts(
            "explicit", result.explicit_errors, legend=f"Explicit {algorithm.twin}", role="counterpart",
            column=f"explicit {algorithm.short()}", dash="dash", symbol="circle-open", scales=algorithm.softmax,
            text=_gap(result),
        ),
        *_over_prompts(
            "closed_form", result.closed_form, legend=f"Closed form {algorithm.curve}", column="closed form",
            role="reference", dash="dot", symbol="x-thin-open", width=1, scales=False,
            text="The closed form ends at {:.2e}.",
        ),
        *_over_prompts(
            "gd", result.gd_errors, legend="Plain gradient descent, η = 2/(λ₁+λ<sub>d</sub>)", column="plain GD",
            role="descent", dash="longdash", symbol="cross-open", scales=False,
            text="Plain gradient descent with the step 2/(λ₁+λ_d) ends at {:.2e}.",
        ),
        *_over_prompts(
            "task", result.task_errors, legend="Distance to αw*", column="distance to αw*", role="task", dash="dashdot",
            symbol="diamond-open", text="The distance to the true task αw* ends at {:.2e};",
        ),
    ]  # fmt: skip
    if result.floor is not None:
        rows.append(
            Series(
                key="floor_median", values=np.full(T + 1, np.median(result.floor)), column="least squares to αw*",
                legend=f"{algorithm.limit_curve} to αw*", role="floor", dash="longdashdot", width=1.5, scales=False,
                text="that of the limit w_ref is {:.2e}.",
            )
        )  # fmt: skip
    if result.rounding_floor is not None:
        rows.append(
            Series(
                key="rounding_floor", values=np.full(T + 1, np.median(result.rounding_floor)), column="rounding floor",
                legend=f"Rounding floor, {dtype} (estimate)", role="floor", dash="dot", width=2.5, scales=False,
                if_seen=True, text=f"In {dtype} rounding is estimated to rule below {{:.1e}}.",
            )
        )  # fmt: skip
    for place, bound in enumerate(result.bounds):
        if bound.values is not None:
            rows.append(
                Series(
                    key=bound.key, values=bound.values.numpy(), column=f"bound {bound.label}", role="bound", width=1.5,
                    legend="Bound " + re.sub(r"\^\((.*)\)$", r"<sup>\1</sup>", bound.label),  # the exponent raised
                    dash="longdashdot" if place else "longdash", scales=False,
                    symbol="square-open" if place else "triangle-up-open",
                    text=f"The bound {bound.label} ends at {{:.2e}}.",
                )
            )  # fmt: skip
    return rows


def _over_prompts(
    key: str, values: np.ndarray | None, *, spread: str = "", scales: bool = True, **said: Any
) -> list[Series]:
    """Median and 10–90 % over the prompts of errors (T+1, B), cut at the ceiling; nothing for None.

    Args:
        key: what the names in files begin with.
        values: the errors.
        spread: what the headings of the two quantiles begin with; empty for none.
        scales: as for `Series`.
        **said: whatever else is said of the median.
    """
    if values is None:
        return []
    p10, median, p90 = np.quantile(np.minimum(values, ERROR_CEILING), [0.1, 0.5, 0.9], axis=1)
    headings = (f"{spread}, 10 %", f"{spread}, 90 %") if spread else ("", "")
    return [
        Series(key=f"{key}_median", values=median, scales=scales, **said),
        *(Series(key=f"{key}_{name}", values=quantile, scales=bool(spread), column=heading)
          for name, quantile, heading in zip(("p10", "p90"), (p10, p90), headings, strict=True)),
    ]  # fmt: skip


def _gap(result: "Comparison") -> str:
    algorithm = result.algorithm
    text = (
        f"The largest difference to the iterates of explicit {algorithm.twin} is {result.gap:.1e}, "
        f"{result.relative_gap:.1e} of the largest iterate"
    )
    if result.passed is None:
        return f"{text}: {algorithm.loop_name.lower()} does something else. Gradient descent ends at {{:.2e}}."
    return f"{text}, {'within' if result.passed else 'beyond'} the tolerance {result.tolerance:.1e}."
