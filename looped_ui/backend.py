"""The backend behind a cache: what a page needs to draw, computed once for equal settings."""

import functools
import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from threading import BoundedSemaphore
from typing import Any

import streamlit.elements.plotly_chart  # noqa: F401 - makes Streamlit's theme Plotly's default before a figure is made
from streamlit.runtime.scriptrunner import get_script_run_ctx

from looped import Settings, compare, tables
from looped.chart import Picture
from looped.csv_cells import refuse
from looped.dialects import Dialect
from looped.experiments import context
from looped.experiments.beyond.cost import estimate
from looped.experiments.beyond.result import BeyondResult
from looped.experiments.beyond.result import beyond as find_beyond
from looped.experiments.beyond.settings import BeyondSettings
from looped.experiments.compare import inside, modes
from looped.experiments.compare.charts import error_chart, prediction_chart
from looped.experiments.compare.cost import most_prompts, run_form
from looped.experiments.compare.result import Comparison
from looped.experiments.compare.summary import Summary, summarise
from looped.experiments.context import cells
from looped.experiments.context.charts import CHARTS
from looped.fields import Measured
from looped_ui import busy
from looped_ui.kept import kept

AT_ONCE, LONG_AT_ONCE = BoundedSemaphore(2), BoundedSemaphore(2)
"""Computations of pages at the same time, and long ones beside them; more only wait for each other."""
LONG = 0.1
"""Estimated CPU seconds from which on a computation is a long one, which no short one waits for."""


@contextmanager
def turn(seconds: float = 0.0) -> Iterator[None]:
    """Wait for a place among the computations of pages; work beside the pages does not take one from them.

    Args:
        seconds: Estimated CPU seconds of the computation.
    """
    long = seconds >= LONG
    places = (LONG_AT_ONCE if long else AT_ONCE) if get_script_run_ctx(suppress_warning=True) else nullcontext()
    with busy.aside() if long else nullcontext(), places:
        yield


def brought(arguments: Mapping[str, Any]) -> bool:
    """Whether a result is of a table that the visitor brought."""
    return bool(arguments["settings"].data == "csv")


@dataclass(frozen=True, slots=True)
class View:
    """The content of the first page, small enough to keep many."""

    summary: Summary
    """Numbers and verdicts."""
    errors: Picture
    """The error chart."""
    predictions: Picture | None
    """ŷ against y on held-out rows, for a table."""
    measured: Mapping[str, Measured]
    """What the run made of settings that its data decide, or that have a name in place of a number."""


@kept(entries=32, mebibytes=96, own=brought)
def kept_comparison(
    settings: Settings, data: tuple[str, ...], _table: tables.Table | None, first: int | None = None
) -> Comparison:
    """The result itself with all its arrays, for the close-up and the files; `data` stands for the table."""
    del data
    with turn():
        return compare(settings, _table, first)


@kept(entries=256, mebibytes=32, own=brought)
def comparison(
    settings: Settings, data: tuple[str, ...], _table: tables.Table | None, first: int | None = None
) -> View:
    """Looped transformer next to explicit gradient descent; `data` stands for the table in the cache's key."""
    result = kept_comparison(settings, data, _table, first)
    with turn():
        predictions = None
        if result.report is not None and result.report.held_out is not None:
            predictions = prediction_chart(result.report.held_out)
        summary = summarise(result)
        return View(summary, error_chart(result), predictions, summary.measured() | result.algorithm.measured())


@dataclass(frozen=True)
class Run:
    """What is run for the settings of the first page, and what it gives."""

    settings: Settings
    identity: tuple[str, ...]
    table: tables.Table | None
    first: int
    """How many of the prompts are run so far."""

    @property
    def ran(self) -> Settings:
        """The settings with the form that is run."""
        return run_form(self.settings, self.table)

    def result(self) -> Comparison:
        """The run itself, with all its arrays."""
        return kept_comparison(self.settings, self.identity, self.table, self.first)

    def all_of_it(self) -> Comparison:
        """The run on all of its prompts."""
        return kept_comparison(self.settings, self.identity, self.table, self.settings.prompts)

    @property
    def whole(self) -> View:
        """The same of all of its prompts."""
        return comparison(self.settings, self.identity, self.table, self.settings.prompts)

    @cached_property
    def view(self) -> View:
        """What the page shows of it below the picture."""
        return comparison(self.settings, self.identity, self.table, self.first)


