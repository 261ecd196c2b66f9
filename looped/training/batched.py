"""Products of many small matrices at once, one for each prompt, the prompts along the last axis.

Small matrices multiplied along the prompts are two to four times as fast as torch's bmm, and differentiable.
"""

from typing import Any

import torch
from torch import Tensor


def batch_last(state: Tensor) -> Tensor:
    """(B, D, D) as contiguous (D, D, B): products of small matrices then run along the prompts."""
    return state.permute(1, 2, 0).contiguous()


def layer(weights: Tensor, t: int) -> Tensor:
    """The weights of loop t, the same in all loops where there is one layer only."""
    return weights[t if len(weights) > 1 else 0]


def factor(P: Tensor, Q: Tensor, G: Tensor) -> Tensor:
    """C = I − Qᵀ G Pᵀ, (D, D, B), for shared P, Q (D, D, 1) or one pair for each prompt (D, D, B)."""
    D = len(G)
    identity = torch.eye(D, dtype=G.dtype, device=G.device)[..., None]
    if P.shape[-1] == 1:
        QG = (Q[..., 0].T @ G.reshape(D, -1)).reshape(D, D, -1)
        return identity - torch.matmul(P[..., 0], QG)
    return identity - product(product(Q.transpose(0, 1), G), P.transpose(0, 1))


def apply(matrix: Tensor, vector: Tensor) -> Tensor:
    """Matrix times vector for every prompt: (i, k, B or 1) and (k, B or 1) give (i, B)."""
    return (matrix * vector).sum(1)


def product(A: Tensor, B: Tensor) -> Tensor:
    """A B for every prompt: (i, k, B) and (k, j, B) give (i, j, B)."""
    return _Product.apply(A, B)  # type: ignore[no-untyped-call]


class _Product(torch.autograd.Function):
    """A B for every prompt, (i, k, B) and (k, j, B): two to four times as fast as bmm for matrices of 6 × 6."""

    @staticmethod
    def forward(ctx: Any, A: Tensor, B: Tensor) -> Tensor:
        ctx.save_for_backward(A, B)
        return _multiply(A, B)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None]:
        A, B = ctx.saved_tensors
        (gradient,) = gradients
        need_A, need_B = ctx.needs_input_grad
        return (
            _multiply(gradient, B.transpose(0, 1)) if need_A else None,
            _multiply(A.transpose(0, 1), gradient) if need_B else None,
        )


def _multiply(A: Tensor, B: Tensor) -> Tensor:
    total = A[:, 0, None] * B[None, 0]
    for k in range(1, A.shape[1]):
        total.addcmul_(A[:, k, None], B[None, k])
    return total
