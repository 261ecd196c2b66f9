"""Training curves of GPT-2 with where they come from: made here and now, or stored with the package."""

import json
from dataclasses import asdict, astuple, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, Self

import torch

from looped.experiments.gpt2.settings import GPT2Settings
from looped.experiments.gpt2.training import GPT2Trainer, Progress
from looped.files import utf8, write
from looped.provenance import STORED, today, versions
from looped.shared_signal.bayes import SampledRisk

FORMAT = "looped gpt2 curve 1"
SAVE_EVERY = 60.0
"""Seconds of wall time between two checkpoints."""
NAMES = {True: "with MLP", False: "without MLP"}
"""What a curve is called, by whether its model has an MLP."""
CHECKPOINT, CURVE = "checkpoint.pt", "curve.json"


@dataclass(frozen=True, slots=True)
class Curve:
    """One training of one GPT-2."""

    settings: GPT2Settings
    history: list[Progress]
    risk: SampledRisk | None
    """Risk after the last step, on separate prompts; None before."""
    device: str
    """Device in words."""
    seconds: float
    """Duration of training: CPU seconds, or wall time on a GPU."""
    date: str
    """Date of the last step, year-month-day."""
    versions: dict[str, str]

    @property
    def steps(self) -> int:
        """Number of steps made, up to the last record."""
        return self.history[-1].step if self.history else 0

    @property
    def finished(self) -> bool:
        """True where all steps were made."""
        return self.risk is not None

    @classmethod
    def of(cls, trainer: GPT2Trainer) -> Self:
        """The curve of a trainer as it stands; the final risk is measured if it has finished."""
        on_cuda = trainer.device.type == "cuda"
        return cls(
            settings=trainer.settings,
            history=list(trainer.history),
            risk=trainer.risk() if trainer.finished else None,
            device=f"one {torch.cuda.get_device_name()}" if on_cuda else "one CPU thread",
            seconds=round(trainer.seconds, 1),
            date=today(),
            versions=versions("python", "torch", "transformers"),
        )

    def to_json(self) -> str:
        """One JSON object, a record of the history on each line."""
        values = {"format": FORMAT, "command": command(self.settings), **asdict(self)}
        del values["history"]
        rows = ",\n".join(json.dumps(astuple(record)) for record in self.history)
        return json.dumps(values, indent=1).removesuffix("\n}") + f',\n "history": [\n{rows}\n]}}\n'

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The inverse of `to_json`."""
        values: dict[str, Any] = json.loads(text)
        values["settings"] = GPT2Settings.from_dict(values["settings"])
        values["history"] = [Progress(*record) for record in values["history"]]
        values["risk"] = None if values["risk"] is None else SampledRisk(**values["risk"])
        return cls(**{field.name: values[field.name] for field in fields(cls)})


def command(settings: GPT2Settings) -> str:
    """The command line that trains with these settings."""
    options = []
    for name, field in settings.table.items():
        value = getattr(settings, name)
        if field.kind == "yes/no":
            options.append(field.flag if value else f"--no-{field.key}")
        elif value != settings.defaults()[name]:
            options.append(f"{field.flag} {field.to_text(value)}")
    return " ".join(["python -m looped gpt2", *options])


def named(settings: GPT2Settings, beside: GPT2Settings) -> str:
    """What a model is called beside one of other settings: by its MLP, and by the size in which they differ."""
    words = [NAMES[settings.mlp]]
    if settings.width != beside.width:
        words.append(f"width {settings.width}")
    if settings.layers != beside.layers:
        words.append(f"{settings.layers} layers")
    return ", ".join(words)


@cache
def stored() -> tuple[Curve, ...]:
    """The curves that come with the package, by file name; each is the curve.json of the command it names."""
    return tuple(Curve.from_json(path.read_text(encoding="utf-8")) for path in sorted(STORED.glob("gpt2-*.json")))


def keep(trainer: GPT2Trainer, folder: Path) -> Curve:
    """Write a checkpoint and the curve so far into a folder, created if it does not exist."""
    folder.mkdir(parents=True, exist_ok=True)
    trainer.save(folder / CHECKPOINT)
    curve = Curve.of(trainer)
    write({CURVE: utf8(curve.to_json())}, folder)
    return curve
