"""The trainable models against the dense token formula, written here with its masks, and against finite differences."""

import pytest
import torch

from looped.algorithms.gd import construction
from looped.training.models import LoopedGenerator, LoopedPredictor

KINDS = ["preconditioner", "sparse", "full"]


def prompts(B, n, d, seed=0):
    generator = torch.Generator().manual_seed(seed)
    X = torch.randn(B, n, d, generator=generator, dtype=torch.float64)
    w_star = torch.randn(B, d, generator=generator, dtype=torch.float64)
    y = torch.einsum("bnd,bd->bn", X, w_star) + 0.3 * torch.randn(B, n, generator=generator, dtype=torch.float64)
    return X, y, torch.randn(B, d, generator=generator, dtype=torch.float64)


def state_of(X, y):
    D = torch.cat([X, y[..., None]], dim=2)
    return D.mT @ D / X.shape[1]


def dense(P, Q, X, y, queries, loops):
    """−Z[d, n] after 0 … T loops of Z ← Z − (1/n) P Z M (Zᵀ Q Z), all n+1 tokens and both masks explicit: (T+1, B)."""
    B, n, d = X.shape
    answers = torch.zeros(loops + 1, B, dtype=X.dtype)
    M = torch.diag(torch.tensor([1.0] * n + [0.0], dtype=X.dtype))
    for b in range(B):
        Z = torch.zeros(d + 1, n + 1, dtype=X.dtype)
        Z[:d, :n], Z[d, :n], Z[:d, n] = X[b].T, y[b], queries[b]
        for t in range(loops):
            layer = t if len(P) > 1 else 0
            Z = Z - P[layer] @ Z @ M @ (Z.T @ Q[layer] @ Z) / n
            answers[t + 1, b] = -Z[d, n]
    return answers


def model_of(kind, d, loops, tied, seed=1):
    return LoopedPredictor(
        weights=kind, features=d, loops=loops, tied=tied, generator=torch.Generator().manual_seed(seed)
    )


