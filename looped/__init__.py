"""Looped: a looped linear transformer next to the gradient descent it performs.

Examples:
    >>> from looped import Settings, compare
    >>> result = compare(Settings(loops=20))
    >>> result.passed
    True

Every experiment has its settings, its run function and its result here: `Settings`, `compare` and `Comparison`;
`ContextSettings`, `context` and `ContextResult`; `TrainSettings`, `train` and `TrainResult`; `SignalSettings`, `signal`
and `SignalResult`; `GPT2Settings`, `gpt2` and `GPT2Result`; `BeyondSettings`, `beyond` and `BeyondResult`.
"""

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

from looped.experiments import EXPERIMENTS

if TYPE_CHECKING:
    from looped import export
    from looped.experiments.beyond.result import BeyondResult, beyond
    from looped.experiments.beyond.settings import BeyondSettings
    from looped.experiments.compare.result import Comparison, compare
    from looped.experiments.context.result import ContextResult
    from looped.experiments.context.settings import ContextSettings
    from looped.experiments.context.sweep import sweep as context
    from looped.experiments.gpt2.result import GPT2Result, gpt2
    from looped.experiments.gpt2.settings import GPT2Settings
    from looped.experiments.signal.result import SignalResult, signal
    from looped.experiments.signal.settings import SignalSettings
    from looped.experiments.train.measure import evaluate, train
    from looped.experiments.train.result import TrainResult
    from looped.experiments.train.settings import TrainSettings
    from looped.experiments.train.weights_file import weights_from
    from looped.fields import SettingsError
    from looped.settings import Settings
    from looped.sweeps import sweep
    from looped.tables import Table

__version__ = "0.1.0"
__all__ = [
    "BeyondResult",
    "BeyondSettings",
    "Comparison",
    "ContextResult",
    "ContextSettings",
    "GPT2Result",
    "GPT2Settings",
    "Settings",
    "SettingsError",
    "SignalResult",
    "SignalSettings",
    "Table",
    "TrainResult",
    "TrainSettings",
    "__version__",
    "beyond",
    "compare",
    "context",
    "evaluate",
    "export",
    "gpt2",
    "signal",
    "sweep",
    "train",
    "weights_from",
]

_HOMES = {
    "Settings": "looped.settings",
    "SettingsError": "looped.fields",
    "Table": "looped.tables",
    "evaluate": "looped.experiments.train.measure",
    "sweep": "looped.sweeps",
    "weights_from": "looped.experiments.train.weights_file",
}
_PARTS = {
    getattr(experiment, part).partition(":")[2]: (experiment, part)
    for experiment in EXPERIMENTS.values()
    for part in ("settings", "result")
}


def __getattr__(name: str) -> Any:
    """A public name or a module of the package, imported when it is first used.

    PyTorch alone takes seconds, and `looped --help` needs none.
    """
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in EXPERIMENTS:
        return EXPERIMENTS[name].load("run")
    if name in _PARTS:
        experiment, part = _PARTS[name]
        return experiment.load(part)
    if not name.startswith("_") and importlib.util.find_spec(f"{__name__}.{name}"):
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
