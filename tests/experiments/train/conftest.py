"""A small run, trained and evaluated once."""

import pytest

from looped.experiments.train import TrainWork, evaluate
from looped.experiments.train.settings import TrainSettings

SMALL = {"loops": 2, "examples": 8, "features": 2, "steps": 40, "batch": 64, "seed": 3}


def make():
    """The run, trained and evaluated on a tenth of the usual prompts."""
    work = TrainWork(TrainSettings(**SMALL))
    for _ in work.trainer.run():
        pass
    return evaluate(work.snapshot(), share=0.1)


@pytest.fixture(scope="session")
def small():
    return make()
