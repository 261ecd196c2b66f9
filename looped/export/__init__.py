"""A result as files: its settings, its numbers, and a script that gives the same numbers again.

`files.py` of each experiment says what goes into the files; `looped.export.files` writes them.
"""

from looped.export.files import RESULTS_VERSION, Export, of, save, summary, summary_json, versions, write_or_compare

__all__ = [
    "RESULTS_VERSION",
    "Export",
    "of",
    "save",
    "summary",
    "summary_json",
    "versions",
    "write_or_compare",
]
