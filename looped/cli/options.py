"""What the commands share: options from a table of fields, one-line errors, and the result folder."""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from looped.dialects import is_number
from looped.fields import Field, SettingsError
from looped.settings import CheckedSettings


class UsageError(ValueError):
    """Options that do not go together, in one sentence."""


class Parser(argparse.ArgumentParser):
    """Errors are one line on standard error, exit status 2."""

    def error(self, message: str) -> NoReturn:
        """Print the line without the usage block."""
        line = " ".join(message.split())
        self.exit(2, f"{self.prog}: error: {line}\n")

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
    """The settings whose options were given, as text."""
    return {name: value for name in table if (value := getattr(chosen, name)) is not None}


def add_out(command: argparse.ArgumentParser) -> None:
    """The option that names the result folder."""
    command.add_argument("--out", type=_folder, metavar="DIR", help="Folder for the result files; made if need be.")


def write(result: object, folder: Path | None) -> None:
    """Write a result's files to a folder, if one is asked for.

    Raises:
        SettingsError: if the folder cannot be written to.
    """
    if folder is None:
        return
    from looped import export  # with Plotly, which only files need

    try:
        written = export.save(result, folder)
    except OSError as error:
        raise cannot_write(folder, error) from None
    say(f"wrote {', '.join(path.name for path in written)} to {folder}")


def cannot_write(folder: Path, error: OSError) -> SettingsError:
    """The sentence for a folder that cannot be written to."""
    why = f"--out = {folder} cannot be written to ({error.strerror}): choose another folder."
    return SettingsError("out", why)


def say(message: str) -> None:
    """One line on standard error."""
    print(f"looped: {message}", file=sys.stderr)


def join_negative(arguments: list[str]) -> list[str]:
    """Join `--alpha -1e3` to `--alpha=-1e3`: argparse takes a negative number with an exponent for an option."""
    joined: list[str] = []
    for argument in arguments:
        if argument.startswith("-") and joined and joined[-1].startswith("--") and is_number(argument):
            joined[-1] += f"={argument}"
        else:
            joined.append(argument)
    return joined


def _folder(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("an empty name is no folder: give one, or leave --out away.")
    return Path(text)
