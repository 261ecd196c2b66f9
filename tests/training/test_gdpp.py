"""GD++ and its twin, the fit to it, and the two numbers known to be good."""

import math

import pytest
import torch

from looped.algorithms.gd import construction
from looped.training import gdpp
from looped.training.evaluate import spectra
from looped.training.models import LoopedPredictor
from tests.training.test_models import prompts, state_of


def descend(X, y, a, gamma):
    """The explicit algorithm: w ← w − aC²Xᵀ(Xw − y)/n, C ← C − γCHC², from w = 0 and C = I: (T+1, B, d)."""
    B, n, d = X.shape
    H = X.mT @ X / n
    C = torch.eye(d, dtype=X.dtype, device=X.device).expand(B, d, d)
    w = X.new_zeros(B, d)
    path = [w]
    for step, contraction in zip(a, gamma, strict=True):
        slope = torch.einsum("bnd,bn->bd", X, torch.einsum("bnd,bd->bn", X, w) - y) / n
        w = w - step * torch.einsum("bij,bj->bi", C @ C, slope)
        C = C - contraction * C @ H @ C @ C
        path.append(w)
    return torch.stack(path)


def model_with(a, gamma, d, loops):
    model = LoopedPredictor(weights="full", features=d, loops=loops)
    P, Q = gdpp.weights([a], [gamma], d)
    model.load_state_dict({"P": P, "Q": Q})
    return model


@pytest.mark.parametrize(("a", "gamma"), [(0.3, 0.05), (1.5, 0.1), (0.4, 0.0)])
def test_the_weights_are_their_explicit_twin(a, gamma):
    X, y, _ = prompts(3, 20, 5)
    loops = 6
    looped = model_with(a, gamma, 5, loops).iterates(state_of(X, y))
    explicit = descend(X, y, [a] * loops, [gamma] * loops)
    assert float((looped - explicit).abs().max()) <= 1e-13 * max(1.0, float(explicit.abs().max()))


def test_one_step_moves_the_inputs_as_the_family_says():
    # Two loops by hand: the second reads rows (I − γH)x_j.
    X, y, _ = prompts(1, 8, 2)
    a, gamma, n = 0.3, 0.2, 8
    H = X[0].T @ X[0] / n
    w_1 = a * X[0].T @ y[0] / n
    moved = X[0] @ (torch.eye(2, dtype=torch.float64) - gamma * H)
    seen = y[0] - X[0] @ w_1
    # The query is moved by the same matrix, so what it reads comes back through it once more.
    w_2 = w_1 + a * (torch.eye(2, dtype=torch.float64) - gamma * H) @ moved.T @ seen / n
    torch.testing.assert_close(descend(X, y, [a, a], [gamma, gamma])[2, 0], w_2, rtol=0, atol=1e-14)


def test_the_residual_along_each_mode_is_the_scalar_recursion():
    X, _, w_star = prompts(2, 20, 3)
    y = torch.einsum("bnd,bd->bn", X, w_star)
    a, gamma, loops = 0.8, 0.1, 4
    eigenvalues, vectors = torch.linalg.eigh(X.mT @ X / 20)
    error = descend(X, y, [a] * loops, [gamma] * loops)[-1] - w_star
    along = torch.einsum("bdk,bd->bk", vectors, error)
    expected = -gdpp.residual_factors(a, gamma, loops, eigenvalues) * torch.einsum("bdk,bd->bk", vectors, w_star)
    torch.testing.assert_close(along, expected, rtol=0, atol=1e-13)


def test_the_fit_finds_the_two_numbers_in_any_gauge():
    P, Q = gdpp.weights([1.5], [0.1], 5)
    fit = gdpp.fit(-3 * P[0], Q[0] / -3)
    assert (fit.a, fit.gamma) == (pytest.approx(1.5), pytest.approx(0.1))
    assert max(fit.unexplained_p, fit.unexplained_q) < 1e-30


def test_the_unexplained_share_is_what_is_left():
    P, Q = gdpp.weights([2.0], [0.4], 4)
    Q[0, 0, 1] = 1.0
    fit = gdpp.fit(P[0], Q[0])
    assert fit.unexplained_q == pytest.approx(1 / (4 * 2.0**2 + 1))
    assert fit.unexplained_p == pytest.approx(0)
    with pytest.raises(ValueError, match="no gauge"):
        gdpp.fit(torch.zeros(3, 3), torch.eye(3))


def test_the_gradient_descent_that_generates_w_is_found_in_any_gauge():
    right = construction(4, "compact")
    fit = gdpp.fit(-2 * 0.3 * right.P, right.Q / -2, generates=True)
    assert fit.a == pytest.approx(0.3)
    assert max(fit.unexplained_p, fit.unexplained_q) < 1e-30
    skewed = right.P.clone()
    skewed[0, 1], skewed[1, 0] = 1.0, -1.0
    assert gdpp.fit(skewed, right.Q, generates=True).unexplained_p == pytest.approx(2 / 6)
    with pytest.raises(ValueError, match="no gauge"):
        gdpp.fit(torch.eye(3), torch.zeros(3, 3), generates=True)


def test_the_two_numbers_have_their_median():
    generator = torch.Generator().manual_seed(4)
    X = torch.randn(40_000, 20, 5, generator=generator, dtype=torch.float64)
    left = gdpp.residual_factors(4.97, 0.217, 10, torch.linalg.eigvalsh(X.mT @ X / 20))
    w_star, x = torch.randn(2, *left.shape, generator=generator, dtype=torch.float64)
    errors = (left * w_star * x).sum(1).square()
    assert float(errors.median()) == pytest.approx(2.5e-9, rel=0.15)


def test_the_search_beats_descent_and_follows_its_valley():
    eigenvalues, weight = spectra(20, 5, 8_000, seed=0)
    best = gdpp.search(10, eigenvalues, weight)
    assert best.risk == gdpp.risk(best.a, best.gamma, 10, eigenvalues, weight)
    assert best.risk < 1e-4
    assert 3 < best.a < 6
    assert 0.15 < best.gamma < 0.3
    one = gdpp.search(1, eigenvalues, weight)
    assert one.a == pytest.approx(20 / 26, rel=0.02)
    assert math.isfinite(one.gamma)
