"""Finished cells on disk, so that an interrupted sweep continues and gives the same bytes."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from looped.experiments.context.cells import Cell
from looped.experiments.context.learned import LearnedCell
from looped.experiments.context.settings import ContextSettings
from looped.fields import SettingsError
from looped.files import NOT_AN_ARRAY, npz, write
from looped.provenance import versions

SUBFOLDER = "unfinished"
"""Folder of the cells until all are finished."""
FORMAT = 1
"""Version of the cells, to be raised when they hold something else or other numbers."""


class Keeper:
    """The cells of one sweep in one folder: each a file of its own, written in one move.

    Args:
        folder: the result folder; cells lie in a folder of their own below it.
        settings: Settings of the sweep.

    Raises:
        SettingsError: if the folder holds another sweep or another result, or cannot be written to.
    """

    def __init__(self, folder: Path, settings: ContextSettings) -> None:
        self.folder, self.path = folder, folder / SUBFOLDER
        self.settings = json.loads(settings.computed.to_json())
        self.identity = {"format": FORMAT, **versions("torch", "numpy"), "settings": self.settings}
        self._refuse_another_result(settings)
        begun = _read_json(self.path / "sweep.json")
        if begun is not None and begun != self.identity:
            raise SettingsError(
                "out", f"--out = {folder} holds an unfinished sweep {self._difference(begun)}: {REMEDY}"
            )
        write({"sweep.json": json.dumps(self.identity, ensure_ascii=False, indent=2).encode()}, self.path)

    def _refuse_another_result(self, settings: ContextSettings) -> None:
        there = _read_json(self.folder / "result.json")
        if there is None:
            return
        try:
            same = ContextSettings(**there["settings"]).computed == settings.computed
        except (TypeError, KeyError, ValueError):
            same = False
        if not same:
            raise SettingsError("out", f"--out = {self.folder} holds the result of other settings: {REMEDY}")

    def _difference(self, begun: Any) -> str:
        before = begun.get("settings", {}) if isinstance(begun, dict) else {}
        names = [name for name, value in self.settings.items() if before.get(name) != value]
        return f"with another {', '.join(names)}" if names else "of another version"

    def write(self, cell: Cell | LearnedCell, n: int, loops: int | None = None) -> None:
        """Keep a finished cell."""
        name = f"n{n}.npz" if loops is None else f"n{n}-T{loops}.npz"
        write({name: npz({part: getattr(cell, part) for part in type(cell).__slots__})}, self.path)

    def read(self) -> tuple[dict[int, Cell], dict[tuple[int, int], LearnedCell]]:
        """The cells that are there; a damaged file counts as absent."""
        cells: dict[int, Cell] = {}
        learned: dict[tuple[int, int], LearnedCell] = {}
        for path in self.path.glob("n*.npz"):
            n, _, loops = path.stem[1:].partition("-T")
            try:
                with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                    if loops:
                        learned[int(n), int(loops)] = LearnedCell(**arrays)
                    else:
                        cells[int(n)] = Cell(**arrays)
            except NOT_AN_ARRAY:
                continue
        return cells, learned

    def forget(self) -> None:
        """Remove the cells, when the result is written."""
        shutil.rmtree(self.path)


REMEDY = "choose another folder, or delete this one."


def _read_json(path: Path) -> Any:
    """The content of a file; None if there is none, and an empty object if it is no JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        return {}
