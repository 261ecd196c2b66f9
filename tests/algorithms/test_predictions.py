"""The prediction before a run is what the run does, for every algorithm, step and precision."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from looped import Settings, compare
from looped.algorithms.gd import GradientDescent
from looped.algorithms.heavy_ball import HeavyBall
from looped.prompts import draw

BETA = 0.9


def limit(setting):
    """The largest η at which nothing grows, from the eigenvalues by NumPy."""
    batch = draw(setting)
    X = batch.X[0].double().numpy()
    H = X.T @ X / len(X)
    if setting.algorithm == "ridge":
        H = H + setting.ridge * np.eye(len(H))
    if setting.algorithm == "preconditioned" and batch.covariance is not None:
        H = np.linalg.inv(batch.covariance.numpy()) @ H
    top = np.linalg.eigvals(H).real.max()
    return (2 * (1 + BETA) if setting.algorithm == "heavy-ball" else 2) / top


def modes(result):
    """|⟨v_k, w_t − w_ref⟩|, (T+1, r), of the only prompt."""
    error = result.looped[:, 0].astype(float) - result.w_ref[0]
    if getattr(result.algorithm, "root", None) is not None:
        error = np.linalg.solve(result.algorithm.root.numpy(), error.T).T
    return np.abs(error @ result.algorithm.spectrum.eigenvectors[0].numpy())


def number(sentence, pattern):
    found = re.search(pattern, sentence)
    assert found, sentence
    return float(found[1])


@settings(max_examples=150)
@given(
    name=st.sampled_from(["gd", "ridge", "preconditioned"]),
    data=st.sampled_from(["exact", "gaussian", "correlated"]),
    dtype=st.sampled_from(["float64", "float32"]),
    share=st.sampled_from([1e-6, 1e-2, 0.3, 0.5, 0.9, 0.999, 1.0, 1.001, 1.02, 1.5, 4.0]),
    n=st.sampled_from([30, 3]),
    seed=st.integers(0, 10**6),
)
def test_every_loop_does_to_the_named_mode_what_the_sentence_says(name, data, dtype, share, n, seed):
    setting = Settings(
        algorithm=name, data=data, dtype=dtype, examples=n, features=4, seed=seed, prompts=1, loops=12, noise=0.3
    )
    result = compare(setting.replace(step_size=share * limit(setting)))
    prediction, sentence = result.prediction, result.prediction.sentence
    kind = "converges" if share < 1 else "diverges" if share > 1 else prediction.kind
    assert prediction.kind == kind
    measured = modes(result)[:, prediction.mode - 1]
    eps = float(np.finfo(dtype).eps)
    largest = np.abs(result.looped[:, 0]).max(axis=1).astype(float)
    rounding = 300 * eps * result.algorithm.condition_number**0.5 * np.maximum(largest, np.abs(result.w_ref).max())
    known = np.flatnonzero(measured[:-1] > 1e3 * rounding[:-1])
    if share == 1:
        assert kind == "oscillates" or dtype == "float64"
    if len(known) == 0 or known[0] != 0:
        return
    until = int(np.argmax(np.diff(np.r_[known, 10**6]) > 1)) + 1
    ratio = measured[1 : until + 1] / measured[:until]
    slack = 1e-3 + rounding[:until] / measured[:until]
    assert (np.abs(ratio - prediction.factor) <= 2 * slack * max(1, prediction.factor)).all()
    if "leaves" in sentence:
        assert number(sentence, r"every loop leaves ([\d.e-]+) of") == pytest.approx(prediction.factor, rel=1e-3)
    if "removes only" in sentence:
        assert number(sentence, r"removes only ([\d.e-]+) of") == pytest.approx(
            1 - prediction.factor, rel=0.06, abs=eps
        )
    if "grows" in sentence and "×" in sentence:
        assert number(sentence, r"grows ([\d.e+]+)×") == pytest.approx(prediction.factor, rel=6e-3)
    if prediction.kind == "oscillates":
        assert "only changes its sign" in sentence


@settings(max_examples=40)
@given(st.floats(1e-14, 1e-3), st.booleans(), st.sampled_from(["float64", "float32"]))
def test_a_step_and_its_limit_never_look_equal_unless_they_are_called_so(distance, below, dtype):
    setting = Settings(prompts=1, loops=1, dtype=dtype)
    eta = limit(setting) * (1 - distance if below else 1 + distance)
    sentence = GradientDescent(setting.replace(step_size=eta), draw(setting)).prediction.sentence
    if "up to the rounding of" in sentence:
        assert "η = 2/λ₁ = " in sentence
        assert distance < 40 * np.finfo(dtype).eps
    else:
        step, edge = re.search(r"η = ([\d.]+) is \w+ 2/λ₁ = ([\d.]+\d)", sentence).groups()
        assert (float(step) < float(edge)) is below


@pytest.mark.parametrize("beta", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_heavy_ball_at_its_limit_grows_to_the_number_it_names_and_then_changes_its_sign(beta, dtype):
    setting = Settings(algorithm="heavy-ball", prompts=1, loops=200, momentum=beta, dtype=dtype)
    top = float(draw(setting).spectrum.largest[0])
    result = compare(setting.replace(step_size=2 * (1 + beta) / top))
    assert result.prediction.kind == "oscillates"
    measured = modes(result)[:, 0]
    assert measured[-1] / measured[0] == pytest.approx((1 + beta) / (1 - beta), rel=2e-2)
    named = number(result.prediction.sentence, r"grows to \(1\+μ\)/\(1−μ\) = ([\d.]+) times its start")
    assert named == pytest.approx((1 + beta) / (1 - beta), rel=5e-3)
    signs = np.sign((result.looped[-9:, 0] - result.w_ref[0]) @ result.algorithm.spectrum.eigenvectors[0, :, 0].numpy())
    np.testing.assert_array_equal(signs[1:], -signs[:-1])
    plain = compare(Settings(prompts=1, step_size=2 / top, dtype=dtype))
    assert "grows" not in plain.prediction.sentence


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9, 1.2])
def test_heavy_ball_falls_or_grows_in_the_long_run_as_it_says(share):
    setting = Settings(algorithm="heavy-ball", prompts=1, loops=120, momentum=BETA, condition_number=3.0)
    result = compare(setting.replace(step_size=share * limit(setting)))
    assert "in the long run" in result.prediction.sentence
    envelope = np.maximum.reduceat(result.errors[:120, 0], range(0, 120, 30))  # complex roots: the error swings
    assert (envelope[-1] / envelope[1]) ** (1 / 60) == pytest.approx(result.prediction.factor, rel=0.03)


def test_the_factor_of_heavy_ball_keeps_its_digits_near_1():
    setting = Settings(algorithm="heavy-ball", prompts=1, momentum=BETA, step_size=1e-13)
    prediction = HeavyBall(setting, draw(setting)).prediction
    slowest = float(draw(setting).spectrum.smallest[0])
    assert prediction.away == pytest.approx(1e-13 * slowest / (1 - BETA), rel=1e-9)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("a", "gamma"), [(0.5, 0.1), (4.97, 0.217), (20.0, 0.2), (60.0, 1e-3), (0.5, 1.5), (0.7, 0.5)])
def test_the_verdict_on_gdpp_is_the_same_after_any_number_of_loops(a, gamma, dtype):
    base = Settings(algorithm="gd++", step_size=a, gamma=gamma, prompts=3, dtype=dtype)
    predictions = [compare(base.replace(loops=loops)).prediction for loops in (1, 2, 5, 10, 50)]
    assert len({prediction.kind for prediction in predictions}) == 1
    assert len({prediction.sentence.split(";")[0] for prediction in predictions}) == 1


@settings(max_examples=20)
@given(st.floats(-1, 1.7), st.floats(-3, 0.4), st.integers(0, 10**6), st.sampled_from([1, 3, 8, 30]))
def test_gdpp_falls_in_the_end_and_grows_before_as_it_says(log_a, log_gamma, seed, loops):
    setting = Settings(
        algorithm="gd++", step_size=10**log_a, gamma=10**log_gamma, prompts=1, features=4, seed=seed, loops=loops
    )
    result = compare(setting)
    h = np.linalg.eigvalsh(result.prompts.X[0].numpy().T @ result.prompts.X[0].numpy() / 40)[::-1]
    sizes, left = [np.ones(4)], np.ones(4)
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(20_000):
            left = left * (1 - 10**log_a * h)
            h = h * (1 - 10**log_gamma * h) ** 2
            sizes.append(np.abs(left))
    sizes = np.nan_to_num(np.array(sizes), nan=np.inf)
    sentence, grown = result.prediction.sentence, sizes.max()
    if result.prediction.kind == "diverges":
        assert grown * np.finfo(float).eps > 0.9 or "themselves diverge" in sentence
        return
    assert sizes[-1].max() < 0.9 * grown or grown == 1
    assert sizes[-1].max() < sizes[200].max() * 1.01
    after = number(sentence, rf"after T = {loops} loops? the worst mode, number \d, has ([\d.e+-]+) of its start")
    assert after == pytest.approx(max(sizes[loops].max(), np.finfo(float).eps * grown), rel=6e-3)
    if grown > 1:
        assert number(sentence, r"first grows to ([\d.e+]+) times its start") == pytest.approx(grown, rel=6e-3)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("share", [1e-5, 0.3, 0.5, 0.99, 1.0, 1.01, 2.0])
def test_the_verdict_on_newton_is_the_same_after_any_number_of_loops_and_kept(share, dtype):
    base = Settings(algorithm="newton", prompts=1, features=4, dtype=dtype)
    base = base.replace(step_size=share * limit(base))
    results = [compare(base.replace(loops=loops)) for loops in (1, 3, 8, 40)]
    assert len({result.prediction.sentence for result in results}) == 1
    kind = "converges" if share < 1 else "diverges" if share > 1 else "unknown"
    assert {result.prediction.kind for result in results} == {kind}
    if kind == "converges":
        assert results[-1].errors[-1].max() < 1e-3
        first = results[-1].prediction.factor
        left = modes(results[-1])[:4, results[-1].prediction.mode - 1]
        np.testing.assert_allclose(left[1:] / left[0], first ** np.array([1, 2, 4]), rtol=1e-3, atol=1e-5)
    elif kind == "diverges":
        assert results[-1].errors.max() > 1e3
    else:
        assert results[2].errors[-1].max() == pytest.approx(results[1].errors[-1].max(), rel=0.1)
