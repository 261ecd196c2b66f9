"""Explicit gradient descent, written plainly in NumPy: the yardstick the transformer is held against.

It shares no code and no linear-algebra library with `attention`.
"""

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
    B, n, d = X.shape
    Xt = X.transpose(0, 2, 1)
    target = label_scale * y[..., None]  # (B, n, 1)
    eta = step_size[:, None, None]
    iterates = np.zeros((loops + 1, B, d), dtype=X.dtype)
    w = np.zeros((B, d, 1), dtype=X.dtype)
    H, b = (Xt @ X / n, Xt @ target / n) if gram else (None, None)
    with np.errstate(over="ignore", invalid="ignore"):  # a step above 2/λ₁ runs off to infinity; the caller caps it
        for t in range(loops):
            gradient = H @ w - b if gram else Xt @ (X @ w - target) / n
            w = w - eta * gradient
            iterates[t + 1] = w[..., 0]
    return iterates
