"""One run of a sweep: its key, and what is kept of it. Workers import this module and send back what it gives."""

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

from looped.experiments import EXPERIMENTS
from looped.fields import SettingsError

Done = dict[str, Any]
"""What is kept of a run, ready for JSON: `seconds`, `why` it was refused or failed (empty if not), and `scalars`."""


def key(experiment: str, values: Mapping[str, Any]) -> str:
    """A name for a run that is the same wherever settings, results version and versions of the packages are."""
    from looped.export import RESULTS_VERSION, versions

    settings = EXPERIMENTS[experiment].load("settings")
    try:
        asked = settings(**values).to_dict()
    except SettingsError:
        asked = dict(values)
    text = json.dumps([experiment, asked, RESULTS_VERSION, versions()], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


Kept = tuple[Done, dict[str, bytes]]
"""What is kept of a run, and its files by name, if they are asked for."""


def make(experiment: str, keep: bool, values: Mapping[str, Any]) -> Iterator[Kept]:
    """Run an experiment, in one step.

    Args:
        experiment: its name.
        keep: also give the files of the result, by name.
        values: what is set, by name of the setting.

    Yields:
        What is kept of the run; a run that cannot be made gives a sentence instead of numbers.
    """
    from looped import export  # with Plotly, once in a process
    from looped.threads import one_thread

    began = time.perf_counter()
    scalars: dict[str, Any] = {}
    files: dict[str, bytes] = {}
    why = ""
    try:
        with one_thread():
            settings = EXPERIMENTS[experiment].load("settings")(**values)
            made = export.of(EXPERIMENTS[experiment].load("run")(settings))
            scalars = dict(_scalars(made.results))
            files = made.files() if keep else {}
    except SettingsError as error:
        why = str(error)
    except Exception as error:  # one run must not end a sweep
        why = f"It failed with an error in this program: {type(error).__name__}: {error}"
    yield {"seconds": round(time.perf_counter() - began, 6), "why": why, "scalars": scalars}, files


def _scalars(results: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """The numbers, words and verdicts of a summary by their path, with points between its parts; no lists."""
    for name, value in results.items():
        if isinstance(value, Mapping):
            yield from _scalars(value, f"{before}{name}.")
        elif value is None or isinstance(value, (bool, int, float, str)):
            yield f"{before}{name}", value
