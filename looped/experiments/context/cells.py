"""One value of n/d: prompts drawn at random, and the error of the constructed looped transformer on them."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from looped import prompts
from looped.algorithms.gd import GradientDescent
from looped.algorithms.run import looped_iterates
from looped.experiments.context.settings import ContextSettings
from looped.fields import Measured
from looped.prompts import relative_distance

STUDENT_DEGREES = 3
"""Degrees of freedom of heavy-tailed features: the variance is finite, the fourth moment is not."""
LARGEST_ITERATE = 1e100
"""Size beyond which a diverging iterate is held, so that no array holds inf or NaN."""

TYPICAL_RATIO = 4.0
"""n/d at which one η is named for all prompts."""
MOST_DRAWN = 2_000_000
"""Numbers of examples that are drawn for it."""


@dataclass(frozen=True, slots=True)
class Cell:
    """B prompts of n examples."""

    error: np.ndarray
    """‖w_t − w_ref‖/‖w_ref‖ of the looped transformer, (T+1, B)."""
    floor: np.ndarray
    """‖w_ref − w*‖/‖w*‖, (B,): how far the shortest solution is from the task, 0 where n ≥ d examples determine it."""
    kappa: np.ndarray
    """κ of XᵀX/n on its non-zero eigenvalues, (B,)."""
    growth: np.ndarray
    """ηλ₁, (B,): a prompt diverges where it is above 2."""

    @property
    def task_error(self) -> np.ndarray:
        """‖w_t − w*‖/‖w*‖, (T+1, B).

        w_t − w_ref lies in the span of the examples and w_ref − w* is orthogonal to it, so their squares add up.
        """
        return np.sqrt(self.error**2 * (1 - self.floor**2) + self.floor**2)


def covariance_root(settings: ContextSettings) -> Tensor | None:
    """Σ^{1/2}, (d, d), of correlated features; None where Σ = I. One Σ for all prompts, its axes from the seed."""
    if settings.rows != "correlated":
        return None
    d = settings.features
    variances = prompts.eigenvalues("geometric", d, settings.row_condition_number, d)
    basis = torch.linalg.qr(torch.randn(d, d, generator=prompts.generator(settings.seed), dtype=torch.float64)).Q
    return (basis * variances.sqrt()) @ basis.T


def draw_rows(
    settings: ContextSettings, shape: tuple[int, ...], generator: torch.Generator, root: Tensor | None
) -> Tensor:
    """Examples of the chosen kind, shape (…, d), float64.

    Args:
        settings: rows and d are read.
        shape: Shape of the draw without d.
        generator: the source of every random number.
        root: Σ^{1/2} from `covariance_root`.
    """
    size = (*shape, settings.features)
    if settings.rows == "rademacher":
        return torch.randint(0, 2, size, generator=generator).double() * 2 - 1
    X = torch.randn(size, generator=generator, dtype=torch.float64)
    if settings.rows == "student":  # t = z/√(χ²/ν), and its variance is ν/(ν−2)
        normal = torch.randn((STUDENT_DEGREES, *size), generator=generator, dtype=torch.float64)
        X /= (normal.square().sum(dim=0) / (STUDENT_DEGREES - 2)).sqrt()
    return X if root is None else X @ root


def draw_prompts(settings: ContextSettings, n: int, which: range) -> prompts.Prompts:
    """Noiseless prompts of n examples with the chosen rows; w* is uniform on the unit sphere.

    Every prompt has a generator of its own, seeded by (seed, n, number of the prompt): prompts can be run in any order
    and any grouping, and more of them leave the first ones as they are.
    """
    X = torch.empty(len(which), n, settings.features, dtype=torch.float64)
    w_star = torch.empty(len(which), settings.features, dtype=torch.float64)
    root = covariance_root(settings)
    for place, number in enumerate(which):
        generator = prompts.generator(settings.seed, n, number)
        X[place] = draw_rows(settings, (n,), generator, root)
        torch.randn(settings.features, generator=generator, out=w_star[place])
    w_star /= w_star.norm(dim=1, keepdim=True)
    return prompts.Prompts(X=X, y=torch.einsum("bnd,bd->bn", X, w_star), w_star=w_star)


def run_group(settings: ContextSettings, n: int, which: range) -> Cell:
    """Run the constructed looped transformer on some prompts, all T up to the largest in one trace."""
    batch = draw_prompts(settings, n, which)
    algorithm = GradientDescent(settings.run(), batch)
    looped = looped_iterates(algorithm)
    held = ~np.isfinite(looped)
    if held.any() or np.abs(looped).max() > LARGEST_ITERATE:
        looped = np.clip(np.where(held, LARGEST_ITERATE, looped), -LARGEST_ITERATE, LARGEST_ITERATE)
    w_ref = algorithm.w_ref.numpy()
    assert batch.w_star is not None
    determined = batch.spectrum.nonzero.sum(dim=1).numpy() == settings.features
    return Cell(
        error=relative_distance(looped, w_ref),
        floor=np.where(determined, 0.0, relative_distance(w_ref[None], batch.w_star.numpy())[0]),
        kappa=batch.spectrum.condition_number.numpy(),
        growth=(algorithm.step_size * batch.spectrum.largest).numpy(),
    )


def measured(settings: ContextSettings) -> dict[str, Measured]:
    """What the runs make of a named η: that of the first prompts at the measured n/d nearest to `TYPICAL_RATIO`."""
    ratio, n = min(zip(settings.ratios, settings.examples, strict=True), key=lambda pair: abs(pair[0] - TYPICAL_RATIO))
    count = max(1, min(settings.prompts, MOST_DRAWN // (n * settings.features)))
    found = GradientDescent(settings.run(), draw_prompts(settings, n, range(count))).measured()["step_size"]
    return {"step_size": found._replace(spread=found.spread and f"{found.spread}, at n/d\u00a0=\u00a0{ratio:g}")}


def join(parts: list[Cell]) -> Cell:
    """A whole cell from its groups; the prompts are the last axis."""
    return Cell(*(np.concatenate([getattr(part, name) for part in parts], axis=-1) for name in Cell.__slots__))
