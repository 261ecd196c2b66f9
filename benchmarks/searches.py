"""The searches that the package keeps, compared with scipy.optimize: CPU seconds, and the lower of both minima.

`python benchmarks/searches.py [TASKS]`, in one thread; TASKS (3) is the number of tasks in the last line. A ratio is
the value at scipy's minimum over the value at the package's.
"""

import itertools
import math
import os
import sys
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from scipy.optimize import minimize, minimize_scalar

from looped.algorithms.gdpp import best_numbers
from looped.shared_signal.lsa_minimum import _Reduced, _starts, lsa_minima
from looped.shared_signal.risks import exact_risk
from looped.shared_signal.tasks import SignalTask
from looped.training import evaluate, gdpp, wishart
from looped.training.stream import PromptStream

Function = Callable[..., float]


class Pair:
    """Seconds and least values of two searches, ours and scipy's, over many settings."""

    def __init__(self) -> None:
        self.seconds, self.ratios, self.moves = np.zeros(2), [], []

    def run(self, place: int, search: Callable):
        """The result of a search, its time added to that of the package (0) or of scipy (1)."""
        began = time.process_time()
        found = search()
        self.seconds[place] += time.process_time() - began
        return found

    def say(self, name: str) -> None:
        """Print one line."""
        ratios = np.array(self.ratios)
        print(
            f"{name}: {self.seconds[0]:.2f} s, scipy {self.seconds[1]:.2f} s over {len(ratios)} settings; ratio − 1 "
            f"from {ratios.min() - 1:.1e} to {ratios.max() - 1:.1e}, {(ratios < 0.99).sum()} below 0.99, "
            f"{(ratios > 1.01).sum()} above 1.01"
            + (f"; the minimum moves by up to {max(self.moves):.1e}" if self.moves else ""),
            flush=True,
        )


def bounded(function: Function, low: float, high: float, accuracy: float) -> float:
    """Brent's search between two bounds."""
    return float(minimize_scalar(function, bounds=(low, high), method="bounded", options={"xatol": accuracy}).x)


def thirds() -> None:
    """`wishart.best_descent`: the step of the least exact risk."""
    pair = Pair()
    for T in (1, 2, 5, 10, 20):
        for n, d in ((20, 5), (10, 10), (8, 2), (40, 20)):
            for noise in (0.0, 0.5):

                def risk(a: float, T=T, n=n, d=d, noise=noise) -> float:
                    return wishart.descent_risk(a, T, n, d, noise)

                def theirs(risk=risk) -> float:
                    grid = [2.0 ** (1 - i / 4) for i in range(100)]
                    place = min(range(100), key=lambda i: risk(grid[i]))
                    low, high = grid[min(place + 1, 99)], grid[max(place - 1, 0)]
                    return bounded(risk, low, high, wishart.ACCURACY * high)

                risk(1.0)  # its coefficients are kept
                a, least = pair.run(0, lambda T=T, n=n, d=d, noise=noise: wishart.best_descent(T, n, d, noise))
                b = pair.run(1, theirs)
                pair.ratios.append(risk(b) / least)
                pair.moves.append(abs(b / a - 1))
    pair.say("thirds, best_descent")


def golden_section() -> None:
    """`evaluate.tuned_descent`: the step that is best for given prompts, after its grid."""
    pair, ours = Pair(), evaluate._golden_section

    def both(risk: Function, low: float, high: float) -> float:
        a = pair.run(0, lambda: ours(risk, low, high))
        b = pair.run(1, lambda: bounded(risk, low, high, 1e-4 * (high - low)))
        pair.ratios.append(risk(b) / risk(a))
        pair.moves.append(abs(b / a - 1))
        return a

    evaluate._golden_section = both
    for seed in range(10):
        for T, n, d in ((2, 8, 2), (10, 20, 5), (20, 40, 10)):
            batch = PromptStream(examples=n, features=d).draw(2000, torch.Generator().manual_seed(seed))
            evaluate.tuned_descent(batch, T)
    evaluate._golden_section = ours
    pair.say("golden section, tuned_descent")


