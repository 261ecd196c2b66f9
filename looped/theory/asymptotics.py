"""The number of examples that is enough: Marchenko and Pastur's law for large d, and the theorem on learned weights."""

import math
from functools import lru_cache

import numpy as np


def marchenko_pastur_condition_number(ratio: float) -> float:
    """κ of XᵀX/n for independent rows 𝓝(0, I) as n and d grow with n/d = `ratio`: ((1+√(d/n))/(1−√(d/n)))².

    For n < d it is the κ of the non-zero eigenvalues, the same with n and d exchanged; infinite at n = d. An
    asymptotic figure: small d has a smaller median.

    Source: Marchenko and Pastur's law, its edges.
    """
    root = min(ratio, 1 / ratio) ** 0.5
    return float("inf") if root == 1 else ((1 + root) / (1 - root)) ** 2


def exponential_requirement(loops: int, features: int) -> float:
    """log₁₀ of n > 64 L² d⁴ 8^{4L}: examples for which c₀ < 1 in the theorem on learned weights.

    Source: derived for this project from c₀ = 8δd^{1/(2L)}, δ = (8Ld/√n)^{1/(2L)} of Gatmiry et al., ICML 2024, arXiv
    2410.08292, which was read in third-party notes. A statement about weights that minimise the loss, not about the
    construction.
    """
    return float(np.log10(64) + 2 * np.log10(loops) + 4 * np.log10(features) + 4 * loops * np.log10(8))


def sufficient_ratio(loops: int, target: float, step_size: str) -> float:
    """c for which n = c·d Gaussian examples are enough in the limit of large d: the rate at Marchenko and Pastur's κ.

    (1 − 1/κ)^T = ε for η = 1/λ₁ (auto), ((κ−1)/(κ+1))^T = ε for 2/(λ₁+λ_d) (optimal), solved for κ; then
    n/d = ((√κ+1)/(√κ−1))², the inverse of `marchenko_pastur_condition_number`.

    Args:
        loops: T, at least 1.
        target: ε, the relative error to be reached, between 0 and 1.
        step_size: "auto" or "optimal".

    Source: derived for this project; about the construction.
    """
    left = target ** (1 / loops)
    kappa = 1 / (1 - left) if step_size == "auto" else (1 + left) / (1 - left)
    root = kappa**0.5
    return float(((root + 1) / (root - 1)) ** 2)


def limit_error(ratio: float, loops: np.ndarray, step_size: str) -> np.ndarray:
    """Relative error ‖w_T − w*‖/‖w*‖ after T loops in the limit of large n and d at n/d = `ratio`, for every prompt.

    With w* of random direction the squared error is the mean of (1 − ηλ)^{2T} over the eigenvalues of XᵀX/n. In the
    limit they follow Marchenko and Pastur's law: λ = 1 + γ + 2√γ·cos θ with γ = d/n and the weight
    (2√γ·sin θ)²/(2πγλ) dθ, and for n < d a share 1 − n/d of them is 0. The integral over θ is a mean over midpoints.

    Args:
        ratio: n/d, above 0.
        loops: values of T, (m,).
        step_size: "auto" for 1/λ₁ or "optimal" for 2/(λ₁+λ_d), at the edges of the law.

    Returns:
        (m,).

    Source: Marchenko and Pastur's law; derived for this project.
    """
    root = ratio**-0.5
    theta = (np.arange(512) + 0.5) * np.pi / 512
    values = 1 + root**2 + 2 * root * np.cos(theta)
    share = 2 * np.sin(theta) ** 2 / values / 512
    low, high = (1 - root) ** 2, (1 + root) ** 2
    eta = 1 / high if step_size == "auto" else 2 / (low + high)
    left = np.abs(1 - eta * values)[:, None] ** (2.0 * np.asarray(loops))
    squared: np.ndarray = max(0.0, 1 - ratio) + share @ left
    return np.sqrt(squared)


@lru_cache(maxsize=1024)
def limit_ratio(loops: int, target: float, step_size: str) -> float:
    """The n/d at which `limit_error` after T loops equals `target`: the need for examples in the limit of large d.

    Args:
        loops: T, at least 1.
        target: relative error, between 0 and 1.
        step_size: "auto" or "optimal".
    """
    from scipy.optimize import brentq  # 0.2 s to import

    def above(log_ratio: float) -> float:
        return float(limit_error(math.exp(log_ratio), np.array([loops]), step_size)[0]) - target

    return math.exp(brentq(above, math.log(1e-3), math.log(1e30)))
