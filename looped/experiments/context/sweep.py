"""A sweep as work that goes step by step: it reports its progress, and can be stopped and continued."""

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from looped.experiments.context.cells import Cell, join, run_group
from looped.experiments.context.cost import cell_seconds, check, learned_cost, prompt_seconds
from looped.experiments.context.learned import FINAL_STEPS, LearnedCell, train_steps
from looped.experiments.context.result import ContextResult, collect
from looped.experiments.context.settings import ContextSettings
from looped.fields import SettingsError
from looped.provenance import versions
from looped.sweeps.folder import Folder
from looped.sweeps.workers import each
from looped.threads import in_one_thread

TOGETHER_SECONDS = 0.25
"""About how long the prompts that are run together take; between two such groups a sweep can be stopped."""
TOGETHER_BYTES = 64 * 1024**2
"""Most memory for the iterates of the prompts that are run together."""
SUBFOLDER = "unfinished"
"""Folder of the cells until all are finished."""
FORMAT = 2
"""Version of the cells, to be raised when they hold something else or other numbers."""
WHOSE = "sweep"
"""Key under which their folder says whose they are."""
REMEDY = "choose another folder, or delete this one."


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


@dataclass(frozen=True, slots=True)
class Run:
    """The run behind one cell: the construction on n examples or, where T is not 0, the training of A for them."""

    settings: ContextSettings
    n: int
    loops: int = 0

    @property
    def key(self) -> str:
        """Its name among the others."""
        return f"n{self.n}-T{self.loops}" if self.loops else f"n{self.n}"

    @property
    def seconds(self) -> float:
        """Estimated CPU seconds."""
        trained = self.loops and learned_cost(self.settings, self.n, self.loops).seconds
        return trained or cell_seconds(self.settings, self.n)

    @property
    def doing(self) -> str:
        """What is done, in words."""
        return f"training A at n = {self.n}, T = {self.loops}" if self.loops else f"n = {self.n}"

    def share(self, steps: int) -> float:
        """Share that is done after so many steps."""
        return min(1.0, steps / (self.loops + FINAL_STEPS if self.loops else len(groups(self.settings, self.n))))

    def make(self) -> Iterator[Cell | LearnedCell | None]:
        """Make it step by step: None after every step but the last, then the cell."""
        if self.loops:
            yield from train_steps(self.settings, self.n, self.loops)
            return
        *first, last = groups(self.settings, self.n)
        parts = []
        for which in first:
            parts.append(run_group(self.settings, self.n, which))
            yield None
        yield join([*parts, run_group(self.settings, self.n, last)])


class Sweep:
    """All cells of a sweep; every step takes well under a second.

    Examples:
        >>> sweep = Sweep(ContextSettings(ratios=(1, 4), prompts=2, loops=3))
        >>> [round(progress.share, 1) for progress in sweep.run()]
        [0.5, 1.0]

    Args:
        settings: Settings of the sweep.
        folder: folder of its result; finished cells lie in one below it, so that an interrupted sweep continues there.
        workers: processes that make the cells, as in `looped.sweep`; 0 makes them here, one by one.

    Raises:
        SettingsError: if the sweep is too large, or the folder belongs to another one.
    """

    def __init__(self, settings: ContextSettings, folder: Path | None = None, workers: int | None = 0) -> None:
        check(settings)
        self.settings, self.workers = settings, workers
        runs = [Run(settings, n) for n in settings.examples]
        if settings.learned:
            runs += [Run(settings, n, T) for n in settings.learned_examples for T in settings.learned_loops]
        self.runs = {run.key: run for run in runs}
        self.seconds = sum(run.seconds for run in self.runs.values())
        self.cells: dict[str, Any] = {}
        self.path = None if folder is None else folder / SUBFOLDER
        if folder is not None and self.path is not None:
            _refuse_another_result(folder, settings)
            with Folder(self.path) as kept:
                self._refuse_another_sweep(folder, kept)
                for key, run in self.runs.items():
                    with suppress(KeyError, TypeError):  # not there, or damaged
                        self.cells[key] = (LearnedCell if run.loops else Cell)(**kept.done[key])
        self.kept = len(self.cells)

    def _refuse_another_sweep(self, folder: Path, kept: Folder) -> None:
        asked = json.loads(self.settings.computed.to_json())
        own = {"format": FORMAT, **versions("torch", "numpy"), "settings": asked}
        begun = kept.done.get(WHOSE)
        if begun is None:
            kept.add([(WHOSE, own)])
        elif begun != own:
            before = begun.get("settings", {}) if isinstance(begun, dict) else {}
            names = [name for name, value in asked.items() if before.get(name) != value]
            other = f"with another {', '.join(names)}" if names else "of another version"
            raise SettingsError("out", f"--out = {folder} holds an unfinished sweep {other}: {REMEDY}")

    @property
    def finished(self) -> bool:
        """True where every cell is there."""
        return len(self.cells) == len(self.runs)

    @in_one_thread
    def run(self) -> Iterator[Progress]:
        """Continue to the end. Dropping the iterator pauses; a new one continues with the cell that was begun last."""
        left = {key: run for key, run in self.runs.items() if key not in self.cells}
        seconds = sum(run.seconds for run in left.values())
        done, steps = self.seconds - seconds, 0
        with ExitStack() as stack:
            folder = None if self.path is None else stack.enter_context(Folder(self.path))
            for news in stack.enter_context(closing(each(Run.make, left, seconds, workers=self.workers))):
                self.cells |= dict(news)
                if folder is not None:
                    folder.add((key, asdict(self.cells[key])) for key, _ in news)
                steps = 0 if news else steps + 1
                done += sum(left[key].seconds for key, _ in news)
                now = news[-1][0] if news else next(key for key in left if key not in self.cells)
                begun = left[now].share(steps) * left[now].seconds
                yield Progress(done + begun, self.seconds, left[now].doing)

    def snapshot(self) -> ContextResult | None:
        """The result, once there is one."""
        if not self.finished:
            return None
        cells = [self.cells[Run(self.settings, n).key] for n in self.settings.examples]
        learned = {(run.n, run.loops): self.cells[key] for key, run in self.runs.items() if run.loops}
        return collect(self.settings, cells, learned)

    def forget(self) -> None:
        """Remove the cells from the folder, when the result is written."""
        if self.path is not None:
            shutil.rmtree(self.path)


def _refuse_another_result(folder: Path, settings: ContextSettings) -> None:
    try:
        there = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        same = ContextSettings(**there["settings"]).computed == settings.computed
    except FileNotFoundError:
        return
    except (TypeError, KeyError, ValueError):
        same = False
    if not same:
        raise SettingsError("out", f"--out = {folder} holds the result of other settings: {REMEDY}")


def groups(settings: ContextSettings, n: int) -> list[range]:
    """The numbers of the prompts that are run together."""
    B, iterate_bytes = settings.prompts, 24 * (settings.loops + 1) * (settings.features + 1)
    together = min(TOGETHER_SECONDS / prompt_seconds(settings, n), TOGETHER_BYTES / iterate_bytes)
    size = min(max(1, int(together)), B)
    return [range(first, min(first + size, B)) for first in range(0, B, size)]


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
