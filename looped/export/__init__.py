"""A result as files: what was set, what came out, and a script that gives the same numbers again.

One module per kind of result says what goes into the files; `looped.export.files` writes them.
"""

from looped.export.compare import ComparisonExport
from looped.export.context import ContextExport
from looped.export.files import RESULTS_VERSION, Export, of, save, summary, summary_json, versions, write_or_compare
from looped.export.gpt2 import GPT2Export
from looped.export.signal import SignalExport
from looped.export.train import TrainedExport

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
