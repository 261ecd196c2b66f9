"""What the commands share: options from a table of fields, one-line errors, and the result folder."""

import argparse
import errno
import itertools
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from looped.cli.streams import give, say, show
from looped.fields import READ_AS_POINT, Field, SettingsError
from looped.numerals import is_number
from looped.settings import CheckedSettings


class UsageError(ValueError):
    """Options that do not go together, in one sentence."""


class Parser(argparse.ArgumentParser):
    """Errors are one line on standard error, exit status 2."""

    def error(self, message: str) -> NoReturn:
        """Print the line without the usage block."""
        line = " ".join(message.split())
        self.exit(2, f"{self.prog}: error: {line}\n")

    def _print_message(self, message: str, file: Any = None) -> None:
        """Help and versions like a result, the rest like a message."""
        if file is sys.stdout:
            give(message.removesuffix("\n"))
        else:
            show(message)

    def note_repeated(self, arguments: Sequence[str]) -> None:
        """Say which of an option's values counts where it is given twice: the last one, as argparse has it."""
        last: dict[str, str] = {}
        repeated = set()
        for argument in itertools.takewhile(lambda argument: argument != "--", arguments):
            if action := self._option_string_actions.get(argument.partition("=")[0]):
                repeated |= {action.dest} & last.keys()
                last[action.dest] = argument.partition("=")[0]
        for name in sorted(repeated):
            say(f"{last[name]}: given more than once, the last one counts")

    def option(self, name: str) -> str:
        """The option of a setting, or nothing if it has none."""
        return next((action.option_strings[0] for action in self._actions if action.dest == name), "")


def add_settings(
    command: argparse.ArgumentParser, settings: type[CheckedSettings], metavars: Mapping[str, str] | None = None
) -> None:
    """One option for every field, with its help and its default; `metavars` replaces what stands for a value."""
    for name, field in settings.table.items():
        text = field.help.replace("%", "%%")
        if field.kind == "yes/no":
            command.add_argument(field.flag, dest=name, action=argparse.BooleanOptionalAction, help=text)
            continue
        if default := field.to_text(settings.defaults()[name]):
            text += f" Default: {default}."
        metavar = (metavars or {}).get(name) or "|".join(field.choices) or field.key.upper()
        command.add_argument(field.flag, dest=name, metavar=metavar, help=text)


def given(chosen: argparse.Namespace, table: Mapping[str, Field]) -> dict[str, Any]:
    """The settings whose options were given, as text; decimal commas as points, which is said."""
    values = {name: value for name in table if (value := getattr(chosen, name)) is not None}
    for name, value in values.items():
        if (with_point := table[name].with_point(value)) is not None:
            say(f"{table[name].flag} {value}: {READ_AS_POINT}")
            values[name] = with_point
    return values


def refuse_unread(settings: CheckedSettings, asked: Mapping[str, Any], unread: Mapping[str, str]) -> None:
    """Refuse an option that was given and changes nothing under the other settings.

    Args:
        settings: as they are with all options.
        asked: the options that were given.
        unread: for each setting that has no effect, what it would go with.

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


def add_out(command: argparse.ArgumentParser) -> None:
    """The option that names the result folder."""
    command.add_argument("--out", type=_folder, metavar="DIR", help="Folder for the result files; made if need be.")


def make(folder: Path | None) -> None:
    """The folder for the results, made before the work, so that one that cannot be written to costs nothing.

    Raises:
        SettingsError: if it cannot be.
    """
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise cannot_write(folder, error) from None


def write(result: object, folder: Path | None, more: Mapping[str, bytes] | None = None) -> None:
    """Write a result's files to a folder, if one is asked for.

    Args:
        result: of any kind that `looped.export` knows.
        folder: made if need be.
        more: further files by name, written with the others or not at all.

    Raises:
        SettingsError: if the folder cannot be written to.
    """
    if folder is None:
        return
    from looped import export  # with Plotly, which only files need
    from looped.files import write as write_files

    try:
        written = write_files({**export.of(result).files(), **(more or {})}, folder)
    except OSError as error:
        raise cannot_write(folder, error) from None
    say(f"wrote {', '.join(path.name for path in written)} to {folder}")


def cannot_write(folder: Path, error: OSError) -> SettingsError:
    """The sentence for a folder that cannot be written to."""
    why = f"--out = {folder} cannot be written to ({error.strerror}): choose another folder."
    return SettingsError("out", why)


def join_negative(arguments: list[str]) -> list[str]:
    """Join `--alpha -1e3` to `--alpha=-1e3`: argparse takes a negative number with an exponent for an option."""
    joined: list[str] = []
    for argument in arguments:
        if argument.startswith("-") and joined and joined[-1].startswith("--") and _is_number(argument):
            joined[-1] += f"={argument}"
        else:
            joined.append(argument)
    return joined


def _is_number(argument: str) -> bool:
    return is_number(argument) or is_number(argument, ",")


def _folder(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("an empty name is no folder: give one, or leave --out away.")
    return Path(text)
