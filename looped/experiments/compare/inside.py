"""The inside of the loop: one prompt's tokens, attention scores, update and iterate, loop by loop."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from looped import attention, prompts
from looped.experiments.compare.modes import require_steady
from looped.experiments.compare.plane import Plane, plane
from looped.experiments.compare.result import Comparison
from looped.prompts import relative_distance

MOST_FRAMES = 60
"""Loops shown at most; of a longer run all of the first third, then ever fewer."""
MOST_EXAMPLES = 40
"""Examples shown at most: the first ones. The transformer reads all of them."""
MOST_FEATURES = 12
"""Features shown at most: the first ones."""


@dataclass(frozen=True, kw_only=True)
class Inside:
    """One prompt in the constructed transformer, at F of its loops. Arrays are NumPy, in the run's dtype.

    At loop t the query z_t is scored against every example, s_i = z_iᵀ Q z_t, and one pass adds
    Δ_t = −(η/n) P Z 𝓜 (Zᵀ Q z_t) to it.
    """

    prompt: int
    """Which prompt of the run, counted from 0."""
    sizes: tuple[int, int]
    """(n, d) of the prompt; fewer are shown."""
    loops: np.ndarray
    """Which loops, (F,), from 0 to T."""
    weights: attention.Weights
    """P, Q and the rows of a token."""
    twin: str
    """Name of the explicit algorithm."""
    rows: np.ndarray
    """Rows of a token that are shown, (R,)."""
    examples: np.ndarray
    """Tokens of the shown examples, which no loop moves, (R, C)."""
    queries: np.ndarray
    """The query token, (F, R)."""
    scores: np.ndarray
    """Attention scores s of the shown examples, (F, C)."""
    updates: np.ndarray
    """What the next pass adds to the query, (F, R)."""
    largest_score: np.ndarray
    """max |s_i| over all n examples, (F,)."""
    update_length: np.ndarray
    """‖Δ_t‖ over all rows, (F,)."""
    iterate_rows: np.ndarray
    """Which of the shown rows hold the iterate, (K,)."""
    explicit: np.ndarray
    """Explicit gradient descent's iterate there, (F, K)."""
    solution: np.ndarray
    """w_ref there, (K,)."""
    errors: np.ndarray
    """‖w_t − w_ref‖/‖w_ref‖, (F,)."""
    plane: Plane

    @property
    def last(self) -> int:
        """T."""
        return int(self.loops[-1])

    @cached_property
    def cut(self) -> str:
        """Sentences on what is not shown; empty if everything is shown."""
        n, d = self.sizes
        shown = min(d, MOST_FEATURES)
        parts = []
        if self.examples.shape[1] < n:
            parts.append(f"the first {self.examples.shape[1]} of {n:,} examples")
        if shown < d:
            parts.append(f"the first {shown} of {d} features")
        sentences = f"Shown are {' and '.join(parts)}; every pass reads all of them. " if parts else ""
        if len(self.loops) <= self.last:
            each = int(np.flatnonzero(np.diff(self.loops) > 1)[0])
            sentences += f"Of {self.last:,} loops {len(self.loops)} are shown: all up to {each}, then ever fewer. "
        return sentences.strip()


def record(result: Comparison, prompt: int = 0) -> Inside:
    """Record the transformer's tokens and scores for one prompt.

    Every shown loop is one application of `LinearAttention` to that loop's tokens.

    Args:
        result: A comparison.
        prompt: which of its B prompts, from 0.

    Raises:
        IndexError: if the run has no such prompt.
        ValueError: if the algorithm moves more than one query by linear attention.
    """
    require_steady(result)
    B, n, d = result.prompts.shape
    if not 0 <= prompt < B:
        raise IndexError(f"There is no prompt {prompt}: the run has {B}, counted from 0.")
    construction, loops = result.weights, shown_loops(result.settings.loops)
    one = prompts.Prompts(X=result.prompts.X[prompt : prompt + 1], y=result.prompts.y[prompt : prompt + 1], w_star=None)
    tokens = construction.embed(one, result.settings.label_scale)
    step_size = torch.from_numpy(result.step_size[prompt : prompt + 1])
    layer = attention.LinearAttention()
    examples = tokens[0, :, :-1]
    queries, updates = np.empty((2, len(loops), construction.width), tokens.numpy().dtype)
    scores = np.empty((len(loops), n), queries.dtype)
    with torch.inference_mode():
        for place, loop in enumerate(loops):
            tokens[0, construction.w, -1] = torch.from_numpy(result.looped[loop, prompt])
            query = tokens[0, :, -1]
            scores[place] = examples.mT @ (construction.Q @ query)
            queries[place] = query
            updates[place] = (layer(tokens, construction, step_size)[0, :, -1] - query).numpy()
    rows = shown_rows(construction)
    w_ref = result.w_ref[prompt]
    iterate_rows = np.flatnonzero((rows >= construction.w.start) & (rows < construction.w.stop))
    return Inside(
        prompt=prompt,
        sizes=(n, d),
        loops=loops,
        weights=construction,
        twin=f"explicit {result.algorithm.twin}",
        rows=rows,
        examples=examples.numpy()[rows, :MOST_EXAMPLES],
        queries=queries[:, rows],
        scores=scores[:, :MOST_EXAMPLES],
        updates=updates[:, rows],
        largest_score=np.abs(scores).max(axis=1),
        update_length=np.linalg.norm(updates.astype(float), axis=1),
        iterate_rows=iterate_rows,
        explicit=result.explicit[loops, prompt, : len(iterate_rows)],
        solution=w_ref[: len(iterate_rows)],
        errors=relative_distance(result.looped[loops, prompt : prompt + 1], w_ref[None])[:, 0],
        plane=plane(result, prompt, loops),
    )


def shown_loops(loops: int) -> np.ndarray:
    """At most `MOST_FRAMES` of the loops 0 … T: all of them, or all of the first third and then evenly in ratio."""
    if loops < MOST_FRAMES:
        return np.arange(loops + 1)
    first = MOST_FRAMES // 3
    return np.unique(np.r_[np.arange(first), np.geomspace(first, loops, MOST_FRAMES - first).round().astype(int)])


def shown_rows(construction: attention.Weights) -> np.ndarray:
    """The rows of a token that are shown: the first `MOST_FEATURES` of each slot, and the labels' rows."""
    rows = np.arange(construction.width)
    cut = np.r_[rows[construction.x][:MOST_FEATURES], rows[construction.w][:MOST_FEATURES]]
    return np.unique(np.r_[cut, construction.y, construction.alpha or construction.y])
