"""Upper bounds on the relative error, each with its source and the reason where it does not apply."""

from dataclasses import dataclass

import torch
from torch import Tensor

from looped.prompts import Spectrum
from looped.settings import TABLES, Settings

STEPS = {"auto": "1/λ₁ (auto)", "optimal": "2/(λ₁+λ_d) (optimal)"}
"""Step sizes that are read from the data, as formulas."""


@dataclass(frozen=True, slots=True)
class Bound:
    """One upper bound on the relative error, and whether it may be drawn here."""

    key: str
    """Name in files."""
    label: str
    """Formula, as the legend shows it."""
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
    general = _no_bound(settings, spectrum, exact_labels, loop)
    contracted = {"auto": spectrum.largest, "optimal": (spectrum.largest + spectrum.smallest) / 2}

    def bound(key: str, label: str, values: Tensor, *steps: str) -> Bound:
        why = general
        if not why and settings.step_size not in steps:
            why = f"it belongs to the step {' or '.join(STEPS[step] for step in steps)}"
        elif not why:
            product = step_size * contracted[str(settings.step_size)]
            if not torch.allclose(product, torch.ones_like(product), rtol=1e-9):
                why = "one η for all prompts is not each prompt's own step"
        return Bound(key, label, None if why else values, why)

    # The first is |α|e^(−T/(2κ)) on ‖w_T − αw*‖ with ‖w*‖ = 1, as a stored summary of arXiv 2410.11268 gives it,
    # divided by |α|; the paper's text was not read, and it follows from the other two, derived for this project.
    auto, optimal = (torch.tensor(left, dtype=torch.float64) for left in (1 - 1 / kappa, (kappa - 1) / (kappa + 1)))
    return [
        bound("bound_paper", "e^(−t/(2κ))", torch.exp(-t / (2 * kappa)), "auto", "optimal"),
        bound("bound_auto", "(1 − 1/κ)ᵗ", auto**t, "auto"),
        bound("bound_optimal", "((κ−1)/(κ+1))ᵗ", optimal**t, "optimal"),
    ]


def _no_bound(settings: Settings, spectrum: Spectrum, exact_labels: bool, loop: str) -> str:
    """Why no bound applies to this run, as the end of a sentence; empty where one may."""
    d = spectrum.eigenvectors.shape[1]
    if loop:
        return f"it is about gradient descent, and this loop is {loop}"
    if not bool(spectrum.nonzero.all()) or spectrum.eigenvalues.shape[1] < d:
        rank = int(spectrum.nonzero.sum(dim=1).min())
        return (
            f"the examples have numerical rank {rank} < d = {d} in {settings.dtype}, and the part of w* they do not "
            "see never moves"
        )
    if not exact_labels and settings.data in TABLES:
        return "it is about the distance to αw*, and real data has no known w*"
    if not exact_labels:
        return "it is about the distance to αw*, and with noise in the labels the loop ends at least squares instead"
    if not isinstance(settings.step_size, str):
        return "it was made for the step read from the data, and this one was set by hand"
    return ""


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
