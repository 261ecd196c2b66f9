"""The states are those of Gaussian prompts, without their rows ever being drawn."""

import pytest
import torch

from looped.training.stream import STRETCHES, PromptStream


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("n", "d", "noise"), [(20, 4, 0.0), (3, 5, 0.0), (2, 3, 0.7), (9, 2, 0.5)])
def test_moments_are_those_of_rows_drawn_one_by_one(n, d, noise):
    B = 20_000
    batch = PromptStream(examples=n, features=d, noise=noise).draw(B, generator())
    normal = torch.randn(B, n, d, generator=generator(1))
    w_star = torch.randn(B, d, generator=generator(2))
    y = torch.einsum("bnd,bd->bn", normal, w_star) + noise * torch.randn(B, n, generator=generator(3))
    D = torch.cat([normal, y[..., None]], dim=2)
    plain = D.mT @ D / n
    for function in (lambda G: G, torch.square, lambda G: (G @ G).diagonal(dim1=1, dim2=2)):
        ours, theirs = function(batch.state), function(plain).double()
        error = (ours.var(0) / B + theirs.var(0) / B).sqrt()
        assert ((ours.mean(0) - theirs.mean(0)).abs() <= 5 * error).all()


def test_a_noiseless_state_belongs_to_its_task():
    batch = PromptStream(examples=7, features=3).draw(5, generator())
    H, g, s = batch.state[:, :3, :3], batch.state[:, :3, 3], batch.state[:, 3, 3]
    torch.testing.assert_close(torch.einsum("bij,bj->bi", H, batch.w_star), g)
    torch.testing.assert_close(torch.einsum("bi,bi->b", g, batch.w_star), s)


def test_fewer_examples_than_features_give_a_state_of_that_rank():
    H = PromptStream(examples=2, features=5).draw(4, generator()).state[:, :5, :5]
    assert torch.linalg.matrix_rank(H).tolist() == [2] * 4


def test_a_covariance_shapes_inputs_and_task():
    root = torch.tensor([[2.0, 0.5], [0.5, 1.0]], dtype=torch.float64)
    stream = PromptStream(examples=50, features=2, root=root)
    batch = stream.draw(100_000, generator())
    sigma = root @ root
    torch.testing.assert_close(batch.state[:, :2, :2].mean(0), sigma, rtol=0.02, atol=0.02)
    outer = torch.einsum("bi,bj->ij", batch.w_star, batch.w_star) / 100_000
    torch.testing.assert_close(outer, torch.linalg.inv(sigma), rtol=0.02, atol=0.02)
    x = stream.queries(100_000, generator(1))
    torch.testing.assert_close(x.T @ x / 100_000, sigma, rtol=0.02, atol=0.02)
    w = torch.zeros_like(batch.w_star)
    expected = torch.einsum("bi,ij,bj->b", batch.w_star, sigma, batch.w_star)
    torch.testing.assert_close(batch.residual(w).square().sum(1), expected)


def test_stretching_multiplies_every_second_prompt_and_keeps_its_task():
    stream = PromptStream(examples=6, features=3)
    plain, stretched = stream.draw(8, generator()), stream.draw(8, generator(), stretch=1.5)
    assert torch.equal(plain.w_star, stretched.w_star)
    torch.testing.assert_close(stretched.state[0::2], plain.state[0::2])
    torch.testing.assert_close(stretched.state[1::2], 1.5 * plain.state[1::2])


@pytest.mark.parametrize(("n", "d", "noise"), [(6, 3, 0.0), (6, 3, 0.5), (2, 5, 0.0), (3, 3, 0.5), (2, 5, 0.5)])
def test_only_the_largest_eigenvalue_is_multiplied(n, d, noise):
    B, stream = 64, PromptStream(examples=n, features=d, noise=noise)
    plain, (far, weight, largest) = stream.draw(B, generator()), stream.draw_far(B, generator())
    assert torch.equal(plain.w_star, far.w_star)
    factor = torch.ones(B, dtype=torch.float64)
    factor[1::2] = torch.tensor(STRETCHES, dtype=torch.float64).repeat(2)
    before, vectors = torch.linalg.eigh(plain.state[:, :d, :d])
    after = before.clone()
    after[:, -1] *= factor
    torch.testing.assert_close(far.state[:, :d, :d], (vectors * after[:, None]) @ vectors.mT)
    torch.testing.assert_close(largest, after[:, -1])
    # What the labels say apart from the task, Xᵀε/n, grows by the square root along that direction.
    rest = [b.state[:, :d, d] - torch.einsum("bij,bj->bi", b.state[:, :d, :d], b.w_star) for b in (plain, far)]
    one, other = (torch.einsum("bij,bi->bj", vectors, part) for part in rest)
    one[:, -1] *= factor.sqrt()
    torch.testing.assert_close(other, one)
    assert float(weight.max()) <= 2


def test_the_same_seed_gives_the_same_bytes_and_the_global_seed_is_left_alone():
    stream = PromptStream(examples=6, features=3, noise=0.1)
    before = torch.random.get_rng_state()
    first, second, other = (stream.draw(4, generator(seed)) for seed in (5, 5, 6))
    assert torch.equal(first.state, second.state)
    assert not torch.equal(first.state, other.state)
    assert torch.equal(torch.random.get_rng_state(), before)
