"""Looped linear transformers with trainable weights: one that predicts the query's label, one that generates w.

Both read a prompt through the state G = Σ_i z_i z_iᵀ/n of its n examples z_i = (x_i, y_i) alone: O(n·d²) once, and no
matrix of n+1 tokens. Both are known by their iterates w_t, next to which gradient descent's own can stand.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from looped.training.batched import apply, batch_last, factor, layer, product

Kind = Literal["preconditioner", "sparse", "full"]
"""The trained weights: A alone, A and u, or every entry of P and Q."""

INITIAL_SCALE = 0.5
"""Standard deviation of every weight before training, times √(d+1)."""


class LoopedModel(nn.Module):
    """T loops of one attention layer, or T layers, and their trained weights: the base of both models.

    Args:
        weights: the kind of weights: preconditioner, sparse or full; see `Kind`.
        features: d, at least 1.
        loops: T, at least 1.
        tied: True for the same weights in all loops, False for T layers with weights of their own.
        generator: the source of the weights, drawn from 𝓝(0, `INITIAL_SCALE`²/(d+1)); without one they are 0.
        dtype: the dtype of the weights.
        device: the device of the weights.
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
            return self._built()

    def forward(self, state: Tensor, loops: int | None = None, weights: Sequence[Tensor] | None = None) -> Tensor:
        """The last iterate w_T.

        Args:
            state: G, (B, d+1, d+1).
            loops: T, the number of loops; that of the model by default.
            weights: weights to use in place of the parameters, in their order, with an axis of prompts at the end.

        Returns:
            w_T, (B, d).

        Raises:
            ValueError: for more loops than untied layers.
        """
        loops = self._checked(loops)
        given = [parameter[..., None] for parameter in self.parameters()] if weights is None else list(weights)
        return self._last(given, batch_last(state), loops).T

    @torch.no_grad()
    def predictions(self, state: Tensor, queries: Tensor, loops: int | None = None) -> Tensor:
        """⟨w_t, x_q⟩ before the first and after every loop for x_q (B, d): (T+1, B), without gradient."""
        return torch.einsum("tbd,bd->tb", self.iterates(state, loops), queries)

    def iterates(self, state: Tensor, loops: int | None = None) -> Tensor:
        """All iterates w_0 … w_T, (T+1, B, d), without gradient. Other arguments as in `forward`."""
        raise NotImplementedError

    def _built(self) -> tuple[Tensor, Tensor]:
        """P and Q made of A, and u if there is one."""
        raise NotImplementedError

    def _last(self, weights: Sequence[Tensor], G: Tensor, loops: int) -> Tensor:
        """w_T, (d, B), for G (d+1, d+1, B)."""
        raise NotImplementedError

    def _checked(self, loops: int | None) -> int:
        loops = self.loops if loops is None else loops
        if not self.tied and loops > self.loops:
            raise ValueError(f"This model has {self.loops} untied layers: choose at most {self.loops} loops.")
        return loops


class LoopedPredictor(LoopedModel):
    """Z ← Z − (1/n) P Z 𝓜 (Zᵀ Q Z) with 𝓜 = diag(I_n, 0), T times; the prediction is −Z[d, n].

    Tokens only ever change by a right factor: with tokens as rows one loop is z ← z F, F = I − Qᵀ G Pᵀ, and then
    G ← Fᵀ G F, O(d³) a loop. The prediction is linear in the query, −Z[d, n] = x_qᵀ w_t.

    preconditioner: Q = diag(A, 0), P = diag(0, 1) · sparse: Q = diag(A, 0), P = [[0, 0], [uᵀ, 1]] · full: P, Q free.

    Source: arXiv 2410.08292 (preconditioner, sparse), arXiv 2306.00297 (full).
    """

    def _built(self) -> tuple[Tensor, Tensor]:
        d = self.features
        P, Q = self.A.new_zeros(2, len(self.A), d + 1, d + 1)
        P[:, d, d] = 1.0
        Q[:, :d, :d] = self.A
        if self.weights == "sparse":
            P[:, d, :d] = self.u
        return P, Q

    def _last(self, weights: Sequence[Tensor], G: Tensor, loops: int) -> Tensor:
        if self.weights != "full":
            *_, last = _label_loops(weights, G, loops)
            return last
        P, Q = weights
        d, factors = self.features, []
        for t in range(loops - 1):
            C = factor(layer(P, t), layer(Q, t), G)
            factors.append(C)
            G = product(C.transpose(0, 1), product(G, C))
        # Only the last column of C_0 C_1 … C_{T−1} is asked for: multiplied out from the right it costs O(d²) a loop.
        P, Q = layer(P, loops - 1), layer(Q, loops - 1)
        column = -apply(Q.transpose(0, 1), apply(G, P[d]))
        column = torch.cat([column[:d], 1 + column[d:]])
        for C in reversed(factors):
            column = apply(C, column)
        return -column[:d]

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
        G = batch_last(state)
        rows = rows.expand(-1, -1, len(state))
        yield rows
        for t in range(self._checked(loops)):
            C = factor(layer(P, t), layer(Q, t), G)
            rows = product(rows, C)
            G = product(C.transpose(0, 1), product(G, C))
            yield rows


