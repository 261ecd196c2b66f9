"""Training as an iterator of progress records: every `next` is one step, and the run can be saved between two steps.

Budgets count steps, never seconds, so that the same settings give the same bytes.
"""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from looped.threads import in_one_thread
from looped.training import checkpoint
from looped.training.models import LoopedGenerator, LoopedModel, LoopedPredictor
from looped.training.optimizers import FirstOrder, GaussNewton
from looped.training.plan import Training

PATIENCE_GAIN = 0.01
"""A window of steps must lower the typical loss by this share, else training stands on a plateau."""

DIVERGED_AFTER = 50
"""Bad steps in a row after which training gives up: not finite, or typically `WORSE_THAN_ZERO` times the loss of 0."""

WORSE_THAN_ZERO = 100.0
"""A median loss of this many times d, the loss 𝔼‖w*‖² of the answer 0, is no progress."""

MODELS: dict[str, type[LoopedModel]] = {"prediction": LoopedPredictor, "generation": LoopedGenerator}


@dataclass(frozen=True, slots=True)
class Progress:
    """One step that was made."""

    step: int
    """Steps made so far, 1 for the first."""
    start: int
    """The start it belongs to, from 0; the number of starts once the best goes on."""
    loops: int
    """Loops trained in it."""
    loss: float
    """Mean squared error ‖w_T − w*‖² before it, over those of its prompts that are not stretched; NaN for a step that
    was skipped."""
    median: float
    """Their median, which the heavy tail hardly moves."""
    skipped: int
    """Non-finite steps skipped so far."""
    stopped: str
    """The reason why training ended here, in one sentence; empty while it goes on."""


