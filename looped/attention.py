"""Linear attention, and the transformer that applies one such layer again and again.

Tokens are columns: Z is (B, D, n+1), its first n columns the examples, its last one the query.
Nothing here knows gradient descent, the task w* or how P and Q were found.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from looped.prompts import Prompts

CACHE_BYTES = 8 * 1024**2
"""Tokens handled together in the token form."""
BLOCK = 512
"""Examples summed in one go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """The weights of one attention layer and where they find things in a token.

    One layer is Z ← Z − (η/n) P Z M (Zᵀ Q Z) R with the key mask M = diag(I_n, 0): a query is never a key. Some
    algorithms need token-wise linear maps beside attention: Z ← Z + ((A − I) Z − η K Z − (η/n) P Z M (Zᵀ Q Z)) R.
    """

    P: Tensor
    """Projection and value in one, (D, D); or (heads, D, D), whose outputs are added."""
    Q: Tensor
    """Key and query in one, (D, D), or (heads, D, D)."""
    writes: Literal["query", "all"]
    """R: `query` is R = e_{n+1}e_{n+1}ᵀ, only the last column is written; `all` is R = I."""
    x: slice
    """Rows of a token that hold an example's features."""
    y: int
    """Row that holds an example's label."""
    w: slice
    """Rows of the query that hold the iterate w_t; with `predicts`, the row that holds −⟨w_t, x_q⟩."""
    alpha: int | None
    """Row of the query that holds the label scale α; None where the labels themselves are scaled."""
    skip: Tensor | None = None
    """A, (D, D), what a written token keeps; None is the identity skip."""
    decay: Tensor | None = None
    """K, (D, D), what η takes from a written token besides attention; None is nothing."""
    copy: slice | None = None
    """Rows in which the examples hold their features a second time."""
    predicts: bool = False
    """Whether queries are points x_q to predict at. There are d of them, the unit vectors, so that what the
    transformer predicts is the vector w_t, number by number."""

    @property
    def width(self) -> int:
        """D, the length of a token."""
        return self.P.shape[-1]

    @property
    def queries(self) -> int:
        """Query tokens of a prompt: one, or d that predict."""
        return self.features if self.predicts else 1

    @property
    def features(self) -> int:
        """d, the features of an example."""
        return self.x.stop - self.x.start

    def embed(self, prompts: Prompts, label_scale: float) -> Tensor:
        """The tokens before the first loop: examples (x_i, y_i) and the query (w_0 = 0, α), zeros elsewhere.

        Where queries predict they are (e_j, 0), j = 1 … d, and the examples (x_i, αy_i).

        Returns:
            Z0, (B, D, n+1), or (B, D, n+d).
        """
        B, n, d = prompts.shape
        Z = prompts.X.new_empty(B, self.width, n + self.queries)
        Z[:, self.x, :n] = prompts.X.mT
        Z[:, self.y, :n] = prompts.y if self.alpha is not None else label_scale * prompts.y
        Z[:, self.y + 1 :, :n] = 0  # rows that are empty before the first loop, which come last
        if self.copy is not None:
            Z[:, self.copy, :n] = prompts.X.mT
        Z[:, :, n:] = 0
        if self.alpha is not None:
            Z[:, self.alpha, n:] = label_scale
        if self.predicts:
            Z[:, self.x, n:] = torch.eye(d, dtype=Z.dtype)
        return Z

    def read(self, queries: Tensor) -> Tensor:
        """The iterates w_t in what `LoopedTransformer` returns: (T+1, B, d)."""
        return -queries[..., self.y, :] if self.predicts else queries[..., self.w]

    def maps(self, step_size: Tensor) -> list[tuple[Tensor, Tensor]]:
        """The token-wise maps beside attention, (D, D), each with its factor, (B, 1, 1): A − I once, K times −η.

        Args:
            step_size: η, (B,).
        """
        eta, maps = step_size[:, None, None], []
        if self.skip is not None:
            maps.append((self.skip - torch.eye(self.width, dtype=self.P.dtype), torch.ones_like(eta)))
        if self.decay is not None:
            maps.append((self.decay, -eta))
        return maps

    def moves(self, examples: Tensor, step_size: Tensor) -> bool:
        """Whether a loop changes the examples, (B, D, n), and not the query alone."""
        if self.writes == "query":
            return False
        read = [*self.Q.reshape(-1, self.width, self.width), *(matrix for matrix, _ in self.maps(step_size))]
        return any(bool((matrix @ examples).any()) for matrix in read)


