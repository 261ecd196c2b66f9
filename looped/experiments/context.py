"""How many examples do T loops need? The looped transformer's error over n/d and T, on randomly drawn rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from looped import cost, prompts, theory, weights
from looped.experiments.compare import relative_distance
from looped.experiments.run import looped_iterates
from looped.fields import CONTEXT_FIELDS, Field, SettingsError
from looped.settings import CheckedSettings, Settings

DEFAULT_RATIOS = (
    0.5, 0.7, 0.9, 1, 1.2, 1.4, 1.7, 2, 2.4, 2.8, 3.2, 3.6, 4, 5, 6, 7, 8, 10, 12, 16, 20, 30, 40, 50,
)  # fmt: skip
STUDENT_DEGREES = 3
"""Degrees of freedom of heavy-tailed rows: the variance is finite, the fourth moment is not."""
MAX_SECONDS = 600.0
"""Longest sweep, CPU seconds by the estimate."""
MAX_BYTES = 1024**3
"""Most memory for the errors of a sweep: 1 GiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextSettings(CheckedSettings):
    """Everything that determines a sweep over n/d.

    Raises:
        SettingsError: if a value is out of range, with one sentence naming the field, the value and the range.
    """

    table: ClassVar[dict[str, Field]] = CONTEXT_FIELDS

    features: int = 10
    """d, 1 to 200."""
    ratios: tuple[float, ...] = DEFAULT_RATIOS
    """n/d, each rounded to a whole n of at least 1."""
    loops: int = 200
    """T_max; one trace serves every T up to it."""
    prompts: int = 64
    """B, prompts in each cell."""
    rows: Literal["gaussian", "student", "rademacher", "correlated"] = "gaussian"
    """How an example's features are drawn, always with variance 1 on average."""
    row_condition_number: float = 10.0
    """κ_Σ, read by correlated rows only."""
    step_size: float | Literal["auto", "optimal"] = "auto"
    """η, as for `Settings`."""
    target_error: float = 1e-3
    """The relative error that counts as reached."""
    seed: int = 0

    @property
    def examples(self) -> list[int]:
        """n for each ratio."""
        return [max(1, round(ratio * self.features)) for ratio in self.ratios]

    def run(self) -> Settings:
        """The settings of the transformer in every cell."""
        return Settings(loops=self.loops, features=self.features, prompts=self.prompts, step_size=self.step_size)


@dataclass(frozen=True, slots=True)
class Cell:
    """One value of n/d."""

    error: np.ndarray
    """‖w_t − w_ref‖/‖w_ref‖, (T+1, B)."""
    task_error: np.ndarray
    """‖w_t − w*‖/‖w*‖, (T+1, B). The same as `error` where n ≥ d determines w*."""
    kappa: np.ndarray
    """κ of XᵀX/n on its non-zero eigenvalues, (B,)."""


@dataclass(frozen=True)
class ContextSweep:
    """All cells of a sweep."""

    settings: ContextSettings
    n: np.ndarray
    """(R,)."""
    error: np.ndarray
    """‖w_t − w_ref‖/‖w_ref‖, (R, T+1, B)."""
    task_error: np.ndarray
    """‖w_t − w*‖/‖w*‖, (R, T+1, B)."""
    kappa: np.ndarray
    """(R, B)."""

    @property
    def ratio(self) -> np.ndarray:
        """n/d as run, (R,)."""
        return self.n / self.settings.features

    @cached_property
    def bands(self) -> np.ndarray:
        """10 %, 50 % and 90 % of the task error over prompts, (3, R, T+1)."""
        return np.quantile(self.task_error, [0.1, 0.5, 0.9], axis=2)

    def needed_ratio(self, target: float) -> np.ndarray:
        """The smallest n/d from which on the median task error stays at or below `target`, for each T: (T+1,).

        Between two measured ratios the error is interpolated on log axes. NaN where no measured ratio is enough.
        """
        median = np.log(np.maximum(self.bands[1], 1e-300))  # (R, T+1)
        reached = median <= np.log(target)
        from_here = np.logical_and.accumulate(reached[::-1], axis=0)[::-1]  # reached here and at every larger ratio
        first = np.where(from_here.any(axis=0), from_here.argmax(axis=0), len(self.n))
        x = np.log(self.ratio)
        needed = np.full(median.shape[1], np.nan)
        for t, k in enumerate(first):
            if k == 0:
                needed[t] = self.ratio[0]
            elif k < len(x):
                above, below = median[k - 1, t], median[k, t]
                share = (above - np.log(target)) / (above - below)
                needed[t] = np.exp(x[k - 1] + share * (x[k] - x[k - 1]))
        return needed