class LoopedGenerator(LoopedModel):
    """Z ← Z − (1/n) P Z 𝓜 (Zᵀ Q Z) 𝓡 on Z = [[Xᵀ, w_t], [yᵀ, α]], w_0 = 0, α = 1: the query's first d rows are w_t.

    𝓡 lets only the query be written, so the examples and with them G never change, and one loop is q ← q − P G Q q,
    O(d²). `looped.algorithms.gd.construction` with its step size is P = diag(ηI, 0), Q = diag(I, −1) here.

    preconditioner: P = diag(A, 0), Q = diag(I, −1) · sparse: P = [[A, u], [0, 0]], Q the same · full: P, Q free.

    Source: derived for this project in the notation of arXiv 2410.11268, whose full text was not read.
    """

    def _built(self) -> tuple[Tensor, Tensor]:
        d = self.features
        P, Q = self.A.new_zeros(2, len(self.A), d + 1, d + 1)
        P[:, :d, :d] = self.A
        if self.weights == "sparse":
            P[:, :d, d] = self.u
        Q[:] = torch.eye(d + 1, dtype=Q.dtype, device=Q.device)
        Q[:, d, d] = -1.0
        return P, Q

    def _last(self, weights: Sequence[Tensor], G: Tensor, loops: int) -> Tensor:
        *_, last = self._queries(weights, G, loops)
        return last[: self.features]

    @torch.no_grad()
    def iterates(self, state: Tensor, loops: int | None = None) -> Tensor:
        """All iterates w_0 … w_T, (T+1, B, d), without gradient. Other arguments as in `forward`."""
        weights = [parameter[..., None] for parameter in self.parameters()]
        queries = self._queries(weights, batch_last(state), self._checked(loops))
        return torch.stack([query[: self.features].T for query in queries])

    def _queries(self, weights: Sequence[Tensor], G: Tensor, loops: int) -> Iterator[Tensor]:
        """The query token before the first and after every loop, (d+1, B)."""
        d = self.features
        query = torch.cat([torch.zeros_like(G[:d, 0]), torch.ones_like(G[:1, 0])])
        yield query
        for t in range(loops):
            if self.weights == "full":
                P, Q = weights
                query = query - apply(layer(P, t), apply(G, apply(layer(Q, t), query)))
            else:
                seen = apply(G, torch.cat([query[:d], -query[d:]]))  # (Hw − b, bᵀw − yᵀy/n)
                step = apply(layer(weights[0], t), seen[:d])
                if self.weights == "sparse":
                    step = step + layer(weights[1], t) * seen[d:]
                query = torch.cat([query[:d] - step, query[d:]])
            yield query


def _label_loops(weights: Sequence[Tensor], G: Tensor, loops: int) -> Iterator[Tensor]:
    """w_1 … w_T, each (d, B), where only labels change: with g = Xᵀy_t/n, w ← w + Aᵀ(Hu + g), g ← g − HAᵀ(Hu + g)."""
    A, u = weights[0], weights[1] if len(weights) > 1 else None
    d = len(G) - 1
    H, g = G[:d, :d], G[:d, d]
    w = torch.zeros_like(g)
    for t in range(loops):
        pull = g if u is None else g + apply(H, layer(u, t))
        step = apply(layer(A, t).transpose(0, 1), pull)
        w = w + step
        yield w
        if t < loops - 1:
            g = g - apply(H, step)
