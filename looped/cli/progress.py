"""A progress bar on standard error."""

import sys
import time
from types import TracebackType
from typing import Self

from looped.cli.streams import show

WIDTH = 30
EVERY = 0.1
"""Seconds between two drawings on a terminal."""


class Bar:
    """A line that is drawn over and over on a terminal; elsewhere a line for every tenth of the work."""

    def __init__(self) -> None:
        self.terminal = sys.stderr.isatty()
        self.drawn, self.tenths = 0.0, 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the last line standing."""
        if self.terminal and self.drawn:
            show("\n")

    def show(self, share: float, doing: str) -> None:
        """Say how far the work is.

        Args:
            share: from 0 to 1.
            doing: what is done, in words.
        """
        now = time.monotonic()
        if self.terminal and (now - self.drawn >= EVERY or share >= 1):
            full = round(WIDTH * share)
            show(f"\r[{'#' * full}{'.' * (WIDTH - full)}] {share:4.0%}  {doing}\033[K")
            self.drawn = now
        elif not self.terminal and int(10 * share) > self.tenths:
            self.tenths = int(10 * share)
            show(f"looped: {share:4.0%}  {doing}\n")
