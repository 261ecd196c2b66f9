"""Known figures, recomputed; rivals against plain loops written here."""

import pytest
import torch

from looped.training.evaluate import (
    best_descent,
    descent_risk,
    integrated_risk,
    query_errors,
    spectra,
    tuned_descent,
)
from looped.training.models import LoopedPredictor
from looped.training.stream import PromptStream


def descent_model(a, d, loops):
    model = LoopedPredictor(weights="preconditioner", features=d, loops=loops)
    model.load_state_dict({"A": a * torch.eye(d, dtype=torch.float64)[None]})
    return model


@pytest.fixture(scope="module")
def eigenvalues():
    return spectra(20, 5, 200_000, seed=0)


@pytest.mark.parametrize(
    ("loops", "step", "risk", "rel"), [(1, 0.77, 1.154, 0.01), (3, 0.71, 0.269, 0.03), (5, 0.66, 0.108, 0.06)]
)
def test_the_best_descent_has_its_known_risk(eigenvalues, loops, step, risk, rel):
    found = best_descent(loops, eigenvalues)
    assert found[0] == pytest.approx(step, abs=0.02)
    assert found[1] == pytest.approx(risk, rel=rel)


@pytest.mark.slow
def test_the_best_descent_of_ten_loops_has_its_known_risk():
    step, risk = best_descent(10, spectra(20, 5, 6_000_000, seed=0))
    assert step == pytest.approx(0.56, abs=0.01)
    assert risk == pytest.approx(0.0252, rel=0.05)


def test_integrating_the_task_out_is_the_mean_over_spectra(eigenvalues):
    stream = PromptStream(examples=20, features=5)
    ours = integrated_risk(descent_model(0.6, 5, 4), stream, seed=0, count=200_000)
    assert ours == pytest.approx(descent_risk(0.6, 4, eigenvalues), rel=1e-9)
    with pytest.raises(ValueError, match="tied preconditioner"):
        integrated_risk(LoopedPredictor(weights="full", features=5, loops=1), stream, 0, 10)


def test_query_errors_are_those_of_the_integrated_risk(eigenvalues):
    model, stream = descent_model(0.5, 5, 3), PromptStream(examples=20, features=5)
    errors = query_errors(model.predictions, stream, seed=1, prompts=50_000)
    assert errors.mean.shape == (4,)
    assert errors.mean[0] == pytest.approx(5, rel=0.05)
    assert errors.mean[3] == pytest.approx(descent_risk(0.5, 3, eigenvalues), rel=0.1)
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
