"""The looped transformer on a real table, beside scikit-learn's `LinearRegression`."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from looped import prompts
from looped.algorithms import ALGORITHMS
from looped.algorithms.base import Algorithm
from looped.algorithms.run import looped_iterates
from looped.cost import FOLDS
from looped.fields import SettingsError
from looped.settings import FIELDS, Settings
from looped.tables import Table

REFERENCE = (
    "scikit-learn's LinearRegression on the standardised columns, tol = {:.1e}, mapped back to the units of the table"
)
"""What the reference is; tol is the size, beside the largest, below which a singular value is rounding."""


@dataclass(frozen=True, slots=True)
class Fit:
    """The fit of weights to the examples, computed in float64."""

    residual: float
    """Root mean square of y − ŷ, in the unit of the target."""
    normal_equations: float
    """max_j |⟨x_j, y − ŷ⟩|/(‖x_j‖‖y‖), x_j standardised, y centred, so without unit: 0 at least squares."""
    r2: float
    """1 − Σ(y − ŷ)²/Σ(y − ȳ)² over the examples themselves."""


@dataclass(frozen=True, slots=True)
class Coefficients:
    """Weights in the units of the table: the prediction is intercept + Σ coefficient · column."""

    columns: tuple[str, ...]
    looped: np.ndarray
    """Coefficients after T loops, (d,)."""
    reference: np.ndarray
    """scikit-learn's on the standardised columns, (d,)."""
    looped_intercept: float
    reference_intercept: float
    fits: dict[str, Fit]
    """Fits of the loop, of the reference, and of plain LinearRegression on the raw columns."""
    tolerance: float
    """Singular values of the standardised columns below this share of the largest count as 0 in the reference."""
    distance: float
    """‖w_T/α − w‖/‖w‖ for the standardised columns, w of the reference; over the target's spread where w is 0."""
    raw_rank: int
    """Number of directions that LinearRegression keeps on the raw columns; it drops those below 1e-6 of the largest."""
    rank: int
    """Number of directions that the reference keeps."""

    @property
    def table(self) -> dict[str, list[object]]:
        """One row per column, the intercept last."""
        looped, reference = [*self.looped, self.looped_intercept], [*self.reference, self.reference_intercept]
        return {
            "column": [*self.columns, "(intercept)"],
            "looped transformer": list(map(float, looped)),
            "LinearRegression": list(map(float, reference)),
            "difference": [float(a - b) for a, b in zip(looped, reference, strict=True)],
        }


@dataclass(frozen=True)
class HeldOut:
    """Every row predicted once, from a prompt made of the other folds."""

    target: str
    y: np.ndarray
    """(n,), original units."""
    looped: np.ndarray
    """ŷ of the looped transformer after T loops, (n,)."""
    reference: np.ndarray
    """ŷ of LinearRegression on the standardised columns of the same folds, (n,)."""
    folds: int

    @cached_property
    def r2_looped(self) -> float:
        """1 − Σ(y − ŷ)²/Σ(y − ȳ)² over all held-out rows."""
        return _r2(self.y, self.looped)

    @cached_property
    def r2_reference(self) -> float:
        """The same for LinearRegression."""
        return _r2(self.y, self.reference)


def _r2(y: np.ndarray, predicted: np.ndarray) -> float:
    from sklearn.metrics import r2_score  # each import of scikit-learn stands where there is a table: 1.3 s

    return float(r2_score(y, predicted))


@dataclass(frozen=True, slots=True)
class Report:
    """The report of a run on its table."""

    coefficients: Coefficients
    held_out: HeldOut | None
    """None if some fold has no prediction."""
    why_not: str = ""
    """Why there is no held-out prediction, as a sentence."""
    sentences: tuple[str, ...] = ()
    """Which of the two fits better, what their difference is, and where scikit-learn on the raw columns goes wrong."""


def report(algorithm: Algorithm, table: Table, w: np.ndarray) -> Report:
    """Coefficients from the last iterate, and the prediction of held-out rows where there is one.

    Args:
        algorithm: The algorithm as it was run.
        table: The table that was run.
        w: The last iterate, (d,).
    """
    settings = algorithm.settings
    found = coefficients(settings, table, w)
    sentences = (
        better(found, table),
        what_differs(algorithm, found),
        *([truncates(found)] if found.raw_rank < found.rank else []),
    )
    try:
        return Report(found, held_out(settings, table), sentences=sentences)
    except SettingsError as error:
        return Report(found, None, str(error), sentences)


def least_squares(table: Table) -> tuple[np.ndarray, float, int]:
    """LinearRegression on the standardised columns: weights (d,), the tolerance of its rank, and the rank.

    scikit-learn's default, 1e-6, would drop directions that the numbers of the table determine.
    """
    from sklearn.linear_model import LinearRegression

    X, y = table.standardised()
    tolerance = max(max(X.shape) * float(np.finfo(X.dtype).eps), table.rounding / float(np.linalg.norm(X, 2)))
    fitted = LinearRegression(tol=tolerance).fit(X, y)
    return fitted.coef_, tolerance, int(fitted.rank_)


