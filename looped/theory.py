"""What the mathematics says before anything runs: step sizes, convergence, closed-form curves and bounds.

Everything follows from the eigenvalues λ of H = XᵀX/n: along eigenvector v_k gradient descent multiplies the distance
to the solution by 1 − ηλ_k in every loop.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from looped.algorithms.base import ALGORITHMS
from looped.fields import TABLES
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
        spectrum: what the algorithm contracts.
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


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the step size does to the error, known before running. It does not depend on T."""

    kind: Literal["converges", "oscillates", "diverges", "unknown"]
    """For the worst prompt; unknown where nothing is known beforehand."""
    affected: int
    """How many prompts oscillate or diverge."""
    prompts: int
    """B."""
    step_size: float
    """η of the worst prompt."""
    limit: float
    """2/λ₁ of the worst prompt."""
    factor: float
    """|1 − ηλ_k| of its slowest or fastest-growing mode; with momentum what a loop multiplies it by in the long run."""
    mode: int
    """That mode's number, 1 is the largest eigenvalue."""
    limit_name: str = "2/λ₁"
    """The limit as a formula."""
    away: float = 0.0
    """|1 − factor|, with all its digits."""
    momentum: float = 0.0
    """β."""
    precision: str = "float64"
    """dtype of the run, to whose rounding η may equal the limit."""
    words: str = ""
    """The verdict, for an algorithm that does not multiply each mode by the same factor in every loop."""

    @property
    def head(self) -> str:
        """Which side of its limit η is on, with as many digits as it takes to see that."""
        below = "below" if self.kind == "converges" else "above"
        digits = next((k for k in range(3, 17) if f"{self.step_size:.{k}g}" != f"{self.limit:.{k}g}"), 17)
        return f"η = {self.step_size:.{digits}g} is {below} {self.limit_name} = {self.limit:.{digits}g}"

    @property
    def sentence(self) -> str:
        """The verdict in words, with its numbers."""
        if self.words:
            return self.words
        who = "" if self.affected in (0, self.prompts) else f" in {self.affected} of {self.prompts} prompts"
        each = "in the long run every loop" if self.momentum else "every loop"
        match self.kind:
            case "converges" if self.factor < 1e-12:
                return f"Converges: {self.head}, and one loop removes every mode."
            case "converges" if self.away < 1e-3:
                return (
                    f"Converges: {self.head}; {each} removes only {self.away:.2g} of the error in the slowest mode, "
                    f"number {self.mode}."
                )
            case "converges":
                return (
                    f"Converges: {self.head}; {each} leaves {self.factor:.4g} of the error in the slowest mode, "
                    f"number {self.mode}."
                )
            case "oscillates":
                grown = (1 + self.momentum) / (1 - self.momentum)
                grows = f"grows to (1+β)/(1−β) = {grown:.3g} times its start and then " if self.momentum else ""
                return (
                    f"Oscillates without end{who}: η = {self.limit_name} = {self.limit:.6g} to the rounding of "
                    f"{self.precision}; mode {self.mode} {grows}only changes its sign."
                )
            case _:
                long_run = " in the long run" if self.momentum else ""
                grows = f"{self.factor:.3g}×" if self.away > 5e-3 else f"by {self.away:.2g} of itself"
                return f"Diverges{who}: {self.head}; mode {self.mode} grows {grows} per loop{long_run}."


