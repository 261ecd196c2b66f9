"""The verdict before running: whether the error converges, oscillates or diverges, from η and the eigenvalues."""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from looped.fields import SAME
from looped.prompts import Spectrum
from looped.theory.steps import MODE_PRESENT, asymptotic_factor, away_from_one

MOST_NAMED = 4
"""Modes that are named one by one."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """The effect of the step size on the error, known before running. It does not depend on T."""

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
    tied: tuple[int, ...] = ()
    """Numbers of all modes with the same factor, that one among them; of a loop that converges."""
    modes: int = 0
    """How many modes there are."""
    limit_name: str = "2/λ₁"
    """The limit as a formula."""
    away: float = 0.0
    """|1 − factor|, with all its digits."""
    momentum: float = 0.0
    """μ."""
    precision: str = "float64"
    """dtype of the run, to whose rounding η may equal the limit."""
    words: str = ""
    """The verdict, for an algorithm that does not multiply each mode by the same factor in every loop."""

    @property
    def head(self) -> str:
        """The side of its limit that η is on, with as many digits as are needed to see it."""
        below = "below" if self.kind == "converges" else "above"
        digits = next((k for k in range(3, 17) if f"{self.step_size:.{k}g}" != f"{self.limit:.{k}g}"), 17)
        return f"η = {self.step_size:.{digits}g} is {below} {self.limit_name} = {self.limit:.{digits}g}"

    @property
    def _slowest(self) -> str:
        """The modes that fall least, which the best step gives the same factor."""
        if len(self.tied) < 2:
            return f"the mode that falls least, number {self.mode}"
        if len(self.tied) == self.modes:
            return "every mode"
        if len(self.tied) > MOST_NAMED:
            return f"the {len(self.tied)} modes that fall least, number {self.tied[0]} among them"
        *others, last = map(str, self.tied)
        return f"the modes that fall least, numbers {', '.join(others)} and {last}"

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
                return f"Converges: {self.head}; {each} removes only {self.away:.2g} of the error in {self._slowest}."
            case "converges":
                return f"Converges: {self.head}; {each} leaves {self.factor:.4g} of the error in {self._slowest}."
            case "oscillates":
                grown = (1 + self.momentum) / (1 - self.momentum)
                grows = f"grows to (1+μ)/(1−μ) = {grown:.3g} times its start and then " if self.momentum else ""
                return (
                    f"Oscillates without end{who}: η = {self.limit_name} = {self.limit:.6g} up to the rounding of "
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

    With momentum μ the limit is 2(1+μ)/λ₁, and what a mode is multiplied by in the long run is the size of the larger
    root of r² − (1+μ−ηλ)r + μ. At the limit the roots are −1 and −μ, and the mode grows to (1+μ)/(1−μ) times its
    start before it only changes its sign.

    A mode that w_ref does not have starts at zero error. It stays there unless it grows: rounding wakes it.

    Args:
        spectrum: Spectrum of the prompts.
        step_size: η, (B,), float64.
        w_ref: The limit of the loop, (B, d), float64.
        dtype: Type of the run; η equals 2/λ₁ if it does so to the rounding of this type.
        momentum: μ, from 0 to below 1.
        limit_name: Formula of the limit.

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
    tied = torch.nonzero(present[worst] & (away[worst] <= away[worst, mode] * (1 + SAME)))[:, 0] + 1
    prediction = Prediction(
        kind=kind,
        affected=int(affected.sum()),
        prompts=len(step_size),
        step_size=float(step_size[worst]),
        limit=float(edge / spectrum.largest[worst]),
        factor=float(factors[worst, mode]),
        mode=mode + 1,
        tied=tuple(tied.tolist()) if kind == "converges" else (),
        modes=int(present[worst].sum()),
        limit_name=limit_name,
        away=float(away[worst, mode].clamp(max=1.0)) if kind == "converges" else float(away[worst, mode]),
        momentum=momentum,
        precision=str(dtype).removeprefix("torch."),
    )
    if kind == "converges" and not w_ref.any():
        words = "Converges: the labels are orthogonal to the features, so the solution is 0, where the loop starts."
        return replace(prediction, words=words)
    return prediction
