"""The algorithms that a loop can carry out: gradient descent and its relatives, each in a module of its own.

`ENTRIES` is the one list of them. `ALGORITHMS[name]` gives the class, imported on first use.
"""

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from looped.algorithms.base import Algorithm


@dataclass(frozen=True, slots=True)
class Entry:
    """One algorithm in the list."""

    home: str
    """Its class, as `module:Class` in this package."""
    label: str
    """Name that people read."""
    help: str
    """What it does, as a few words after its id."""


ENTRIES: dict[str, Entry] = {
    "gd": Entry("gd:GradientDescent", "Gradient descent", "gradient descent"),
    "ridge": Entry("ridge:Ridge", "Ridge descent", "with a penalty on w"),
    "preconditioned": Entry(
        "preconditioned:Preconditioned", "Preconditioned descent", "with the inverse covariance of the features"
    ),
    "heavy-ball": Entry("heavy_ball:HeavyBall", "Heavy-ball momentum", "with momentum"),
    "gd++": Entry("gdpp:GDPlusPlus", "GD++", "moves the examples too"),
    "eagle": Entry("eagle:Eagle", "EAGLE", "GD++ that reads its scale again in every loop"),
    "newton": Entry("newton:Newton", "Iterative Newton", "squares what is left of each mode"),
    "softmax": Entry("softmax:Softmax", "Softmax attention", "the weights of gd with a softmax over the scores"),
}
"""Every algorithm by its id, the value of the setting `algorithm`."""


class _Classes(Mapping[str, type["Algorithm"]]):
    """The classes of `ENTRIES` by id, each imported on first use: they need PyTorch."""

    def __getitem__(self, name: str) -> type["Algorithm"]:
        module, _, class_name = ENTRIES[name].home.partition(":")
        found: type[Algorithm] = getattr(importlib.import_module(f"{__name__}.{module}"), class_name)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(ENTRIES)

    def __len__(self) -> int:
        return len(ENTRIES)


ALGORITHMS: Mapping[str, type["Algorithm"]] = _Classes()
"""The class of every algorithm by its id."""
