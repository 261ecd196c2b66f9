"""The transformer that applies one attention layer T times, on all tokens or on its constant state."""

from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor, nn

from looped.attention.layer import LinearAttention, SoftmaxAttention, over_examples
from looped.attention.token import Weights

CACHE_BYTES = 8 * 1024**2
"""Tokens handled together in the token form."""


class LoopedTransformer(nn.Module):
    """The same linear attention layer applied T times, weights shared by all loops and prompts.

    Args:
        loops: T, at least 1.
        form: `token` keeps all n+1 tokens and attends to them in every loop. `state` uses that linear attention is
            associative: the examples do not move, so G = Z 𝓜 Zᵀ is a constant and the query follows the linear
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
        history = torch.stack([now[..., -weights.queries :] for now in self.passes(tokens, weights, step_size)])
        return history if weights.predicts else history[..., 0]

    def passes(self, tokens: Tensor, weights: Weights, step_size: Tensor) -> Iterator[Tensor]:
        """All tokens before the first and after every loop, T+1 times (B, D, n+q), each loop applied to all of them.

        Args:
            tokens: Z0, (B, D, n+q), for q queries.
            weights: P and Q with the write mask.
            step_size: η, (B,).
        """
        steps = step_size
        first = None if weights.contraction is None else weights.scale(tokens[..., : -weights.queries])
        yield tokens
        for _ in range(self.loops):
            if first is not None:
                steps = weights.steps(tokens[..., : -weights.queries], step_size, first)
            tokens = self.layer(tokens, weights, steps)
            yield tokens

    def _query_by_query(self, tokens: Tensor, weights: Weights, step_size: Tensor, n: int) -> Tensor:
        # The layer without copying the examples it leaves alone, for as many prompts at a time as the processor's cache
        # holds: every loop reads all of their examples twice.
        many = self.loops > weights.width  # then it costs less to put Q into the keys
        together = max(1, CACHE_BYTES // (tokens[0].nbytes * (1 + many)))
        scale, Qt = (step_size / n)[:, None, None], weights.Q.mT
        maps = weights.maps(step_size)
        queries = tokens.new_empty(self.loops + 1, *tokens.shape[:2])
        for first in range(0, len(tokens), together):
            part = slice(first, first + together)
            examples, query = tokens[part, :, :-1], tokens[part, None, :, -1]  # the query as a row, (B, 1, D)
            keys, values, write = Qt @ examples if many else examples, examples.mT, -scale[part] * weights.P.mT
            beside = [(matrix, factor[part]) for matrix, factor in maps]
            history = [query]
            for _ in range(self.loops):
                query = self.layer.answer(query, query if many else query @ Qt, keys, values, write, beside)
                history.append(query)
            queries[:, part] = torch.cat(history, dim=1).transpose(0, 1)
        return queries

    def _from_state(self, tokens: Tensor, weights: Weights, step_size: Tensor) -> Tensor:
        examples, query = tokens[..., :-1], tokens[..., -1]
        n = examples.shape[-1]
        scale = (step_size / n)[:, None, None]
        maps = weights.maps(step_size)
        if n > weights.features:
            state = weights.P @ over_examples(examples, examples) @ weights.Q
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
    Vt = 1.5 * Vt - 0.5 * over_examples(Vt, Vt) @ Vt
    return torch.cat([over_examples(examples, Vt), query], dim=-1)


def _recur(start: Tensor, matrix: Tensor, scale: Tensor, loops: int, powers: bool) -> Tensor:
    """All states of the row recurrence s ← s + scale·(s A), loop 0 first: (loops+1, B, k).

    With powers the recurrence is doubled to a stride of up to √T loops, then whole blocks of states are multiplied at
    once. What is squared is S^m − I, by S^2m − I = 2(S^m − I) + (S^m − I)², so that small steps keep their digits.
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
