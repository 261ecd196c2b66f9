"""A chain of thought is the loop, and the learned step has the exact risk that is said."""

import dataclasses
import re
from fractions import Fraction
from functools import partial
from math import comb

import numpy as np
import pytest
import torch

from looped import BeyondSettings
from looped.algorithms.gd import construction
from looped.attention import LoopedTransformer
from looped.experiments.beyond import append as module
from looped.experiments.beyond import words
from looped.experiments.beyond.append import append, chain, layer_of
from looped.experiments.beyond.learned_step import (
    grams,
    largest_factor,
    learned_step,
    mean_over_tasks,
    mean_with_own_step,
    one_step_risk,
    squared_errors,
)
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


def test_the_learned_step_is_that_of_zhang_for_unit_tasks_without_noise():
    """Γ* = ΨH^½Ω⁻¹H^−½ with Ω = ((M+1)S + cI)/M, S = H, c = tr H."""
    for n in (1, 5, 40):
        H = np.array([2.0, 0.7, 0.1])
        omega = ((n + 1) * H + H.sum()) / n
        np.testing.assert_allclose(learned_step(H, n), 1 / omega, rtol=1e-14)


def test_no_other_step_has_a_smaller_risk_after_one_step():
    values = 1 / np.arange(1, 6)
    best = learned_step(values, 8)
    risk = one_step_risk(best, values, 8)
    generator = np.random.default_rng(1)
    assert all(one_step_risk(best * (1 + 0.1 * generator.normal(size=5)), values, 8) > risk for _ in range(50))


@pytest.mark.parametrize(
    ("kappa", "exact"), [(1.0, 10 * 11 / 31), (10.0, 4.305)], ids=["Σ = I: d(1 − n/(n+d+1))", "Σ = diag(1/k)"]
)
def test_the_risk_after_one_step_is_exact(kappa, exact):
    found = append(BeyondSettings(condition_number=kappa, prompts=40_000))
    assert found.risk == pytest.approx(exact, rel=1e-4)
    mean, error = found.first_step
    assert abs(mean - found.risk) < 4 * error
    assert error < 0.01
    generator = np.random.default_rng(7)  # another route: rows, tasks and a step drawn here, w_1 written out
    X, w = (
        generator.normal(size=(20_000, 20, 10)) * np.sqrt(found.settings.eigenvalues),
        generator.normal(size=(20_000, 10)),
    )
    first = learned_step(found.settings.eigenvalues, 20) * np.einsum("bni,bnj,bj->bi", X, X, w) / 20
    errors = np.square(first - w).sum(axis=1)
    assert abs(errors.mean() - found.risk) < 4 * errors.std() / 20_000**0.5


@pytest.mark.parametrize(("steps", "mean"), [(1, 3.5484), (2, 2.1119), (5, 1.1407), (10, 71.0), (20, 2.307e10)])
def test_the_mean_over_all_prompts_is_exact_at_the_identity(steps, mean):
    """Another route: 𝔼 tr(Wᵏ) as a sum over walks on the edges of a path, W = LLᵀ with a bidiagonal L of χ's."""
    found = append(BeyondSettings(condition_number=1.0, loops=steps, prompts=100))
    traces = bidiagonal_moments(20, 10, 2 * steps)
    step = Fraction(20, 31) / 20
    assert found.mean == pytest.approx(
        float(sum(comb(2 * steps, k) * (-step) ** k * trace for k, trace in enumerate(traces))), rel=1e-12
    )
    assert found.mean == pytest.approx(mean, rel=2e-4)
    assert found.results["exact_mean_after_T"] == found.mean
    assert f"exactly {found.mean:.3g}" in words.numbers(found)[-1].below


def test_where_the_mean_over_all_prompts_is_not_known_none_is_said():
    for other in ({"condition_number": 2.0}, {"condition_number": 1.0, "loops": 33}):
        found = append(BeyondSettings(**other, prompts=100))
        assert found.mean is None
        assert "over all prompts" not in words.verdict(found)
        assert "exactly" not in words.numbers(found)[-1].below


