"""The inside of the loop: one prompt's tokens, attention scores, update and iterate, loop by loop."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import torch
from torch import Tensor

from looped import attention, prompts
from looped.algorithms.base import Algorithm
from looped.chart import symmetric_range
from looped.experiments.compare.curves import ERROR_CEILING
from looped.experiments.compare.plane import Plane, plane
from looped.experiments.compare.result import Comparison
from looped.prompts import relative_distance

MOST_FRAMES = 60
"""Loops shown at most; of a longer run all of the first third, then ever fewer."""
MOST_EXAMPLES = 40
"""Examples shown at most: the first ones. The transformer reads all of them."""
MOST_FEATURES = 12
"""Features shown at most: the first ones."""
MOST_MEASURED = 100_000
"""n·d² up to which κ of examples that move is measured in every loop: milliseconds in all."""


@dataclass(frozen=True, kw_only=True)
class Inside:
    """One prompt in the constructed transformer, at F of its loops. Arrays are NumPy, in the run's dtype.

    At loop t the query z_t is scored against every example, s_i = z_iᵀ Q z_t, and one pass adds
    Δ_t = −(η/n) P Z 𝓜 (Zᵀ Q z_t) to it, besides what token-wise maps do. With a softmax n·softmax(s) takes the place of
    s there. Where a loop moves the examples too, `queries` and `scores` are empty.
    """

    algorithm: type[Algorithm]
    prompt: int
    """Which prompt of the run, counted from 0."""
    sizes: tuple[int, int]
    """(n, d) of the prompt; fewer are shown."""
    loops: np.ndarray
    """Which loops, (F,), from 0 to T."""
    weights: attention.Weights
    """P, Q and the rows of a token."""
    rows: np.ndarray
    """Rows of a token that are shown, (R,)."""
    examples: np.ndarray
    """Tokens of the shown examples before the first loop, (R, C)."""
    moving: np.ndarray
    """The same at every shown loop, (F, R, C), where a loop moves them; empty where they stay."""
    kappas: np.ndarray
    """κ of all n examples at every shown loop, (F,), NaN where they overflow; empty where they stay or are too many."""
    queries: np.ndarray
    """The query token, (F, R)."""
    scores: np.ndarray
    """Attention scores s of the shown examples, (F, C); with a softmax their weights, softmax(s) over all n."""
    largest_score: np.ndarray
    """max |s_i| over all n examples, or the largest weight, (F,)."""
    passes: Callable[[], np.ndarray]
    """Gives Δ_t, all rows of what the next pass adds to the query, (F, D)."""
    iterate_rows: np.ndarray
    """Which of the shown rows hold the iterate, (K,)."""
    explicit: np.ndarray
    """Explicit gradient descent's iterate there, (F, K)."""
    solution: np.ndarray
    """w_ref there, (K,)."""
    errors: np.ndarray
    """‖w_t − w_ref‖/‖w_ref‖ of the transformer, (F,)."""
    explicit_errors: np.ndarray
    """The same of the explicit algorithm, (F,)."""
    task_errors: np.ndarray | None
    """‖w_t − αw*‖/‖αw*‖ of the transformer, (F,); None where w* is unknown, or is where the loop is heading."""
    plane: Plane
    """Both paths in the plane of the flattest and the steepest direction of the loss."""
    new_x: np.ndarray
    """An example that is not in the prompt, (d,), standard normal."""
    new_y: float
    """Its label by the task αw*, or by w_ref where the task is unknown."""
    task_known: bool
    """Whether `new_y` is by the task."""
    predictions: np.ndarray
    """⟨w_t, new_x⟩, (F,)."""

    @property
    def score(self) -> str:
        """What the numbers of the examples are: scores, or weights that are positive and add up to 1."""
        return "weight" if self.algorithm.softmax else "score"

    @property
    def score_range(self) -> list[float]:
        """A range that holds the scores of all loops, around 0, or from 0 on for weights."""
        low, high = symmetric_range(self.scores)
        return [0.0 if self.algorithm.softmax else low, high]

    @cached_property
    def updates(self) -> np.ndarray:
        """What the next pass adds to the query, (F, R)."""
        return self._passes[:, self.rows]

    @property
    def update_length(self) -> np.ndarray:
        """‖Δ_t‖ over all rows, (F,)."""
        return np.linalg.norm(self._passes.astype(float), axis=1)

    @cached_property
    def _passes(self) -> np.ndarray:
        return self.passes()

    @property
    def label_rows(self) -> np.ndarray:
        """Which of the shown rows hold the label: one, or none where examples are rewritten in a slot of their own."""
        return np.flatnonzero(self.rows == self.weights.y)

    @property
    def feature_rows(self) -> np.ndarray:
        """Which of the shown rows hold the features x, (K,), K ≤ `MOST_FEATURES`; none in a slot of their own."""
        return np.flatnonzero((self.rows >= self.weights.x.start) & (self.rows < self.weights.x.stop))

    def by_kind(self, examples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Examples (…, R, C) without their labels, NaN there, and the labels, (…, 1, C): each kind has its colours."""
        features = examples.astype(float)
        features[..., self.label_rows, :] = np.nan
        return features, examples[..., self.label_rows, :]

    @property
    def drawn_errors(self) -> np.ndarray:
        """The errors, cut to what a log axis can show."""
        return np.clip(self.errors, np.finfo(self.queries.dtype).eps / 20, ERROR_CEILING)

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


def record(result: Comparison, prompt: int = 0, loops: np.ndarray | None = None) -> Inside:
    """Record one prompt of a comparison.

    Args:
        result: A comparison.
        prompt: which of its B prompts, from 0.
        loops: which loops, (F,), ascending from 0; without them `shown_loops`.

    Raises:
        IndexError: if the run has no such prompt.
    """
    B, n, d = result.prompts.shape
    if not 0 <= prompt < B:
        raise IndexError(f"There is no prompt {prompt}: the run has {B}, counted from 0.")
    weights, w_ref = result.weights, result.w_ref[prompt]
    loops = shown_loops(result.settings.loops) if loops is None else loops
    looped, explicit = result.looped[loops, prompt], result.explicit[loops, prompt]
    only = slice(prompt, prompt + 1)
    one = prompts.Prompts(X=result.prompts.X[only], y=result.prompts.y[only], w_star=None)
    tokens = weights.embed(one, result.settings.label_scale)
    examples, rows = tokens[0, :, :n], shown_rows(weights)
    scores, queries = np.empty((2, len(loops), 0))
    moving, kappas = np.empty((len(loops), 0, 0)), np.empty(0)
    if not result.algorithm.one_query:
        moving, kappas = _moving(result, prompt, tokens, loops, rows)
    else:
        queries = np.tile(tokens[0, :, -1], (len(loops), 1))
        queries[:, weights.w] = looped
        if weights.before is not None:
            queries[:, weights.before] = np.where(loops[:, None] > 0, result.looped[loops - 1, prompt], 0)
        asked = torch.from_numpy(queries) @ weights.Q.mT
        found = torch.bmm(asked[:, None], examples.expand(len(loops), -1, -1))[:, 0]
        scores = (torch.softmax(found, dim=1) if result.algorithm.softmax else found).numpy()
    iterate_rows = np.flatnonzero((rows >= weights.w.start) & (rows < weights.w.stop))
    new_x = np.random.default_rng([result.settings.seed, prompt]).standard_normal(d)
    return Inside(
        algorithm=type(result.algorithm),
        prompt=prompt,
        sizes=(n, d),
        loops=loops,
        weights=weights,
        rows=rows,
        examples=examples.numpy()[rows, :MOST_EXAMPLES],
        moving=moving,
        kappas=kappas,
        queries=queries[:, rows] if result.algorithm.one_query else queries,
        scores=scores[:, :MOST_EXAMPLES],
        largest_score=np.abs(scores).max(axis=1, initial=0),
        passes=partial(
            _passes, result.algorithm.softmax, tokens, weights, torch.from_numpy(result.step_size[only]), queries
        ),
        iterate_rows=iterate_rows,
        explicit=explicit[:, : len(iterate_rows)],
        solution=w_ref[: len(iterate_rows)],
        errors=relative_distance(looped[:, None], w_ref[None])[:, 0],
        explicit_errors=relative_distance(explicit[:, None], w_ref[None])[:, 0],
        task_errors=None if result.task_errors is None else result.task_errors[loops, prompt],
        plane=plane(result, prompt, loops),
        new_x=new_x,
        new_y=float((w_ref if result.task is None else result.task[prompt]) @ new_x),
        task_known=result.task is not None,
        predictions=looped.astype(float) @ new_x,
    )


def _moving(
    result: Comparison, prompt: int, tokens: Tensor, loops: np.ndarray, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The shown examples at the shown loops, (F, R, C), and κ of all; from a loop that overflows on as before it."""
    transformer, shown = attention.LoopedTransformer(int(loops[-1]), "token"), {*loops.tolist()}
    weights, (_, n, d) = result.weights, result.prompts.shape
    rank = int(result.prompts.spectrum.nonzero[prompt].sum())
    measured = weights.copy is None and n * d**2 <= MOST_MEASURED and rank > 0
    kept, kappas = [], []
    with torch.inference_mode():
        step_size = torch.from_numpy(result.step_size[prompt : prompt + 1])
        for loop, now in enumerate(transformer.passes(tokens, weights, step_size)):
            if loop not in shown:
                continue
            examples = now[0, :, :n]
            if not torch.isfinite(examples[rows, :MOST_EXAMPLES]).all():
                break
            kept.append(examples[rows, :MOST_EXAMPLES].numpy())
            if measured:
                X = examples[weights.x].double()
                sizes = torch.linalg.svdvals(X) if torch.isfinite(X).all() else torch.full((rank,), torch.nan)
                kappas.append(float((sizes[0] / sizes[rank - 1]) ** 2))
    missing = len(loops) - len(kept)
    return np.stack([*kept, *[kept[-1]] * missing]), np.array([*kappas, *[np.nan] * (missing if measured else 0)])


def _passes(
    softmax: bool, tokens: Tensor, weights: attention.Weights, step_size: Tensor, queries: np.ndarray
) -> np.ndarray:
    """What one application of the layer adds to each query, (F, D); the tokens are one prompt's."""
    layer = attention.SoftmaxAttention() if softmax else attention.LinearAttention()
    tokens, updates = tokens.clone(), np.empty_like(queries)
    with torch.inference_mode():
        for place, query in enumerate(torch.from_numpy(queries)):
            tokens[0, :, -1] = query
            updates[place] = layer(tokens, weights, step_size)[0, :, -1] - query
    return updates


def shown_loops(loops: int) -> np.ndarray:
    """At most `MOST_FRAMES` of the loops 0 … T: all of them, or all of the first third and then evenly in ratio."""
    if loops < MOST_FRAMES:
        return np.arange(loops + 1)
    first = MOST_FRAMES // 3
    return np.unique(np.r_[np.arange(first), np.geomspace(first, loops, MOST_FRAMES - first).round().astype(int)])


def shown_rows(construction: attention.Weights) -> np.ndarray:
    """The rows of a token that are shown: the first `MOST_FEATURES` of each slot, and the labels' rows.

    Where examples are rewritten in a slot of their own, its rows alone: the others stay.
    """
    rows = np.arange(construction.width)
    if construction.copy is not None:
        return rows[construction.copy][:MOST_FEATURES]
    slots = (construction.x, construction.w, construction.before or slice(0))
    cut = [rows[slot][:MOST_FEATURES] for slot in slots]
    return np.unique(np.concatenate([*cut, [construction.y, construction.alpha or construction.y]]))
