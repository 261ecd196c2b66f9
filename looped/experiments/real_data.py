"""What the looped transformer makes of a real table, beside scikit-learn's `LinearRegression`."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold

from looped import prompts, theory, weights
from looped.experiments.compare import Comparison, run_looped
from looped.settings import Settings
from looped.tables import Table

FOLDS = 5
"""Folds of the held-out prediction."""


@dataclass(frozen=True, slots=True)
class Coefficients:
    """Weights in the units of the table: the prediction is intercept + Σ coefficient · column."""

    columns: tuple[str, ...]
    looped: np.ndarray
    """Coefficients after T loops, (d,)."""
    reference: np.ndarray
    """scikit-learn's, (d,)."""
    looped_intercept: float
    reference_intercept: float

    @property
    def table(self) -> dict[str, list[object]]:
        """One row a column, the intercept last."""
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
    """ŷ of LinearRegression on the same folds, (n,)."""
    folds: int

    @cached_property
    def r2_looped(self) -> float:
        """1 − Σ(y − ŷ)²/Σ(y − ȳ)² over all held-out rows."""
        return float(r2_score(self.y, self.looped))

    @cached_property
    def r2_reference(self) -> float:
        """The same for LinearRegression."""
        return float(r2_score(self.y, self.reference))


def coefficients(result: Comparison) -> Coefficients:
    """The iterate after the last loop in original units, w_T/α rescaled, beside LinearRegression on the raw columns.

    Raises:
        ValueError: for a result without a table.
    """
    table = result.table
    if table is None:
        raise ValueError("This result comes from synthetic prompts: coefficients need a table.")
    looped, intercept = table.original_units(_weights(result.looped, result.settings))
    fitted = LinearRegression().fit(table.X, table.y)
    return Coefficients(table.columns, looped, fitted.coef_, intercept, float(fitted.intercept_))


def held_out(settings: Settings, table: Table) -> HeldOut:
    """Five-fold prediction: each fold's rows are predicted by a transformer that reads the other folds.

    Rows are shuffled with `settings.seed`; features are standardised anew with the rows in the prompt.

    Raises:
        SettingsError: if a feature is constant on the rows of a prompt.
    """
    folds = min(FOLDS, table.rows)
    looped, reference = np.empty_like(table.y), np.empty_like(table.y)
    for train, test in KFold(folds, shuffle=True, random_state=settings.seed).split(table.X):
        part = table.only(train)
        batch = prompts.from_table(part, getattr(torch, settings.dtype))
        construction = weights.gradient_descent(len(part.columns), settings.layout, batch.X.dtype)
        iterates = run_looped(settings, batch, construction, theory.step_sizes(batch.spectrum, settings))
        w, intercept = part.original_units(_weights(iterates, settings))
        looped[test] = table.X[test] @ w + intercept
        reference[test] = LinearRegression().fit(part.X, part.y).predict(table.X[test])
    return HeldOut(table.target, table.y, looped, reference, folds)


def _weights(iterates: np.ndarray, settings: Settings) -> np.ndarray:
    """The weights of the one prompt after the last loop, with the label scale taken out; 0 where they overflowed."""
    return np.nan_to_num(iterates[-1, 0].astype(np.float64) / settings.label_scale, posinf=0.0, neginf=0.0)
