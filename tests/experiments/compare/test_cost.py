import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given

from looped import Settings, SettingsError, compare
from looped.experiments.compare import cost
from looped.settings import FIELDS
from tests.strategies import runnable_settings

LARGEST = {name: int(FIELDS[name].high) for name in ("loops", "examples", "features")}


def test_the_defaults_are_quick_with_all_prompts():
    assert cost.most_prompts(Settings(), quick=1) == 64


@pytest.mark.parametrize("form", ["state", "token"])
@pytest.mark.parametrize("layout", ["compact", "slots"])
def test_the_most_prompts_fit_and_one_more_does_not(layout, form):
    asked = Settings(loops=1000, examples=300, features=30, prompts=1000, layout=layout, form=form)
    most = cost.most_prompts(asked)
    assert 0 < most < 1000
    assert cost.sizes(asked.replace(prompts=most)).allowed
    assert not cost.sizes(asked.replace(prompts=most + 1)).allowed
    quick = cost.most_prompts(asked, quick=1)
    assert 0 < quick <= most


def test_every_largest_size_can_be_run_with_one_prompt_at_least():
    assert cost.most_prompts(Settings(**LARGEST)) >= 1
    assert cost.most_prompts(Settings(**LARGEST, data="gaussian", layout="slots")) >= 1


def test_a_run_beyond_the_limits_is_refused_with_the_most_that_fits():
    with pytest.raises(SettingsError, match=r"prompts = 64 needs about .* s and .* MiB at T = 10000.*at most \d+ pr"):
        cost.check(Settings(**LARGEST))


def test_a_token_form_that_is_too_long_points_to_the_state_form():
    with pytest.raises(SettingsError, match=r"form = token .* choose the state form"):
        cost.check(Settings(**LARGEST, form="token"))


@given(runnable_settings())
def test_the_form_that_is_chosen_by_cost_is_the_token_form_up_to_20_ms_more(settings):
    token, state = (cost.estimate(settings.replace(form=form)).seconds for form in ("token", "state"))
    chosen = cost.run_form(settings.replace(form="auto"))
    assert chosen == settings.replace(form="token" if token - state <= 0.02 else "state")
    assert cost.estimate(settings.replace(form="auto")).seconds == cost.estimate(chosen).seconds


@pytest.mark.parametrize(("loops", "form"), [(50, "token"), (5000, "state")])
def test_a_form_that_is_chosen_by_cost_gives_the_bytes_of_that_form_for_the_first_prompts_too(loops, form):
    settings = Settings(loops=loops, prompts=64)
    chosen, named = (compare(settings.replace(form=name), first=2) for name in ("auto", form))
    assert chosen.settings == named.settings
    assert chosen.settings.form == form
    np.testing.assert_array_equal(chosen.looped, named.looped)


def test_where_the_token_form_is_too_long_the_cost_chooses_the_state_form():
    largest = Settings(**LARGEST, form="auto", prompts=cost.most_prompts(Settings(**LARGEST)))
    cost.check(largest)
    assert cost.run_form(largest).form == "state"


def test_costs_grow_with_every_size():
    sizes = {"loops": 500, "examples": 100, "features": 20, "prompts": 50}
    base = cost.estimate(Settings(**sizes))
    for name, value in sizes.items():
        larger = cost.estimate(Settings(**sizes | {name: 2 * value}))
        assert larger.seconds > base.seconds
        assert larger.bytes > base.bytes


def test_the_gram_yardstick_is_for_large_runs_with_more_examples_than_features():
    assert not cost.sizes(Settings()).gram
    assert cost.sizes(Settings(loops=10_000)).gram
    assert not cost.sizes(Settings(loops=10_000, examples=10)).gram


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"loops": 10_000, "examples": 2000, "features": 200},
        {"loops": 10_000},
        {"examples": 2000, "features": 200},
        {"loops": 1500, "examples": 3, "features": 125, "layout": "slots"},
        {"loops": 2000, "examples": 2000, "features": 5},
    ],
    ids=str,
)
def test_the_largest_allowed_run_keeps_within_its_memory(changes):
    most = cost.most_prompts(Settings(**changes, prompts=1000))
    script = (
        "import resource\n"
        "from looped import Settings, compare\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "compare(Settings()); before = peak()\n"
        f"compare(Settings(**{changes}, prompts={most})).curves\n"
        "print((peak() - before) * 1024)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(done.stdout) <= cost.BUDGET.bytes
