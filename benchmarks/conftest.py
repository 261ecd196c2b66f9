"""CPU seconds of one process and one thread, best of five runs, each with a seed of its own."""

import itertools
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest

SEEDS = itertools.count(1)


@pytest.fixture
def best_of_five(benchmark):
    """Time `run(*make(seed))` with a fresh seed for every round; making the arguments is not timed."""

    def measure(run, make):
        return benchmark.pedantic(run, setup=lambda: (make(next(SEEDS)), {}), rounds=5, warmup_rounds=1)

    return measure
