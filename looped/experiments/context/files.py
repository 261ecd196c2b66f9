"""The second page's result as files."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from looped import theory
from looped.chart import Picture
from looped.experiments.context import ContextResult, sweep
from looped.experiments.context.result import RULED_BY_FEW
from looped.experiments.context.stored import stored
from looped.export.files import Export, script
from looped.files import finite


class ContextExport(Export[ContextResult]):
    """Files of a sweep over n/d."""

    title = "How many examples do T loops need?"

    @property
    def results(self) -> dict[str, Any]:
        """The need for examples, κ, the bound, means dominated by few prompts, and the origin of a stored result."""
        result, settings = self.result, self.result.settings
        T, target = settings.shown, settings.target_error
        out: dict[str, Any] = {
            "sizes": {"n": result.n.tolist(), "d": settings.features, "T_max": settings.loops, "B": settings.prompts},
            "needed_ratio_at_T": {
                "T": T,
                "target_error": target,
                "construction_median": finite(result.needed_ratio(target)[T]),
                "construction_9_of_10": finite(result.needed_ratio(target, 2)[T]),
                "log10_n_exponential_requirement": theory.exponential_requirement(T, settings.features),
            },
            "condition_number_median": result.median_kappa.tolist(),
            "marchenko_pastur": [finite(kappa) for kappa in result.marchenko_pastur],
            "largest_error_of_bound": result.largest_of_bound,
            "diverging_prompts": {
                str(n): int(count) for n, count in zip(result.n, result.diverging, strict=True) if count
            },
            "mean_ruled_by_few": {
                "at_n": sorted(result.n[result.ruled_by_few(T)].tolist()),
                "mean_over_median_above": RULED_BY_FEW,
            },
        }
        if result.error is None:
            out["stored"] = {name: value for name, value in stored()[1].items() if name != "settings"}
        if (grid := result.learned) is not None:
            needed = result.learned_needed_ratio(target)
            out["learned"] = {
                "needed_ratio_median": {str(k): finite(r) for k, r in zip(grid.loops, needed, strict=True)},
                "mean_diagonal_of_A": grid.step.tolist(),
                "antisymmetric_share_of_A": grid.antisymmetric.tolist(),
                "n": grid.n.tolist(),
                "T": grid.loops.tolist(),
            }
        return out

    def curves(self) -> tuple[tuple[str, ...], Iterable[tuple[Any, ...]]]:
        """Tidy: picture, series, and the place on its horizontal axis."""
        return ("picture", "series", "axis", "at", "value"), self._rows()

    def _rows(self) -> Iterable[tuple[Any, ...]]:
        for heading, picture in self.pictures().items():
            axis, *series = picture.table
            for name in series:
                for at, value in zip(picture.table[axis].tolist(), picture.table[name].tolist(), strict=True):
                    yield heading, name, axis, at, value

    def arrays(self) -> dict[str, np.ndarray]:
        """ratio (R,), n (R,), error ‖w_t − w_ref‖/‖w_ref‖ (R, T+1, B), kappa, floor, eta_lambda_1 (R, B).

        With trained A also learned_n (N,), learned_T (L,), learned_error ‖w_T − w*‖/‖w*‖ (N, L, B) and learned_A
        (N, L, d, d). The distance to w* is √(error²(1 − floor²) + floor²).
        """
        result, error = self.result, self.result.error
        if error is None:  # a stored result
            error = sweep(result.settings.replace(learned=False)).error
        assert error is not None
        arrays = {
            "ratio": result.ratio,
            "n": result.n,
            "error": error,
            "kappa": result.kappa,
            "floor": result.floor,
            "eta_lambda_1": result.growth,
        }
        if (grid := result.learned) is not None:
            arrays |= {"learned_n": grid.n, "learned_T": grid.loops}
            arrays |= {"learned_error": grid.error, "learned_A": grid.A}
        return arrays

    def pictures(self) -> Mapping[str, Picture]:
        """All charts of the page."""
        from looped.experiments.context import charts

        return charts.pictures(self.result)

    def script(self) -> str:
        """Settings written out."""
        return script("context(settings)", self.result.settings, "context")
