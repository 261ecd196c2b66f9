"""Train GPT-2 step by step; it can be saved between any two steps, and a resumed run gives the same bytes."""

import importlib.util
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from looped.experiments.gpt2.settings import GPT2Settings
from looped.fields import SettingsError
from looped.shared_signal.bayes import SampledRisk
from looped.shared_signal.tasks import draw
from looped.threads import in_one_thread
from looped.training import checkpoint

RECORDS = 200
"""Records of a whole training."""
TEST_PROMPTS = 20_000
TEST_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Progress:
    """The state of a training at one record."""

    step: int
    """Steps made."""
    loss: float
    """Mean squared error over the prompts of the steps since the last record, each before its step. All prompts are
    fresh, so this estimates the risk of the weights at that time."""


def missing() -> str:
    """The remedy if transformers is not installed; empty if it is."""
    if importlib.util.find_spec("transformers") is not None:
        return ""
    return "GPT-2 needs the package transformers, which is not installed: run `pip install -r requirements.txt`."


class GPT2Trainer:
    """One GPT-2 and its training by Adam on the squared error of fresh prompts.

    On a CUDA device the model is compiled and replayed as CUDA graphs, with TF32 matrix products: tokens hold labels of
    size 45 next to features of size 1, for which bfloat16's 8 bits are few.

    Args:
        settings: Settings of the run.
        device: cpu, cuda, or auto for cuda where there is one.

    Raises:
        SettingsError: if the heads do not divide the width, there is no such device, or no transformers.
    """

    def __init__(self, settings: GPT2Settings, device: str = "cpu") -> None:
        if why := missing():
            raise SettingsError("model", why)
        if settings.width % settings.heads:
            raise SettingsError(
                "width",
                f"width = {settings.width} is no multiple of heads = {settings.heads}: choose one that heads divide.",
            )
        # transformers takes seconds to import, and may not be there
        from looped.experiments.gpt2.model import PromptGPT2

        self.settings = settings
        self.device = resolve(device)
        self.task = settings.task()
        self.model = PromptGPT2(
            settings.features, settings.examples, mlp=settings.mlp, layers=settings.layers, heads=settings.heads,
            width=settings.width, generator=torch.Generator().manual_seed(settings.seed),
        ).to(self.device)  # fmt: skip
        on_cuda = self.device.type == "cuda"
        self._forward = _compiled(self.model) if on_cuda else self.model
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=settings.learning_rate, fused=True)
        # Another stream than that of the weights, which are seeded with the plain number.
        self.prompts = torch.Generator(self.device).manual_seed(settings.seed + 2**40)
        self.history: list[Progress] = []
        self.steps = 0
        self.seconds = 0.0
        """Seconds of training so far: CPU time, or wall time on a CUDA device."""
        self._errors = torch.zeros((), dtype=torch.float64, device=self.device)  # summed since the last record
        self._clock = time.perf_counter if on_cuda else time.thread_time

    @property
    def finished(self) -> bool:
        """True when no step is left."""
        return self.steps >= self.settings.steps

    @property
    def every(self) -> int:
        """Steps between two records."""
        return math.ceil(self.settings.steps / RECORDS)

    def run(self) -> Iterator[Progress]:
        """Continue to the end, a record every few steps. Dropping the iterator pauses; a new one continues."""
        while not self.finished:
            if record := self.step():
                yield record

    @in_one_thread
    def step(self) -> Progress | None:
        """Make one step; at every few of them, give a record.

        Raises:
            SettingsError: if training has diverged.
        """
        began = self._clock()
        batch = draw(self.task, self.settings.batch, self.prompts, torch.float32)
        loss = (self._forward(batch.E) - batch.y).square().mean()
        loss.backward()
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.rate(self.steps)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self._errors += loss.detach()
        self.steps += 1
        record = None
        if self.steps % self.every == 0 or self.finished:
            since = self.steps - (self.history[-1].step if self.history else 0)
            record = Progress(self.steps, float(self._errors) / since)
            if not math.isfinite(record.loss):
                raise SettingsError(
                    "learning_rate",
                    f"rate = {self.settings.learning_rate} makes training diverge, the loss is not finite after "
                    f"{self.steps} steps: choose a smaller one.",
                )
            self.history.append(record)
            self._errors.zero_()
        self.seconds += self._clock() - began
        return record

    @torch.no_grad()
    @in_one_thread
    def risk(self, prompts: int = TEST_PROMPTS) -> SampledRisk:
        """Risk of the present weights on prompts of its own, the same for every model of a seed and task."""
        generator = torch.Generator(self.device).manual_seed(self.settings.seed + 2**41)
        errors: list[Tensor] = []
        for start in range(0, prompts, TEST_AT_ONCE):
            batch = draw(self.task, min(TEST_AT_ONCE, prompts - start), generator, torch.float32)
            errors.append((self.model(batch.E) - batch.y).square().double())
        found = torch.cat(errors)
        return SampledRisk(float(found.mean()), float(found.std()) / prompts**0.5, prompts)

    def save(self, path: Path) -> None:
        """Write everything needed to resume, in one move, so that an interrupted write leaves the old file."""
        contents: dict[str, Any] = {
            "gpt2": asdict(self.settings),
            "device": self.device.type,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "prompts": self.prompts.get_state(),
            "history": [list(astuple(record)) for record in self.history],
            "steps": self.steps,
            "seconds": self.seconds,
            "errors": self._errors,
        }
        checkpoint.write(path, contents)

    @classmethod
    def resume(cls, path: Path, device: str = "cpu") -> "GPT2Trainer":
        """The saved trainer; on the same device, a resumed run gives the same bytes as one that never stopped.

        Raises:
            CheckpointError: in one sentence, for a file that is missing, damaged or not a GPT-2 of this program.
            SettingsError: if it was trained on another kind of device, whose random numbers cannot be continued.
        """
        contents = checkpoint.read(path)
        saved = contents.get("device")
        if saved is not None and saved != resolve(device).type:
            raise SettingsError("device", f"{path} was trained on {saved}: continue there, with --device {saved}.")
        with checkpoint.explained(path):
            trainer = cls(GPT2Settings.from_dict(contents["gpt2"]), device)
            trainer.model.load_state_dict(contents["model"])
            trainer.optimizer.load_state_dict(contents["optimizer"])
            trainer.prompts.set_state(contents["prompts"])
            trainer.history = [Progress(*values) for values in contents["history"]]
            trainer.steps, trainer.seconds = contents["steps"], contents["seconds"]
            trainer._errors.copy_(contents["errors"])
        return trainer


def _compiled(model: nn.Module) -> Any:
    """The model as CUDA graphs with TF32 products; parts that cannot be compiled run as they are."""
    torch.set_float32_matmul_precision("high")
    torch._dynamo.config.suppress_errors = True
    return torch.compile(model, mode="reduce-overhead")


def resolve(device: str) -> torch.device:
    """The device of that name.

    Raises:
        SettingsError: if it is not there.
    """
    there = torch.cuda.is_available()
    if device == "auto":
        device = "cuda" if there else "cpu"
    if device not in ("cpu", "cuda") or (device == "cuda" and not there):
        has = "cpu, cuda or auto" if there else "cpu or auto, there is no CUDA device here"
        raise SettingsError("device", f"device = {device} cannot be used: choose {has}.")
    return torch.device(device)
