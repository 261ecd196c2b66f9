import numpy as np
import pytest
import torch

from looped.fields import SettingsError
from looped.shared_signal import SignalTask, draw, load_covariance
from tests.shared_signal.reference import random_task

I3 = torch.eye(3, dtype=torch.float64)
GOOD = {"beta_star": torch.ones(3), "H": I3, "Psi": I3, "sigma": 0.0, "examples": 4}


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"H": torch.eye(2)}, "H", "H has the shape 2 × 2: with d = 3 features it must be 3 × 3."),
        ({"Psi": torch.ones(3)}, "Psi", "Ψ has the shape 3: with d = 3 features it must be 3 × 3."),
        ({"H": torch.triu(torch.ones(3, 3))}, "H", "H is not symmetric, two entries differ by 1: give a covariance"),
        ({"Psi": -I3}, "Psi", "Ψ has the negative eigenvalue -1: a covariance is positive semi-definite."),
        ({"H": I3 * torch.nan}, "H", "H holds a value that is not finite: a covariance needs numbers."),
        ({"beta_star": torch.ones(3, 1)}, "signal", "β* has the shape 3 × 1: give one number for each of d ≥ 1"),
        ({"beta_star": torch.tensor([1.0, torch.inf, 0])}, "signal", "β* holds a value that is not finite"),
        ({"sigma": -0.1}, "noise", "σ = -0.1 is no noise level: give a number from 0 to 1e+12."),
        ({"sigma": float("nan")}, "noise", "σ = nan is no noise level"),
        ({"sigma": 1e200}, "noise", "σ = 1e+200 is no noise level"),
        ({"H": 1e60 * I3}, "H", "H has 1e+60 as its largest entry: give it in other units, so that this is from 1e-12"),
        ({"H": 1e308 * I3}, "H", "H has 1e+308 as its largest entry"),
        ({"Psi": 1e-300 * I3}, "Psi", "Ψ has 1e-300 as its largest entry"),
        (
            {"beta_star": 1e200 * torch.ones(3).double()},
            "signal",
            "β* has an entry of size 1e+200: give at most 1e+12",
        ),
        ({"examples": 0}, "examples", "M = 0 examples are too few: a prompt needs at least 1."),
    ],
)
def test_what_is_no_task_is_refused_in_one_sentence(changes, field, sentence):
    with pytest.raises(SettingsError) as refusal:
        SignalTask(**GOOD | changes)
    assert sentence in str(refusal.value)
    assert refusal.value.field == field
    assert "\n" not in str(refusal.value)


def test_no_features_are_refused():
    with pytest.raises(SettingsError, match="d = 0 features are too few"):
        SignalTask.shared(0, 4, 1.0)


@pytest.mark.parametrize("way", ["file", "tensor"])
@pytest.mark.parametrize(
    ("kind", "bound"),
    [("float16", 16 * 2**-10), ("float32", 16 * 2**-23), (">f4", 16 * 2**-23), ("float64", 1e-10)],
)
def test_asymmetry_within_the_rounding_of_the_type_is_averaged_away_and_more_is_refused(tmp_path, way, kind, bound):
    def given(asymmetry):
        matrix = np.array([[4, 1, 0], [1, 2, 0], [0, 0, 1]], kind)
        matrix[0, 1] += np.asarray(4 * asymmetry, kind)
        if way == "tensor":
            return matrix, SignalTask(**GOOD | {"H": torch.from_numpy(matrix.astype(matrix.dtype.newbyteorder("=")))}).H
        np.save(tmp_path / "H.npy", matrix)
        return matrix, load_covariance(tmp_path / "H.npy", "H", 3)

    for share in (0.3, 0.9):
        matrix, used = given(share * bound)
        assert matrix[0, 1] != matrix[1, 0]
        np.testing.assert_array_equal(used, (matrix.astype(float) + matrix.T.astype(float)) / 2)
    with pytest.raises(SettingsError, match="H is not symmetric"):
        given(1.2 * bound)


def test_whole_numbers_have_no_rounding(tmp_path):
    np.save(tmp_path / "H.npy", np.array([[10**7, 1], [0, 10**7]]))
    with pytest.raises(SettingsError, match="H is not symmetric, two entries differ by 1"):
        load_covariance(tmp_path / "H.npy", "H", 2)


