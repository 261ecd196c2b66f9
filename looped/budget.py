"""The most a run may cost, and the sentence that refuses one beyond it.

The estimates are formulas, not timings of a first step: 40 probes of 20 steps of one training, on a machine with other
work, took 0.34 to 0.98 ms a step by the clock and 0.34 to 0.43 ms of CPU time. A limit read from a probe would refuse
settings now and allow them a minute later; a formula says the same on every machine.
"""

import math
import os
from dataclasses import dataclass

from looped.fields import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The estimated needs of a run; as a budget, the most that it may need."""

    seconds: float = math.inf
    """CPU seconds on one core."""
    step_seconds: float = math.inf
    """CPU seconds of its longest step: between two steps it can be stopped."""
    bytes: float = math.inf
    """Memory."""

    def allows(self, needed: "Cost") -> bool:
        """True where a run keeps within this budget; a part that only one of the two states is not compared."""
        return not self._exceeded(needed)

    def check(self, needed: "Cost", *, field: str, what: str, remedy: str) -> None:
        """Refuse a run beyond this budget.

        Args:
            needed: the cost of the run.
            field: the name of the setting to change.
            what: the run in words; it is the subject of the sentence.
            remedy: what to do, after "choose".

        Raises:
            SettingsError: with what is exceeded, by how much, and the remedy.
        """
        if exceeded := self._exceeded(needed):
            raise SettingsError(field, f"{what} needs about {' and '.join(exceeded)}: choose {remedy}.")

    def _exceeded(self, needed: "Cost") -> list[str]:
        """Each part that is above the budget, with the budget."""
        parts = (
            (needed.seconds, self.seconds, "{:,.0f} s"),
            (needed.step_seconds, self.step_seconds, "{:.2g} s in one step"),
            (needed.bytes / 1024**2, self.bytes / 1024**2, "{:,.0f} MiB"),
        )
        return [
            f"{unit.format(value)} (at most {unit.format(most)})"
            for value, most, unit in parts
            if most < value < math.inf
        ]


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
