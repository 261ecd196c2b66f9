import math

import numpy as np
import pytest
import torch

from looped import Settings, compare, theory
from looped.prompts import Prompts, draw


def eta_and_reference(setting):
    batch = draw(setting)
    return batch.spectrum, theory.step_sizes(batch.spectrum, setting), batch.least_squares(setting.label_scale)


@pytest.mark.parametrize("data", ["exact", "gaussian"])
def test_step_sizes_come_from_the_extreme_eigenvalues(data):
    batch = draw(Settings(prompts=5, data=data))
    values = np.array([np.linalg.eigvalsh(X.T @ X / 40) for X in batch.X.numpy()])
    low, high = values[:, 0], values[:, -1]

    def eta(**changes):
        return theory.step_sizes(batch.spectrum, Settings(**changes)).numpy()

    np.testing.assert_allclose(eta(), 1 / high, rtol=1e-12)
    np.testing.assert_allclose(eta(step_size="optimal"), 2 / (high + low), rtol=1e-12)
    np.testing.assert_allclose(eta(step_size=0.3), 0.3)
    np.testing.assert_allclose(eta(shared_step=True), np.full(5, 1 / high.max()), rtol=1e-12)
    np.testing.assert_allclose(
        eta(shared_step=True, step_size="optimal"), np.full(5, 2 / (high.max() + low.min())), rtol=1e-12
    )


def test_the_optimal_step_has_the_smallest_worst_factor_of_all_steps():
    batch = draw(Settings(prompts=1, spectrum="linear"))
    values = np.linalg.eigvalsh(batch.X[0].numpy().T @ batch.X[0].numpy() / 40)
    best = float(theory.step_sizes(batch.spectrum, Settings(step_size="optimal"))[0])
    worst = [np.abs(1 - eta * values).max() for eta in np.linspace(0.5 * best, 1.5 * best, 2001)]
    assert np.abs(1 - best * values).max() <= min(worst) + 1e-12
    assert np.abs(1 - best * values).max() == pytest.approx((5 - 1) / (5 + 1))


@pytest.mark.parametrize("step_size", ["auto", "optimal", 0.01, 2.5])
@pytest.mark.parametrize(("n", "d", "noise"), [(40, 10, 0.0), (40, 10, 0.4), (6, 9, 0.0), (1, 4, 0.0)])
def test_the_closed_form_is_the_error_of_the_iteration(n, d, noise, step_size):
    setting = Settings(loops=30, examples=n, features=d, noise=noise, step_size=step_size, prompts=3)
    spectrum, eta, w_ref = eta_and_reference(setting)
    closed = theory.closed_form_errors(spectrum, eta, w_ref, 30).numpy()
    batch = draw(setting)
    for b in range(3):
        X, y, w = batch.X[b].numpy(), batch.y[b].numpy(), np.zeros(d)
        for t in range(31):
            error = np.linalg.norm(w - w_ref[b].numpy()) / np.linalg.norm(w_ref[b].numpy())
            assert closed[t, b] == pytest.approx(error, rel=1e-9, abs=1e-13)
            w = w - eta[b].item() * X.T @ (X @ w - y) / n


def test_the_closed_form_of_one_mode_is_a_power():
    spectrum, eta, w_ref = eta_and_reference(Settings(examples=20, features=1, step_size=0.25, prompts=2))
    closed = theory.closed_form_errors(spectrum, eta, w_ref, 1000).numpy()
    np.testing.assert_allclose(closed[:, 0], 0.75 ** np.arange(1001), rtol=1e-11)


@pytest.mark.parametrize(
    ("factor", "kind", "words"),
    [
        (
            1.0,
            "converges",
            "Converges: η = 0.509 is below 2/λ₁ = 1.02; every loop leaves 0.8 of the error in the mode that falls",
        ),
        (
            2.0,
            "oscillates",
            "Oscillates without end: η = 2/λ₁ = 1.01711 up to the rounding of float64; mode 1 only changes its sign.",
        ),
        (2.6, "diverges", "Diverges: η = 1.32 is above 2/λ₁ = 1.02; mode 1 grows 1.6× per loop."),
    ],
)
def test_the_three_verdicts_name_the_numbers(factor, kind, words):
    spectrum, eta, w_ref = eta_and_reference(Settings(prompts=4))
    prediction = theory.predict(spectrum, factor * eta, w_ref)
    assert prediction.kind == kind
    assert words in prediction.sentence
    assert prediction.affected == (0 if kind == "converges" else 4)


def test_modes_that_fall_equally_are_all_named():
    spectrum, eta, w_ref = eta_and_reference(Settings(prompts=4))
    best = 2 / (spectrum.largest + spectrum.smallest)
    assert "in the modes that fall least, numbers 1 and 10." in theory.predict(spectrum, best, w_ref).sentence
    momentum = ((5**0.5 - 1) / (5**0.5 + 1)) ** 2  # at the best η and μ the roots of every mode have the size √μ
    best = (1 + momentum**0.5) ** 2 / spectrum.largest
    assert "in every mode." in theory.predict(spectrum, best, w_ref, momentum=momentum).sentence
    assert "in the mode that falls least, number 10." in theory.predict(spectrum, eta, w_ref).sentence
    spectrum, eta, w_ref = eta_and_reference(Settings(prompts=4, features=30, spectrum="outlier"))
    said = theory.predict(spectrum, eta, w_ref).sentence
    assert said.endswith("of the error in the 29 modes that fall least, number 2 among them.")


