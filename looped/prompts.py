"""Prompts: the examples a transformer reads, drawn with a chosen spectrum or taken from a table.

Axis order everywhere: B prompts, n examples, d features.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from looped.fields import SettingsError
from looped.settings import Settings
from looped.tables import Table

AT_ONCE = 16
"""Normal numbers that PyTorch makes together."""
TASKS, AXES, EXAMPLES, NOISE = range(4)
"""Number of the generator of each part of the prompts."""


@dataclass(frozen=True)
class Spectrum:
    """Eigen-decomposition of Σ̂ = XᵀX/n on its range, from the singular values of X (float64).

    Only the `rank` largest modes of a prompt are non-zero; the rest carry eigenvalue 0.
    """

    eigenvalues: Tensor
    """λ, (B, min(n, d)), descending; exactly 0 beyond the numerical rank."""
    eigenvectors: Tensor
    """v_k as columns, (B, d, min(n, d))."""
    left: Tensor
    """Left singular vectors of X, (B, n, min(n, d))."""

    @cached_property
    def nonzero(self) -> Tensor:
        """Mask of the modes that exist, (B, min(n, d))."""
        return self.eigenvalues > 0

    @cached_property
    def largest(self) -> Tensor:
        """λ₁, (B,)."""
        return self.eigenvalues[:, 0]

    @cached_property
    def smallest(self) -> Tensor:
        """λ_d, the smallest non-zero eigenvalue, (B,)."""
        return torch.where(self.nonzero, self.eigenvalues, torch.inf).amin(dim=1)

    @cached_property
    def condition_number(self) -> Tensor:
        """κ = λ₁/λ_d on the non-zero eigenvalues, (B,)."""
        return self.largest / self.smallest


@dataclass(frozen=True)
class Prompts:
    """B prompts of n examples with d features, and what they are known to contain."""

    X: Tensor
    """(B, n, d), in the run's dtype."""
    y: Tensor
    """Labels with noise, not scaled by α, (B, n)."""
    w_star: Tensor | None
    """The task each prompt was drawn from, (B, d); None for real data."""
    covariance: Tensor | None = None
    """Σ of the distribution that rows are drawn from, (d, d), float64; None is the identity."""
    input_rounding: float = 0.0
    """The error of a singular value of X that rounding the numbers of a table can make; 0 for drawn prompts."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(B, n, d)."""
        B, n, d = self.X.shape
        return B, n, d

    @cached_property
    def spectrum(self) -> Spectrum:
        """Eigenvalues λ = s²/n and eigenvectors of XᵀX/n, from X = U diag(s) Vᵀ.

        The singular values of X carry κ with a relative error of about √κ·eps; squaring X first would cost κ·eps.
        The rank is numerical: a singular value counts as 0 below s₁·max(n, d)·eps of the dtype of X, and below what the
        rounding of a table's numbers leaves.
        """
        X = self.X.double()
        _, n, d = self.shape
        left, s, vectors = torch.linalg.svd(X, full_matrices=False)
        floor = s[:, :1] * max(n, d) * torch.finfo(self.X.dtype).eps
        s = torch.where(s > floor.clamp(min=self.input_rounding), s, 0.0)
        return Spectrum(eigenvalues=s.square() / n, eigenvectors=vectors.mT, left=left)

    def least_squares(self, label_scale: float) -> Tensor:
        """w_ref, the shortest minimiser of ‖Xw − αy‖²: X⁺αy. It is αw* when noiseless and of rank d.

        Labels orthogonal to all features, up to 8 times the rounding of the run, have the solution 0.

        Args:
            label_scale: α.

        Returns:
            (B, d), float64.
        """
        spectrum, n = self.spectrum, self.X.shape[1]
        s = (spectrum.eigenvalues * n).sqrt()
        labels = label_scale * self.y.double()
        along = torch.einsum("bnk,bn->bk", spectrum.left, labels)
        lost = 8 * torch.finfo(self.X.dtype).eps * labels.norm(dim=1, keepdim=True)
        seen = torch.where(spectrum.nonzero, along, 0.0).norm(dim=1, keepdim=True)
        along = torch.where(seen > lost, along, 0.0)
        along = torch.where(spectrum.nonzero, along / torch.where(spectrum.nonzero, s, 1.0), 0.0)
        return torch.einsum("bdk,bk->bd", spectrum.eigenvectors, along)


def relative_distance(iterates: np.ndarray, target: np.ndarray) -> np.ndarray:
    """‖w_t − w‖/‖w‖ for iterates (T+1, B, d) and w (B, d); the absolute distance where w is 0."""
    difference = iterates - target
    length = np.linalg.norm(target, axis=1)
    distance: np.ndarray = np.sqrt(np.einsum("tbd,tbd->tb", difference, difference)) / np.where(length > 0, length, 1.0)
    return distance


