"""The contract of every construction: its loop is the step of the algorithm it is named after.

The reference below is written from the formula, example by example, and shares nothing with the package.
"""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from looped import Settings, compare
from looped.algorithms.weights import gradient_descent
from looped.attention import LinearAttention, LoopedTransformer
from looped.prompts import draw
from tests.strategies import runnable_settings

LAYOUTS, FORMS, DTYPES = ["compact", "slots"], ["state", "token"], ["float64", "float32"]
SIZES = [(1, 1, 1), (3, 4, 3), (40, 3, 7), (60, 40, 10), (100, 12, 12), (25, 15, 9), (2, 1, 6)]
SPECTRA = ["geometric", "linear", "two-level", "outlier"]


def step_by_step(X, y, eta, loops, alpha):
    """w ← w − (η/n) Σ_i x_i (⟨x_i, w⟩ − α y_i) for one prompt, in the precision of X: (T+1, d)."""
    n, d = X.shape
    w = np.zeros(d, dtype=X.dtype)
    path = [w]
    for _ in range(loops):
        total = np.zeros(d, dtype=X.dtype)
        for x_i, y_i in zip(X, y, strict=True):
            total = total + x_i * (x_i @ w - X.dtype.type(alpha) * y_i)
        w = w - eta / n * total
        path.append(w)
    return np.array(path)


def tolerance(dtype, kappa, loops):
    return min(16 * np.finfo(dtype).eps * (kappa + np.sqrt(loops)), 1e-3)


def run(weights, form, batch, eta, loops, alpha=1.0, powers=True):
    with torch.inference_mode():
        queries = LoopedTransformer(loops, form, powers)(weights.embed(batch, alpha), weights, eta)
    return queries[..., weights.w].numpy()


@pytest.mark.parametrize("spectrum", SPECTRA)
@pytest.mark.parametrize("size", SIZES, ids=lambda size: "T={},n={},d={}".format(*size))
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_loop_is_the_step(layout, form, dtype, size, spectrum):
    loops, n, d = size
    kappa = 30.0 if min(n, d) > 1 else 1.0
    setting = Settings(
        loops=loops,
        examples=n,
        features=d,
        condition_number=kappa,
        prompts=2,
        dtype=dtype,
        spectrum=spectrum,
        noise=0.1,
    )
    batch = draw(setting)
    eta = (1 / batch.spectrum.largest).to(batch.X.dtype)
    weights = gradient_descent(d, layout, batch.X.dtype)
    looped = run(weights, form, batch, eta, loops, alpha=-1.5)
    for b in range(2):
        expected = step_by_step(batch.X[b].numpy(), batch.y[b].numpy(), eta[b].numpy(), loops, alpha=-1.5)
        gap = np.abs(looped[:, b] - expected).max()
        assert gap <= tolerance(dtype, kappa, loops) * np.abs(expected).max()
    assert np.abs(looped[1]).max() > 0


@settings(max_examples=60, deadline=None)
@given(runnable_settings())
def test_the_gap_stays_within_the_tolerance_on_random_shapes(setting):
    result = compare(setting)
    assert result.relative_gap <= result.tolerance
    assert result.passed
    for array in (result.looped, result.explicit, result.errors, result.closed_form, *result.curves.values()):
        assert np.isfinite(array).all()


@pytest.mark.parametrize("data", ["exact", "gaussian"])
@pytest.mark.parametrize(("n", "d"), [(40, 10), (10, 20), (1, 50), (20, 20)])
@pytest.mark.parametrize("form", FORMS)
def test_the_gap_stays_within_the_tolerance_for_ten_thousand_loops(form, n, d, data):
    result = compare(Settings(loops=10_000, examples=n, features=d, form=form, prompts=3, data=data))
    assert result.relative_gap <= result.tolerance


