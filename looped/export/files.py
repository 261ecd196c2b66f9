"""The five files of every result, and how they are written: all of them or none."""

import csv
import html
import io
import json
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import numpy as np

from looped import provenance
from looped.chart import NO_UPLOAD, Picture
from looped.experiments import EXPERIMENTS
from looped.files import NOT_AN_ARRAY, npz, spreadsheet_cell, utf8, write
from looped.settings import CheckedSettings

RESULTS_VERSION = 2
"""To be raised when the same settings start to give other numbers; CHANGELOG.md says why."""
PACKAGES = ("looped", "torch", "numpy", "scikit-learn", "plotly")


@cache
def versions() -> dict[str, str]:
    """Versions of Python and of the packages that determine the numbers."""
    return provenance.versions("python", *PACKAGES)


class Result(Protocol):
    """A result of any experiment."""

    @property
    def settings(self) -> CheckedSettings:
        """As asked; of a run that was stopped, with the steps it made."""


R = TypeVar("R", bound=Result)


class Export(ABC, Generic[R]):
    """The parts of one kind of result, and the files made from them; a subclass gives the parts.

    Args:
        result: the result.
    """

    title: ClassVar[str]
    """Heading of figure.html."""

    def __init__(self, result: R) -> None:
        self.result = result

    @cached_property
    @abstractmethod
    def results(self) -> dict[str, Any]:
        """Verdicts and scalars, ready for JSON."""

    @abstractmethod
    def curves(self) -> tuple[tuple[str, ...], Iterable[tuple[Any, ...]]]:
        """Header and rows of the tidy table of everything that is drawn."""

    @abstractmethod
    def arrays(self) -> dict[str, np.ndarray]:
        """Arrays in the precision of the run."""

    @abstractmethod
    def pictures(self) -> Mapping[str, Picture]:
        """The page's charts by heading."""

    @abstractmethod
    def script(self) -> str:
        """A Python script that repeats the run in any folder, and ends as `write_or_compare` does."""

    @cached_property
    def summary(self) -> dict[str, Any]:
        """Settings, seed, versions, verdicts and scalars: result.json."""
        return {**self.provenance, **self.results}

    @property
    def provenance(self) -> dict[str, Any]:
        """The settings and the versions: also the comment of the zip archive that arrays.npz is."""
        settings = self.result.settings.to_dict()
        about = {"settings": settings, "seed": settings.get("seed")}
        return {**about, "results_version": RESULTS_VERSION, "versions": versions()}

    def summary_json(self) -> str:
        """The summary as one JSON object."""
        return _json(self.summary)

    def curves_csv(self) -> str:
        """The curves as text, numbers with all their digits."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        header, rows = self.curves()
        writer.writerow(map(spreadsheet_cell, header))
        writer.writerows(
            [repr(cell) if isinstance(cell, float) else spreadsheet_cell(cell) for cell in row] for row in rows
        )
        return out.getvalue()

    def figure_html(self) -> str:
        """The charts as one interactive page that needs no network."""
        return charts_html(self.title, self.pictures(), self.summary_json())

    def files(self) -> dict[str, bytes]:
        """Content by file name."""
        return {name: self.file(name) for name in FORMATS}

    def file(self, name: str) -> bytes:
        """The content of one of `FORMATS`.

        Raises:
            ValueError: for another name.
        """
        if name not in FORMATS:
            raise ValueError(f"There is no file {name}: the files are {', '.join(FORMATS)}.")
        return FORMATS[name].content(self)


def charts_html(title: str, pictures: Mapping[str, Picture], details: str) -> str:
    """Charts as one interactive page that needs no network.

    Args:
        title: its heading.
        pictures: the charts by heading.
        details: text in a panel that is closed at first.
    """
    parts = []
    for place, (heading, picture) in enumerate(pictures.items()):
        chart = picture.standing_alone().to_html(
            config=NO_UPLOAD, full_html=False, include_plotlyjs=place == 0, div_id=f"chart{place}", auto_play=False
        )
        parts.append(f"<h2>{html.escape(heading)}</h2>\n{chart}\n<p>{html.escape(picture.alt)}</p>\n")
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Looped: {html.escape(title)}</title>\n"
        "<style>body { font-family: sans-serif; margin: 1rem; background: white; color: #1B1F24 }</style>\n"
        f"<h1>{html.escape(title)}</h1>\n{''.join(parts)}"
        "<details><summary>Settings, results and versions</summary>"
        f"<pre>{html.escape(details)}</pre></details>\n</html>\n"
    )


@dataclass(frozen=True, slots=True)
class Format:
    """One of the files of every result."""

    label: str
    """What its button says."""
    media_type: str
    what: str
    """What is in it, in one sentence."""
    content: Callable[[Export[Any]], bytes]


SCRIPT = "reproduce.py"
FORMATS = {
    "result.json": Format(
        "JSON", "application/json", "Settings, seed, versions, verdicts and scalars.",
        lambda made: utf8(made.summary_json() + "\n"),
    ),
    "curves.csv": Format(
        "CSV", "text/csv", "Every curve that is drawn, one number per line.", lambda made: utf8(made.curves_csv())
    ),
    "figure.html": Format(
        "HTML", "text/html", "The charts as one interactive page that works offline.",
        lambda made: utf8(made.figure_html()),
    ),
    SCRIPT: Format(
        "Python", "text/x-python", "A script that gives the same numbers in an empty folder.",
        lambda made: utf8(made.script()),
    ),
    "arrays.npz": Format(
        "NPZ", "application/octet-stream", "The arrays behind the curves, for NumPy.",
        lambda made: npz(made.arrays(), _json(made.provenance)),
    ),
}  # fmt: skip
"""Every result's files by name, in the order in which they are offered."""


