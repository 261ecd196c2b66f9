"""The shared part of the explicit algorithms: plain NumPy, with no code and no linear-algebra library of `attention`.

The transformer is compared with them.
"""

from collections.abc import Callable

import numpy as np


def thinned(X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fewer examples with the same gradient for every w: √(k/n)·UᵀX and √(k/n)·Uᵀy from X = USVᵀ.

    Columns of U whose singular value is below its rounding become 0. The part of y outside the range of X has no part
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


def gradient(X: np.ndarray, y: np.ndarray, label_scale: float, gram: bool) -> Callable[[np.ndarray], np.ndarray]:
    """∇L of columns (B, d, 1), from the examples or from XᵀX/n."""
    n = X.shape[1]
    Xt = X.transpose(0, 2, 1)
    target = label_scale * y[..., None]  # (B, n, 1)
    if gram:
        H, b = Xt @ X / n, Xt @ target / n
        return lambda w: H @ w - b
    return lambda w: Xt @ (X @ w - target) / n


def iterate(X: np.ndarray, loops: int, step: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
    """w_0 = 0 and `loops` times w ← step(w, the w before it), (T+1, B, d)."""
    B, _, d = X.shape
    iterates = np.zeros((loops + 1, B, d), dtype=X.dtype)
    w = before = np.zeros((B, d, 1), dtype=X.dtype)
    with np.errstate(over="ignore", invalid="ignore"):  # a step too large runs off to infinity; the caller caps it
        for t in range(loops):
            w, before = step(w, before), w
            iterates[t + 1] = w[..., 0]
    return iterates
