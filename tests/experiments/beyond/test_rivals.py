"""Loops against κ: each count by a second route, the slopes, and the looped transformer."""

from fractions import Fraction

import numpy as np
import pytest

from looped import BeyondSettings
from looped.experiments.beyond import rivals as module
from looped.experiments.beyond.rivals import (
    by_bisection,
    conjugate_gradients,
    descent,
    eagle,
    first_below,
    heavy_ball,
    newton,
    rivals,
    size,
)


@pytest.fixture(scope="module")
def found():
    return rivals(BeyondSettings(view="rivals"))


def spectrum(kappa, d=10):
    return np.geomspace(1, 1 / kappa, d)


def eagle_loops(kappa, eta, gamma=1.0, most=200):
    """From A, B, C and D, on a diagonal A with the singular values √λ: loops until every error is at most 1e-8."""
    A = np.diag(np.sqrt(spectrum(kappa)))
    w = np.ones(10)
    B, C, D = w[None] @ A, np.eye(10), np.zeros((1, 10))
    for loop in range(most):
        if np.abs(D - w).max() <= 1e-8:
            return loop
        norm = np.linalg.norm(A, 2)
        if not 1e-100 < norm < 1e100:
            break
        rho = 1 / norm**2
        A, B, C, D = (
            A - eta * rho * A @ A.T @ A, B - eta * rho * B @ A.T @ A, C - gamma * rho * A @ A.T @ C,
            D + gamma * rho * B @ A.T @ C,
        )  # fmt: skip
    return most


def test_eagle_needs_the_loops_of_the_theorem_step_sizes(found):
    """κ of X from 10 to 10,000, whose squares are those of XᵀX."""
    kappas = [10.0 ** (2 * k) for k in range(1, 5)]
    assert [eagle_loops(kappa, 1 / 3) for kappa in kappas] == [10, 16, 22, 27]
    assert [first_below(eagle(spectrum(kappa)), 1e-8) for kappa in kappas] == [10, 16, 22, 27]
    half = [first_below(eagle(spectrum(kappa), contraction=1 / 2), 1e-8) for kappa in kappas]
    for counted, said in zip(half, (10, 12, 14, 21), strict=True):
        assert abs(counted - said) <= 1  # of one random task there
    assert [found.loops["eagle"][int(np.argmin(abs(found.kappa - kappa)))] for kappa in kappas] == [10, 16, 22, 27]


def test_trained_numbers_of_eagle_do_not_go_with_the_norm_of_one_prompt():
    assert eagle_loops(100.0, 1.0, 1.9) == 200
    assert eagle_loops(100.0, 1 / 3, 1.9) > 100
    assert eagle_loops(100.0, 1 / 3, 1.0) == 10


@pytest.mark.parametrize("kappa", [1.0, 3.0, 40.0, 1000.0])
def test_loops_by_the_formulas_are_those_of_the_recurrences(kappa):
    values = spectrum(kappa)
    high, low = np.sqrt(values[0]), np.sqrt(values[-1])
    eta, mu = 4 / (high + low) ** 2, ((high - low) / (high + low)) ** 2
    for name, rule, left in (
        ("gd", lambda w, _: w - 2 / (values[0] + values[-1]) * values * w, descent(values)),
        ("heavy-ball", lambda w, before: w - eta * values * w + mu * (w - before), heavy_ball(values)),
    ):
        w = before = np.ones(10)
        loops = 0
        while size(w) > 1e-8:
            w, before = rule(w, before), w
            loops += 1
            if loops % 7 == 0:
                np.testing.assert_allclose(np.abs(left(loops)), np.abs(w), atol=1e-10, err_msg=name)
        assert by_bisection(left, 1e-8) == max(loops, 1), name


def test_newton_inverts():
    values, M = spectrum(1e4), 2 / (1 + 1e-4) * np.eye(10)
    H = np.diag(values)
    loops = 0
    w = np.zeros(10)
    while size(w - 1) > 1e-8:
        w, M, loops = M @ H @ np.ones(10), 2 * M - M @ H @ M, loops + 1
    assert first_below(newton(values), 1e-8) == loops


