"""One learned step for all prompts has the exact risk that is said, and diverges on some of them."""

from fractions import Fraction
from functools import partial
from math import comb

import numpy as np
import pytest

from looped import BeyondSettings
from looped.experiments.beyond import strip, words
from looped.experiments.beyond.learned_step import (
    grams,
    largest_factor,
    learned_step,
    mean_over_tasks,
    mean_with_own_step,
    one_step_risk,
    squared_errors,
)
from looped.experiments.beyond.one_step import one_step


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
    found = one_step(BeyondSettings(view="one-step", condition_number=kappa, prompts=40_000))
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
    found = one_step(BeyondSettings(view="one-step", condition_number=1.0, loops=steps, prompts=100))
    traces = bidiagonal_moments(20, 10, 2 * steps)
    step = Fraction(20, 31) / 20
    assert found.mean == pytest.approx(
        float(sum(comb(2 * steps, k) * (-step) ** k * trace for k, trace in enumerate(traces))), rel=1e-12
    )
    assert found.mean == pytest.approx(mean, rel=2e-4)
    assert found.results["exact_mean_after_T"] == found.mean
    assert f"exactly {found.mean:.3g}" in strip.numbers(found)[-1].below


def test_where_the_mean_over_all_prompts_is_not_known_none_is_said():
    for other in ({"condition_number": 2.0}, {"condition_number": 1.0, "loops": 33}):
        found = one_step(BeyondSettings(view="one-step", **other, prompts=100))
        assert found.mean is None
        assert "over all prompts" not in words.verdict(found)
        assert "exactly" not in strip.numbers(found)[-1].below


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


def test_medians_fall_and_the_mean_explodes_with_one_step_for_all_prompts():
    found = one_step(BeyondSettings(view="one-step", condition_number=1.0, prompts=40_000))
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
    settings = BeyondSettings(view="one-step", condition_number=1.0, prompts=40_000)
    shares = [one_step(settings.replace(seed=seed)).diverging for seed in range(25)]
    assert np.mean(shares) == pytest.approx(0.0503, abs=0.0009)  # 4 standard errors


def test_the_matrices_of_the_prompts_are_decomposed_once_for_each_of_the_two_steps(monkeypatch):
    count = {"eigh": 0, "eigvalsh": 0}

    def counted(name, plain, matrices):
        count[name] += 1
        return plain(matrices)

    for name in count:
        monkeypatch.setattr(np.linalg, name, partial(counted, name, getattr(np.linalg, name)))
    one_step(BeyondSettings(view="one-step", prompts=100))
    assert count == {"eigh": 1, "eigvalsh": 1}


@pytest.mark.parametrize("kappa", [1.0, 30.0])
def test_the_error_over_tasks_is_the_square_of_the_matrix_power(kappa):
    settings = BeyondSettings(view="one-step", condition_number=kappa, features=4, examples=6)
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
