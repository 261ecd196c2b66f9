"""Train a GPT-2 with or without its MLP sub-layers on tasks that share a signal; on CUDA if there is a device.

With --out, a checkpoint and the curve so far are written every minute, and --resume continues from there.
"""

import importlib.util
from functools import partial
from pathlib import Path
from typing import Any

import click

from looped.cli.options import command, make, write, writing
from looped.cli.steps import train
from looped.cli.streams import give, say
from looped.experiments.gpt2.curves import CHECKPOINT, SAVE_EVERY, keep
from looped.experiments.gpt2.result import GPT2Result
from looped.experiments.gpt2.settings import GPT2Settings
from looped.experiments.gpt2.training import GPT2Trainer
from looped.training.checkpoint import CheckpointError


@command(GPT2Settings)
@click.option(
    "--device", default="auto", metavar="auto|cpu|cuda", help="Where to train. Default: auto, CUDA if there is one."
)
@click.option(
    "--resume", is_flag=True, help=f"Continue from {CHECKPOINT} in the --out folder; start a new run if there is none."
)
def run(asked: dict[str, Any], out: Path | None, device: str, resume: bool) -> None:
    """`looped gpt2`: summary to standard output, checkpoints and files to `--out`."""
    try:
        trainer = _trainer(GPT2Settings.from_dict(asked), out, device, resume)
    except CheckpointError as error:
        raise click.UsageError(f"{error} Leave --resume out to start a new run.") from None
    settings = trainer.settings
    make(out)
    say(f"GPT-2 {'with' if settings.mlp else 'without'} MLP on {trainer.device}, from step {trainer.steps}")
    with writing(out, "--resume continues from here"):
        _train(trainer, out)
    if importlib.util.find_spec("plotly") is None:  # a machine with an accelerator may hold little else
        say("plotly is not installed: the curve and the checkpoint are the only files")
        return
    give(write(GPT2Result(settings, [trainer], (settings.mlp,)), out))


def _train(trainer: GPT2Trainer, folder: Path | None) -> None:
    """Train to the end or until interrupted, with a line for every record, or for every checkpoint in the folder."""
    steps = trainer.settings.steps

    def save(folder: Path) -> None:
        curve = keep(trainer, folder)
        loss = f"{curve.history[-1].loss:.4g}" if curve.history else "no record yet"
        say(f"step {trainer.steps} of {steps}: {loss}, {curve.seconds:.0f} s")

    for record in train(trainer, None if folder is None else partial(save, folder), SAVE_EVERY):
        if record and folder is None:
            say(f"step {record.step} of {steps}: {record.loss:.4g}")


def _trainer(settings: GPT2Settings, out: Path | None, device: str, resume: bool) -> GPT2Trainer:
    """A new trainer, or the one saved in the folder."""
    if not resume:
        return GPT2Trainer(settings, device)
    if out is None:
        raise click.UsageError("argument --resume: it needs --out, the folder of the run to continue.")
    make(out)
    path = out / CHECKPOINT
    if not path.exists():
        say(f"there is no {path} yet: a new run begins")
        return GPT2Trainer(settings, device)
    trainer = GPT2Trainer.resume(path, device)
    if trainer.settings != settings:
        raise click.UsageError(
            f"argument --resume: {path} was trained with {trainer.settings.changes()}: give the same options."
        )
    return trainer
