"""The cost of a slider move and of the largest runs: prompts, spectrum, both loops, errors, verdicts and chart."""

import pytest

from looped import Settings, compare, cost, export
from looped.experiments.compare.charts import error_chart

MOVES = {
    "defaults": Settings(),
    "T = 10,000": Settings(loops=10_000),
    "n = 2,000, d = 200": Settings(examples=2000, features=200),
    "largest T, n and d": Settings(loops=10_000, examples=2000, features=200, condition_number=1e4),
}


def fitting(settings, quick):
    return settings.replace(prompts=cost.most_prompts(cost.sizes(settings), quick))


def view(settings):
    result = compare(settings)
    return export.summary(result), error_chart(result)


@pytest.mark.parametrize("move", MOVES)
def test_slider_move(best_of_five, benchmark, move):
    benchmark.group = "a slider move, prompts lowered as on the page"
    benchmark.name = move
    best_of_five(view, lambda seed: (fitting(MOVES[move].replace(seed=seed), quick=True),))


LARGEST = {
    "T = 10,000, n = 2,000, d = 200": Settings(loops=10_000, examples=2000, features=200, prompts=1000),
    "T = 10,000, d = 10": Settings(loops=10_000, prompts=1000),
    "n = 2,000, d = 200": Settings(examples=2000, features=200, prompts=1000),
    "token form": Settings(loops=1000, examples=400, features=20, prompts=1000, form="token"),
    "slots, token form": Settings(loops=500, examples=200, features=20, prompts=1000, form="token", layout="slots"),
    "slots, n < d": Settings(loops=3000, examples=10, features=95, prompts=1000, layout="slots"),
}


@pytest.mark.parametrize("name", LARGEST)
def test_largest_allowed(best_of_five, benchmark, name):
    benchmark.group = "the largest number of prompts that is allowed"
    benchmark.name = name
    best_of_five(
        lambda settings: compare(settings).curves, lambda seed: (fitting(LARGEST[name].replace(seed=seed), False),)
    )
