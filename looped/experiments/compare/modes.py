"""One prompt's error split along the eigenvectors of XᵀX/n, to show which direction is slow."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from looped.experiments.compare.result import Comparison
from looped.theory import MODE_PRESENT

MOST_MODES = 10
"""Modes shown of one prompt; with more, evenly spaced ones, the slowest among them."""


@dataclass(frozen=True, kw_only=True)
class Modes:
    """The error of one prompt along eigenvectors v_k of Σ̂ = XᵀX/n, K of them shown. Arrays are NumPy, float64.

    Along v_k gradient descent multiplies the distance to w_ref by 1 − ηλ_k in every loop, so with w_0 = 0
    |⟨v_k, w_t − w_ref⟩| = |1 − ηλ_k|ᵗ |⟨v_k, w_ref⟩|. For ridge λ_k is that of Σ̂ + ρI; with a preconditioner C, λ_k and
    v_k are those of C^½Σ̂C^½ and all distances are measured in C^−½w.
    """

    prompt: int
    """Which prompt of the run, counted from 0."""
    eigenvalues: np.ndarray
    """All non-zero λ of the prompt, (r,), descending."""
    weights: np.ndarray
    """Share of each mode in the start: |⟨v_k, w_ref⟩|/‖w_ref‖, (r,)."""
    step_size: float
    """η of the prompt, as the run rounded it."""
    shown: np.ndarray
    """Which modes are shown, (K,), from 0; mode 0 has the largest eigenvalue."""
    measured: np.ndarray
    """|⟨v_k, w_t − w_ref⟩|/‖w_ref‖ from the transformer's own states, (T+1, K)."""
    closed_form: np.ndarray
    """The same from |1 − ηλ_k|ᵗ, no iteration, (T+1, K)."""
    held_from: int | None
    """Loop from which the iterate is held because it is too large, or None."""

    @property
    def loops(self) -> int:
        """T."""
        return len(self.measured) - 1

    @cached_property
    def factors(self) -> np.ndarray:
        """1 − ηλ_k of all modes, (r,)."""
        return 1 - self.step_size * self.eigenvalues

    @cached_property
    def slowest(self) -> int:
        """The mode that shrinks least, or grows most, of those that the start contains; of equals the last."""
        return slowest(self.factors, self.weights)

    @cached_property
    def gap(self) -> float:
        """max |measured − closed form| over the shown modes, relative to the largest of both, which is at least 1.

        Loops from which the iterate is held do not count.
        """
        moving = slice(self.held_from)
        largest = max(1.0, float(self.closed_form[moving].max()))
        return float(np.abs(self.measured - self.closed_form)[moving].max()) / largest

    def loops_to(self, tolerance: float) -> np.ndarray:
        """Loops after which each mode stays at or below `tolerance`, by the closed form, (r,); inf where never.

        The smallest t with |1 − ηλ_k|ᵗ |⟨v_k, w_ref⟩|/‖w_ref‖ ≤ tolerance. It may lie far beyond T.
        """
        start = np.maximum(self.weights, np.finfo(float).tiny)
        size = np.abs(self.factors)
        with np.errstate(divide="ignore", invalid="ignore"):
            needed = np.ceil(np.log(tolerance / start) / np.log(size) - 1e-9)
        needed = np.where(size < 1, np.maximum(needed, 1), np.inf)
        return np.where((start <= tolerance) & ((size <= 1) | (self.weights == 0)), 0, needed)

    @property
    def optimal_step(self) -> float:
        """2/(λ₁ + λ_d), which minimises max_k |1 − ηλ_k|."""
        return float(2 / (self.eigenvalues[0] + self.eigenvalues[-1]))

    @property
    def limit(self) -> float:
        """2/λ₁: above it mode 1 grows."""
        return float(2 / self.eigenvalues[0])

    def rate(self, step_size: np.ndarray) -> np.ndarray:
        """max_k |1 − ηλ_k| for each η: what one loop leaves of the error in the worst case."""
        return np.maximum(1 - step_size * self.eigenvalues[-1], step_size * self.eigenvalues[0] - 1)


def split(result: Comparison, prompt: int = 0) -> Modes:
    """Split one prompt's error into modes, measured on the transformer's states and by the closed form.

    Args:
        result: A comparison.
        prompt: which of its B prompts, from 0.

    Raises:
        IndexError: if the run has no such prompt.
        ValueError: if the algorithm is not steady.
    """
    if not result.algorithm.steady:
        raise ValueError(f"{result.algorithm.name} multiplies a mode by another number in every loop.")
    algorithm, step_size = result.algorithm, float(result.step_size[prompt])
    exists = algorithm.spectrum.nonzero[prompt].numpy()
    eigenvalues = algorithm.spectrum.eigenvalues[prompt].numpy()[exists]
    vectors = algorithm.spectrum.eigenvectors[prompt].numpy()[:, exists]  # (d, r)
    iterates = np.concatenate([result.looped[:, prompt].astype(float), result.w_ref[[prompt]]])
    *_, w_ref = iterates = algorithm.coordinates(torch.from_numpy(iterates)).numpy()
    looped = iterates[:-1]
    length = float(np.linalg.norm(w_ref)) or 1.0
    weights = np.abs(w_ref @ vectors) / length
    factors = 1 - step_size * eigenvalues
    shown = choose(len(eigenvalues), slowest(factors, weights))
    error = (looped - w_ref) / length  # (T+1, d)
    with np.errstate(over="ignore"):
        powers = np.abs(factors[shown]) ** np.arange(len(error))[:, None]
        closed_form = np.where(weights[shown] > 0, powers, 0.0) * weights[shown]
    return Modes(
        prompt=prompt,
        eigenvalues=eigenvalues,
        weights=weights,
        step_size=step_size,
        shown=shown,
        measured=np.abs(error @ vectors[:, shown]),
        closed_form=closed_form,
        held_from=result.held_from,
    )


def slowest(factors: np.ndarray, weights: np.ndarray) -> int:
    """The mode with the largest |1 − ηλ_k| among those that carry part of the start; of equals the last."""
    speed = np.where(weights > MODE_PRESENT, np.abs(factors), 0.0)
    return int(np.flatnonzero(speed >= speed.max() * (1 - 1e-12))[-1])


def choose(modes: int, always: int) -> np.ndarray:
    """At most `MOST_MODES` modes, evenly spaced from the first to the last, `always` among them."""
    even = np.unique(np.linspace(0, modes - 1, min(modes, MOST_MODES)).round().astype(int))
    if always not in even:  # it takes the place of its neighbour
        even[1 + np.abs(even[1:-1] - always).argmin()] = always
    return np.sort(even)
