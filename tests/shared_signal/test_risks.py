import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from looped.shared_signal import (
    LSA,
    LTB,
    GDBeta,
    SignalTask,
    bayes,
    bayes_risk,
    exact_risk,
    gd0_optimum,
    gd_optimum,
    lsa_minimum,
)
from looped.shared_signal.risks import whitened_risk
from tests.shared_signal.reference import (
    assert_is_the_mean,
    gd_risk,
    one_step,
    paper_lsa_risk,
    random_task,
    sample,
    tokens,
)

TABLE = [  # d, M, β*, LTB = GD-β, LSA, GD-0, H = Ψ = I, σ = 0
    (5, 5, 0, 2.727, 2.727, 2.727),
    (5, 5, 1, 2.727, 4.557, 4.837),
    (5, 20, 1, 1.154, 1.989, 2.125),
    (5, 40, 1, 0.652, 1.170, 1.238),
    (5, 5, 5, 2.727, 39.96, 40.26),
    (20, 40, 10, 6.885, 114.15, 114.35),
]
MEASURED = 40_000


def effective_prediction(model, X, y, x):
    """gᵀx + rᵀGUx, G = (1/M)Σ z zᵀ."""
    Z = np.concatenate([X, y[:, :, None]], axis=2)
    g, r, U = (part.numpy() for part in (model.g, model.r, model.U))
    return x @ g + np.einsum("bm,bm->b", Z @ r, np.einsum("bmk,kd,bd->bm", Z, U, x)) / X.shape[1]


@pytest.mark.parametrize(("d", "M", "signal", "block", "attention", "from_zero"), TABLE)
def test_the_table_of_the_theory(d, M, signal, block, attention, from_zero):
    task = SignalTask.shared(d, M, signal)
    found = lsa_minimum(task)
    assert gd_optimum(task).risk == pytest.approx(block, rel=1e-3)
    assert gd0_optimum(task).risk == pytest.approx(from_zero, rel=1e-3)
    assert found.risk == pytest.approx(attention, rel=5e-3)
    assert found.risk <= gd0_optimum(task).risk * (1 - 1e-3 * (signal != 0)) + 1e-12


def test_the_optimum_of_an_isotropic_task_is_a_multiple_of_the_identity():
    found = gd_optimum(SignalTask.shared(4, 7, 2.0, sigma=1.5))
    torch.testing.assert_close(found.Gamma, 7 / (7 + 1 + 4 + 1.5**2) * torch.eye(4, dtype=torch.float64))
    assert found.beta.tolist() == [2.0] * 4


@pytest.mark.parametrize("seed", range(6))
def test_the_risks_of_gd_beta_are_the_measured_ones(seed):
    task = random_task(seed, M=[1, None][seed % 2], rank_H=[None, 2][seed % 3 == 2], sigma=[0.0, None][seed % 2])
    rng = np.random.default_rng(seed)
    d = task.features
    X, y, x, label = sample(task, MEASURED, seed)
    beta, Gamma = rng.normal(size=d), 0.5 * rng.normal(size=(d, d))
    measured = (one_step(beta, Gamma, X, y, x) - label) ** 2
    assert_is_the_mean(measured, gd_risk(task, beta, Gamma))
    for best in (gd_optimum(task), gd0_optimum(task)):
        measured = (one_step(best.beta.numpy(), best.Gamma.numpy(), X, y, x) - label) ** 2
        assert_is_the_mean(measured, best.risk)


@pytest.mark.parametrize("seed", range(4))
def test_no_step_of_gradient_descent_beats_the_optimum(seed):
    task, generator = random_task(seed), torch.Generator().manual_seed(seed)
    best, from_zero = gd_optimum(task), gd0_optimum(task)
    assert gd_risk(task, best.beta, best.Gamma) == pytest.approx(best.risk, rel=1e-12)
    assert gd_risk(task, from_zero.beta, from_zero.Gamma) == pytest.approx(from_zero.risk, rel=1e-9)
    for _ in range(20):
        beta, Gamma = (1e-3 * torch.randn(*s.shape, generator=generator).double() for s in (best.beta, best.Gamma))
        assert gd_risk(task, best.beta + beta, best.Gamma + Gamma) > best.risk
        assert gd_risk(task, from_zero.beta, from_zero.Gamma + Gamma) > from_zero.risk


@pytest.mark.parametrize("seed", range(6))
def test_the_exact_risk_of_any_weights_is_the_measured_one_and_the_papers(seed):
    task = random_task(seed, M=[None, 1][seed == 3], rank_Psi=[None, 1][seed == 4])
    generator = torch.Generator().manual_seed(seed)
    X, y, x, label = sample(task, MEASURED, seed)
    for kind in (LSA, LTB):
        model = kind(task.features, generator=generator)
        with torch.no_grad():
            for weight in model.parameters():
                weight *= 0.7
            measured = (model(torch.from_numpy(tokens(X, y, x))).numpy() - label) ** 2
        weights = model.effective()
        assert_is_the_mean(measured, exact_risk(task, weights))
        if kind is LSA:
            paper = paper_lsa_risk(task, weights.r.numpy(), weights.U.numpy())
            assert exact_risk(task, weights) == pytest.approx(paper, rel=1e-10)
    beta, Gamma = torch.randn(2, task.features, generator=generator), torch.eye(task.features)
    step = GDBeta(beta[0].double(), Gamma.double())
    risk = gd_risk(task, beta[0], Gamma)
    assert exact_risk(task, step.effective()) == pytest.approx(risk, rel=1e-10)