class Trainer:
    """A model and the way it is trained.

    Examples:
        >>> trainer = Trainer(Training(loops=1, weights="preconditioner", steps=3))
        >>> [progress.step for progress in trainer.run()]
        [1, 2, 3]

    Args:
        training: the settings of the run.
    """

    def __init__(self, training: Training) -> None:
        self.training = training
        self.generator = torch.Generator(training.device).manual_seed(training.seed)
        self.stream = training.stream()
        self.history: list[Progress] = []
        self.note = ""  # words of the caller that travel in the file
        self.best: dict[str, Any] | None = None  # the best start so far: typical loss, weights and optimiser
        self._begin()
        self._good = self._weights()

    @property
    def finished(self) -> bool:
        """True when all steps are made or training has stopped."""
        return bool(self.history) and self.history[-1].stopped != ""

    def run(self) -> Iterator[Progress]:
        """Continue to the end, one record per step. Dropping the iterator pauses; a new one continues from there."""
        while not self.finished:
            yield self.step()

    @in_one_thread
    def step(self) -> Progress:
        """Make one step on fresh prompts."""
        done, training = len(self.history), self.training
        if done and training.start_at(done) != training.start_at(done - 1):
            self._next_start(training.start_at(done))
        loops = training.loops_at(done)
        if not training.tied and loops > 1 and loops == training.loops_at(done - 1) + 1:
            with torch.no_grad():  # a layer that joins starts as a copy of the one before it
                for parameter in self.model.parameters():
                    parameter[loops - 1] = parameter[loops - 2]
        before = self._weights()
        batch = self.stream.draw(training.batch, self.generator, training.stretch)
        errors = self.optimizer.step(batch, loops, training.rate_at(done))
        if errors is not None and training.stretch != 1:
            errors = errors[::2]
        loss = math.nan if errors is None else float(errors.mean())
        median = math.nan if errors is None else float(errors.median())
        skipped = (self.history[-1].skipped if done else 0) + (errors is None)
        progress = Progress(done + 1, training.start_at(done), loops, loss, median, skipped, "")
        if not self._bad(progress):
            self._good = before  # the loss is that of the weights before the step
        self.history.append(progress)
        if stopped := self._reason_to_stop():
            self.history[-1] = progress = replace(progress, stopped=stopped)
        return progress

    def snapshot(self) -> tuple[torch.Tensor, torch.Tensor]:
        """P and Q of every layer as they are now."""
        return self.model.matrices()

    def _begin(self) -> None:
        """New first weights, and an optimiser that knows nothing yet."""
        training = self.training
        self.model = MODELS[training.task](
            weights=training.weights,
            features=training.features,
            loops=training.loops,
            tied=training.tied,
            generator=self.generator,
            dtype=getattr(torch, training.dtype),
            device=training.device,
        )
        self.optimizer: FirstOrder | GaussNewton
        if training.optimizer == "gauss-newton":
            self.optimizer = GaussNewton(self.model)
        else:
            self.optimizer = FirstOrder(self.model, training.optimizer, training.clip)

    def _next_start(self, start: int) -> None:
        """Keep the start whose trial is over if it is the best, and begin the next, or continue with the best."""
        reached = _typical([progress.median for progress in self.history[-self.training.trial // 4 :]])
        if self.best is None or reached < self.best["typical"]:
            self.best = {
                "typical": reached,
                "model": self._weights(),
                "optimizer": self.optimizer.state_dict(),
            }
        self._begin()
        if start == self.training.starts:
            self.model.load_state_dict(self.best["model"])
            self.optimizer.load_state_dict(self.best["optimizer"])

    def _weights(self) -> dict[str, torch.Tensor]:
        return {name: value.clone() for name, value in self.model.state_dict().items()}

    def _bad(self, progress: Progress) -> bool:
        return not progress.median <= WORSE_THAN_ZERO * self.training.features

    def _reason_to_stop(self) -> str:
        training, history = self.training, self.history
        if len(history) >= training.steps:
            return all_made(training.steps)
        last = history[-DIVERGED_AFTER:]
        if len(last) == DIVERGED_AFTER and all(map(self._bad, last)):
            self.model.load_state_dict(self._good)
            return (
                f"Diverged: in {DIVERGED_AFTER} steps in a row the loss was not finite, or typically more than "
                f"{WORSE_THAN_ZERO:.0f} times the loss of the answer 0. The weights are those of the last good step. "
                "A smaller rate or a slower growth of the loops may help."
            )
        window = training.patience
        full = [progress.median for progress in history[-2 * window :] if progress.loops == training.loops]
        if window and len(full) == 2 * window and len(history) >= training.trials + 2 * window:
            earlier, later = (_typical(full[:window]), _typical(full[window:]))
            if later > earlier * (1 - PATIENCE_GAIN):
                return f"Plateau: the typical loss fell by less than {PATIENCE_GAIN:.0%} in {window} steps."
        return ""

    def save(self, path: Path) -> None:
        """Write everything needed to resume, in one move, so that an interrupted write leaves the old file."""
        contents: dict[str, Any] = {
            "note": self.note,
            "training": asdict(self.training),
            "model": self.model.state_dict(),
            "good": self._good,
            "best": self.best,
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "history": [list(asdict(progress).values()) for progress in self.history],
        }
        checkpoint.write(path, contents)

    @classmethod
    def resume(cls, path: Path, steps: int = 0) -> "Trainer":
        """The trainer that was saved; a resumed run gives the same bytes as one that was never stopped.

        Args:
            path: the path of the file.
            steps: another number of steps, or 0 for the saved one; with a `horizon` the bytes are those of an unbroken
                run of so many steps.

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
            trainer.note, trainer.best, trainer._good = contents["note"], contents["best"], contents["good"]
        if steps and trainer.history and trainer.history[-1].stopped in ("", all_made(len(trainer.history))):
            trainer.training = replace(trainer.training, steps=steps)
            over = len(trainer.history) >= steps
            trainer.history[-1] = replace(trainer.history[-1], stopped=all_made(len(trainer.history)) if over else "")
        return trainer


def all_made(steps: int) -> str:
    """The reason why a run ends that has used up its budget."""
    return f"All {steps} steps are made."


def _typical(losses: list[float]) -> float:
    """Median over steps; skipped ones count as worst."""
    ordered = sorted(math.inf if math.isnan(loss) else loss for loss in losses)
    return ordered[len(ordered) // 2]
