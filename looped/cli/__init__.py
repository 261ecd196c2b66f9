"""The command line: the same settings as the pages, results as files, one JSON summary on standard output."""

import importlib
import sys
from functools import partial
from types import ModuleType

from looped import __version__
from looped.cli.streams import guard
from looped.experiments import EXPERIMENTS

COMMANDS = {"app": ("start the web demo", "looped.cli.app")} | {
    name: (experiment.about, experiment.command) for name, experiment in EXPERIMENTS.items()
}
"""For each command what it does and its module, with `add(parser)` and `run(chosen)`, which is imported when used."""


def main(arguments: list[str] | None = None) -> None:
    """Run a command; the process's own arguments by default."""
    guard(partial(_run, sys.argv[1:] if arguments is None else arguments))


def _run(arguments: list[str]) -> None:
    from looped.cli.options import Parser, UsageError, join_negative  # seconds of imports, guarded as all the rest
    from looped.fields import SettingsError

    arguments = join_negative(arguments)
    parser = Parser(prog="looped", description=__doc__, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"looped {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    modules: dict[str, ModuleType] = {}
    parsers: dict[str, Parser] = {}
    for name, (what, module) in COMMANDS.items():
        parsers[name] = commands.add_parser(name, help=what, allow_abbrev=False)
        if name in arguments[:1]:
            modules[name] = importlib.import_module(module)
            parsers[name].description = modules[name].__doc__
            modules[name].add(parsers[name])
            parsers[name].note_repeated(arguments[1:])
    chosen = parser.parse_args(arguments)
    command = parsers[chosen.command]
    try:
        from looped.threads import one_thread  # with PyTorch, which --help needs not

        with one_thread():
            modules[chosen.command].run(chosen)
    except UsageError as error:
        command.error(str(error))
    except SettingsError as error:
        option = command.option(error.field)
        command.error(f"argument {option}: {error}" if option else str(error))
