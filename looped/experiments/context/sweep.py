"""A sweep as work that goes step by step: it reports its progress, and can be stopped and continued."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from looped.experiments.context.cells import Cell, join, run_group
from looped.experiments.context.cost import cell_seconds, check, estimate, learned_cost, prompt_seconds
from looped.experiments.context.learned import FINAL_STEPS, LearnedCell, train_steps
from looped.experiments.context.result import ContextResult, collect
from looped.experiments.context.settings import ContextSettings
from looped.experiments.context.unfinished_cells import Keeper
from looped.threads import in_one_thread

TOGETHER_SECONDS = 0.25
"""About how long the prompts that are run together take; between two such groups a sweep can be stopped."""
TOGETHER_BYTES = 64 * 1024**2
"""Most memory for the iterates of the prompts that are run together."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a sweep."""

    done: float
    """Estimated CPU seconds of what is done."""
    total: float
    """Estimated CPU seconds of the whole sweep."""
    doing: str
    """What is run, in words."""

    @property
    def share(self) -> float:
        """Share that is done, from 0 to 1."""
        return min(1.0, self.done / self.total)


class Sweep:
    """All cells of a sweep, one by one; every step takes well under a second.

    Examples:
        >>> sweep = Sweep(ContextSettings(ratios=(1, 4), prompts=2, loops=3))
        >>> [round(progress.share, 1) for progress in sweep.run()]
        [0.5, 1.0]

    Args:
        settings: Settings of the sweep.
        folder: Folder of finished cells, so that an interrupted sweep continues there.

    Raises:
        SettingsError: if the sweep is too large, or the folder belongs to another one.
    """

    def __init__(self, settings: ContextSettings, folder: Path | None = None) -> None:
        check(settings)
        self.settings = settings
        self.keeper = None if folder is None else Keeper(folder, settings)
        self.cells: dict[int, Cell] = {}
        self.learned: dict[tuple[int, int], LearnedCell] = {}
        self.seconds = estimate(settings).seconds
        if self.keeper is not None:
            self.cells, self.learned = self.keeper.read()
        self.kept = len(self.cells) + len(self.learned)

    @property
    def finished(self) -> bool:
        """True where every cell is there."""
        trained = len(set(self.settings.learned_examples)) * len(self.settings.learned_loops)
        return len(self.cells) == len(set(self.settings.examples)) and (
            not self.settings.learned or len(self.learned) == trained
        )

    @in_one_thread
    def run(self) -> Iterator[Progress]:
        """Continue to the end. Dropping the iterator pauses; a new one continues with the cell that was begun last."""
        settings, done = self.settings, 0.0
        for n in settings.examples:
            if n not in self.cells:
                parts = []
                for part in cell_steps(settings, n):
                    parts.append(part)
                    share = len(parts) / len(groups(settings, n))
                    if share == 1:
                        self.cells[n] = join(parts)
                        if self.keeper is not None:
                            self.keeper.write(self.cells[n], n)
                    yield Progress(done + share * cell_seconds(settings, n), self.seconds, f"n = {n}")
            done += cell_seconds(settings, n)
        for n in settings.learned_examples if settings.learned else ():
            for loops in settings.learned_loops:
                steps, seconds = loops + FINAL_STEPS, learned_cost(settings, n, loops).seconds
                for step, cell in enumerate(() if (n, loops) in self.learned else train_steps(settings, n, loops)):
                    if cell is not None:
                        self.learned[n, loops] = cell
                        if self.keeper is not None:
                            self.keeper.write(cell, n, loops)
                    now = done + min(1, (step + 1) / steps) * seconds
                    yield Progress(now, self.seconds, f"training A at n = {n}, T = {loops}")
                done += seconds

    def snapshot(self) -> ContextResult | None:
        """The result, once there is one."""
        if not self.finished:
            return None
        return collect(self.settings, [self.cells[n] for n in self.settings.examples], self.learned)


def groups(settings: ContextSettings, n: int) -> list[range]:
    """The numbers of the prompts that are run together."""
    B, iterate_bytes = settings.prompts, 24 * (settings.loops + 1) * (settings.features + 1)
    together = min(TOGETHER_SECONDS / prompt_seconds(settings, n), TOGETHER_BYTES / iterate_bytes)
    size = min(max(1, int(together)), B)
    return [range(first, min(first + size, B)) for first in range(0, B, size)]


def cell_steps(settings: ContextSettings, n: int) -> Iterator[Cell]:
    """The cell of n examples, group by group."""
    return (run_group(settings, n, which) for which in groups(settings, n))


def sweep(settings: ContextSettings, folder: Path | None = None) -> ContextResult:
    """The whole sweep at once.

    Raises:
        SettingsError: as `Sweep`.
    """
    work = Sweep(settings, folder)
    for _ in work.run():
        pass
    result = work.snapshot()
    assert result is not None
    return result
