"""A chain of thought is the loop."""

import dataclasses
import re

import numpy as np
import pytest
import torch

from looped import BeyondSettings
from looped.algorithms.gd import construction
from looped.attention import LoopedTransformer
from looped.experiments.beyond import append as module
from looped.experiments.beyond import charts, strip, words
from looped.experiments.beyond.append import append, chain, layer_of
from looped.experiments.beyond.learned_step import learned_step
from looped.prompts import Prompts


def by_hand(X, y, step, steps):
    """w ← w − Γ Σ_i x_i (⟨x_i, w⟩ − y_i)/n, example by example."""
    w = np.zeros(X.shape[1])
    yield w
    for _ in range(steps):
        w = w - step * sum(x * (x @ w - label) for x, label in zip(X, y, strict=True)) / len(X)
        yield w


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(("n", "d", "steps"), [(20, 10, 8), (3, 7, 5), (12, 1, 6), (1, 1, 1)])
def test_appended_overwritten_and_explicit_iterates_are_equal_and_no_example_moves(n, d, steps, dtype):
    generator = np.random.default_rng(n)
    X, y = generator.standard_normal((4, n, d)), generator.standard_normal((4, n))
    step = learned_step(np.ones(d), n)
    weights = layer_of(step)
    weights = dataclasses.replace(weights, P=weights.P.to(dtype), Q=weights.Q.to(dtype))
    batch = Prompts(X=torch.from_numpy(X).to(dtype), y=torch.from_numpy(y).to(dtype), w_star=None)
    start = weights.embed(batch, 1.0)
    tokens, moved = chain(start, weights, steps)
    assert moved == 0
    assert torch.equal(tokens[..., : n + 1], start)
    assert tokens.shape == (4, 2 * d + 2, n + 1 + steps)
    assert not tokens[:, : d + 1, n:].any()  # appended tokens have empty slots for x and y
    appended = tokens[:, weights.w, n:].permute(2, 0, 1).double().numpy()
    for form in ("token", "state"):
        loop = LoopedTransformer(steps, form)(start, weights, torch.ones(4, dtype=dtype))
        overwritten = weights.read(loop).double().numpy()
        explicit = np.array([list(by_hand(*one, step, steps)) for one in zip(X, y, strict=True)]).transpose(1, 0, 2)
        limit = 32 * torch.finfo(dtype).eps * np.abs(explicit).max() * (d + steps)
        assert np.abs(appended - overwritten).max() <= limit
        assert np.abs(appended - explicit).max() <= limit


def test_a_chain_whose_queries_could_be_read_as_examples_would_be_another_one():
    """The control: with features left in the query's slots the appended tokens do count."""
    generator = np.random.default_rng(0)
    X, y = torch.from_numpy(generator.standard_normal((2, 8, 3))), torch.from_numpy(generator.standard_normal((2, 8)))
    weights = layer_of(learned_step(np.ones(3), 8))
    start = weights.embed(Prompts(X=X, y=y, w_star=None), 1.0)
    tokens, _ = chain(start, weights, 6)
    start[:, weights.x, -1] = 1.0
    other, moved = chain(start, weights, 6)
    assert float((tokens[:, weights.w, -1] - other[:, weights.w, -1]).abs().max()) > 0.1
    assert moved == 0


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_in_the_compact_layout_an_appended_query_is_read_as_an_example(dtype):
    """A second step by hand: n + 1 examples, the last of them x = w_1 with the label 1; and examples move."""
    n, d = 8, 3
    generator = np.random.default_rng(4)
    X, y = generator.standard_normal((1, n, d)), generator.standard_normal((1, n))
    batch = Prompts(X=torch.from_numpy(X).to(dtype), y=torch.from_numpy(y).to(dtype), w_star=None)
    weights = construction(d, "compact", dtype)
    tokens, moved = chain(weights.embed(batch, 1.0), weights, 2)
    appended = tokens[0, weights.w, n:].T.double().numpy()
    w = list(by_hand(X[0], y[0], np.ones(d), 1))[1]
    np.testing.assert_allclose(appended[1], w, rtol=1e-5)
    residuals = [*(X[0] @ w - y[0]), w @ w - 1]
    second = w - np.array([*X[0], w]).T @ residuals / n
    np.testing.assert_allclose(appended[2], second, rtol=1e-4)
    assert moved > 0.01


def test_the_gap_is_said_as_a_share_of_the_largest_number():
    found = append(BeyondSettings(examples=5, features=5, loops=200, condition_number=1.0, seed=5, prompts=100))
    assert found.passed
    assert found.gap > 1e5  # of iterates that diverge
    (said,) = re.findall(r"largest difference (\S+) of the largest number", words.verdict(found))
    assert 0 < float(said) < 1e-11
    assert float(strip.numbers(found)[0].value) == pytest.approx(float(said), rel=0.06)


def test_the_default_passes_and_a_small_error_in_a_route_is_noticed(monkeypatch):
    found = append(BeyondSettings(prompts=100))
    assert found.passed
    assert not dataclasses.replace(found, moved=1e-16).passed
    routes = [found.single[name] for name in ("overwritten", "appended", "explicit")]
    assert found.gap == max(np.abs(one - other).max() for one in routes for other in routes)
    monkeypatch.setattr(module, "descend", lambda *_: routes[2] + 1e-9)
    assert not append(BeyondSettings(prompts=100)).passed
    monkeypatch.undo()
    monkeypatch.setattr(module, "chain", lambda *of: tuple(a + b for a, b in zip(chain(*of), (1e-9, 0), strict=True)))
    assert not append(BeyondSettings(prompts=100)).passed


def test_the_chart_has_the_median_error_of_the_prompts_that_were_run():
    found = append(BeyondSettings(examples=12, features=4, loops=5, seed=3))
    lines = {trace["name"]: trace["y"] for trace in charts.iterate_chart(found).spec["data"]}
    generator = np.random.default_rng(3)
    X, w = (
        generator.standard_normal((16, 12, 4)) * np.sqrt(found.settings.eigenvalues),
        generator.standard_normal((16, 4)),
    )
    step = learned_step(found.settings.eigenvalues, 12)
    wanted = []
    for examples, task in zip(X, w, strict=True):
        wanted.append([((one - task) ** 2).sum() for one in by_hand(examples, examples @ task, step, 5)])
    assert len(lines) == 3
    for values in lines.values():
        np.testing.assert_allclose(values, np.median(wanted, axis=0), rtol=1e-9)
