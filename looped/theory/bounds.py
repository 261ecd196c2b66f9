"""Upper bounds on the relative error, each with its source and the reason where it does not apply."""

from dataclasses import dataclass

import torch
from torch import Tensor

from looped.prompts import Spectrum
from looped.settings import TABLES, Settings


@dataclass(frozen=True, slots=True)
class Bound:
    """One upper bound on the relative error, and whether it may be drawn here."""

    key: str
    """Name in files."""
    label: str
    """Formula, as the legend shows it."""
    source: str
    """The source, and how this project knows it."""
    values: Tensor | None
    """The bound after each loop, (T+1,), or None where it does not apply."""
    why_not: str = ""
    """Why it is not drawn, as the end of a sentence; empty when it is."""


def bounds(
    settings: Settings, spectrum: Spectrum, step_size: Tensor, exact_labels: bool, loop: str = ""
) -> list[Bound]:
    """The bounds on ‖w_T − αw*‖/(|α|‖w*‖), each with its values or the reason it does not apply.

    They need gradient descent, noiseless labels, n ≥ d with full rank, and the step they were made for, in every
    prompt. Where prompts differ in κ the largest is used, so that the bound holds for all of them.

    Args:
        settings: T, the step size and the source of the data are read.
        spectrum: Eigenvalues of XᵀX/n, (B, r).
        step_size: η, (B,), float64.
        exact_labels: True where y = Xw* without noise, for a known w*.
        loop: Name of the loop where it is not gradient descent, whose bounds these are; else empty.
    """
    kappa = float(spectrum.condition_number.max())
    t = torch.arange(settings.loops + 1, dtype=torch.float64)
    d = spectrum.eigenvectors.shape[1]
    general = ""
    if loop:
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
