"""A constructed looped transformer next to the explicit algorithm on the same prompts."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from looped import attention, prompts, tables, theory
from looped.algorithms import ALGORITHMS
from looped.algorithms.base import Algorithm
from looped.algorithms.gd import GradientDescent
from looped.algorithms.run import explicit_iterates, looped_iterates
from looped.chart import Series
from looped.experiments.compare import cost, real_data
from looped.experiments.compare.curves import ERROR_CEILING, curves_of
from looped.fields import SettingsError
from looped.prompts import relative_distance
from looped.settings import TABLES, Settings
from looped.threads import in_one_thread

CANCELLED = 1 / 4
"""Share of the first update's terms that is the smallest unit of the relative gap."""
CONTRACTS = 0.05
"""Smallest share of the slowest mode that a loop must remove for rounding not to make a verdict fail."""
LARGEST_ITERATE = {"float64": 1e100, "float32": 1e30}
"""Size beyond which a diverging iterate is held, far below overflow, so that no array holds inf or NaN."""


@dataclass(frozen=True)
class Comparison:
    """The iterates of both methods, the gap between them, and what the theory said beforehand. Arrays are NumPy."""

    settings: Settings
    """The settings as given, with the form that was run; the sizes that were run are those of the field `prompts`."""
    table: tables.Table | None
    """The real data, if any."""
    prompts: prompts.Prompts
    weights: attention.Weights
    step_size: np.ndarray
    """η, (B,), in the run's dtype."""
    algorithm: Algorithm
    """The algorithm with the numbers it ran with, and how it acts on each eigen-mode."""
    looped: np.ndarray
    """Iterates w_t read from the transformer's query token, (T+1, B, d)."""
    explicit: np.ndarray
    """Iterates of the explicit algorithm, (T+1, B, d); of gradient descent for softmax attention, which is none."""
    yardstick: str
    """The way in which the explicit algorithm was evaluated: "X" on the examples, "XᵀX" on their Gram matrix, "UᵀX, X =
    USVᵀ" on singular values and vectors, where columns are collinear."""
    w_ref: np.ndarray
    """Where the loop is heading, (B, d), float64: the shortest least-squares solution for the labels αy, or what
    `Algorithm.w_ref` says for ridge and preconditioned descent."""
    closed_form: np.ndarray | None
    """Relative error after each loop from the eigenvalues alone, (T+1, B), float64; None for softmax attention."""
    gd_errors: np.ndarray | None
    """The rival of another algorithm: relative error of plain gradient descent at the constant step 2/(λ₁+λ_d), best
    for its slowest mode, to the
    least-squares solution, (T+1, B), float64. None where the explicit algorithm is gradient descent."""
    prediction: theory.Prediction
    bounds: list[theory.Bound]
    held_from: int | None
    """Loop from which a diverging prompt's iterates are held, or None."""
    report: real_data.Report | None
    """Coefficients and held-out predictions, for a table."""

    @cached_property
    def gap(self) -> float:
        """max |looped − explicit| over all loops, prompts and features."""
        return float(np.abs(self.looped - self.explicit).max())

    @cached_property
    def largest_iterate(self) -> float:
        """max |explicit|."""
        return float(np.abs(self.explicit).max())

    @cached_property
    def scale(self) -> float:
        """The unit of the relative gap: the largest iterate, or `CANCELLED` of the first update's terms.

        The first update adds up terms of size η·rms(x_j)·rms(αy), x standing for Cx with a preconditioner, and each is
        rounded at its own size. Where labels are nearly orthogonal to the features the terms cancel, and all iterates
        are small: there it is the terms that count.
        """
        return max(self.largest_iterate, CANCELLED * self.algorithm.largest_term) or 1.0

    @property
    def relative_gap(self) -> float:
        """The gap divided by the largest iterate; by `scale` where that is larger."""
        return self.gap / self.scale

    @property
    def condition_number(self) -> float:
        """κ of XᵀX/n on its non-zero eigenvalues as measured, the largest over the prompts."""
        return float(self.prompts.spectrum.condition_number.max())

    @property
    def tolerance(self) -> float:
        """The largest relative gap that passes, as the algorithm says."""
        return self.algorithm.tolerance

    @property
    def passed(self) -> bool | None:
        """True where the relative gap is within the tolerance; None for softmax attention, whose gap is a finding."""
        return None if self.algorithm.softmax else self.relative_gap <= self.tolerance

    @property
    def why_failed(self) -> str | None:
        """The reason why the gap exceeds the tolerance, from this run's numbers, as a sentence; None if it does not."""
        if self.passed is not False:
            return None
        prediction = self.prediction
        size = f"The relative gap {self.relative_gap:.1e} is beyond the tolerance {self.tolerance:.1e}"
        if prediction.kind != "converges":
            return (
                f"{size}. The tolerance is made for loops that contract, and this one does not: rounding errors add up "
                "over the loops, in both methods."
            )
        if self.algorithm.has_state and prediction.away < CONTRACTS:
            return (
                f"{size}. Mode {prediction.mode} hardly contracts: a loop takes {prediction.away:.2g} of its error "
                "away, so the rounding errors of many loops add up, in both methods."
            )
        if self.settings.dtype == "float32":
            return f"{size}. All modes contract; float32 has 7 digits, and κ = {self.condition_number:.3g} costs most."
        return f"{size}, although all modes contract: please report these settings."

    @cached_property
    def rounding_floor(self) -> np.ndarray | None:
        """Relative error below which rounding dominates, (B,), an estimate; None where the loop does not converge."""
        floor = self.algorithm.rounding_floor
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
        """Numerical rank of X in the run's dtype: non-zero eigenvalues of XᵀX/n, the fewest over the prompts.

        A singular value counts as 0 up to max(n, d)·eps times the largest.
        """
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
    def best_loop(self) -> tuple[int, float] | None:
        """The loop with the smallest median of `task_errors`, and that median; None as for `floor`.

        It may lie below the floor: a loop that stops early follows less of the noise than least squares does.
        """
        if self.task_errors is None:
            return None
        median = np.median(self.task_errors, axis=1)
        loop = int(median.argmin())
        return loop, float(median[loop])

    @cached_property
    def ceiling_from(self) -> int | None:
        """First loop at which a prompt's error passes the ceiling, or None."""
        over = (self.errors > ERROR_CEILING).any(axis=1)
        return int(over.argmax()) if over.any() else None

    @cached_property
    def series(self) -> list[Series]:
        """The curves with all that is said of them, as rows of the chart."""
        return curves_of(self)

    @cached_property
    def curves(self) -> dict[str, np.ndarray]:
        """Curves by their names in files, each (T+1,): medians and 10–90 % over prompts, bounds; cut at the ceiling."""
        return {row.key: row.values for row in self.series}


