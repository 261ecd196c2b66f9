"""The settings of a training run as widgets, links, JSON and the command line give them."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

from looped.fields import FIELDS, Field
from looped.settings import CheckedSettings
from looped.training.plan import Training

TRAIN_FIELDS: dict[str, Field] = {
    "loops": replace(
        FIELDS["loops"], high=30,
        help="How often the trained layer is applied, or the number of layers where they are untied. 1 to 30: every "
        "loop raises the degree of the squared error in the data by two or more, which makes its tail heavier.",
    ),
    "examples": replace(
        FIELDS["examples"],
        help="Examples in every training prompt. Training sees this n only; a chart further down shows other n. "
        "1 to 2,000.",
    ),
    "features": replace(
        FIELDS["features"], high=40,
        help="How many numbers describe one example. 1 to 40: full weights are 2(d+1)² numbers, and a step costs d³.",
    ),
    "task": Field(
        name="task", key="task", label="Task", kind="choice", choices=("prediction", "generation"),
        help="prediction: answer the query with its label. generation: the query token becomes w itself, as on the "
        "first page, trained on its squared distance from the task's weights.",
    ),
    "weights": Field(
        name="weights", key="weights", label="Trained weights", kind="choice",
        choices=("full", "sparse", "preconditioner"),
        help="full: every entry of P and Q. preconditioner: a matrix A alone, so that a loop is a gradient step with "
        "A for its step size. sparse: A and a vector u.",
    ),
    "untied": Field(
        name="untied", key="untied", label="Untied layers", kind="yes/no",
        help="T layers with weights of their own instead of one layer applied T times. There is nothing past layer T.",
    ),
    "noise": replace(
        FIELDS["noise"],
        help="Standard deviation of the noise added to the labels of the examples; the query is judged without noise. "
        "0 to 10: without noise a label has the variance d, so at d = 1 and 10 the labels are nearly all noise.",
    ),
    "seed": replace(
        FIELDS["seed"], help="Of the first weights and of every training prompt. Same settings and seed, same bytes."
    ),
    "optimizer": Field(
        name="optimizer", key="optimizer", label="Optimiser", kind="choice",
        choices=("auto", "gauss-newton", "adam", "sgd"),
        help="auto: Gauss–Newton (Levenberg–Marquardt) on fresh prompts where a step of it is cheap, with 1,000 "
        "weights at most, else Adam. Adam and plain stochastic gradient descent clip gradients to length 1.",
    ),
    "steps": Field(
        name="steps", key="steps", label="Steps", kind="whole", low=0, high=20_000,
        help="Budget of optimiser steps, growth of the loops and several starts included. 0 takes what suits the "
        "other settings. Up to 20,000; steps are counted, never seconds, so that results repeat.",
    ),
    "patience": Field(
        name="patience", key="patience", label="Patience", kind="whole", low=0, high=5_000,
        help="Stop early on a plateau: when the typical loss of so many steps at the full T is not 1 % below that of "
        "as many before them. 0 makes all steps. Up to 5,000.",
    ),
    "batch": Field(
        name="batch", key="batch", label="Batch", kind="whole", low=0, high=16_384,
        help="Fresh prompts in every step. 0 takes what suits the other settings. Up to 16,384.",
    ),
    "dtype": replace(
        FIELDS["dtype"],
        help="Arithmetic of training. float64 by default: Gauss–Newton squares the condition number of its Jacobian, "
        "and float32 has too few digits for that.",
    ),
    "device": Field(
        name="device", key="device", label="Device", kind="choice", choices=("cpu", "cuda"),
        help="Where training runs. The same settings give the same bytes only on the same device.",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSettings(CheckedSettings):
    """Everything that determines a training run and its evaluation.

    Raises:
        SettingsError: if a value is out of range, with one sentence naming the field, the value and the range.
    """

    table: ClassVar[dict[str, Field]] = TRAIN_FIELDS

    loops: int = 10
    """T."""
    examples: int = 20
    """n."""
    features: int = 5
    """d."""
    task: Literal["prediction", "generation"] = "prediction"
    weights: Literal["full", "sparse", "preconditioner"] = "full"
    untied: bool = False
    noise: float = 0.0
    """σ of the examples' labels; the query is judged without noise."""
    seed: int = 0
    optimizer: Literal["auto", "gauss-newton", "adam", "sgd"] = "auto"
    steps: int = 0
    """0: what suits."""
    patience: int = 0
    """0: never stop early."""
    batch: int = 0
    """0: what suits."""
    dtype: Literal["float64", "float32"] = "float64"
    device: Literal["cpu", "cuda"] = "cpu"

    def training(self) -> Training:
        """The plan of the run: what is not given suits the rest."""
        given: dict[str, Any] = {}
        if self.optimizer != "auto":
            given["optimizer"] = self.optimizer
        for name in ("steps", "batch"):
            if getattr(self, name):
                given[name] = getattr(self, name)
        same = ("loops", "examples", "features", "task", "weights", "noise", "seed", "patience", "dtype", "device")
        return Training.suited(tied=not self.untied, **{name: getattr(self, name) for name in same}, **given)
