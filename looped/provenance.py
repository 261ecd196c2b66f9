"""Where a stored result comes from."""

import datetime
import os
import platform
from importlib import metadata, resources
from pathlib import Path
from typing import Any

STORED = Path(str(resources.files("looped"))) / "stored"
"""Folder of the stored results."""


def provenance(command: str) -> dict[str, Any]:
    """Command, versions, date and hardware of a result that is made now."""
    return {
        "command": command,
        "versions": {name: metadata.version(name) for name in ("looped", "torch", "numpy")}
        | {"python": platform.python_version()},
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "hardware": f"{platform.machine()} processor, one thread of {os.cpu_count()}",
    }
