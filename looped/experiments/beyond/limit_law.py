"""The eigenvalues of Σ̂ = XᵀX/n in the limit of large n and d at one n/d: Marchenko and Pastur's law and its kin."""

from collections.abc import Callable

import numpy as np

NODES = 2048
"""Places at which a law is summed, shared by its intervals, and at the least `FEWEST` in each."""
FEWEST = 128
HALVINGS = 100
"""Steps of a bisection, which end at neighbouring numbers."""
NEWTON = 100
"""The most steps of Newton's method, which rises to the root and takes some ten."""


def limit_law(eigenvalues: np.ndarray, examples: int) -> tuple[np.ndarray, np.ndarray]:
    """Places z and weights of the law μ with ∫f dμ = lim tr(Σf(Σ̂))/tr Σ, for many copies of every λ, at one n/d.

    Each t = x + iy with y > 0 and Σ_k λ_k²/|t − λ_k|² = n gives the place z = t(1 + Σ_k λ_k/(t − λ_k)/n), which is
    real, and the weight n y dz/(π z tr Σ). Where n < d the rest lies at z = 0. For Σ = I this is Marchenko and Pastur's
    law: t = 1 + √g exp(iθ), g = d/n, and z = 1 + g + 2√g cos θ.

    Args:
        eigenvalues: λ of Σ, (d,).
        examples: n.

    Returns:
        z and weights, (K,) each; the weights add up to 1 but for the error of the midpoints.

    Source: Marchenko and Pastur (1967), Silverstein (1995), for the equation of z; Ledoit and Péché (2011) for the
    weights with Σ.
    """
    squares, n = eigenvalues**2, examples
    edges = _edges(eigenvalues, n)
    nodes = max(FEWEST, NODES // len(edges))
    theta = (np.arange(nodes) + 0.5) * np.pi / nodes
    low, high = edges.T[:, :, None]
    x = ((low + high) / 2 + (high - low) / 2 * np.cos(theta)).ravel()
    away = x[:, None] - eigenvalues
    height = np.maximum(squares / n - away**2, 0).max(axis=1)  # y², from below: one term alone
    for _ in range(NEWTON):
        size = away**2 + height[:, None]
        more = ((squares / size).sum(axis=1) - n) / (squares / size**2).sum(axis=1)
        height += np.maximum(more, 0)
        if (more <= 1e-15 * height).all():
            break
    y = np.sqrt(height)
    size = away**2 + height[:, None]
    t = x + 1j * y
    z = (t * (1 + (eigenvalues / (t[:, None] - eigenvalues)).sum(axis=1) / n)).real
    slope = 1 - (squares / (t[:, None] - eigenvalues) ** 2).sum(axis=1) / n  # dz/dt
    along = (squares * away / size**2).sum(axis=1) / (squares / size**2).sum(axis=1)  # −y dy/dx
    dx = ((high - low) / 2 * np.sin(theta)).ravel() * np.pi / nodes
    weights = n / (np.pi * eigenvalues.sum()) * (slope.real * y + slope.imag * along) / z * dx
    return np.append(z, 0.0), np.append(weights, max(0.0, 1 - weights.sum()) if n < len(eigenvalues) else 0.0)


def _edges(eigenvalues: np.ndarray, n: int) -> np.ndarray:
    """The intervals of x where Σ_k λ_k²/(x − λ_k)² > n, (K, 2)."""
    lam = np.unique(eigenvalues)
    squares = eigenvalues**2

    def above(x: np.ndarray) -> np.ndarray:
        return np.asarray((squares / (x[:, None] - eigenvalues) ** 2).sum(axis=1) > n)

    def rising(x: np.ndarray) -> np.ndarray:
        return np.asarray((squares / (eigenvalues - x[:, None]) ** 3).sum(axis=1) > 0)

    reach = np.sqrt(squares.sum() / n)
    with np.errstate(divide="ignore"):
        middle = _bisect(lambda x: ~rising(x), lam[:-1], lam[1:])  # the lowest place between two neighbours
        gap = ~above(middle)
        left = _bisect(above, np.append(lam[:-1][gap], lam[-1]), np.append(middle[gap], lam[-1] + reach))
        right = _bisect(above, np.append(lam[1:][gap], lam[0]), np.append(middle[gap], lam[0] - reach))
    return np.column_stack([np.roll(right, 1), left])


def _bisect(inside: Callable[[np.ndarray], np.ndarray], within: np.ndarray, beyond: np.ndarray) -> np.ndarray:
    """Where what holds at `within` ends, on the way to `beyond`."""
    for _ in range(HALVINGS):
        middle = (within + beyond) / 2
        holds = inside(middle)
        within, beyond = np.where(holds, middle, within), np.where(holds, beyond, middle)
    return within
