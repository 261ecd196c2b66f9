"""Run a constructed looped transformer next to explicit gradient descent on the same prompts."""

import argparse
from pathlib import Path

from looped import cost, export, tables
from looped.cli.options import add_out, add_settings, given, say, write
from looped.experiments.compare import compare
from looped.fields import FIELDS, TABLES, SettingsError
from looped.settings import Settings

SYNTHETIC_ONLY = ("examples", "features", "condition_number", "spectrum", "noise", "prompts")
"""Settings that a table brings along or that make no sense for one."""
EXACT_ONLY = ("condition_number", "spectrum")
"""Settings that only exact κ reads."""


def add(command: argparse.ArgumentParser) -> None:
    """The options of `looped compare`."""
    add_settings(command, Settings, {"data": "|".join(("FILE.csv", *FIELDS["data"].choices[:-1]))})
    add_out(command)


def run(chosen: argparse.Namespace) -> None:
    """`looped compare`: summary to standard output, files to `--out`."""
    settings, path = _settings(chosen)
    table = tables.load(settings, path)
    if table is None and chosen.prompts is None:
        settings = _fewer_prompts(settings)
    result = compare(settings, table)
    summary = export.summary_json(result)
    write(result, chosen.out)
    if result.rank == 1 and settings.condition_number != 1 and settings.data == "exact":
        say("min(n, d) = 1 leaves a single eigenvalue, so κ is 1")
    say(result.prediction.sentence)
    say(
        f"max |looped − GD| = {result.gap:.1e}; relative to the largest iterate {result.relative_gap:.1e}, "
        f"tolerance {result.tolerance:.1e} in {settings.dtype}: {'pass' if result.passed else 'FAIL'}"
    )
    print(summary)


def _settings(chosen: argparse.Namespace) -> tuple[Settings, Path | None]:
    """Settings from the options that were given, and the CSV file if one was."""
    values = given(chosen, FIELDS)
    path = None
    if values.get("data") not in (None, *FIELDS["data"].choices):
        path = Path(values["data"])
        values["data"] = "csv"
    table = values.get("data") in TABLES
    for name in SYNTHETIC_ONLY if table else ("target", "feature_columns"):
        if name in values:
            what = f"{FIELDS[name].flag} = {values[name]}"
            why = (
                f"{what} goes with synthetic data, a table brings its own: leave it out."
                if table
                else f"{what} goes with a table: add --data FILE.csv."
            )
            raise SettingsError(name, why)
    for name in EXACT_ONLY if values.get("data") == "gaussian" else ():
        if name in values:
            why = (
                f"{FIELDS[name].flag} = {values[name]} goes with --data exact, Gaussian rows have the κ that falls out"
            )
            raise SettingsError(name, f"{why}: leave it out.")
    return Settings(**values), path


def _fewer_prompts(settings: Settings) -> Settings:
    """As many of the default number of prompts as the limits allow, said on standard error."""
    run = cost.sizes(settings)
    most = cost.most_prompts(run)
    if 0 < most < run.B:
        say(f"runs {most} prompts, as many as fit the limits at these sizes, instead of {run.B}")
        return settings.replace(prompts=most)
    return settings
