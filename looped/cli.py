"""The command line: the same settings as the pages, results as files, one JSON summary on standard output."""

import argparse
import io
import os
import sys
from pathlib import Path
from typing import NoReturn

from looped import __version__, cost, export, tables
from looped.experiments.compare import compare
from looped.fields import FIELDS, TABLES, SettingsError
from looped.settings import Settings

FLAGS = {name: f"--{field.key}" for name, field in FIELDS.items()} | {
    "step_size": "--step-size",
    "shared_step": "--shared-step",
    "feature_columns": "--features",
}
"""Option of each setting."""
SYNTHETIC_ONLY = ("examples", "features", "condition_number", "spectrum", "noise", "prompts")
"""Settings that a table brings along or that make no sense for one."""


class Parser(argparse.ArgumentParser):
    """Errors are one line on standard error, exit status 2."""

    def error(self, message: str) -> NoReturn:
        """Print the line without the usage block."""
        line = " ".join(message.split())
        self.exit(2, f"{self.prog}: error: {line}\n")


def main(arguments: list[str] | None = None) -> None:
    """Run a command; the process's own arguments by default."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    parser = Parser(prog="looped", description=__doc__, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"looped {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    command = commands.add_parser(
        "compare",
        help="a constructed looped transformer next to explicit gradient descent",
        description="Run a constructed looped transformer next to explicit gradient descent on the same prompts.",
        allow_abbrev=False,
    )
    _add_settings(command)
    chosen = parser.parse_args(_join_negative(sys.argv[1:] if arguments is None else arguments))
    try:
        run_compare(chosen)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough, as with `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except SettingsError as error:
        command.error(f"argument {FLAGS[error.field]}: {error}" if error.field in FLAGS else str(error))


def run_compare(chosen: argparse.Namespace) -> None:
    """`looped compare`: summary to standard output, files to `--out`."""
    settings, path = _settings(chosen)
    table = tables.load(settings, path)
    if table is None and chosen.prompts is None:
        settings = _fewer_prompts(settings)
    result = compare(settings, table)
    summary = export.summary_json(result)
    if chosen.out is not None:
        try:
            written = export.save(result, chosen.out)
        except OSError as error:
            why = f"--out = {chosen.out} cannot be written to ({error.strerror}): choose another folder."
            raise SettingsError("out", why) from None
        _say(f"wrote {', '.join(path.name for path in written)} to {chosen.out}")
    if result.rank == 1 and settings.condition_number != 1 and settings.data == "exact":
        _say("min(n, d) = 1 leaves a single eigenvalue, so κ is 1")
    _say(result.prediction.sentence)
    _say(
        f"max |looped − GD| = {result.gap:.1e}; relative to the largest iterate {result.relative_gap:.1e}, "
        f"tolerance {result.tolerance:.1e} in {settings.dtype}: {'pass' if result.passed else 'FAIL'}"
    )
    print(summary)


def _add_settings(command: argparse.ArgumentParser) -> None:
    defaults = Settings()
    for name, field in FIELDS.items():
        text = field.help.replace("%", "%%")
        if field.kind == "yes/no":
            command.add_argument(FLAGS[name], dest=name, action="store_const", const=True, help=text)
            continue
        metavar = "FILE.csv|" + "|".join(field.choices[:-1]) if name == "data" else "|".join(field.choices)
        if default := field.to_text(getattr(defaults, name)):
            text += f" Default: {default}."
        command.add_argument(FLAGS[name], dest=name, metavar=metavar or field.key.upper(), help=text)
    command.add_argument("--out", type=_folder, metavar="DIR", help="Folder for the result files; made if need be.")


def _settings(chosen: argparse.Namespace) -> tuple[Settings, Path | None]:
    """Settings from the options that were given, and the CSV file if one was."""
    given = {name: value for name in FIELDS if (value := getattr(chosen, name)) is not None}
    path = None
    if given.get("data") not in (None, *FIELDS["data"].choices):
        path = Path(given["data"])
        given["data"] = "csv"
    table = given.get("data") in TABLES
    for name in SYNTHETIC_ONLY if table else ("target", "feature_columns"):
        if name in given:
            why = (
                f"{FLAGS[name]} = {given[name]} goes with synthetic data, a table brings its own: leave it out."
                if table
                else f"{FLAGS[name]} = {given[name]} goes with a table: add --data FILE.csv."
            )
            raise SettingsError(name, why)
    return Settings(**given), path


def _fewer_prompts(settings: Settings) -> Settings:
    """As many of the default number of prompts as the limits allow, said on standard error."""
    run = cost.sizes(settings)
    most = cost.most_prompts(run)
    if 0 < most < run.B:
        _say(f"runs {most} prompts, as many as fit the limits at these sizes, instead of {run.B}")
        return settings.replace(prompts=most)
    return settings


def _join_negative(arguments: list[str]) -> list[str]:
    """Join `--alpha -1e3` to `--alpha=-1e3`: argparse takes a negative number with an exponent for an option."""
    joined: list[str] = []
    for argument in arguments:
        if argument.startswith("-") and joined and joined[-1].startswith("--") and tables.is_number(argument):
            joined[-1] += f"={argument}"
        else:
            joined.append(argument)
    return joined


def _folder(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("an empty name is no folder: give one, or leave --out away.")
    return Path(text)


def _say(message: str) -> None:
    print(f"looped: {message}", file=sys.stderr)
