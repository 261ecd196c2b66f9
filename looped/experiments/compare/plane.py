"""The loss of one prompt along its flattest and its steepest direction, and the way down."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from looped.experiments.compare.result import Comparison

LINES, POINTS = 8, 61
"""Lines of equal loss, and points of each."""
GAP = "\u2003"
"""Between the path and the words beside it."""
STRETCHED_FROM = 25.0
"""Ratio of the curvatures up to which both axes have one scale; beyond it the steep one is stretched towards it."""
CLOSED = (0.8, 0.4)
"""Half widths of lines of equal loss that close within the picture, as shares of its own."""
FURTHEST = 3.0
"""A diverging path is shown up to so many times the distance that it starts with."""


@dataclass(frozen=True, slots=True)
class Exit:
    """The point of the edge at which a path leaves the piece that is shown."""

    place: int
    """Which of the shown loops is the first outside."""
    x: float
    y: float
    words: str
    """An arrow and what happens."""
    side: str
    """Where the words stand, as Plotly says it: inside the piece."""


@dataclass(frozen=True, kw_only=True)
class Plane:
    """The loss L(w) = ‖Xw − αy‖²/(2n) around w_ref in the plane of two directions, and both paths projected onto it.

    Along eigenvectors v_a and v_b of XᵀX/n the loss is L(w_ref) + (λ_a a² + λ_b b²)/2. For ridge it is the penalised
    loss, whose eigenvalues are λ + ρ.
    """

    names: tuple[str, str]
    """What the two axes are."""
    center: np.ndarray
    """w_ref in the plane, (2,)."""
    looped: np.ndarray
    """The transformer's path, (F, 2)."""
    explicit: np.ndarray
    """The path of explicit gradient descent, (F, 2)."""
    condition_number: float
    """κ of this prompt."""
    curvature: np.ndarray
    """The Hessian of the loss in the plane, (2, 2)."""

    def contour(self, excess: float, points: int) -> np.ndarray:
        """The curve on which L − L(w_ref) = `excess`, an ellipse around w_ref: (points, 2).

        A direction along which the loss does not change makes it as long as any picture is wide.
        """
        values, vectors = self._ellipse
        angle = np.linspace(0, 2 * np.pi, points)
        circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        return self.center + np.sqrt(2 * excess / values) * circle @ vectors.T

    @cached_property
    def _ellipse(self) -> tuple[np.ndarray, np.ndarray]:
        values, vectors = np.linalg.eigh(self.curvature)
        return np.maximum(values, 1e-12 * max(values[-1], np.finfo(float).tiny)), vectors

    @cached_property
    def radius(self) -> float:
        """Half the width of the piece that is shown: the whole path, or what a diverging one starts with."""
        distance = np.abs(self.looped - self.center).max(axis=1)
        return 1.15 * float(min(distance.max(), FURTHEST * distance[0])) or 1.0

    @cached_property
    def stretch(self) -> int:
        """How many times as large the scale of the steep direction is, up, where a valley could not be seen otherwise.

        No more than the transformer's path leaves room for, and so that no valley looks rounder than `STRETCHED_FROM`.
        """
        across, up = self.curvature[0, 0], self.curvature[1, 1]
        wanted = float(np.sqrt(up / (STRETCHED_FROM * across))) if across > 0 else 1.0
        height = 1.15 * float(np.abs(self.looped[:, 1] - self.center[1]).max())
        return max(1, int(min(wanted, self.radius / height if height else np.inf)))

    @property
    def reach(self) -> np.ndarray:
        """Half the width and half the height of the piece that is shown, (2,)."""
        return self.radius / np.array([1, self.stretch])

    def ranges(self) -> tuple[list[float], list[float]]:
        """The piece that is shown, across and up."""
        low, high = self.center - self.reach, self.center + self.reach
        return [float(low[0]), float(high[0])], [float(low[1]), float(high[1])]

    @cached_property
    def exit(self) -> "Exit | None":
        """Where the transformer's path first leaves the piece that is shown; None if it stays."""
        away = (self.looped - self.center) / self.reach
        far = np.abs(away).max(axis=1)
        if (far <= 1).all():
            return None
        place = int((far > 1).argmax())
        inside, outside = away[max(place - 1, 0)], away[place]
        axis = int(np.abs(outside).argmax())
        sign = float(np.sign(outside[axis]))
        share = (sign - inside[axis]) / (outside[axis] - inside[axis]) if outside[axis] != inside[axis] else 0.0
        x, y = self.center + self.reach * np.clip(inside + share * (outside - inside), -1, 1)
        pointer = (("←", "→"), ("↓", "↑"))[axis][int(sign > 0)]
        # Beside the path, where the middle is: on the line that leaves the words could not be read.
        over, beside = ("bottom" if y > self.center[1] else "top"), ("left" if x > self.center[0] else "right")
        words = f"{GAP}{pointer} leaves" if beside == "right" else f"leaves {pointer}{GAP}"
        return Exit(place, float(x), float(y), f"<b>{words}</b>", f"{over} {beside}")

    def gone(self) -> dict[str, Any]:
        """Where a trace of text says that the path has left, for Plotly; nowhere if it stays."""
        out = self.exit
        return {"x": [out.x], "y": [out.y], "textposition": out.side} if out else {"x": [], "y": []}

    def told(self) -> list[list[str]]:
        """What it says at each of the shown loops."""
        out = self.exit
        return [[out.words] if out and place >= out.place else [""] for place in range(len(self.looped))]

    def valley(self) -> np.ndarray:
        """Lines of equal loss with gaps between them, (·, 2): the widest through the corners, and some that close."""
        corner = self.reach * np.array([[1.3, 1.0], [1.3, -1.0]])
        largest = float((np.einsum("ci,ij,cj->c", corner, self.curvature, corner) / 2).max()) or 1.0
        gap = np.full((1, 2), np.nan)
        levels = largest * (np.arange(1, LINES + 1) / LINES) ** 2
        edge = self.curvature[0, 0] * self.radius**2 / 2
        if levels[0] > edge:
            levels = np.r_[edge * np.array(CLOSED) ** 2, levels]
        return np.concatenate([part for level in levels for part in (self.contour(level, POINTS), gap)])


