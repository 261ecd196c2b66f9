"""How good trained weights are, and what training costs: one line for each seed.

`python benchmarks/training.py [SEEDS]`; CPU seconds of one process and one thread, training alone.
"""

import os
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from looped.training import wishart
from looped.training.evaluate import integrated_risk, query_errors
from looped.training.settings import TrainSettings
from looped.training.trainer import Trainer

EVALUATION_SEEDS = (101, 102, 103)
RUNS = {
    "full, T = 10": TrainSettings(),
    "three untied layers": TrainSettings(loops=3, untied=True),
    "preconditioner, T = 10": TrainSettings(weights="preconditioner"),
    "preconditioner, T = 1": TrainSettings(weights="preconditioner", loops=1),
}


def main(seeds: int) -> None:
    """Train and judge every run for every seed."""
    for name, settings in RUNS.items():
        for seed in range(seeds):
            trainer = Trainer(settings.replace(seed=seed).training())
            began = time.process_time()
            history = list(trainer.run())
            line = f"{name}, seed {seed}: {time.process_time() - began:.1f} s"
            line += f", {history[-1].skipped} steps skipped"
            stream, finite = trainer.training.stream(), all(map(torch.isfinite, map(torch.sum, trainer.snapshot())))
            if settings.weights == "preconditioner":
                risk = integrated_risk(trainer.model, stream, EVALUATION_SEEDS[0], 2_000_000)
                step, exact = wishart.best_descent(settings.loops, settings.examples, settings.features)
                line += f", risk {risk.mean:.5f} ± {risk.error:.5f} (tail sampled, 2·10⁶ spectra)"
                line += f", best multiple of I {exact:.5f} at {step:.3f}"
            else:
                small = query_errors(trainer.model.predictions, stream, EVALUATION_SEEDS[0], 20_000)
                line += f", mean over 20,000 prompts {small.mean[-1]:.2e}, over 200,000"
                for evaluation_seed in EVALUATION_SEEDS:
                    line += f" {query_errors(trainer.model.predictions, stream, evaluation_seed).mean[-1]:.2e}"
            print(line + ("" if finite else ", NOT FINITE"), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
