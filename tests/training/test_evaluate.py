"""Known figures, recomputed; rivals against plain loops written here."""

import math

import pytest
import torch

from looped.training import gdpp, wishart
from looped.training.evaluate import largest_eigenvalue, query_errors, reached, risks, spectra, tuned_descent
from looped.training.models import LoopedPredictor
from looped.training.stream import PromptStream
from tests.training import exact

SEEDS = range(12)


def descent_model(a, d, loops):
    model = LoopedPredictor(weights="preconditioner", features=d, loops=loops)
    model.load_state_dict({"A": a * torch.eye(d, dtype=torch.float64)[None]})
    return model


def gdpp_model(a, gamma, d):
    model = LoopedPredictor(weights="full", features=d, loops=len(a), tied=False)
    P, Q = gdpp.weights(a, gamma, d)
    model.load_state_dict({"P": P, "Q": Q})
    return model


def squares(model):
    return lambda batch: batch.residual(model(batch.state)).square().sum(1)


THREE_LAYERS = ((0.377, 2.411, 9.663), (0.343, 1.367, 0.0))
"""a and γ of each layer; the last γ moves inputs that nothing reads."""
CASES = {
    "best descent, T = 1": (20, 5, [0.77], [0.0]),
    "best descent, T = 10": (20, 5, [0.554] * 10, [0.0] * 10),
    "six numbers, three layers": (20, 5, *THREE_LAYERS),
    "two numbers, T = 4": (20, 5, [1.2] * 4, [0.15] * 4),
    "as many features as examples": (5, 5, [0.8] * 3, [0.2] * 3),
    "more features than examples": (3, 8, [0.1] * 5, [0.0] * 5),
    "one feature": (8, 1, [1.0] * 3, [0.2] * 3),
    "many examples": (200, 5, [1.2] * 3, [0.2] * 3),
}


SLOW = ("two numbers, T = 4", "best descent, T = 10", "many examples")
"""Cases beside which a quick one has the same shape and fewer loops or examples."""


@pytest.mark.thorough
@pytest.mark.parametrize("case", [pytest.param(case, marks=pytest.mark.slow if case in SLOW else ()) for case in CASES])
def test_the_error_of_the_mean_over_all_prompts_is_honest_over_twelve_seeds(case):
    n, d, a, gamma = CASES[case]
    polynomial = exact.gdpp_square(a, gamma)
    degree = (len(polynomial) - 1) // 2
    truth = exact.mean_of(polynomial, n, d, wishart.moments(n, d, len(polynomial) - 1))
    assert reached(degree, n, d)
    away = []
    for seed in SEEDS:
        _, whole = risks(squares(gdpp_model(a, gamma, d)), PromptStream(examples=n, features=d), seed, 20_000)
        assert whole.error < 0.25 * whole.mean
        away.append((whole.mean - truth) / whole.error)
    assert max(map(abs, away)) < 4
    assert abs(sum(away)) / len(away) ** 0.5 < 3  # no side is preferred
    assert sum(abs(z) < 1 for z in away) >= 4


def test_six_numbers_of_three_layers_have_the_exact_mean_known():
    polynomial = exact.gdpp_square(*THREE_LAYERS)
    assert exact.mean_of(polynomial, 20, 5) == pytest.approx(0.0568, rel=2e-3)


@pytest.mark.parametrize(
    ("degree", "there"), [(1, True), (10, True), (13, True), (30, True), (121, False), (29524, False)]
)
def test_the_mean_of_many_loops_that_move_the_inputs_is_out_of_reach(degree, there):
    assert reached(degree, 20, 5) is there


def test_one_feature_exceeds_its_limit_as_often_as_a_chi_squared():
    # χ²₂/2 is exponential: P(λ₁ > L) = e^{−L}.
    limit = largest_eigenvalue(2, 1)
    assert limit.above == pytest.approx(math.exp(-limit.value), rel=0.25)
    assert 3e-7 < limit.above < 3e-6


