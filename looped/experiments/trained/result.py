"""A training run and what was found out about its weights."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch

from looped.training import gdpp
from looped.training.evaluate import Risk
from looped.training.settings import TrainSettings

STATISTICS = ("mean", "median", "99.9 %")
"""Rows of every evaluation: the squared error over prompts is heavy-tailed, so one number is not enough."""

SMALL = 1e-3
"""Inputs that move by less than this share of the step do not count as moving."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """Squared errors of the query while one thing changes."""

    x: np.ndarray
    """What it changes to, (K,)."""
    series: Mapping[str, np.ndarray]
    """Model to its `STATISTICS`, each (3, K)."""
    prompts: int
    """Fresh prompts at each x."""


@dataclass(frozen=True)
class Trained:
    """A training run, or weights from a file, and what they do."""

    settings: TrainSettings
    P: np.ndarray
    """(L, d+1, d+1), L = 1 where the layers are tied."""
    Q: np.ndarray
    history: Mapping[str, np.ndarray]
    """A column for each field of `Progress`; empty for weights from a file."""
    stopped: str
    """Why training ended."""
    name: str = ""
    """Of the file the weights are from."""
    fresh: np.ndarray = field(default_factory=lambda: np.zeros((0, 3)))
    """`STATISTICS` of the trained model's squared error after T loops, for each of some evaluation seeds, (S, 3)."""
    fresh_prompts: int = 0
    """Fresh prompts behind each row of `fresh`."""
    sweeps: Mapping[str, Sweep] = field(default_factory=dict)
    """loops, examples, covariance, scale and noise."""
    tail: Mapping[str, Risk] = field(default_factory=dict)
    """Model to its mean squared error after T loops with the tail sampled."""
    alone: Risk | None = None
    """The least risk found for A alone at these sizes, by training it; None where that was not tried."""
    best: gdpp.Best | None = None
    """The best two numbers found at these sizes; None where there is no such family or nobody searched."""

    def fits(self) -> list[gdpp.Fit]:
        """The two-number fit of every layer; empty if its weights have no gauge.

        Nothing reads the inputs after the last layer moved them: where its weights are not shared with another, the
        rows of P that move inputs do nothing and count as 0, and so does its γ.
        """
        P = self.P.astype(float)
        if self.settings.task == "prediction" and len(P) == self.settings.loops:
            P[-1, :-1] = 0.0
        how = gdpp.fit if self.settings.task == "prediction" else gdpp.fit_generation
        try:
            return [how(torch.from_numpy(one), torch.from_numpy(two)) for one, two in zip(P, self.Q, strict=True)]
        except ValueError:
            return []

    def found(self) -> str:
        """What was learned, in words and numbers."""
        fits = self.fits()
        if not fits:
            return "The corner of these weights that fixes their scale is 0: they are no gradient descent of any kind."
        if len(fits) > 1:
            text = "Layer by layer the nearest gradient descent has a = " + _listed(fit.a for fit in fits)
            if self.settings.task == "prediction":
                text = text.replace("gradient descent", "member of GD++")
                text += " and γ = " + _listed(fit.gamma for fit in fits[:-1])
        elif self.settings.task == "generation" or abs(fits[0].gamma) < SMALL * abs(fits[0].a):
            text = f"The nearest gradient descent has the step a = {fits[0].a:.3g}"
        else:
            text = f"The nearest member of GD++ has a = {fits[0].a:.3g} and γ = {fits[0].gamma:.3g}"
        left_P, left_Q = max(fit.unexplained_p for fit in fits), max(fit.unexplained_q for fit in fits)
        return f"{text}. It leaves {left_P:.2%} of P and {left_Q:.2%} of Q unexplained."

    def compared(self) -> str:
        """How far its two numbers and the best two numbers known are from it; empty before they are measured."""
        if not {"trained", "its two numbers"} <= set(self.tail):
            return ""
        own, two = self.tail["trained"], self.tail["its two numbers"]
        text = (
            f"These numbers alone have the mean squared error {two.mean:.1e} ± {two.error:.0e} after T loops, the "
            f"trained weights {own.mean:.1e} ± {own.error:.0e} (tail sampled)"
        )
        if self.best is None or "best two numbers" not in self.tail:
            return f"{text}."
        best = self.tail["best two numbers"]
        return (
            f"{text}; the best two numbers known here, a = {self.best.a:.3g} and γ = {self.best.gamma:.3g}, have "
            f"{best.mean:.1e} ± {best.error:.0e}."
        )

    def distance_to_optimum(self) -> float | None:
        """‖A − Γ*‖/‖Γ*‖ at T = 1, A being the step that the weights take in the gauge of `fits`; else None.

        Γ* = n/(n + 1 + d + σ²)·I for w* ~ N(0, I), x ~ N(0, I): arXiv 2306.00297, arXiv 2402.14951.
        """
        settings, d = self.settings, self.settings.features
        if settings.loops != 1:
            return None
        P, Q = self.P[0].astype(float), self.Q[0].astype(float)
        step = P[d, d] * Q[:d, :d].T if settings.task == "prediction" else -Q[d, d] * P[:d, :d]
        optimum = one_layer_optimum(settings)[0] * np.eye(d)
        return float(np.linalg.norm(step - optimum) / np.linalg.norm(optimum))


def one_layer_optimum(settings: TrainSettings) -> tuple[float, float]:
    """γ of the closed-form optimum Γ* = γI of one layer, and its risk d(1 − γ), the query without noise."""
    gamma = settings.examples / (settings.examples + 1 + settings.features + settings.noise**2)
    return gamma, settings.features * (1 - gamma)


def _listed(numbers: Iterable[float]) -> str:
    return ", ".join(f"{number:.3g}" for number in numbers)