@pytest.mark.parametrize("matrix", ["P", "Q"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_flipping_the_sign_of_any_single_weight_breaks_it(layout, form, matrix):
    loops, n, d = 12, 9, 3
    batch = draw(Settings(examples=n, features=d, prompts=1))
    eta = 1 / batch.spectrum.largest
    right = gradient_descent(d, layout)
    expected = step_by_step(batch.X[0].numpy(), batch.y[0].numpy(), float(eta[0]), loops, 1.0)
    limit = tolerance("float64", 5, loops) * np.abs(expected).max()
    assert np.abs(run(right, form, batch, eta, loops)[:, 0] - expected).max() <= limit
    for row, column in getattr(right, matrix).nonzero().tolist():
        wrong = gradient_descent(d, layout)
        getattr(wrong, matrix)[row, column] *= -1
        assert np.abs(run(wrong, form, batch, eta, loops)[:, 0] - expected).max() > 1e3 * limit, (row, column)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_layer_is_the_formula_with_its_masks(layout):
    batch = draw(Settings(examples=6, features=3, prompts=2))
    weights = gradient_descent(3, layout)
    Z = weights.embed(batch, 2.0)
    Z[:, weights.w, -1] = torch.tensor([0.3, -0.2, 0.5], dtype=torch.float64)
    eta = torch.tensor([0.1, 0.2], dtype=torch.float64)
    n = 6
    M = np.diag([1.0] * n + [0.0])
    R = np.diag([0.0] * n + [1.0]) if layout == "compact" else np.eye(n + 1)
    P, Q = weights.P.numpy(), weights.Q.numpy()
    after = LinearAttention()(Z, weights, eta).numpy()
    for b in range(2):
        z = Z[b].numpy()
        np.testing.assert_allclose(after[b], z - eta[b].item() / n * P @ z @ M @ (z.T @ Q @ z) @ R, atol=1e-15)


def test_the_slots_layout_leaves_the_examples_alone_without_a_write_mask():
    batch = draw(Settings(examples=9, features=4, prompts=3, noise=0.5))
    weights = gradient_descent(4, "slots")
    assert weights.writes == "all"
    Z = weights.embed(batch, 1.0)
    for _ in range(20):
        after = LinearAttention()(Z, weights, 1 / batch.spectrum.largest)
        assert torch.equal(after[..., :-1], Z[..., :-1])
        Z = after
    assert float(Z[:, weights.w, -1].abs().max()) > 0.1


def test_without_its_write_mask_the_compact_layout_would_move_the_examples():
    batch = draw(Settings(examples=9, features=4, prompts=1))
    weights = gradient_descent(4, "compact")
    unmasked = type(weights)(P=weights.P, Q=weights.Q, writes="all", x=weights.x, y=4, w=weights.w, alpha=4)
    Z = weights.embed(batch, 1.0)
    after = LinearAttention()(Z, unmasked, 1 / batch.spectrum.largest)
    assert float((after - Z)[..., :-1].abs().max()) > 0.1
    with pytest.raises(ValueError, match="move the examples"):
        LoopedTransformer(3, "state")(Z, unmasked, 1 / batch.spectrum.largest)


@pytest.mark.parametrize(("layout", "form"), list(itertools.product(LAYOUTS, FORMS)))
def test_the_transformer_never_sees_the_task_and_needs_no_gradient_step_of_ours(layout, form, monkeypatch):
    def forbidden(*_arguments, **_named):
        raise AssertionError("the transformer called the explicit solver")

    monkeypatch.setattr("looped.algorithms.descent.gradient_descent", forbidden)
    batch = draw(Settings(examples=9, features=4, prompts=2))
    blind = type(batch)(X=batch.X, y=batch.y, w_star=None)
    eta, weights = 1 / batch.spectrum.largest, gradient_descent(4, layout)
    np.testing.assert_array_equal(run(weights, form, batch, eta, 5), run(weights, form, blind, eta, 5))


@pytest.mark.parametrize("loops", [1, 2, 3, 4, 7, 8, 63, 64, 65, 1000])
@pytest.mark.parametrize(("n", "d"), [(12, 5), (4, 5)])
def test_powers_give_the_same_states_as_going_loop_by_loop(loops, n, d):
    batch = draw(Settings(examples=n, features=d, prompts=2))
    eta, weights = 1 / batch.spectrum.largest, gradient_descent(d, "compact")
    one_by_one = run(weights, "state", batch, eta, loops, powers=False)
    assert one_by_one.shape == (loops + 1, 2, d)
    np.testing.assert_allclose(run(weights, "state", batch, eta, loops), one_by_one, atol=1e-14)


def test_a_tiny_step_keeps_its_digits_over_ten_thousand_loops():
    result = compare(Settings(loops=10_000, step_size=1e-7, prompts=2))
    assert result.relative_gap <= 5e-2 * result.tolerance


def test_weights_are_tied_the_state_after_two_runs_of_five_is_that_of_ten():
    batch = draw(Settings(prompts=2))
    eta, weights = 1 / batch.spectrum.largest, gradient_descent(10, "compact")
    Z = weights.embed(batch, 1.0)
    transformer = LoopedTransformer(5, "token")
    middle = Z.clone()
    middle[..., -1] = transformer(Z, weights, eta)[-1]
    ten = LoopedTransformer(10, "token")(Z, weights, eta)[-1]
    torch.testing.assert_close(transformer(middle, weights, eta)[-1], ten, rtol=0, atol=0)


def test_an_unknown_layout_is_named():
    with pytest.raises(ValueError, match="no layout 'wide'"):
        gradient_descent(3, "wide")
