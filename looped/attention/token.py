"""A token, and what one attention layer needs to know of it: where things lie in a token, and P and Q."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from looped.prompts import Prompts


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """The weights of one attention layer and where they find things in a token.

    One layer is Z ← Z − (η/n) P Z 𝓜 (Zᵀ Q Z) 𝓡 with the key mask 𝓜 = diag(I_n, 0): a query is never a key. Some
    algorithms need token-wise linear maps beside attention: Z ← Z + ((𝓐 − I) Z − η 𝓚 Z − (η/n) P Z 𝓜 (Zᵀ Q Z)) 𝓡.
    """

    P: Tensor
    """Projection and value in one, (D, D); or (heads, D, D), whose outputs are added."""
    Q: Tensor
    """Key and query in one, (D, D), or (heads, D, D)."""
    writes: Literal["query", "all"]
    """𝓡: `query` is 𝓡 = e_{n+1}e_{n+1}ᵀ, only the last column is written; `all` is 𝓡 = I."""
    x: slice
    """Rows of a token that hold an example's features."""
    y: int
    """Row that holds an example's label."""
    w: slice
    """Rows of the query that hold the iterate w_t; with `predicts`, the row that holds −⟨w_t, x_q⟩."""
    alpha: int | None
    """Row of the query that holds the label scale α; None where the labels themselves are scaled."""
    skip: Tensor | None = None
    """𝓐, (D, D), what a written token keeps; None is the identity skip."""
    decay: Tensor | None = None
    """𝓚, (D, D), what η takes from a written token besides attention; None is nothing."""
    copy: slice | None = None
    """Rows in which the examples hold their features a second time."""
    before: slice | None = None
    """Rows of the query that hold the iterate of the loop before, 0 at first."""
    predicts: bool = False
    """Whether queries are points x_q to predict at. There are d of them, the unit vectors, so that what the
    transformer predicts is the vector w_t, number by number."""
    contraction: float | None = None
    """Where given, every loop reads the scale of the examples again: with h₁ the largest eigenvalue of XᵀX/n as X is
    now and λ₁ its first value, queries are moved by ηλ₁/h₁ in place of η, and examples by this number over h₁."""

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
        """The token-wise maps beside attention, (D, D), each with its factor, (B, 1, 1): 𝓐 − I once, 𝓚 times −η.

        Args:
            step_size: η, (B,).
        """
        eta, maps = step_size[:, None, None], []
        if self.skip is not None:
            maps.append((self.skip - torch.eye(self.width, dtype=self.P.dtype), torch.ones_like(eta)))
        if self.decay is not None:
            maps.append((self.decay, -eta))
        return maps

    def scale(self, examples: Tensor) -> Tensor:
        """h₁, the largest eigenvalue of XᵀX/n of the examples (B, D, n) as they are now: (B,)."""
        x = examples[:, self.x]
        gram = x @ x.mT if x.shape[1] <= x.shape[2] else x.mT @ x
        return torch.linalg.eigvalsh(gram)[:, -1] / examples.shape[-1]

    def steps(self, examples: Tensor, step_size: Tensor, first: Tensor) -> Tensor:
        """The step of every token in a loop that reads the scale again, (B, n+q), for q queries.

        0 once the examples are so small that their squares have no digits left; nothing moves then.

        Args:
            examples: the examples as they are now, (B, D, n).
            step_size: η, (B,).
            first: λ₁, `scale` before the first loop, (B,).
        """
        assert self.contraction is not None
        now, n = self.scale(examples), examples.shape[-1]
        gone = now <= torch.finfo(now.dtype).tiny / torch.finfo(now.dtype).eps
        share = torch.stack([torch.full_like(now, self.contraction), step_size * first], dim=1)
        share = torch.where(gone[:, None], 0.0, share / now[:, None])
        return share.repeat_interleave(torch.tensor([n, self.queries]), dim=1)

    def moves(self, examples: Tensor, step_size: Tensor) -> bool:
        """True where a loop changes the examples, (B, D, n), and not the query alone."""
        if self.writes == "query":
            return False
        read = [*self.Q.reshape(-1, self.width, self.width), *(matrix for matrix, _ in self.maps(step_size))]
        return any(bool((matrix @ examples).any()) for matrix in read)
