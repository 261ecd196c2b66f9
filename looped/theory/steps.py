"""Step sizes, and the effect of a step on each eigen-mode: its factor, the closed-form error, the rounding floor.

Everything follows from the eigenvalues λ of Σ̂ = XᵀX/n: along eigenvector v_k gradient descent multiplies the distance
to the solution by 1 − ηλ_k in every loop.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from looped.prompts import Spectrum
from looped.settings import Settings

MODE_PRESENT = 1e-13
"""A mode counts as part of w_ref if it carries more than this share of its length."""


def best_constant(largest: Tensor, smallest: Tensor) -> Tensor:
    """2/(λ₁+λ_d), which minimises max_k |1 − ηλ_k|: the constant step that is best for the slowest mode.

    In the long run no constant step does better; over few loops another one may.
    """
    return 2 / (largest + smallest)


def step_sizes(
    spectrum: Spectrum, settings: Settings, optimal: Callable[[Tensor, Tensor], Tensor] = best_constant
) -> Tensor:
    """η for each prompt, read from its own data: 1/λ₁ (auto), 2/(λ₁+λ_d) (optimal), or the number given.

    With `shared_step` one η serves all prompts: 1/max λ₁, or 2/(max λ₁ + min λ_d).

    Args:
        spectrum: Spectrum of the matrix that the algorithm contracts.
        settings: `step_size` and `shared_step` are read.
        optimal: the best step of the algorithm from λ₁ and λ_d.

    Returns:
        (B,), float64.
    """
    largest, smallest = spectrum.largest, spectrum.smallest
    if settings.shared_step:
        largest = largest.max().expand_as(largest)
        smallest = smallest.min().expand_as(smallest)
    match settings.step_size:
        case "auto":
            return 1 / largest
        case "optimal":
            return optimal(largest, smallest)
        case number:
            return torch.full_like(largest, number)


def asymptotic_factor(change: Tensor, momentum: float = 0.0) -> Tensor:
    """The factor of a mode in the long run: |1 − ηλ|, or with momentum μ the larger of two roots.

    Args:
        change: ηλ, any shape.
        momentum: μ.
    """
    return _roots(change, momentum)[0]


def away_from_one(change: Tensor, momentum: float = 0.0) -> Tensor:
    """|1 − factor| of `asymptotic_factor`, without the cancellation in its difference from 1.

    1 − r for the root r of r² − (1+μ−ηλ)r + μ near 1 solves s² − (1−μ+ηλ)s + ηλ = 0; near −1 it is the same with
    2(1+μ) − ηλ in place of ηλ. A complex pair has the size √μ.

    Args:
        change: ηλ, any shape.
        momentum: μ.
    """
    near = torch.minimum(change, 2 * (1 + momentum) - change)  # below 0 where the mode grows
    sum_of_roots = 1 - momentum + near
    discriminant = sum_of_roots.square() - 4 * near
    away = 2 * near / (sum_of_roots + discriminant.clamp(min=0).sqrt())
    return torch.where(discriminant < 0, 1 - momentum**0.5, away).abs()


def _roots(change: Tensor, momentum: float) -> tuple[Tensor, Tensor]:
    # Sizes of the roots of r² − (1+μ−ηλ)r + μ: the larger, and μ over it. A complex pair has the size √μ.
    if momentum == 0:
        return (1 - change).abs(), torch.zeros_like(change)
    middle = (1 + momentum - change).abs()
    larger = (middle + (middle.square() - 4 * momentum).clamp(min=0).sqrt()) / 2
    larger = torch.where(middle.square() < 4 * momentum, momentum**0.5, larger)
    return larger, momentum / larger


def closed_form_errors(spectrum: Spectrum, step_size: Tensor, w_ref: Tensor, loops: int) -> Tensor:
    """‖w_t − w_ref‖/‖w_ref‖ from the eigenvalues alone, no iteration: a third route to every curve.

    ⟨v_k, w_t − w_ref⟩ = (1 − ηλ_k)^t ⟨v_k, w_0 − w_ref⟩ with w_0 = 0, so with c_k = ⟨v_k, w_ref⟩
    error_t² = Σ_k (1 − ηλ_k)^{2t} c_k² / Σ_k c_k².

    Args:
        spectrum: Spectrum of the prompts.
        step_size: η, (B,), float64.
        w_ref: (B, d), float64.
        loops: T.

    Returns:
        (T+1, B), float64; inf where the power overflows.
    """
    weight = torch.einsum("bdk,bd->bk", spectrum.eigenvectors, w_ref).square()  # (B, r)
    weight = torch.where(spectrum.nonzero, weight, 0.0)
    total = weight.sum(dim=1, keepdim=True)
    weight = weight / torch.where(total > 0, total, 1.0)
    squared = (1 - step_size[:, None] * spectrum.eigenvalues).square()
    squared = powers(torch.where(weight > 0, squared, 0.0), loops)
    return torch.bmm(squared.transpose(0, 1), weight[..., None])[..., 0].T.sqrt()


def powers(base: Tensor, loops: int) -> Tensor:
    """base⁰ … base^T, (T+1, …), by doubling: the second half of the table is the first half times base^m."""
    table = torch.empty(loops + 1, *base.shape, dtype=base.dtype)
    table[0] = 1.0
    known = 1
    while known <= loops:
        count = min(known, loops + 1 - known)
        torch.mul(table[:count], base.pow(known), out=table[known : known + count])
        known += count
    return table


def rounding_floor(
    spectrum: Spectrum, step_size: Tensor, share: Tensor, terms: Tensor, momentum: float = 0.0
) -> Tensor:
    """The relative error below which rounding dominates, in units of eps: √(kept² + moved² + first²).

    kept² = Σ_k 1/((1−r₁²)(1−r₂²))/d: every loop rounds w, and mode k remembers that as r₁ᵗ and r₂ᵗ; without momentum
    r₁ = 1 − ηλ_k and r₂ = 0. moved² = Σ_k share_k²/(ηλ_k)²: a rounding error that is the same in every loop moves the
    limit of the loop, in mode k by 1/(ηλ_k) times the error. first: the first update's terms over ‖w_ref‖, each
    rounded at its own size. An estimate of this project, not a theorem: `Algorithm.rounding_floor` says how near
    measured floors are.

    Args:
        spectrum: Spectrum of the matrix that a step contracts.
        step_size: η, (B,), float64.
        share: |⟨v_k, w_ref⟩|/‖w_ref‖, (B, r).
        terms: first, (B,).
        momentum: μ.

    Returns:
        (B,), float64; inf where a mode does not contract.
    """
    change = step_size[:, None] * spectrum.eigenvalues
    first, second = _roots(change, momentum)
    kept = (1 - first.square()).clamp(min=0) * (1 - second.square()).clamp(min=0)
    memory = torch.where(spectrum.nonzero, 1 / kept, 0.0).sum(dim=1) / spectrum.eigenvectors.shape[1]
    moved = torch.where(spectrum.nonzero, share / change, 0.0).square().sum(dim=1)
    return (memory + moved + terms.square()).sqrt()


def gap_tolerance(dtype: torch.dtype, condition_number: float, loops: int, drifts: bool = False) -> float:
    """The largest distance that rounding may put between two evaluations of a loop, relative to the largest iterate.

    16·eps·(κ + √T), at most 1e-3: a contracting loop forgets its rounding errors after about κ loops, and errors of
    random sign add up like √T. A rule of this project, checked by its tests; not a theorem.

    Args:
        dtype: Type of the run.
        condition_number: κ, as `Algorithm.condition_number` says.
        loops: T.
        drifts: True if every loop may round alike in directions without examples, where nothing pulls back: T then
            replaces √T.
    """
    return min(16 * torch.finfo(dtype).eps * (condition_number + (loops if drifts else loops**0.5)), 1e-3)
