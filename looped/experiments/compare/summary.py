"""The numbers and verdicts of a comparison without its arrays: what the page shows and result.json holds."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from looped import theory
from looped.algorithms import ALGORITHMS
from looped.experiments.compare.curves import ERROR_CEILING
from looped.experiments.compare.real_data import REFERENCE, Fit
from looped.experiments.compare.result import Comparison
from looped.fields import SAME, Measured
from looped.settings import TABLES, Settings


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sizes of the run as it was made; a table brings its own."""

    prompts: int
    examples: int
    features: int
    loops: int
    rank: int
    """Numerical rank of X, the smallest over the prompts."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The gap between the transformer and the explicit algorithm, and what was predicted."""

    passed: bool | None
    """None where the two are not meant to agree."""
    gap: float
    relative_gap: float
    tolerance: float
    scale: float
    """The unit of the relative gap."""
    tolerance_formula: str
    tolerance_kappa: float
    why_failed: str | None
    dtype: str
    algorithm: str
    yardstick: str
    prediction: str
    prediction_sentence: str


@dataclass(frozen=True, slots=True)
class Spread:
    """Smallest, middle and largest value over the prompts."""

    min: float
    median: float
    max: float

    @property
    def same(self) -> bool:
        """True where all prompts have the same value, to six digits."""
        return self.max - self.min <= SAME * self.max


@dataclass(frozen=True, slots=True)
class Bands:
    """10 %, 50 % and 90 % of a value over the prompts."""

    p10: float
    median: float
    p90: float


@dataclass(frozen=True, slots=True)
class Floor(Bands):
    """Distance of w_ref to the task, and the loop that comes nearest to the task."""

    best_loop: int
    best_error: float

    @property
    def undercut(self) -> bool:
        """True where a loop comes nearer to the task than w_ref does, in the digits that are shown."""
        return self.best_error < self.median and f"{self.best_error:.3g}" != f"{self.median:.3g}"


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The relative error at which curves are cut."""

    value: float
    reached_at_loop: int | None


@dataclass(frozen=True, slots=True)
class HeldOutScores:
    """R² on held-out rows."""

    folds: int
    r2_looped: float
    r2_linear_regression: float


@dataclass(frozen=True, slots=True)
class WhyNot:
    """The reason that there is no prediction of held-out rows."""

    why_not: str


@dataclass(frozen=True, slots=True)
class TableSummary:
    """The report of a run on its table."""

    name: str
    sha256_16: str | None
    target: str
    reading: str | None
    preparation: str
    coefficients: dict[str, list[object]]
    reference: str
    numerical_rank: int
    fit: dict[str, Fit]
    distance: float
    sentences: list[str]
    held_out: HeldOutScores | WhyNot


@dataclass(frozen=True, slots=True)
class Summary:
    """A comparison in numbers and sentences."""

    sizes: Sizes
    verdict: Verdict
    condition_number: Spread
    """κ of XᵀX/n as measured."""
    step_size: Spread
    """η, or a of GD++."""
    parameters: Mapping[str, float | None]
    """Parameters of every algorithm; None for those that this one has not."""
    error_after_T: Bands  # noqa: N815
    closed_form_after_T: Bands | None  # noqa: N815
    gd_error_after_T: Bands | None  # noqa: N815
    rounding_floor: Bands | None
    least_squares_floor: Floor | None
    error_ceiling: Ceiling
    iterates_held_from_loop: int | None
    bounds: dict[str, float | None]
    """Each bound after the last loop; None where it does not apply."""
    bounds_not_drawn: list[str]
    table: TableSummary | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as result.json holds them; without a table there is no word of one."""
        plain = asdict(self)
        return plain if self.table is not None else {name: plain[name] for name in plain if name != "table"}

    def measured(self) -> dict[str, Measured]:
        """What the run had of settings that its data decide: n, d and κ."""
        sizes, kappa = self.sizes, self.condition_number
        return {
            "examples": Measured(sizes.examples),
            "features": Measured(sizes.features),
            "condition_number": Measured.over(sizes.prompts, kappa.min, kappa.median, kappa.max),
        }

    def limit(self, settings: Settings) -> str:
        """The name of w_ref in this run.

        Args:
            settings: Settings of the run.
        """
        determined = settings.data not in TABLES and settings.noise == 0 and self.sizes.rank == self.sizes.features
        return ALGORITHMS[settings.algorithm].limit_in(determined)


def summarise(result: Comparison) -> Summary:
    """The numbers and verdicts of a comparison."""
    B, n, d = result.prompts.shape
    algorithm, prediction = result.algorithm, result.prediction
    closed = result.closed_form
    parameters: dict[str, float | None] = {name: None for other in ALGORITHMS.values() for name, _ in other.symbols}
    return Summary(
        sizes=Sizes(B, n, d, result.settings.loops, result.rank),
        verdict=Verdict(
            passed=result.passed,
            gap=result.gap,
            relative_gap=result.relative_gap,
            tolerance=result.tolerance,
            scale=result.scale,
            tolerance_formula=algorithm.tolerance_formula,
            tolerance_kappa=algorithm.condition_number,
            why_failed=result.why_failed,
            dtype=result.settings.dtype,
            algorithm=algorithm.name,
            yardstick=f"explicit {algorithm.twin} on {result.yardstick}",
            prediction=prediction.kind,
            prediction_sentence=prediction.sentence,
        ),
        condition_number=_spread(result.prompts.spectrum.condition_number.numpy()),
        step_size=_spread(result.step_size),
        parameters=parameters | algorithm.parameters,
        error_after_T=_bands(result.errors[-1]),
        closed_form_after_T=None if closed is None else _bands(np.minimum(closed[-1], ERROR_CEILING)),
        gd_error_after_T=None if result.gd_errors is None else _bands(result.gd_errors[-1]),
        rounding_floor=None if result.rounding_floor is None else _bands(result.rounding_floor),
        least_squares_floor=_floor(result),
        error_ceiling=Ceiling(ERROR_CEILING, result.ceiling_from),
        iterates_held_from_loop=result.held_from,
        bounds={bound.key: None if bound.values is None else float(bound.values[-1]) for bound in result.bounds},
        bounds_not_drawn=theory.missing_bounds(result.bounds),
        table=_table(result),
    )


def _spread(values: np.ndarray) -> Spread:
    return Spread(float(values.min()), float(np.median(values)), float(values.max()))


def _bands(values: np.ndarray) -> Bands:
    return Bands(*map(float, np.quantile(values, [0.1, 0.5, 0.9])))


def _floor(result: Comparison) -> Floor | None:
    if result.floor is None or result.best_loop is None:
        return None
    p10, median, p90 = map(float, np.quantile(result.floor, [0.1, 0.5, 0.9]))
    return Floor(p10, median, p90, *result.best_loop)


def _table(result: Comparison) -> TableSummary | None:
    if result.table is None or result.report is None:
        return None
    table, report, found = result.table, result.report, result.report.coefficients
    scores: HeldOutScores | WhyNot = WhyNot(report.why_not)
    if (held_out := report.held_out) is not None:
        scores = HeldOutScores(held_out.folds, held_out.r2_looped, held_out.r2_reference)
    return TableSummary(
        name=table.name,
        sha256_16=table.digest or None,
        target=table.target,
        reading=table.reading or None,
        preparation="features standardised to mean 0 and variance 1, target centred",
        coefficients=found.table,
        reference=REFERENCE.format(found.tolerance),
        numerical_rank=found.rank,
        fit=found.fits,
        distance=found.distance,
        sentences=list(report.sentences),
        held_out=scores,
    )