def of(result: object) -> Export[Any]:
    """The export of a result of any experiment.

    Raises:
        TypeError: for anything else.
    """
    for experiment in EXPERIMENTS.values():
        name = experiment.result.partition(":")[2]  # tried first, so that no other experiment is imported
        if type(result).__name__ == name and isinstance(result, experiment.load("result")):
            export: Export[Any] = experiment.load("export")(result)
            return export
    raise TypeError(f"There is no export for a {type(result).__name__}.")


def summary(result: object) -> dict[str, Any]:
    """Settings, provenance, verdicts and scalars of a result, ready for JSON."""
    return of(result).summary


def summary_json(result: object) -> str:
    """The summary as one JSON object."""
    return of(result).summary_json()


def save(result: object, folder: str | Path) -> list[Path]:
    """Write a result's five files into a folder, created if it does not exist.

    Returns:
        The paths written.
    """
    return write(of(result).files(), folder)


def write_or_compare(result: object) -> None:
    """The end of a run's script: write the files into the current folder and print the summary, or compare.

    Where files of a run are there already, nothing is written and one line says whether the arrays are equal to those
    of arrays.npz or by how much they differ. `--overwrite` among the script's arguments replaces the files.
    """
    made, folder, overwrite = of(result), Path(), "--overwrite" in sys.argv[1:]
    there = [name for name in FORMATS if (folder / name).exists()]
    if not overwrite and (old := [name for name in there if name != SCRIPT]):
        same = compared(made.arrays(), folder / "arrays.npz")
        if "result.json" in old and (folder / "result.json").read_bytes() != made.file("result.json"):
            same += "; result.json differs"
        print(f"{same}. Nothing is written; --overwrite replaces {', '.join(old)}.")
        return
    write({name: made.file(name) for name in FORMATS if overwrite or name not in there}, folder)
    print(made.summary_json())


def compared(arrays: Mapping[str, np.ndarray], path: Path) -> str:
    """A sentence, without full stop: the arrays equal those of an .npz file, or these differ by so much."""
    try:
        with np.load(path) as stored:
            old = dict(stored)
    except FileNotFoundError:
        return f"there is no {path.name} here to compare with"
    except NOT_AN_ARRAY:
        return f"the {path.name} here cannot be read"
    pairs = ((name, arrays.get(name), old.get(name)) for name in dict.fromkeys((*arrays, *old)))
    differing = [f"{name} ({how})" for name, new, kept in pairs if (how := _difference(new, kept))]
    return (
        f"differs in {', '.join(differing)} from the {path.name} here"
        if differing
        else f"equal to the {path.name} here"
    )


def _difference(new: np.ndarray | None, old: np.ndarray | None) -> str:
    """The difference between an array and the one in a file, in words; empty where they are equal."""
    if new is None or old is None:
        return "in the file alone" if new is None else "not in the file"
    if new.shape != old.shape:
        return f"shape {new.shape}, in the file {old.shape}"
    if not (new.dtype.kind in "fiub" and old.dtype.kind in "fiub"):
        return "" if np.array_equal(new, old) else "another text"
    if new.dtype != old.dtype:
        return f"{new.dtype.name}, in the file {old.dtype.name}"
    unequal = ~((new == old) | (np.isnan(new) & np.isnan(old)))
    if not unequal.any():
        return ""
    apart = float(np.abs(new[unequal].astype(np.float64) - old[unequal].astype(np.float64)).max())
    return f"by up to {apart:.2g}; its largest entry is {np.nanmax(np.abs(old)):.2g}"


def script(call: str, settings: CheckedSettings, *names: str, before: str = "") -> str:
    """A script that runs alone: imports, every field of the settings written out, the call, and its files.

    Args:
        call: Expression that gives the result from `settings`.
        settings: Settings of the run.
        names: What the call and the lines before it need from `looped` beside the settings' class.
        before: Lines between the settings and the call.
    """
    values = "".join(f"    {name}={getattr(settings, name)!r},\n" for name in settings.table)
    made_with = ", ".join(f"{name} {version}" for name, version in versions().items())
    return "\n".join(
        [
            '"""Repeats one run of Looped: writes its files into the current folder and prints its summary.',
            "",
            "Where files of a run are already there it only compares: --overwrite replaces them.",
            f"Made with {made_with}; results version {RESULTS_VERSION}. Needs the looped package.",
            '"""',
            "",
            f"from looped import {', '.join(sorted({*names, type(settings).__name__, 'export'}))}",
            "",
            f"settings = {type(settings).__name__}(\n{values})",
            *([before] if before else []),
            f"result = {call}",
            "export.write_or_compare(result)",
            "",
        ]
    )


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False)
