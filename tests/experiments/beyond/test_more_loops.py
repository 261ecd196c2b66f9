"""The layer of one-step training in many loops: the verdict before the run, the best number, the bound."""

import numpy as np
import pytest

from looped import BeyondSettings
from looped.experiments.beyond.learned_step import learned_step
from looped.experiments.beyond.more_loops import more_loops, published_bound
from looped.training.wishart import descent_risk


def found(**changes):
    return more_loops(BeyondSettings(view="more-loops", **changes))


def drawn(train, n, m, loops, prompts=600, seed=5):
    """Medians of ‖w_k − w*‖² written out: rows 𝓝(0, I), one loop after the other."""
    generator = np.random.default_rng(seed)
    d = len(train)
    gamma = np.linalg.inv((1 + 1 / n) * np.diag(train) + train.sum() / n * np.eye(d))
    X, w_star = generator.normal(size=(prompts, m, d)), generator.normal(size=(prompts, d))
    y, w, medians = np.einsum("bmd,bd->bm", X, w_star), np.zeros((prompts, d)), []
    for _ in range(loops):
        w = w - np.einsum("bmd,bm->bd", X, np.einsum("bmd,bd->bm", X, w) - y) / m @ gamma
        medians.append(np.median(np.square(w - w_star).sum(axis=1)))
    return medians


MATCHED = {10: (2.80, 1.04, 0.088, 2.5e-3, 4.3e-6), 30: (1.13, 0.26, 6.5e-3, 2.9e-5, 1.1e-9)}


def test_more_loops_help_where_the_test_is_as_training():
    """Within what 400 prompts, with which the numbers were found, scatter by."""
    run, other = found(condition_number=1.0, tested_on="same", examples=10), {}
    for n in (10, 30):
        other[n] = drawn(np.ones(10), n, 100, 20)
    for row, n in enumerate(run.contexts):
        for k, median in zip((1, 2, 5, 10, 20), MATCHED[n], strict=True):
            assert run.medians[row, k] == pytest.approx(median, rel=0.15)
            assert other[n][k - 1] == pytest.approx(median, rel=0.2)
    assert run.kinds == ["converges", "converges"]
    assert (run.diverging == 0).all()
    assert (run.best == 20).all()


def test_the_published_bound_is_exact_for_infinitely_many_examples_and_crossed_with_a_hundred():
    run = found(condition_number=1.0, tested_on="same", examples=10)
    np.testing.assert_allclose(run.bound, run.limit[0], rtol=1e-12)  # Σ = I: every mode is the slowest
    assert run.bound[-1] == pytest.approx(6e-11, rel=0.05)
    assert run.bound[-1] == pytest.approx(10 * (11 / 21) ** 40, rel=1e-9)
    assert run.crossed == 1
    skewed = found(condition_number=10.0, tested_on="same", examples=10)
    assert (skewed.bound >= skewed.limit[0] * (1 - 1e-12)).all()
    assert found().bound is None
    assert published_bound(np.array([1.0, 0.5]), 4, 1)[1] == pytest.approx(2 * (1 + 4 / (1 + 3)) ** -2)


def test_more_loops_hurt_on_another_covariance_and_the_more_the_longer_the_training_context():
    run = found(examples=10)
    train = 1 / np.arange(1, 11)
    for row, (n, expected) in enumerate(((10, (11.7, 34, 2.3e3)), (30, (71, 1.1e3, 9.3e6)))):
        other = drawn(train, n, 100, 5)
        for k, median in zip((1, 2, 5), expected, strict=True):
            assert run.medians[row, k] == pytest.approx(median, rel=0.15)
            assert other[k - 1] == pytest.approx(median, rel=0.25)
    assert run.kinds == ["diverges", "diverges"]
    assert (run.medians[1, 1:] > run.medians[0, 1:]).all()
    lengths, factors = run.lengths, run.factors
    assert (np.diff(factors) > 0).all()
    assert lengths[0] == 1


