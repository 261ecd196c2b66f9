"""The result of a sweep, small enough to be kept: quantiles over prompts for every n and T, and the trained A."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from looped import theory
from looped.experiments.context.cells import Cell
from looped.experiments.context.learned import LearnedCell
from looped.experiments.context.settings import ContextSettings

ROUNDING = 1e-12
"""Bounds below this are not compared with errors, which rounding keeps above about 1e-15."""
RULED_BY_FEW = 10.0
"""A mean this many times the median is dominated by few prompts."""


@dataclass(frozen=True)
class LearnedGrid:
    """The trained preconditioners, on N values of n and L of T."""

    n: np.ndarray
    """(N,)."""
    loops: np.ndarray
    """(L,)."""
    error: np.ndarray
    """‖w_T − w*‖/‖w*‖ on the prompts of the sweep's cell of that n, (N, L, B)."""
    A: np.ndarray
    """(N, L, d, d)."""

    @cached_property
    def bands(self) -> np.ndarray:
        """10 %, 50 % and 90 % over prompts, (3, N, L)."""
        return np.quantile(self.error, [0.1, 0.5, 0.9], axis=2)

    @property
    def step(self) -> np.ndarray:
        """The mean a of A's diagonal, (N, L): A = a·I would be gradient descent with step a."""
        return np.trace(self.A, axis1=2, axis2=3) / self.A.shape[2]

    @property
    def antisymmetric(self) -> np.ndarray:
        """‖(A − Aᵀ)/2‖/‖A‖, (N, L): the share of A that no gradient descent has."""
        return np.linalg.norm(self.A - self.A.swapaxes(2, 3), axis=(2, 3)) / 2 / np.linalg.norm(self.A, axis=(2, 3))

    @property
    def most_antisymmetric(self) -> tuple[int, int]:
        """Places in `n` and `loops` of the A with the largest such share."""
        row, column = np.unravel_index(self.antisymmetric.argmax(), self.antisymmetric.shape)
        return int(row), int(column)

    def nearest(self, loops: int) -> int:
        """Place in `loops` of the trained T nearest to this one, by their quotient."""
        return _nearest(self.loops, loops)


@dataclass(frozen=True)
class ContextResult:
    """A finished sweep: R values of n, T_max + 1 loops, B prompts."""

    settings: ContextSettings
    n: np.ndarray
    """(R,)."""
    bands: np.ndarray
    """10 %, 50 % and 90 % over prompts of ‖w_t − w*‖/‖w*‖, (3, R, T+1)."""
    mean: np.ndarray
    """Its mean, (R, T+1)."""
    floor: np.ndarray
    """‖w_ref − w*‖/‖w*‖, (R, B): what no number of loops gets below; 0 where the examples determine w*."""
    kappa: np.ndarray
    """κ of XᵀX/n on its non-zero eigenvalues, (R, B)."""
    growth: np.ndarray
    """ηλ₁, (R, B): above 2 a prompt diverges."""
    of_bound: np.ndarray
    """The largest error/bound over prompts and loops 1 … T_max, bound e^(−t/(2κ)) at each prompt's own κ, (R,); NaN
    where the bound does not apply."""
    learned: LearnedGrid | None
    error: np.ndarray | None
    """‖w_t − w_ref‖/‖w_ref‖, (R, T+1, B); None for a stored result, whose sweep gives it again."""

    @property
    def ratio(self) -> np.ndarray:
        """n/d as run, (R,)."""
        return self.n / self.settings.features

    @property
    def median(self) -> np.ndarray:
        """(R, T+1)."""
        return self.bands[1]

    @property
    def undetermined(self) -> np.ndarray:
        """True where n < d, so that the examples leave part of w* unseen, (R,)."""
        return self.n < self.settings.features

    @cached_property
    def median_floor(self) -> np.ndarray:
        """Median `floor` over prompts, (R,)."""
        return np.median(self.floor, axis=1)

    @cached_property
    def median_kappa(self) -> np.ndarray:
        """Median κ over prompts, (R,)."""
        return np.median(self.kappa, axis=1)

    @cached_property
    def marchenko_pastur(self) -> np.ndarray:
        """κ of independent features in the limit of large d at each n/d, (R,); infinite at n = d."""
        return np.array([theory.marchenko_pastur_condition_number(float(ratio)) for ratio in self.ratio])

    @property
    def diverging(self) -> np.ndarray:
        """Number of prompts with λ₁ > 2/η, (R,)."""
        return (self.growth > 2).sum(axis=1)

    @property
    def most_diverging(self) -> int:
        """Place in `n` where most prompts diverge."""
        return int(self.diverging.argmax())

    @property
    def largest_of_bound(self) -> float | None:
        """The largest error/bound of all; None where the bound applies nowhere."""
        applies = self.of_bound[np.isfinite(self.of_bound)]
        return float(applies.max()) if applies.size else None

    def nearest(self, ratio: float) -> int:
        """Place of the measured n/d nearest to this one, by their quotient."""
        return _nearest(self.ratio, ratio)

    def needed_ratio(self, target: float, quantile: int = 1) -> np.ndarray:
        """The smallest n/d from which on an error stays at or below `target`, for each T: (T+1,).

        Args:
            target: relative error.
            quantile: which row of `bands`: 1 for the median prompt, 2 for 9 of 10 prompts.
        """
        return needed_ratio(self.ratio, self.bands[quantile], target)

    def limit_ratio(self, loops: int) -> float | None:
        """The need after `loops` loops in the limit of large d, where it is known: Σ = I and a step from the data."""
        settings = self.settings
        if settings.rows not in ("gaussian", "rademacher") or not isinstance(settings.step_size, str):
            return None
        return theory.limit_ratio(loops, settings.target_error, settings.step_size)

    @property
    def learned_ratio(self) -> np.ndarray:
        """n/d at which A was trained, (N,)."""
        assert self.learned is not None
        return self.learned.n / self.settings.features

    def learned_needed_ratio(self, target: float, quantile: int = 1) -> np.ndarray:
        """The same for the trained A, at each T of its grid: (L,)."""
        assert self.learned is not None
        return needed_ratio(self.learned_ratio, self.learned.bands[quantile], target)

    def ruled_by_few(self, loops: int) -> np.ndarray:
        """Places in `n` where the mean after T loops is over `RULED_BY_FEW` times the median, and no rounding.

        The largest mean is first.
        """
        mean = self.mean[:, loops]
        places: np.ndarray = np.flatnonzero((mean > RULED_BY_FEW * self.median[:, loops]) & (mean > ROUNDING))
        return places[np.argsort(-mean[places], kind="stable")]

    def looking_at(self, settings: ContextSettings) -> "ContextResult":
        """The same sweep with another T shown or another target."""
        return replace(self, settings=settings)


