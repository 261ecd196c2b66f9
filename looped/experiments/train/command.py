"""Train a looped transformer on fresh prompts, and say what it found.

With --out the run is saved in DIR/run.pt at regular intervals, and --resume continues from there.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import click

from looped.cli.options import command, make, write, writing
from looped.cli.progress import bar
from looped.cli.steps import train
from looped.cli.streams import give, say
from looped.experiments.train import TrainResult, evaluation, trained
from looped.experiments.train.cost import check, estimate
from looped.experiments.train.files import history_csv
from looped.experiments.train.result import written
from looped.experiments.train.settings import TrainSettings
from looped.experiments.train.weights_file import read_weights
from looped.fields import SettingsError
from looped.files import utf8
from looped.training.checkpoint import CheckpointError
from looped.training.trainer import Trainer

CHECKPOINT = "run.pt"
SAVE_EVERY = 5.0
"""Seconds between two checkpoints."""
OF_A_FILE = ("loops", "examples", "noise")
"""Settings with which weights from a file can be evaluated."""


@command(TrainSettings)
@click.option(
    "--resume", is_flag=True, help=f"Continue from {CHECKPOINT} in the folder of --out; --steps may be changed."
)
@click.option(
    "--weights-from", type=Path, metavar="FILE.npz", help="Evaluate the P and Q of a file instead of training."
)
def run(asked: dict[str, Any], out: Path | None, resume: bool, weights_from: Path | None) -> None:
    """`looped train`: summary to standard output, files to `--out`."""
    if weights_from and resume:
        raise click.UsageError("--weights-from evaluates weights and --resume trains: leave one of them out.")
    with writing(out, "" if weights_from else "--resume continues from here"):
        begun = _from_file(weights_from, asked) if weights_from else _train(asked, out, resume)
        with bar() as tell:
            for piece, found in enumerate(evaluation(begun), start=1):
                tell(min(1.0, piece / _pieces(found)), "evaluation")
    summary = write(found, out, {"history.csv": utf8(history_csv(found))})
    for _, median, tail in found.fresh:
        say(f"query error on {found.fresh_prompts:,} fresh prompts: median {written(median)}, 99.9 % point "
            f"{written(tail)}")  # fmt: skip
    for sentence in (found.overflow(), found.means(), found.found(), found.compared()):
        if sentence:
            say(sentence)
    give(summary)


def _train(asked: dict[str, Any], out: Path | None, resume: bool) -> TrainResult:
    """Start or resume the training, with a progress bar and checkpoints."""
    path = None if out is None else out / CHECKPOINT
    settings, trainer = _resumed(path, asked) if resume else _begun(TrainSettings(**asked))
    make(out)
    save = None if path is None else partial(trainer.save, path)
    if save is not None:
        save()
    steps = trainer.training.steps
    say(f"{steps} steps, about {estimate(settings).seconds:.2g} s on one core, with the evaluation")
    with bar() as tell:
        for progress in train(trainer, save, SAVE_EVERY):
            tell(progress.step / steps, f"step {progress.step}, T = {progress.loops}, loss {progress.median:.2e}")
    say(trainer.history[-1].stopped)
    return trained(trainer, settings)


def _begun(settings: TrainSettings) -> tuple[TrainSettings, Trainer]:
    check(settings)
    trainer = Trainer(settings.training())
    trainer.note = settings.to_json()
    return settings, trainer


def _resumed(path: Path | None, asked: dict[str, Any]) -> tuple[TrainSettings, Trainer]:
    """The run in the folder, with another number of steps if one was given."""
    if path is None:
        raise click.UsageError("--resume needs the folder of the run to continue: add --out DIR.")
    try:
        trainer = Trainer.resume(path)
        settings = TrainSettings.from_json(trainer.note)
    except (CheckpointError, SettingsError) as error:
        raise click.UsageError(f"{error} Leave --resume out to start a new run.") from None
    for name, value in asked.items():
        field = settings.table[name]
        if name != "steps" and field.read(value) != getattr(settings, name):
            kept = field.to_text(getattr(settings, name))
            raise SettingsError(
                name, f"{field.flag} = {value} is not what this run has been trained with: it is {kept}."
            )
    if "steps" in asked:
        settings = settings.replace(steps=asked["steps"])
        check(settings)
        trainer = Trainer.resume(path, settings.training().steps)
        trainer.note = settings.to_json()
    return settings, trainer


def _from_file(path: Path, asked: dict[str, Any]) -> TrainResult:
    """Weights from a file, with the T, n and noise that were given."""
    found = read_weights(path, TrainSettings(**asked))
    for name in asked:
        field = TrainSettings.table[name]
        if name not in OF_A_FILE and (want := field.read(asked[name])) != getattr(found.settings, name):
            has = field.to_text(getattr(found.settings, name))
            raise SettingsError(
                name, f"{field.flag} = {want} does not go with {found.name}, which has {has}: leave it out."
            )
    if found.settings.untied and "loops" in asked and int(asked["loops"]) != found.settings.loops:
        raise SettingsError("loops", f"{found.name} has {found.settings.loops} untied layers: leave --T out.")
    return replace(found, settings=found.settings.replace(**{name: asked[name] for name in OF_A_FILE if name in asked}))


def _pieces(found: TrainResult) -> int:
    """About how many pieces an evaluation has, most of them the steps of A alone."""
    return 15 + (200 if found.settings.task == "prediction" and not found.settings.untied else 0)