@pytest.mark.parametrize(("n", "d"), [(20, 5), (1, 40), (40, 10), (2000, 3)])
def test_few_prompts_exceed_the_limit(n, d):
    limit = largest_eigenvalue(n, d)
    assert 5e-7 < limit.above < 2e-6
    assert limit.value > (1 + (d / n) ** 0.5) ** 2  # where λ₁ lies for large n and d


@pytest.mark.thorough
@pytest.mark.parametrize(("a", "loops", "draws"), [(0.77, 1, 6), pytest.param(0.554, 10, 40, marks=pytest.mark.slow)])
def test_the_mean_below_the_limit_is_the_plain_one_and_its_error_is_honest(a, loops, draws):
    # 2.4 million plain draws hold two or three prompts above the limit.
    model, stream = descent_model(a, 5, loops), PromptStream(examples=20, features=5)
    limit, generator, total, count = largest_eigenvalue(20, 5).value, torch.Generator().manual_seed(77), 0.0, 0
    for _ in range(draws):
        batch = stream.draw(20_000, generator)
        eigenvalues = torch.linalg.eigvalsh(batch.state[:, :5, :5])
        ordinary = eigenvalues[:, -1] < limit
        total += float((1 - a * eigenvalues[ordinary]).pow(2 * loops).sum())
        count += int(ordinary.sum())
    estimates = [risks(squares(model), stream, seed, 20_000)[0] for seed in SEEDS]
    away = [(risk.mean - total / count) / risk.error for risk in estimates]
    assert max(map(abs, away)) < 4.5


def test_what_is_multiplied_is_weighted_back_to_the_stated_distribution():
    d, stream = 5, PromptStream(examples=20, features=5, noise=0.3)
    one = risks(lambda batch: torch.ones(len(batch.state)).double(), stream, 0, 25_000)[1]
    trace = risks(lambda batch: batch.state[:, :d, :d].diagonal(dim1=1, dim2=2).sum(1), stream, 0, 25_000)[1]
    label = risks(lambda batch: batch.state[:, d, d], stream, 0, 25_000)[1]
    for risk, expected in ((one, 1), (trace, d), (label, d + 0.3**2)):
        assert abs(risk.mean - expected) < 4 * risk.error < 0.06 * expected


def test_a_loss_that_overflows_has_an_infinite_mean_and_is_not_a_number_nowhere():
    stream = PromptStream(examples=8, features=2)
    for value in (torch.inf, torch.nan):
        for risk in risks(lambda batch, value=value: torch.full((len(batch.state),), value), stream, 0, 100):
            assert (risk.mean, risk.error) == (math.inf, math.inf)
    P = Q = torch.eye(3, dtype=torch.float64)[None]
    model = LoopedPredictor(weights="full", features=2, loops=12)
    model.load_state_dict({"P": P, "Q": Q})
    errors = query_errors(model.predictions, stream, seed=0, prompts=50)
    assert (errors[0, -1], errors[1, -1], errors[2, -1]) == (math.inf,) * 3


def test_spectra_are_those_below_the_limit():
    eigenvalues, weight = spectra(20, 5, 20_000, seed=1)
    assert float(eigenvalues.max()) < largest_eigenvalue(20, 5).value
    assert float(weight.mean()) == pytest.approx(1)
    for a, loops in ((0.77, 1), (0.4, 3), (0.2, 10)):
        measured = float((weight * (1 - a * eigenvalues).pow(2 * loops).sum(1)).mean())
        assert wishart.descent_risk(a, loops, 20, 5) == pytest.approx(measured, rel=0.02)


def test_query_errors_are_those_of_the_exact_risk():
    model, stream = descent_model(0.5, 5, 3), PromptStream(examples=20, features=5)
    errors = query_errors(model.predictions, stream, seed=1, prompts=20_000)
    assert errors[0].shape == (4,)
    assert errors[0, 0] == pytest.approx(5, rel=0.05)
    assert errors[0, 3] == pytest.approx(wishart.descent_risk(0.5, 3, 20, 5), rel=0.15)
    assert (errors[1] < errors[0]).all()
    assert (errors[0] < errors[2]).all()
    again = query_errors(model.predictions, stream, seed=1, prompts=20_000)
    assert (again[0] == errors[0]).all()


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