def _nearest(values: np.ndarray, value: float) -> int:
    return int(np.abs(np.log(values / value)).argmin())


def needed_ratio(ratio: np.ndarray, errors: np.ndarray, target: float) -> np.ndarray:
    """The smallest n/d from which on an error stays at or below `target`.

    Between two measured ratios the error is interpolated on log axes. NaN where no measured ratio is enough, and where
    already the smallest is, that one: how much less would do was not measured.

    Args:
        ratio: ascending, (R,).
        errors: (R, m).
        target: relative error.

    Returns:
        (m,).
    """
    errors = np.log(np.maximum(errors, 1e-300))
    reached = errors <= np.log(target)
    from_here = np.logical_and.accumulate(reached[::-1], axis=0)[::-1]  # reached here and at every larger ratio
    first = np.where(from_here.any(axis=0), from_here.argmax(axis=0), len(ratio))
    x = np.log(ratio)
    needed = np.full(errors.shape[1], np.nan)
    for t, k in enumerate(first):
        if k == 0:
            needed[t] = ratio[0]
        elif k < len(x):
            above, below = errors[k - 1, t], errors[k, t]
            share = (above - np.log(target)) / (above - below)
            needed[t] = np.exp(x[k - 1] + share * (x[k] - x[k - 1]))
    return needed


def collect(settings: ContextSettings, cells: list[Cell], learned: dict[tuple[int, int], LearnedCell]) -> ContextResult:
    """A finished sweep from its cells.

    Args:
        settings: Settings of the sweep.
        cells: One cell for each ratio, in that order.
        learned: Trained cells by (n, T).
    """
    errors = [cell.task_error for cell in cells]
    grid = None
    if settings.learned:
        n, loops = sorted({n for n, _ in learned}), sorted({loops for _, loops in learned})
        grid = LearnedGrid(
            n=np.array(n),
            loops=np.array(loops),
            error=np.stack([np.stack([learned[k, T].error for T in loops]) for k in n]),
            A=np.stack([np.stack([learned[k, T].A for T in loops]) for k in n]),
        )
    return ContextResult(
        settings=settings,
        n=np.array(settings.examples),
        bands=np.stack([np.quantile(error, [0.1, 0.5, 0.9], axis=1) for error in errors], axis=1),
        mean=np.stack([error.mean(axis=1) for error in errors]),
        of_bound=np.array([_of_bound(settings, cell) for cell in cells]),
        learned=grid,
        **{name: np.stack([getattr(cell, name) for cell in cells]) for name in Cell.__slots__},
    )


def _of_bound(settings: ContextSettings, cell: Cell) -> float:
    """The largest error/bound; the bound needs n ≥ d of full rank and a step read from the data."""
    if not isinstance(settings.step_size, str) or cell.floor.any():
        return float("nan")
    bound = np.exp(-np.arange(1, len(cell.error))[:, None] / (2 * cell.kappa))
    return float(np.max(np.where(bound >= ROUNDING, cell.error[1:] / np.maximum(bound, ROUNDING), 0.0)))
