"""What to put into P and Q so that one loop of linear attention is one step of gradient descent.

Tokens are columns: Z is (B, D, n+1), its first n columns the examples, its last one the query.
"""

import torch

from looped.attention import Weights


def gradient_descent(features: int, layout: str, dtype: torch.dtype = torch.float64) -> Weights:
    """Weights whose loop is w ← w − (η/n) Σ_i x_i (⟨x_i, w⟩ − α y_i), one step on ‖Xw − αy‖²/(2n).

    compact (D = d+1): the query (w; α) shares its rows with the examples (x; y). Q = diag(I_d, −1) scores an example
    by ⟨x_i, w⟩ − α y_i, P = diag(I_d, 0) sums the x_i; without the write mask the examples would move too.

    slots (D = 2d+2), rows (x; y; w; α): P[w, x] = I, Q[x, w] = I, Q[y, α] = −1, all else 0. Examples have empty
    query slots, so their scores are 0 and no write mask is needed.

    Args:
        features: d, at least 1.
        layout: "compact" or "slots".
        dtype: of P and Q.

    Returns:
        P and Q, (D, D), with the write mask and the rows where x, y, w and α lie.

    Raises:
        ValueError: for another layout.

    Source: derived for this project in the notation of arXiv 2410.11268, whose full text was not read.
    """
    d = features
    identity = torch.eye(d, dtype=dtype)
    if layout == "compact":
        P, Q = torch.zeros(2, d + 1, d + 1, dtype=dtype)
        P[:d, :d] = identity
        Q[:d, :d] = identity
        Q[d, d] = -1.0
        return Weights(P=P, Q=Q, writes="query", x=slice(0, d), y=d, w=slice(0, d), alpha=d)
    if layout == "slots":
        P, Q = torch.zeros(2, 2 * d + 2, 2 * d + 2, dtype=dtype)
        x, y, w, alpha = slice(0, d), d, slice(d + 1, 2 * d + 1), 2 * d + 1
        P[w, x] = identity
        Q[x, w] = identity
        Q[y, alpha] = -1.0
        return Weights(P=P, Q=Q, writes="all", x=x, y=y, w=w, alpha=alpha)
    raise ValueError(f"There is no layout '{layout}': choose compact or slots.")
