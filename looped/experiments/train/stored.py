"""The page's first view: the default run, trained and evaluated once and kept in the package.

`python -m looped.experiments.train.stored` makes the file again.
"""

from functools import cache
from typing import Any

from looped import provenance
from looped.experiments.train.measure import train
from looped.experiments.train.result import TrainResult
from looped.experiments.train.settings import TrainSettings
from looped.experiments.train.weights_file import pack, unpack

COMMAND = "python -m looped.experiments.train.stored"
NAME = "train.npz"


@cache
def stored() -> tuple[TrainResult, dict[str, Any]]:
    """The stored run, and its provenance: command, versions, date and hardware."""
    named, origin = provenance.stored(NAME)
    return unpack(named), origin


def main() -> None:
    """Train and evaluate the default run and write it into the package's folder."""
    run = train(TrainSettings())
    frames = {f"frame.{name}": values for name, values in run.frames.items()}
    provenance.store(provenance.STORED / NAME, pack(run) | frames, provenance.provenance(COMMAND))


if __name__ == "__main__":
    main()
