"""One attention layer, linear or with a softmax. It knows neither gradient descent nor how P and Q were found."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from looped.attention.token import Weights

BLOCK = 512
"""Examples summed in one go."""


class LinearAttention(nn.Module):
    """One layer without softmax: Z ← Z + ((𝓐 − I) Z − η 𝓚 Z − (η/n) P Z 𝓜 (Zᵀ Q Z)) 𝓡.

    The n × n scores are never formed: a written column z needs P (Z 𝓜 Zᵀ) Q z, evaluated from the right for the
    query alone, O(n·D), and through the (D, D) matrix Z 𝓜 Zᵀ when every token is written, O(n·D²).
    """

    def forward(self, tokens: Tensor, weights: Weights, step_size: Tensor) -> Tensor:
        """Apply the layer once.

        Args:
            tokens: Z, (B, D, n+1), or with more columns where there are more queries.
            weights: P and Q, (D, D), with the write mask.
            step_size: η for each prompt, (B,); or for each of its tokens, (B, n+1), where all are written without maps.

        Returns:
            The tokens after the layer, in the shape of `tokens`.
        """
        examples = tokens[..., : -weights.queries]
        if step_size.ndim == 2:
            asking = tokens * step_size[:, None] / -examples.shape[-1]
            return self.attend(tokens.clone(), examples, asking, weights, tokens.new_ones(1, 1, 1))
        scale = (step_size / examples.shape[-1])[:, None, None]
        maps, written = weights.maps(step_size), tokens.clone()
        if weights.writes == "query":
            query, write = tokens[:, None, :, -1], -scale * weights.P.mT
            written[..., -1] = self.answer(query, query @ weights.Q.mT, examples, examples.mT, write, maps)[:, 0]
            return written
        for matrix, factor in maps:
            rows, columns = _block(matrix)
            written[:, rows] += factor * (matrix[rows, columns] @ tokens[:, columns])
        return self.attend(written, examples, tokens, weights, -scale)

    def attend(self, written: Tensor, examples: Tensor, tokens: Tensor, weights: Weights, scale: Tensor) -> Tensor:
        """Add scale · Σ_heads P Z 𝓜 (Zᵀ Q Z) to `written`, all tokens; `scale` is −η/n, (B, 1, 1)."""
        D = weights.width
        for P, Q in zip(weights.P.reshape(-1, D, D), weights.Q.reshape(-1, D, D), strict=True):
            # Rows and columns outside the blocks that hold anything are left out.
            (rows, values), (keys, asked) = _block(P), _block(Q)
            G = over_examples(examples[:, values], examples[:, keys])
            written[:, rows] += scale * (P[rows, values] @ G @ Q[keys, asked]) @ tokens[:, asked]
        return written

    def answer(
        self,
        query: Tensor,
        asking: Tensor,
        keys: Tensor,
        values: Tensor,
        write: Tensor,
        maps: Sequence[tuple[Tensor, Tensor]] = (),
    ) -> Tensor:
        """The query after the layer: z + W Σ_i z_i (z_iᵀ Q z) for the examples z_i, the columns of Z (B, D, n).

        Q stands on either side of a score: with the query in every loop, O(D²), or once with the examples, O(n·D²).

        Args:
            query: z as a row, (B, 1, D).
            asking: (Q z)ᵀ, or z as a row where Q is in the keys.
            keys: Z, or Qᵀ Z.
            values: Zᵀ, (B, n, D).
            write: Wᵀ = −(η/n) Pᵀ, (B, D, D). It is not put into the values: rounded once, it would move the limit.
            maps: token-wise maps with their factors, as `Weights.maps` gives them.

        Returns:
            (B, 1, D).
        """
        scores = self.weigh(torch.bmm(asking, keys))  # (B, 1, n)
        after = torch.baddbmm(query, torch.bmm(scores, values), write)
        for matrix, factor in maps:
            after = after + factor * (query @ matrix.mT)
        return after

    def weigh(self, scores: Tensor) -> Tensor:
        """The weight of each example from its score (…, n): linear attention takes them as they are."""
        return scores


class SoftmaxAttention(LinearAttention):
    """The same layer with a softmax over the examples: Z ← Z − η P Z 𝓜 softmax(Zᵀ Q Z) 𝓡.

    Weights are positive and add up to 1, so the step no longer follows the size and sign of the scores. With the
    weights of gradient descent it is w ← w − η Σ_i x_i softmax_i(⟨x_i, w⟩ − αy_i).
    """

    def attend(self, written: Tensor, examples: Tensor, tokens: Tensor, weights: Weights, scale: Tensor) -> Tensor:
        """Add scale · n · P Z 𝓜 softmax(Zᵀ Q Z) to `written`, all tokens."""
        scores = self.weigh((tokens.mT @ weights.Q.mT) @ examples)
        return written + scale * (weights.P @ (examples @ scores.mT))

    def weigh(self, scores: Tensor) -> Tensor:
        """n·softmax over the examples; the layer divides by n."""
        return scores.shape[-1] * torch.softmax(scores, dim=-1)


def _block(matrix: Tensor) -> tuple[slice, slice]:
    """The smallest run of rows and run of columns that hold all non-zero entries."""
    runs = []
    for used in (matrix.any(dim=1), matrix.any(dim=0)):
        places = used.nonzero()
        runs.append(slice(int(places[0]), int(places[-1]) + 1) if len(places) else slice(0, 0))
    return runs[0], runs[1]


def over_examples(left: Tensor, right: Tensor) -> Tensor:
    """Σ_i left_i right_iᵀ for columns (B, ·, n), of more than `BLOCK` examples block by block: (B, ·, ·).

    Rounding grows with the length of a sum: 8,000 examples in one go are rounded 10 to 20 times as much as in blocks.
    """
    n = left.shape[-1]
    if n <= BLOCK:
        return left @ right.mT
    rest, blocks = n % BLOCK, (n // BLOCK, BLOCK)
    parts = [part[..., rest:].reshape(*part.shape[:-1], *blocks).transpose(1, 2) for part in (left, right)]
    return (parts[0] @ parts[1].mT).sum(dim=1) + left[..., :rest] @ right[..., :rest].mT
