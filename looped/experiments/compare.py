"""Is the loop the step? A constructed looped transformer next to the explicit algorithm on the same prompts."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from looped import attention, cost, descent, dynamics, prompts, tables, theory
from looped.algorithms import ALGORITHMS, Algorithm
from looped.experiments import real_data
from looped.experiments.run import construct, explicit_iterates, looped_iterates, reads_tokens
from looped.fields import TABLES, SettingsError
from looped.settings import Settings

ERROR_CEILING = 1e6
"""Relative error at which curves of a diverging run are cut; the arrays go on."""
LARGEST_ITERATE = {"float64": 1e100, "float32": 1e30}
"""Size at which a diverging iterate is held, far below overflow, so that no array holds inf or NaN."""


@dataclass(frozen=True)
class Comparison:
    """What both did, how far apart they are, and what the theory said beforehand. Arrays are NumPy."""

    settings: Settings
    """As asked; `prompts` holds the sizes that were run."""
    table: tables.Table | None
    """The real data, if any."""
    prompts: prompts.Prompts
    weights: attention.Weights
    step_size: np.ndarray
    """η, (B,), in the run's dtype."""
    dynamics: dynamics.Dynamics
    """The numbers the algorithm runs with, and how it acts on each eigen-mode."""
    looped: np.ndarray
    """Iterates w_t read from the transformer's query token, (T+1, B, d)."""
    explicit: np.ndarray
    """Iterates of the explicit algorithm, (T+1, B, d); of gradient descent for softmax attention, which is none."""
    yardstick: str
    """How the explicit algorithm was evaluated: "X" on the examples, "XᵀX" on their Gram matrix."""
    w_ref: np.ndarray
    """Where the loop is heading, (B, d), float64: the shortest least-squares solution for the labels αy, or what
    `Dynamics.w_ref` says for ridge and preconditioned descent."""
    closed_form: np.ndarray | None
    """Relative error after each loop from the eigenvalues alone, (T+1, B), float64; None for softmax attention."""
    gd_errors: np.ndarray | None
    """Another algorithm's rival: relative error of plain gradient descent at its best constant step 2/(λ₁+λ_d), to the
    least-squares solution, (T+1, B), float64. None where the explicit algorithm is gradient descent."""
    prediction: theory.Prediction
    bounds: list[theory.Bound]
    held_from: int | None
    """Loop from which a diverging prompt's iterates are held, or None."""
    report: real_data.Report | None
    """Coefficients and held-out predictions, for a table."""

    @property
    def algorithm(self) -> Algorithm:
        """What the weights make of a loop."""
        return ALGORITHMS[self.settings.algorithm]

    @cached_property
    def gap(self) -> float:
        """max |looped − explicit| over all loops, prompts and features."""
        return float(np.abs(self.looped - self.explicit).max())

    @cached_property
    def largest_iterate(self) -> float:
        """max |explicit|, what the tolerance is relative to."""
        return float(np.abs(self.explicit).max()) or 1.0

    @property
    def relative_gap(self) -> float:
        """The gap divided by the largest iterate."""
        return self.gap / self.largest_iterate

    @property
    def condition_number(self) -> float:
        """κ of XᵀX/n on its non-zero eigenvalues as measured, the largest over the prompts."""
        return float(self.prompts.spectrum.condition_number.max())

    @property
    def tolerance(self) -> float:
        """How large the relative gap may be: `theory.gap_tolerance` at the κ of what one step contracts.

        That is the measured κ, but (λ₁+ρ)/(λ_d+ρ) for ridge, and κ(C^½HC^½)·√κ(C) with a preconditioner.
        """
        dtype = getattr(torch, self.settings.dtype)
        return theory.gap_tolerance(dtype, self.dynamics.condition_number, self.settings.loops)

    @property
    def passed(self) -> bool | None:
        """Whether the relative gap is within the tolerance; None for softmax attention, whose gap is a finding."""
        return None if self.settings.algorithm == "softmax" else self.relative_gap <= self.tolerance

    @cached_property
    def rounding_floor(self) -> np.ndarray | None:
        """The relative error below which rounding rules, (B,), an estimate; None where the loop does not converge."""
        floor = self.dynamics.rounding_floor(getattr(torch, self.settings.dtype))
        return None if floor is None or self.prediction.kind != "converges" else floor.numpy()

    @cached_property
    def errors(self) -> np.ndarray:
        """‖w_t − w_ref‖/‖w_ref‖ of the looped transformer, (T+1, B), float64."""
        return relative_distance(self.looped, self.w_ref)

    @cached_property
    def explicit_errors(self) -> np.ndarray:
        """‖w_t − w_ref‖/‖w_ref‖ of the explicit algorithm, (T+1, B), float64."""
        return relative_distance(self.explicit, self.w_ref)

    @cached_property
    def rank(self) -> int:
        """Non-zero eigenvalues of XᵀX/n, the smallest number over the prompts."""
        return int(self.prompts.spectrum.nonzero.sum(dim=1).min())

    @cached_property
    def task(self) -> np.ndarray | None:
        """αw*, (B, d), float64, where w* is known."""
        w_star = self.prompts.w_star
        return None if w_star is None else self.settings.label_scale * w_star.double().numpy()

    @cached_property
    def floor(self) -> np.ndarray | None:
        """‖w_ref − αw*‖/‖αw*‖, (B,): how far least squares itself stays from the task.

        None where w* is unknown, or where both are the same (noiseless, rank d).
        """
        if self.task is None or (self.settings.noise == 0 and self.rank == self.prompts.shape[2]):
            return None
        return relative_distance(self.w_ref[None], self.task)[0]

    @cached_property
    def task_errors(self) -> np.ndarray | None:
        """‖w_t − αw*‖/‖αw*‖ of the looped transformer, (T+1, B); None as for `floor`."""
        return None if self.floor is None or self.task is None else relative_distance(self.looped, self.task)

    @cached_property
    def ceiling_from(self) -> int | None:
        """First loop at which a prompt's error passes the ceiling, or None."""
        over = (self.errors > ERROR_CEILING).any(axis=1)
        return int(over.argmax()) if over.any() else None

    @cached_property
    def curves(self) -> dict[str, np.ndarray]:
        """What the chart draws, each (T+1,): medians and 10–90 % over prompts, and the bounds; cut at the ceiling."""
        curves: dict[str, np.ndarray] = {}
        for name, values in (
            ("looped", self.errors),
            ("explicit", self.explicit_errors),
            ("closed_form", self.closed_form),
            ("gd", self.gd_errors),
            ("task", self.task_errors),
        ):
            if values is not None:
                p10, median, p90 = np.quantile(np.minimum(values, ERROR_CEILING), [0.1, 0.5, 0.9], axis=1)
                curves |= {f"{name}_median": median, f"{name}_p10": p10, f"{name}_p90": p90}
        if self.floor is not None:
            curves["floor_median"] = np.full(self.settings.loops + 1, np.median(self.floor))
        if self.rounding_floor is not None:
            curves["rounding_floor"] = np.full(self.settings.loops + 1, np.median(self.rounding_floor))
        for bound in self.bounds:
            if bound.values is not None:
                curves[bound.key] = bound.values.numpy()
        return curves


