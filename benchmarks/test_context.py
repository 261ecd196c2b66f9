"""The cost of the second page: the default sweep, and a move of T that only redraws."""

from looped.experiments.context import ContextSettings, sweep
from looped.experiments.context.charts import CHARTS
from looped.experiments.context.stored import answers


def test_default_sweep(best_of_five, benchmark):
    benchmark.group = "24 values of n/d, T ≤ 200, d = 10, 64 prompts"
    best_of_five(sweep, lambda seed: (ContextSettings(seed=seed),))


def test_move_of_t(best_of_five, benchmark):
    benchmark.group = "the charts that read T, drawn again from the stored result"
    charts = [chart for chart, reads in CHARTS.values() if "shown_loops" in reads]
    best_of_five(
        lambda result: [chart(result).figure.to_json() for chart in charts],
        lambda seed: (answers(ContextSettings(shown_loops=50 + seed)),),
    )
