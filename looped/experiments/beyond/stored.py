"""The first view of each lesson and question: its answer, found once and kept in the package, without single prompts.

Trainings of tied and untied layers are stored in a file of their own, `looped.experiments.beyond.stacks`.

`python -m looped.experiments.beyond.stored` makes the file again.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import cache
from typing import Any

import numpy as np

from looped import provenance
from looped.experiments.beyond.append import Append
from looped.experiments.beyond.depth import Depth
from looped.experiments.beyond.lessons import BEYOND
from looped.experiments.beyond.more_loops import MoreLoops
from looped.experiments.beyond.one_step import OneStep
from looped.experiments.beyond.result import Found, beyond
from looped.experiments.beyond.rivals import Rivals
from looped.experiments.beyond.settings import BeyondSettings
from looped.sweeps.workers import every

COMMAND = "python -m looped.experiments.beyond.stored"
NAME = "beyond.npz"
KINDS: dict[str, type[Append | OneStep | MoreLoops | Rivals | Depth]] = {
    "append": Append, "one-step": OneStep, "more-loops": MoreLoops, "rivals": Rivals, "depth": Depth,
}  # fmt: skip
"""The kind of answer of each view that is computed."""
APART = ("settings", "single")
"""What is not among the arrays of an answer: its settings, which are in the provenance, and what is not stored."""


@cache
def stored() -> tuple[dict[BeyondSettings, Found], dict[str, Any]]:
    """The stored answers by their settings, and their provenance: command, versions, date and hardware."""
    arrays, origin = provenance.stored(NAME)
    answers = {}
    for name, asked in origin["settings"].items():
        settings = BeyondSettings(**asked)
        own = {part.removeprefix(f"{name}."): a for part, a in arrays.items() if part.startswith(f"{name}.")}
        answers[settings.computed] = unpack(settings, own)
    return answers, origin


def answer(settings: BeyondSettings) -> Found | None:
    """The stored answer to these settings; None where there is none for all that their view reads."""
    return stored()[0].get(settings.computed)


def pack(found: Found) -> dict[str, np.ndarray]:
    """Arrays by the names of their fields, those in dictionaries under dotted names, and all else as JSON."""
    named: dict[str, np.ndarray] = {}
    rest: dict[str, Any] = {}
    for name in (field.name for field in fields(found) if field.name not in APART):
        value = getattr(found, name)
        if isinstance(value, np.ndarray):
            named[name] = value
        elif isinstance(value, dict):
            named |= {f"{name}.{part}": values for part, values in value.items()}
        else:
            rest[name] = value
    return named | {"rest": np.array(json.dumps(rest))}


def unpack(settings: BeyondSettings, named: Mapping[str, np.ndarray]) -> Found:
    """The inverse of `pack`."""
    values: dict[str, Any] = json.loads(str(named["rest"]))
    for name, array in named.items():
        field, _, part = name.partition(".")
        if part:
            values.setdefault(field, {})[part] = array
        elif name != "rest":
            values[name] = array
    return KINDS[settings.view](settings=settings, **values)


def made(settings: BeyondSettings) -> Iterator[dict[str, np.ndarray]]:
    """What is stored of an answer, found now."""
    yield pack(beyond(settings).found)


def wanted() -> dict[str, BeyondSettings]:
    """The settings of the lessons on what is computed, by their names, and of the questions that none of them asks."""
    asked = {lesson.key: BeyondSettings(**lesson.settings) for lesson in BEYOND}
    asked = {name: settings for name, settings in asked.items() if settings.view in KINDS}
    plain = {view: BeyondSettings(view=view) for view in KINDS}
    return asked | {view: settings for view, settings in plain.items() if settings not in asked.values()}


def main() -> None:
    """Find the first view of every lesson and question, and write the file into the package's folder."""
    provenance.asked(COMMAND, main.__doc__)
    asked = wanted()
    arrays = {f"{name}.{part}": array for name, own in every(made, asked).items() for part, array in own.items()}
    origin = {"settings": {name: settings.to_dict() for name, settings in asked.items()}}
    provenance.store(provenance.STORED / NAME, arrays, origin | provenance.provenance(COMMAND))


if __name__ == "__main__":
    main()