class LinearAttention(nn.Module):
    """One layer without softmax: Z ← Z + ((A − I) Z − η K Z − (η/n) P Z M (Zᵀ Q Z)) R.

    The n × n scores are never formed: a written column z needs P (Z M Zᵀ) Q z, evaluated from the right for the
    query alone, O(n·D), and through the (D, D) matrix Z M Zᵀ when every token is written, O(n·D²).
    """

    def forward(self, tokens: Tensor, weights: Weights, step_size: Tensor) -> Tensor:
        """Apply the layer once.

        Args:
            tokens: Z, (B, D, n+1), or with more columns where there are more queries.
            weights: P and Q, (D, D), with the write mask.
            step_size: η for each prompt, (B,).

        Returns:
            The tokens after the layer, in the shape of `tokens`.
        """
        examples = tokens[..., : -weights.queries]
        scale = (step_size / examples.shape[-1])[:, None, None]
        maps, written = weights.maps(step_size), tokens.clone()
        if weights.writes == "query":
            query = tokens[:, None, :, -1]
            written[..., -1] = self.answer(examples, query, weights.Q.mT, -scale * weights.P.mT, maps)[:, 0]
            return written
        for matrix, factor in maps:
            rows, columns = _block(matrix)
            written[:, rows] += factor * (matrix[rows, columns] @ tokens[:, columns])
        return self.attend(written, examples, tokens, weights, -scale)

    def attend(self, written: Tensor, examples: Tensor, tokens: Tensor, weights: Weights, scale: Tensor) -> Tensor:
        """Add scale · Σ_heads P Z M (Zᵀ Q Z) to `written`, all tokens; `scale` is −η/n, (B, 1, 1)."""
        D = weights.width
        for P, Q in zip(weights.P.reshape(-1, D, D), weights.Q.reshape(-1, D, D), strict=True):
            # Rows and columns outside the blocks that hold anything are left out.
            (rows, values), (keys, asked) = _block(P), _block(Q)
            G = _over_examples(examples[:, values], examples[:, keys])
            written[:, rows] += scale * (P[rows, values] @ G @ Q[keys, asked]) @ tokens[:, asked]
        return written

    def answer(
        self,
        examples: Tensor,
        query: Tensor,
        Qt: Tensor,
        write: Tensor,
        maps: Sequence[tuple[Tensor, Tensor]] = (),
    ) -> Tensor:
        """The query after the layer: z + W Σ_i z_i (z_iᵀ Q z) for the examples z_i (B, D, n).

        Args:
            examples: (B, D, n).
            query: z as a row, (B, 1, D).
            Qt: Qᵀ, (D, D).
            write: Wᵀ = −(η/n) Pᵀ, (B, D, D).
            maps: token-wise maps with their factors, as `Weights.maps` gives them.

        Returns:
            (B, 1, D).
        """
        scores = self.weigh(torch.bmm(query @ Qt, examples))  # (B, 1, n)
        after = torch.baddbmm(query, torch.bmm(scores, examples.mT), write)
        for matrix, factor in maps:
            after = after + factor * (query @ matrix.mT)
        return after

    def weigh(self, scores: Tensor) -> Tensor:
        """How much each example counts, from the scores (…, n): linear attention takes them as they are."""
        return scores


