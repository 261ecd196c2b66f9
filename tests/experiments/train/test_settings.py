"""Settings of a training run: suggested values, cost, and refusals with the nearest value that fits."""

import re

import pytest
import torch

from looped.experiments.train.cost import BUDGET, check, estimate, training_only
from looped.experiments.train.settings import TrainSettings
from looped.fields import SettingsError
from looped.training.trainer import Trainer


def test_the_defaults_are_the_run_that_was_tuned():
    plan = TrainSettings().training()
    assert (plan.loops, plan.examples, plan.features, plan.weights, plan.tied) == (10, 20, 5, "full", True)
    assert (plan.optimizer, plan.steps, plan.batch, plan.starts) == ("gauss-newton", 200, 1024, 1)
    assert TrainSettings(untied=True, loops=3).training().starts == 4
    assert TrainSettings(features=40, loops=2).training().optimizer == "adam"


def test_a_budget_cuts_the_plan_and_does_not_change_its_schedule():
    whole, part, longer = (TrainSettings(steps=steps).training() for steps in (0, 30, 900))
    assert (whole.steps, part.steps, longer.steps) == (200, 30, 900)
    for step in (0, 29, 130, 199):
        assert whole.rate_at(step) == part.rate_at(step) == longer.rate_at(step)
        assert whole.loops_at(step) == part.loops_at(step) == longer.loops_at(step)
    assert longer.rate_at(899) == longer.rate_at(200) == pytest.approx(0.02)


def test_a_run_with_patience_stops_on_its_plateau():
    settings = TrainSettings(loops=1, weights="preconditioner", patience=20, steps=500, batch=512)
    *_, last = Trainer(settings.training()).run()
    assert last.stopped.startswith("Plateau")
    assert 40 <= last.step < 500


def test_settings_survive_json_and_links():
    settings = TrainSettings(loops=4, weights="sparse", untied=True, seed=7, optimizer="adam", steps=11)
    assert TrainSettings.from_json(settings.to_json()) == settings
    assert TrainSettings.from_query(settings.to_query()) == (settings, {})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"loops": 31}, "T = 31 cannot be used: choose a whole number from 1 to 30."),
        ({"weights": "dense"}, "weights = dense cannot be used: choose full, sparse or preconditioner."),
        ({"steps": -1}, "steps = -1 cannot be used: choose a whole number from 0 to 20000."),
    ],
)
def test_values_out_of_range_are_refused(values, message):
    with pytest.raises(SettingsError, match=f"^{re.escape(message)}$"):
        TrainSettings(**values)


TOO_LARGE = [
    {"steps": 20_000},
    {"features": 40},
    {"loops": 30, "features": 40, "untied": True},
    {"optimizer": "gauss-newton", "features": 20},
    {"batch": 16_384, "features": 20},
]


@pytest.mark.parametrize("values", TOO_LARGE, ids=str)
def test_what_is_too_large_is_refused_with_an_estimate_and_the_nearest_that_fits(values):
    settings = TrainSettings(**values)
    with pytest.raises(SettingsError) as refused:
        check(settings)
    sentence = str(refused.value)
    assert f"about {training_only(settings).seconds:,.0f} s" in sentence
    key, nearest = re.search(r"choose (\w+) = (\d+) or less\.$", sentence).groups()
    name = next(name for name, field in TrainSettings.table.items() if field.key == key)
    assert name == refused.value.field
    check(settings.replace(**{name: int(nearest)}))
    with pytest.raises(SettingsError):
        check(settings.replace(**{name: int(nearest) + 1}))


def test_all_that_is_allowed_keeps_the_limits_and_the_issue_sizes_are_allowed():
    for values in ({}, {"weights": "preconditioner"}, {"loops": 3, "untied": True}, {"loops": 1, "features": 40}):
        assert BUDGET.allows(training_only(TrainSettings(**values)))
        check(TrainSettings(**values))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused():
    with pytest.raises(SettingsError, match=r"^device = cuda cannot be used, no GPU is found: choose cpu\.$"):
        check(TrainSettings(device="cuda"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_settings_for_a_gpu_train_there():
    from looped.experiments.train import train

    run = train(TrainSettings(device="cuda", loops=2, features=2, examples=8, steps=5))
    assert run.fits()


@pytest.mark.parametrize(
    ("values", "seconds"),
    [({}, 25.1), ({"loops": 1}, 6.0), ({"task": "generation"}, 5.5), ({"noise": 0.5}, 20.2), ({"loops": 20}, 19.1)],
)
def test_the_estimate_is_that_of_training_and_evaluation(values, seconds):
    """CPU seconds of one core, as they were measured once: an estimate is to be right to a factor of two."""
    settings = TrainSettings(**values)
    assert seconds / 2 < estimate(settings).seconds < 2 * seconds
    assert training_only(settings).seconds < estimate(settings).seconds
