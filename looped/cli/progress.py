"""A progress bar on standard error."""

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from looped.cli.streams import show


class _Messages(io.StringIO):
    """Standard error, where a text that cannot be written is left out."""

    def write(self, text: str) -> int:
        show(text)
        return len(text)

    def isatty(self) -> bool:
        return sys.stderr.isatty()


@contextmanager
def bar() -> Iterator[Callable[[float, str], None]]:
    """On a terminal, one line that is redrawn at every per cent; elsewhere a new line for every tenth of the work.

    Yields:
        A function to call with the share of the work that is done, from 0 to 1, and with what is done, in words.
    """
    terminal = sys.stderr.isatty()
    with click.progressbar(
        length=100, file=_Messages(), hidden=not terminal, width=30, empty_char=".", bar_template="[%(bar)s] %(info)s",
        item_show_func=lambda doing: doing,
    ) as drawn:  # fmt: skip

        def tell(share: float, doing: str) -> None:
            before, now = drawn.pos, int(100 * share)
            drawn.update(now - before, doing)
            if not terminal and now // 10 > before // 10:
                show(f"looped: {share:4.0%}  {doing}\n")

        yield tell
