"""Training and its evaluation as one job that can be stopped and inspected between two steps."""

from collections.abc import Iterator

from looped.experiments.train.cost import check
from looped.experiments.train.measure import evaluation, trained
from looped.experiments.train.result import TrainResult
from looped.experiments.train.settings import TrainSettings
from looped.training.trainer import Progress, Trainer


class TrainWork:
    """Train from the first step, or from weights that are there, and then evaluate.

    Args:
        settings: Settings of the run.
        begun: weights from a file, or of a run that was stopped: these are evaluated, nothing is trained.

    Raises:
        SettingsError: for settings that cannot be trained here.
    """

    def __init__(self, settings: TrainSettings, begun: TrainResult | None = None) -> None:
        self.settings = settings
        self.found = begun
        self.trainer: Trainer | None = None
        if begun is None:
            check(settings)
            self.trainer = Trainer(settings.training())
        self._pieces: Iterator[TrainResult] | None = None

    @property
    def training(self) -> bool:
        """True while steps are left."""
        return self.trainer is not None and not self.trainer.finished

    def run(self) -> Iterator[Progress | None]:
        """One record a step of training, then None for every piece of the evaluation."""
        if self.trainer is not None:
            yield from self.trainer.run()
        if self._pieces is None:
            self.found = self.snapshot()
            self._pieces = evaluation(self.found)
        for found in self._pieces:
            self.found = found
            yield None

    def snapshot(self) -> TrainResult:
        """The run in its present state."""
        if self.found is not None:
            return self.found
        assert self.trainer is not None
        return trained(self.trainer, self.settings)
