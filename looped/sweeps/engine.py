"""A sweep: the runs of a grid that are not finished yet are made, and all of them become one table."""

from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from looped.experiments import EXPERIMENTS, Experiment
from looped.fields import SettingsError
from looped.files import utf8
from looped.settings import CheckedSettings
from looped.sweeps import grid as grids
from looped.sweeps.folder import Folder
from looped.sweeps.run import Done, key, make
from looped.sweeps.workers import each

if TYPE_CHECKING:
    import pandas as pd

Tell = Callable[[int, int], None]
"""Told of the number of runs that are finished, and of all."""


class Plan:
    """The runs of a grid, each with its key.

    Args:
        settings: Class of an experiment's settings.
        grid: for each setting its values, or text as `grid.read_axes` takes it.
        together: the same, of settings that take their values one after the other together.
        rows: rows of settings, as a table has them.
        fixed: settings that all runs share.

    Raises:
        SettingsError: for an unknown setting, an empty range or too many runs.
    """

    def __init__(
        self,
        settings: type[CheckedSettings],
        grid: Mapping[str, Any] | str,
        together: Mapping[str, Any] | str = "",
        rows: "pd.DataFrame | None" = None,
        fixed: Mapping[str, Any] | None = None,
    ) -> None:
        self.settings, self.experiment = settings, experiment_of(settings)
        axes = _axes(grid, settings) + grids.together(_axes(together, settings))
        if rows is not None:
            filled = rows.notna().to_dict("records")
            axes += grids.rows_of(
                [
                    {str(name): value for name, value in row.items() if there[name]}
                    for row, there in zip(rows.to_dict("records"), filled, strict=True)
                ],
                settings,
            )
        names = {name for axis in axes for name in axis.names}
        shared = {grids.field_of(name, settings).name: value for name, value in (fixed or {}).items()}
        if twice := next(iter(names & shared.keys()), None):
            raise SettingsError(twice, f"{twice} is in the grid and given for all runs: leave one of them out.")
        checked = settings(**shared)  # refused at once where it is wrong for all
        shared = {name: getattr(checked, name) for name in shared}
        self.swept = [name for axis in axes for name in axis.names]
        grids.count(axes)
        self.runs = list(grids.runs(axes, shared))
        self.keys = [key(self.experiment.name, run) for run in self.runs]

    def seconds(self, keys: set[str]) -> float:
        """Estimated CPU seconds of the runs with these keys, from up to a hundred of them."""
        estimate = EXPERIMENTS[self.experiment.name].load_from("cost", "estimate")
        wanted = [run for name, run in zip(self.keys, self.runs, strict=True) if name in keys]
        some = wanted[:: max(1, len(wanted) // 100)]
        costs = []
        for run in some:
            try:
                costs.append(estimate(self.settings(**run)).seconds)
            except SettingsError:
                costs.append(0.0)
        return sum(costs) / max(1, len(costs)) * len(wanted)


def sweep(
    settings: type[CheckedSettings],
    grid: Mapping[str, Any] | str,
    *,
    together: Mapping[str, Any] | str = "",
    rows: "pd.DataFrame | None" = None,
    out: str | Path | None = None,
    scheduler: str | None = None,
    workers: int | None = None,
    keep: bool = False,
    tell: Tell | None = None,
    **fixed: Any,
) -> "pd.DataFrame":
    """Run an experiment over the product of any of its settings.

    Examples:
        >>> from looped import Settings, sweep
        >>> table = sweep(Settings, {"loops": [5, 20], "seed": range(3)}, prompts=8, workers=0)
        >>> table.groupby("loops")["error_after_T.median"].median()

    Args:
        settings: Class of an experiment's settings, which names the experiment.
        grid: for each setting its values, or the text of `--grid`, such as "T=2,5,10; n=10:80:10; seed=0:9".
        together: the same, of settings that change together; all have the same number of values.
        rows: a table with a setting in each column and a run in each row; each is made at every place of the grid.
        out: folder in which finished runs are written down, so that the same call continues after an interruption.
        scheduler: address of a Dask scheduler; `DASK_SCHEDULER_ADDRESS` where none is given.
        workers: processes of this machine, one a core if not given; 0 makes the runs in this process, also where the
            environment names a scheduler.
        keep: write the five files of each run into `out`/runs, by its key.
        tell: told of the number of runs that are finished, and of all.
        **fixed: settings that all runs share.

    Returns:
        One row a run, in the order of the grid: its settings, `refused` (the sentence why there are no numbers, or
        empty), `seconds`, `looped` (the version), `results_version`, and every scalar of its result.json by its path.

    Raises:
        SettingsError: for an unknown setting, an empty range, too many runs, a folder in which another sweep is at
            work, or a scheduler that does not answer or is lost. What was finished by then is kept in `out`.
    """
    return finish(
        Plan(settings, grid, together, rows, fixed),
        out=out, scheduler=scheduler, workers=workers, keep=keep, tell=tell,
    )  # fmt: skip


def finish(
    plan: Plan,
    *,
    out: str | Path | None = None,
    scheduler: str | None = None,
    workers: int | None = None,
    keep: bool = False,
    tell: Tell | None = None,
) -> "pd.DataFrame":
    """Make the runs of a plan that are not finished, and the table of all; everything else as in `sweep`."""
    if keep and out is None:
        raise SettingsError("out", "To keep the files of each run, name a folder for them.")
    if out is None:
        return table(plan, _make(plan, {}, None, scheduler, workers, keep, tell))
    try:
        with Folder(Path(out)) as folder:
            return table(plan, _make(plan, folder.done, folder, scheduler, workers, keep, tell))
    except OSError as error:
        why = f"{out} cannot be written to ({error.strerror or error}): choose another folder."
        raise SettingsError("out", why) from None


def _make(
    plan: Plan,
    done: dict[str, Done],
    folder: Folder | None,
    scheduler: str | None,
    workers: int | None,
    keep: bool,
    tell: Tell | None,
) -> dict[str, Done]:
    """Make the runs that are not done, and add them."""
    from looped import files

    kept = None if folder is None else folder.path / "runs"
    wanted = {
        name: run
        for name, run in zip(plan.keys, plan.runs, strict=True)
        if name not in done or (keep and kept is not None and not done[name]["why"] and not _whole(kept / name))
    }
    total, finished = len(set(plan.keys)), len(set(plan.keys) - wanted.keys())
    if tell is not None:
        tell(finished, total)
    work = partial(make, plan.experiment.name, keep)
    with closing(each(work, wanted, plan.seconds(set(wanted)), scheduler=scheduler, workers=workers)) as made:
        for news in made:
            for name, (found, content) in news:
                done[name] = found
                if content and kept is not None:
                    files.write(content, kept / name)
            if folder is not None:
                folder.add((name, found) for name, (found, _) in news)
            finished += len(news)
            if tell is not None:
                tell(finished, total)
    return done


def _whole(folder: Path) -> bool:
    """Whether the files of a run are all there: the first that is given moves to its place as the last."""
    return (folder / "result.json").is_file()


def table(plan: Plan, done: Mapping[str, Done]) -> "pd.DataFrame":
    """The runs of a plan in the order of its grid."""
    import pandas as pd

    from looped import __version__
    from looped.export import RESULTS_VERSION

    fields = plan.settings.table
    defaults = plan.settings.defaults()
    columns: dict[str, list[Any]] = {name: [] for name in fields}
    columns |= {"refused": [], "seconds": [], "looped": [], "results_version": []}
    found = [done[name] for name in plan.keys]
    scalars = list(dict.fromkeys(name for one in found for name in one["scalars"]))
    for run, one in zip(plan.runs, found, strict=True):
        for name, field in fields.items():
            value = run.get(name, defaults[name])
            columns[name].append(field.to_text(value) if field.kind in ("step", *grids.LISTS) else value)
        columns["refused"].append(one["why"])
        columns["seconds"].append(one["seconds"])
    columns["looped"], columns["results_version"] = [__version__] * len(found), [RESULTS_VERSION] * len(found)
    for name in scalars:
        values = [one["scalars"].get(name) for one in found]
        if len({type(value) for value in values if value is not None} - {int, float}) > 0 and any(
            isinstance(value, str) for value in values
        ):
            values = [None if value is None else str(value) for value in values]
        columns[name if name not in columns else f"result.{name}"] = values
    written = {
        name: [utf8(cell).decode() if isinstance(cell, str) else cell for cell in cells]
        for name, cells in columns.items()
    }
    return pd.DataFrame(written)  # Parquet holds no text that is not UTF-8


def experiment_of(settings: type[CheckedSettings]) -> Experiment:
    """The experiment with that class of settings.

    Raises:
        TypeError: if there is none.
    """
    for experiment in EXPERIMENTS.values():
        if experiment.settings.partition(":")[2] == settings.__name__:
            return experiment
    raise TypeError(f"{settings.__name__} are not the settings of an experiment.")


def _axes(grid: Mapping[str, Any] | str, settings: type[CheckedSettings]) -> list[grids.Axis]:
    return grids.read_axes(grid, settings) if isinstance(grid, str) else grids.axes_of(grid, settings)
