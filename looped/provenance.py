"""Results that come with the package, and the provenance of a result."""

import argparse
import datetime
import json
import os
import platform
import sys
from collections.abc import Mapping
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import numpy as np

STORED = Path(str(resources.files("looped"))) / "stored"
"""Folder of the stored results."""


def versions(*names: str) -> dict[str, str]:
    """Version of each of these packages, and of `python` where that is named."""
    return {name: platform.python_version() if name == "python" else metadata.version(name) for name in names}


def today() -> str:
    """The date, year-month-day, in UTC."""
    return datetime.datetime.now(datetime.UTC).date().isoformat()


def provenance(command: str) -> dict[str, Any]:
    """Command, versions, date and hardware of a result that is made now."""
    return {
        "command": command,
        "versions": versions("looped", "torch", "numpy", "python"),
        "date": today(),
        "hardware": f"{platform.machine()} processor, one thread of {os.cpu_count()}",
    }


def asked(command: str, does: str | None, writes: str = "") -> bool:
    """Read the arguments of a command that makes stored results: none but `--help` and, if that is said, `--write`.

    Args:
        command: as it is typed.
        does: what it does, for its help.
        writes: what `--write` writes; empty where the command writes in any case.

    Returns:
        Whether to write.
    """
    parser = argparse.ArgumentParser(prog=command, description=does, allow_abbrev=False)
    if writes:
        parser.add_argument("--write", action="store_true", help=f"write {writes}")
    return bool(getattr(parser.parse_args(), "write", True))


def store(path: Path, arrays: Mapping[str, np.ndarray], origin: Mapping[str, Any]) -> None:
    """Write a result's arrays with their provenance to a compressed .npz file, and say so on standard error."""
    text = np.array(json.dumps(origin, ensure_ascii=False))
    np.savez_compressed(path, allow_pickle=False, provenance=text, **arrays)
    print(f"\nwrote {path}, {path.stat().st_size:,} bytes", file=sys.stderr)


def stored(name: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays of a stored result by name, and its provenance: command, versions, date and hardware."""
    with np.load(STORED / name, allow_pickle=False) as arrays:
        named = dict(arrays)
    return named, json.loads(str(named.pop("provenance")))
