"""The looped linear transformer that predicts the query's label, with trainable weights.

Tokens only ever change by a right factor, so the state G = Σ_i z_i z_iᵀ/n of the n examples is all that is carried.
With tokens as rows one loop is z ← z C, C = I − Qᵀ G Pᵀ, and then G ← Cᵀ G C: O(n·d²) once and O(d³) a loop.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

Kind = Literal["preconditioner", "sparse", "full"]
"""What is trained: A alone, A and u, or every entry of P and Q."""

INITIAL_SCALE = 0.5
"""Standard deviation of every weight before training, times √(d+1)."""


class LoopedPredictor(nn.Module):
    """Z ← Z − (1/n) P Z M (Zᵀ Q Z) with M = diag(I_n, 0), T times; the prediction is −Z[d, n].

    The prediction is linear in the query, −Z[d, n] = x_qᵀ w_t, so the model is known by its iterates w_t, one for each
    prompt and loop, next to which gradient descent's own iterates can stand.

    preconditioner: Q = diag(A, 0), P = diag(0, 1) · sparse: Q = diag(A, 0), P = [[0, 0], [uᵀ, 1]] · full: P, Q free.

    Args:
        weights: which of the three.
        features: d, at least 1.
        loops: T, at least 1.
        tied: the same weights in all loops; otherwise T layers with weights of their own.
        generator: draws the weights from N(0, `INITIAL_SCALE`²/(d+1)); without one they are 0.
        dtype: of the weights.
        device: of the weights.

    Source: arXiv 2410.08292 (preconditioner, sparse), arXiv 2306.00297 (full).
    """

    A: nn.Parameter
    u: nn.Parameter
    P: nn.Parameter
    Q: nn.Parameter

    def __init__(
        self,
        *,
        weights: Kind,
        features: int,
        loops: int,
        tied: bool = True,
        generator: torch.Generator | None = None,
        dtype: torch.dtype = torch.float64,
        device: str = "cpu",
    ) -> None:
        super().__init__()
        self.weights, self.features, self.loops, self.tied = weights, features, loops, tied
        L, d = 1 if tied else loops, features
        shapes: dict[str, tuple[int, ...]] = {"A": (L, d, d)}
        if weights == "sparse":
            shapes["u"] = (L, d)
        elif weights == "full":
            shapes = {"P": (L, d + 1, d + 1), "Q": (L, d + 1, d + 1)}
        for name, shape in shapes.items():
            value = torch.zeros(shape, dtype=dtype)
            if generator is not None:
                normal = torch.randn(shape, generator=generator, dtype=dtype, device=generator.device)
                value = INITIAL_SCALE / (d + 1) ** 0.5 * normal
            self.register_parameter(name, nn.Parameter(value.to(device)))

    def matrices(self) -> tuple[Tensor, Tensor]:
        """P and Q of every layer without gradient, each (L, d+1, d+1); L is 1 where weights are tied."""
        with torch.no_grad():
            if self.weights == "full":
                return self.P.detach().clone(), self.Q.detach().clone()
            d = self.features
            P, Q = self.A.new_zeros(2, len(self.A), d + 1, d + 1)
            P[:, d, d] = 1.0
            Q[:, :d, :d] = self.A
            if self.weights == "sparse":
                P[:, d, :d] = self.u
            return P, Q

    def forward(self, state: Tensor, loops: int | None = None, weights: Sequence[Tensor] | None = None) -> Tensor:
        """The last iterate w_T.

        Args:
            state: G, (B, d+1, d+1).
            loops: T; that of the model by default.
            weights: used in place of the parameters, in their order, with an axis of prompts added at the end.

        Returns:
            w_T, (B, d).

        Raises:
            ValueError: for more loops than untied layers.
        """
        loops = self._checked(loops)
        given = [parameter[..., None] for parameter in self.parameters()] if weights is None else list(weights)
        G = _batch_last(state)
        if self.weights != "full":
            *_, last = _label_loops(given, G, loops)
            return last.T
        P, Q = given
        d, factors = self.features, []
        for t in range(loops - 1):
            C = _factor(_layer(P, t), _layer(Q, t), G)
            factors.append(C)
            G = _product(C.transpose(0, 1), _product(G, C))
        # Only the last column of C_0 C_1 … C_{T−1} is asked for: multiplied out from the right it costs O(d²) a loop.
        P, Q = _layer(P, loops - 1), _layer(Q, loops - 1)
        column = -_apply(Q.transpose(0, 1), _apply(G, P[d]))
        column = torch.cat([column[:d], 1 + column[d:]])
        for C in reversed(factors):
            column = _apply(C, column)
        return -column[:d].T

    @torch.no_grad()
    def iterates(self, state: Tensor, loops: int | None = None) -> Tensor:
        """All iterates w_0 … w_T, (T+1, B, d), without gradient. Other arguments as in `forward`."""
        rows = torch.eye(self.features, self.features + 1, dtype=state.dtype, device=state.device)
        return torch.stack([-row[:, -1].T for row in self._rows(rows[..., None], state, loops)])

    @torch.no_grad()
    def predictions(self, state: Tensor, queries: Tensor, loops: int | None = None) -> Tensor:
        """−Z[d, n] before the first and after every loop for x_q (B, d): (T+1, B), without gradient."""
        rows = torch.cat([queries, torch.zeros_like(queries[:, :1])], dim=1).T[None]  # (1, d+1, B)
        return torch.stack([-row[0, -1] for row in self._rows(rows, state, loops)])

    def _rows(self, rows: Tensor, state: Tensor, loops: int | None) -> Iterator[Tensor]:
        # The path of any token rows (m, d+1, B) that are never keys.
        P, Q = (matrix[..., None] for matrix in self.matrices())
        G = _batch_last(state)
        rows = rows.expand(-1, -1, len(state))
        yield rows
        for t in range(self._checked(loops)):
            C = _factor(_layer(P, t), _layer(Q, t), G)
            rows = _product(rows, C)
            G = _product(C.transpose(0, 1), _product(G, C))
            yield rows

    def _checked(self, loops: int | None) -> int:
        loops = self.loops if loops is None else loops
        if not self.tied and loops > self.loops:
            raise ValueError(f"This model has {self.loops} untied layers: ask for at most {self.loops} loops.")
        return loops


def _batch_last(state: Tensor) -> Tensor:
    """(B, D, D) as contiguous (D, D, B): products of small matrices then run along the prompts."""
    return state.permute(1, 2, 0).contiguous()


def _layer(weights: Tensor, t: int) -> Tensor:
    return weights[t if len(weights) > 1 else 0]


def _label_loops(weights: Sequence[Tensor], G: Tensor, loops: int) -> Iterator[Tensor]:
    """w_1 … w_T, each (d, B), where only labels change: with g = Xᵀy_t/n, w ← w + Aᵀ(Hu + g), g ← g − HAᵀ(Hu + g)."""
    A, u = weights[0], weights[1] if len(weights) > 1 else None
    d = len(G) - 1
    H, g = G[:d, :d], G[:d, d]
    w = torch.zeros_like(g)
    for t in range(loops):
        pull = g if u is None else g + _apply(H, _layer(u, t))
        step = _apply(_layer(A, t).transpose(0, 1), pull)
        w = w + step
        yield w
        if t < loops - 1:
            g = g - _apply(H, step)


def _factor(P: Tensor, Q: Tensor, G: Tensor) -> Tensor:
    """C = I − Qᵀ G Pᵀ, (D, D, B), for shared P, Q (D, D, 1) or one pair for each prompt (D, D, B)."""
    D = len(G)
    identity = torch.eye(D, dtype=G.dtype, device=G.device)[..., None]
    if P.shape[-1] == 1:
        QG = (Q[..., 0].T @ G.reshape(D, -1)).reshape(D, D, -1)
        return identity - torch.matmul(P[..., 0], QG)
    return identity - _product(_product(Q.transpose(0, 1), G), P.transpose(0, 1))


def _apply(matrix: Tensor, vector: Tensor) -> Tensor:
    """Matrix times vector for every prompt: (i, k, B or 1) and (k, B or 1) give (i, B)."""
    return (matrix * vector).sum(1)


def _product(A: Tensor, B: Tensor) -> Tensor:
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
