"""Training on tasks that share a signal: the paper's Figure 1 to its levels, and what a page computes at once."""

import itertools

import pytest

from looped.experiments.signal.result import sweep
from looped.experiments.signal.settings import SignalSettings
from looped.shared_signal import SignalTask, TrainingPlan, gd_optimum, initial_model, lsa_minimum, train
from looped.shared_signal.levels import levels

FIGURE_1 = SignalTask.shared(5, 5, 1.0)
STRONG = SignalTask.shared(20, 40, 10.0)


@pytest.mark.benchmark(group="signal, training")
@pytest.mark.parametrize("task", [FIGURE_1, STRONG], ids=["figure 1", "d=20 M=40 s=10"])
@pytest.mark.parametrize("kind", ["ltb", "lsa"])
def test_training(benchmark, kind, task):
    best = (gd_optimum if kind == "ltb" else lsa_minimum)(task).risk
    seeds, ratios = itertools.count(), []

    def run():
        seed = next(seeds)
        *_, last = train(initial_model(kind, task, seed), task, TrainingPlan(seed=seed))
        ratios.append(last.risk / best)

    benchmark.pedantic(run, rounds=3)
    benchmark.extra_info["risk / optimum"] = [round(ratio, 5) for ratio in ratios]
    assert max(ratios) <= 1.01


@pytest.mark.benchmark(group="signal, page")
@pytest.mark.parametrize("features", [5, 20])
def test_levels_and_a_sweep(benchmark, features):
    settings = SignalSettings(features=features, examples=2 * features, noise=0.5)

    def run():
        levels(settings.task())
        sweep(settings, "signal")

    benchmark.pedantic(run, rounds=3)
