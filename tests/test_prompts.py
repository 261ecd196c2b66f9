import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from looped import Settings
from looped.prompts import Prompts, draw, eigenvalues, first_normals, generator

SHAPES = ["geometric", "linear", "two-level", "outlier"]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kappa", [1.0, 5.0, 1e4])
@pytest.mark.parametrize(("n", "d"), [(40, 10), (3, 7), (12, 12), (400, 2), (2, 200), (1, 5), (9, 1)])
def test_exact_prompts_have_the_chosen_condition_number_and_trace(shape, kappa, n, d):
    batch = draw(Settings(examples=n, features=d, condition_number=kappa, spectrum=shape, prompts=3))
    for X in batch.X.numpy():
        s = np.linalg.svd(X, compute_uv=False)[: min(n, d)]
        asked = kappa if min(n, d) > 1 else 1.0
        assert (s[0] / s[-1]) ** 2 == pytest.approx(asked, rel=1e-8)
        assert (s**2).sum() / n == pytest.approx(d, rel=1e-12)


@settings(max_examples=40)
@given(st.integers(1, 60), st.integers(1, 30), st.floats(1, 1e4), st.sampled_from(SHAPES), st.integers(0, 2**31 - 1))
def test_the_condition_number_is_exact_for_any_size(n, d, kappa, shape, seed):
    batch = draw(Settings(examples=n, features=d, condition_number=kappa, spectrum=shape, prompts=2, seed=seed))
    asked = kappa if min(n, d) > 1 else 1.0
    assert batch.spectrum.condition_number.tolist() == pytest.approx([asked] * 2, rel=1e-8)


@settings(max_examples=200)
@given(st.integers(1, 400), st.integers(1, 400))
def test_fewer_normal_numbers_are_the_first_of_more(few, more):
    few, more = sorted((few, more))
    some, every = (first_normals(generator(7, 1), count) for count in (few, more))
    assert torch.equal(some, every[:few])
    assert not torch.equal(some, first_normals(generator(7, 2), few))


@pytest.mark.parametrize("data", ["exact", "gaussian", "correlated"])
@pytest.mark.parametrize(("n", "d"), [(2, 3), (6, 2), (7, 5)])
def test_fewer_prompts_are_the_first_of_more(data, n, d):
    run = Settings(data=data, examples=n, features=d, noise=0.1, prompts=20)
    every = draw(run)
    for few in (draw(run.replace(prompts=3)), draw(run, 3), draw(run.replace(prompts=1)), draw(run, 20)):
        for part in ("X", "y", "w_star"):
            some = getattr(few, part)
            torch.testing.assert_close(some, getattr(every, part)[: len(some)], rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ("geometric", [8, 4, 2, 1]), ("linear", [8, 17 / 3, 10 / 3, 1]), ("two-level", [8, 8, 1, 1]),
        ("outlier", [8, 1, 1, 1]),
    ],
)  # fmt: skip
def test_the_four_spectra_have_their_shapes(shape, expected):
    values = eigenvalues(shape, 4, 8.0, 10).numpy()
    np.testing.assert_allclose(values, np.array(expected) * 10 / sum(expected), rtol=1e-14)


def test_an_unknown_spectrum_is_named():
    with pytest.raises(ValueError, match="no spectrum 'flat'"):
        eigenvalues("flat", 4, 8.0, 10)


def test_tasks_lie_on_the_unit_sphere_and_labels_follow_them():
    batch = draw(Settings(prompts=200, noise=0))
    np.testing.assert_allclose(batch.w_star.norm(dim=1).numpy(), 1, rtol=1e-14)
    assert abs(float(batch.w_star.mean())) < 4 / np.sqrt(200 * 10 * 10)
    for X, y, w in zip(batch.X.numpy(), batch.y.numpy(), batch.w_star.numpy(), strict=True):
        np.testing.assert_allclose(y, [x @ w for x in X], atol=1e-14)


