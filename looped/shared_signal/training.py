"""Train any of the models on fresh prompts, with records of the progress. Nothing here knows of threads or screens."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from looped.fields import SettingsError
from looped.shared_signal.adam import Adam
from looped.shared_signal.models import LSA, LTB, GDBeta, SignalModel
from looped.shared_signal.risks import exact_risk
from looped.shared_signal.tasks import SignalTask, draw
from looped.threads import in_one_thread
from looped.training.schedule import warmed_up

Kind = Literal["lsa", "ltb", "gd-beta", "gd-0"]
STEPS_AT_ONCE = 50
"""Steps whose prompts are drawn at once: cheaper than one draw per step. Changing it changes the numbers of a seed."""
NUMBERS_AT_ONCE = 10_000_000
"""Largest number of entries of E drawn at once, 40 MB; beyond it prompts for fewer steps are drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPlan:
    """The sizes and rates of a training.

    The paper gives the batch of its Figure 1 only: all other numbers are this project's choice.

    Gradients are not clipped: their noise is skewed, and shortening the long ones moves the point where training ends
    (measured with norm 1: linear self-attention 0.2 % above its minimum instead of 0.04 %).
    """

    steps: int = 8000
    batch: int = 128
    """Fresh prompts per step."""
    learning_rate: float = 1e-2
    """Highest learning rate of Adam: the rate rises over `warm_up` steps and falls to 0 along a half cosine."""
    warm_up: int = 100
    """Number of steps over which the rate rises from 0."""
    second_moment_decay: float = 0.99
    """β₂ of Adam: shorter than customary, for the squared error is heavy-tailed and early gradients are huge."""
    seed: int = 0
    """Seed of the initial weights and, separately, of the prompts: models of one seed and task see the same prompts."""
    report_every: int = 100

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "report_every"):
            if getattr(self, name) < 1:
                raise SettingsError(name, f"{name} = {getattr(self, name)} is too few: give at least 1.")

    def rate(self, step: int) -> float:
        """Learning rate of a step, counted from 0."""
        return warmed_up(step, self.steps, self.learning_rate, self.warm_up)


@dataclass(frozen=True, slots=True)
class Progress:
    """The state of a training after some steps."""

    step: int
    """Steps done; 0 is the start."""
    loss: float
    """Mean squared error of the batches since the last record; NaN at the start."""
    risk: float
    """Exact risk of the present weights."""
    learning_rate: float
    """Learning rate of the last step."""


def token_units(task: SignalTask) -> Tensor:
    """The root mean square of each row of E, (d+1,), rounded to a power of two; 1 for a row that is always 0."""
    signal = float(task.beta_star @ task.H @ task.beta_star)
    squares = torch.cat([task.H.diagonal(), torch.tensor([task.c + signal], dtype=torch.float64)])
    return torch.where(squares > 0, squares.sqrt().log2().round().exp2(), 1.0)


def initial_model(kind: Kind, task: SignalTask, seed: int, dtype: torch.dtype = torch.float32) -> SignalModel:
    """A model before training: random weights, 𝓝(0, 1/rows) for tokens in their `token_units`, or β = 0 and Γ = 0.

    Args:
        kind: the kind of model: lsa, ltb, gd-beta or gd-0.
        task: the distribution of the prompts it will be trained on.
        seed: the seed of the weights.
        dtype: the dtype of the weights and of training.
    """
    generator = torch.Generator().manual_seed(seed)
    model: SignalModel
    match kind:
        case "lsa":
            model = LSA(task.features, generator=generator, dtype=dtype)
        case "ltb":
            model = LTB(task.features, generator=generator, dtype=dtype)
        case "gd-beta" | "gd-0":
            zero = torch.zeros(task.features, task.features, dtype=dtype)
            model = GDBeta(zero[0], zero, learn_beta=kind == "gd-beta")
        case _:
            raise SettingsError("model", f"There is no model '{kind}': choose lsa, ltb, gd-beta or gd-0.")
    model.rescale(token_units(task).to(dtype))
    return model


