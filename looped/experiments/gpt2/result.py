"""GPT-2 with and without its MLP sub-layers on the same prompts: the second paper's Table 1, at any size."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from looped.budget import Cost
from looped.experiments.gpt2.curves import Curve
from looped.experiments.gpt2.settings import GPT2Settings
from looped.experiments.gpt2.training import GPT2Trainer, Progress
from looped.shared_signal.levels import Levels, levels

BUDGET = Cost(seconds=1800.0)
"""The most that a training on a page may cost; the command has no budget."""
SECONDS_A_STEP, SECONDS_A_LAYER, MULTIPLICATIONS_A_SECOND = 2.0e-3, 1.0e-3, 1.1e10
"""Speed of one model on one core of the machine of the README's figures."""


def estimate(settings: GPT2Settings, variants: tuple[bool, ...] = (True, False)) -> Cost:
    """The cost of training the variants."""
    tokens = settings.batch * (settings.examples + 1)
    a_step = 0.0
    for mlp in variants:
        weights = settings.layers * settings.width * (settings.width * (12 if mlp else 4) + 2 * (settings.examples + 1))
        a_step += SECONDS_A_STEP + SECONDS_A_LAYER * settings.layers * (1 + mlp)
        a_step += 3 * tokens * weights / MULTIPLICATIONS_A_SECOND  # forward once, backward twice
    return Cost(seconds=settings.steps * a_step)


class GPT2Training:
    """GPT-2 with MLP, without, or both side by side on the same prompts.

    Nothing slow happens before the first record: importing transformers alone takes seconds.

    Args:
        settings: Settings of the run; their `mlp` is replaced by each of the variants.
        variants: Models with MLP (True), without (False), or both.
        device: cpu, cuda or auto.
    """

    def __init__(self, settings: GPT2Settings, variants: tuple[bool, ...] = (True, False), device: str = "cpu") -> None:
        self.settings, self.variants, self.device = settings, variants, device
        self.trainers: list[GPT2Trainer] = []

    def affordable(self) -> Self:
        """The training itself, if it is short enough for a page.

        Raises:
            SettingsError: if it does.
        """
        BUDGET.check(
            estimate(self.settings, self.variants),
            field="steps",
            what=f"steps = {self.settings.steps} at this size",
            remedy="fewer, a smaller size, or the command python -m looped gpt2",
        )
        return self

    def run(self) -> Iterator[list[Progress]]:
        """Continue to the end, one record per variant at a time. Dropping the iterator pauses; a new one continues."""
        if not self.trainers:
            self.trainers = [GPT2Trainer(self.settings.replace(mlp=mlp), self.device) for mlp in self.variants]
        while not self.trainers[0].finished:
            yield [next(trainer.run()) for trainer in self.trainers]

    def snapshot(self) -> list[Curve]:
        """The curve of each variant so far, with its final risk at the end."""
        return [Curve.of(trainer) for trainer in self.trainers]


@dataclass(frozen=True)
class GPT2Result:
    """Trained GPT-2s and what simpler models can reach on their task."""

    settings: GPT2Settings
    trainers: list[GPT2Trainer]

    @cached_property
    def curves(self) -> list[Curve]:
        """One of each trainer."""
        return [Curve.of(trainer) for trainer in self.trainers]

    @cached_property
    def levels(self) -> Levels:
        """The smallest risks of one linear layer, and the Bayes risk."""
        return levels(self.settings.task(), self.settings.seed)


def gpt2(settings: GPT2Settings, variants: tuple[bool, ...] | None = None, device: str = "cpu") -> GPT2Result:
    """Train to the end.

    Args:
        settings: Settings of the run.
        variants: Models with MLP (True) and without (False); the one of the settings by default.
        device: cpu, cuda or auto.

    Raises:
        SettingsError: if transformers is not installed, the device is not there, or training diverges.
    """
    training = GPT2Training(settings, variants or (settings.mlp,), device)
    for _ in training.run():
        pass
    return GPT2Result(settings, training.trainers)
