"""The page's first view: the default sweep with trained A, computed once and kept in the package.

`python -m looped.experiments.context.stored` makes the file again.
"""

import datetime
import io
import json
import os
import platform
import sys
from dataclasses import fields
from functools import cache
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import numpy as np

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
    content = resources.files("looped").joinpath("stored", NAME).read_bytes()
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        provenance = json.loads(str(arrays["provenance"]))
        learned = LearnedGrid(**{f.name: arrays[f"learned_{f.name}"] for f in fields(LearnedGrid)})
        own = {f.name: arrays[f.name] for f in fields(ContextResult) if f.name in arrays}
    settings = ContextSettings(**provenance["settings"])
    return ContextResult(settings=settings, learned=learned, error=None, **own), provenance


def answers(settings: ContextSettings) -> ContextResult | None:
    """The stored result as these settings look at it; None if they ask for another sweep."""
    result, _ = stored()
    if settings.replace(learned=True).computed != result.settings.computed:
        return None
    return result.looking_at(settings.replace(learned=True))


def write(result: ContextResult, path: Path) -> None:
    """Store a result with where it comes from."""
    assert result.learned is not None
    provenance = {
        "settings": result.settings.to_dict(),
        "command": COMMAND,
        "versions": {name: metadata.version(name) for name in ("looped", "torch", "numpy")}
        | {"python": platform.python_version()},
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "hardware": f"{platform.machine()} processor, one thread of {os.cpu_count()}",
    }
    arrays = {f.name: getattr(result, f.name) for f in fields(ContextResult)}
    arrays = {name: values for name, values in arrays.items() if isinstance(values, np.ndarray) and name != "error"}
    arrays |= {f"learned_{f.name}": getattr(result.learned, f.name) for f in fields(LearnedGrid)}
    np.savez_compressed(path, provenance=np.array(json.dumps(provenance, ensure_ascii=False)), **arrays)


def main() -> None:
    """Compute the default sweep and write it into the package's folder."""
    work = Sweep(SETTINGS)
    for progress in work.run():
        print(f"\r{progress.share:4.0%} {progress.doing}\033[K", end="", file=sys.stderr)
    result = work.snapshot()
    assert result is not None
    path = Path(str(resources.files("looped"))) / "stored" / NAME
    write(result, path)
    print(f"\nwrote {path}, {path.stat().st_size:,} bytes", file=sys.stderr)


if __name__ == "__main__":
    main()
