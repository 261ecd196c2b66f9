"""The trained preconditioner: trained for its n and T, evaluated on the construction's own prompts."""

import numpy as np
import pytest
import torch

from looped.experiments.context import ContextSettings, sweep
from looped.experiments.context.cells import covariance_root, draw_prompts
from looped.experiments.context.learned import FINAL_STEPS, RowStream, train_steps, training

SMALL = ContextSettings(features=3, prompts=40, loops=6, ratios=(2, 6), learned=True, learned_ratios=(2, 6),
                        learned_loops=(1, 6))  # fmt: skip


@pytest.fixture(scope="module", name="result")
def fixture_result():
    return sweep(SMALL)


def test_the_learned_error_is_that_of_preconditioned_descent_on_the_sweeps_prompts(result):
    grid = result.learned
    assert list(grid.n) == [6, 18]
    assert list(grid.loops) == [1, 6]
    for i, n in enumerate(grid.n):
        batch = draw_prompts(SMALL, int(n), range(40))
        for j, loops in enumerate(grid.loops):
            for b in range(40):
                X, y, w = batch.X[b].numpy(), batch.y[b].numpy(), np.zeros(3)
                for _ in range(loops):
                    w = w - grid.A[i, j].T @ X.T @ (X @ w - y) / n
                error = np.linalg.norm(w - batch.w_star[b].numpy())
                assert grid.error[i, j, b] == pytest.approx(error, rel=1e-6, abs=1e-12)


def test_one_loop_learns_the_known_optimum(result):
    """Γ* = n/(n+1+d)·I for one step, Σ = I, no noise."""
    for i, n in enumerate(result.learned.n):
        np.testing.assert_allclose(result.learned.A[i, 0], n / (n + 4) * np.eye(3), atol=0.06)
        assert result.learned.step[i, 0] == pytest.approx(n / (n + 4), abs=0.03)


def test_training_is_worth_it(result):
    """One A for all prompts holds its own against the construction's step 1/λ₁ of each prompt."""
    for place in range(2):
        assert np.median(result.learned.error[place, 0]) < 1.2 * result.median[place, 1]
        assert np.median(result.learned.error[place, 1]) < 1.2 * result.median[place, 6]


def test_correlated_rows_teach_a_preconditioner_that_undoes_the_covariance():
    settings = SMALL.replace(rows="correlated", row_condition_number=20, learned_ratios=(20,), learned_loops=(4,))
    *_, cell = train_steps(settings, 60, 4)
    root = covariance_root(settings).numpy()
    whitened = np.linalg.eigvals(cell.A @ root @ root).real
    assert whitened.max() / whitened.min() < 2.5
    constructed = sweep(settings.replace(learned=False, ratios=(20,)))
    assert np.median(cell.error) < constructed.median[0, 4] / 2


@pytest.mark.parametrize("rows", ["gaussian", "student", "rademacher", "correlated"])
def test_training_prompts_are_drawn_like_the_sweeps(rows):
    settings = ContextSettings(features=3, rows=rows)
    stream = RowStream(examples=30, features=3, root=covariance_root(settings), settings=settings)
    batch = stream.draw(4000, torch.Generator().manual_seed(0))
    own = draw_prompts(settings.replace(prompts=1000), 30, range(1000))
    H, mine = batch.state[:, :3, :3].mean(0).numpy(), (own.X.mT @ own.X / 30).mean(0).numpy()
    np.testing.assert_allclose(H, mine, atol=0.2 if rows == "student" else 0.06)
    np.testing.assert_allclose(torch.einsum("bij,bj->bi", batch.state[:, :3, :3], batch.w_star), batch.state[:, :3, 3])
    np.testing.assert_allclose(batch.w_star.norm(dim=1), 1)


def test_stretching_touches_every_second_prompt():
    stream = RowStream(examples=30, features=3, settings=ContextSettings(features=3))
    plain = stream.draw(6, torch.Generator().manual_seed(0))
    stretched = stream.draw(6, torch.Generator().manual_seed(0), stretch=4.0)
    np.testing.assert_allclose(stretched.state[::2], plain.state[::2])
    np.testing.assert_allclose(stretched.state[1::2], 4 * plain.state[1::2])
    np.testing.assert_array_equal(stretched.w_star, plain.w_star)


def test_a_training_reports_after_every_step_that_it_continues():
    settings = SMALL.replace(seed=4)
    *steps, cell = train_steps(settings, 6, 2)
    assert steps == [None] * (2 + FINAL_STEPS)
    assert training(settings, 6, 2).seed == 4
    np.testing.assert_array_equal(cell.A, list(train_steps(settings, 6, 2))[-1].A)


def test_weights_that_diverge_on_a_prompt_give_a_large_finite_error():
    settings = SMALL.replace(learned_ratios=(0.4,), learned_loops=(30,), rows="student", prompts=200)
    result = sweep(settings)
    assert np.isfinite(result.learned.error).all()
    assert np.isfinite(result.learned.bands).all()
