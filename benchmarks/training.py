"""The quality of trained weights and the cost of training: one line for each seed.

`python benchmarks/training.py [SEEDS]`; CPU seconds of one thread, training alone, with as many processes as cores.
"""

import os
import sys
import time
from collections.abc import Iterator

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from looped.experiments.train import rivals, trained
from looped.experiments.train.result import measured, written
from looped.experiments.train.settings import TrainSettings
from looped.sweeps.workers import each
from looped.training.evaluate import query_errors
from looped.training.trainer import Trainer

PROMPTS = 200_000
RUNS = {
    "full, T = 10": TrainSettings(),
    "full, T = 3": TrainSettings(loops=3),
    "three untied layers": TrainSettings(loops=3, untied=True),
    "preconditioner, T = 10": TrainSettings(weights="preconditioner"),
    "preconditioner, T = 1": TrainSettings(weights="preconditioner", loops=1),
}


def made(settings: TrainSettings) -> Iterator[str]:
    """Train and evaluate, and say in a line what came of it."""
    trainer = Trainer(settings.training())
    began = time.thread_time()
    history = list(trainer.run())
    seconds, run, stream = time.thread_time() - began, trained(trainer, settings), trainer.training.stream()
    errors = query_errors(trainer.model.predictions, stream, rivals.EVALUATION_SEED, PROMPTS)
    below, whole = rivals.mean_errors(settings, trainer.model, stream, PROMPTS)
    line = f"{seconds:.1f} s, {history[-1].skipped} steps skipped"
    line += f", median {written(float(errors[1, -1]))}, mean below the limit {measured(below)}"
    line += "" if whole is None else f", mean {whole.mean:.5f} ± {whole.error:.5f}"
    fits = run.fits()
    line += ", a = " + " ".join(f"{fit.a:.3g}" for fit in fits)
    line += ", γ = " + " ".join(f"{fit.gamma:.3g}" for fit in fits)
    line += f", unexplained {max(max(fit.unexplained_p, fit.unexplained_q) for fit in fits):.1%}"
    if settings.weights == "preconditioner":
        A = trainer.model.A[0].detach()
        line += f", antisymmetric {float((A - A.T).norm() / 2 / A.norm()):.1%} of the length of A"
    finite = all(map(torch.isfinite, map(torch.sum, trainer.snapshot())))
    yield line + ("" if finite else ", NOT FINITE")


def main(seeds: int) -> None:
    """Train and evaluate every run for every seed."""
    runs = {}
    for name, settings in RUNS.items():
        step, risk = rivals.best_descent(settings)
        print(f"{name}: best gradient descent has the mean {risk:.5f}, exact, with a = {step:.4f}")
        runs |= {f"{name}, seed {seed}": settings.replace(seed=seed) for seed in range(seeds)}
    for news in each(made, runs):
        for key, line in news:
            print(f"{key}: {line}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
