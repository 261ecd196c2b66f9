"""The constructed looped transformer and its explicit twin on prompts, as every experiment runs them."""

import numpy as np
import torch

from looped import attention, prompts
from looped.algorithms import descent, weights
from looped.algorithms.base import ALGORITHMS
from looped.algorithms.dynamics import Dynamics
from looped.settings import Settings


def construct(settings: Settings, batch: prompts.Prompts, dynamics: Dynamics) -> attention.Weights:
    """The weights whose loop is a step of the chosen algorithm; softmax attention has those of gradient descent."""
    d, layout, dtype = batch.shape[2], settings.layout, batch.X.dtype
    match settings.algorithm:
        case "ridge":
            return weights.ridge(d, layout, settings.ridge, dtype)
        case "preconditioned":
            assert dynamics.preconditioner is not None
            return weights.preconditioned(d, layout, dynamics.preconditioner, dtype)
        case "heavy-ball":
            return weights.heavy_ball(d, layout, dynamics.momentum, dtype)
        case "gd++":
            return weights.gdpp(d, dynamics.contraction, dtype)
        case "newton":
            return weights.newton(d, dtype)
    return weights.gradient_descent(d, layout, dtype)


def looped_iterates(
    settings: Settings,
    batch: prompts.Prompts,
    construction: attention.Weights,
    eta: torch.Tensor,
    contracts: bool | None = None,
) -> np.ndarray:
    """Run the transformer alone: w_t read from its query before the first and after every loop.

    Args:
        settings: loops, form, algorithm and label scale are read.
        batch: of B prompts.
        construction: the weights of the layer.
        eta: η, (B,), float64.
        contracts: whether the error shrinks, so that the recurrence may be multiplied out; by default as gradient
            descent, η < 2/λ₁.

    Returns:
        (T+1, B, d), in the dtype of the prompts. Infinite or NaN where a diverging run overflows.
    """
    if contracts is None:
        contracts = bool((eta * batch.spectrum.largest < 2).all())
    transformer = attention.LoopedTransformer(
        settings.loops,
        "token" if reads_tokens(settings) else "state",
        contracts,
        softmax=settings.algorithm == "softmax",
        thin=collinear(batch),
    )
    with torch.inference_mode():
        queries = transformer(construction.embed(batch, settings.label_scale), construction, eta.to(batch.X.dtype))
    return np.ascontiguousarray(construction.read(queries).numpy())


def explicit_iterates(settings: Settings, batch: prompts.Prompts, dynamics: Dynamics, gram: bool) -> np.ndarray:
    """Run the explicit algorithm; for softmax attention, which is none, gradient descent with the same steps.

    Args:
        settings: loops, algorithm and label scale are read.
        batch: of B prompts.
        dynamics: the numbers it runs with.
        gram: whether algorithms that need no more than ∇L step on XᵀX.

    Returns:
        (T+1, B, d), in the dtype of the prompts.
    """
    X, y, eta = batch.X.numpy(), batch.y.numpy(), dynamics.step_size.to(batch.X.dtype).numpy()
    if collinear(batch) and ALGORITHMS[settings.algorithm].has_state:
        X, y = descent.thinned(X, y)
    loops, alpha = settings.loops, settings.label_scale
    match settings.algorithm:
        case "ridge":
            return descent.ridge(X, y, eta, loops, alpha, gram, strength=settings.ridge)
        case "preconditioned":
            assert dynamics.preconditioner is not None
            C = dynamics.preconditioner.numpy()
            return descent.preconditioned(X, y, eta, loops, alpha, gram, preconditioner=C)
        case "heavy-ball":
            return descent.heavy_ball(X, y, eta, loops, alpha, gram, momentum=dynamics.momentum)
        case "gd++":
            return descent.gdpp(X, y, eta, loops, alpha, contraction=dynamics.contraction)
        case "newton":
            return descent.newton(X, y, eta, loops, alpha)
    return descent.gradient_descent(X, y, eta, loops, alpha, gram)


def reads_tokens(settings: Settings) -> bool:
    """Whether every loop reads all tokens: by choice, or because the algorithm has no constant state."""
    return settings.form == "token" or not ALGORITHMS[settings.algorithm].has_state


def collinear(batch: prompts.Prompts) -> bool:
    """Whether a prompt's examples have fewer directions than min(n, d), as with one-hot columns.

    No loop pulls an error back in a direction that the examples do not have, so it must not be made there: neither
    XᵀX nor sums of residuals that stay large are rounded in every loop then.
    """
    return not bool(batch.spectrum.nonzero.all())
