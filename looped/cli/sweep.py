"""Run one experiment over a grid of settings, and make one table of what each run gave.

The same command continues a sweep that was interrupted: runs that are finished are not made again.
"""

import io
import json
import os
from pathlib import Path
from typing import Any

import click

from looped.cli.options import Command, command, writing
from looped.cli.program import HELP
from looped.cli.progress import bar
from looped.cli.streams import give, say
from looped.experiments import EXPERIMENTS
from looped.fields import SettingsError, brief
from looped.settings import CheckedSettings

GRID = (
    "Settings and their values: 'T=2,5,10; n=10:80:10; seed=0:9'. A range start:stop:step has both its ends; values of "
    "a setting that is a list are separated by |."
)


MOST_BYTES = 100 * 1024**2
"""Largest table of runs that is read: as many runs as one sweep may have, at 100 characters each."""


class Sweep(click.Group):
    """A command for each experiment, with its settings as options for what all runs share."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that experiment; all names where there is none."""
        if cmd_name not in EXPERIMENTS:
            ctx.fail(f"argument EXPERIMENT: invalid choice: {cmd_name!r} (choose from {', '.join(EXPERIMENTS)})")
        return _command(EXPERIMENTS[cmd_name].load("settings"))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Report that the experiment is missing."""
        if not args:
            ctx.fail(f"the following arguments are required: EXPERIMENT (one of {', '.join(EXPERIMENTS)})")
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The list of experiments in the help."""
        with formatter.section("Experiments"):
            formatter.write_dl([(name, experiment.about) for name, experiment in EXPERIMENTS.items()])


def _command(settings: type[CheckedSettings]) -> Command:
    @command(settings)
    @click.option("--grid", default="", metavar="GRID", help=GRID)
    @click.option("--together", default="", metavar="GRID", help="The same, of settings that change together.")
    @click.option("--runs", type=Path, metavar="FILE.csv", help="A setting in each column, a run in each row.")
    @click.option(
        "--scheduler",
        metavar="ADDRESS",
        help="A Dask scheduler, such as tcp://host:8786. Default: DASK_SCHEDULER_ADDRESS, or this machine.",
    )
    @click.option(
        "--workers",
        type=click.IntRange(0, 1024),
        metavar="N",
        help="Processes of this machine. Default: one a core; 0 runs without more.",
    )
    @click.option("--keep", type=click.Choice(["arrays"]), help="Also write the files of each run.")
    @click.option("--x", default="", metavar="SETTING", help="What the figure has across.")
    @click.option("--y", default="", metavar="SCALAR", help="What the figure has up: a column of the table.")
    @click.option("--colour", default="", metavar="SETTING", help="What colours the curves of the figure.")
    def run(asked: dict[str, Any], out: Path | None, **options: Any) -> None:
        _run(settings, asked, out, **options)

    return run


def _run(
    settings: type[CheckedSettings],
    asked: dict[str, Any],
    out: Path | None,
    grid: str,
    together: str,
    runs: Path | None,
    scheduler: str | None,
    workers: int | None,
    keep: str | None,
    **view: str,
) -> None:
    from looped import export, files
    from looped.export.files import charts_html
    from looped.sweeps import engine
    from looped.sweeps import grid as grids
    from looped.sweeps import workers as places
    from looped.sweeps.chart import chart, choose

    if out is None:
        raise SettingsError("out", "A sweep needs a folder for its results: add --out DIR.")
    rows = None if runs is None else _rows(runs)
    plan = engine.Plan(settings, grid, together, rows, asked)
    for name in ("x", "colour"):
        if view[name]:
            grids.field_of(view[name], settings)
    seconds = plan.seconds(set(plan.keys))
    say(f"{len(plan.runs):,} runs, about {seconds:.2g} s of one core")
    if seconds > places.SHORT and not places.dask_is_there():
        say(f"all of them in this process: several {places.NEEDS}")
    with writing(out, "the same command continues from here"), bar() as tell:

        def told(finished: int, total: int) -> None:
            tell(finished / total, f"{finished:,} of {total:,} runs")

        table = engine.finish(plan, out=out, scheduler=scheduler, workers=workers, keep=keep == "arrays", tell=told)
    shown = choose(plan, table, **view)
    refused = table[table["refused"] != ""]
    summary = {
        "experiment": plan.experiment.name, "runs": len(table), "refused": len(refused), "swept": plan.swept,
        "seconds": round(float(table["seconds"].sum()), 3),
        "figure": {"x": shown.x, "y": shown.y, "colour": shown.colour}, "versions": export.versions(),
    }  # fmt: skip
    text = json.dumps(summary, indent=2, ensure_ascii=False)
    title = f"a sweep of {plan.experiment.name}"
    heading = f"{shown.y} against {settings.table[shown.x].label}"
    contents = {
        "results.parquet": table.to_parquet(),
        "results.csv": files.utf8(table.map(files.spreadsheet_cell).to_csv(index=False)),
        "figure.html": files.utf8(charts_html(title, {heading: chart(plan, table, shown)}, text)),
    }
    with writing(out):
        written = files.write(contents, out)
    for sentence, number in refused["refused"].value_counts().head(5).items():
        say(f"{number} without numbers: {sentence}")
    say(f"wrote {', '.join(path.name for path in written)} to {out}")
    give(text)


def _rows(path: Path) -> Any:
    import pandas as pd

    from looped.files import read_regular

    try:
        return pd.read_csv(io.BytesIO(read_regular(path, MOST_BYTES)), dtype=str, skipinitialspace=True)
    except (OSError, ValueError) as error:  # pandas' own errors are of the second kind
        why = (error.strerror or error) if isinstance(error, OSError) else brief(error, 200)
        shown = brief(os.fspath(path), 80)
        raise SettingsError("runs", f"{shown} is not a table of runs ({why}): write a CSV.") from None


run = Sweep(
    "sweep",
    params=[HELP],
    add_help_option=False,
    help=__doc__,
    no_args_is_help=False,
    subcommand_metavar="EXPERIMENT [OPTIONS]",
)
