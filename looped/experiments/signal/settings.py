"""Settings of the page and the command on tasks that share a signal."""

from dataclasses import dataclass
from typing import Literal, Self

import torch
from torch import Tensor

from looped.fields import Choice
from looped.prompts import eigenvalues
from looped.settings import CheckedSettings, Settings, setting
from looped.shared_signal.fields import TASK_FIELDS
from looped.shared_signal.tasks import SignalTask
from looped.shared_signal.training import Kind, TrainingPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalSettings(CheckedSettings):
    """Everything that determines the risks of the page and the training of its models. The defaults are Figure 1's.

    Raises:
        SettingsError: if a value is out of range, with one sentence naming the field, the value and the range.
    """

    features: int = setting(5, like=TASK_FIELDS["features"])
    examples: int = setting(5, like=TASK_FIELDS["examples"])
    signal: float = setting(1.0, like=TASK_FIELDS["signal"])
    noise: float = setting(0.0, like=TASK_FIELDS["noise"])
    H_condition: float = setting(
        1.0, key="kappa-H", label="κ of H", kind="real", low=1, high=1e4, log=True,
        help="Condition number of H, the covariance of the features: diagonal, eigenvalues evenly spaced on a "
        "logarithmic scale, trace d. 1 is H = I, as in the paper's experiments; 1 to 10,000.",
    )  # fmt: skip
    Psi_condition: float = setting(
        1.0, key="kappa-Psi", label="κ of Ψ", kind="real", low=1, high=1e4, log=True,
        help="Condition number of Ψ, the covariance of the tasks around β*: diagonal like H, trace d. 1 is Ψ = I; 1 to "
        "10,000.",
    )  # fmt: skip
    model: Literal["pair", "ltb", "lsa", "gd-beta", "gd-0"] = setting(
        "pair", key="model", label="Model", kind="choice",
        choices=(
            Choice(
                "pair", "Block and attention",
                "the linear transformer block and linear self-attention on the same prompts",
            ),
            Choice("ltb", "Block with MLP", "the linear transformer block alone"),
            Choice("lsa", "Attention alone", "linear self-attention alone"),
            Choice("gd-beta", "GD-β", "one gradient step from a learned β"),
            Choice("gd-0", "GD-0", "one gradient step from 0"),
        ),
        help="Which model is trained.",
    )  # fmt: skip
    steps: int = setting(
        8000, key="steps", label="Training steps", kind="whole", low=1, high=100_000, log=True,
        help="Steps of Adam on fresh prompts. The rate falls to 0 over all of them, so a longer training does not "
        "continue a shorter one. 1 to 100,000.",
    )  # fmt: skip
    batch: int = setting(
        128, key="batch", label="Prompts per step", kind="whole", low=1, high=2_000, log=True,
        help="Fresh prompts in every step; the paper's Figure 1 has 128. 1 to 2,000.",
    )  # fmt: skip
    learning_rate: float = setting(
        1e-2, key="rate", label="Learning rate", kind="real", low=1e-5, high=0.1, log=True,
        help="Highest learning rate of Adam, after 100 steps of warm-up. 0.00001 to 0.1: above, training diverges.",
    )  # fmt: skip
    seed: int = setting(0, like=Settings.table["seed"])

    @property
    def models(self) -> tuple[Kind, ...]:
        """The models that are trained, one by one."""
        return ("ltb", "lsa") if self.model == "pair" else (self.model,)

    @property
    def of_task(self) -> Self:
        """The same settings with the default training: where these are equal, all smallest risks are equal."""
        defaults = self.defaults()
        return self.replace(**{name: defaults[name] for name in ("model", "steps", "batch", "learning_rate")})

    def task(self, H: Tensor | None = None, Psi: Tensor | None = None) -> SignalTask:
        """The distribution of the prompts.

        Args:
            H: covariance of the features, (d, d), in place of the one of `H_condition`.
            Psi: covariance of the tasks, likewise.

        Raises:
            SettingsError: if a matrix is no covariance of d features.
        """
        if H is None:
            H = torch.diag(eigenvalues("geometric", self.features, self.H_condition, self.features))
        if Psi is None:
            Psi = torch.diag(eigenvalues("geometric", self.features, self.Psi_condition, self.features))
        return SignalTask.shared(self.features, self.examples, self.signal, self.noise, H, Psi)

    def plan(self) -> TrainingPlan:
        """The training plan."""
        return TrainingPlan(steps=self.steps, batch=self.batch, learning_rate=self.learning_rate, seed=self.seed)
