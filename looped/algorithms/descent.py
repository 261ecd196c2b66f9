"""The explicit algorithms, written plainly in NumPy: the yardstick the transformer is held against.

They share no code and no linear-algebra library with `attention`.
"""

from collections.abc import Callable

import numpy as np


def gradient_descent(
    X: np.ndarray, y: np.ndarray, step_size: np.ndarray, loops: int, label_scale: float = 1.0, gram: bool = False
) -> np.ndarray:
    """T steps of w ← w − η ∇L(w), L(w) = ‖Xw − αy‖²/(2n), from w_0 = 0.

    Args:
        X: Examples, (B, n, d).
        y: Labels before scaling, (B, n).
        step_size: η for each prompt, (B,).
        loops: T, at least 0.
        label_scale: α, not 0.
        gram: Read the examples once into H = XᵀX/n and step with ∇L = Hw − αXᵀy/n: O(d²) a step instead of O(n·d).

    Returns:
        The iterates, loop 0 first, (T+1, B, d), in the dtype of X.
    """
    gradient = _gradient(X, y, label_scale, gram)
    return _iterate(X, loops, lambda w, _: w - step_size[:, None, None] * gradient(w))


def ridge(
    X: np.ndarray,
    y: np.ndarray,
    step_size: np.ndarray,
    loops: int,
    label_scale: float = 1.0,
    gram: bool = False,
    *,
    strength: float,
) -> np.ndarray:
    """T steps of w ← w − η(∇L(w) + ρw), gradient descent on L(w) + ρ‖w‖²/2; `strength` is ρ.

    Other arguments and the result as in `gradient_descent`.
    """
    gradient = _gradient(X, y, label_scale, gram)
    rho = X.dtype.type(strength)
    return _iterate(X, loops, lambda w, _: w - step_size[:, None, None] * (gradient(w) + rho * w))


def preconditioned(
    X: np.ndarray,
    y: np.ndarray,
    step_size: np.ndarray,
    loops: int,
    label_scale: float = 1.0,
    gram: bool = False,
    *,
    preconditioner: np.ndarray,
) -> np.ndarray:
    """T steps of w ← w − ηC∇L(w); `preconditioner` is C, (d, d). Others as in `gradient_descent`."""
    gradient = _gradient(X, y, label_scale, gram)
    C = preconditioner.astype(X.dtype)
    return _iterate(X, loops, lambda w, _: w - step_size[:, None, None] * (C @ gradient(w)))


def heavy_ball(
    X: np.ndarray,
    y: np.ndarray,
    step_size: np.ndarray,
    loops: int,
    label_scale: float = 1.0,
    gram: bool = False,
    *,
    momentum: float,
) -> np.ndarray:
    """T steps of w_{t+1} = w_t − η∇L(w_t) + β(w_t − w_{t−1}), w_{−1} = w_0 = 0; `momentum` is β.

    Other arguments and the result as in `gradient_descent`.
    """
    gradient = _gradient(X, y, label_scale, gram)
    beta = X.dtype.type(momentum)
    return _iterate(X, loops, lambda w, before: w - step_size[:, None, None] * gradient(w) + beta * (w - before))


def gdpp(
    X: np.ndarray,
    y: np.ndarray,
    step_size: np.ndarray,
    loops: int,
    label_scale: float = 1.0,
    *,
    contraction: float,
) -> np.ndarray:
    """GD++: T steps of w ← w − aC²∇L(w), C ← C − γCHC² from w = 0, C = I, with H = XᵀX/n, a = η and γ = pη.

    Args:
        X: Examples, (B, n, d).
        y: Labels before scaling, (B, n).
        step_size: a for each prompt, (B,).
        loops: T.
        label_scale: α.
        contraction: p = γ/a.

    Returns:
        The iterates, loop 0 first, (T+1, B, d), in the dtype of X.
    """
    gradient = _gradient(X, y, label_scale, gram=False)
    H = X.transpose(0, 2, 1) @ X / X.shape[1]
    a = step_size[:, None, None]
    gamma = X.dtype.type(contraction) * a
    C = np.broadcast_to(np.eye(X.shape[2], dtype=X.dtype), H.shape)

    def step(w: np.ndarray, _before: np.ndarray) -> np.ndarray:
        nonlocal C
        w = w - a * (C @ (C @ gradient(w)))
        C = C - gamma * (C @ H @ C @ C)
        return w

    return _iterate(X, loops, step)


