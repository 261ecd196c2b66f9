"""What to put into P and Q so that one loop of linear attention is one step of an algorithm.

Tokens are columns: Z is (B, D, n+1), its first n columns the examples, its last one the query. `looped.algorithms.base`
says in a sentence what each construction needs beyond linear attention.
"""

from dataclasses import replace

import torch
from torch import Tensor

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


def ridge(features: int, layout: str, strength: float, dtype: torch.dtype = torch.float64) -> Weights:
    """Weights whose loop is w ← (1 − ηρ) w − (η/n) Xᵀ(Xw − αy), one step on ‖Xw − αy‖²/(2n) + ρ‖w‖²/2.

    Attention is that of `gradient_descent`; the token-wise map K[w, w] = ρI shrinks w.

    Args:
        features: d.
        layout: "compact" or "slots".
        strength: ρ, above 0.
        dtype: of the weights.

    Source: derived for this project.
    """
    weights = gradient_descent(features, layout, dtype)
    K = torch.zeros_like(weights.P)
    K[weights.w, weights.w] = strength * torch.eye(features, dtype=dtype)
    return replace(weights, decay=K)


def preconditioned(features: int, layout: str, preconditioner: Tensor, dtype: torch.dtype = torch.float64) -> Weights:
    """Weights whose loop is w ← w − (η/n) C Xᵀ(Xw − αy): those of `gradient_descent` with C in place of P's identity.

    Args:
        features: d.
        layout: "compact" or "slots".
        preconditioner: C, (d, d), symmetric and positive definite, the same for all prompts.
        dtype: of the weights.

    Source: for rows x ~ N(0, Σ) the minimiser of the training loss is near C = Σ⁻¹, arXiv 2410.08292, read in notes.
    """
    weights = gradient_descent(features, layout, dtype)
    P = torch.zeros_like(weights.P)
    P[weights.w, weights.x] = preconditioner.to(dtype)
    return replace(weights, P=P)


def heavy_ball(features: int, layout: str, momentum: float, dtype: torch.dtype = torch.float64) -> Weights:
    """Weights whose loop is w ← w − (η/n) Xᵀ(Xw − αy) + β(w − v), v ← w, with v_0 = w_0 = 0.

    A slot of d more rows, the last ones, holds the iterate before: A[w, w] = (1+β)I, A[w, v] = −βI, A[v, w] = I,
    A[v, v] = 0. Attention is that of `gradient_descent`.

    Args:
        features: d.
        layout: "compact" (D = 2d+1) or "slots" (D = 3d+2).
        momentum: β, from 0 to below 1.
        dtype: of the weights.

    Source: Polyak's heavy ball; the construction is derived for this project.
    """
    d = features
    plain = gradient_descent(d, layout, dtype)
    P, Q = (torch.nn.functional.pad(matrix, (0, d, 0, d)) for matrix in (plain.P, plain.Q))
    w, v, identity = plain.w, slice(plain.width, plain.width + d), torch.eye(d, dtype=dtype)
    A = torch.eye(plain.width + d, dtype=dtype)
    A[w, w] = (1 + momentum) * identity
    A[w, v] = -momentum * identity
    A[v, w] = identity
    A[v, v] = 0
    return replace(plain, P=P, Q=Q, skip=A)


def gdpp(features: int, contraction: float, dtype: torch.dtype = torch.float64) -> Weights:
    """GD++: weights whose loop is a step of gradient descent that also moves the inputs.

    P = diag(pI_d, 1), Q = diag(I_d, 0), every token written (D = d+1): with a = η and γ = pη,
    x_j ← (I − γXᵀX/n) x_j and y_j ← y_j − a⟨x_j, Xᵀy⟩/n. Nothing holds w: a query x_q reads ⟨w_t, x_q⟩ as minus its
    own y, and d queries, the unit vectors, read all of w_t.

    Args:
        features: d.
        contraction: p = γ/a, at least 0; 0 is gradient descent.
        dtype: of the weights.

    Source: von Oswald et al. (2023); what training of full weights finds.
    """
    d = features
    P, Q = torch.zeros(2, d + 1, d + 1, dtype=dtype)
    P[:d, :d] = contraction * torch.eye(d, dtype=dtype)
    P[d, d] = 1.0
    Q[:d, :d] = torch.eye(d, dtype=dtype)
    return Weights(P=P, Q=Q, writes="all", x=slice(0, d), y=d, w=slice(d, d + 1), alpha=None, predicts=True)


def newton(features: int, dtype: torch.dtype = torch.float64) -> Weights:
    """Weights whose loop is N ← 2N − ηNHN, H = XᵀX/n, N_0 = I, and w ← ηNXᵀαy/n with N as it was before.

    ηN tends to H⁻¹: with S = XᵀX and M = ηN/n it is M ← 2M − MSM from M_0 = (η/n)I. Rows (x; y; u; w; α),
    D = 3d+2: an example carries u_i = N x_i. Two heads and a skip map:
    the first moves the examples, P[u, u] = I, Q[x, u] = I, A[u, u] = 2I: u_j ← 2u_j − (η/n) Σ_i u_i ⟨x_i, u_j⟩;
    the second writes the query, P[w, u] = −I, Q[y, α] = 1, A[w, w] = 0: w ← (η/n) Σ_i u_i αy_i.

    Args:
        features: d.
        dtype: of the weights.

    Source: the iteration as Fu et al. (2023) study it in transformers; the construction is derived for this project.
    """
    d = features
    D = 3 * d + 2
    x, y, u, w, alpha = slice(0, d), d, slice(d + 1, 2 * d + 1), slice(2 * d + 1, 3 * d + 1), 3 * d + 1
    identity = torch.eye(d, dtype=dtype)
    P, Q = torch.zeros(2, 2, D, D, dtype=dtype)
    P[0, u, u] = identity
    Q[0, x, u] = identity
    P[1, w, u] = -identity
    Q[1, y, alpha] = 1.0
    A = torch.eye(D, dtype=dtype)
    A[u, u] = 2 * identity
    A[w, w] = 0
    return Weights(P=P, Q=Q, writes="all", x=x, y=y, w=w, alpha=alpha, skip=A, copy=u)
