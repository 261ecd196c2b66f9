"""The shared part of the commands: options from the fields of settings, one-line errors, and the result folder."""

import errno
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise, takewhile
from pathlib import Path
from typing import Any

import click

from looped.cli.program import HELP
from looped.cli.streams import say
from looped.fields import READ_AS_POINT, Field, SettingsError
from looped.files import held
from looped.numerals import is_number
from looped.settings import CheckedSettings

HELD = "looped.held"
"""Where a command notes the folders that it holds."""


class Command(click.Command):
    """A command whose options are read as their fields say."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuse an option in the place of a value, and say which value counts of an option given twice: the last."""
        options = {flag: option for option in self.params for flag in (*option.opts, *option.secondary_opts)}
        last: dict[str, str] = {}
        repeated = set()
        for argument, follows in pairwise([*takewhile("--".__ne__, args), "--"]):
            flag, given, value = argument.partition("=")
            if not isinstance(option := options.get(flag), click.Option):
                continue
            if option.is_flag and given:
                names = "/".join((*option.opts, *option.secondary_opts))
                raise click.UsageError(f"argument {names}: ignored explicit argument {value!r}", ctx)
            is_value = not follows.startswith("-") or follows == "-" or is_number(follows) or is_number(follows, ",")
            if not (option.is_flag or given or is_value):
                raise click.UsageError(f"argument {flag}: expected one argument", ctx)
            repeated |= {option.name} & last.keys()
            last[str(option.name)] = flag
        for name in sorted(map(str, repeated)):
            say(f"{last[name]}: given more than once, the last one counts")
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> None:
        """Run the command in one thread; an error about a setting names its option."""
        from looped.threads import one_thread  # with PyTorch, which --help needs not

        try:
            with one_thread():
                super().invoke(ctx)
        except SettingsError as error:
            option = next((option.opts[0] for option in self.params if option.name == error.field), "")
            raise click.UsageError(f"argument {option}: {error}" if option else str(error), ctx) from None


def command(
    *settings: type[CheckedSettings], metavars: Mapping[str, str] | None = None, epilog: str = ""
) -> Callable[[Callable[..., None]], Command]:
    """Make a function a command: its help is that of its module.

    Args:
        settings: Classes of settings, each field of which becomes an option.
        metavars: What stands for a value in the help, by name of the field, where it is neither choices nor key.
        epilog: Text below the options.

    Returns:
        A decorator of a function of `asked`, the settings that were given as text by name; of `out`, the result folder
        or None; and of the options that stand on the function itself.
    """
    fields = {name: field for table in settings for name, field in table.table.items()}
    options = [option for table in settings for option in _options(table, metavars or {})]

    def decorate(function: Callable[..., None]) -> Command:
        def callback(out: str | None, **values: Any) -> None:
            if out == "":
                raise SettingsError("out", "an empty name is no folder: give one, or leave out --out.")
            asked = dict(_given(fields, {name: values.pop(name) for name in fields}))
            function(asked=asked, out=None if out is None else Path(out), **values)

        own = reversed(getattr(function, "__click_params__", []))
        out = click.Option(["--out"], metavar="DIR", help="Folder for the result files; created if it does not exist.")
        return Command(
            None, callback=callback, params=[*options, *own, out, HELP],
            add_help_option=False, help=sys.modules[function.__module__].__doc__, epilog=epilog,
        )  # fmt: skip

    return decorate


def _options(settings: type[CheckedSettings], metavars: Mapping[str, str]) -> Iterator[click.Option]:
    """One for every field, with its help and its default."""
    for name, field in settings.table.items():
        text = field.command_help
        if field.kind == "yes/no":
            yield click.Option([f"{field.flag}/--no-{field.flag.removeprefix('--')}", name], default=None, help=text)
            continue
        if default := field.to_text(settings.defaults()[name]):
            text += f" Default: {default}."
        metavar = metavars.get(name) or "|".join(field.ids) or field.key.upper()
        yield click.Option([field.flag, name], metavar=metavar, help=text)


def _given(fields: Mapping[str, Field], values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The settings whose options were given; a decimal comma is read as a point, with a message."""
    for name, value in values.items():
        if value is not None:
            with_point = fields[name].with_point(value)
            if with_point is not None:
                say(f"{fields[name].flag} {value}: {READ_AS_POINT}")
            yield name, value if with_point is None else with_point


def refuse_unread(settings: CheckedSettings, asked: Mapping[str, Any], unread: Mapping[str, str]) -> None:
    """Refuse an option that was given and changes nothing under the other settings.

    Args:
        settings: The settings with all options applied.
        asked: the options that were given.
        unread: For each setting that has no effect, the words for what it goes with.

    Raises:
        SettingsError: for the first of them that was given.
    """
    for name, goes_with in unread.items():
        if name in asked:
            field = settings.table[name]
            value = f" = {asked[name]}" if field.kind != "yes/no" else ""
            raise SettingsError(
                name, f"{field.flag}{value} has no effect here, it goes with {goes_with}: leave it out."
            )


def make(folder: Path | None) -> None:
    """The folder for the results, created before the run, so that an unusable folder costs no time.

    Until the command ends, no other command writes there.

    Raises:
        SettingsError: if it cannot be created, or another run is at work there.
    """
    if folder is None:
        return
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    context = click.get_current_context()
    if folder not in (ours := context.meta.setdefault(HELD, set())):
        if context.with_resource(held(folder)) is False:
            why = f"Another run is at work in {folder}: wait until it has ended, or choose another folder."
            raise SettingsError("out", why)
        ours.add(folder)


@contextmanager
def writing(folder: Path | None, continues: str = "") -> Iterator[None]:
    """Refuse a folder that cannot be written to, in a sentence, and let an interruption say how the run continues.

    Raises:
        SettingsError: for an error of the system.
    """
    try:
        yield
    except OSError as error:
        why = f"--out = {folder} cannot be written to ({error.strerror}): choose another folder."
        raise SettingsError("out", why) from None
    except KeyboardInterrupt as stop:
        if folder is not None and continues:
            stop.add_note(continues)
        raise


def write(result: object, folder: Path | None, more: Mapping[str, bytes] | None = None) -> str:
    """Write a result's files to a folder, if one was given.

    Args:
        result: A result of any experiment.
        folder: created if it does not exist.
        more: further files by name, written with the others or not at all.

    Returns:
        The summary of the result, JSON.

    Raises:
        SettingsError: as `make`.
    """
    from looped import export, files  # with Plotly, which a list of options does not need

    made = export.of(result)
    summary = made.summary_json()
    if folder is not None:
        make(folder)
        with writing(folder):
            written = files.write({**made.files(), **(more or {})}, folder)
        say(f"wrote {', '.join(path.name for path in written)} to {folder}")
    return summary
