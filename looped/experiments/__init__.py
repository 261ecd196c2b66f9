"""One package per question: it takes settings and gives a result with arrays, verdict and provenance.

`EXPERIMENTS` is the one list of them, which the app, the command line, the exports and the tests go through.
"""

import importlib
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """One experiment in the list: its name, and its parts as `module:name` in its package."""

    name: str
    """Its package, its page's address and script, and its command."""
    title: str
    """Heading of its page."""
    about: str
    """What its command does, as the command line lists it."""
    settings: str
    run: str
    result: str
    export: str
    lessons: str
    headline: str
    """The number of its result.json that says most, by its path."""

    def load(self, part: str) -> Any:
        """A part by the name of its field, imported on first use: most need PyTorch or Plotly."""
        return self.load_from(*getattr(self, part).split(":"))

    def load_from(self, module: str, name: str) -> Any:
        """What a module of its package calls by that name."""
        return getattr(importlib.import_module(f"{__name__}.{self.name}.{module}"), name)

    @property
    def command(self) -> str:
        """Module of its command, with `add` for the options and `run`."""
        return f"{__name__}.{self.name}.command"


EXPERIMENTS: dict[str, Experiment] = {
    experiment.name: experiment
    for experiment in (
        Experiment(
            name="compare",
            title="The loop is the step",
            about="a constructed looped transformer next to explicit gradient descent",
            settings="result:Settings",
            run="result:compare",
            result="result:Comparison",
            export="files:ComparisonExport",
            lessons="lessons:COMPARE",
            headline="error_after_T.median",
        ),
        Experiment(
            name="context",
            title="How many examples?",
            about="how many examples T loops need: error over n/d and T",
            settings="settings:ContextSettings",
            run="sweep:sweep",
            result="result:ContextResult",
            export="files:ContextExport",
            lessons="lessons:CONTEXT",
            headline="needed_ratio_at_T.construction_median",
        ),
        Experiment(
            name="train",
            title="Train it",
            about="train a looped transformer and see what it found",
            settings="settings:TrainSettings",
            run="measure:train",
            result="result:TrainResult",
            export="files:TrainExport",
            lessons="lessons:TRAIN",
            headline="query_squared_error.medians.trained",
        ),
        Experiment(
            name="signal",
            title="What the MLP adds",
            about="what the MLP adds: attention alone and the block with an MLP on tasks that share a signal",
            settings="settings:SignalSettings",
            run="result:signal",
            result="result:SignalResult",
            export="files:SignalExport",
            lessons="lessons:SIGNAL",
            headline="trained.ltb.risk_trained",
        ),
        Experiment(
            name="gpt2",
            title="The same in GPT-2",
            about="GPT-2 with or without its MLP sub-layers on such tasks",
            settings="settings:GPT2Settings",
            run="result:gpt2",
            result="result:GPT2Result",
            export="files:GPT2Export",
            lessons="lessons:GPT2",
            headline="models.with MLP.risk.mean",
        ),
        Experiment(
            name="beyond",
            title="Beyond",
            about="append or overwrite, more loops than trained, EAGLE and its rivals, when depth is needed",
            settings="settings:BeyondSettings",
            run="result:beyond",
            result="result:BeyondResult",
            export="files:BeyondExport",
            lessons="lessons:BEYOND",
            headline="headline.value",
        ),
    )
}
"""Every experiment by its name, in the order of the pages."""