def draw_rows(settings: ContextSettings, n: int) -> prompts.Prompts:
    """Noiseless prompts of n examples with the chosen rows; w* is uniform on the unit sphere.

    Every cell has a generator of its own, seeded by (seed, n), so that cells can be computed in any order.
    """
    B, d = settings.prompts, settings.features
    seed = int(np.random.SeedSequence([settings.seed, n]).generate_state(1, np.uint64)[0] >> 1)
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    match settings.rows:
        case "rademacher":
            X = torch.randint(0, 2, (B, n, d), generator=generator).double() * 2 - 1
        case "student":
            # t = z/√(χ²/ν), and its variance is ν/(ν−2)
            chi_squared = normal(STUDENT_DEGREES, B, n, d).square().sum(dim=0)
            X = normal(B, n, d) / (chi_squared / (STUDENT_DEGREES - 2)).sqrt()
        case "correlated":
            variances = prompts.eigenvalues("geometric", d, settings.row_condition_number, d)
            basis = torch.linalg.qr(normal(B, d, d)).Q
            X = (normal(B, n, d) * variances.sqrt()) @ basis.mT
        case _:
            X = normal(B, n, d)
    w_star = normal(B, d)
    w_star /= w_star.norm(dim=1, keepdim=True)
    return prompts.Prompts(X=X, y=torch.einsum("bnd,bd->bn", X, w_star), w_star=w_star)


def run_cell(settings: ContextSettings, n: int) -> Cell:
    """Run the constructed looped transformer on n examples, all T up to the largest in one trace."""
    batch = draw_rows(settings, n)
    run = settings.run()
    construction = weights.gradient_descent(settings.features, run.layout)
    eta = theory.step_sizes(batch.spectrum, run)
    looped = looped_iterates(run, batch, construction, eta)
    limit = 1e100
    with np.errstate(over="ignore", invalid="ignore"):
        looped = np.where(np.isfinite(looped), np.clip(looped, -limit, limit), limit)
    assert batch.w_star is not None
    return Cell(
        error=relative_distance(looped, batch.least_squares(1.0).numpy()),
        task_error=relative_distance(looped, batch.w_star.numpy()),
        kappa=batch.spectrum.condition_number.numpy(),
    )


def estimate(settings: ContextSettings) -> float:
    """CPU seconds that a sweep will take, by the cost model of a single run."""
    run = settings.run()
    return sum(
        cost.sizes(run.replace(examples=min(n, 2000))).seconds * max(1, n / 2000) for n in settings.examples
    )  # fmt: skip


def check(settings: ContextSettings) -> None:
    """Refuse a sweep beyond the limits.

    Raises:
        SettingsError: one sentence with the estimate and the remedy.
    """
    size = 16 * len(settings.ratios) * (settings.loops + 1) * settings.prompts
    largest = 80 * settings.prompts * max(settings.examples) * settings.features
    seconds = estimate(settings)
    if seconds <= MAX_SECONDS and size <= MAX_BYTES and largest <= MAX_BYTES:
        return
    raise SettingsError(
        "prompts",
        f"This sweep needs about {seconds:,.0f} s and {max(size, largest) / 1024**2:,.0f} MiB, more than "
        f"{MAX_SECONDS:,.0f} s or {MAX_BYTES // 1024**2:,} MiB: choose fewer prompts, ratios or loops.",
    )


def sweep(settings: ContextSettings) -> Iterator[Cell]:
    """All cells in the order of the ratios, one by one, so that a caller can show progress and stop.

    Raises:
        SettingsError: if the sweep is too large, before the first cell.
    """
    check(settings)
    return (run_cell(settings, n) for n in settings.examples)


def collect(settings: ContextSettings, cells: list[Cell]) -> ContextSweep:
    """A finished sweep from its cells."""
    return ContextSweep(
        settings=settings,
        n=np.array(settings.examples),
        error=np.stack([cell.error for cell in cells]),
        task_error=np.stack([cell.task_error for cell in cells]),
        kappa=np.stack([cell.kappa for cell in cells]),
    )
