"""The folder of a sweep: each run that is finished is written down at once, and found again by its key."""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import FileLock, Timeout

from looped.fields import SettingsError
from looped.sweeps.run import Done

LOG = "runs.jsonl"
"""One line a finished run: its key, and what is kept of it."""


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
                    entry = json.loads(line)
                    self.done[entry["key"]] = entry["done"]
                    whole += len(line)
        self._file = self.log.open("ab")
        self._file.truncate(whole)

    def add(self, finished: Iterable[tuple[str, Done]]) -> None:
        """Write runs down, and wait until the system has them on its disk."""
        for name, done in finished:
            self.done[name] = done
            self._file.write(json.dumps({"key": name, "done": done}).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._file.close()
        finally:
            self._lock.release()
