"""The command line: the same settings as the pages, results as files, one JSON summary on standard output."""

import sys

from looped.cli.streams import guard


def main(arguments: list[str] | None = None) -> None:
    """Run a command; the process's own arguments by default."""

    def program() -> None:
        from looped.cli.program import run  # imports are guarded as all the rest

        run(sys.argv[1:] if arguments is None else arguments)

    guard(program)