def pattern() -> None:
    """`training.gdpp.search`: two numbers for all prompts, against Nelder and Mead from the three best starts."""
    pair = Pair()
    for n, d, T in itertools.product((8, 20), (2, 5), (1, 2, 3, 5, 10)):
        spectra = evaluate.spectra(n, d, 2000, 0)
        mean = float(spectra[0].mean())

        def value(point: tuple[float, float], T=T, spectra=spectra) -> float:
            a = math.exp(point[0])
            found = gdpp.risk(a, a * point[1], T, *spectra)
            return found if math.isfinite(found) else math.inf

        def theirs(value=value, mean=mean) -> float:
            starts = [(math.log(a / mean), p) for a in (0.5, 1.0, 1.5, 2.5, 4.0) for p in (0.0, 0.05, 0.1)]
            return min(
                minimize(value, start, method="Nelder-Mead", options={"xatol": 1e-3, "fatol": 0.0, "maxiter": 150}).fun
                for start in sorted(starts, key=value)[:3]
            )

        best = pair.run(0, lambda T=T, spectra=spectra: gdpp.search(T, *spectra))
        pair.ratios.append(pair.run(1, theirs) / best.risk)
    pair.say("pattern search, training.gdpp.search")


def grids() -> None:
    """`algorithms.gdpp.best_numbers`: two numbers for the worst mode, against Nelder and Mead from four starts."""
    pair, eps = Pair(), float(np.finfo(np.float64).eps)
    for kappa in (1.5, 5.0, 20.0, 100.0, 1000.0):
        for T in (1, 3, 10, 30):
            shares = np.geomspace(1, 1 / kappa, 33)

            def worst(point: tuple[float, float], T=T, shares=shares) -> float:
                h, left, most = point[0] * shares, np.ones(33), 1.0
                for _ in range(T):
                    left = left * (1 - point[1] * h)
                    most = max(most, np.abs(left).max())
                    h = h * (1 - h) ** 2
                return float(np.abs(left).max() + eps * most)

            def theirs(worst=worst) -> float:
                bounds = ((0.05, 0.999), (1.0, 350.0))
                starts = ((0.3, 3.0), (0.5, 2.0), (0.2, 10.0), (0.7, 5.0))
                return min(minimize(worst, start, method="Nelder-Mead", bounds=bounds).fun for start in starts)

            ours = pair.run(0, lambda kappa=kappa, T=T: best_numbers(kappa, T, eps))
            pair.ratios.append(pair.run(1, theirs) / worst(ours))
    pair.say("two grids, algorithms.gdpp.best_numbers")


def batched_bfgs(tasks: int) -> None:
    """`lsa_minima`: all starts of all tasks in one batch, against scipy's BFGS from each start alone."""
    pair, rng = Pair(), np.random.default_rng(0)
    drawn = [SignalTask.shared(10, int(rng.integers(2, 61)), float(rng.uniform(0, 12)), 0.5) for _ in range(tasks)]
    ours = pair.run(0, lambda: lsa_minima(drawn))
    for task, best in zip(drawn, ours, strict=True):
        view = _Reduced.of(task)

        def value(r: np.ndarray, view=view) -> tuple[float, np.ndarray]:
            with np.errstate(all="ignore"):
                risk, slope = view.risk_and_slope(r[None])
            return (float(risk[0]), slope[0]) if np.isfinite(risk[0]) else (math.inf, 0 * slope[0])

        def theirs(view=view, value=value) -> np.ndarray:
            ends = [minimize(value, r / np.linalg.norm(r), jac=True) for r in _starts(view)]
            return min(ends, key=lambda end: end.fun if math.isfinite(end.fun) else math.inf).x

        found = view.weights(task, pair.run(1, theirs))
        pair.ratios.append(exact_risk(task, found) / best.risk)
    pair.say("batched BFGS, lsa_minima")


if __name__ == "__main__":
    torch.set_num_threads(1)
    thirds()
    golden_section()
    pattern()
    grids()
    batched_bfgs(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
