"""The matrix step that one-step training finds, its exact risk, and prompts to run it on."""

from collections.abc import Iterator

import numpy as np

from looped.training.wishart import descent_risk

AT_ONCE = 4_000_000
"""Numbers drawn together."""
MOST_EXACT = 32
"""Loops up to which the mean over all prompts is summed exactly, in a fifth of a second; 64 take two seconds."""


def learned_step(eigenvalues: np.ndarray, examples: int) -> np.ndarray:
    """Γ* = ((1 + 1/n)Σ + (tr Σ/n) I)⁻¹ for a diagonal Σ: its diagonal, (d,).

    The step that has the smallest 𝔼‖w_1 − w*‖² after one loop from w_0 = 0, over w* ~ 𝓝(0, I) and rows x ~ 𝓝(0, Σ).

    Args:
        eigenvalues: λ of Σ, (d,).
        examples: n.

    Source: Javanmard, Mirzasoleiman and Mirrokni, arXiv 2603.01293, who write Γ⁻¹ for it; that it equals the best GD-0
    of Zhang, Wu and Bartlett for Ψ = I and σ = 0 is derived for this project.
    """
    return np.asarray(1 / ((1 + 1 / examples) * eigenvalues + eigenvalues.sum() / examples))


def one_step_risk(step: np.ndarray, eigenvalues: np.ndarray, examples: int) -> float:
    """𝔼‖w_1 − w*‖² exactly, over w* ~ 𝓝(0, I) and n rows x ~ 𝓝(0, Σ), for a diagonal step.

    With V = −Γ it is ‖I + VΣ‖_F² + (tr(VΣ²Vᵀ) + tr(VΣVᵀ) tr Σ)/n.

    Args:
        step: diagonal of Γ, (d,).
        eigenvalues: λ of Σ, (d,).
        examples: n.

    Source: arXiv 2603.01293; derived there from Wishart's moments.
    """
    spread = (step**2 * eigenvalues**2).sum() + (step**2 * eigenvalues).sum() * eigenvalues.sum()
    return float(((1 - step * eigenvalues) ** 2).sum() + spread / examples)


def exact_mean(eigenvalues: np.ndarray, examples: int, loops: int) -> float | None:
    """𝔼‖w_T − w*‖² of the learned step over all prompts, exactly; None unless Σ = I and T is at most `MOST_EXACT`.

    Args:
        eigenvalues: λ of Σ, (d,).
        examples: n.
        loops: T.
    """
    if (eigenvalues != 1).any() or loops > MOST_EXACT:
        return None
    step = float(learned_step(eigenvalues, examples)[0])
    return descent_risk(step, loops, examples, len(eigenvalues))


def grams(eigenvalues: np.ndarray, examples: int, prompts: int, generator: np.random.Generator) -> np.ndarray:
    """Σ̂ = XᵀX/n of prompts with rows 𝓝(0, Σ), (B, d, d)."""
    d = len(eigenvalues)
    found = np.empty((prompts, d, d))
    for part in parts(prompts, examples * d):
        X = generator.standard_normal((part.stop - part.start, examples, d)) * np.sqrt(eigenvalues)
        np.matmul(X.transpose(0, 2, 1), X, out=found[part])
    return found / examples


def parts(prompts: int, numbers: int) -> Iterator[slice]:
    """The prompts in parts, each of at most `AT_ONCE` numbers where one prompt has so many."""
    together = max(1, AT_ONCE // numbers)
    for first in range(0, prompts, together):
        yield slice(first, min(first + together, prompts))


def squared_errors(gram: np.ndarray, step: np.ndarray, tasks: np.ndarray, loops: int) -> np.ndarray:
    """‖w_t − w*‖² of w ← w − ΓΣ̂(w − w*) from w_0 = 0, (T+1, B); inf where it overflows.

    Args:
        gram: Σ̂, (B, d, d).
        step: diagonal of Γ, (d,).
        tasks: w*, (B, d).
        loops: T.
    """
    away, errors = -tasks[..., None], np.empty((loops + 1, len(tasks)))
    with np.errstate(over="ignore", invalid="ignore"):
        for t in range(loops + 1):
            errors[t] = np.square(away[..., 0]).sum(axis=1)
            if t < loops:
                away = away - step[:, None] * (gram @ away)
    return np.where(np.isnan(errors), np.inf, errors)


def mean_over_tasks(gram: np.ndarray, step: np.ndarray, loops: int) -> tuple[np.ndarray, np.ndarray]:
    """The mean of ‖w_t − w*‖² over w* ~ 𝓝(0, I), which is ‖(I − ΓΣ̂)ᵗ‖_F², of each prompt; inf beyond float64.

    With Γ^½Σ̂Γ^½ = UΛUᵀ it is fᵀ(UᵀΓU ∘ UᵀΓ⁻¹U)f for f = (1 − Λ)ᵗ, O(d²) a loop.

    Args:
        gram: Σ̂, (B, d, d).
        step: diagonal of a positive Γ, (d,).
        loops: T.

    Returns:
        The errors, (T+1, B), and `largest_factor`, (B,).
    """
    root = np.sqrt(step)
    values, U = np.linalg.eigh(root[:, None] * gram * root)
    weights = (U.transpose(0, 2, 1) * step) @ U
    weights *= (U.transpose(0, 2, 1) / step) @ U
    errors, left = np.empty((loops + 1, len(gram))), np.ones_like(values)
    with np.errstate(over="ignore", invalid="ignore"):
        for t in range(loops + 1):
            errors[t] = (left * (weights @ left[..., None])[..., 0]).sum(axis=1)
            left = left * (1 - values)
    return np.where(np.isfinite(errors), errors, np.inf), values[:, -1]


def mean_with_own_step(gram: np.ndarray, loops: int) -> np.ndarray:
    """The same mean with η = 1/λ₁ of each prompt, Σ_k (1 − λ_k/λ₁)^(2t): (T+1, B).

    Args:
        gram: Σ̂, (B, d, d).
        loops: T.
    """
    values = np.linalg.eigvalsh(gram)
    shrunk, left = np.square(1 - values / values[:, -1:]), np.ones_like(values)
    errors = np.empty((loops + 1, len(gram)))
    for t in range(loops + 1):
        errors[t] = left.sum(axis=1)
        left = left * shrunk
    return errors


def largest_factor(gram: np.ndarray, step: np.ndarray) -> np.ndarray:
    """λ_max(ΓΣ̂) of every prompt, (B,), for a positive diagonal Γ: above 2 the loop diverges."""
    root = np.sqrt(step)
    return np.asarray(np.linalg.eigvalsh(root[:, None] * gram * root)[:, -1])
