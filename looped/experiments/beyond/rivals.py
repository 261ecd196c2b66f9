"""EAGLE and its rivals: the loops that each algorithm needs, against κ."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal, localcontext
from itertools import count
from typing import Any

import numpy as np
import torch

from looped import Settings
from looped.algorithms import ALGORITHMS
from looped.algorithms.gdpp import AUTO, best_numbers
from looped.algorithms.run import looped_iterates
from looped.experiments.beyond.settings import BeyondSettings
from looped.prompts import draw

METHODS = {
    "gd": "Gradient descent", "heavy-ball": "Heavy ball", "gd++": "GD++", "newton": "Iterative Newton",
    "eagle": "EAGLE", "cg": "Conjugate gradients",
}  # fmt: skip
"""Every method by its id, in the order of the legend."""
TAIL = 1e3
"""Slopes are fitted from this κ on."""
SEARCHED = ((0.3689, 27.019), (1.169, 29.185), (1.934, 40.0), (1.7219, 77.25), (1.9391, 76.207), (1.9566, 77.94))
"""γλ₁ and a/γ of GD++ with the fewest loops to 1e-8 that a search found at d = 10 and κ = 10, 10^1.5 … 10³, and 10⁴."""
MOST_LOOPS = 20_000
"""GD++ is followed for so many loops; where it needs more it is left out."""
DIGITS = 60
"""Decimal digits in which conjugate gradients are counted."""
_RUN = ("gd", "heavy-ball", "newton", "eagle")
CHECKED = ((10.0, _RUN), (100.0, _RUN), (1e4, _RUN[2:]))
"""Condition numbers and algorithms for which the looped transformer itself is run; GD++'s numbers are searched."""


