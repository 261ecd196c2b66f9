"""The stored default is what the present code computes."""

import json

import numpy as np
import pytest
import torch

from looped import export
from looped.experiments.context import ContextSettings, sweep
from looped.experiments.context.learned import train_steps
from looped.experiments.context.stored import COMMAND, SETTINGS, answers, stored, write


def test_the_stored_construction_is_the_present_one():
    result, fresh = stored()[0], sweep(ContextSettings())
    assert result.settings == SETTINGS
    np.testing.assert_allclose(result.bands, fresh.bands, rtol=1e-6, atol=1e-13)
    np.testing.assert_allclose(result.kappa, fresh.kappa, rtol=1e-8)
    np.testing.assert_allclose(result.floor, fresh.floor, rtol=1e-8, atol=1e-13)
    np.testing.assert_allclose(result.of_bound, fresh.of_bound, rtol=1e-4)


@pytest.mark.parametrize(("n", "loops"), [(20, 2), (40, 5)])
def test_the_stored_training_is_the_present_one(n, loops):
    grid = stored()[0].learned
    *_, cell = train_steps(SETTINGS, n, loops)
    i, j = list(grid.n).index(n), list(grid.loops).index(loops)
    np.testing.assert_allclose(grid.A[i, j], cell.A, atol=1e-3)
    np.testing.assert_allclose(np.median(grid.error[i, j]), np.median(cell.error), rtol=1e-2)


def test_the_stored_file_says_where_it_comes_from():
    provenance = stored()[1]
    assert provenance["command"] == COMMAND
    assert {"looped", "torch", "numpy", "python"} <= provenance["versions"].keys()
    assert provenance["date"] >= "2026"
    assert provenance["hardware"]


def test_it_answers_whatever_only_looks_at_it():
    assert answers(ContextSettings(shown_loops=7, target_error=0.2)).settings.shown == 7
    assert answers(SETTINGS).learned is not None
    assert answers(ContextSettings(seed=1)) is None
    assert answers(ContextSettings(loops=199)) is None


def test_learned_weights_need_fewer_examples_than_one_over_lambda_and_about_as_many_as_the_best_constant_step():
    """The statements of page and README about the stored grid."""
    result = stored()[0]
    loops = result.learned.loops
    learned, constructed = result.learned_needed_ratio(1e-3), result.needed_ratio(1e-3)[loops]
    both = np.isfinite(learned) & np.isfinite(constructed)
    assert both.sum() >= 6
    assert (learned[both] < 0.85 * constructed[both]).all()
    best = sweep(ContextSettings(step_size="optimal")).needed_ratio(1e-3)[loops]
    both = np.isfinite(learned) & np.isfinite(best)
    np.testing.assert_allclose(learned[both], best[both], rtol=0.35)


def test_over_many_fresh_prompts_the_mean_error_of_a_trained_a_is_ruled_by_rare_ones():
    """The reason to compare medians: at n = 2d and T = 50, over 20,000 spectra, w* integrated out."""
    grid = stored()[0].learned
    A = torch.tensor(grid.A[list(grid.n).index(20), list(grid.loops).index(50)])
    X = torch.randn(20_000, 20, 10, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    left = torch.linalg.matrix_power(torch.eye(10, dtype=torch.float64) - A.T @ (X.mT @ X / 20), 50)
    squared = left.square().sum((1, 2))
    assert squared.mean() > 10 * squared.median()
    assert squared.median() < 0.01


def test_its_files_hold_the_errors_of_every_prompt():
    result = answers(ContextSettings())
    arrays = export.of(result).arrays()
    np.testing.assert_allclose(arrays["error"], sweep(ContextSettings()).error)
    assert arrays["learned_error"].shape == (12, 8, 64)
    summary = json.loads(export.of(result).summary_json())
    assert summary["learned"]["T"] == [2, 5, 7, 10, 15, 20, 30, 50]
    assert summary["stored"]["command"] == COMMAND


def test_what_is_written_is_read_again(tmp_path, monkeypatch):
    result = stored()[0]
    monkeypatch.setattr("looped.provenance.STORED", tmp_path)
    write(result, tmp_path / "context.npz")
    again, provenance = stored.__wrapped__()
    np.testing.assert_array_equal(again.bands, result.bands)
    np.testing.assert_array_equal(again.learned.A, result.learned.A)
    assert provenance["settings"]["learned"] is True
