"""What is allowed keeps to its estimate: the numbers that the layer passes through, and the memory."""

import tracemalloc

import pytest

from looped import BeyondSettings, beyond
from looped.attention import LinearAttention
from looped.experiments.beyond import strip
from looped.experiments.beyond.cost import BUDGET, estimate
from looped.fields import SettingsError

SECONDS_A_NUMBER = 2e-8
"""About the CPU time for a number of a token in a layer that writes all of them."""


@pytest.mark.parametrize("changes", [
    {}, {"examples": 2000, "features": 64, "loops": 20}, {"examples": 2000, "features": 10, "loops": 200},
    {"examples": 1, "features": 64, "loops": 200}, {"examples": 1, "features": 1, "loops": 1},
], ids=str)  # fmt: skip
def test_the_chain_is_in_the_estimate_and_is_bounded(changes, monkeypatch):
    passed, forward = [], LinearAttention.forward

    def counted(self, tokens, weights, step_size):
        passed.append(tokens.numel())
        return forward(self, tokens, weights, step_size)

    monkeypatch.setattr(LinearAttention, "forward", counted)
    settings = BeyondSettings(**changes)
    found = beyond(settings).found
    assert SECONDS_A_NUMBER * sum(passed) < estimate(settings).seconds < BUDGET.seconds
    assert sum(passed) < 6.5e7  # one prompt of the largest
    assert 1 <= found.run <= 16
    assert len(found.single["appended"][0]) == len(found.single["overwritten"][0]) == found.run
    assert f"{found.run} prompt" in strip.numbers(found)[0].below
    assert found.passed


def test_the_estimate_grows_with_the_chain():
    largest = BeyondSettings(loops=200, examples=2000, features=64)
    assert 2 < estimate(largest).seconds < BUDGET.seconds
    assert estimate(largest).seconds - estimate(largest.replace(loops=1)).seconds > 1.5


@pytest.mark.parametrize("changes", [
    {"loops": 200, "features": 2, "prompts": 20_000}, {"loops": 2, "features": 10, "prompts": 20_000},
    {"loops": 1, "examples": 2000, "test_examples": 2000, "features": 64, "prompts": 100},
    {"loops": 20, "features": 64, "prompts": 500}, {"loops": 20, "features": 20, "prompts": 5000, "tested_on": "same"},
], ids=str)  # fmt: skip
@pytest.mark.parametrize("view", ["one-step", "more-loops"])
def test_the_memory_of_the_estimate_holds_the_arrays(view, changes):
    settings = BeyondSettings(view=view, **changes)
    tracemalloc.start()
    try:
        beyond(settings)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert 0.2 * estimate(settings).bytes < peak < estimate(settings).bytes < BUDGET.bytes


def test_depth_reads_no_prompts_and_its_largest_sizes_are_allowed():
    largest = BeyondSettings(view="depth", loops=200, examples=2000, features=64, prompts=40_000)
    assert largest.computed == largest.replace(prompts=100).computed
    assert BUDGET.allows(estimate(largest))
    tracemalloc.start()
    try:
        beyond(largest)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert 0.2 * estimate(largest).bytes < peak < estimate(largest).bytes


def test_what_needs_too_much_memory_is_refused():
    settings = BeyondSettings(view="more-loops", loops=1, examples=3, test_examples=3, features=17, prompts=40_000)
    assert estimate(settings).seconds < BUDGET.seconds
    with pytest.raises(SettingsError, match=r"MiB \(at most 512 MiB\): choose fewer prompts"):
        beyond(settings)