def test_one_diverging_prompt_is_enough_and_counted():
    spectrum, _, w_ref = eta_and_reference(Settings(prompts=20, data="gaussian"))
    eta = torch.full((20,), float((2 / spectrum.largest).sort().values[4]) * (1 + 1e-9))
    prediction = theory.predict(spectrum, eta.double(), w_ref)
    assert (prediction.kind, prediction.affected) == ("diverges", 5)
    assert "in 5 of 20 prompts" in prediction.sentence


def two_modes(step_size):
    X = torch.diag(torch.tensor([2.0, 1.0], dtype=torch.float64)) * math.sqrt(2)  # XᵀX/n has eigenvalues 4 and 1
    batch = Prompts(X=X[None], y=(X @ torch.tensor([0.0, 1.0], dtype=torch.float64))[None], w_star=None)
    return theory.predict(batch.spectrum, torch.tensor([step_size], dtype=torch.float64), batch.least_squares(1.0))


def test_a_mode_the_solution_does_not_have_neither_slows_nor_oscillates_but_rounding_makes_it_grow():
    assert (two_modes(0.2).kind, two_modes(0.2).factor, two_modes(0.2).mode) == ("converges", pytest.approx(0.8), 2)
    assert two_modes(0.5).kind == "converges"
    assert (two_modes(0.6).kind, two_modes(0.6).mode) == ("diverges", 1)


def test_at_single_precision_the_edge_is_as_wide_as_its_rounding():
    spectrum, eta, w_ref = eta_and_reference(Settings(prompts=2))
    edge = 2 * eta * (1 + 1e-7)
    assert theory.predict(spectrum, edge, w_ref, torch.float32).kind == "oscillates"
    assert theory.predict(spectrum, edge, w_ref, torch.float64).kind == "diverges"


def test_a_tiny_step_says_how_little_it_removes():
    spectrum, _, w_ref = eta_and_reference(Settings(prompts=2))
    sentence = theory.predict(spectrum, torch.full((2,), 1e-6, dtype=torch.float64), w_ref).sentence
    assert "removes only 3.9e-07 of the error" in sentence


def drawn(**changes):
    return {bound.key: bound for bound in compare(Settings(prompts=3, **changes)).bounds}


def test_the_bounds_have_their_values():
    auto, optimal = drawn(), drawn(step_size="optimal")
    assert float(auto["bound_paper"].values[50]) == pytest.approx(math.exp(-5))
    assert float(auto["bound_auto"].values[50]) == pytest.approx(0.8**50)
    assert float(optimal["bound_optimal"].values[50]) == pytest.approx((4 / 6) ** 50)
    assert float(optimal["bound_paper"].values[50]) == pytest.approx(math.exp(-5))
    assert auto["bound_optimal"].values is None
    assert optimal["bound_auto"].values is None


@pytest.mark.parametrize("spectrum", ["geometric", "linear", "two-level", "outlier"])
@pytest.mark.parametrize("kappa", [1.0, 2.0, 40.0, 1e4])
@pytest.mark.parametrize("step_size", ["auto", "optimal"])
@pytest.mark.parametrize("data", ["exact", "gaussian"])
def test_every_drawn_bound_holds_for_every_prompt(data, step_size, kappa, spectrum):
    result = compare(
        Settings(
            loops=200, prompts=20, step_size=step_size, condition_number=kappa, spectrum=spectrum, data=data,
            label_scale=-4,
        )
    )  # fmt: skip
    shown = [bound for bound in result.bounds if bound.values is not None]
    assert len(shown) == 2
    for bound in shown:
        assert (result.errors <= bound.values.numpy()[:, None] * (1 + 1e-9) + 1e-12).all()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"noise": 0.1}, "with noise in the labels the loop ends at least squares"),
        ({"step_size": 0.3}, "this one was set by hand"),
        ({"examples": 6}, "the examples have numerical rank 6 < d = 10 in float64"),
        ({"data": "diabetes"}, "real data has no known w*"),
        ({"data": "gaussian", "shared_step": True}, "one η for all prompts is not each prompt's own step"),
    ],
)
def test_no_bound_is_drawn_where_its_assumptions_fail_and_the_reason_is_given(changes, reason):
    bounds = list(drawn(**changes).values())
    assert all(bound.values is None for bound in bounds)
    sentences = theory.missing_bounds(bounds)
    assert any(reason in sentence for sentence in sentences)
    assert sum(sentence.count("drawn") for sentence in sentences) == len(sentences)


def test_one_step_for_all_prompts_keeps_the_bounds_when_their_spectra_are_equal():
    assert drawn(shared_step=True)["bound_auto"].values is not None


def test_the_reasons_are_merged_into_sentences():
    assert theory.missing_bounds(list(drawn().values())) == [
        "((κ−1)/(κ+1))ᵗ is not drawn: it belongs to the step 2/(λ₁+λ_d) (optimal)."
    ]
    assert theory.missing_bounds(list(drawn(noise=0.1).values()))[0].startswith("No bound is drawn: ")


@pytest.mark.parametrize(
    ("dtype", "kappa", "loops", "expected"),
    [
        (torch.float64, 5.0, 100, 16 * 2**-52 * 15),
        (torch.float32, 5.0, 100, 16 * 2**-23 * 15),
        (torch.float32, 1e4, 1, 1e-3),
    ],
)
def test_the_tolerance_is_the_contracts(dtype, kappa, loops, expected):
    assert theory.gap_tolerance(dtype, kappa, loops) == expected