def compare(settings: Settings, table: tables.Table | None = None) -> Comparison:
    """Run the constructed looped transformer and the explicit algorithm on the same prompts.

    Args:
        settings: of the run. `data="diabetes"` loads its table by itself.
        table: the real data for `data="csv"`; its n, d and κ replace those of the settings, and B is 1.

    Returns:
        Iterates of both, the gap between them, errors, predictions and bounds.

    Raises:
        SettingsError: if the run would take too long or too much memory, naming the most prompts that fit, or if the
            table cannot be used.
    """
    if table is None:
        table = tables.load(settings)
    elif settings.data not in TABLES:
        raise SettingsError("data", f"data = {settings.data} draws its own prompts: choose csv to run a table.")
    else:
        settings = settings.replace(target=table.target, feature_columns=table.columns)
    run = cost.sizes(settings, table)
    cost.check(run)
    dtype = getattr(torch, settings.dtype)
    batch = prompts.draw(settings) if table is None else prompts.from_table(table, settings)
    plan = dynamics.plan(settings, batch)
    prediction = plan.predict(batch.X.dtype)
    construction = construct(settings, batch, plan)
    looped = looped_iterates(settings, batch, construction, plan.step_size, prediction.kind == "converges")
    gram = run.gram and not reads_tokens(settings, batch)
    explicit = explicit_iterates(settings, batch, plan, gram)
    held_from = None
    if prediction.kind != "converges" or not (np.isfinite(looped[-1]).all() and np.isfinite(explicit[-1]).all()):
        held_from = _hold(looped, explicit, LARGEST_ITERATE[settings.dtype])
    exact_labels = batch.w_star is not None and settings.noise == 0
    return Comparison(
        settings=settings,
        table=table,
        prompts=batch,
        weights=construction,
        step_size=plan.step_size.to(dtype).numpy(),
        dynamics=plan,
        looped=looped,
        explicit=explicit,
        yardstick="XᵀX" if gram else "X",
        w_ref=plan.w_ref.numpy(),
        closed_form=None if plan.errors is None else plan.errors.numpy(),
        gd_errors=None if settings.algorithm in ("gd", "softmax") else _rival_errors(settings, batch, gram),
        prediction=prediction,
        bounds=theory.bounds(settings, batch.spectrum, plan.step_size, exact_labels),
        held_from=held_from,
        report=None if table is None else real_data.report(settings, table, batch, plan, looped[-1, 0]),
    )


def relative_distance(iterates: np.ndarray, target: np.ndarray) -> np.ndarray:
    """‖w_t − w‖/‖w‖ for iterates (T+1, B, d) and w (B, d); the absolute distance where w is 0."""
    difference = iterates - target
    length = np.linalg.norm(target, axis=1)
    distance: np.ndarray = np.sqrt(np.einsum("tbd,tbd->tb", difference, difference)) / np.where(length > 0, length, 1.0)
    return distance


def _rival_errors(settings: Settings, batch: prompts.Prompts, gram: bool) -> np.ndarray:
    eta = theory.step_sizes(batch.spectrum, settings.replace(step_size="optimal")).to(batch.X.dtype).numpy()
    X, y, alpha = batch.X.numpy(), batch.y.numpy(), settings.label_scale
    iterates = descent.gradient_descent(X, y, eta, settings.loops, alpha, gram)
    return relative_distance(iterates, batch.least_squares(alpha).numpy())


def _hold(looped: np.ndarray, explicit: np.ndarray, limit: float) -> int | None:
    """From the loop where either iterate of a prompt passes `limit`, repeat both one loop earlier (in place)."""
    with np.errstate(invalid="ignore"):
        inside = (np.abs(looped) <= limit).all(axis=2) & (np.abs(explicit) <= limit).all(axis=2)
    first = np.where(inside.all(axis=0), len(looped), (~inside).argmax(axis=0))  # (B,)
    for b, loop in enumerate(first):
        looped[loop:, b] = looped[loop - 1, b]
        explicit[loop:, b] = explicit[loop - 1, b]
    earliest = int(first.min())
    return earliest if earliest < len(looped) else None
