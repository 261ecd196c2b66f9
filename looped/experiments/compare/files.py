"""Files of the first page's result: the transformer next to explicit gradient descent."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

import numpy as np

from looped.chart import Picture
from looped.experiments.compare import inside, modes
from looped.experiments.compare.result import Comparison
from looped.experiments.compare.summary import summarise
from looped.export.files import Export, script

CLOSE = 1e-3
"""Error at which the chart of the modes marks each of them."""


class ComparisonExport(Export[Comparison]):
    """The files of a comparison."""

    title = "The loop is the step"

    @cached_property
    def results(self) -> dict[str, Any]:
        """Sizes, verdict, measured κ, errors and bounds."""
        return summarise(self.result).to_dict()

    def curves(self) -> tuple[tuple[str, ...], Iterable[tuple[Any, ...]]]:
        """Every curve at every loop, cut off at the error ceiling as in the chart."""
        rows = (
            (series, loop, value)
            for series, values in self.result.curves.items()
            for loop, value in enumerate(values.tolist())
        )
        return ("series", "loop", "value"), rows

    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays that the transformer read and produced, in the run's dtype.

        X (B, n, d), y (B, n) with noise and not scaled by α, w_star (B, d) (NaN where unknown), step_size η (B,), P and
        Q (D, D), or (2, D, D) for two heads, without η, Z0 (B, D, n+1) with tokens as columns, looped and explicit
        (T+1, B, d). GD++ and EAGLE have d queries, Z0 (B, D, n+d).

        M and R, (n+1,) or (n+d,), are the diagonals of the masks 𝓜 and 𝓡: 1 for a token that is read, and 1 for one
        that is written. Where the layer has them, its token-wise maps A (𝓐, skip, else I) and K (𝓚, decay, else 0),
        (D, D). Where softmax is 1, not 0, every column of scores passes through a softmax over the examples and is
        multiplied by n.
        One loop on the tokens of prompt b is

            Z ← Z + ((𝓐 − I) Z − η_b 𝓚 Z − (η_b/n) Σ_heads P Z 𝓜 (Zᵀ Q Z)) 𝓡

        With `contraction` c, of EAGLE alone, the scale is read in every loop: η_b is replaced by c/h₁ in the columns of
        examples and by η_bλ₁/h₁ in those of queries, h₁ the largest eigenvalue of XᵀX/n for the X of the tokens as they
        are, λ₁ its first value.

        The iterate is `read` times the columns where 𝓜 is 0: (d, D) times one column, or (1, D) times d. That is
        `looped` before the first and after every loop, to rounding; from the loop on at which a diverging iterate is
        held, `looped` repeats the one before.
        """
        result = self.result
        prompts, weights = result.prompts, result.weights
        maps = {"A": weights.skip, "K": weights.decay}
        rescaled = {} if weights.contraction is None else {"contraction": np.array(weights.contraction)}
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
            **rescaled,
            "M": (~queries).astype(result.settings.dtype),
            "R": (queries | (weights.writes == "all")).astype(result.settings.dtype),
            "softmax": np.array(result.algorithm.softmax, dtype=result.settings.dtype),
            "read": -identity[[weights.y]] if weights.predicts else identity[weights.w],
        }

    def pictures(self) -> Mapping[str, Picture]:
        """The error chart, the first prompt in detail where these views support the algorithm, and predictions."""
        from looped.experiments.compare.charts import error_chart, prediction_chart
        from looped.experiments.compare.inside_charts import player
        from looped.experiments.compare.mode_charts import mode_chart, rate_chart

        pictures = {"Error after each loop": error_chart(self.result)}
        if self.result.algorithm.steady:
            by_mode = modes.split(self.result)
            pictures["Error of each mode"] = mode_chart(by_mode, CLOSE, self.result.settings.dtype)
            pictures["What one loop leaves, by step size"] = rate_chart(by_mode)
        if self.result.algorithm.one_query:
            pictures["Inside the loop"] = player(inside.record(self.result))
        if self.result.report is not None and self.result.report.held_out is not None:
            pictures["Predictions on held-out rows"] = prediction_chart(self.result.report.held_out)
        return pictures

    def script(self) -> str:
        """The settings, and the table as part of the script."""
        table = self.result.table
        if table is None:
            return script("compare(settings)", self.result.settings, "compare")
        packed = (
            f"table = Table.unpack(\n    {table.name!r},\n    {table.digest!r},\n    {table.target!r},\n"
            f"    {table.columns!r},\n    {table.pack()!r},\n    {table.reading!r},\n)"
        )
        return script("compare(settings, table)", self.result.settings, "Table", "compare", before=packed)