def test_conjugate_gradients_end_after_d_steps_in_exact_arithmetic_and_not_in_float64(found):
    assert found.loops["cg"].max() == 10
    assert found.in_float64[-1] > 10
    assert conjugate_gradients(np.ones(10), 1e-8, exact=True) == 1
    assert conjugate_gradients(np.array([1.0, 0.5, 0.1]), 1e-12, exact=True) == 3
    # Another route: the best polynomial with p(0) = 1 in the norm of A, in fractions, after two steps of three.
    lam = [Fraction(1), Fraction(1, 2), Fraction(1, 10)]
    rows = [[sum(v**3 for v in lam), sum(v**4 for v in lam)], [sum(v**4 for v in lam), sum(v**5 for v in lam)]]
    right = [-sum(v**2 for v in lam), -sum(v**3 for v in lam)]
    det = rows[0][0] * rows[1][1] - rows[0][1] * rows[1][0]
    a = (right[0] * rows[1][1] - rows[0][1] * right[1]) / det
    b = (rows[0][0] * right[1] - right[0] * rows[1][0]) / det
    left = float(sum((1 + a * v + b * v * v) ** 2 for v in lam) / 3) ** 0.5
    values = np.array([1.0, 0.5, 0.1])
    assert conjugate_gradients(values, left * 1.001, exact=True) == 2
    assert conjugate_gradients(values, left * 0.999, exact=True) == 3


def test_who_grows_as_kappa_as_its_root_and_as_its_logarithm(found):
    assert found.slopes["gd"] == pytest.approx(1, abs=0.01)
    assert found.slopes["heavy-ball"] == pytest.approx(0.5, abs=0.03)
    assert found.slopes["gd++"] == pytest.approx(1, abs=0.1)
    assert found.loops_per_decade["newton"] == pytest.approx(np.log2(10), abs=0.1)
    assert found.loops_per_decade["eagle"] == pytest.approx(np.log(10) / np.log(9 / 4), abs=0.1)


def test_gdpp_is_counted_as_its_recurrence_goes():
    values, target = spectrum(30.0), 1e-8
    (loops,) = module.gdpp_loops([values], target)
    best = min(
        next((t for t, left in enumerate(gdpp(values, *pair)) if size(left) <= target), 10**9)
        for pair in {module.AUTO, *(module.best_numbers(30.0, n, 2.2e-16) for n in (8, 16, 32, 64))}
    )
    assert best <= loops <= best + 3  # pairs that grow so much that rounding loses the target are left out


def gdpp(values, reach, ratio, most=400):
    left, h = np.ones_like(values), values
    for _ in range(most):
        yield left
        left, h = left * (1 - ratio * reach * h), h * (1 - reach * h) ** 2


def test_the_looped_transformer_takes_as_many_loops_as_counted(found):
    assert found.passed
    assert len(found.checks) == 10
    other = rivals(BeyondSettings(view="rivals", features=4, largest_condition=100.0, target_error=1e-6))
    assert other.passed
    assert {name for name, *_ in other.checks} == {"gd", "heavy-ball", "newton", "eagle"}


def test_one_feature_has_one_mode_and_needs_one_loop():
    only = rivals(BeyondSettings(view="rivals", features=1))
    assert all(loops.tolist() == [1.0] for name, loops in only.loops.items() if name != "gd++")
    assert only.slopes["gd"] is None


def test_newton_from_a_multiple_of_the_gram_matrix_takes_as_many_loops_as_the_page_says():
    loops = {}
    for power in (1, 2):  # N₀ a multiple of I, and of XᵀX: 1 − ηλ and 1 − ηλ² at the best η, squared in every loop
        modes = np.geomspace(1, 1e-4, 10) ** power
        left, loops[power] = 1 - 2 * modes / (modes[0] + modes[-1]), 1
        while np.sqrt(np.mean(left**2)) > 1e-8:
            left, loops[power] = left**2, loops[power] + 1
    assert loops == {1: 18, 2: 31}
