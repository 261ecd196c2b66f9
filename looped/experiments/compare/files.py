"""Files of the first page's result: the transformer next to explicit gradient descent."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from functools import cached_property
from typing import Any

import numpy as np

from looped import theory
from looped.algorithms import ALGORITHMS
from looped.chart import Picture
from looped.experiments.compare import inside, modes
from looped.experiments.compare.real_data import REFERENCE
from looped.experiments.compare.result import ERROR_CEILING, Comparison
from looped.export.files import Export, bands, script
from looped.settings import Settings

CLOSE = 1e-3
"""Error at which the chart of the modes marks each of them."""


class ComparisonExport(Export):
    """What `compare` found."""

    title = "The loop is the step"

    def __init__(self, result: Comparison) -> None:
        self.result = result

    @property
    def settings(self) -> Settings:
        """As asked."""
        return self.result.settings

    @cached_property
    def results(self) -> dict[str, Any]:
        """Sizes, verdict, measured κ, errors and bounds."""
        result = self.result
        B, n, d = result.prompts.shape
        kappa = result.prompts.spectrum.condition_number.numpy()
        closed = result.closed_form
        out: dict[str, Any] = {
            "sizes": {"prompts": B, "examples": n, "features": d, "loops": result.settings.loops, "rank": result.rank},
            "verdict": {
                "passed": result.passed,
                "gap": result.gap,
                "relative_gap": result.relative_gap,
                "tolerance": result.tolerance,
                "scale": result.scale,
                "tolerance_formula": result.algorithm.tolerance_formula,
                "tolerance_kappa": result.algorithm.condition_number,
                "why_failed": result.why_failed,
                "dtype": result.settings.dtype,
                "algorithm": result.settings.algorithm,
                "yardstick": f"explicit {result.algorithm.twin} on {result.yardstick}",
                "prediction": result.prediction.kind,
                "prediction_sentence": result.prediction.sentence,
            },
            "condition_number": {
                "min": float(kappa.min()),
                "median": float(np.median(kappa)),
                "max": float(kappa.max()),
            },
            "step_size": {"min": float(result.step_size.min()), "max": float(result.step_size.max())},
            "parameters": {name: None for other in ALGORITHMS.values() for name, _ in other.symbols}
            | result.algorithm.parameters,
            "error_after_T": bands(result.errors[-1]),
            "closed_form_after_T": None if closed is None else bands(np.minimum(closed[-1], ERROR_CEILING)),
            "gd_error_after_T": None if result.gd_errors is None else bands(result.gd_errors[-1]),
            "rounding_floor": None if result.rounding_floor is None else bands(result.rounding_floor),
            "least_squares_floor": self._least_squares_floor,
            "error_ceiling": {"value": ERROR_CEILING, "reached_at_loop": result.ceiling_from},
            "iterates_held_from_loop": result.held_from,
            "bounds": {b.key: None if b.values is None else float(b.values[-1]) for b in result.bounds},
            "bounds_not_drawn": theory.missing_bounds(result.bounds),
        }
        if result.table is not None and result.report is not None:
            report = result.report
            out["table"] = {
                "name": result.table.name,
                "sha256_16": result.table.digest or None,
                "target": result.table.target,
                "reading": result.table.reading or None,
                "preparation": "features standardised to mean 0 and variance 1, target centred",
                "coefficients": report.coefficients.table,
                "reference": REFERENCE.format(report.coefficients.tolerance),
                "numerical_rank": report.coefficients.rank,
                "fit": {name: asdict(fit) for name, fit in report.coefficients.fits.items()},
                "distance": report.coefficients.distance,
                "sentences": list(report.sentences),
                "held_out": {"why_not": report.why_not}
                if report.held_out is None
                else {
                    "folds": report.held_out.folds,
                    "r2_looped": report.held_out.r2_looped,
                    "r2_linear_regression": report.held_out.r2_reference,
                },
            }
        return out

    @property
    def _least_squares_floor(self) -> dict[str, float] | None:
        """Distance of least squares to the task, and the loop that comes nearest to the task."""
        if self.result.floor is None or self.result.best_loop is None:
            return None
        loop, error = self.result.best_loop
        return {**bands(self.result.floor), "best_loop": loop, "best_error": error}

    def curves(self) -> tuple[tuple[str, ...], Iterable[tuple[Any, ...]]]:
        """Every curve at every loop, cut at the error ceiling as in the chart."""
        rows = (
            (series, loop, value)
            for series, values in self.result.curves.items()
            for loop, value in enumerate(values.tolist())
        )
        return ("series", "loop", "value"), rows

    def arrays(self) -> dict[str, np.ndarray]:
        """What the transformer read and did, in the run's dtype.

        X (B, n, d), y (B, n) with noise and not scaled by α, w_star (B, d) (NaN where unknown), step_size η (B,), P and
        Q (D, D), or (2, D, D) for two heads, without η, Z0 (B, D, n+1) with tokens as columns, looped and explicit
        (T+1, B, d). GD++ has d queries, Z0 (B, D, n+d).

        M and R, (n+1,) or (n+d,), are the diagonals of the masks: 1 for a token that is read, and 1 for one that is
        written. Where the layer has them, its token-wise maps A (skip, else I) and K (decay, else 0), (D, D). Where
        softmax is 1, not 0, every column of scores passes through a softmax over the examples and is multiplied by n.
        One loop on the tokens of prompt b is

            Z ← Z + ((A − I) Z − η_b K Z − (η_b/n) Σ_heads P Z M (Zᵀ Q Z)) R

        and the iterate is `read` times the columns where M is 0: (d, D) times one column, or (1, D) times d. That is
        `looped` before the first and after every loop, to rounding; from the loop on at which a diverging iterate is
        held, `looped` repeats the one before.
        """
        result = self.result
        prompts, weights = result.prompts, result.weights
        maps = {"A": weights.skip, "K": weights.decay}
        n = prompts.shape[1]
        unknown = np.full((prompts.shape[0], prompts.shape[2]), np.nan, dtype=result.settings.dtype)
        queries = np.arange(n + weights.queries) >= n
        identity = np.eye(weights.width, dtype=result.settings.dtype)
        return {
            "X": prompts.X.numpy(),
            "y": prompts.y.numpy(),
            "w_star": unknown if prompts.w_star is None else prompts.w_star.numpy(),
            "step_size": result.step_size,
            "P": weights.P.numpy(),
            "Q": weights.Q.numpy(),
            "Z0": weights.embed(prompts, result.settings.label_scale).numpy(),
            "looped": result.looped,
            "explicit": result.explicit,
            **{name: matrix.numpy() for name, matrix in maps.items() if matrix is not None},
            "M": (~queries).astype(result.settings.dtype),
            "R": (queries | (weights.writes == "all")).astype(result.settings.dtype),
            "softmax": np.array(result.algorithm.softmax, dtype=result.settings.dtype),
            "read": -identity[[weights.y]] if weights.predicts else identity[weights.w],
        }

    def pictures(self) -> Mapping[str, Picture]:
        """The error chart, the first prompt from close by where these views know the algorithm, and predictions."""
        from looped.experiments.compare.charts import error_chart, prediction_chart
        from looped.experiments.compare.inside_charts import player
        from looped.experiments.compare.mode_charts import mode_chart, rate_chart

        pictures = {"Error after each loop": error_chart(self.result)}
        if self.result.algorithm.steady:
            by_mode = modes.split(self.result)
            pictures["Error of each mode"] = mode_chart(by_mode, CLOSE, self.result.settings.dtype)
            pictures["What one loop leaves, by step size"] = rate_chart(by_mode)
            pictures["Inside the loop"] = player(inside.record(self.result))
        if self.result.report is not None and self.result.report.held_out is not None:
            pictures["Predictions on held-out rows"] = prediction_chart(self.result.report.held_out)
        return pictures

    def script(self) -> str:
        """Settings written out, and a table inside the script."""
        table = self.result.table
        if table is None:
            return script("compare(settings)", self.settings, ("compare",))
        packed = (
            f"table = Table.unpack(\n    {table.name!r},\n    {table.digest!r},\n    {table.target!r},\n"
            f"    {table.columns!r},\n    {table.pack()!r},\n    {table.reading!r},\n)"
        )
        return script("compare(settings, table)", self.settings, ("Table", "compare"), packed)