class Trainer:
    """A training that can stop after any record, be pickled, and go on elsewhere with the same numbers.

    Adam on the squared error of fresh prompts, in the dtype of the model's weights. It sees weights for tokens in their
    `token_units`, where all of them are of one size: a shared signal of 10·(1, …, 1) makes labels 45 times as large as
    features, and without units the block stays at the level of linear self-attention (d = 20, M = 40). Between records,
    and only then, the model is in these units.

    Args:
        model: the model as `initial_model` gives it, or one trained before; it is trained in place.
        task: the distribution of the prompts.
        plan: the sizes and rates of the training.
    """

    def __init__(self, model: SignalModel, task: SignalTask, plan: TrainingPlan) -> None:
        self.model, self.task, self.plan = model, task, plan
        parameters = [p for p in model.parameters() if p.requires_grad]
        self._dtype = parameters[0].dtype
        self._units = token_units(task).to(self._dtype)
        self._optimiser = Adam(parameters, (0.9, plan.second_moment_decay))
        self._losses, self._since = torch.zeros((), dtype=self._dtype), 0
        self._done = -1  # steps; -1 until the start is reported
        # Another stream than that of the weights, which are seeded with the plain number.
        self._generator = torch.Generator().manual_seed(plan.seed + 2**40)
        self._before_draw = self._generator.get_state()
        self._drawn: tuple[Tensor, Tensor] | None = None

    def __getstate__(self) -> dict[str, object]:
        """All but the prompts that are drawn ahead, which the generator draws again."""
        return self.__dict__ | {"_drawn": None}

    @in_one_thread
    def run(self) -> Iterator[Progress]:
        """Continue to the end. Dropping the iterator pauses after a record; a new one continues.

        At the end a linear transformer block is put into the form whose g ends in 1 (`LTB.normalise`), the same
        function.

        Yields:
            A record before the first step, after every `report_every` steps, and after the last.
        """
        model, plan = self.model, self.plan
        if self._done < 0:
            self._done = 0
            yield Progress(0, math.nan, exact_risk(self.task, model.effective()), 0.0)
        if self._done < plan.steps:
            model.rescale(1 / self._units)
        while self._done < plan.steps:
            rate = plan.rate(self._done)
            E, y = self._prompts()
            loss = (model(E) - y).square().mean()
            self._optimiser.step(loss, rate)
            self._losses += loss.detach()
            self._since += 1
            self._done += 1
            if self._done % plan.report_every and self._done < plan.steps:
                continue
            model.rescale(self._units)
            if self._done == plan.steps and isinstance(model, LTB):
                model.normalise()
            mean = float(self._losses * self._units[-1].square()) / self._since
            self._losses.zero_()
            self._since = 0
            yield Progress(self._done, mean, exact_risk(self.task, model.effective()), rate)
            if self._done < plan.steps:
                model.rescale(1 / self._units)

    def _prompts(self) -> tuple[Tensor, Tensor]:
        """E (B, d+1, M+1) and y (B,) of the next step, in units of their own."""
        plan, task = self.plan, self.task
        a_step = plan.batch * (task.features + 1) * (task.examples + 1)
        at_once = max(1, min(STEPS_AT_ONCE, NUMBERS_AT_ONCE // a_step))
        place = self._done % at_once
        if place == 0:
            self._before_draw = self._generator.get_state()
        if place == 0 or self._drawn is None:
            self._generator.set_state(self._before_draw)
            prompts = draw(task, at_once * plan.batch, self._generator, self._dtype)
            self._drawn = prompts.E / self._units[:, None], prompts.y / self._units[-1]
        rows = slice(place * plan.batch, (place + 1) * plan.batch)
        return self._drawn[0][rows], self._drawn[1][rows]


def train(model: SignalModel, task: SignalTask, plan: TrainingPlan | None = None) -> Iterator[Progress]:
    """Train a model in place, as `Trainer` does.

    Args:
        model: the model as `initial_model` gives it, or one trained before.
        task: the distribution of the prompts.
        plan: the sizes and rates of the training; by default those of `TrainingPlan`.

    Yields:
        A record before the first step, after every `report_every` steps, and after the last.
    """
    yield from Trainer(model, task, plan or TrainingPlan()).run()
