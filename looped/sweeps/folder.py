"""The folder of a sweep: each run that is finished is written down at once, and found again by its key."""

import base64
import io
import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from filelock import FileLock, Timeout

from looped.fields import SettingsError
from looped.files import NOT_AN_ARRAY
from looped.sweeps.run import Done

LOG = "runs.jsonl"
"""One line a finished run: its key, and what is kept of it, JSON in which an array is the text of its .npy file."""
ARRAY = "npy"
"""The name of that text, the only one of its object."""
EVERY = 0.5
"""Least seconds between two waits for the disk: what was written is safe from a kill at once, from a power cut then."""


class Folder:
    """The finished runs in a folder, which one sweep at a time may add to.

    Args:
        path: created if it does not exist.

    Raises:
        SettingsError: if another sweep is at work there.
        OSError: if the folder cannot be written to.
    """

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self.path, self.log = path, path / LOG
        self._lock = FileLock(path / ".lock")
        try:
            self._lock.acquire(timeout=0)  # the system frees it when the process ends, however it ends
        except Timeout:
            raise SettingsError(
                "out", f"Another sweep is at work in {path}: wait until it has ended, or choose another folder."
            ) from None
        self.done: dict[str, Done] = {}
        whole = 0  # bytes of whole lines: a process that was killed may have left a part of one
        if self.log.exists():
            with self.log.open("rb") as lines:
                for line in lines:
                    if not line.endswith(b"\n"):
                        break
                    whole += len(line)
                    try:
                        entry = json.loads(line, object_hook=_with_arrays)
                        self.done[entry["key"]] = entry["done"]
                    except NOT_AN_ARRAY:  # damaged: made again
                        continue
        self._file = self.log.open("ab")
        self._file.truncate(whole)
        self._synced = 0.0

    def add(self, finished: Iterable[tuple[str, Done]]) -> None:
        """Write runs down."""
        for name, done in finished:
            self.done[name] = done
            self._file.write(json.dumps({"key": name, "done": done}, default=_text_of).encode() + b"\n")
        self._file.flush()
        if time.monotonic() > self._synced + EVERY:
            os.fsync(self._file.fileno())
            self._synced = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            os.fsync(self._file.fileno())
            self._file.close()
        finally:
            self._lock.release()


def _text_of(array: np.ndarray) -> dict[str, str]:
    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    return {ARRAY: base64.b64encode(content.getvalue()).decode()}


def _with_arrays(found: dict[str, Any]) -> Any:
    if found.keys() != {ARRAY}:
        return found
    return np.load(io.BytesIO(base64.b64decode(found[ARRAY])), allow_pickle=False)
