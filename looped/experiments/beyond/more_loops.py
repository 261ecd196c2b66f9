"""More loops than trained: the layer of one-step training, applied again and again on other prompts."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from looped.experiments.beyond.learned_step import grams, largest_factor, learned_step, mean_over_tasks, squared_errors
from looped.experiments.beyond.settings import BeyondSettings
from looped.files import finite

LONGER = 3
"""The second layer is trained on so many times as many examples."""
CONTEXTS = 25
"""Lengths of the training context for which the largest factor is computed."""


@dataclass(frozen=True)
class MoreLoops:
    """Two layers, trained for one step on n and on 3n examples, in T loops on the same test prompts."""

    settings: BeyondSettings
    contexts: tuple[int, int]
    """n in training, of both layers."""
    medians: np.ndarray
    """Median over prompts of ‖w_t − w*‖², (2, T+1)."""
    middle: np.ndarray
    """Median over prompts of λ_max(Γ*Σ̂), (2,)."""
    furthest: float
    """The largest λ_max(Γ*Σ̂) of a prompt, of both layers."""
    diverging: np.ndarray
    """Share of prompts on which the loop diverges, (2,)."""
    limit: np.ndarray
    """𝔼‖w_t − w*‖² for m → ∞, where Σ̂ is the test's covariance itself, (2, T+1)."""
    limit_factor: np.ndarray
    """λ_max(Γ*Σ) for m → ∞, (2,)."""
    bound: np.ndarray | None
    """The published bound of the mean for n and m → ∞, (T+1,); None where the test has another covariance."""
    mean: np.ndarray | None
    """Mean over prompts and over w* ~ 𝓝(0, I) of ‖w_t − w*‖² of the first layer, (T+1,); None without a bound."""
    lengths: np.ndarray
    """Lengths of the training context, (K,)."""
    factors: np.ndarray
    """Median of λ_max(Γ*Σ̂) for each of them, (K,)."""
    single: dict[str, np.ndarray] = field(default_factory=dict)
    """What single prompts did, by its name among `arrays`; nothing in a stored answer."""

    @property
    def best(self) -> np.ndarray:
        """The number of loops with the smallest median, (2,)."""
        return np.asarray(self.medians.argmin(axis=1))

    @property
    def kinds(self) -> list[str]:
        """The verdict for each layer, from λ_max alone: `diverges` if it does on the median prompt."""
        return ["diverges" if middle > 2 else "converges" for middle in self.middle]

    @property
    def crossed(self) -> int | None:
        """The loop from which on the mean stays above the bound; None if it ends below, or without a bound."""
        if self.bound is None:
            return None
        last = int(np.flatnonzero(~self.above).max(initial=-1))
        return last + 1 if last < self.settings.loops else None

    @property
    def above(self) -> np.ndarray:
        """Whether the mean of the first layer is above the bound of the mean, (T+1,); False without a bound."""
        if self.bound is None or self.mean is None:
            return np.zeros(self.settings.loops + 1, dtype=bool)
        return np.asarray(self.mean > self.bound * (1 + 1e-9))

    @property
    def results(self) -> dict[str, Any]:
        """Verdicts and scalars, ready for JSON."""
        layers = [
            {
                "examples_in_training": n, "prediction": self.kinds[k], "largest_factor": float(
                    self.middle[k]), "share_diverging": float(self.diverging[k]), "best_loops": int(self.best[k]),
                "median_at_best": float(self.medians[k, self.best[k]]), "median_at_0": float(self.medians[k, 0]),
                "median_at_T": finite(self.medians[k, -1]), "largest_factor_for_many_examples": float(
                    self.limit_factor[k]),
            }
            for k, n in enumerate(self.contexts)
        ]  # fmt: skip
        bound = None
        if self.bound is not None and self.mean is not None:
            bound = {
                "at_T": float(self.bound[-1]), "mean_at_T": finite(self.mean[-1]), "mean_above_from_loop": self.crossed,
            }  # fmt: skip
        return {"layers": layers, "bound": bound}

    @property
    def curves(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Series by name, each with its places."""
        loops = np.arange(self.settings.loops + 1)
        found = {f"median, trained on {n}": (loops, self.medians[k]) for k, n in enumerate(self.contexts)}
        found |= {f"m to infinity, trained on {n}": (loops, self.limit[k]) for k, n in enumerate(self.contexts)}
        if self.bound is not None and self.mean is not None:
            found["published bound"] = loops, self.bound
            found[f"mean, trained on {self.contexts[0]}"] = loops, self.mean
        return found | {"largest factor by training context": (self.lengths, self.factors)}

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """Squared errors (2, T+1, B), λ_max(Γ*Σ̂) (2, B), and the errors for m → ∞ (2, T+1)."""
        found = {"limit": self.limit, "contexts": np.array(self.contexts), "eigenvalues": self.settings.eigenvalues}
        return self.single | found


def more_loops(settings: BeyondSettings) -> MoreLoops:
    """Run both layers on the test prompts."""
    trained, d = settings.eigenvalues, settings.features
    test = trained if settings.tested_on == "same" else np.ones(d)
    contexts = settings.examples, LONGER * settings.examples
    generator = np.random.default_rng(settings.seed)
    gram = grams(test, settings.test_examples, settings.prompts, generator)
    tasks = generator.standard_normal((settings.prompts, d))
    steps = [learned_step(trained, n) for n in contexts]
    same = np.array_equal(test, trained)
    t = np.arange(settings.loops + 1)[:, None]
    with np.errstate(over="ignore"):
        limit = np.stack([(np.abs(1 - step * test) ** (2.0 * t)).sum(axis=1) for step in steps])
    lengths = np.unique(np.geomspace(1, 20 * max(contexts), CONTEXTS).round().astype(int))
    some = gram[:200]
    errors = np.stack([squared_errors(gram, step, tasks, settings.loops) for step in steps])
    largest = np.stack([largest_factor(gram, step) for step in steps])
    return MoreLoops(
        settings=settings,
        contexts=contexts,
        medians=np.median(errors, axis=2),
        middle=np.median(largest, axis=1),
        furthest=float(largest.max()),
        diverging=(largest > 2).mean(axis=1),
        limit=limit,
        limit_factor=np.array([(step * test).max() for step in steps]),
        bound=published_bound(trained, contexts[0], settings.loops) if same else None,
        mean=mean_over_tasks(gram, steps[0], settings.loops)[0].mean(axis=1) if same else None,
        lengths=lengths,
        factors=np.array([np.median(largest_factor(some, learned_step(trained, n))) for n in lengths.tolist()]),
        single={"squared_error": errors, "largest_factor": largest},
    )


def published_bound(eigenvalues: np.ndarray, examples: int, loops: int) -> np.ndarray:
    """d(1 + n/(1 + Hard))^(−2k) with Hard = tr Λ/λ_min, k = 0 … T: (T+1,). It bounds the mean, and only for m → ∞.

    Source: arXiv 2510.03605, ICLR 2026, read in third-party notes.
    """
    hard = eigenvalues.sum() / eigenvalues.min()
    return np.asarray(len(eigenvalues) * (1 + examples / (1 + hard)) ** (-2.0 * np.arange(loops + 1)))