def test_noise_has_the_chosen_standard_deviation():
    quiet, noisy = draw(Settings(prompts=100)), draw(Settings(prompts=100, noise=0.3))
    torch.testing.assert_close(quiet.X, noisy.X, rtol=0, atol=0)
    difference = (noisy.y - quiet.y).numpy()
    assert difference.std() == pytest.approx(0.3, rel=4 / np.sqrt(2 * difference.size))


def test_gaussian_rows_have_unit_covariance():
    X = draw(Settings(data="gaussian", prompts=300, examples=50, features=4)).X.numpy().reshape(-1, 4)
    np.testing.assert_allclose(X.T @ X / len(X), np.eye(4), atol=4 * np.sqrt(2 / len(X)))


def test_equal_settings_give_equal_prompts_whatever_the_global_generator_did():
    torch.manual_seed(1)
    first = draw(Settings(seed=3))
    torch.rand(5)
    assert torch.equal(first.X, draw(Settings(seed=3)).X)
    assert not torch.equal(first.X, draw(Settings(seed=4)).X)


@pytest.mark.parametrize("data", ["exact", "gaussian", "correlated"])
def test_more_examples_ask_for_the_same_tasks_and_leave_the_loss_of_an_exact_spectrum_as_it_is(data):
    few, more = (draw(Settings(data=data, examples=n, features=4, prompts=3, condition_number=9.0)) for n in (4, 40))
    assert few.w_star is not None
    assert torch.equal(few.w_star, more.w_star)
    covariances = [batch.X.mT @ batch.X / batch.X.shape[1] for batch in (few, more)]
    assert torch.allclose(*covariances, rtol=0, atol=1e-12) == (data == "exact")


@pytest.mark.parametrize(("n", "d", "noise"), [(40, 10, 0.0), (40, 10, 0.5), (5, 10, 0.0), (5, 10, 0.5), (10, 10, 0.0)])
@pytest.mark.parametrize("alpha", [1.0, -3.0])
def test_least_squares_is_the_shortest_minimiser(n, d, noise, alpha):
    batch = draw(Settings(examples=n, features=d, noise=noise, prompts=4))
    found = batch.least_squares(alpha).numpy()
    for X, y, w in zip(batch.X.numpy(), batch.y.numpy(), found, strict=True):
        np.testing.assert_allclose(w, np.linalg.lstsq(X, alpha * y, rcond=None)[0], rtol=1e-10, atol=1e-12)
    if noise == 0 and n >= d:
        np.testing.assert_allclose(found, alpha * batch.w_star.numpy(), rtol=1e-9, atol=1e-12)


def test_repeated_columns_count_once_in_the_spectrum():
    x = torch.randn(1, 30, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    spectrum = Prompts(X=torch.cat([x, x[..., :1]], dim=2), y=x[..., 0], w_star=None).spectrum
    assert spectrum.nonzero.tolist() == [[True, True, True, False]]
    assert spectrum.eigenvalues[0, 3] == 0
    assert float(spectrum.condition_number[0]) < 100


def test_the_spectrum_rebuilds_the_matrix():
    batch = draw(Settings(examples=30, features=6, prompts=2))
    spectrum = batch.spectrum
    for b in range(2):
        X, V, values = batch.X[b].numpy(), spectrum.eigenvectors[b].numpy(), spectrum.eigenvalues[b].numpy()
        np.testing.assert_allclose(V @ np.diag(values) @ V.T, X.T @ X / 30, atol=1e-13)
        assert (np.diff(values) <= 0).all()


@pytest.mark.parametrize("data", ["exact", "gaussian", "correlated"])
def test_the_first_prompts_of_a_sample_are_the_same_however_many_are_wanted(data):
    chosen = Settings(prompts=7, examples=9, features=4, noise=0.3, data=data)
    whole, part = draw(chosen), draw(chosen, first=3)
    for name in ("X", "y", "w_star"):
        assert part.shape == (3, 9, 4)
        np.testing.assert_allclose(getattr(part, name), getattr(whole, name)[:3], rtol=1e-12)
    np.testing.assert_array_equal(draw(chosen, first=9).X, whole.X)
