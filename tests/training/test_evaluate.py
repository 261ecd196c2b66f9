"""Known figures, recomputed; rivals against plain loops written here."""

import pytest
import torch

from looped.training import wishart
from looped.training.evaluate import (
    integrated_risk,
    query_errors,
    tail_risk,
    tuned_descent,
)
from looped.training.models import LoopedPredictor
from looped.training.stream import PromptStream


def descent_model(a, d, loops):
    model = LoopedPredictor(weights="preconditioner", features=d, loops=loops)
    model.load_state_dict({"A": a * torch.eye(d, dtype=torch.float64)[None]})
    return model


@pytest.mark.parametrize(("a", "loops"), [(0.77, 1), (0.6, 4), (0.56, 10)])
def test_the_integrated_risk_is_the_exact_one_tail_included(a, loops):
    # Plain draws give 0.024 for the last, so much of its tail do they miss.
    risk = integrated_risk(descent_model(a, 5, loops), PromptStream(examples=20, features=5), seed=0, count=100_000)
    exact = wishart.descent_risk(a, loops, 20, 5)
    assert abs(risk.mean - exact) < 4 * risk.error < 0.2 * exact


def test_the_tail_is_weighted_back_to_the_stated_distribution():
    d, stream = 5, PromptStream(examples=20, features=5)
    one = tail_risk(lambda batch: torch.ones(len(batch.state)).double(), stream, 0, 100_000)
    trace = tail_risk(lambda batch: batch.state[:, :d, :d].diagonal(dim1=1, dim2=2).sum(1), stream, 0, 100_000)
    assert abs(one.mean - 1) < 4 * one.error < 0.02
    assert abs(trace.mean - d) < 4 * trace.error < 0.1


def test_only_a_preconditioner_has_its_task_integrated_out():
    model = LoopedPredictor(weights="full", features=5, loops=1)
    with pytest.raises(ValueError, match="tied preconditioner"):
        integrated_risk(model, PromptStream(examples=20, features=5), 0, 10)


def test_query_errors_are_those_of_the_exact_risk():
    model, stream = descent_model(0.5, 5, 3), PromptStream(examples=20, features=5)
    errors = query_errors(model.predictions, stream, seed=1, prompts=50_000)
    assert errors.mean.shape == (4,)
    assert errors.mean[0] == pytest.approx(5, rel=0.05)
    assert errors.mean[3] == pytest.approx(wishart.descent_risk(0.5, 3, 20, 5), rel=0.1)
    assert (errors.median < errors.mean).all()
    assert (errors.mean < errors.tail).all()
    again = query_errors(model.predictions, stream, seed=1, prompts=50_000)
    assert (again.mean == errors.mean).all()


@pytest.mark.parametrize(("n", "noise"), [(20, 0.0), (20, 0.5), (3, 0.0)])
def test_tuned_descent_is_descent_and_no_other_step_is_better(n, noise):
    loops, d = 4, 5
    stream = PromptStream(examples=n, features=d, noise=noise)
    batch = stream.draw(500, torch.Generator().manual_seed(0))
    step, iterates = tuned_descent(batch, loops)

    def plain(a):
        w = torch.zeros(500, d, dtype=torch.float64)
        path = [w]
        for _ in range(loops):
            w = w - a * (torch.einsum("bij,bj->bi", batch.state[:, :d, :d], w) - batch.state[:, :d, d])
            path.append(w)
        return torch.stack(path)

    torch.testing.assert_close(iterates, plain(step), rtol=0, atol=1e-11)
    least = float((plain(step)[-1] - batch.w_star).square().sum(1).mean())
    for other in torch.linspace(0.02, 1.2, 60).tolist():
        assert least <= float((plain(other)[-1] - batch.w_star).square().sum(1).mean()) * (1 + 1e-6)
