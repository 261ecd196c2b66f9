"""The numbers that page, charts and files read from a sweep, on values written down here."""

import numpy as np
import pytest

from looped.experiments.context import ContextResult, ContextSettings, LearnedGrid

NAN = float("nan")


def make(**changes):
    """Three values of n at d = 4, three prompts, one loop."""
    values = {
        "settings": ContextSettings(features=4, ratios=(0.5, 1, 4), prompts=3, loops=1),
        "n": np.array([2, 4, 16]),
        "bands": np.array([[[1, 0.1]] * 3, [[1, 0.2]] * 3, [[1, 0.3]] * 3]),
        "mean": np.array([[1, 7.0], [1, 0.5], [1, 9.0]]),
        "floor": np.array([[0.6, 0.9, 0.7], [0, 0, 0], [0, 0, 0]]),
        "kappa": np.array([[3, 1, 2], [90, 10, 50], [4, 5, 9.0]]),
        "growth": np.array([[1, 2, 2.1], [2.5, 3, 1], [1, 1, 1]]),
        "of_bound": np.array([NAN, 0.4, 0.3]),
        "learned": None,
        "error": None,
    }
    return ContextResult(**values | changes)


def test_prompts_are_summed_up_for_each_n():
    result = make()
    assert result.undetermined.tolist() == [True, False, False]
    assert result.median_floor.tolist() == [0.7, 0, 0]
    assert result.median_kappa.tolist() == [2, 50, 5]
    assert result.diverging.tolist() == [1, 2, 0]  # ηλ₁ = 2 only stays as large as it is
    assert result.most_diverging == 1


def test_the_marchenko_pastur_edges_belong_to_each_ratio():
    edges = make().marchenko_pastur
    assert edges[0] == pytest.approx(((1 + 0.5**0.5) / (1 - 0.5**0.5)) ** 2)
    assert edges[1] == float("inf")
    assert edges[2] == pytest.approx(9)


def test_the_largest_share_of_the_bound_is_over_where_it_applies():
    assert make().largest_of_bound == 0.4
    assert make(of_bound=np.full(3, NAN)).largest_of_bound is None


@pytest.mark.parametrize(("ratio", "place"), [(0.1, 0), (0.69, 0), (0.72, 1), (1.9, 1), (2.1, 2), (100, 2)])
def test_the_nearest_ratio_is_nearest_by_the_quotient(ratio, place):
    assert make().nearest(ratio) == place


def test_where_few_prompts_dominate_the_largest_mean_comes_first():
    assert make().ruled_by_few(1).tolist() == [2, 0]


def test_the_trained_grid_finds_its_nearest_loops_and_its_most_antisymmetric_matrix():
    A = np.zeros((2, 3, 2, 2)) + np.eye(2)
    A[1, 2] = [[1, 2], [-2, 1]]  # antisymmetric part of length √8 in one of √10
    A[0, 1] = [[1, 9], [9, 1]]  # symmetric
    grid = LearnedGrid(n=np.array([4, 12]), loops=np.array([2, 10, 40]), error=np.zeros((2, 3, 1)), A=A)
    assert grid.most_antisymmetric == (1, 2)
    assert grid.antisymmetric[1, 2] == pytest.approx(0.8**0.5)
    assert [grid.nearest(T) for T in (1, 4, 5, 19, 21, 1000)] == [0, 0, 1, 1, 2, 2]
    assert make(learned=grid).learned_ratio.tolist() == [1, 3]