@pytest.mark.parametrize("factor", [1.9, 2.1])
def test_the_loop_diverges_if_and_only_if_the_largest_factor_is_above_two(factor):
    """On one prompt whose λ_max is set: 1 − λ_max is −0.9 or −1.1."""
    from looped.experiments.beyond.learned_step import largest_factor, squared_errors

    generator = np.random.default_rng(0)
    X = generator.normal(size=(1, 30, 4))
    gram = X.transpose(0, 2, 1) @ X / 30
    step = learned_step(np.array([1.0, 0.5, 0.2, 0.1]), 9)
    step = step * factor / largest_factor(gram, step)[0]
    assert largest_factor(gram, step)[0] == pytest.approx(factor)
    errors = squared_errors(gram, step, np.ones((1, 4)), 400)[:, 0]
    assert (errors[-1] < 1e-6 * errors[0]) == (factor < 2)
    assert (errors[-1] > 1e6 * errors[0]) == (factor > 2)


def test_a_step_that_is_a_little_too_long_has_a_best_number_of_loops():
    run = found(condition_number=3.0)
    assert run.best[0] == 2
    assert 2 < np.median(run.single["largest_factor"][0]) < 2.3
    assert run.medians[0, 2] < run.medians[0, 1] < run.medians[0, 0] < run.medians[0, 10]


def test_for_many_examples_the_errors_are_the_limit():
    run = found(features=2, condition_number=2.0, examples=5, test_examples=2000, prompts=8000, loops=3)
    np.testing.assert_allclose(run.single["squared_error"][0].mean(axis=1), run.limit[0], rtol=0.15)


@pytest.mark.parametrize(("n", "m", "d"), [(10, 100, 10), (10, 2000, 1), (30, 2000, 2), (3, 5, 4), (200, 50, 3)])
def test_at_the_identity_the_mean_is_at_or_above_the_bound(n, m, d):
    """Jensen: 𝔼(1 − γλ)^2k ≥ (1 − γ𝔼λ)^2k. The median of ‖w*‖² is below d, so it begins below the bound."""
    run = found(
        examples=n, features=d, condition_number=1.0, test_examples=m, tested_on="same", loops=5, prompts=10_000
    )
    step = n / (n + d + 1)
    exact = [descent_risk(step, k, m, d) for k in range(1, 6)]
    assert all(mean > bound for mean, bound in zip(exact, run.bound[1:], strict=True))
    assert run.mean[0] == pytest.approx(run.bound[0], rel=1e-12) == d
    np.testing.assert_allclose(run.mean[1:3], exact[:2], rtol=0.1)
    assert run.above.tolist() == [False] + 5 * [True]
    assert run.crossed == 1
    assert run.medians[0, 0] < run.bound[0]


@pytest.mark.parametrize(("kappa", "n", "loop"), [(10.0, 10, 9), (10.0, 20, 4), (3.0, 10, 3)])
def test_elsewhere_the_mean_passes_the_bound_at_the_loop_that_the_documentation_says(kappa, n, loop):
    for seed in range(3):
        assert found(condition_number=kappa, tested_on="same", examples=n, seed=seed).crossed == loop


def test_the_mean_is_that_of_drawn_tasks():
    run = found(
        examples=4, features=3, condition_number=5.0, test_examples=12, tested_on="same", loops=4, prompts=40_000
    )
    errors = run.single["squared_error"][0, 4]
    assert abs(run.mean[4] - errors.mean()) < 4 * errors.std() / 40_000**0.5


def test_from_the_loop_that_is_named_on_the_mean_stays_above_the_bound():
    named = crossings = 0
    for n in (1, 3, 8, 20, 60):
        for d in (1, 3, 10):
            for kappa in (1.0, 10.0, 1000.0) if d > 1 else (1.0,):
                for m in (2, 10, 100):
                    run = found(
                        examples=n, features=d, condition_number=kappa, test_examples=m, tested_on="same", prompts=100
                    )
                    above = [bool(mean > bound * (1 + 1e-9)) for mean, bound in zip(run.mean, run.bound, strict=True)]
                    if run.crossed is None:
                        assert not above[-1]
                    else:
                        assert all(above[run.crossed :])
                        assert run.crossed == 0 or not above[run.crossed - 1]
                        named += 1
                        crossings += above.index(True) < run.crossed
    assert named > 20
    assert crossings > 0  # the first crossing is another loop in some of them
