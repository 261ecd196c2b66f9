"""The first view of every lesson: its run, trained and evaluated once and kept in the package.

`python -m looped.experiments.train.stored` makes the files again.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

from looped import provenance
from looped.experiments.train.lessons import TRAIN
from looped.experiments.train.measure import train
from looped.experiments.train.result import TrainResult
from looped.experiments.train.settings import TrainSettings
from looped.experiments.train.weights_file import pack, unpack
from looped.sweeps.workers import every

COMMAND = "python -m looped.experiments.train.stored"
FILES = {TrainSettings(**lesson.settings): f"train-{lesson.key}.npz" for lesson in TRAIN}
"""The file of each run by its settings; the first are the defaults."""


def stored(settings: TrainSettings = TrainSettings()) -> tuple[TrainResult, dict[str, Any]]:  # noqa: B008
    """A stored run, and its provenance: command, versions, date and hardware.

    Args:
        settings: Settings of the run; where no lesson has them, the run of the defaults is given.
    """
    return _read(FILES.get(settings, FILES[TrainSettings()]))


@cache
def _read(file: str) -> tuple[TrainResult, dict[str, Any]]:
    named, origin = provenance.stored(file)
    return unpack(named), origin


def made(settings: TrainSettings) -> Iterator[TrainResult]:
    """A run, trained and evaluated."""
    yield train(settings)


def main() -> None:
    """Train and evaluate the run of every lesson and write it into the package's folder."""
    provenance.asked(COMMAND, main.__doc__)
    for name, run in every(made, {name: settings for settings, name in FILES.items()}).items():
        frames = {f"frame.{part}": values for part, values in run.frames.items()}
        provenance.store(provenance.STORED / name, pack(run) | frames, provenance.provenance(COMMAND))


if __name__ == "__main__":
    main()
