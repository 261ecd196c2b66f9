"""Settings of a training run."""

from dataclasses import dataclass
from typing import Any, Literal

from looped.fields import Choice, Measured
from looped.settings import CheckedSettings, Settings, setting
from looped.training.plan import Training


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainSettings(CheckedSettings):
    """Everything that determines a training run and its evaluation.

    Raises:
        SettingsError: if a value is out of range, with one sentence naming the field, the value and the range.
    """

    loops: int = setting(
        10, like=Settings.table["loops"], high=30,
        help="How often the trained layer is applied, or the number of layers where they are untied. 1 to 30: every "
        "loop raises the degree of the squared error in the data by two or more, which makes its tail heavier.",
    )  # fmt: skip
    examples: int = setting(
        20, like=Settings.table["examples"],
        help="Examples in every training prompt. Training sees this n only; a chart further down shows other n. "
        "1 to 2,000.",
    )  # fmt: skip
    features: int = setting(
        5, like=Settings.table["features"], high=40,
        help="How many numbers describe one example. 1 to 40: full weights are 2(d+1)² numbers, and a step costs d³.",
    )  # fmt: skip
    task: str = setting(
        "prediction", key="task", label="Task", kind="choice",
        choices=(
            Choice("prediction", "Predict y", "answer the query with its label"),
            Choice(
                "generation", "Find w",
                "the query token becomes w itself, as on the first page, trained on its squared distance "
                "from the task's weights",
            ),
        ),
        help="What the transformer is trained to do.",
    )  # fmt: skip
    weights: str = setting(
        "full", key="weights", label="Trained weights", kind="choice",
        choices=(
            Choice("full", "Full P and Q", "every entry of P and Q"),
            Choice("sparse", "A and u", "a matrix A and a vector u"),
            Choice(
                "preconditioner", "Preconditioner A",
                "a matrix A alone, so that a loop is a gradient step with A in place of the step size",
            ),
        ),
        help="Which numbers of the layer are learned.",
    )  # fmt: skip
    untied: bool = setting(
        False, key="untied", label="Untied layers", kind="yes/no",
        help="T layers, each with its own weights, instead of one layer applied T times. They cannot be applied more "
        "than T times.",
    )  # fmt: skip
    noise: float = setting(
        0.0, like=Settings.table["noise"],
        help="Standard deviation of the noise added to the labels of the examples; the query is judged without noise. "
        "0 to 10: without noise a label has the variance d, so at d = 1 and σ = 10 the labels are nearly all noise.",
    )  # fmt: skip
    seed: int = setting(
        0, like=Settings.table["seed"],
        help="Seed of the first weights and of every training prompt. Equal settings and an equal seed give equal "
        "bytes.",
    )  # fmt: skip
    optimizer: str = setting(
        "auto", key="optimizer", label="Optimiser", kind="choice",
        choices=(
            Choice(
                "auto", "Automatic",
                "Gauss–Newton for at most 1,000 weights, where a step of it is cheap, else Adam",
            ),
            Choice("gauss-newton", "Gauss–Newton", "Levenberg–Marquardt on fresh prompts"),
            Choice("adam", "Adam", "gradient steps scaled entry by entry"),
            Choice("sgd", "SGD", "plain stochastic gradient descent"),
        ),
        help="How the weights are updated. Adam and SGD clip gradients to length 1.",
    )  # fmt: skip
    steps: int = setting(
        0, key="steps", label="Steps", kind="whole", low=0, high=20_000, zero="Automatic",
        help="Number of optimiser steps, including those with fewer than T loops and those of several starts. 0 takes "
        "a number that suits the other settings. Up to 20,000; steps are counted, never seconds, so that results "
        "repeat.",
    )  # fmt: skip
    patience: int = setting(
        0, key="patience", label="Patience", kind="whole", low=0, high=5_000, zero="All steps",
        help="Stop early on a plateau: when the typical loss of this many steps at the full T is not 1 % below that "
        "of as many steps before. 0 makes all steps. Up to 5,000.",
    )  # fmt: skip
    batch: int = setting(
        0, key="batch", label="Batch", kind="whole", low=0, high=16_384, zero="Automatic",
        help="Fresh prompts in every step. 0 takes a number that suits the other settings. Up to 16,384.",
    )  # fmt: skip
    dtype: Literal["float64", "float32"] = setting(
        "float64", like=Settings.table["dtype"],
        help="Arithmetic of training. float64 by default: Gauss–Newton squares the condition number of its Jacobian, "
        "and float32 has too few digits for that.",
    )  # fmt: skip
    device: str = setting(
        "cpu", key="device", label="Device", kind="choice",
        choices=(
            Choice("cpu", "CPU", "the processor"),
            Choice("cuda", "CUDA GPU", "an NVIDIA graphics card"),
        ),
        help="Where training runs. The same settings give the same bytes only on the same device.",
    )  # fmt: skip

    def training(self) -> Training:
        """The plan of the run; what is not given is chosen to suit the rest."""
        given: dict[str, Any] = {}
        if self.optimizer != "auto":
            given["optimizer"] = self.optimizer
        for name in ("steps", "batch"):
            if getattr(self, name):
                given[name] = getattr(self, name)
        same = ("loops", "examples", "features", "task", "weights", "noise", "seed", "patience", "dtype", "device")
        return Training.suited(tied=not self.untied, **{name: getattr(self, name) for name in same}, **given)

    def measured(self) -> dict[str, Measured]:
        """The number that a run uses where a setting is 0, by setting; as much patience as steps never stops early."""
        plan = self.training()
        patience = min(float(plan.steps), self.table["patience"].high)
        return {"steps": Measured(plan.steps), "batch": Measured(plan.batch), "patience": Measured(patience)}
