"""Linear attention, and the transformer that applies one such layer again and again.

Tokens are columns: Z is (B, D, n+1), its first n columns the examples, its last one the query.
Nothing here knows gradient descent, the task w* or how P and Q were found.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from looped.prompts import Prompts

CACHE_BYTES = 8 * 1024**2
"""Tokens handled together in the token form."""


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


class LinearAttention(nn.Module):
    """One layer without softmax: Z ← Z − (η/n) P Z M (Zᵀ Q Z) R.

    The n × n scores are never formed: a written column z needs P (Z M Zᵀ) Q z, evaluated from the right for the
    query alone, O(n·D), and through the (D, D) matrix Z M Zᵀ when every token is written, O(n·D²).
    """

    def forward(self, tokens: Tensor, weights: Weights, step_size: Tensor) -> Tensor:
        """Apply the layer once.

        Args:
            tokens: Z, (B, D, n+1).
            weights: P and Q, (D, D), with the write mask.
            step_size: η for each prompt, (B,).

        Returns:
            The tokens after the layer, (B, D, n+1).
        """
        examples = tokens[..., :-1]
        scale = (step_size / examples.shape[-1])[:, None, None]
        if weights.writes == "query":
            written = tokens.clone()
            written[..., -1] = self.answer(examples, tokens[:, None, :, -1], weights.Q.mT, -scale * weights.P.mT)[:, 0]
            return written
        PGQ = weights.P @ (examples @ examples.mT) @ weights.Q
        return torch.baddbmm(tokens, -scale * PGQ, tokens)

    @staticmethod
    def answer(examples: Tensor, query: Tensor, Qt: Tensor, write: Tensor) -> Tensor:
        """The query after the layer: z + W Σ_i z_i (z_iᵀ Q z) for the examples z_i (B, D, n).

        Args:
            examples: (B, D, n).
            query: z as a row, (B, 1, D).
            Qt: Qᵀ, (D, D).
            write: Wᵀ = −(η/n) Pᵀ, (B, D, D).

        Returns:
            (B, 1, D).
        """
        scores = torch.bmm(query @ Qt, examples)  # (B, 1, n)
        return torch.baddbmm(query, torch.bmm(scores, examples.mT), write)


class LoopedTransformer(nn.Module):
    """The same linear attention layer applied T times, weights shared by all loops and prompts.

    Args:
        loops: T, at least 1.
        form: `token` keeps all n+1 tokens and attends to them in every loop. `state` uses that linear attention is
            associative: the examples do not move, so G = Z M Zᵀ is a constant and the query follows the linear
            recurrence z ← (I − (η/n) P G Q) z, whose powers give all T states in few batched products.
        powers: Whether the state form may multiply its recurrence out. Rounding grows with T then, which is harmless
            where the recurrence contracts; without it the state form goes loop by loop.
    """

    def __init__(self, loops: int, form: Literal["state", "token"] = "state", powers: bool = True) -> None:
        super().__init__()
        self.loops = loops
        self.form = form
        self.powers = powers
        self.layer = LinearAttention()

    def forward(self, tokens: Tensor, weights: Weights, step_size: Tensor) -> Tensor:
        """Run all loops.

        Args:
            tokens: Z0, (B, D, n+1).
            weights: P and Q, (D, D), with the write mask.
            step_size: η, (B,), a scalar per prompt that multiplies the layer's output.

        Returns:
            The query token before the first and after every loop, (T+1, B, D). Examples are not returned: the
            constructions leave them alone, and `LinearAttention` gives all tokens one loop at a time.

        Raises:
            ValueError: if the state form is asked for weights that move the examples.
        """
        still = weights.writes == "query" or not (weights.Q @ tokens[..., :-1]).any()  # scores of examples are all 0
        if self.form == "state":
            if not still:
                raise ValueError("These weights move the examples, so they have no constant state: use form='token'.")
            return self._from_state(tokens, weights, step_size)
        if still:
            return self._query_by_query(tokens, weights, step_size)
        queries = [tokens[..., -1]]
        for _ in range(self.loops):
            tokens = self.layer(tokens, weights, step_size)
            queries.append(tokens[..., -1])
        return torch.stack(queries)

    def _query_by_query(self, tokens: Tensor, weights: Weights, step_size: Tensor) -> Tensor:
        # The layer without copying the examples it leaves alone, for as many prompts at a time as the processor's cache
        # holds: every loop reads all of their examples twice.
        together = max(1, CACHE_BYTES // tokens[0].nbytes)
        scale = (step_size / (tokens.shape[-1] - 1))[:, None, None]
        queries = tokens.new_empty(self.loops + 1, *tokens.shape[:2])
        for first in range(0, len(tokens), together):
            part = slice(first, first + together)
            examples, query = tokens[part, :, :-1], tokens[part, None, :, -1]  # the query as a row, (B, 1, D)
            write = -scale[part] * weights.P.mT
            queries[0, part] = query[:, 0]
            for t in range(self.loops):
                query = self.layer.answer(examples, query, weights.Q.mT, write)
                queries[t + 1, part] = query[:, 0]
        return queries

    def _from_state(self, tokens: Tensor, weights: Weights, step_size: Tensor) -> Tensor:
        examples, query = tokens[..., :-1], tokens[..., -1]
        n = examples.shape[-1]
        scale = (step_size / n)[:, None, None]
        if n > weights.features:
            state = weights.P @ (examples @ examples.mT) @ weights.Q
            return _recur(query, state.mT, -scale, self.loops, self.powers)
        # No more examples than features: the n scores are the smaller state. Over the examples they follow
        # s ← s − (η/n) Zᵀ Q P Z s, and the query is its start minus what they read: it never leaves the examples' span.
        values = weights.P @ examples  # (B, D, n)
        scores = torch.bmm((query @ weights.Q.mT)[:, None], examples)[:, 0]
        kernel = examples.mT @ (weights.Q @ values)
        history = _recur(scores, kernel.mT, -scale, self.loops - 1, self.powers)  # (T, B, n)
        queries = query.new_empty(len(query), self.loops + 1, weights.width)
        queries[:, 0] = query
        read = torch.cumsum(history, dim=0).transpose(0, 1)  # (B, T, n)
        queries[:, 1:] = torch.baddbmm(query[:, None], read, -scale * values.mT)
        return queries.transpose(0, 1)


def _recur(start: Tensor, matrix: Tensor, scale: Tensor, loops: int, powers: bool) -> Tensor:
    """All states of the row recurrence s ← s + scale·(s A), loop 0 first: (loops+1, B, k).

    With powers the recurrence is doubled to a stride of up to √T loops, then whole blocks of states are multiplied at
    once. What is squared is E_m = S^m − I, by E_2m = 2E_m + E_m², so that small steps keep their digits.
    """
    B, k = start.shape
    block = 1
    while powers and 4 * block**2 <= loops and k * 2 * block <= loops:  # a squaring costs as much as k loops
        block *= 2
    states = start.new_empty(B, loops + 1, k)
    states[:, 0] = start
    if block == 1:
        row = start[:, None]
        factor = scale.expand(B, 1, 1)
        for t in range(loops):
            row = row + factor * torch.bmm(row, matrix)
            states[:, t + 1] = row[:, 0]
        return states.transpose(0, 1)
    E, stride, known = scale * matrix, 1, 1
    while known <= loops:
        count = min(stride, loops + 1 - known)
        earlier = states[:, known - stride : known - stride + count]
        states[:, known : known + count] = torch.baddbmm(earlier, earlier, E)
        known += count
        if stride < block and stride < known <= loops:
            E, stride = torch.baddbmm(E, E, E, beta=2), 2 * stride
    return states.transpose(0, 1)
