"""The constructed looped transformer and its explicit twin on prompts, as every experiment runs them."""

import numpy as np
import torch

from looped.algorithms.base import Algorithm
from looped.algorithms.descent import thinned
from looped.attention import LoopedTransformer


def looped_iterates(algorithm: Algorithm) -> np.ndarray:
    """Run the transformer alone: w_t read from its query before the first and after every loop.

    Args:
        algorithm: The algorithm with its settings and B prompts.

    Returns:
        (T+1, B, d), in the dtype of the prompts. Infinite or NaN where a diverging run overflows.
    """
    settings, batch, weights = algorithm.settings, algorithm.batch, algorithm.weights
    transformer = LoopedTransformer(
        settings.loops,
        "token" if algorithm.reads_tokens else "state",
        powers=algorithm.prediction.kind == "converges",
        softmax=algorithm.softmax,
        thin=algorithm.collinear,
    )
    with torch.inference_mode():
        queries = transformer(
            weights.embed(batch, settings.label_scale), weights, algorithm.step_size.to(batch.X.dtype)
        )
    return np.ascontiguousarray(weights.read(queries).numpy())


def explicit_iterates(algorithm: Algorithm, gram: bool) -> tuple[np.ndarray, str]:
    """Run the explicit algorithm; for softmax attention, which is none, gradient descent with the same steps.

    Args:
        algorithm: The algorithm with its settings and B prompts.
        gram: True to step on XᵀX where no more than ∇L is needed.

    Returns:
        The iterates, (T+1, B, d), in the dtype of the prompts, and what was stepped on: "X", "XᵀX", or
        "UᵀX, X = USVᵀ", singular values and vectors, where columns are collinear.
    """
    X, y = algorithm.batch.X.numpy(), algorithm.batch.y.numpy()
    yardstick = "XᵀX" if gram else "X"
    if algorithm.collinear and algorithm.has_state:
        (X, y), gram, yardstick = thinned(X, y), False, "UᵀX, X = USVᵀ"
    return algorithm.explicit(X, y, algorithm.step_size.to(algorithm.batch.X.dtype).numpy(), gram), yardstick
