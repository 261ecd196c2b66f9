"""Training as an iterator of progress records: every `next` is one step, and between two of them it can be saved.

Budgets count steps, never seconds, so that the same settings give the same bytes.
"""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from looped.training import checkpoint
from looped.training.models import Kind, LoopedPredictor
from looped.training.optimizers import FirstOrder, GaussNewton, Optimizer
from looped.training.stream import PromptStream

PATIENCE_GAIN = 0.01
"""A window of steps must lower the typical loss by this share, else training stands on a plateau."""

DIVERGED_AFTER = 50
"""Non-finite steps in a row after which training gives up."""

GAUSS_NEWTON_WEIGHTS = 1000
"""Most weights for which Gauss–Newton is suggested; the memory and time of a step grow with their square."""

FINAL_RATE = 0.02
"""Rate at the last step as a share of the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """Everything a training run depends on."""

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
    """Of the first weights and of every prompt."""
    optimizer: Literal["gauss-newton", "adam", "sgd"] = "gauss-newton"
    steps: int = 200
    """Budget, growth of the loops included."""
    growth: int = 12
    """Steps at each loop count 1, 2, …, T−1 before the next; 0 trains all T loops from the first step."""
    batch: int = 1024
    """B, fresh prompts a step."""
    stretch: float = 1.3
    """Every second training prompt has its inputs multiplied by the square root of this. The loss is heavy-tailed:
    prompts with a large λ₁ are too rare to be trained on and rule the mean. 1 trains on the stated distribution."""
    rate: float = 1.0
    """First step length; it falls with a cosine, for Gauss–Newton once all loops are trained."""
    clip: float = 1.0
    """Largest gradient length for Adam and SGD."""
    patience: int = 0
    """Compare windows of so many steps at the full T and stop when the typical loss no longer falls; 0 never stops."""
    dtype: Literal["float64", "float32"] = "float64"
    device: str = "cpu"

    def __post_init__(self) -> None:
        """Refuse what cannot be trained.

        Raises:
            ValueError: naming the value and its range.
        """
        for name in ("loops", "examples", "features", "steps", "batch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: it must be at least 1.")
        for name in ("growth", "patience", "noise"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}: it must not be negative.")
        for name in ("rate", "clip", "stretch"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} is {getattr(self, name)}: it must be above 0 and finite.")
        choices = {
            "weights": ("preconditioner", "sparse", "full"),
            "optimizer": ("gauss-newton", "adam", "sgd"),
            "dtype": ("float64", "float32"),
        }
        for name, values in choices.items():
            if getattr(self, name) not in values:
                raise ValueError(f"{name} is {getattr(self, name)!r}: choose one of {', '.join(values)}.")

    @classmethod
    def suited(
        cls, *, weights: Kind = "full", tied: bool = True, loops: int = 10, features: int = 5, **others: Any
    ) -> "Training":
        """Settings that train these weights well, found by trying; `others` are taken as they are.

        Gauss–Newton where its JᵀJ is small, else Adam with more and cheaper steps. How far prompts are stretched was
        chosen by the mean error over many fresh prompts that are not.
        """
        count = {"preconditioner": features**2, "sparse": features * (features + 1), "full": 2 * (features + 1) ** 2}
        stretch = 1.0 if loops == 1 else 1.15 if not tied else 1.3 if weights == "full" else 1.4
        chosen: dict[str, Any] = {"stretch": stretch}
        if count[weights] * (1 if tied else loops) > GAUSS_NEWTON_WEIGHTS:
            growth = 150
            chosen |= {"optimizer": "adam", "rate": 1e-2, "growth": growth, "batch": 512}
            chosen["steps"] = growth * (loops - 1) + 600
        return cls(weights=weights, tied=tied, loops=loops, features=features, **(chosen | others))

    def loops_at(self, step: int) -> int:
        """Loops trained in the step with this number, from 0: one more every `growth` steps, up to T."""
        return self.loops if self.growth == 0 else min(self.loops, 1 + step // self.growth)

    def rate_at(self, step: int) -> float:
        """Step length of the step with this number, from 0."""
        # Gauss–Newton keeps its whole step while loops are still being added.
        grown = min(self.growth * (self.loops - 1), self.steps - 1) if self.optimizer == "gauss-newton" else 0
        share = max(0, step - grown) / (self.steps - grown)
        return self.rate * (FINAL_RATE + (1 - FINAL_RATE) * 0.5 * (1 + math.cos(math.pi * share)))

    def stream(self) -> PromptStream:
        """Prompts of the stated distribution, not stretched."""
        dtype = getattr(torch, self.dtype)
        return PromptStream(examples=self.examples, features=self.features, noise=self.noise, dtype=dtype)


@dataclass(frozen=True, slots=True)
class Progress:
    """One step that was made."""

    step: int
    """Steps made so far, 1 for the first."""
    loops: int
    """Loops trained in it."""
    loss: float
    """Mean squared error of its prompts before it; NaN for a step that was skipped."""
    median: float
    """Their median, which the heavy tail does not move."""
    skipped: int
    """Non-finite steps skipped so far."""
    stopped: str
    """Why training ended here, in one sentence; empty while it goes on."""


class Trainer:
    """A model and the way it is trained.

    >>> trainer = Trainer(Training(loops=1, weights="preconditioner", steps=3))
    >>> [progress.step for progress in trainer.run()]
    [1, 2, 3]

    Args:
        training: the settings of the run.
    """

    def __init__(self, training: Training) -> None:
        self.training = training
        self.generator = torch.Generator(training.device).manual_seed(training.seed)
        self.model = LoopedPredictor(
            weights=training.weights,
            features=training.features,
            loops=training.loops,
            tied=training.tied,
            generator=self.generator,
            dtype=getattr(torch, training.dtype),
            device=training.device,
        )
        self.optimizer: Optimizer
        if training.optimizer == "gauss-newton":
            self.optimizer = GaussNewton(self.model)
        else:
            self.optimizer = FirstOrder(self.model, training.optimizer, training.clip)
        self.stream = training.stream()
        self.history: list[Progress] = []

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to do."""
        return bool(self.history) and self.history[-1].stopped != ""

    def run(self) -> Iterator[Progress]:
        """Go on to the end, one record a step. Dropping the iterator pauses; another one goes on from there."""
        while not self.finished:
            yield self.step()

    def step(self) -> Progress:
        """Make one step on fresh prompts."""
        done, training = len(self.history), self.training
        loops = training.loops_at(done)
        if not training.tied and 1 < loops != training.loops_at(done - 1):
            with torch.no_grad():  # a layer that joins starts as a copy of the one before it
                for parameter in self.model.parameters():
                    parameter[loops - 1] = parameter[loops - 2]
        batch = self.stream.draw(training.batch, self.generator, training.stretch)
        errors = self.optimizer.step(batch, loops, training.rate_at(done))
        skipped = self.history[-1].skipped if self.history else 0
        loss = median = math.nan
        if errors is None:
            skipped += 1
        else:
            loss, median = float(errors.mean()), float(errors.median())
        progress = Progress(done + 1, loops, loss, median, skipped, "")
        self.history.append(progress)
        stopped = self._reason_to_stop()
        if stopped:
            self.history[-1] = progress = Progress(done + 1, loops, loss, median, skipped, stopped)
        return progress

    def _reason_to_stop(self) -> str:
        training, history = self.training, self.history
        if len(history) >= training.steps:
            return f"All {training.steps} steps are made."
        last = history[-DIVERGED_AFTER:]
        if len(last) == DIVERGED_AFTER and all(math.isnan(progress.loss) for progress in last):
            return (
                f"The loss was not finite in {DIVERGED_AFTER} steps in a row; the weights are those of the last good "
                "step. A smaller rate or a slower growth of the loops may help."
            )
        window = training.patience
        full = [progress.median for progress in history[-2 * window :] if progress.loops == training.loops]
        if window and len(full) == 2 * window:
            earlier, later = (_typical(full[:window]), _typical(full[window:]))
            if later > earlier * (1 - PATIENCE_GAIN):
                return f"Plateau: the typical loss fell by less than {PATIENCE_GAIN:.0%} in {window} steps."
        return ""

    def save(self, path: Path) -> None:
        """Write everything needed to go on, in one move, so that a broken run leaves the old file."""
        contents: dict[str, Any] = {
            "training": asdict(self.training),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "history": [list(asdict(progress).values()) for progress in self.history],
        }
        checkpoint.write(path, contents)

    @classmethod
    def resume(cls, path: Path) -> "Trainer":
        """The trainer that was saved; going on gives the same bytes as never having stopped.

        Raises:
            CheckpointError: in one sentence, for a file that is missing, damaged or not a training run of this program.
        """
        contents = checkpoint.read(path)
        with checkpoint.explained(path):
            trainer = cls(Training(**contents["training"]))
            trainer.model.load_state_dict(contents["model"])
            trainer.optimizer.load_state_dict(contents["optimizer"])
            trainer.generator.set_state(contents["generator"])
            trainer.history = [Progress(*values) for values in contents["history"]]
        return trainer


def _typical(losses: list[float]) -> float:
    """Median over steps; skipped ones count as worst."""
    ordered = sorted(math.inf if math.isnan(loss) else loss for loss in losses)
    return ordered[len(ordered) // 2]