def bidiagonal_moments(n, d, order):
    """𝔼 tr((LLᵀ)ᵏ), k = 0 … order, in fractions: L has χ²_n, χ²_{n−1} … squared on, χ²_{d−1} … below its diagonal.

    The trace of (LLᵀ)ᵏ sums closed walks of 2k steps, from every second vertex, on the path whose edges have these χ's
    as weights. k/m_1 Π binom(m_e + m_{e+1} − 1, m_{e+1}) of them cross the edges 1, 2, … of a part of the path
    m_e times each way.
    """
    freedom = [n - i // 2 if i % 2 == 0 else d - 1 - i // 2 for i in range(2 * d - 1)]
    power = [[Fraction(1)] for _ in freedom]
    for moments, v in zip(power, freedom, strict=True):
        for m in range(order):
            moments.append(moments[-1] * (v + 2 * m))  # 𝔼(χ²_v)^m
    total, walks = [Fraction(0)] * (order + 1), {}
    for edge in range(len(freedom)):
        longer = {(m, m): power[edge][m] / m for m in range(1, order + 1)}
        for (m, k), weight in walks.items():
            for more in range(1, order - k + 1):
                place = (more, k + more)
                longer[place] = longer.get(place, 0) + weight * comb(m + more - 1, more) * power[edge][more]
        for (_, k), weight in longer.items():
            total[k] += k * weight
        walks = longer
    return [Fraction(d), *total[1:]]


def test_the_gap_is_said_as_a_share_of_the_largest_number():
    found = append(BeyondSettings(examples=5, features=5, loops=200, condition_number=1.0, seed=5, prompts=100))
    assert found.passed
    assert found.gap > 1e5  # of iterates that diverge
    (said,) = re.findall(r"largest difference (\S+) of the largest number", words.verdict(found))
    assert 0 < float(said) < 1e-11
    assert float(words.numbers(found)[0].value) == pytest.approx(float(said), rel=0.06)


def test_medians_fall_and_the_mean_explodes_with_one_step_for_all_prompts():
    found = append(BeyondSettings(condition_number=1.0, prompts=40_000))
    step = 20 / 31
    X = np.random.default_rng(3).normal(size=(20_000, 20, 10))
    values = np.linalg.eigvalsh(X.transpose(0, 2, 1) @ X / 20)
    for k, median in ((1, 3.51), (2, 2.03), (5, 0.737), (10, 0.234), (20, 0.035)):
        assert found.statistics["fixed_median"][k] == pytest.approx(median, rel=0.02)
        other = np.median(((1 - step * values) ** (2 * k)).sum(axis=1))
        assert other == pytest.approx(median, rel=0.03)
    for k, mean in ((1, 3.54), (2, 2.11), (5, 1.13)):
        assert found.statistics["fixed_mean"][k] == pytest.approx(mean, rel=0.06)
    assert found.statistics["fixed_mean"][10] > 8
    assert found.statistics["fixed_mean"][20] > 1e5
    assert found.diverging == pytest.approx(0.0503, abs=0.0045)  # 4 standard errors
    assert (step * values[:, -1] > 2).mean() == pytest.approx(0.0503, abs=0.0063)
    left = 1 - step * values[step * values[:, -1] > 2]
    assert (np.abs(left).max(axis=1) > 1).all()  # every step makes the largest mode larger
    assert (np.square(left).sum(axis=1) < 10).all()  # and yet the first one makes no whole error larger
    assert found.statistics["own_mean"][20] < found.statistics["own_mean"][10] < 0.6


@pytest.mark.slow
def test_the_share_that_diverges_over_a_million_prompts():
    shares = [append(BeyondSettings(condition_number=1.0, prompts=40_000, seed=seed)).diverging for seed in range(25)]
    assert np.mean(shares) == pytest.approx(0.0503, abs=0.0009)  # 4 standard errors


def test_the_matrices_of_the_prompts_are_decomposed_once_for_each_of_the_two_steps(monkeypatch):
    count = {"eigh": 0, "eigvalsh": 0}

    def counted(name, plain, matrices):
        count[name] += 1
        return plain(matrices)

    for name in count:
        monkeypatch.setattr(np.linalg, name, partial(counted, name, getattr(np.linalg, name)))
    append(BeyondSettings(prompts=100))
    assert count == {"eigh": 1, "eigvalsh": 1}


@pytest.mark.parametrize("kappa", [1.0, 30.0])
def test_the_error_over_tasks_is_the_square_of_the_matrix_power(kappa):
    settings = BeyondSettings(condition_number=kappa, features=4, examples=6)
    gram = grams(settings.eigenvalues, 6, 50, np.random.default_rng(2))
    step = learned_step(settings.eigenvalues, 6)
    errors, largest = mean_over_tasks(gram, step, 7)
    np.testing.assert_allclose(largest, largest_factor(gram, step), rtol=1e-12)
    own = mean_with_own_step(gram, 7)
    for b in range(50):
        left = np.eye(4) - np.diag(step) @ gram[b]
        power = np.linalg.matrix_power(left, 7)
        assert errors[7, b] == pytest.approx(np.square(power).sum(), rel=1e-9)
        power = np.linalg.matrix_power(np.eye(4) - gram[b] / np.linalg.norm(gram[b], 2), 7)
        assert own[7, b] == pytest.approx(np.square(power).sum(), rel=1e-9)
        assert largest_factor(gram, step)[b] == pytest.approx(np.linalg.eigvals(np.diag(step) @ gram[b]).real.max())
    tasks = np.eye(4)[np.zeros(50, dtype=int)]
    drawn = squared_errors(gram, step, tasks, 7)
    np.testing.assert_allclose(
        drawn[7], [np.square(np.linalg.matrix_power(np.eye(4) - np.diag(step) @ g, 7)[:, 0]).sum() for g in gram]
    )


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