@pytest.mark.parametrize("seed", range(4))
def test_the_minimum_of_attention_is_reached_by_its_weights_and_lies_between_its_neighbours(seed):
    task = random_task(seed, rank_H=[None, 1][seed == 3])
    found = lsa_minimum(task)
    assert gd_optimum(task).risk <= found.risk + 1e-12
    assert found.risk < gd0_optimum(task).risk
    X, y, x, label = sample(task, MEASURED, seed)
    measured = (effective_prediction(found.weights, X, y, x) - label) ** 2
    assert_is_the_mean(measured, found.risk)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(20):
        r, U = (part + 1e-3 * torch.randn(*part.shape, generator=generator).double() for part in
                (found.weights.r, found.weights.U))  # fmt: skip
        nearby = type(found.weights)(g=found.weights.g, r=r, U=U)
        assert exact_risk(task, nearby) >= found.risk * (1 - 1e-9)


@pytest.mark.parametrize(
    "task",
    [
        random_task(5, d=4, rank_H=2),
        random_task(6, d=4, rank_Psi=1),
        random_task(7, d=4, rank_H=3, rank_Psi=2, sigma=0.0),
        random_task(8, d=1),
        SignalTask.shared(1, 1, 0.0),
        SignalTask.shared(3, 2, 1.0, Psi=torch.zeros(3, 3)),
        SignalTask.shared(3, 2, 1.0, H=torch.zeros(3, 3)),
        SignalTask.shared(3, 2, 1e3, H=1e4 * torch.eye(3), Psi=1e-4 * torch.eye(3)),
    ],
    ids=["H of rank 2", "Ψ of rank 1", "both deficient", "d=1", "d=M=1, no signal", "Ψ=0", "H=0", "scales far apart"],
)
def test_degenerate_tasks_have_finite_ordered_risks(task):
    best, attention, from_zero = gd_optimum(task), lsa_minimum(task), gd0_optimum(task)
    sampled = bayes_risk(task, draws=500)
    slack = 1e-9 * (1 + from_zero.risk)
    floor = sampled.mean - 4 * sampled.standard_error
    assert floor <= best.risk + slack
    assert best.risk <= attention.risk + slack
    assert attention.risk <= from_zero.risk + slack
    assert exact_risk(task, attention.weights) == attention.risk
    assert np.isfinite(from_zero.risk)


@pytest.mark.parametrize("seed", range(6))
def test_the_bayes_risk_is_the_measured_one(seed):
    task = random_task(seed, rank_Psi=[None, 1][seed == 2], sigma=[None, 0.0][seed == 3], d=4, M=[2, 6, 3][seed % 3])
    X, y, x, label = sample(task, 10_000, seed)
    measured = (bayes(task, torch.from_numpy(tokens(X, y, x))).numpy() - label) ** 2
    found = bayes_risk(task, draws=5_000, seed=seed)
    error = np.hypot(measured.std() / np.sqrt(len(measured)), found.standard_error)
    assert abs(measured.mean() - found.mean) < 4 * error
    assert found.mean < gd_optimum(task).risk
    assert found.draws == 5_000


def test_the_bayes_risk_without_noise_is_the_unseen_part():
    assert bayes_risk(SignalTask.shared(5, 5, 1.0)) == bayes_risk(SignalTask.shared(5, 9, 1.0))
    assert bayes_risk(SignalTask.shared(5, 5, 1.0)).mean == 0
    half = bayes_risk(SignalTask.shared(6, 3, 1.0))
    assert half.standard_error == 0  # and not the rounding of its draws
    assert half.mean == pytest.approx(3, abs=1e-9)  # d − M of d equal directions, for any examples


@pytest.mark.parametrize(
    "task",
    [
        random_task(8, d=1),
        random_task(9, d=1, M=3, sigma=0.0),
        random_task(6, d=2, rank_Psi=1),
        random_task(5, d=3, rank_H=1),
    ],
    ids=["d = 1", "d = 1 without noise", "Ψ of rank 1", "H of rank 1"],
)
def test_no_weights_of_the_block_go_below_the_best_step_where_the_rank_is_below_2(task):
    assert task.rank_S < 2
    d = task.features

    def risk_and_slope(numbers):
        numbers = torch.from_numpy(numbers).requires_grad_()
        g, r, U = numbers[:d], numbers[d : 2 * d + 1], numbers[2 * d + 1 :].reshape(d + 1, d)
        u, root = r[-1], task.root_H
        scores = root @ (U[:-1] + torch.outer(task.beta_star, U[-1])) @ root
        b = root @ (r[:-1] + u * task.beta_star)
        risk = whitened_risk(
            task, root @ (task.beta_star - g), torch.cat([b, u[None]]), torch.cat([scores, (root @ U[-1])[None]])
        )
        risk.backward()
        return risk.item(), numbers.grad.numpy()

    rng, best = np.random.default_rng(0), gd_optimum(task).risk
    size = 2 * d + 1 + d * (d + 1)
    ends = [minimize(risk_and_slope, rng.normal(size=size), jac=True, method="BFGS").fun for _ in range(8)]
    assert min(ends) >= best - 1e-9 * (1 + best)
    assert min(ends) == pytest.approx(best, rel=1e-3, abs=1e-6)
