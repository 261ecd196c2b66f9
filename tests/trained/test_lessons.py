"""What the lessons of the third page claim, measured."""

import numpy as np
import pytest
import torch

from looped.experiments.trained.measure import best_descent
from looped.lessons import TRAIN, by_key
from looped.training import gdpp, wishart
from looped.training.evaluate import integrated_risk, query_errors
from looped.training.settings import TrainSettings
from looped.training.trainer import Trainer

LESSONS = by_key(TRAIN)


def trained(key, **changes):
    trainer = Trainer(TrainSettings(**{**LESSONS[key].settings, **changes}).training())
    for _ in trainer.run():
        pass
    return trainer


def mean_error(trainer):
    return query_errors(trainer.model.predictions, trainer.training.stream(), seed=1, prompts=20_000).mean[-1]


def test_lessons_have_different_names_and_the_first_is_the_default():
    assert len(LESSONS) == len(TRAIN) >= 5
    assert TrainSettings(**TRAIN[0].settings) == TrainSettings()


def test_a_alone_turns_and_is_better_than_any_multiple_of_the_identity():
    trainer = trained("preconditioner", batch=512)
    A = trainer.model.A[0].detach()
    step, least = wishart.best_descent(10, 20, 5)
    assert A.diagonal().mean() == pytest.approx(step, rel=0.1)
    assert float((A - A.T).norm() / 2) > 0.3 * step  # the antisymmetric part
    symmetric = (A + A.T) / 2 - A.diagonal().mean() * torch.eye(5)
    assert float(symmetric.norm()) < 0.2 * step
    risk = integrated_risk(trainer.model, trainer.training.stream(), seed=9, count=100_000)
    assert risk.mean + 4 * risk.error < least


def test_one_loop_finds_the_closed_form():
    A = trained("one-loop").model.A[0].detach().numpy()
    assert np.linalg.norm(A - 20 / 26 * np.eye(5)) < 0.1 * np.linalg.norm(20 / 26 * np.eye(5))


@pytest.mark.slow
def test_three_layers_of_their_own_beat_three_tied_loops_and_take_the_largest_step_last():
    untied = trained("untied")
    steps = [gdpp.fit(P, Q).a for P, Q in zip(*untied.model.matrices(), strict=True)]
    assert steps == sorted(steps)
    assert mean_error(trained("untied", untied=False)) > 10 * mean_error(untied)


def test_generation_is_gradient_descent_and_leaves_the_examples_alone():
    trainer = trained("generation", batch=512)
    fit = gdpp.fit_generation(*(matrix[0] for matrix in trainer.model.matrices()))
    assert fit.gamma == 0
    step, least = best_descent(TrainSettings(loops=5))  # as a step it is the same whoever reads it
    assert fit.a == pytest.approx(step, rel=0.1)
    assert mean_error(trainer) < 1.1 * least
