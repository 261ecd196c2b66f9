"""A grid of settings: read from text, from Python or from a table, and gone through run by run."""

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from looped.fields import Field, SettingsError, as_number, brief
from looped.settings import CheckedSettings

MOST_RUNS = 1_000_000
"""Runs of one sweep: the process that asks for them holds a row for each, some 9 kB at its peak."""
NUMBERS = ("whole", "real", "step")
LISTS = ("numbers", "list", "text")
"""Kinds of settings whose one value may hold commas: several of them are written with | between."""


@dataclass(frozen=True)
class Axis:
    """Settings that change together, and what they take one after the other."""

    names: tuple[str, ...]
    values: Sequence[tuple[Any, ...]]


def field_of(name: str, settings: type[CheckedSettings]) -> Field:
    """The setting with that key, option or name.

    Raises:
        SettingsError: if there is none.
    """
    for field in settings.table.values():
        if name in (field.key, field.flag.removeprefix("--"), field.name):
            return field
    names = ", ".join(field.flag.removeprefix("--") for field in settings.table.values())
    raise SettingsError("grid", f"{brief(name)} is not a setting of this experiment: choose from {names}.")


def read_axes(text: str, settings: type[CheckedSettings]) -> list[Axis]:
    """The axes of a grid written as "T=2,5,10; n=10:80:10; seed=0:9".

    A range start:stop:step has both its ends, and its step is 1 where none is given. Values of a setting that holds a
    list itself are separated by |.

    Args:
        text: what is written.
        settings: Class of the settings.

    Raises:
        SettingsError: for an unknown setting, an empty list, a range that ends before it begins, or no number.
    """
    axes: list[Axis] = []
    for part in filter(None, map(str.strip, text.split(";"))):
        name, given, values = (piece.strip() for piece in part.partition("="))
        if not given:
            raise SettingsError(
                "grid", f"{brief(part)} has no values: write name=values, such as T=2,5,10 or seed=0:9."
            )
        axes.append(_axis(name, values, settings))
        _refuse_repeated(axes)
    return axes


def axes_of(grid: Mapping[str, Any], settings: type[CheckedSettings]) -> list[Axis]:
    """The axes of a mapping from the name of a setting to its values, or to text as in `read_axes`."""
    return [_axis(name, values, settings) for name, values in grid.items()]


def together(axes: Iterable[Axis]) -> list[Axis]:
    """One axis of several, whose values are taken at the same place; none for no axes.

    Raises:
        SettingsError: if they have different numbers of values.
    """
    axes = list(axes)
    if len({len(axis.values) for axis in axes}) > 1:
        sizes = ", ".join(f"{axis.names[0]} {len(axis.values)}" for axis in axes)
        raise SettingsError("together", f"What changes together has different numbers of values: {sizes}.")
    names = tuple(itertools.chain(*(axis.names for axis in axes)))
    joined = [tuple(itertools.chain(*row)) for row in zip(*(axis.values for axis in axes), strict=True)]
    return [Axis(names, joined)] if axes else []


def rows_of(rows: Iterable[Mapping[str, Any]], settings: type[CheckedSettings]) -> list[Axis]:
    """One axis of rows of settings, as a table has them; a row may leave settings out."""
    found = [{field_of(name, settings).name: value for name, value in row.items()} for row in rows]
    names = tuple(dict.fromkeys(itertools.chain(*found)))
    if not found:
        raise SettingsError("runs", "The table of runs has no row: give one row a run.")
    defaults = settings.defaults()
    values = [
        tuple(_value(settings.table[name], row[name], "") if name in row else defaults[name] for name in names)
        for row in found
    ]
    return [Axis(names, values)]


def count(axes: Sequence[Axis]) -> int:
    """The number of runs.

    Raises:
        SettingsError: if a setting stands on two axes, or if there are more than `MOST_RUNS`.
    """
    _refuse_repeated(axes)
    runs = math.prod(len(axis.values) for axis in axes)
    if runs > MOST_RUNS:
        raise SettingsError("grid", f"The grid has {runs:,} runs: choose at most {MOST_RUNS:,}.")
    return runs


def runs(axes: Sequence[Axis], fixed: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What is set in each run, by name of the setting; the last axis changes fastest."""
    names = tuple(itertools.chain(*(axis.names for axis in axes)))
    for values in itertools.product(*(axis.values for axis in axes)):
        yield {**fixed, **dict(zip(names, itertools.chain(*values), strict=True))}


def _refuse_repeated(axes: Sequence[Axis]) -> None:
    names = list(itertools.chain(*(axis.names for axis in axes)))
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise SettingsError("grid", f"{twice} is given twice: leave one of them out.")


def _axis(name: str, values: Any, settings: type[CheckedSettings]) -> Axis:
    field = field_of(name, settings)
    if isinstance(values, str):
        found: list[Any] = []
        for part in filter(None, map(str.strip, values.split("|" if field.kind in LISTS else ","))):
            found += _range(field, part) if ":" in part and field.kind in NUMBERS else [part]
            if len(found) > MOST_RUNS:
                raise SettingsError(
                    "grid", f"{field.key} has {len(found):,} values or more: choose at most {MOST_RUNS:,}."
                )
    else:
        found = list(values) if isinstance(values, Iterable) else [values]
    if not found:
        raise SettingsError("grid", f"{brief(name)} has no values: give one or more.")
    return Axis((field.name,), [(_value(field, value, name),) for value in found])


def _value(field: Field, value: Any, name: str) -> Any:
    """The value as its setting reads it; a number out of range as it is: its run will say so."""
    try:
        return field.read(value)
    except SettingsError as error:
        try:
            number = as_number(value)
        except (ValueError, OverflowError, RecursionError):
            number = math.nan
        if field.kind not in NUMBERS or math.isnan(number):
            raise SettingsError("grid" if name else "runs", str(error)) from None
        return int(number) if number.is_integer() and field.kind == "whole" else number


def _range(field: Field, text: str) -> list[float]:
    parts = text.split(":")
    try:
        start, stop, step = (*map(as_number, parts), *[1.0] * (3 - len(parts)))
    except ValueError:
        raise SettingsError(
            "grid", f"{field.key} = {brief(text)} is not a range: write start:stop or start:stop:step."
        ) from None
    if not (step > 0 and start <= stop and math.isfinite(stop - start)):
        raise SettingsError(
            "grid", f"{field.key} = {brief(text)} is empty: a range goes up, from start to stop, by a step above 0."
        )
    steps = (stop - start) / step * (1 + 1e-12) + 1e-9
    if steps >= MOST_RUNS:  # infinitely many where the step is tiny
        many = f"{math.floor(steps) + 1:,}" if steps < 1e15 else "too many"
        raise SettingsError("grid", f"{field.key} = {brief(text)} has {many} values: choose at most {MOST_RUNS:,}.")
    number = math.floor(steps) + 1
    return [round(start + place * step, 12) for place in range(number)]
