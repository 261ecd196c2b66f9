"""Settings of the page and the command on tasks that share a signal."""

from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import torch
from torch import Tensor

from looped.fields import FIELDS, Field
from looped.prompts import eigenvalues
from looped.settings import CheckedSettings
from looped.shared_signal.fields import TASK_FIELDS
from looped.shared_signal.tasks import SignalTask
from looped.shared_signal.training import Kind, TrainingPlan

PAIR = "pair"
"""The choice of model that trains the block and linear self-attention on the same prompts, as the paper's Figure 1."""

SIGNAL_FIELDS: dict[str, Field] = {
    **TASK_FIELDS,
    "H_condition": Field(
        name="H_condition", key="kappa-H", label="κ of H", kind="real", low=1, high=1e4, log=True,
        help="Condition number of H, the covariance of the features: diagonal, eigenvalues evenly spaced in ratio, "
        "trace d. 1 is H = I, as in the paper's experiments; 1 to 10,000.",
    ),
    "Psi_condition": Field(
        name="Psi_condition", key="kappa-Psi", label="κ of Ψ", kind="real", low=1, high=1e4, log=True,
        help="Condition number of Ψ, the covariance of the tasks around β*: diagonal like H, trace d. 1 is Ψ = I; 1 to "
        "10,000.",
    ),
    "model": Field(
        name="model", key="model", label="Model", kind="choice", choices=(PAIR, "ltb", "lsa", "gd-beta", "gd-0"),
        help="What is trained. pair: the linear transformer block and linear self-attention on the same prompts. ltb, "
        "lsa: one of them. gd-beta, gd-0: one gradient step from a learned β, or from 0.",
    ),
    "steps": Field(
        name="steps", key="steps", label="Training steps", kind="whole", low=1, high=100_000, log=True,
        help="Steps of Adam on fresh prompts. The rate falls to 0 over them, so a longer training is not a shorter one "
        "gone on with. 1 to 100,000.",
    ),
    "batch": Field(
        name="batch", key="batch", label="Prompts a step", kind="whole", low=1, high=2_000, log=True,
        help="Fresh prompts in every step; the paper's Figure 1 has 128. 1 to 2,000.",
    ),
    "learning_rate": Field(
        name="learning_rate", key="rate", label="Learning rate", kind="real", low=1e-5, high=0.1, log=True,
        help="Of Adam at its highest, after 100 steps of warm-up. 0.00001 to 0.1: above, training diverges.",
    ),
    "seed": FIELDS["seed"],
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalSettings(CheckedSettings):
    """Everything that determines the risks of the page and the training of its models. The defaults are Figure 1's.

    Raises:
        SettingsError: if a value is out of range, with one sentence naming the field, the value and the range.
    """

    table: ClassVar[dict[str, Field]] = SIGNAL_FIELDS

    features: int = 5
    """d, 1 to 50."""
    M: int = 5
    """Examples in a prompt, 1 to 400."""
    signal: float = 1.0
    """β* is this times (1, …, 1), 0 to 100."""
    noise: float = 0.0
    """σ, 0 to 10."""
    H_condition: float = 1.0
    """Condition number of H, 1 to 10,000. Not read where a matrix is given."""
    Psi_condition: float = 1.0
    """Condition number of Ψ, 1 to 10,000. Not read where a matrix is given."""
    model: Literal["pair", "ltb", "lsa", "gd-beta", "gd-0"] = "pair"
    """What is trained."""
    steps: int = 8000
    """Of training, 1 to 100,000."""
    batch: int = 128
    """Fresh prompts a step, 1 to 2,000."""
    learning_rate: float = 1e-2
    """Of Adam at its highest, 10⁻⁵ to 0.1."""
    seed: int = 0
    """Of initial weights, prompts, and the sampled Bayes risk."""

    @property
    def models(self) -> tuple[Kind, ...]:
        """What is trained, one by one."""
        return ("ltb", "lsa") if self.model == "pair" else (self.model,)

    @property
    def of_task(self) -> Self:
        """The same with the training's settings at their defaults: where these are equal, so are all best risks."""
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
        return SignalTask.shared(self.features, self.M, self.signal, self.noise, H, Psi)

    def plan(self) -> TrainingPlan:
        """How to train."""
        return TrainingPlan(steps=self.steps, batch=self.batch, learning_rate=self.learning_rate, seed=self.seed)