def covariances_in_float32():
    """Covariances as people compute them: of data, from eigenvectors, and of fewer rows than features."""
    rng = np.random.default_rng(3)
    for d in (3, 12, 40):
        for rows in (d // 2 + 1, 50 * d):
            X = rng.standard_normal((rows, d)).astype(np.float32) * np.logspace(0, 2, d, dtype=np.float32)
            yield np.einsum("ni,nj->ij", X, X) / np.float32(rows)
            yield (X.T / np.float32(rows)) @ X.copy()
        V = np.linalg.qr(rng.standard_normal((d, d)))[0].astype(np.float32)
        yield (V * np.logspace(0, -3, d, dtype=np.float32)) @ V.T
        yield (V[:, : d // 2] * np.float32(3)) @ V[:, : d // 2].T


def test_every_covariance_computed_in_float32_is_used_and_is_one(tmp_path):
    asymmetric = negative = 0
    for matrix in covariances_in_float32():
        d, size = len(matrix), float(np.abs(matrix).max())
        np.save(tmp_path / "H.npy", matrix)
        used = load_covariance(tmp_path / "H.npy", "H", d).numpy()
        np.testing.assert_array_equal(used, used.T)
        np.testing.assert_allclose(used, matrix, rtol=0, atol=16 * 2**-23 * size)
        assert np.linalg.eigvalsh(used)[0] >= -1e-12 * size
        asymmetric += (matrix != matrix.T).any()
        negative += np.linalg.eigvalsh((matrix.astype(float) + matrix.T) / 2)[0] < -1e-10 * size
    assert asymmetric >= 3
    assert negative >= 3


def test_a_float32_matrix_of_low_rank_has_that_rank(tmp_path):
    V = np.linalg.qr(np.random.default_rng(1).standard_normal((6, 6)))[0].astype(np.float32)
    np.save(tmp_path / "H.npy", V[:, :4] @ V[:, :4].T)
    task = SignalTask(**GOOD | {"beta_star": torch.ones(6), "Psi": torch.eye(6)} | {
        "H": load_covariance(tmp_path / "H.npy", "H", 6)})  # fmt: skip
    assert task.rank_S == 4
    assert "H has rank 4 of 6" in task.notes[0]


def test_files_of_covariances_are_read_and_refused(tmp_path):
    np.save(tmp_path / "good.npy", np.diag([1.0, 2.0, 0.0]))
    assert torch.equal(load_covariance(tmp_path / "good.npy", "H", 3), torch.diag(torch.tensor([1.0, 2, 0])).double())
    np.save(tmp_path / "text.npy", np.array(["a"]))
    np.save(tmp_path / "complex.npy", np.eye(3) * 1j)
    np.save(tmp_path / "object.npy", np.array([None]), allow_pickle=True)
    np.save(tmp_path / "wide.npy", np.ones((3, 4)))
    (tmp_path / "junk.npy").write_bytes(b"not an array")
    (tmp_path / "empty.npy").write_bytes(b"")
    np.savez(tmp_path / "many.npz", np.eye(3))
    (tmp_path / "cut.npy").write_bytes(b"\x93NUMPY\x01\x00\x0c\x00{'descr': '<f")
    np.save(tmp_path / "infinite.npy", np.eye(3) * np.longdouble("1e400"))
    np.save(tmp_path / "whole.npy", np.full((3, 3), 2**63, dtype=np.uint64))
    for name, sentence in {
        "text.npy": "does not hold real numbers",
        "complex.npy": "does not hold real numbers",
        "object.npy": "does not hold real numbers",
        "junk.npy": "is no .npy file of numbers",
        "empty.npy": "is no .npy file of numbers",
        "cut.npy": "is no .npy file of numbers",
        "infinite.npy": "holds a value that is not finite",
        "whole.npy": "Ψ has 9.22e+18 as its largest entry",
        "many.npz": "is no .npy file of numbers",
        "wide.npy": "Ψ has the shape 3 × 4: with d = 3",
        "missing.npy": "cannot be read: No such file or directory.",
    }.items():
        with pytest.raises(SettingsError) as refusal:
            load_covariance(tmp_path / name, "Psi", 3)
        assert sentence in str(refusal.value), name
        assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("seed", range(3))
def test_prompts_have_the_moments_of_their_task(seed):
    task = random_task(seed)
    B, d, M = 100_000, task.features, task.examples
    prompts = draw(task, B, torch.Generator().manual_seed(seed))
    X, x = prompts.E[:, :d, :M].mT, prompts.E[:, :d, M]
    assert prompts.E.shape == (B, d + 1, M + 1)
    assert (prompts.E[:, d, M] == 0).all()
    spread = float(task.H.diagonal().max())
    torch.testing.assert_close(x.mT @ x / B, task.H, atol=0.03 * spread, rtol=0)
    torch.testing.assert_close(X[:, 0].mT @ X[:, 0] / B, task.H, atol=0.03 * spread, rtol=0)
    assert float((X[:, 0] * x).mean()) == pytest.approx(0, abs=0.03 * spread)
    residual = prompts.y - x @ task.beta_star
    assert float(residual.square().mean()) == pytest.approx(
        float((task.H @ task.Psi).trace()) + task.sigma**2, rel=0.05
    )
    # Labels of one prompt share their β̃: E[y′_i y′_q x_i x_qᵀ] = HΨH.
    shared = (prompts.E[:, d, 0] - X[:, 0] @ task.beta_star) * residual
    found = torch.einsum("b,bi,bj->ij", shared, X[:, 0], x) / B
    expected = task.H @ task.Psi @ task.H
    torch.testing.assert_close(found, expected, atol=0.1 * spread * (1 + float(expected.abs().max())), rtol=0)


def test_one_seed_gives_one_set_of_prompts_and_leaves_the_global_generator_alone():
    task = SignalTask.shared(3, 4, 1.0, sigma=0.3)
    before = torch.random.get_rng_state()
    first, second = (draw(task, 7, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(first.E, second.E)
    assert torch.equal(first.y, second.y)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert draw(task, 7, torch.Generator().manual_seed(6)).E[0, 0, 0] != first.E[0, 0, 0]


def test_a_rank_deficient_covariance_works_and_is_said():
    task = random_task(0, d=4, rank_H=2, rank_Psi=3)
    assert [note[:18] for note in task.notes] == ["H has rank 2 of 4:", "Ψ has rank 3 of 4:"]
    assert SignalTask.shared(4, 2, 0.0).notes == []
    torch.testing.assert_close(task.root_H @ task.root_H, task.H)
    torch.testing.assert_close(task.H @ task.inverse_root_H @ task.inverse_root_H @ task.H, task.H)
    assert int(torch.linalg.matrix_rank(task.inverse_root_H)) == 2