class SoftmaxAttention(LinearAttention):
    """The same layer with a softmax over the examples: Z ← Z − η P Z M softmax(Zᵀ Q Z) R.

    Weights are positive and add up to 1, so the step no longer follows the size and sign of the scores. With the
    weights of gradient descent it is w ← w − η Σ_i x_i softmax_i(⟨x_i, w⟩ − αy_i).
    """

    def attend(self, written: Tensor, examples: Tensor, tokens: Tensor, weights: Weights, scale: Tensor) -> Tensor:
        """Add scale · n · P Z M softmax(Zᵀ Q Z) to `written`, all tokens."""
        scores = self.weigh((tokens.mT @ weights.Q.mT) @ examples)
        return written + scale * (weights.P @ (examples @ scores.mT))

    def weigh(self, scores: Tensor) -> Tensor:
        """n·softmax over the examples; the layer divides by n."""
        return scores.shape[-1] * torch.softmax(scores, dim=-1)


class LoopedTransformer(nn.Module):
    """The same linear attention layer applied T times, weights shared by all loops and prompts.

    Args:
        loops: T, at least 1.
        form: `token` keeps all n+1 tokens and attends to them in every loop. `state` uses that linear attention is
            associative: the examples do not move, so G = Z M Zᵀ is a constant and the query follows the linear
            recurrence z ← (I − (η/n) P G Q) z, whose powers give all T states in few batched products.
        powers: Whether the state form may multiply its recurrence out. Rounding grows with T then, which is harmless
            where the recurrence contracts; without it the state form goes loop by loop.
        softmax: Whether scores pass through a softmax. It is not associative, so there is only the token form.
        thin: Whether the state form keeps a factor of G instead of G, for examples with collinear columns. G, rounded,
            has directions that the examples do not have, and what it writes there adds up over the loops.
    """

    def __init__(
        self,
        loops: int,
        form: Literal["state", "token"] = "state",
        powers: bool = True,
        softmax: bool = False,
        thin: bool = False,
    ) -> None:
        super().__init__()
        self.loops = loops
        self.form = form
        self.powers = powers
        self.thin = thin
        self.layer = SoftmaxAttention() if softmax else LinearAttention()

    def forward(self, tokens: Tensor, weights: Weights, step_size: Tensor) -> Tensor:
        """Run all loops.

        Args:
            tokens: Z0, (B, D, n+1).
            weights: P and Q, (D, D), with the write mask.
            step_size: η, (B,), a scalar per prompt that multiplies the layer's output.

        Returns:
            The query token before the first and after every loop, (T+1, B, D), or (T+1, B, D, d) where there are d
            queries; `weights.read` finds the iterates in it. Examples are not returned: most constructions leave them
            alone, and `LinearAttention` gives all tokens one loop at a time.

        Raises:
            ValueError: if the state form is asked for weights that move the examples, or with a softmax.
        """
        if self.form == "state" and isinstance(self.layer, SoftmaxAttention):
            raise ValueError("Softmax attention has no state: use form='token'.")
        # A softmax also writes where scores are 0, but no construction reads what it writes into the examples.
        still = isinstance(self.layer, SoftmaxAttention) or not weights.moves(
            tokens[..., : -weights.queries], step_size
        )
        if self.form == "state" and not still:
            raise ValueError("These weights move the examples, so they have no constant state: use form='token'.")
        few, n = tokens.shape[-1] - 1 <= weights.features, tokens.shape[-1] - 1
        if self.form == "state" and self.thin:
            return self._query_by_query(_thinned(tokens, weights), weights, step_size, n)
        if self.form == "state" and not (few and weights.maps(step_size)):  # few examples are the smaller state
            return self._from_state(tokens, weights, step_size)
        if still:
            return self._query_by_query(tokens, weights, step_size, n)
        queries = [tokens[..., -weights.queries :]]
        for _ in range(self.loops):
            tokens = self.layer(tokens, weights, step_size)
            queries.append(tokens[..., -weights.queries :])
        history = torch.stack(queries)
        return history if weights.predicts else history[..., 0]

    def _query_by_query(self, tokens: Tensor, weights: Weights, step_size: Tensor, n: int) -> Tensor:
        # The layer without copying the examples it leaves alone, for as many prompts at a time as the processor's cache
        # holds: every loop reads all of their examples twice.
        together = max(1, CACHE_BYTES // tokens[0].nbytes)
        scale = (step_size / n)[:, None, None]
        maps = weights.maps(step_size)
        queries = tokens.new_empty(self.loops + 1, *tokens.shape[:2])
        for first in range(0, len(tokens), together):
            part = slice(first, first + together)
            examples, query = tokens[part, :, :-1], tokens[part, None, :, -1]  # the query as a row, (B, 1, D)
            write = -scale[part] * weights.P.mT
            beside = [(matrix, factor[part]) for matrix, factor in maps]
            queries[0, part] = query[:, 0]
            for t in range(self.loops):
                query = self.layer.answer(examples, query, weights.Q.mT, write, beside)
                queries[t + 1, part] = query[:, 0]
        return queries

    def _from_state(self, tokens: Tensor, weights: Weights, step_size: Tensor) -> Tensor:
        examples, query = tokens[..., :-1], tokens[..., -1]
        n = examples.shape[-1]
        scale = (step_size / n)[:, None, None]
        maps = weights.maps(step_size)
        if n > weights.features:
            state = weights.P @ _over_examples(examples, examples) @ weights.Q
            if maps:
                change = sum((factor * matrix for matrix, factor in maps), -scale * state)
                return _recur(query, change.mT, torch.ones_like(scale), self.loops, self.powers)
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


def _block(matrix: Tensor) -> tuple[slice, slice]:
    """The smallest run of rows and run of columns that hold all non-zero entries."""
    runs = []
    for used in (matrix.any(dim=1), matrix.any(dim=0)):
        places = used.nonzero()
        runs.append(slice(int(places[0]), int(places[-1]) + 1) if len(places) else slice(0, 0))
    return runs[0], runs[1]


def _over_examples(left: Tensor, right: Tensor) -> Tensor:
    """Σ_i left_i right_iᵀ for columns (B, ·, n), of more than `BLOCK` examples block by block: (B, ·, ·).

    Rounding grows with the length of a sum: 8,000 examples in one go are rounded 10 to 20 times as much as in blocks.
    """
    n = left.shape[-1]
    if n <= BLOCK:
        return left @ right.mT
    rest, blocks = n % BLOCK, (n // BLOCK, BLOCK)
    parts = [part[..., rest:].reshape(*part.shape[:-1], *blocks).transpose(1, 2) for part in (left, right)]
    return (parts[0] @ parts[1].mT).sum(dim=1) + left[..., :rest] @ right[..., :rest].mT


def _thinned(tokens: Tensor, weights: Weights) -> Tensor:
    """Fewer examples that write the same into the query: Z V, with V an orthonormal basis of the row space of P Z.

    The query receives P Z s for its scores s = Zᵀ Q z, so what of s lies outside the row space of P Z has no effect.
    With P Z = U S Vᵀ it is (P Z)ᵀ U S⁻¹, made orthonormal again by one step of Newton and Schulz, since S is rounded
    the more the larger n is; directions below the rounding of S are left out.
    """
    examples, query = tokens[..., :-1], tokens[..., -1:]
    n, values = examples.shape[-1], weights.P @ examples
    U, s, _ = torch.linalg.svd(values, full_matrices=False)
    floor = s[:, :1] * max(n, weights.features) * torch.finfo(s.dtype).eps
    Vt = torch.where(s > floor, 1 / s, 0.0)[..., None] * (U.mT @ values)
    Vt = 1.5 * Vt - 0.5 * _over_examples(Vt, Vt) @ Vt
    return torch.cat([_over_examples(examples, Vt), query], dim=-1)


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
