"""Tasks that share a signal, and prompts drawn from them.

β̃ ~ 𝓝(β*, Ψ), x ~ 𝓝(0, H), y = ⟨β̃, x⟩ + σε: every prompt has its own β̃, all of them lie around the shared β*.
"""

import io
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np
import torch
from torch import Tensor

from looped.fields import SettingsError, brief
from looped.files import NOT_AN_ARRAY, read_npy, read_regular

ROUNDING = 1e-10
"""The size that counts as zero, relative to the largest eigenvalue or entry of a covariance."""
UNITS = 16
"""The units of rounding (eps) of its own type, relative to its largest entry, by which a covariance may be asymmetric
or have a negative eigenvalue, where that is more than `ROUNDING`: 2e-6 in float32."""
ROUNDING_RULE = (
    f"Entries across the diagonal may differ by rounding, {UNITS} units (eps) of the file's type relative to the "
    "largest entry, which is 2e-6 in float32; their mean is used."
)
"""The same for the help of a file."""
SMALLEST, LARGEST = 1e-12, 1e12
"""Between these is the largest entry of a covariance that is not 0, and up to the second are β* and σ: products of
four of them must keep clear of the ends of double precision, and training of those of single precision."""
MOST_BYTES = 1024**2
"""Largest file of a covariance that is read: the largest d has a hundredth of that."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SignalTask:
    """The distribution of the prompts: β̃ ~ 𝓝(β*, Ψ), x ~ 𝓝(0, H), y = ⟨β̃, x⟩ + 𝓝(0, σ²), M examples in a prompt.

    H and Ψ may be rank-deficient; the closed forms then use pseudo-inverses, and `notes` says so.

    Raises:
        SettingsError: naming the field, if a shape does not fit, a number is not finite, or H or Ψ is no covariance.

    Source: Zhang, Wu, Bartlett, NeurIPS 2024, arXiv 2402.14951.
    """

    beta_star: Tensor
    """β*, (d,), float64."""
    H: Tensor
    """Covariance of x, (d, d), float64."""
    Psi: Tensor
    """Ψ, covariance of β̃, (d, d), float64."""
    sigma: float
    """σ ≥ 0, label noise."""
    examples: int
    """M, examples in a prompt, at least 1."""

    def __post_init__(self) -> None:
        if self.beta_star.ndim != 1 or len(self.beta_star) == 0:
            shape = _shape(tuple(self.beta_star.shape))
            raise SettingsError("signal", f"β* has the shape {shape}: give one number for each of d ≥ 1 features.")
        if not self.beta_star.isfinite().all():
            raise SettingsError("signal", "β* holds a value that is not finite: give numbers.")
        if (size := float(self.beta_star.abs().max())) > LARGEST:
            raise SettingsError("signal", f"β* has an entry of size {size:.3g}: give at most {LARGEST:.0e}.")
        if self.examples < 1:
            raise SettingsError("examples", f"M = {self.examples} examples are too few: a prompt needs at least 1.")
        if not 0 <= self.sigma <= LARGEST:
            raise SettingsError("noise", f"σ = {self.sigma} is no noise level: give a number from 0 to {LARGEST:.0e}.")
        object.__setattr__(self, "beta_star", self.beta_star.double())
        for name, label in (("H", "H"), ("Psi", "Ψ")):
            object.__setattr__(self, name, _covariance(getattr(self, name), name, label, self.features))

    @classmethod
    def shared(
        cls,
        features: int,
        examples: int,
        signal: float,
        sigma: float = 0.0,
        H: Tensor | None = None,
        Psi: Tensor | None = None,
    ) -> Self:
        """The task with β* = signal·(1, …, 1); H and Ψ are the identity where none is given."""
        if features < 1:
            raise SettingsError("features", f"d = {features} features are too few: give at least 1.")
        identity = torch.eye(features, dtype=torch.float64)
        return cls(
            beta_star=torch.full((features,), float(signal), dtype=torch.float64),
            H=identity if H is None else H,
            Psi=identity if Psi is None else Psi,
            sigma=float(sigma),
            examples=examples,
        )

    @property
    def features(self) -> int:
        """d."""
        return len(self.beta_star)

    @cached_property
    def root_H(self) -> Tensor:
        """H^½, (d, d)."""
        return _power(self.H, 0.5)

    @cached_property
    def inverse_root_H(self) -> Tensor:
        """H^{-½} on the range of H, 0 elsewhere, (d, d)."""
        return _power(self.H, -0.5)

    @cached_property
    def root_Psi(self) -> Tensor:
        """Ψ^½, (d, d)."""
        return _power(self.Psi, 0.5)

    @cached_property
    def S(self) -> Tensor:
        """H^½ΨH^½, the covariance of the tasks as whitened features see it, (d, d)."""
        return self.root_H @ self.Psi @ self.root_H

    @cached_property
    def rank_S(self) -> int:
        """Rank of H^½Ψ^½."""
        return _rank(self.S)

    @cached_property
    def c(self) -> float:
        """tr(HΨ) + σ², the variance of a label around ⟨β*, x⟩."""
        return float(self.S.trace()) + self.sigma**2

    @cached_property
    def Omega(self) -> Tensor:
        """Ω = ((M+1)S + cI)/M, second moment of (1/M)Xᵀ(y − Xβ*) in whitened features, (d, d)."""
        return ((self.examples + 1) * self.S + self.c * torch.eye(self.features, dtype=torch.float64)) / self.examples

    @cached_property
    def notes(self) -> list[str]:
        """One sentence for each covariance that is rank-deficient."""
        ranks = {"H": _rank(self.H), "Ψ": _rank(self.Psi)}
        return [
            f"{name} has rank {rank} of {self.features}: the closed forms use pseudo-inverses, and what {name} does "
            "not span has no part in the risk."
            for name, rank in ranks.items()
            if rank < self.features
        ]


@dataclass(frozen=True, slots=True)
class SignalPrompts:
    """B prompts as the models read them, the label each query has, and the task behind each."""

    E: Tensor
    """Tokens as columns, [[Xᵀ, x], [yᵀ, 0]], (B, d+1, M+1)."""
    y: Tensor
    """Label of the query, with its noise, (B,)."""
    beta: Tensor
    """β̃, (B, d)."""


def draw(
    task: SignalTask, prompts: int, generator: torch.Generator, dtype: torch.dtype = torch.float64
) -> SignalPrompts:
    """Fresh prompts from a task.

    Args:
        task: the distribution of the prompts.
        prompts: B, at least 1.
        generator: the only source of randomness, which also says on what device; it is advanced.
        dtype: the dtype in which everything is drawn.
    """
    B, d, M = prompts, task.features, task.examples
    device = generator.device

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=dtype, device=device)

    E = torch.empty(B, d + 1, M + 1, dtype=dtype, device=device)
    beta = task.beta_star.to(device, dtype) + normal(B, d) @ task.root_Psi.to(device, dtype)
    E[:, :d] = task.root_H.to(device, dtype) @ normal(B, d, M + 1)
    labels = torch.bmm(beta[:, None], E[:, :d])[:, 0]  # (B, M+1)
    if task.sigma > 0:
        labels += task.sigma * normal(B, M + 1)
    E[:, d] = labels
    E[:, d, M] = 0
    return SignalPrompts(E=E, y=labels[:, M].clone(), beta=beta)


def load_covariance(path: Path, name: str, features: int) -> Tensor:
    """H or Ψ from a .npy file, checked as `SignalTask` checks it.

    Args:
        path: the path of the file.
        name: the name of the setting, H or Psi.
        features: d, the number of features.

    Raises:
        SettingsError: in one sentence, if the file cannot be read or does not hold a covariance of d features.
    """
    try:
        content = read_regular(path, MOST_BYTES)
    except OSError as error:
        raise SettingsError(name, f"{_label(name)}: {brief(path, 80)} cannot be read: {error.strerror}.") from None
    return read_covariance(io.BytesIO(content), str(path), name, features)


def read_covariance(file: BinaryIO, shown: str, name: str, features: int) -> Tensor:
    """The same from an open file, called `shown` in messages."""
    label, shown = _label(name), brief(shown, 80)

    def check(shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        if dtype.kind not in "fiu":
            raise SettingsError(name, f"{label}: {shown} does not hold real numbers: write some with numpy.save.")
        if shape != (features, features):
            raise _wrong_shape(name, label, shape, features)

    try:
        values = read_npy(file, check)
    except SettingsError:
        raise
    except NOT_AN_ARRAY:
        raise SettingsError(name, f"{label}: {shown} is no .npy file of numbers: write one with numpy.save.") from None
    with np.errstate(over="ignore", invalid="ignore"):  # a number beyond float64 is then not finite
        matrix = torch.from_numpy(values.astype(np.float64))
    eps = float(np.finfo(values.dtype).eps) if values.dtype.kind == "f" else 0.0
    return _covariance(matrix, name, label, features, eps)


def _label(name: str) -> str:
    return "Ψ" if name == "Psi" else name


def _wrong_shape(name: str, label: str, shape: tuple[int, ...], d: int) -> SettingsError:
    return SettingsError(name, f"{label} has the shape {_shape(shape)}: with d = {d} features it must be {d} × {d}.")


def _covariance(matrix: Tensor, name: str, label: str, d: int, eps: float | None = None) -> Tensor:
    """The matrix in float64, exactly symmetric, or a sentence on why it is no covariance.

    Args:
        matrix: the matrix as given, (d, d).
        name: the name of the setting.
        label: the name of the matrix in messages.
        d: the number of features.
        eps: the unit of rounding of the numbers it was made from; by default that of its own type.
    """
    if matrix.shape != (d, d):
        raise _wrong_shape(name, label, tuple(matrix.shape), d)
    if eps is None:
        eps = torch.finfo(matrix.dtype).eps if matrix.is_floating_point() else 0.0
    rounding, matrix = max(ROUNDING, UNITS * eps), matrix.double()
    size, apart = float(matrix.abs().max()), float((matrix - matrix.mT).abs().max())
    if not matrix.isfinite().all():
        raise SettingsError(name, f"{label} holds a value that is not finite: a covariance needs numbers.")
    if size > LARGEST or 0 < size < SMALLEST:
        units = f"give it in other units, so that this is from {SMALLEST:.0e} to {LARGEST:.0e}"
        raise SettingsError(name, f"{label} has {size:.3g} as its largest entry: {units}.")
    if apart > rounding * size:
        why = f"is not symmetric, two entries differ by {apart:.2g}"
        raise SettingsError(name, f"{label} {why}: give a covariance matrix.")
    matrix = (matrix + matrix.mT) / 2
    values, vectors = torch.linalg.eigh(matrix)
    smallest = float(values[0])
    if smallest < -rounding * size:
        why = f"has the negative eigenvalue {smallest:.2g}"
        raise SettingsError(name, f"{label} {why}: a covariance is positive semi-definite.")
    if smallest < -ROUNDING * size:  # rounding of the file: eigenvalues as small as that are 0
        matrix = (vectors * torch.where(values > rounding * size, values, 0.0)) @ vectors.mT
        matrix = (matrix + matrix.mT) / 2
    return matrix


def _power(matrix: Tensor, exponent: float) -> Tensor:
    """A covariance to ±½ on its range."""
    values, vectors = torch.linalg.eigh(matrix)
    present = values > ROUNDING * values[-1]
    powers = torch.where(present, torch.where(present, values, 1.0).pow(exponent), 0.0)
    return (vectors * powers) @ vectors.mT


def _rank(matrix: Tensor) -> int:
    values = torch.linalg.eigvalsh(matrix)
    return int((values > ROUNDING * values[-1]).sum())


def _shape(shape: tuple[int, ...]) -> str:
    return brief(" × ".join(map(str, shape))) or "of a single number"
