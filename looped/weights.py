"""What to put into P and Q so that one loop of linear attention is one step of gradient descent.

Tokens are columns: Z is (B, D, n+1), its first n columns the examples, its last one the query.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from looped.prompts import Prompts


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """The weights of one attention layer and where they find things in a token.

    One layer is Z ← Z − (η/n) P Z M (Zᵀ Q Z) R with the key mask M = diag(I_n, 0): the query is never a key.
    """

    P: Tensor
    """Projection and value in one, (D, D)."""
    Q: Tensor
    """Key and query in one, (D, D)."""
    writes: Literal["query", "all"]
    """R: `query` is R = e_{n+1}e_{n+1}ᵀ, only the last column is written; `all` is R = I."""
    x: slice
    """Rows of a token that hold an example's features."""
    y: int
    """Row that holds an example's label."""
    w: slice
    """Rows of the query that hold the iterate w_t."""
    alpha: int
    """Row of the query that holds the label scale α."""

    @property
    def width(self) -> int:
        """D, the length of a token."""
        return len(self.P)

    @property
    def features(self) -> int:
        """d, the features of an example."""
        return self.x.stop - self.x.start

    def embed(self, prompts: Prompts, label_scale: float) -> Tensor:
        """The tokens before the first loop: examples (x_i, y_i) and the query (w_0 = 0, α), zeros elsewhere.

        Returns:
            Z0, (B, D, n+1).
        """
        B, n, _ = prompts.shape
        Z = prompts.X.new_empty(B, self.width, n + 1)
        Z[:, self.x, :n] = prompts.X.mT
        Z[:, self.y, :n] = prompts.y
        Z[:, self.y + 1 :, :n] = 0  # the query's own rows, which come last
        Z[:, :, n] = 0
        Z[:, self.alpha, n] = label_scale
        return Z


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