def eigenvalues(shape: str, rank: int, condition_number: float, features: int) -> Tensor:
    """The chosen spectrum: `rank` eigenvalues from κ down to 1 in the chosen shape, scaled to the sum d (float64).

    geometric λ_k ∝ κ^(1−k/(r−1)) · linear: evenly spaced · two-level: the first half κ, the rest 1 ·
    outlier: one κ, the rest 1. With rank 1 there is one eigenvalue, d, and κ is 1.

    Args:
        shape: the shape of the spectrum: geometric, linear, two-level or outlier.
        rank: r, the number of eigenvalues, at least 1.
        condition_number: κ, at least 1.
        features: d, the sum of the eigenvalues.

    Returns:
        (rank,), descending.

    Raises:
        ValueError: for another shape.
    """
    if rank == 1:
        return torch.full((1,), float(features), dtype=torch.float64)
    values = torch.ones(rank, dtype=torch.float64)
    match shape:
        case "geometric":
            values = condition_number ** torch.linspace(1.0, 0.0, rank, dtype=torch.float64)
        case "linear":
            values = torch.linspace(condition_number, 1.0, rank, dtype=torch.float64)
        case "two-level":
            values[: rank // 2] = condition_number
        case "outlier":
            values[0] = condition_number
        case _:
            raise ValueError(f"There is no spectrum '{shape}': choose geometric, linear, two-level or outlier.")
    return values * (features / values.sum())


def draw(settings: Settings, first: int | None = None) -> Prompts:
    """Random prompts: y = Xw* + σε with w* uniform on the unit sphere.

    `data="exact"`: X = √n·U diag(√λ) Vᵀ with U (n, r) and V (d, r) the orthonormal factors of Gaussian matrices,
    r = min(n, d), so that XᵀX/n has exactly the eigenvalues of `eigenvalues`. `data="gaussian"`: rows are 𝓝(0, I).
    `data="correlated"`: rows are 𝓝(0, Σ), Σ = V diag(λ) Vᵀ with those eigenvalues and one V for all prompts.
    Drawn in float64, then rounded to `settings.dtype`. w*, V, the examples and the noise have a generator each, seeded
    by `settings.seed`: more prompts leave the first ones as they are, and another n leaves w* and V, and with them the
    loss of an exact spectrum where n ≥ d.

    Args:
        settings: the settings of the run; sizes, spectrum, κ, noise, seed and dtype are read.
        first: how many of the B prompts to give, the first of them; all if None.

    Returns:
        B prompts, X (B, n, d), y (B, n), w* (B, d), or the first of them.
    """
    n, d, r = settings.examples, settings.features, settings.rank
    B = settings.prompts if first is None else min(first, settings.prompts)

    def normal(part: int, *shape: int) -> Tensor:
        return first_normals(generator(settings.seed, part), *shape)

    w_star = normal(TASKS, B, d)
    w_star /= w_star.norm(dim=1, keepdim=True)
    covariance = None
    if settings.data == "gaussian":
        X = normal(EXAMPLES, B, n, d)
    elif settings.data == "correlated":
        values = eigenvalues(settings.spectrum, d, settings.condition_number, d)
        V = torch.linalg.qr(normal(AXES, d, d)).Q
        X = (normal(EXAMPLES, B, n, d) * values.sqrt()) @ V.T
        covariance = (V * values) @ V.T
    else:
        values = eigenvalues(settings.spectrum, r, settings.condition_number, d)
        U = torch.linalg.qr(normal(EXAMPLES, B, n, r)).Q
        V = torch.linalg.qr(normal(AXES, B, d, r)).Q
        X = (U * (n * values).sqrt()) @ V.mT
    y = torch.einsum("bnd,bd->bn", X, w_star)
    if settings.noise > 0:
        y = y + settings.noise * normal(NOISE, B, n)
    dtype = getattr(torch, settings.dtype)
    return Prompts(X=X.to(dtype), y=y.to(dtype), w_star=w_star.to(dtype), covariance=covariance)


def generator(*numbers: int) -> torch.Generator:
    """A generator of its own for every sequence of numbers of one length, each of them at least 0.

    Zeros at the end count for nothing: (5,) and (5, 0) have the same.
    """
    seed = np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1
    return torch.Generator().manual_seed(int(seed))


def first_normals(generator: torch.Generator, *shape: int) -> Tensor:
    """Standard normal numbers in float64 of which fewer are the first of more.

    PyTorch makes 16 at a time, and the last 16 anew where they do not come out even: here some are left over instead.

    Args:
        generator: one of the processor, as it was made.
        shape: that of the numbers.
    """
    size = math.prod(shape)
    even = -(-size // AT_ONCE) * AT_ONCE
    return torch.randn(even, generator=generator, dtype=torch.float64)[:size].reshape(shape)


def from_table(table: Table, settings: Settings) -> Prompts:
    """One prompt from a table: X standardised (1, n, d), y centred (1, n), the task unknown.

    Args:
        table: the table in original units; it is standardised in float64, then rounded to the dtype.
        settings: the settings of the run; dtype and label scale are read.

    Raises:
        SettingsError: if the labels αy are too large or too small for the dtype to hold their squares.
    """
    X, y = table.standardised()
    dtype = getattr(torch, settings.dtype)
    largest = abs(settings.label_scale) * float(abs(y).max())
    limits = torch.finfo(dtype)
    if largest > 0 and not limits.tiny / limits.eps**1.5 < largest < (limits.max / len(y)) ** 0.5 / 16:
        wide = settings.dtype == "float64"
        remedy = "choose another α" if wide else "choose float64, or another unit for it"
        raise SettingsError(
            "label_scale" if wide else "dtype",
            f"In {settings.dtype} the squares of the target '{table.target}', whose labels reach {largest:.1e}, go out "
            f"of range: {remedy}.",
        )
    return Prompts(
        X=torch.from_numpy(X).to(dtype)[None], y=torch.from_numpy(y).to(dtype)[None], w_star=None,
        input_rounding=table.rounding,
    )  # fmt: skip
