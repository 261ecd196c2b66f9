import numpy as np
import pytest
import torch

from looped.shared_signal import LSA, LTB, GDBeta, bayes, draw, estimate, read_out
from tests.shared_signal.reference import (
    assert_is_the_mean,
    block_of_a_step,
    dense,
    one_step,
    random_task,
    sample,
    tokens,
)

SIZES = [(5, 5, {}), (3, 1, {}), (1, 4, {}), (4, 6, {"d_k": 2, "d_v": 7}), (2, 3, {"d_k": 1, "d_v": 1})]


def prompts(d, M, seed=0):
    return sample(random_task(seed, d=d, M=M), 20, seed)


def gd(d, seed=0):
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.normal(size=d)), torch.from_numpy(rng.normal(size=(d, d)))


@pytest.mark.parametrize(("d", "M", "rows"), SIZES)
@pytest.mark.parametrize("d_f", [None, 1, 3])
def test_the_models_are_the_dense_formulas(d, M, rows, d_f):
    X, y, x, _ = prompts(d, M)
    E = tokens(X, y, x)
    generator = torch.Generator().manual_seed(1)
    lsa, ltb = LSA(d, **rows, generator=generator), LTB(d, **rows, d_f=d_f, generator=generator)
    for model, mlp in ((lsa, False), (ltb, True)):
        found = model(torch.from_numpy(E)).detach().numpy()
        np.testing.assert_allclose(found, dense(model.state_dict(), E, mlp), rtol=1e-10, atol=1e-10)


def test_the_customary_sizes_are_the_default():
    block = LTB(5, generator=torch.Generator().manual_seed(0))
    shapes = {name: tuple(weight.shape) for name, weight in block.state_dict().items()}
    assert shapes == dict.fromkeys(("W_K", "W_Q", "W_P", "W_V"), (6, 6)) | {"W_1": (24, 6), "W_2": (24, 6)}


def test_gd_beta_is_one_step_of_gradient_descent():
    X, y, x, _ = prompts(4, 3)
    beta, Gamma = gd(4)
    found = GDBeta(beta, Gamma)(torch.from_numpy(tokens(X, y, x))).detach().numpy()
    np.testing.assert_allclose(found, one_step(beta.numpy(), Gamma.numpy(), X, y, x), rtol=1e-12, atol=1e-12)


def test_every_model_predicts_with_its_estimate_of_the_task():
    X, y, x, _ = prompts(4, 3)
    E, generator = torch.from_numpy(tokens(X, y, x)), torch.Generator().manual_seed(1)
    for model in (LSA(4, generator=generator), LTB(4, generator=generator), GDBeta(*gd(4))):
        found = estimate(model.effective(), E).numpy()
        np.testing.assert_allclose((found * x).sum(axis=1), model(E).detach().numpy(), rtol=1e-10)


def test_gd_0_keeps_its_start():
    model = GDBeta(torch.zeros(3), torch.zeros(3, 3), learn_beta=False)
    assert [name for name, p in model.named_parameters() if p.requires_grad] == ["Gamma"]


@pytest.mark.parametrize(("d", "M"), [(5, 5), (3, 1), (1, 4), (8, 20)])
def test_the_constructed_block_is_gd_beta(d, M):
    X, y, x, _ = prompts(d, M)
    E, (beta, Gamma) = tokens(X, y, x), gd(d)
    block = block_of_a_step(beta, Gamma)
    expected = one_step(beta.numpy(), Gamma.numpy(), X, y, x)
    scale = np.abs(expected).max()
    assert np.abs(block(torch.from_numpy(E)).detach().numpy() - expected).max() <= 1e-12 * max(scale, 1)
    assert np.abs(dense(block.state_dict(), E, True) - expected).max() <= 1e-12 * max(scale, 1)
    found = read_out(block)
    torch.testing.assert_close(found.beta, beta, rtol=0, atol=0)
    torch.testing.assert_close(found.Gamma, Gamma, rtol=0, atol=0)


@pytest.mark.parametrize("d_f", [None, 1])
def test_the_normal_form_is_the_same_function_and_ends_in_one(d_f):
    X, y, x, _ = prompts(5, 5)
    E = torch.from_numpy(tokens(X, y, x))
    block = LTB(5, d_f=d_f, generator=torch.Generator().manual_seed(3))
    before, read_before = block(E).detach(), read_out(block)
    block.normalise()
    row = block.W_2.detach()[:, -1] @ block.W_1.detach()
    assert float(row[-1]) == pytest.approx(1, abs=1e-14)
    torch.testing.assert_close(block(E).detach(), before, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(read_out(block).beta, read_before.beta)
    torch.testing.assert_close(read_out(block).Gamma, read_before.Gamma)


def test_the_read_out_does_not_depend_on_how_scale_is_shared_between_the_weights():
    beta, Gamma = gd(4)
    block = block_of_a_step(beta, Gamma)
    with torch.no_grad():
        block.W_K *= 3
        block.W_V /= 3
        block.W_1[4, 4] *= 5  # the last entry of g, taken back by the label row of W_PᵀW_V
        block.W_P[:, 4] /= 5
    found = read_out(block)
    torch.testing.assert_close(found.beta, beta)
    torch.testing.assert_close(found.Gamma, Gamma)


@pytest.mark.parametrize("sigma", [0.0, 0.5])
@pytest.mark.parametrize(("d", "M", "rank"), [(4, 2, None), (3, 6, None), (4, 3, 2), (2, 1, None)])
def test_the_bayes_predictor_is_the_mean_given_the_prompt(d, M, rank, sigma):
    task = random_task(4, d=d, M=M, rank_Psi=rank, sigma=sigma)
    X, y, x, _ = sample(task, 30, 7)
    found = bayes(task, torch.from_numpy(tokens(X, y, x))).numpy()
    Psi, beta = task.Psi.numpy(), task.beta_star.numpy()
    for b in range(30):  # Gaussian conditioning: E[β̃|y] = β* + ΨXᵀ(XΨXᵀ + σ²I)⁺(y − Xβ*)
        gain = Psi @ X[b].T @ np.linalg.pinv(X[b] @ Psi @ X[b].T + sigma**2 * np.eye(M), rcond=1e-12, hermitian=True)
        assert found[b] == pytest.approx(x[b] @ (beta + gain @ (y[b] - X[b] @ beta)), rel=1e-6, abs=1e-6)


def test_the_bayes_predictor_of_a_task_without_spread_is_the_signal():
    task = random_task(1, d=3, M=4, sigma=0.0)
    task = type(task)(beta_star=task.beta_star, H=task.H, Psi=0 * task.Psi, sigma=0.0, examples=4)
    batch = draw(task, 5, torch.Generator().manual_seed(0))
    torch.testing.assert_close(bayes(task, batch.E), batch.y)


def test_prompts_of_the_sampler_and_of_the_reference_have_the_same_risk():
    task = random_task(2)
    model = LTB(task.features, generator=torch.Generator().manual_seed(0))
    X, y, x, label = sample(task, 100_000, 1)
    own = draw(task, 100_000, torch.Generator().manual_seed(1))
    with torch.no_grad():
        theirs = (model(torch.from_numpy(tokens(X, y, x))).numpy() - label) ** 2
        ours = (model(own.E) - own.y).square().numpy()
    assert_is_the_mean(ours - theirs, 0.0)