def predict(
    spectrum: Spectrum,
    step_size: Tensor,
    w_ref: Tensor,
    dtype: torch.dtype = torch.float64,
    momentum: float = 0.0,
    limit_name: str = "2/λ₁",
) -> Prediction:
    """Convergence from η against 2/λ₁: mode k is multiplied by 1 − ηλ_k in every loop.

    With momentum β the limit is 2(1+β)/λ₁, and what a mode is multiplied by in the long run is the size of the larger
    root of r² − (1+β−ηλ)r + β. At the limit the roots are −1 and −β, and the mode grows to (1+β)/(1−β) times its
    start before it only changes its sign.

    A mode that w_ref does not have starts at zero error. It stays there unless it grows: rounding wakes it.

    Args:
        spectrum: of the prompts.
        step_size: η, (B,), float64.
        w_ref: where the loop is heading, (B, d), float64.
        dtype: of the run; η equals 2/λ₁ if it does so to the rounding of this type.
        momentum: β, from 0 to below 1.
        limit_name: of 2(1+β)/λ₁, in words.

    Returns:
        The verdict for the worst prompt.
    """
    share = torch.einsum("bdk,bd->bk", spectrum.eigenvectors, w_ref).abs()
    change = step_size[:, None] * spectrum.eigenvalues
    tolerance = 16 * torch.finfo(dtype).eps
    edge = 2 * (1 + momentum)
    present = spectrum.nonzero & (share > MODE_PRESENT * w_ref.norm(dim=1, keepdim=True)) | (change > edge + tolerance)
    factors = torch.where(present, asymptotic_factor(change, momentum), 0.0)
    away = torch.where(present, away_from_one(change, momentum), torch.inf)
    over = torch.where(present, change, 0.0).amax(dim=1) - edge
    diverging, oscillating = over > tolerance, over.abs() <= tolerance
    kind: Literal["converges", "oscillates", "diverges"] = "converges"
    affected = torch.zeros_like(diverging)
    if diverging.any():
        kind, affected = "diverges", diverging
        place = torch.where(diverging[:, None], factors, 0.0).argmax()
    elif oscillating.any():
        kind, affected = "oscillates", oscillating
        place = torch.where(oscillating[:, None], torch.where(present, change, 0.0), 0.0).argmax()
    else:
        place = away.argmin()
    worst, mode = divmod(int(place), factors.shape[1])
    prediction = Prediction(
        kind=kind,
        affected=int(affected.sum()),
        prompts=len(step_size),
        step_size=float(step_size[worst]),
        limit=float(edge / spectrum.largest[worst]),
        factor=float(factors[worst, mode]),
        mode=mode + 1,
        limit_name=limit_name,
        away=float(away[worst, mode].clamp(max=1.0)) if kind == "converges" else float(away[worst, mode]),
        momentum=momentum,
        precision=str(dtype).removeprefix("torch."),
    )
    if kind == "converges" and not w_ref.any():
        words = "Converges: the labels are orthogonal to the features, so the solution is 0, where the loop starts."
        return replace(prediction, words=words)
    return prediction


def asymptotic_factor(change: Tensor, momentum: float = 0.0) -> Tensor:
    """What a loop multiplies a mode by in the long run: |1 − ηλ|, or with momentum β the larger of two roots.

    Args:
        change: ηλ, any shape.
        momentum: β.
    """
    return _roots(change, momentum)[0]


def away_from_one(change: Tensor, momentum: float = 0.0) -> Tensor:
    """|1 − factor| of `asymptotic_factor`, without the cancellation in its difference from 1.

    1 − r for the root r of r² − (1+β−ηλ)r + β near 1 solves s² − (1−β+ηλ)s + ηλ = 0; near −1 it is the same with
    2(1+β) − ηλ in place of ηλ. A complex pair has the size √β.

    Args:
        change: ηλ, any shape.
        momentum: β.
    """
    near = torch.minimum(change, 2 * (1 + momentum) - change)  # below 0 where the mode grows
    sum_of_roots = 1 - momentum + near
    discriminant = sum_of_roots.square() - 4 * near
    away = 2 * near / (sum_of_roots + discriminant.clamp(min=0).sqrt())
    return torch.where(discriminant < 0, 1 - momentum**0.5, away).abs()


def _roots(change: Tensor, momentum: float) -> tuple[Tensor, Tensor]:
    # Sizes of the roots of r² − (1+β−ηλ)r + β: the larger, and β over it. A complex pair has the size √β.
    if momentum == 0:
        return (1 - change).abs(), torch.zeros_like(change)
    middle = (1 + momentum - change).abs()
    larger = (middle + (middle.square() - 4 * momentum).clamp(min=0).sqrt()) / 2
    larger = torch.where(middle.square() < 4 * momentum, momentum**0.5, larger)
    return larger, momentum / larger


