"""The plan of a training run: sizes, weights, optimiser, and the loops, starts and rates over its steps."""

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_type_hints

import torch

from looped.training.models import Kind
from looped.training.schedule import half_cosine
from looped.training.stream import PromptStream

GAUSS_NEWTON_WEIGHTS = 1000
"""Most weights for which Gauss–Newton is suggested; the memory and time of a step grow with their square."""

GAUSS_NEWTON_WORK = 60_000
"""Largest d·T·d³ for which it is suggested: a quarter of a second a step."""

GROWTH = 12
"""Steps of Gauss–Newton after which one more loop is trained."""

FINAL_RATE = 0.02
"""Rate at the last step as a share of the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """Everything a training run depends on."""

    task: Literal["prediction", "generation"] = "prediction"
    """prediction of the query's label, or generation of w; both lower 𝔼‖w_T − w*‖², Σ being I."""
    loops: int = 10
    """T, which is also the number of untied layers."""
    examples: int = 20
    """n."""
    features: int = 5
    """d."""
    weights: Kind = "full"
    tied: bool = True
    noise: float = 0.0
    """σ of the examples' labels."""
    seed: int = 0
    """The seed of the first weights and of every prompt."""
    optimizer: Literal["gauss-newton", "adam", "sgd"] = "gauss-newton"
    steps: int = 200
    """Number of steps, including those with fewer than T loops and the trials of several starts."""
    horizon: int = 0
    """Steps after which the rate has fallen to its end; 0 is `steps`. With a horizon of its own the schedule does not
    know the budget, so that a run of few steps is the beginning of one of more."""
    growth: int = GROWTH
    """Steps at each loop count 1, 2, …, T−1 before the next; 0 trains all T loops from the first step."""
    starts: int = 1
    """Number of starts that are tried; the best of them after `trial` steps each is trained on. Training ends in one of
    several optima, and the typical loss soon shows in which."""
    trial: int = 60
    """Steps of a trial, where there are several starts."""
    batch: int = 1024
    """B, fresh prompts per step."""
    stretch: float = 1.3
    """Every second training prompt has its inputs multiplied by the square root of this. The loss is heavy-tailed:
    prompts with a large λ₁ are too rare to be trained on and dominate the mean. 1 trains on the stated distribution.
    (Weighting the stretched prompts back, as evaluation does, was tried and trains worse at T = 10.)"""
    rate: float = 1.0
    """First step length; it falls with a cosine, for Gauss–Newton once all loops are trained."""
    clip: float = 1.0
    """Largest gradient length for Adam and SGD."""
    patience: int = 0
    """Compare windows of this many steps at the full T, and stop when the typical loss stops falling; 0 never stops."""
    dtype: Literal["float64", "float32"] = "float64"
    device: str = "cpu"

    def __post_init__(self) -> None:
        """Refuse what cannot be trained.

        Raises:
            ValueError: naming the value and its range.
        """
        for name in ("loops", "examples", "features", "steps", "starts", "trial", "batch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: it must be at least 1.")
        for name in ("growth", "horizon", "patience", "noise"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}: it must not be negative.")
        for name in ("rate", "clip", "stretch"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} is {getattr(self, name)}: it must be above 0 and finite.")
        hints = get_type_hints(Training)
        for name in ("task", "weights", "optimizer", "dtype"):
            if getattr(self, name) not in (values := get_args(hints[name])):
                raise ValueError(f"{name} is {getattr(self, name)!r}: choose one of {', '.join(values)}.")

    @classmethod
    def suited(
        cls, *, weights: Kind = "full", tied: bool = True, loops: int = 10, features: int = 5, **others: Any
    ) -> "Training":
        """Settings that train these weights well, found by experiment; `others` are taken as they are.

        Gauss–Newton where its JᵀJ is small, else Adam with more and cheaper steps. How far prompts are stretched was
        chosen by the mean error over many fresh prompts that are not.
        """
        d, D = features, features + 1
        heavier = 0.03 if weights == "full" else 0.04  # the tail grows with T; this much was right at T = 10
        chosen: dict[str, Any] = {"stretch": 1.0 if loops == 1 or not tied else 1 + heavier * min(loops, 10)}
        count = weight_count(weights, d, 1 if tied else loops)
        work = d * loops * (D**3 if weights == "full" else 3 * D**2)  # of one prompt's derivatives
        if others.get("optimizer") == "gauss-newton" or (count <= GAUSS_NEWTON_WEIGHTS and work <= GAUSS_NEWTON_WORK):
            chosen["batch"] = 512 if work > GAUSS_NEWTON_WORK / 4 or not tied else 1024
            if not tied and loops > 1:
                trial = GROWTH * (loops - 1) + 36
                chosen |= {"starts": 4, "trial": trial, "steps": 4 * trial + 140}
        else:
            growth = 150
            chosen |= {"optimizer": "adam", "rate": 1e-2, "growth": growth, "batch": 512}
            chosen["steps"] = growth * (loops - 1) + 600
        if others.get("optimizer") == "sgd":
            chosen["rate"] = 0.1
        chosen["horizon"] = chosen.setdefault("steps", 200)
        return cls(weights=weights, tied=tied, loops=loops, features=features, **(chosen | others))

    @property
    def trials(self) -> int:
        """Number of steps before a single start is left."""
        return self.starts * self.trial if self.starts > 1 else 0

    def start_at(self, step: int) -> int:
        """The start that the step with this number, from 0, belongs to; `starts` once the best goes on."""
        return min(step // self.trial, self.starts) if self.trials else 0

    def loops_at(self, step: int) -> int:
        """Loops trained in the step with this number, from 0: one more every `growth` steps, up to T."""
        return self.loops if self.growth == 0 else min(self.loops, 1 + self._own(step) // self.growth)

    def rate_at(self, step: int) -> float:
        """Step length of the step with this number, from 0."""
        # Gauss–Newton keeps its whole step while loops are still being added.
        steps = max(self._own(self.horizon or self.steps), 1)
        grown = min(self.growth * (self.loops - 1), steps - 1) if self.optimizer == "gauss-newton" else 0
        share = min(1.0, max(0, self._own(step) - grown) / (steps - grown))
        return self.rate * (FINAL_RATE + (1 - FINAL_RATE) * half_cosine(share))

    def _own(self, step: int) -> int:
        """Steps that the weights of this step have behind them."""
        return step % self.trial if step < self.trials else step - self.trials + (self.trial if self.trials else 0)

    def stream(self) -> PromptStream:
        """Prompts of the stated distribution, not stretched."""
        dtype = getattr(torch, self.dtype)
        return PromptStream(examples=self.examples, features=self.features, noise=self.noise, dtype=dtype)


def weight_count(weights: Kind, features: int, layers: int) -> int:
    """The number of trained numbers in all layers."""
    d, D = features, features + 1
    return {"preconditioner": d * d, "sparse": d * D, "full": 2 * D * D}[weights] * layers