def plane(result: Comparison, prompt: int, loops: np.ndarray) -> Plane:
    """The plane of the flattest direction of the loss that is not level, across, and of the steepest, up.

    Both point to where w_ref is, so that the way down leads to the upper right.

    Args:
        result: A comparison.
        prompt: which of its B prompts, from 0.
        loops: the loops that are shown, (F,).
    """
    spectrum, w_ref = result.prompts.spectrum, result.w_ref[prompt]
    exists = spectrum.nonzero[prompt].numpy()
    values = spectrum.eigenvalues[prompt].numpy()[exists]
    vectors = spectrum.eigenvectors[prompt].numpy()[:, exists]
    axes, rank = vectors[:, [-1, 0]], len(values)
    if rank == 1:
        axes = np.c_[axes[:, 0], np.zeros(len(w_ref))]
    axes = axes * np.where(w_ref @ axes < 0, -1, 1)
    ridge = result.algorithm.penalty
    and_ridge = " + ρ" if ridge else ""
    return Plane(
        names=(
            f"w along flat: λ<sub>{rank}</sub>{and_ridge} = {values[-1] + ridge:.2g}",
            f"w along steep: λ<sub>1</sub>{and_ridge} = {values[0] + ridge:.2g}"
            if rank > 1
            else "there is no second direction",
        ),
        condition_number=float(values[0] / values[-1]),
        center=w_ref @ axes,
        looped=result.looped[loops, prompt] @ axes,
        explicit=result.explicit[loops, prompt] @ axes,
        curvature=np.diag([values[-1], values[0] if rank > 1 else 0.0]) + ridge * np.eye(2),
    )
