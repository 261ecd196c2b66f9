"""Make a stored result again: `python -m looped.stored train`."""

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from looped import export
from looped.training.settings import TrainSettings

FOLDER = Path(__file__).parent


def _train() -> object:
    from looped.experiments.trained import train

    return train(TrainSettings())


MAKERS: dict[str, Callable[[], object]] = {"train": _train}


def main(name: str) -> None:
    """Write NAME.npz and NAME.json beside this file."""
    made = export.of(MAKERS[name]())
    provenance = {
        "command": f"python -m looped.stored {name}",
        "date": datetime.now(UTC).date().isoformat(),
        "hardware": "one CPU thread",
    }
    (FOLDER / f"{name}.npz").write_bytes(made.file("arrays.npz"))
    summary = json.dumps(provenance | made.summary, ensure_ascii=False, indent=2, allow_nan=False)
    (FOLDER / f"{name}.json").write_text(summary + "\n", encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:] and sys.argv[1] in MAKERS:
        main(sys.argv[1])
    else:
        sys.exit(f"looped.stored: choose one of {', '.join(MAKERS)}")