@dataclass(frozen=True)
class Rivals:
    """Loops to the error asked for, by method and κ."""

    settings: BeyondSettings
    kappa: np.ndarray
    """κ of XᵀX, (K,)."""
    loops: dict[str, np.ndarray]
    """Loops of every method, (K,), float64; NaN where it was not followed so far."""
    in_float64: np.ndarray
    """Steps that conjugate gradients take in float64, (K,)."""
    checks: list[tuple[str, float, int, int]]
    """Method, κ, loops by the modes, and the loops that the looped transformer took."""

    @property
    def passed(self) -> bool:
        """Whether the looped transformer took as many loops as the modes say, wherever it was run."""
        return all(counted == taken for _, _, counted, taken in self.checks)

    @property
    def slopes(self) -> dict[str, float | None]:
        """d log T/d log κ of the first three methods by least squares over κ from `TAIL` on; None for fewer than 3."""
        return {name: self._slope(name, np.log) for name in ("gd", "heavy-ball", "gd++")}

    @property
    def loops_per_decade(self) -> dict[str, float | None]:
        """Loops more for every tenfold κ, by least squares over κ from `TAIL` on, for Newton and EAGLE."""
        return {name: self._slope(name, lambda loops: loops * np.log(10)) for name in ("newton", "eagle")}

    def _slope(self, name: str, of: Callable[[np.ndarray], np.ndarray]) -> float | None:
        used = (self.kappa >= TAIL * (1 - 1e-9)) & np.isfinite(self.loops[name])
        if used.sum() < 3:
            return None
        return float(np.polyfit(np.log(self.kappa[used]), of(self.loops[name][used]), 1)[0])

    @property
    def results(self) -> dict[str, Any]:
        """Verdicts and scalars, ready for JSON."""
        last = {name: None if np.isnan(loops[-1]) else int(loops[-1]) for name, loops in self.loops.items()}
        return {
            "slopes": self.slopes, "loops_per_decade": self.loops_per_decade, "loops_at_largest_kappa": last,
            "conjugate_gradients_in_float64": int(self.in_float64[-1]),
            "transformer_takes_as_many": self.passed,
            "checks": [dict(zip(("algorithm", "kappa", "counted", "taken"), row, strict=True)) for row in self.checks],
        }  # fmt: skip

    @property
    def curves(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Series by name, each with its places."""
        return {name: (self.kappa, loops) for name, loops in {**self.loops, "cg in float64": self.in_float64}.items()}

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """kappa (K,), and loops_… (K,) for every method."""
        named = {f"loops_{name.replace('++', 'pp').replace('-', '_')}": loops for name, loops in self.loops.items()}
        return {"kappa": self.kappa, **named, "loops_cg_in_float64": self.in_float64}


def rivals(settings: BeyondSettings) -> Rivals:
    """Count the loops of every method for κ from 1 to the largest, two values for every decade."""
    top = np.log10(settings.largest_condition)
    kappa = 10.0 ** np.union1d(np.arange(0, top, 0.5), [top])
    if settings.features == 1:
        kappa = np.ones(1)
    d, target = settings.features, settings.target_error
    spectra = [np.geomspace(1, 1 / value, d) for value in kappa]
    loops = {
        "gd": [by_bisection(descent(values), target) for values in spectra],
        "heavy-ball": [by_bisection(heavy_ball(values), target) for values in spectra],
        "gd++": gdpp_loops(spectra, target),
        "newton": [first_below(newton(values), target) for values in spectra],
        "eagle": [first_below(eagle(values), target) for values in spectra],
        "cg": [conjugate_gradients(values, target, exact=True) for values in spectra],
    }
    counted = {name: np.array(taken, dtype=float) for name, taken in loops.items()}
    floating = [conjugate_gradients(values, target, exact=False) for values in spectra]
    checks = list(_checks(settings, kappa, counted))
    return Rivals(settings, kappa, counted, np.array(floating, dtype=float), checks)


def size(left: np.ndarray) -> float:
    """‖w − w*‖/‖w*‖ where w* has an equal share in every mode: the root mean square of what is left of each."""
    with np.errstate(over="ignore"):
        return float(np.sqrt(np.square(left).mean()))


def by_bisection(left: Callable[[int], np.ndarray], target: float) -> int:
    """The first loop at which the error is at most the target, for an error that falls."""
    high = 1
    while size(left(high)) > target:
        high *= 2
    low = high // 2  # above the target, or 0
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if size(left(middle)) <= target else (middle, high)
    return high


def first_below(left: Iterator[np.ndarray], target: float) -> int:
    """The first loop at which the error is at most the target, what is left after loops 0, 1, 2 … being given."""
    return next(loop for loop, modes in enumerate(left) if size(modes) <= target)


def descent(values: np.ndarray) -> Callable[[int], np.ndarray]:
    """|1 − ηλ|ᵗ at the best constant η = 2/(λ₁+λ_d).

    It is 1 − η·min(λ, λ₁ − λ + λ_d), whose logarithm keeps all digits: a billion loops are counted without a mistake.
    """
    near = 2 * np.minimum(values, values[0] - values + values[-1]) / (values[0] + values[-1])
    with np.errstate(divide="ignore"):
        logarithms = np.log1p(-near)
    return lambda loops: np.exp(loops * logarithms)


def heavy_ball(values: np.ndarray) -> Callable[[int], np.ndarray]:
    """What heavy ball leaves at Polyak's η and μ, from the roots r² − (1+μ−ηλ)r + μ of size √μ.

    f_t = √μᵗ (cos tθ + c sin tθ) with cos θ = (1+μ−ηλ)/(2√μ) and c from f_1 = 1 − ηλ; at both ends of the spectrum θ is
    0 or π, and f_t = ±√μᵗ (1 + ct).
    """
    low, high = np.sqrt(values[-1]), np.sqrt(values[0])
    eta, root = 4 / (low + high) ** 2, (high - low) / (high + low)
    first = 1 - eta * values
    if root == 0:
        return lambda _: np.zeros_like(values)
    half = np.clip((first + root**2) / (2 * root), -1, 1)
    half[[0, -1]] = -1, 1
    theta = np.arccos(half)
    inner = np.sin(theta) > 1e-12
    sine = np.where(inner, np.sin(theta), 1)

    def left(loops: int) -> np.ndarray:
        inside = np.cos(loops * theta) + np.sin(loops * theta) * (first / root - half) / sine
        edge = half**loops * (1 + loops * (first / (root * half) - 1)) if not inner.all() else inside
        return np.asarray(root ** float(loops) * np.where(inner, inside, edge))

    return left


def newton(values: np.ndarray) -> Iterator[np.ndarray]:
    """(1 − ηλ) to the power 2ᵗ⁻¹ at η = 2/(λ₁+λ_d), the start's best constant."""
    left = 1 - 2 * values / (values[0] + values[-1])
    yield np.ones_like(values)
    while True:
        yield left
        left = left**2


def eagle(values: np.ndarray, contraction: float = 1 / 3, reach: float = 1.0) -> Iterator[np.ndarray]:
    """Π(1 − γh/h₁), h ← h(1 − ηh/h₁)²: the paper's η is `contraction`, its γ is `reach`, h₁ the largest h."""
    left, h = np.ones_like(values), values
    while True:
        yield left
        share = h / h.max()
        left, h = left * (1 - reach * share), share * (1 - contraction * share) ** 2


def gdpp_loops(spectra: list[np.ndarray], target: float) -> list[float]:
    """Loops of GD++ with the best of some pairs of γλ₁ and a/γ, NaN beyond `MOST_LOOPS`.

    The pairs are those with which GD++ is best after 8, 16, 32 and 64 loops at each κ, as the first page finds them,
    its pair `auto`, and those of `SEARCHED`. Pairs whose growth on the way would lose the target in rounding are
    left out. From 100 loops on counts are rounded up to a multiple of 16.
    """
    eps = float(np.finfo(float).eps)
    runs = [
        (place, pair)
        for place, values in enumerate(spectra)
        for pair in {AUTO, *SEARCHED, *(best_numbers(float(values[0] / values[-1]), T, eps) for T in (8, 16, 32, 64))}
    ]
    h = np.array([spectra[place] for place, _ in runs])
    gamma, ratio = np.array([pair for _, pair in runs]).T[:, :, None]
    left, most = np.ones_like(h), np.ones(len(runs))
    found = [np.nan] * len(spectra)
    where = np.array([place for place, _ in runs])
    with np.errstate(over="ignore", invalid="ignore"):
        for loop in range(1, MOST_LOOPS + 1):
            change = gamma * h
            left, h = left * (1 - ratio * change), h * (1 - change) ** 2
            if loop < 100 or loop % 16 == 0:
                most = np.maximum(most, np.abs(left).max(axis=1))
                done = np.sqrt(np.square(left).mean(axis=1)) <= target
                for run in np.flatnonzero(done & (eps * most <= target)):
                    place = int(where[run])
                    found[place] = loop if np.isnan(found[place]) else found[place]
                keep = ~done & (eps * most <= target) & np.isnan(np.array(found))[where]
                if not keep.all():
                    h, left, gamma, ratio = h[keep], left[keep], gamma[keep], ratio[keep]
                    most, where = most[keep], where[keep]
                if not len(h):
                    break
    return found


def conjugate_gradients(values: np.ndarray, target: float, exact: bool) -> int:
    """Steps of conjugate gradients on diag(λ) w = λ w*, w* with an equal share in every mode.

    Args:
        values: λ, (d,).
        target: relative error of w to be reached.
        exact: compute with `DIGITS` decimal digits, in which it ends after at most d steps; else in float64.
    """
    with localcontext() as context:
        context.prec = DIGITS
        number: Callable[[float], Any] = Decimal if exact else float
        lam = [number(value) for value in values.tolist()]
        away = [number(1.0)] * len(lam)  # w* − w
        residual = [a * b for a, b in zip(lam, away, strict=True)]
        direction, limit = list(residual), number(target) ** 2 * len(lam)
        square = sum(r * r for r in residual)
        for step in count():
            if sum(a * a for a in away) <= limit or square == 0:
                return step
            image = [a * p for a, p in zip(lam, direction, strict=True)]
            alpha = square / sum(p * q for p, q in zip(direction, image, strict=True))
            away = [a - alpha * p for a, p in zip(away, direction, strict=True)]
            residual = [r - alpha * q for r, q in zip(residual, image, strict=True)]
            before, square = square, sum(r * r for r in residual)
            direction = [r + square / before * p for r, p in zip(residual, direction, strict=True)]
    raise AssertionError("unreachable")


def _checks(
    settings: BeyondSettings, kappa: np.ndarray, counted: dict[str, np.ndarray]
) -> Iterator[tuple[str, float, int, int]]:
    """Run the looped transformer on a prompt with these eigenvalues, and count its loops."""
    for value, names in CHECKED:
        place = int(np.argmin(np.abs(kappa - value)))
        if not np.isclose(kappa[place], value):
            continue
        for name in names:
            loops = counted[name][place]
            if np.isnan(loops):
                continue
            run = Settings(
                algorithm=name, loops=int(loops), examples=2 * settings.features, features=settings.features,
                condition_number=value, prompts=1, step_size="optimal",
            )  # fmt: skip
            batch = draw(run)
            task = batch.spectrum.eigenvectors.sum(dim=2)
            even = type(batch)(X=batch.X, y=torch.einsum("bnd,bd->bn", batch.X, task), w_star=None)
            iterates = looped_iterates(ALGORITHMS[name](run, even))
            errors = np.linalg.norm(iterates - task.numpy(), axis=2)[:, 0] / float(task.norm())
            taken = int((errors > settings.target_error * (1 + 1e-6)).sum())
            yield name, value, int(loops), taken
