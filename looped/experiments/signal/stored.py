"""Trainings that come with the package: at the defaults for every stop of s, and those of the lessons.

`python -m looped.experiments.signal.stored` makes the file again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch

from looped import provenance
from looped.experiments.signal.lessons import SIGNAL
from looped.experiments.signal.result import SignalTraining
from looped.experiments.signal.settings import SignalSettings
from looped.shared_signal.models import ReadOut
from looped.shared_signal.training import Kind
from looped.sweeps.workers import every

COMMAND = "python -m looped.experiments.signal.stored"
NAME = "signal.npz"
SIGNALS = (
    0, 0.1, 0.12, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9, 10, 12,
    15, 20, 25, 30, 40, 50, 60, 70, 80, 90, 100,
)  # fmt: skip
"""Values of s at which the defaults were trained: the stops of its slider."""


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A training of the block and of attention alone on the same prompts."""

    steps: np.ndarray
    """Steps made at each of K records, (K,)."""
    risks: dict[Kind, np.ndarray]
    """Exact risk of the weights at each record, (K,)."""
    learned: ReadOut
    """The read-out of the block at the end."""


@cache
def stored() -> tuple[dict[SignalSettings, StoredRun], dict[str, Any]]:
    """The stored trainings by their settings, and their provenance: command, versions, date and hardware."""
    arrays, origin = provenance.stored(NAME)
    runs = {
        SignalSettings(**settings): StoredRun(
            arrays["steps"],
            {"ltb": arrays[f"{place}_ltb"], "lsa": arrays[f"{place}_lsa"]},
            ReadOut(*(torch.from_numpy(arrays[f"{place}_{name}"]).double() for name in ("beta", "Gamma"))),
        )
        for place, settings in enumerate(origin["settings"])
    }
    return runs, origin


def stored_run(settings: SignalSettings) -> StoredRun | None:
    """The stored training of these settings, if there is one; of one model alone it is that of the pair."""
    return stored()[0].get(settings.replace(model="pair")) if settings.model in ("pair", "ltb", "lsa") else None


def trained(settings: SignalSettings) -> Iterator[dict[str, np.ndarray] | None]:
    """What is stored of a training, by name: the steps of its records, exact risks, and the read-out at the end."""
    work = SignalTraining(settings)
    for _ in work.run():
        yield None
    learned = work.snapshot()
    assert learned is not None
    found = {"steps": np.array([record.step for record in work.history["ltb"]])}
    for kind, history in work.history.items():
        found[kind] = np.array([record.risk for record in history], np.float32)
    yield found | {"beta": learned.beta.float().numpy(), "Gamma": learned.Gamma.float().numpy()}


def main() -> None:
    """Train at every stop of s and at the settings of every lesson, and write the file into the package's folder."""
    provenance.asked(COMMAND, main.__doc__)
    wanted = [SignalSettings(signal=float(s)) for s in SIGNALS]
    wanted += [SignalSettings(**lesson.settings) for lesson in SIGNAL]
    wanted = list(dict.fromkeys(wanted))
    arrays: dict[str, np.ndarray] = {}
    for place, made in every(trained, {str(place): settings for place, settings in enumerate(wanted)}).items():
        arrays["steps"] = made.pop("steps")
        arrays |= {f"{place}_{name}": values for name, values in made.items()}
    origin = {"settings": [settings.to_dict() for settings in wanted], **provenance.provenance(COMMAND)}
    provenance.store(provenance.STORED / NAME, arrays, origin)


if __name__ == "__main__":
    main()
