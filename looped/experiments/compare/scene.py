"""One prompt as the first picture shows it: its tokens, what attends to what, and the way down the loss."""

from dataclasses import dataclass

import numpy as np

from looped.experiments.compare.inside import MOST_EXAMPLES, shown_loops, shown_rows
from looped.experiments.compare.plane import Plane, plane
from looped.experiments.compare.player_layout import row_names
from looped.experiments.compare.result import Comparison
from looped.prompts import Prompts, relative_distance


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One prompt at F of its loops. Arrays are NumPy."""

    sizes: tuple[int, int]
    """(n, d) of the prompt; fewer are shown."""
    loops: np.ndarray
    """Which loops, (F,), from 0 to T."""
    names: list[str]
    """A name for each shown row of a token, R of them."""
    examples: np.ndarray
    """Tokens of the shown examples before the first loop, (R, C)."""
    queries: np.ndarray | None
    """The query token at each loop, (F, R); None where one query token does not hold the iterate."""
    scores: np.ndarray | None
    """Attention scores z_iᵀ Q z_t of the shown examples, (F, C); None as for `queries`."""
    plane: Plane
    """Both paths in the plane of the flattest and the steepest direction of the loss."""
    errors: np.ndarray
    """‖w_t − w_ref‖/‖w_ref‖ of the transformer on this prompt, (F,)."""
    explicit_errors: np.ndarray
    """The same of the explicit algorithm, (F,)."""
    new_x: np.ndarray
    """An example that is not in the prompt, (d,), standard normal."""
    new_y: float
    """Its label by the task αw*, or by w_ref where the task is unknown."""
    task_known: bool
    """Whether `new_y` is by the task."""
    predictions: np.ndarray
    """⟨w_t, new_x⟩, (F,)."""


def scene(result: Comparison, prompt: int = 0) -> Scene:
    """Read the picture of one prompt from a comparison.

    Args:
        result: A comparison.
        prompt: which of its B prompts, from 0.

    Raises:
        IndexError: if the run has no such prompt.
    """
    B, n, d = result.prompts.shape
    if not 0 <= prompt < B:
        raise IndexError(f"There is no prompt {prompt}: the run has {B}, counted from 0.")
    loops, weights = shown_loops(result.settings.loops), result.weights
    one = Prompts(X=result.prompts.X[prompt : prompt + 1], y=result.prompts.y[prompt : prompt + 1], w_star=None)
    tokens = weights.embed(one, result.settings.label_scale)[0].numpy()
    rows = shown_rows(weights)
    queries = scores = None
    if result.algorithm.steady:
        states = np.tile(tokens[:, -1], (len(loops), 1))
        states[:, weights.w] = result.looped[loops, prompt]
        scores = (states @ weights.Q.numpy().T @ tokens[:, :n])[:, :MOST_EXAMPLES]
        queries = states[:, rows]
    w_ref = result.w_ref[prompt]
    task = w_ref if result.task is None else result.task[prompt]
    new_x = np.random.default_rng([result.settings.seed, prompt]).standard_normal(d)
    return Scene(
        sizes=(n, d),
        loops=loops,
        names=row_names(weights, rows),
        examples=tokens[rows, :n][:, :MOST_EXAMPLES],
        queries=queries,
        scores=scores,
        plane=plane(result, prompt, loops),
        errors=relative_distance(result.looped[loops, prompt : prompt + 1], w_ref[None])[:, 0],
        explicit_errors=relative_distance(result.explicit[loops, prompt : prompt + 1], w_ref[None])[:, 0],
        new_x=new_x,
        new_y=float(task @ new_x),
        task_known=result.task is not None,
        predictions=result.looped[loops, prompt].astype(float) @ new_x,
    )
