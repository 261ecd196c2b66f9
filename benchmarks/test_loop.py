"""The looped transformer beside explicit gradient descent in NumPy, on the same prompts. Compare rows of a group.

The transformer's tokens are ready before the clock starts, as X and y are for NumPy.
"""

import numpy as np
import pytest
import torch

from looped import Settings, theory
from looped.algorithms.gd import construction as gradient_descent
from looped.attention import LoopedTransformer
from looped.prompts import draw

SIZES = [(64, 400, 20, 100), (1000, 200, 20, 10), (1000, 200, 20, 100)]


def case(B, n, d, T):
    def make(seed):
        settings = Settings(prompts=B, examples=n, features=d, loops=T, seed=seed)
        batch = draw(settings)
        tokens = {layout: gradient_descent(d, layout).embed(batch, 1.0) for layout in ("compact", "slots")}
        return batch, tokens, theory.step_sizes(batch.spectrum, settings), T

    return make


def numpy_direct(batch, _tokens, eta, T):
    """w ← w − (η/n) Xᵀ(Xw − y), as one would write it down."""
    X, y, step = batch.X.numpy(), batch.y.numpy()[..., None], eta.numpy()[:, None, None]
    w = np.zeros((X.shape[0], X.shape[2], 1))
    iterates = [w]
    for _ in range(T):
        w = w - step / X.shape[1] * (X.transpose(0, 2, 1) @ (X @ w - y))
        iterates.append(w)
    return iterates


def numpy_gram(batch, _tokens, eta, T):
    """The same on H = XᵀX/n, both products included."""
    X, y, step = batch.X.numpy(), batch.y.numpy()[..., None], eta.numpy()[:, None, None]
    Xt = X.transpose(0, 2, 1)
    H, b = Xt @ X / X.shape[1], Xt @ y / X.shape[1]
    w = np.zeros_like(b)
    iterates = [w]
    for _ in range(T):
        w = w - step * (H @ w - b)
        iterates.append(w)
    return iterates


def torch_direct(batch, _tokens, eta, T):
    """The direct form in PyTorch."""
    X, y, step = batch.X, batch.y[..., None], eta[:, None, None]
    w = X.new_zeros(X.shape[0], X.shape[2], 1)
    iterates = [w]
    for _ in range(T):
        w = w - step / X.shape[1] * (X.mT @ (X @ w - y))
        iterates.append(w)
    return iterates


def transformer(form, layout="compact"):
    def run(batch, tokens, eta, T):
        weights = gradient_descent(batch.X.shape[2], layout)
        with torch.inference_mode():
            return LoopedTransformer(T, form)(tokens[layout], weights, eta)

    return run


WAYS = {
    "NumPy GD on XᵀX": numpy_gram,
    "NumPy GD direct": numpy_direct,
    "PyTorch GD direct": torch_direct,
    "looped, state form": transformer("state"),
    "looped, token form": transformer("token"),
    "looped, state form, slots": transformer("state", "slots"),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("size", SIZES, ids=lambda size: "B={},n={},d={},T={}".format(*size))
def test_loop(best_of_five, benchmark, size, way):
    benchmark.group = "B={}, n={}, d={}, T={}".format(*size)
    benchmark.name = way
    best_of_five(WAYS[way], case(*size))
