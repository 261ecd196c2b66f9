"""Learned weights: the preconditioner A trained at one n and T, and its error on the same prompts as the construction.

The model is that of arXiv 2410.08292 with u = 0: T loops are T steps w ← w − Aᵀ(1/n)Xᵀ(Xw − y), one A for all prompts.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from looped.experiments.context.cells import LARGEST_ITERATE, covariance_root, draw_prompts, draw_rows
from looped.experiments.context.settings import ContextSettings
from looped.prompts import relative_distance
from looped.training.models import LoopedModel
from looped.training.plan import Training
from looped.training.stream import Batch, PromptStream
from looped.training.trainer import Trainer

TRAINING_BATCH = 512
"""Fresh prompts in a step of training A."""
FINAL_STEPS = 30
"""Training steps with all T loops, after one step each with 1, 2, …, T − 1."""
MANY_LOOPS = 10
"""T from which on rare prompts dominate the mean so much that training has to see more of them."""


@dataclass(frozen=True, slots=True)
class LearnedCell:
    """A trained at one (n, T)."""

    error: np.ndarray
    """‖w_T − w*‖/‖w*‖ on the prompts of the sweep's cell, (B,)."""
    A: np.ndarray
    """(d, d)."""


@dataclass(frozen=True, kw_only=True)
class RowStream(PromptStream):
    """Training prompts drawn as the sweep draws its own: the same rows, w* uniform on the unit sphere."""

    settings: ContextSettings

    def draw(self, prompts: int, generator: torch.Generator, stretch: float = 1.0) -> Batch:
        """Draw B prompts; every second one has its rows multiplied by √stretch, w* unchanged."""
        n, d = self.examples, self.features
        X = draw_rows(self.settings, (prompts, n), generator, self.root)
        X[1::2] *= stretch**0.5
        w_star = torch.randn(prompts, d, generator=generator, dtype=torch.float64)
        w_star /= w_star.norm(dim=1, keepdim=True)
        return Batch(_state(X, w_star), w_star, self.root)


def _state(X: torch.Tensor, w_star: torch.Tensor) -> torch.Tensor:
    """G = Σ_i z_i z_iᵀ/n with z_i = (x_i, ⟨x_i, w*⟩), (B, d+1, d+1)."""
    Z = torch.cat([X, (X @ w_star[..., None])], dim=2)
    return Z.mT @ Z / X.shape[1]


def training(settings: ContextSettings, n: int, loops: int) -> Training:
    """The training plan of A at one (n, T).

    The loss, the mean over prompts, is dominated by rare prompts with a large λ₁. How many of them training is shown
    was chosen by that mean on fresh prompts.
    """
    return Training(
        loops=loops,
        examples=n,
        features=settings.features,
        weights="preconditioner",
        seed=settings.seed,
        steps=loops + FINAL_STEPS,
        growth=1,
        batch=TRAINING_BATCH,
        stretch=1.0 if loops == 1 else 1.4 if loops >= MANY_LOOPS else 1.1,
    )


def train_steps(settings: ContextSettings, n: int, loops: int) -> Iterator[LearnedCell | None]:
    """Train A step by step: None after every step, and at last the cell.

    At many loops a single prompt that diverges can throw a step far off. So what is kept is, of all A trained with T
    loops, the one with the least median loss on prompts it had not seen.
    """
    trainer = Trainer(training(settings, n, loops))
    given = trainer.stream
    trainer.stream = RowStream(examples=n, features=given.features, root=covariance_root(settings), settings=settings)
    best, least = trainer.model.A.detach().clone(), math.inf
    while not trainer.finished:
        before = trainer.model.A.detach().clone()
        progress = trainer.step()
        if progress.loops == loops and progress.median < least:
            best, least = before, progress.median
        yield None
    trainer.model.A.data.copy_(best)
    batch = draw_prompts(settings, n, range(settings.prompts))
    assert batch.w_star is not None
    with torch.no_grad():
        w = iterate(trainer.model, _state(batch.X, batch.w_star), loops)
    error = relative_distance(w[None], batch.w_star.numpy())[0]
    yield LearnedCell(error=error, A=trainer.model.A[0].detach().numpy().copy())


def iterate(model: LoopedModel, state: torch.Tensor, loops: int) -> np.ndarray:
    """w_T of the trained transformer, (B, d), held where it diverges."""
    w = model.iterates(state, loops)[-1].numpy()
    return np.nan_to_num(np.clip(w, -LARGEST_ITERATE, LARGEST_ITERATE), nan=LARGEST_ITERATE)
