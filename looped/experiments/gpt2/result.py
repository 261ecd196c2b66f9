"""GPT-2 with and without its MLP sub-layers on the same prompts: the second paper's Table 1, at any size."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from looped.experiments.gpt2.curves import Curve
from looped.experiments.gpt2.settings import GPT2Settings, Variant
from looped.experiments.gpt2.training import GPT2Trainer, Progress
from looped.shared_signal.levels import Levels, levels


class GPT2Training:
    """GPT-2 with MLP, without, and without at about as many weights, side by side on the same prompts.

    Nothing slow happens before the first record: importing transformers alone takes seconds.

    Args:
        settings: Settings of the run, of the model with MLP where there is one.
        variants: The models, as `GPT2Settings.variant` names them.
        device: cpu, cuda or auto.
    """

    def __init__(
        self, settings: GPT2Settings, variants: tuple[Variant, ...] = (True, False), device: str = "cpu"
    ) -> None:
        self.settings, self.variants, self.device = settings, variants, device
        self.trainers: list[GPT2Trainer] = []

    def run(self) -> Iterator[list[Progress]]:
        """Continue to the end, one record per variant at a time. Dropping the iterator pauses; a new one continues."""
        if not self.trainers:
            self.trainers = [GPT2Trainer(self.settings.variant(name), self.device) for name in self.variants]
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
    variants: tuple[Variant, ...]
    """The model of each trainer, as `GPT2Settings.variant` names it."""

    @cached_property
    def curves(self) -> list[Curve]:
        """One of each trainer."""
        return [Curve.of(trainer) for trainer in self.trainers]

    @cached_property
    def levels(self) -> Levels:
        """The smallest risks of one linear layer, and the Bayes risk."""
        return levels(self.settings.task(), self.settings.seed)


def gpt2(settings: GPT2Settings, variants: tuple[Variant, ...] | None = None, device: str = "cpu") -> GPT2Result:
    """Train to the end.

    Args:
        settings: Settings of the run.
        variants: The models, as `GPT2Settings.variant` names them; the one of the settings by default.
        device: cpu, cuda or auto.

    Raises:
        SettingsError: if transformers is not installed, the device is not there, or training diverges.
    """
    training = GPT2Training(settings, variants or (settings.mlp,), device)
    for _ in training.run():
        pass
    return GPT2Result(settings, training.trainers, training.variants)
