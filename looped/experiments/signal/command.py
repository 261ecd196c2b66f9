"""Train a model on tasks that share a signal, and compare its risk with the smallest one known."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from looped import export
from looped.cli.options import command, make, refuse_unread, write
from looped.cli.streams import give, say
from looped.experiments.signal.result import SignalResult, SignalTraining
from looped.experiments.signal.settings import SignalSettings
from looped.fields import SettingsError
from looped.shared_signal.tasks import ROUNDING_RULE, load_covariance

MATRICES = {"H": "H_condition", "Psi": "Psi_condition"}
"""Options that name a file, and the setting that it replaces."""


def _covariance(name: str, what: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """An option that names a file."""
    text = f"Covariance of the {what}, (d, d), from numpy.save. {ROUNDING_RULE}"
    return click.option(f"--{name}", name, type=Path, metavar="FILE.npy", help=text)


@command(SignalSettings)
@_covariance("H", "features x")
@_covariance("Psi", "tasks around β*")
def run(asked: dict[str, Any], out: Path | None, **paths: Path | None) -> None:
    """`looped signal`: summary to standard output, files to `--out`."""
    for name, replaced in MATRICES.items():
        if paths[name] is not None and replaced in asked:
            option = SignalSettings.table[replaced].flag
            raise SettingsError(
                replaced, f"{option} = {asked[replaced]} cannot be combined with --{name}: leave one of them out."
            )
    settings = SignalSettings(**asked)
    if settings.features == 1:
        refuse_unread(settings, asked, dict.fromkeys(MATRICES.values(), "two features or more, one has κ = 1"))
    H, Psi = (
        None if (path := paths[name]) is None else load_covariance(path, name, settings.features) for name in MATRICES
    )
    training = SignalTraining(settings, H, Psi)
    for note in training.task.notes:
        say(note)
    make(out)
    for done, records in enumerate(training.run()):
        if done % 10 == 0 or training.finished:
            step = next(iter(records.values())).step
            say(f"step {step} of {settings.steps}: " + ", ".join(f"{k} {r.risk:.4g}" for k, r in records.items()))
    result = SignalResult(settings, training, H, Psi)
    for kind, history in training.history.items():
        best = training.levels.optimum(kind)
        how = "smallest found" if kind == "lsa" else "smallest possible"
        say(f"{kind}: trained to {history[-1].risk:.5g}, the {how} is {best:.5g}")
    summary = export.summary_json(result)
    write(result, out)
    give(summary)