def newton(X: np.ndarray, y: np.ndarray, step_size: np.ndarray, loops: int, label_scale: float = 1.0) -> np.ndarray:
    """Iterative Newton: w_{t+1} = M_t Xᵀαy, M_{t+1} = 2M_t − M_t S M_t, from w_0 = 0, M_0 = (η/n) I, with S = XᵀX.

    For n < d the same iteration runs on the n × n matrix XXᵀ, w = Xᵀ M αy: M would double without end in the
    directions that no example has.

    Arguments and result as in `gradient_descent`.
    """
    _, n, d = X.shape
    Xt = X.transpose(0, 2, 1)
    target = label_scale * y[..., None]
    S, after, before = (Xt @ X, None, Xt @ target) if n >= d else (X @ Xt, Xt, target)
    M = step_size[:, None, None] / n * np.eye(len(S[0]), dtype=X.dtype)

    def step(_w: np.ndarray, _before: np.ndarray) -> np.ndarray:
        nonlocal M
        w = M @ before
        M = 2 * M - M @ S @ M
        return w if after is None else after @ w

    return _iterate(X, loops, step)


def thinned(X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fewer examples with the same gradient for every w: √(k/n)·UᵀX and √(k/n)·Uᵀy from X = USVᵀ.

    Columns of U whose singular value is below its rounding become 0. What of y lies outside the range of X has no part
    in any gradient.

    Args:
        X: (B, n, d).
        y: (B, n).

    Returns:
        (B, k, d) and (B, k), k = min(n, d).
    """
    n = X.shape[1]
    _, s, Vt = np.linalg.svd(X, full_matrices=False)
    kept = s > s[:, :1] * max(X.shape[1:]) * np.finfo(X.dtype).eps
    Ut = np.where(kept, 1 / np.where(kept, s, 1), 0)[..., None] * (Vt @ X.transpose(0, 2, 1))
    Ut = 1.5 * Ut - 0.5 * (Ut @ Ut.transpose(0, 2, 1)) @ Ut  # orthonormal to rounding again: S is rounded with n
    share = X.dtype.type((s.shape[1] / n) ** 0.5)
    return share * Ut @ X, share * (Ut @ y[..., None])[..., 0]


def _gradient(X: np.ndarray, y: np.ndarray, label_scale: float, gram: bool) -> Callable[[np.ndarray], np.ndarray]:
    """∇L of columns (B, d, 1), from the examples or from XᵀX/n."""
    n = X.shape[1]
    Xt = X.transpose(0, 2, 1)
    target = label_scale * y[..., None]  # (B, n, 1)
    if gram:
        H, b = Xt @ X / n, Xt @ target / n
        return lambda w: H @ w - b
    return lambda w: Xt @ (X @ w - target) / n


def _iterate(X: np.ndarray, loops: int, step: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
    """w_0 = 0 and `loops` times w ← step(w, the w before it), (T+1, B, d)."""
    B, _, d = X.shape
    iterates = np.zeros((loops + 1, B, d), dtype=X.dtype)
    w = before = np.zeros((B, d, 1), dtype=X.dtype)
    with np.errstate(over="ignore", invalid="ignore"):  # a step too large runs off to infinity; the caller caps it
        for t in range(loops):
            w, before = step(w, before), w
            iterates[t + 1] = w[..., 0]
    return iterates
