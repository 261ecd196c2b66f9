"""The page's first view: the default sweep with trained A, computed once and kept in the package.

`python -m looped.experiments.context.stored` makes the file again.
"""

import sys
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from looped import provenance
from looped.experiments.context.result import ContextResult, LearnedGrid
from looped.experiments.context.settings import ContextSettings
from looped.experiments.context.sweep import Sweep

COMMAND = "python -m looped.experiments.context.stored"
SETTINGS = ContextSettings(learned=True)
NAME = "context.npz"


@cache
def stored() -> tuple[ContextResult, dict[str, Any]]:
    """The stored result, and its provenance: command, versions, date and hardware.

    The errors of single prompts are not stored; the sweep gives them again in less than a second.
    """
    arrays, origin = provenance.stored(NAME)
    learned = LearnedGrid(**{f.name: arrays[f"learned_{f.name}"] for f in fields(LearnedGrid)})
    own = {f.name: arrays[f.name] for f in fields(ContextResult) if f.name in arrays}
    settings = ContextSettings(**origin["settings"])
    return ContextResult(settings=settings, learned=learned, error=None, **own), origin


def answers(settings: ContextSettings) -> ContextResult | None:
    """The stored result under these settings; None if they belong to another sweep."""
    result, _ = stored()
    if settings.replace(learned=True).computed != result.settings.computed:
        return None
    return result.looking_at(settings.replace(learned=True))


def write(result: ContextResult, path: Path) -> None:
    """Store a result with where it comes from."""
    assert result.learned is not None
    origin = {"settings": result.settings.to_dict(), **provenance.provenance(COMMAND)}
    arrays = {f.name: getattr(result, f.name) for f in fields(ContextResult)}
    arrays = {name: values for name, values in arrays.items() if isinstance(values, np.ndarray) and name != "error"}
    arrays |= {f"learned_{f.name}": getattr(result.learned, f.name) for f in fields(LearnedGrid)}
    provenance.store(path, arrays, origin)


def main() -> None:
    """Compute the default sweep and write it into the package's folder."""
    provenance.asked(COMMAND, main.__doc__)
    work = Sweep(SETTINGS, workers=None)
    for progress in work.run():
        print(f"\r{progress.share:4.0%} {progress.doing}\033[K", end="", file=sys.stderr)
    result = work.snapshot()
    assert result is not None
    write(result, provenance.STORED / NAME)


if __name__ == "__main__":
    main()