@in_one_thread
def compare(settings: Settings, table: tables.Table | None = None, first: int | None = None) -> Comparison:
    """Run the constructed looped transformer and the explicit algorithm on the same prompts.

    Args:
        settings: Settings of the run; `data="diabetes"` loads its table by itself.
        table: the real data for `data="csv"`; its n, d and κ replace those of the settings, and B is 1.
        first: run only so many of the prompts that are drawn, the first of them; all if None. A table has one.

    Returns:
        Iterates of both, the gap between them, errors, predictions and bounds.

    Raises:
        SettingsError: if the run would take too long or too much memory, naming the most prompts that fit, or if the
            table cannot be used.
    """
    if not isinstance(table, tables.Table | None):
        raise SettingsError(
            "data",
            f"A {type(table).__name__} is not a table that compare can read: write it to a file, with "
            "frame.to_csv('data.csv', index=False) from pandas, and pass "
            "looped.tables.choose(looped.tables.read_csv('data.csv'), 'name of the target column').",
        )
    if table is None:
        table = tables.load(settings)
    elif settings.data not in TABLES:
        raise SettingsError("data", f"data = {settings.data} draws its own prompts: choose csv to run a table.")
    else:
        settings = settings.replace(target=table.target, feature_columns=table.columns)
    settings = cost.run_form(settings, table)
    asked = settings if first is None else settings.replace(prompts=min(first, settings.prompts))
    cost.check(asked, table)
    batch = prompts.draw(settings, first) if table is None else prompts.from_table(table, settings)
    algorithm = ALGORITHMS[settings.algorithm](settings, batch)
    prediction = algorithm.prediction
    looped = looped_iterates(algorithm)
    explicit, yardstick = explicit_iterates(algorithm, cost.sizes(asked, table).gram)
    held_from = None
    if prediction.kind != "converges" or not (np.isfinite(looped[-1]).all() and np.isfinite(explicit[-1]).all()):
        held_from = _hold(looped, explicit, LARGEST_ITERATE[settings.dtype])
    exact_labels = batch.w_star is not None and settings.noise == 0
    return Comparison(
        settings=settings,
        table=table,
        prompts=batch,
        weights=algorithm.weights,
        step_size=algorithm.step_size.to(batch.X.dtype).numpy(),
        algorithm=algorithm,
        looped=looped,
        explicit=explicit,
        yardstick=yardstick,
        w_ref=algorithm.w_ref.numpy(),
        closed_form=None if algorithm.errors is None else algorithm.errors.numpy(),
        gd_errors=_rival_errors(settings, batch, yardstick == "XᵀX") if algorithm.has_rival else None,
        prediction=prediction,
        bounds=algorithm.bounds(exact_labels),
        held_from=held_from,
        report=None if table is None else real_data.report(algorithm, table, looped[-1, 0]),
    )


def _rival_errors(settings: Settings, batch: prompts.Prompts, gram: bool) -> np.ndarray:
    rival = GradientDescent(settings.replace(step_size="optimal"), batch)
    eta = rival.step_size.to(batch.X.dtype).numpy()
    return relative_distance(rival.explicit(batch.X.numpy(), batch.y.numpy(), eta, gram), rival.w_ref.numpy())


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
