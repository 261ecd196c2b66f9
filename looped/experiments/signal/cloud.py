"""The tasks of a setting, and what the best models take them for."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from looped.shared_signal.levels import Levels
from looped.shared_signal.models import GDBeta, estimate
from looped.shared_signal.tasks import SignalTask, draw
from looped.threads import in_one_thread

TASKS = 150
"""Tasks in a cloud."""
SHOWN = 3
"""Tasks of which the estimates are shown."""


@dataclass(frozen=True, slots=True)
class Cloud:
    """N tasks, and the estimate that each model makes of each from its M examples; d coordinates each."""

    task: SignalTask
    tasks: Tensor
    """β̃, (N, d)."""
    ltb: Tensor
    """ŵ of the best block, (N, d); without examples it would be β*."""
    lsa: Tensor
    """ŵ of the best attention alone that was found, (N, d); without examples it would be 0."""
    axes: Tensor
    """Orthonormal rows, (2, d): along β*, and at right angles to it where the tasks vary most; 0 where d = 1."""

    def typical(self) -> np.ndarray:
        """Numbers of the `SHOWN` most typical tasks, (K,).

        What either model misses of them in the two coordinates comes nearest to what it misses of all tasks, in the
        mean square: single tasks may well be nearer to the estimate of the worse model.
        """
        apart = np.zeros(len(self.tasks))
        for estimates in (self.ltb, self.lsa):
            missed = ((estimates - self.tasks) @ self.axes.mT).norm(dim=1).numpy()
            apart += (missed / max(np.sqrt(np.mean(missed**2)), 1e-300) - 1) ** 2
        return np.argsort(apart, kind="stable")[:SHOWN]


@in_one_thread
def cloud(task: SignalTask, best: Levels, seed: int = 0) -> Cloud:
    """Draw tasks and prompts, and let the models of the smallest risks read the prompts.

    Args:
        task: the distribution of the prompts.
        best: its smallest risks.
        seed: the seed of tasks and prompts; equal numbers stand behind them for every β*, H, Ψ and σ.
    """
    prompts = draw(task, TASKS, torch.Generator().manual_seed(seed))
    block = GDBeta(best.gd.beta, best.gd.Gamma).effective()
    ltb, lsa = (estimate(weights, prompts.E) for weights in (block, best.lsa.weights))
    return Cloud(task, prompts.beta, ltb, lsa, _axes(task))


def _axes(task: SignalTask) -> Tensor:
    signal = task.beta_star if task.beta_star.norm() else torch.ones_like(task.beta_star)  # or if its squares vanish
    along = signal / signal.norm()
    if task.features == 1:
        return torch.stack([along, 0 * along])
    plane = torch.linalg.svd(along[None]).Vh[1:]
    across = torch.linalg.eigh(plane @ task.Psi @ plane.T).eigenvectors[:, -1] @ plane
    return torch.stack([along, across])
