"""The program `looped`: a command is imported when it is chosen, and an error is one line with exit status 2."""

import importlib
from collections.abc import Callable

import click

from looped import __version__, cli
from looped.cli.streams import give, show
from looped.experiments import EXPERIMENTS
from looped.fields import brief, one_line

COMMANDS = (
    {"app": ("start the web demo", "looped.cli.app")}
    | {name: (experiment.about, experiment.command) for name, experiment in EXPERIMENTS.items()}
    | {"sweep": ("one of these over a grid of settings, on all cores or a cluster", "looped.cli.sweep")}
)
"""For each command what it does, and the module that has it as `run`."""

MOST_LETTERS = 900
"""Length of an error's line: it repeats what was given, however long that is."""


def telling(*flags: str, text: Callable[[click.Context], str], what: str) -> click.Option:
    """An option that prints a text as a result is printed, and ends the program."""

    def tell(context: click.Context, _option: click.Parameter, asked: bool) -> None:
        if asked:
            give(text(context))
            raise SystemExit(0)

    return click.Option(flags, is_flag=True, is_eager=True, expose_value=False, callback=tell, help=what)


HELP = telling("-h", "--help", text=click.Context.get_help, what="Show this message and exit.")
VERSION = telling("--version", text=lambda _context: f"looped {__version__}", what="Show the version and exit.")


class Program(click.Group):
    """All commands by name; listing them imports none."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name; all names where there is none."""
        if cmd_name not in COMMANDS:
            ctx.fail(f"argument COMMAND: invalid choice: {cmd_name!r} (choose from {', '.join(map(repr, COMMANDS))})")
        return importlib.import_module(COMMANDS[cmd_name][1]).run

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The list of commands in the help."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, what) for name, (what, _) in COMMANDS.items()])

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Report that a command is missing."""
        if not args:
            ctx.fail(f"the following arguments are required: COMMAND (one of {', '.join(COMMANDS)})")
        return super().parse_args(ctx, args)


def run(arguments: list[str]) -> None:
    """Run a command.

    Raises:
        SystemExit: with status 2 where it cannot be run, after one line on standard error.
    """
    program = Program(params=[HELP, VERSION], add_help_option=False, no_args_is_help=False, help=cli.__doc__)
    try:
        with program.make_context("looped", arguments) as context:
            program.invoke(context)
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "looped"
        show(f"{command}: error: {brief(one_line(error.format_message()), MOST_LETTERS)}\n")
        raise SystemExit(2) from None
