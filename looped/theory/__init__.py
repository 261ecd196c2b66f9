"""The mathematics that holds before anything runs: step sizes, convergence, closed-form curves and bounds."""

from looped.theory.asymptotics import (
    exponential_requirement,
    limit_error,
    limit_ratio,
    marchenko_pastur_condition_number,
    sufficient_ratio,
)
from looped.theory.bounds import Bound, bounds, missing_bounds
from looped.theory.prediction import Prediction, predict
from looped.theory.steps import (
    MODE_PRESENT,
    best_constant,
    closed_form_errors,
    gap_tolerance,
    powers,
    rounding_floor,
    step_sizes,
)

__all__ = [
    "MODE_PRESENT",
    "Bound",
    "Prediction",
    "best_constant",
    "bounds",
    "closed_form_errors",
    "exponential_requirement",
    "gap_tolerance",
    "limit_error",
    "limit_ratio",
    "marchenko_pastur_condition_number",
    "missing_bounds",
    "powers",
    "predict",
    "rounding_floor",
    "step_sizes",
    "sufficient_ratio",
]