def rounding_floor(
    spectrum: Spectrum, step_size: Tensor, share: Tensor, terms: Tensor, momentum: float = 0.0
) -> Tensor:
    """The relative error below which rounding rules, in units of eps: √(K² + A² + u²).

    K² = Σ_k 1/((1−r₁²)(1−r₂²))/d: every loop rounds w, and mode k remembers that as r₁ᵗ and r₂ᵗ; without momentum
    r₁ = 1 − ηλ_k and r₂ = 0. A² = Σ_k share_k²/(ηλ_k)²: what is rounded alike in every loop moves the point where the
    loop stops, in mode k by 1/(ηλ_k) of itself. u: the first update's terms over ‖w_ref‖, each rounded at its own
    size. An estimate of this project, not a theorem: `Dynamics.rounding_floor` says how near measured floors are.

    Args:
        spectrum: of what a step contracts.
        step_size: η, (B,), float64.
        share: |⟨v_k, w_ref⟩|/‖w_ref‖, (B, r).
        terms: u, (B,).
        momentum: β.

    Returns:
        (B,), float64; inf where a mode does not contract.
    """
    change = step_size[:, None] * spectrum.eigenvalues
    first, second = _roots(change, momentum)
    kept = (1 - first.square()).clamp(min=0) * (1 - second.square()).clamp(min=0)
    memory = torch.where(spectrum.nonzero, 1 / kept, 0.0).sum(dim=1) / spectrum.eigenvectors.shape[1]
    moved = torch.where(spectrum.nonzero, share / change, 0.0).square().sum(dim=1)
    return (memory + moved + terms.square()).sqrt()


