"""What the looped transformer makes of a real table, beside scikit-learn's `LinearRegression`."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold

from looped import prompts
from looped.cost import FOLDS
from looped.dynamics import plan
from looped.experiments.run import construct, looped_iterates
from looped.fields import SettingsError
from looped.settings import Settings
from looped.tables import Table


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


@dataclass(frozen=True, slots=True)
class Report:
    """What a run says about its table."""

    coefficients: Coefficients
    held_out: HeldOut | None
    """None where some fold has no prediction."""
    why_not: str = ""
    """Why there is no held-out prediction, as a sentence."""


def report(settings: Settings, table: Table, w: np.ndarray) -> Report:
    """Coefficients from the last iterate `w` (d,), and the prediction of held-out rows where there is one."""
    try:
        return Report(coefficients(settings, table, w), held_out(settings, table))
    except SettingsError as error:
        return Report(coefficients(settings, table, w), None, str(error))


def coefficients(settings: Settings, table: Table, w: np.ndarray) -> Coefficients:
    """The iterate after the last loop, w_T/α (d,) in original units, beside LinearRegression on the raw columns."""
    looped, intercept = table.original_units(w.astype(np.float64) / settings.label_scale)
    fitted = LinearRegression().fit(table.X, table.y)
    return Coefficients(table.columns, looped, fitted.coef_, intercept, float(fitted.intercept_))


def held_out(settings: Settings, table: Table) -> HeldOut:
    """Five-fold prediction: each fold's rows are predicted by a transformer that reads the other folds.

    Rows are shuffled with `settings.seed`; features are standardised anew with the rows in the prompt.

    Raises:
        SettingsError: if a feature is constant on the rows of a prompt, or if the step diverges on them.
    """
    folds = min(FOLDS, table.rows)
    looped, reference = np.empty_like(table.y), np.empty_like(table.y)
    for train, test in KFold(folds, shuffle=True, random_state=settings.seed).split(table.X):
        part = table.only(train)
        batch = prompts.from_table(part, getattr(torch, settings.dtype))
        dynamics = plan(settings, batch)
        prediction = dynamics.predict(batch.X.dtype)
        if prediction.kind == "diverges":
            why = f"On the rows of a fold it does not converge. {prediction.sentence} Choose another step or algorithm."
            raise SettingsError("step_size", why)
        construction = construct(settings, batch, dynamics)
        contracts = prediction.kind == "converges"
        w = looped_iterates(settings, batch, construction, dynamics.step_size, contracts)[-1, 0].astype(np.float64)
        coefficient, intercept = part.original_units(w / settings.label_scale)
        looped[test] = table.X[test] @ coefficient + intercept
        reference[test] = LinearRegression().fit(part.X, part.y).predict(table.X[test])
    return HeldOut(table.target, table.y, looped, reference, folds)
