"""The estimated rounding floor against errors of converged runs."""

import numpy as np
import pytest

from looped import Settings, compare
from looped.algorithms import ALGORITHMS
from looped.settings import FIELDS
from tests.thorough import thorough_but

NAMES = [
    name for name in ALGORITHMS if compare(Settings(algorithm=name, loops=1, prompts=2)).rounding_floor is not None
]
"""The algorithms that have an estimate: those that converge to the solution."""
WITHIN = 4.0
"""Factor within which the estimate lies in 9 of 10 settings, as README and docstrings say."""


def converged(setting):
    """The run after enough loops for its closed form to be far below rounding; None if T would be too large."""
    eps, first = np.finfo(setting.dtype).eps, compare(setting.replace(loops=1))
    factor = first.prediction.factor
    if first.prediction.kind != "converges" or first.rank < 2:  # one mode may come out without any rounding
        return None
    loops = np.log(1e-3 * eps) / np.log(max(factor, 1e-9)) + 30
    if setting.algorithm == "newton":
        loops = 2 * np.log2(first.condition_number) + 20
    if setting.algorithm == "gd++":
        loops = 2000
    result = compare(setting.replace(loops=int(min(max(loops, 8), 10_000))))
    return result if result.closed_form[-1].max() < 1e-2 * eps else None


def ratio(result):
    """Estimate over measurement, medians over prompts, the errors averaged over the last loops; None if that is 0."""
    measured = np.median(result.errors[-4:].mean(axis=0))
    return np.median(result.rounding_floor) / measured if measured > 0 else None


@pytest.mark.parametrize("form", ["state", "token"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kappa", thorough_but(lambda kappa: kappa == 4, [1.5, 4.0, 30.0]))
def test_the_rounding_floor_is_where_a_converged_error_stays(name, kappa, dtype, form):
    setting = Settings(algorithm=name, condition_number=kappa, prompts=8, dtype=dtype, form=form, step_size="optimal")
    result = converged(setting.replace(noise=0.3))
    assert 1 / 6 <= ratio(result) <= 6
    assert result.curves["rounding_floor"][0] == np.median(result.rounding_floor)


def random_setting(generator):
    def one(*choices):
        return choices[generator.integers(len(choices))]

    return Settings(
        algorithm=one(*NAMES),
        condition_number=float(10 ** generator.uniform(0, one(1, 4))),
        examples=int(np.exp(generator.uniform(np.log(2), np.log(800)))),
        features=int(np.exp(generator.uniform(np.log(2), np.log(60)))),
        ridge=float(10 ** generator.uniform(-3, 1)),
        dtype=one("float64", "float32"),
        form=one("state", "token"),
        layout=one("compact", "slots"),
        step_size=one("auto", "optimal"),
        data=one("exact", "gaussian", "correlated"),
        spectrum=one(*FIELDS["spectrum"].ids),
        noise=one(0.0, 0.3, 3.0),
        seed=int(generator.integers(10**6)),
        prompts=8,
    )


@pytest.mark.slow
def test_the_estimate_is_as_near_as_it_says_on_random_settings():
    generator, ratios, high = np.random.default_rng(5), [], []
    while len(ratios) < 300:
        setting = random_setting(generator)
        try:
            result = converged(setting)
        except ValueError:  # beyond the limits of time and memory
            continue
        found = None if result is None else ratio(result)
        if found is not None:
            ratios.append(found)
            high.append(result.condition_number < 10)
    low, middle, top = np.quantile(ratios, [0.025, 0.5, 0.975])
    print(f"estimate over measured: 2.5 % {low:.2f}, median {middle:.2f}, 97.5 % {top:.2f}, ", end="")
    print(f"all {min(ratios):.3f} to {max(ratios):.1f}; below κ = 10 at most {np.max(np.array(ratios)[high]):.1f}")
    assert np.mean([1 / WITHIN <= value <= WITHIN for value in ratios]) >= 0.88
    assert 0.5 < middle < 2
    assert np.max(np.array(ratios)[high]) < 10