def coefficients(settings: Settings, table: Table, w: np.ndarray) -> Coefficients:
    """The iterate after the last loop, w_T/α (d,) in original units, beside LinearRegression, and how well both fit."""
    from sklearn.linear_model import LinearRegression

    w = w.astype(np.float64) / settings.label_scale
    reference, tolerance, rank = least_squares(table)
    raw = LinearRegression().fit(table.X, table.y)
    fits = {
        "looped transformer": fit(table, table.predict(table.X, w)),
        "LinearRegression": fit(table, table.predict(table.X, reference)),
        "LinearRegression on the raw columns": fit(table, table.predict(table.X, raw.coef_ * table.scale)),
    }
    length, spread = float(np.linalg.norm(reference)), float(table.y.std())
    looped_units, reference_units = table.original_units(w), table.original_units(reference)
    return Coefficients(
        table.columns,
        looped_units[0],
        reference_units[0],
        looped_units[1],
        reference_units[1],
        fits,
        tolerance,
        float(np.linalg.norm(w - reference)) / (length if length > 1e-12 * spread else spread),
        int(raw.rank_),
        rank,
    )


def fit(table: Table, predicted: np.ndarray) -> Fit:
    """The fit of predictions ŷ (n,) to the table's own rows."""
    X, y = table.standardised()
    residual = table.y - predicted
    length = float(np.linalg.norm(y))
    across = float(np.abs(X.T @ residual).max()) / (math.sqrt(table.rows) * length)  # a standardised column is √n long
    squares = float(residual @ residual)
    return Fit(math.sqrt(squares / table.rows), across, 1 - squares / length**2)


def better(found: Coefficients, table: Table) -> str:
    """A sentence on which of the two fits the examples better, with units."""
    looped, reference = found.fits["looped transformer"], found.fits["LinearRegression"]
    rounding = 1e-9 * float(table.y.std())
    numbers = (
        f"root mean square residual {looped.residual:.4g} and {reference.residual:.4g} in the unit of "
        f"'{table.target}'; normal equations, column · (y − ŷ) = 0, missed by up to {looped.normal_equations:.1e} and "
        f"{reference.normal_equations:.1e} of ‖column‖‖y‖"
    )
    apart = looped.residual - reference.residual
    if max(looped.residual, reference.residual) <= rounding:
        return f"The loop and LinearRegression both fit the examples to rounding: {numbers}."
    if abs(apart) <= max(1e-6 * reference.residual, rounding):
        return f"The loop and LinearRegression fit the examples equally well: {numbers}."
    winner, loser = ("LinearRegression", "the loop") if apart > 0 else ("The loop", "LinearRegression")
    return f"{winner} fits the examples better than {loser}. Loop and LinearRegression: {numbers}."


def what_differs(algorithm: Algorithm, found: Coefficients) -> str:
    """A sentence on why the loop and LinearRegression differ, and whether more loops bring them together."""
    settings, batch = algorithm.settings, algorithm.batch
    after = (
        f"After T = {settings.loops} loops the two differ by {found.distance:.1e} of the length of the "
        "weights (for the standardised columns)"
    )
    rank = int(batch.spectrum.nonzero.sum())
    if rank != found.rank:
        return (
            f"{after}: in {settings.dtype} the columns have numerical rank {rank}, in float64 {found.rank}, so they "
            "solve different problems."
        )
    if algorithm.ends_elsewhere:
        return f"{after}: {algorithm.ends_elsewhere}."
    if algorithm.prediction.kind != "converges":
        return f"{after}: the loop does not converge, so more loops do not reduce the difference."
    floor, errors = algorithm.rounding_floor, algorithm.errors
    if floor is None or errors is None:
        return f"{after}."
    rounding, left = max(float(floor[0]), float(torch.finfo(batch.X.dtype).eps)), float(errors[-1, 0])
    if left <= rounding:
        return f"{after}: the loop has converged, and what differs is rounding."
    needed = algorithm.loops_to(rounding)
    if needed is None:
        return f"{after}."
    many = f"{needed:,}" if needed < 1e6 else f"{needed:.1e}"
    limit = int(FIELDS["loops"].high)
    beyond = f", more than the {limit:,} that can be run" if needed > limit else ""
    return f"{after}: the loop has not converged, and needs about {many} loops to come down to rounding{beyond}."


def truncates(found: Coefficients) -> str:
    """A sentence on the directions that plain LinearRegression drops on the raw columns, and the cost in accuracy."""
    raw, reference = found.fits["LinearRegression on the raw columns"], found.fits["LinearRegression"]
    dropped = found.rank - found.raw_rank
    return (
        f"Without standardising, scikit-learn's LinearRegression drops {dropped} of {found.rank} directions here, "
        f"below 1e-6 of the largest (its default tol), and leaves a root mean square residual of {raw.residual:.3g} "
        f"instead of {reference.residual:.3g}."
    )


def held_out(settings: Settings, table: Table) -> HeldOut:
    """Five-fold prediction: each fold's rows are predicted by a transformer that reads the other folds.

    Rows are shuffled with `settings.seed`; features are standardised again with the rows in the prompt.

    Raises:
        SettingsError: if a feature is constant on the rows of a prompt, or if the step diverges on them.
    """
    from sklearn.model_selection import KFold

    folds = min(FOLDS, table.rows)
    looped, reference = np.empty_like(table.y), np.empty_like(table.y)
    for train, test in KFold(folds, shuffle=True, random_state=settings.seed).split(table.X):
        part = table.only(train)
        algorithm = ALGORITHMS[settings.algorithm](settings, prompts.from_table(part, settings))
        if algorithm.prediction.kind == "diverges":
            said = algorithm.prediction.sentence
            why = f"On the rows of a fold it does not converge. {said} Choose another step or algorithm."
            raise SettingsError("step_size", why)
        w = looped_iterates(algorithm)[-1, 0].astype(np.float64)
        looped[test] = part.predict(table.X[test], w / settings.label_scale)
        reference[test] = part.predict(table.X[test], least_squares(part)[0])
    return HeldOut(table.target, table.y, looped, reference, folds)