def run(settings: Settings, table: tables.Table | None, pages: int, known: int = 0) -> Run:
    """The settings on as many prompts as the page can wait for; refused, if at all, when a result is asked for.

    The others are run beside the page; so many of them are `known`. Where the limits do not allow as many as are set,
    as many are drawn as fit. The time for a slider move is shared by so many `pages`.
    """
    if table is not None:
        identity = (table.name, table.digest, table.reading, table.target, *table.columns)
        return Run(settings, identity, table, settings.prompts)
    allowed = most_prompts(settings)
    if 0 < allowed < settings.prompts:
        settings = settings.replace(prompts=allowed)
    return Run(settings, (), None, max(1, most_prompts(settings, quick=pages), known))


@kept(entries=8, mebibytes=32)
def sweep(settings: context.ContextSettings) -> context.ContextResult:
    """A small sweep over n/d."""
    with turn(context.estimate(settings).seconds):
        return context.sweep(settings)


@kept(entries=256, mebibytes=8)
def sweep_measured(settings: context.ContextSettings) -> Mapping[str, Measured]:
    """What a sweep makes of a named step size."""
    with turn():
        return cells.measured(settings)


@kept(entries=256, mebibytes=32)
def sweep_chart(heading: str, settings: context.ContextSettings, _result: context.ContextResult) -> Picture | None:
    """One chart of a sweep; `settings` stand for the result in the cache's key."""
    del settings
    return CHARTS[heading][0](_result)


@kept(entries=16, mebibytes=32)
def beyond(settings: BeyondSettings) -> BeyondResult:
    """The answer to a question of the page Beyond."""
    with turn(estimate(settings).seconds):
        return find_beyond(settings)


@dataclass(frozen=True, slots=True)
class Look:
    """One prompt of a run in detail."""

    modes: modes.Modes | None
    """None where a loop multiplies a mode by another number each time."""
    inside: inside.Inside


@kept(entries=16, mebibytes=64, own=brought)
def look(
    settings: Settings, data: tuple[str, ...], prompt: int, _table: tables.Table | None, first: int | None = None
) -> Look:
    """One prompt of a run in detail, counted from 0: its error by mode, and the loop's inside."""
    result = kept_comparison(settings, data, _table, first)
    with turn():
        by_mode = modes.split(result, prompt) if result.algorithm.steady else None
        return Look(by_mode, inside.record(result, prompt))


@kept(entries=2, mebibytes=64, own=lambda arguments: arguments["data"] == "csv")
def sheet(
    data: str, upload: str = "", dialect: Dialect | None = None, _content: bytes = b"", _name: str = ""
) -> tables.Sheet:
    """The table behind a data source, before columns are chosen; `upload` stands for the content in the cache's key.

    Raises:
        SettingsError: as `tables.read_csv`, or if there are not two columns to choose from.
    """
    del upload
    if data == "diabetes":
        return tables.diabetes()
    with turn(LONG):  # on the way a file of text takes thirty times its size
        read = tables.read_csv(_content, _name, dialect)
    if (count := len(read.numeric)) < 2:
        name, trouble = next(iter(read.troubles.items()))
        has = f"{_name} has {count or 'no'} column{'s' * (count != 1)} of numbers and needs a target and a feature"
        raise refuse(f"{has}: column '{name}' {trouble}; read as {read.reading}.")
    return read


@functools.cache
def warm_up() -> None:
    """Run the default once, after the first page is drawn, so that no slider move waits for PyTorch's start."""
    comparison(Settings(), (), None, Settings().prompts)
    gc.collect()
    gc.freeze()
