"""A result as files: what was set, what came out, and a script that gives the same numbers again.

One module per kind of result says what goes into the files; `looped.export.files` writes them.
"""

from looped.experiments.compare.files import ComparisonExport
from looped.experiments.context.files import ContextExport
from looped.experiments.gpt2.files import GPT2Export
from looped.experiments.signal.files import SignalExport
from looped.experiments.train.files import TrainedExport
from looped.export.files import RESULTS_VERSION, Export, of, save, summary, summary_json, versions, write_or_compare

__all__ = [
    "RESULTS_VERSION",
    "ComparisonExport",
    "ContextExport",
    "Export",
    "GPT2Export",
    "SignalExport",
    "TrainedExport",
    "of",
    "save",
    "summary",
    "summary_json",
    "versions",
    "write_or_compare",
]