def closed_form_errors(spectrum: Spectrum, step_size: Tensor, w_ref: Tensor, loops: int) -> Tensor:
    """‖w_t − w_ref‖/‖w_ref‖ from the eigenvalues alone, no iteration: a third route to every curve.

    ⟨v_k, w_t − w_ref⟩ = (1 − ηλ_k)^t ⟨v_k, w_0 − w_ref⟩ with w_0 = 0, so with c_k = ⟨v_k, w_ref⟩
    error_t² = Σ_k (1 − ηλ_k)^{2t} c_k² / Σ_k c_k².

    Args:
        spectrum: of the prompts.
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


@dataclass(frozen=True, slots=True)
class Bound:
    """One upper bound on the relative error, and whether it may be drawn here."""

    key: str
    """Name in files."""
    label: str
    """Formula, as the legend shows it."""
    source: str
    """Who says so, and how this project knows."""
    values: Tensor | None
    """The bound after each loop, (T+1,), or None where it does not apply."""
    why_not: str = ""
    """Why it is not drawn, as the end of a sentence; empty when it is."""


def bounds(settings: Settings, spectrum: Spectrum, step_size: Tensor, exact_labels: bool) -> list[Bound]:
    """The bounds on ‖w_T − αw*‖/(|α|‖w*‖), each with its values or the reason it does not apply.

    They need noiseless labels, n ≥ d with full rank, and the step they were made for, in every prompt. Where prompts
    differ in κ the largest is used, so that the bound holds for all of them.

    Args:
        settings: of the run.
        spectrum: of its prompts.
        step_size: η, (B,), float64.
        exact_labels: whether y = Xw* without noise, for a known w*.
    """
    kappa = float(spectrum.condition_number.max())
    t = torch.arange(settings.loops + 1, dtype=torch.float64)
    d = spectrum.eigenvectors.shape[1]
    general = ""
    if settings.algorithm != "gd":
        loop = "softmax attention" if settings.algorithm == "softmax" else ALGORITHMS[settings.algorithm].title
        general = f"it is about gradient descent, and this loop is {loop}"
    elif not bool(spectrum.nonzero.all()) or spectrum.eigenvalues.shape[1] < d:
        rank = int(spectrum.nonzero.sum(dim=1).min())
        general = (
            f"the examples have numerical rank {rank} < d = {d} in {settings.dtype}, and the part of w* they do not "
            "see never moves"
        )
    elif not exact_labels:
        general = "it is about the distance to αw*, and with noise in the labels the loop ends at least squares instead"
        if settings.data in TABLES:
            general = "it is about the distance to αw*, and real data has no known w*"
    elif not isinstance(settings.step_size, str):
        general = "it was made for the step read from the data, and this one was set by hand"
    own_step = {
        "auto": torch.allclose(step_size * spectrum.largest, torch.ones_like(step_size), rtol=1e-9),
        "optimal": torch.allclose(
            step_size * (spectrum.largest + spectrum.smallest), torch.full_like(step_size, 2.0), rtol=1e-9
        ),
    }

    def bound(key: str, label: str, source: str, values: Tensor, steps: tuple[str, ...], step_name: str) -> Bound:
        why = general
        if not why and settings.step_size not in steps:
            why = f"it belongs to the step {step_name}"
        elif not why and not own_step[str(settings.step_size)]:
            why = "one η for all prompts is not each prompt's own step"
        return Bound(key, label, source, None if why else values, why)

    return [
        bound(
            "bound_paper",
            "e^(−t/(2κ))",
            "|α|e^(−T/(2κ)) on ‖w_T − αw*‖ with ‖w*‖ = 1, as a stored summary of arXiv 2410.11268 gives it, divided by "
            "|α|; the paper's text was not read, the bound follows from the derived rates for both steps",
            torch.exp(-t / (2 * kappa)),
            ("auto", "optimal"),
            "1/λ₁ (auto) or 2/(λ₁+λ_d) (optimal)",
        ),
        bound(
            "bound_auto",
            "(1 − 1/κ)ᵗ",
            "derived for this project, η = 1/λ₁",
            torch.tensor(1 - 1 / kappa, dtype=torch.float64) ** t,
            ("auto",),
            "1/λ₁ (auto)",
        ),
        bound(
            "bound_optimal",
            "((κ−1)/(κ+1))ᵗ",
            "derived for this project, η = 2/(λ₁+λ_d)",
            torch.tensor((kappa - 1) / (kappa + 1), dtype=torch.float64) ** t,
            ("optimal",),
            "2/(λ₁+λ_d) (optimal)",
        ),
    ]


def missing_bounds(all_bounds: list[Bound]) -> list[str]:
    """One sentence for each reason that keeps bounds off the chart."""
    reasons: dict[str, list[str]] = {}
    for bound in all_bounds:
        if bound.why_not:
            reasons.setdefault(bound.why_not, []).append(bound.label)
    return [
        f"No bound is drawn: {why}."
        if len(labels) == len(all_bounds)
        else f"{' and '.join(labels)} {'is' if len(labels) == 1 else 'are'} not drawn: {why}."
        for why, labels in reasons.items()
    ]


def gap_tolerance(dtype: torch.dtype, condition_number: float, loops: int, drifts: bool = False) -> float:
    """How far two exact evaluations may drift apart by rounding, relative to the largest iterate.

    16·eps·(κ + √T), at most 1e-3: a contracting loop forgets its rounding errors after about κ loops, and errors of
    random sign add up like √T. A rule of this project, checked by its tests; not a theorem.

    Args:
        dtype: of the run.
        condition_number: κ, as `Dynamics.condition_number` says.
        loops: T.
        drifts: whether every loop may round alike in directions without examples, where nothing pulls back: T then
            stands for √T.
    """
    return min(16 * torch.finfo(dtype).eps * (condition_number + (loops if drifts else loops**0.5)), 1e-3)


def marchenko_pastur_condition_number(ratio: float) -> float:
    """κ of XᵀX/n for independent rows N(0, I) as n and d grow with n/d = `ratio`: ((1+√(d/n))/(1−√(d/n)))².

    For n < d it is the κ of the non-zero eigenvalues, the same with n and d exchanged; infinite at n = d. An
    asymptotic figure: small d has a smaller median.

    Source: Marchenko and Pastur's law, its edges.
    """
    root = min(ratio, 1 / ratio) ** 0.5
    return float("inf") if root == 1 else ((1 + root) / (1 - root)) ** 2


def exponential_requirement(loops: int, features: int) -> float:
    """log₁₀ of n > 64 L² d⁴ 8^{4L}: examples for which c₀ < 1 in the theorem on learned weights.

    Source: derived for this project from c₀ = 8δd^{1/(2L)}, δ = (8Ld/√n)^{1/(2L)} of Gatmiry et al., ICML 2024, arXiv
    2410.08292, which was read in third-party notes. A statement about weights that minimise the loss, not about the
    construction.
    """
    return float(np.log10(64) + 2 * np.log10(loops) + 4 * np.log10(features) + 4 * loops * np.log10(8))


def sufficient_ratio(loops: int, target: float, step_size: str) -> float:
    """c for which n = c·d Gaussian examples are enough in the limit of large d: the rate at Marchenko and Pastur's κ.

    (1 − 1/κ)^T = ε for η = 1/λ₁ (auto), ((κ−1)/(κ+1))^T = ε for 2/(λ₁+λ_d) (optimal), solved for κ; then
    n/d = ((√κ+1)/(√κ−1))², the inverse of `marchenko_pastur_condition_number`.

    Args:
        loops: T, at least 1.
        target: ε, the relative error to be reached, between 0 and 1.
        step_size: "auto" or "optimal".

    Source: derived for this project; about the construction.
    """
    left = target ** (1 / loops)
    kappa = 1 / (1 - left) if step_size == "auto" else (1 + left) / (1 - left)
    root = kappa**0.5
    return float(((root + 1) / (root - 1)) ** 2)


def limit_error(ratio: float, loops: np.ndarray, step_size: str) -> np.ndarray:
    """Relative error ‖w_T − w*‖/‖w*‖ after T loops in the limit of large n and d at n/d = `ratio`, for every prompt.

    With w* of random direction the squared error is the mean of (1 − ηλ)^{2T} over the eigenvalues of XᵀX/n. In the
    limit they follow Marchenko and Pastur's law: λ = 1 + γ + 2√γ·cos θ with γ = d/n and the weight
    (2√γ·sin θ)²/(2πγλ) dθ, and for n < d a share 1 − n/d of them is 0. The integral over θ is a mean over midpoints.

    Args:
        ratio: n/d, above 0.
        loops: values of T, (m,).
        step_size: "auto" for 1/λ₁ or "optimal" for 2/(λ₁+λ_d), at the edges of the law.

    Returns:
        (m,).

    Source: Marchenko and Pastur's law; derived for this project.
    """
    root = ratio**-0.5
    theta = (np.arange(512) + 0.5) * np.pi / 512
    values = 1 + root**2 + 2 * root * np.cos(theta)
    share = 2 * np.sin(theta) ** 2 / values / 512
    low, high = (1 - root) ** 2, (1 + root) ** 2
    eta = 1 / high if step_size == "auto" else 2 / (low + high)
    left = np.abs(1 - eta * values)[:, None] ** (2.0 * np.asarray(loops))
    squared: np.ndarray = max(0.0, 1 - ratio) + share @ left
    return np.sqrt(squared)


def limit_ratio(loops: int, target: float, step_size: str) -> float:
    """The n/d at which `limit_error` after T loops equals `target`: the need for examples in the limit of large d.

    Args:
        loops: T, at least 1.
        target: relative error, between 0 and 1.
        step_size: "auto" or "optimal".
    """
    low, high = np.log(1e-3), np.log(1e30)
    while high - low > 1e-6:
        middle = (low + high) / 2
        enough = limit_error(float(np.exp(middle)), np.array([loops]), step_size)[0] <= target
        low, high = (low, middle) if enough else (middle, high)
    return float(np.exp(high))