def generator_of(kind, d, loops, tied, seed=1):
    return LoopedGenerator(
        weights=kind, features=d, loops=loops, tied=tied, generator=torch.Generator().manual_seed(seed)
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
@pytest.mark.parametrize(("loops", "n", "d"), [(1, 7, 3), (2, 3, 4), (4, 9, 1), (5, 6, 3)])
def test_every_form_is_the_dense_token_formula(kind, tied, loops, n, d):
    X, y, queries = prompts(3, n, d)
    model = model_of(kind, d, loops, tied)
    P, Q = model.matrices()
    expected = dense(P, Q, X, y, queries, loops)
    scale = float(expected.abs().max())
    state = state_of(X, y)
    torch.testing.assert_close(model.predictions(state, queries), expected, rtol=0, atol=1e-12 * scale)
    iterates = model.iterates(state)
    assert iterates.shape == (loops + 1, 3, d)
    torch.testing.assert_close(torch.einsum("tbd,bd->tb", iterates, queries), expected, rtol=0, atol=1e-12 * scale)
    for t in range(1, loops + 1):
        torch.testing.assert_close(model(state, t), iterates[t], rtol=0, atol=1e-12 * scale)
    assert float(expected[-1].abs().max()) > 0


@pytest.mark.parametrize("matrix", ["P", "Q"])
def test_flipping_the_sign_of_a_weight_changes_the_answer(matrix):
    X, y, queries = prompts(2, 6, 2)
    model = model_of("full", 2, 3, tied=True)
    expected = dense(*model.matrices(), X, y, queries, 3)
    with torch.no_grad():
        getattr(model, matrix)[0, 1, 0] *= -1
    assert float((model.predictions(state_of(X, y), queries) - expected).abs().max()) > 1e-6


@pytest.mark.parametrize("make", [model_of, generator_of], ids=["prediction", "generation"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
def test_the_gradient_is_that_of_finite_differences(kind, tied, make):
    X, y, target = prompts(4, 6, 2)
    state, model = state_of(X, y), make(kind, 2, 3, tied)

    def loss():
        return (model(state) - target).square().sum()

    loss().backward()
    for parameter in model.parameters():
        for index in range(parameter.numel()):
            with torch.no_grad():
                entry = parameter.view(-1)[index]
                middle, h = float(entry), 1e-5
                entry.fill_(middle + h)
                above = float(loss())
                entry.fill_(middle - h)
                below = float(loss())
                entry.fill_(middle)
            slope = float(parameter.grad.view(-1)[index])
            assert slope == pytest.approx((above - below) / (2 * h), rel=1e-5, abs=1e-6)


def dense_queries(P, Q, X, y, loops):
    """w_t read from the query of Z ← Z − (1/n) P Z M (Zᵀ Q Z) R, Z_0 = [[Xᵀ, 0], [yᵀ, 1]], masks explicit."""
    B, n, d = X.shape
    path = torch.zeros(loops + 1, B, d, dtype=X.dtype)
    M, R = torch.zeros(2, n + 1, n + 1, dtype=X.dtype)
    M[range(n), range(n)], R[n, n] = 1.0, 1.0
    for b in range(B):
        Z = torch.zeros(d + 1, n + 1, dtype=X.dtype)
        Z[:d, :n], Z[d, :n], Z[d, n] = X[b].T, y[b], 1.0
        for t in range(loops):
            layer = t if len(P) > 1 else 0
            Z = Z - P[layer] @ Z @ M @ (Z.T @ Q[layer] @ Z) @ R / n
            path[t + 1, b] = Z[:d, n]
    return path


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
@pytest.mark.parametrize(("loops", "n", "d"), [(1, 7, 3), (2, 3, 4), (4, 9, 1), (5, 6, 3)])
def test_the_generated_w_is_that_of_the_dense_formula(kind, tied, loops, n, d):
    X, y, queries = prompts(3, n, d)
    model, state = generator_of(kind, d, loops, tied), state_of(X, y)
    expected = dense_queries(*model.matrices(), X, y, loops)
    scale = max(1.0, float(expected.abs().max()))
    torch.testing.assert_close(model.iterates(state), expected, rtol=0, atol=1e-12 * scale)
    torch.testing.assert_close(model(state), expected[-1], rtol=0, atol=1e-12 * scale)
    answers = torch.einsum("tbd,bd->tb", expected, queries)
    torch.testing.assert_close(model.predictions(state, queries), answers, rtol=0, atol=1e-11 * scale)
    assert float(expected[-1].abs().max()) > 0


def test_with_the_constructed_weights_it_generates_gradient_descent():
    X, y, _ = prompts(3, 20, 4)
    weights, eta = construction(4, "compact"), 0.3
    model = LoopedGenerator(weights="full", features=4, loops=6)
    model.load_state_dict({"P": eta * weights.P[None], "Q": weights.Q[None]})
    w = torch.zeros(3, 4, dtype=torch.float64)
    for t in range(7):
        torch.testing.assert_close(model.iterates(state_of(X, y))[t], w, rtol=0, atol=1e-13)
        w = w - eta * torch.einsum("bnd,bn->bd", X, torch.einsum("bnd,bd->bn", X, w) - y) / 20


@pytest.mark.parametrize("make", [model_of, generator_of], ids=["prediction", "generation"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_of_the_weights_for_each_prompt_gives_the_same_answers(kind, make):
    X, y, _ = prompts(4, 6, 3)
    state, model = state_of(X, y), make(kind, 3, 4, tied=True)
    copies = [parameter.detach()[..., None].repeat(*[1] * parameter.dim(), 4) for parameter in model.parameters()]
    torch.testing.assert_close(model(state, weights=copies), model(state), rtol=1e-12, atol=1e-12)


def test_more_loops_than_untied_layers_are_refused():
    X, y, queries = prompts(1, 5, 2)
    with pytest.raises(ValueError, match="3 untied layers: choose at most 3 loops"):
        model_of("full", 2, 3, tied=False).predictions(state_of(X, y), queries, 4)


def test_no_tensor_has_a_token_by_token_axis():
    n = 1_000_003
    state = torch.eye(4, dtype=torch.float64).expand(2, 4, 4) * n
    assert model_of("full", 3, 2, tied=True)(state).shape == (2, 3)
