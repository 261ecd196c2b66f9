import numpy as np
import pytest
import torch

from looped.experiments.signal.settings import SignalSettings
from looped.shared_signal import (
    SignalTask,
    counter_example,
    flow_rate,
    gap_bounds,
    gd_optimum,
    gd_risk,
    gradient_flow,
    lsa_minimum,
    outside_range,
)
from tests.shared_signal.reference import random_task


def gap(task):
    return lsa_minimum(task).risk - gd_optimum(task).risk


@pytest.mark.parametrize("seed", range(12))
def test_the_drawn_bounds_hold(seed):
    task = random_task(seed, sigma=[0.0, None][seed % 2], rank_H=[None, 2][seed == 4], M=[None, 1, 40][seed % 3])
    bounds, actual = gap_bounds(task), gap(task)
    assert 0 < bounds.first <= bounds.valid * (1 + 1e-12)
    assert bounds.valid <= actual * (1 + 1e-9)


@pytest.mark.parametrize(
    "task",
    [
        random_task(8, d=1, sigma=0.0),
        random_task(9, d=1, M=1),
        random_task(6, d=4, rank_Psi=1),
        random_task(5, d=4, rank_H=1, sigma=0.0),
        SignalSettings(examples=10, noise=0.3, Psi_condition=1e4).task(),
        SignalSettings(features=14, examples=239, signal=60.0, H_condition=430.0, Psi_condition=584.0).task(),
    ],
    ids=["d = 1", "d = M = 1", "Ψ of rank 1", "H of rank 1", "κ of Ψ 10⁴", "many examples"],
)
def test_the_bounds_hold_for_any_rank(task):
    bounds = gap_bounds(task)
    assert 0 < bounds.first <= bounds.valid * (1 + 1e-12)
    assert bounds.valid <= gap(task) * (1 + 1e-9)


@pytest.mark.parametrize(
    ("H", "start", "share"),
    [
        ([1.0, 1, 1], [0.0, 0, 0], 0),
        ([1.0, 1, 0], [0.0, 0, 0], 1 / 3**0.5),
        ([1.0, 1, 0], [5.0, -2, 1], 0),  # β(0) − β* = (4, −3, 0)
        ([1.0, 0, 0], [1.0, 1, 2], 1),
        ([0.0, 0, 0], [0.0, 0, 0], 1),
        ([0.0, 0, 0], [1.0, 1, 1], 0),
    ],
)
def test_what_of_the_start_lies_outside_the_range_of_H_is_known(H, start, share):
    task = SignalTask.shared(3, 4, 1.0, H=torch.diag(torch.tensor(H)).double())
    assert outside_range(task, torch.tensor(start)) == pytest.approx(share)


def test_the_bounds_are_the_formulas():
    task = random_task(1)
    H, Psi, M, beta = task.H.numpy(), task.Psi.numpy(), task.M, task.beta_star.numpy()
    c, square = np.trace(H @ Psi) + task.sigma**2, np.trace(H @ Psi @ H @ Psi)
    K = 2 * square + (3 * M + 2) * c**2 / (M * (M + 1))
    found, signal = gap_bounds(task), beta @ H @ beta
    assert found.first == pytest.approx(2 / (3 * (M + 1)) * signal)
    assert found.valid == pytest.approx((1 / (M + 1) - c**2 / ((M + 1) ** 2 * K)) * signal)
    assert found.paper_second == pytest.approx(c**2 / ((M + 1) ** 2 * square) * signal)


def test_the_second_published_bound_fails_on_its_counter_example():
    task = counter_example()
    assert (task.features, task.M, float(task.beta_star @ task.beta_star)) == (20, 5, 20)
    assert gap_bounds(task).paper_second == pytest.approx(11.11, abs=0.01)
    assert gap(task) <= 6.535
    assert gap_bounds(task).valid <= gap(task)


def test_without_a_signal_or_without_spread_the_bounds_stay_valid():
    assert gap_bounds(SignalTask.shared(3, 2, 0.0)).valid == 0
    assert gap(SignalTask.shared(3, 2, 0.0)) == pytest.approx(0, abs=1e-9)
    certain = SignalTask.shared(3, 2, 1.0, Psi=torch.zeros(3, 3))
    assert gap_bounds(certain).first <= gap_bounds(certain).valid <= gap(certain)


@pytest.mark.parametrize("seed", range(5))
def test_gradient_flow_follows_the_gradient_and_keeps_its_rate(seed):
    rank = [None, 2][seed == 3]
    task = random_task(seed, d=3, M=[None, 1][seed == 4], rank_H=rank)
    generator = torch.Generator().manual_seed(seed)
    start = task.beta_star + task.H @ torch.randn(3, generator=generator).double()  # β(0) − β* in the range of H
    Gamma = 0.3 * torch.randn(3, 3, generator=generator).double()
    flow = gradient_flow(task, start, Gamma, until=0.2, points=11)
    assert (flow.times.shape, flow.beta.shape, flow.Gamma.shape) == ((11,), (11, 3), (11, 3, 3))
    away = (flow.beta - task.beta_star).square().sum(dim=1)
    assert (away <= away[0] * torch.exp(-flow_rate(task) * flow.times) * (1 + 1e-6)).all()
    values = np.linalg.eigvalsh(task.H.numpy())
    assert flow_rate(task) == pytest.approx(2 * values[values > 1e-9].min() / (task.M + 1))

    def half_risk(numbers):
        return gd_risk(task, numbers[:3], numbers[3:].reshape(3, 3)) / 2

    # The slope of the path in its middle is minus the gradient of ½R, both by central differences.
    fine = gradient_flow(task, start, Gamma, until=2e-6, points=3)
    path = torch.cat([fine.beta, fine.Gamma.flatten(1)], dim=1)
    slope, middle = (path[2] - path[0]) / 2e-6, path[1]
    steps = 1e-5 * torch.eye(12, dtype=torch.float64)
    gradient = torch.tensor([(half_risk(middle + e) - half_risk(middle - e)) / 2e-5 for e in steps]).double()
    torch.testing.assert_close(-slope, gradient, rtol=1e-4, atol=1e-4 * float(gradient.abs().max()))
