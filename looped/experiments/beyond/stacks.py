"""Tied against untied layers, trained where every prompt has a covariance of its own: stored, ten seeds of each.

`python -m looped.experiments.beyond.stacks` trains them again and prints the losses; with `--write` it makes the file.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from looped import provenance
from looped.sweeps.workers import every
from looped.threads import in_one_thread
from looped.training.models import LoopedPredictor

COMMAND = "python -m looped.experiments.beyond.stacks"
NAME = "beyond-stacks.npz"
LAYERS, FEATURES, CONDITION = 8, 5, 10.0
"""Layers, d, and κ: eigenvalues are drawn evenly on a logarithmic scale from 1/κ to 1."""
SEEDS = 10
STEPS, BATCH, RATE = 1500, 256, 3e-2
"""Steps of Adam, prompts in each, and its rate, which falls to 0 like half a cosine."""
TESTED, BEYOND = 4000, 3
"""Prompts of the common test set, and the loops that are run there, as a multiple of the layers."""
SCALES = np.array([0.25, 0.4, 0.6, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.5, 1.75, 2.0])
"""Factors on the inputs' covariance in the test."""


@dataclass(frozen=True, slots=True)
class Stacks:
    """Relative losses of the trained models on the common test set, by model: tied first, untied second."""

    by_loop: np.ndarray
    """After each loop up to 3L, (2, SEEDS, 3L+1); untied layers begin again with the first after the last."""
    by_scale: np.ndarray
    """After L loops with inputs of another size, (2, SEEDS, len(SCALES))."""
    scales: np.ndarray
    """Factors on the covariance of the inputs."""
    steps: np.ndarray
    """The mean diagonal of A of each layer, (2, SEEDS, L); of tied weights L times the same."""
    origin: dict[str, Any]
    """Command, versions, date and hardware."""

    def medians(self, of: np.ndarray) -> np.ndarray:
        """Median over seeds, (2, …)."""
        return np.asarray(np.median(of, axis=1))

    @property
    def monotone(self) -> list[int]:
        """Seeds whose loss falls with every one of the trained loops, tied and untied."""
        falls = np.diff(self.by_loop[:, :, : LAYERS + 1], axis=2) < 0
        return [int(count) for count in falls.all(axis=2).sum(axis=1)]

    @property
    def above_best(self) -> tuple[float, float]:
        """The smallest and the largest loss of untied layers over that of the best L scalar steps."""
        over = self.by_loop[1, :, LAYERS] / best_scalar_steps()
        return float(over.min()), float(over.max())

    @property
    def results(self) -> dict[str, Any]:
        """Medians with ranges, ready for JSON."""
        places = {"trained": LAYERS, "twice": 2 * LAYERS}
        found: dict[str, Any] = {"seeds": self.by_loop.shape[1], "layers": LAYERS, "command": COMMAND}
        for row, name in enumerate(("tied", "untied")):
            losses = {f"loss_at_{place}": spread(self.by_loop[row, :, loop]) for place, loop in places.items()}
            scaled = {f"{scale:g}": spread(self.by_scale[row, :, k]) for k, scale in enumerate(self.scales)}
            found[name] = losses | {"falls_with_every_loop": self.monotone[row], "loss_by_scale": scaled}
        return found

    @property
    def curves(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Medians by name, each with its places."""
        loops, found = np.arange(self.by_loop.shape[2]), {}
        for row, name in enumerate(("tied", "untied")):
            found[f"{name}, by loop"] = loops, self.medians(self.by_loop)[row]
            found[f"{name}, by scale"] = self.scales, self.medians(self.by_scale)[row]
        return found

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """Losses of every seed."""
        return {"trained_by_loop": self.by_loop, "trained_by_scale": self.by_scale, "trained_scales": self.scales}


def best_scalar_steps(steps: int = LAYERS) -> float:
    """The smallest relative loss of so many steps, each with one number for all prompts: 1/Σ_k (2k+1) P_k(x)², k ≤ L.

    It is the least ∫ λ p(λ)² over p of degree L with p(0) = 1, relative to p = 1. λ evenly on a logarithmic scale,
    weighted with λ, is λ evenly on [1/κ, 1], where Legendre's P_k are orthogonal; 0 lies at x = −(κ+1)/(κ−1). Derived.
    """
    at_0 = np.polynomial.legendre.legvander(np.array([-(CONDITION + 1) / (CONDITION - 1)]), steps)[0]
    return float(1 / ((2 * np.arange(steps + 1) + 1) * at_0**2).sum())


def spread(values: np.ndarray) -> dict[str, float]:
    """Median and range over seeds."""
    return {"median": float(np.median(values)), "smallest": float(values.min()), "largest": float(values.max())}


@cache
def stacks() -> Stacks:
    """The stored trainings."""
    arrays, origin = provenance.stored(NAME)
    return Stacks(**arrays, origin=origin)


def prompts(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Covariances Σ = UΛUᵀ with a random rotation and eigenvalues, (B, d, d), and tasks w* ~ 𝓝(0, I/d), (B, d)."""
    normal = torch.randn(count, FEATURES, FEATURES, generator=generator, dtype=torch.float64)
    U, _ = torch.linalg.qr(normal)
    values = CONDITION ** -torch.rand(count, FEATURES, generator=generator, dtype=torch.float64)
    tasks = torch.randn(count, FEATURES, generator=generator, dtype=torch.float64) / FEATURES**0.5
    return (U * values[:, None]) @ U.mT, tasks


def state(covariance: Tensor, tasks: Tensor) -> Tensor:
    """Σ z zᵀ/n of infinitely many noiseless examples z = (x, y), (B, d+1, d+1)."""
    labels = covariance @ tasks[..., None]
    last = torch.cat([labels.mT, tasks[:, None] @ labels], dim=2)
    return torch.cat([torch.cat([covariance, labels], dim=2), last], dim=1)


def loss(w: Tensor, covariance: Tensor, tasks: Tensor) -> Tensor:
    """Mean of (w − w*)ᵀΣ(w − w*) over that of w*ᵀΣw*, for iterates (…, B, d)."""
    away = w - tasks
    missed = torch.einsum("...bi,bij,...bj->...b", away, covariance, away).mean(dim=-1)
    return missed / torch.einsum("bi,bij,bj->b", tasks, covariance, tasks).mean()


def train(tied: bool, seed: int, steps: int = STEPS) -> LoopedPredictor:
    """Train A, one matrix or one for each layer, by Adam; the number of loops grows over the first half of the steps.

    Args:
        tied: True for the same weights in all layers.
        seed: of the first weights and of every prompt.
        steps: of Adam.
    """
    generator = torch.Generator().manual_seed(seed)
    model = LoopedPredictor(weights="preconditioner", features=FEATURES, loops=LAYERS, tied=tied, generator=generator)
    with torch.no_grad():
        model.A.mul_(0.2)
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for step in range(steps):
        covariance, tasks = prompts(BATCH, generator)
        loops = min(LAYERS, 1 + 2 * LAYERS * step // steps)
        optimizer.zero_grad()
        loss(model(state(covariance, tasks), loops=loops), covariance, tasks).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return model


def iterates(model: LoopedPredictor, covariance: Tensor, tasks: Tensor, loops: int) -> Tensor:
    """w_0 … w_T, (T+1, B, d), of the layers, which begin again with the first after the last."""
    A = model.A.detach()
    again = LoopedPredictor(weights="preconditioner", features=FEATURES, loops=loops, tied=False)
    with torch.no_grad():
        again.A.copy_(A[torch.arange(loops) % len(A)])
    return again.iterates(state(covariance, tasks))


def measured(steps: int, tested: int, of: tuple[bool, int]) -> Iterator[dict[str, np.ndarray]]:
    """Train one kind at one seed, and measure it on the common test set."""
    covariance, tasks = prompts(tested, torch.Generator().manual_seed(10**6))
    model = train(*of, steps)
    scaled = [iterates(model, covariance * scale, tasks, LAYERS)[-1] for scale in SCALES]
    yield {
        "by_loop": loss(iterates(model, covariance, tasks, BEYOND * LAYERS), covariance, tasks).numpy(),
        "by_scale": np.array([float(loss(w, covariance, tasks)) for w in scaled]),
        "steps": torch.diagonal(model.A.detach(), dim1=1, dim2=2).mean(dim=1).expand(LAYERS).numpy(),
    }


@in_one_thread
def trained(
    seeds: int = SEEDS, steps: int = STEPS, tested: int = TESTED, workers: int | None = 0
) -> dict[str, np.ndarray]:
    """Train and measure both kinds at every seed, in this process or on others as `looped.sweep` does."""
    runs = {f"{tied} {seed}": (tied, seed) for tied in (True, False) for seed in range(seeds)}
    made = every(partial(measured, steps, tested), runs, workers).values()
    found = {name: np.stack([one[name] for one in made]) for name in ("by_loop", "by_scale", "steps")}
    return {name: values.reshape(2, seeds, -1) for name, values in found.items()} | {"scales": SCALES}


def main() -> None:
    """Train both kinds at every seed again, two minutes on one core, and print medians and ranges of their losses."""
    path = provenance.STORED / NAME
    keep = provenance.asked(COMMAND, main.__doc__, f"the trainings to {path} too, in place of those stored")
    arrays, origin = trained(workers=None), provenance.provenance(COMMAND)
    print(json.dumps(Stacks(**arrays, origin=origin).results, indent=2))
    if keep:
        provenance.store(path, arrays, origin)


if __name__ == "__main__":
    main()
