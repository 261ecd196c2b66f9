"""Loss against loops: the closed forms against numerical ones, and the stored trainings."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import least_squares, minimize_scalar
from scipy.special import comb
from scipy.stats import chi2

from looped import BeyondSettings
from looped.experiments.beyond import charts, depth_charts
from looped.experiments.beyond import depth as depth_module
from looped.experiments.beyond import stacks as module
from looped.experiments.beyond.depth import best_step, depth
from looped.experiments.beyond.limit_law import limit_law
from looped.experiments.beyond.rotated import RotatedLoss
from looped.experiments.beyond.stacks import LAYERS, SEEDS, stacks
from looped.training.wishart import best_descent

LAW = {
    1: (0.5, 0.375, 0.273, 0.196, 0.140), 2: (0.333, 0.185, 0.083, 0.027, 0.005), 4: (0.2, 0.072, 0.015, 0.001, 0.0),
    0.5: (0.667, 0.593, 0.541, 0.513, 0.502),
}  # fmt: skip


def by_quadrature(ratio, loops):
    """min over s of the integral of (1 − sλ)^2L over the density √((b−λ)(λ−a))/(2πgλ), g = d/n, and the mass at 0."""
    g = 1 / ratio
    a, b = (1 - g**0.5) ** 2, (1 + g**0.5) ** 2

    def loss(s):
        def density(angle):  # λ by the angle, which takes the roots away
            lam = (a + b) / 2 + (b - a) / 2 * np.cos(angle)
            return (1 - s * lam) ** (2 * loops) * ((b - a) / 2 * np.sin(angle)) ** 2 / (2 * np.pi * g * lam)

        return quad(density, 0, np.pi, limit=200)[0] + max(0, 1 - ratio)

    return minimize_scalar(loss, bounds=(1e-3, 2 / (a + b) * 4), method="bounded", options={"xatol": 1e-9}).fun


@pytest.mark.parametrize("ratio", LAW)
def test_the_smallest_loss_over_marchenko_and_pasturs_law_is_the_numerical_one(ratio):
    law, share = limit_law(np.ones(2), int(2 * ratio))
    assert share.sum() == pytest.approx(1, abs=1e-12)
    assert (share * law).sum() == pytest.approx(1, abs=1e-9)
    for loops, said in zip((1, 2, 4, 8, 16), LAW[ratio], strict=True):
        _, loss = best_step(law[None], share[None], loops)
        assert loss == pytest.approx(said, abs=6e-4)
        assert loss == pytest.approx(by_quadrature(ratio, loops), abs=1e-6)
    if ratio == 1:
        assert loss == pytest.approx(comb(32, 16) / 4**16, rel=1e-4)


def test_the_best_scalar_steps_are_those_of_a_search_and_the_untied_layers_are_above_them():
    lam = np.linspace(0.1, 1, 4001)  # evenly on a logarithmic scale, and weighted with λ

    def left(steps):
        return np.prod(1 - steps[:, None] * lam, axis=0)

    start = 1 / (0.55 + 0.45 * np.cos((np.arange(8) + 0.5) * np.pi / 8))
    found = np.mean(left(least_squares(left, start).x) ** 2)
    assert module.best_scalar_steps() == pytest.approx(2.22e-5, rel=1e-3)
    assert found == pytest.approx(module.best_scalar_steps(), rel=0.01)
    assert stacks().above_best == pytest.approx((5.16, 9.27), abs=0.02)


def test_a_rotated_covariance_needs_depth_even_with_infinitely_many_examples():
    settings = BeyondSettings(view="depth", features=32, examples=64, condition_number=32**1.5, loops=64, prompts=100)
    np.testing.assert_allclose(settings.eigenvalues, np.arange(1, 33) ** -1.5)
    found = depth(settings)
    said = (0.395, 0.280, 0.183, 0.111, 0.059, 0.026, 0.0075)
    np.testing.assert_allclose(found.rotated, said, atol=6e-4)
    np.testing.assert_allclose(found.rotated_exact, (0.427, 0.320, 0.232, 0.169, 0.126, 0.098), atol=6e-4)
    lam = np.arange(1, 33) ** -1.5
    for loops, value in zip(found.loops, found.rotated, strict=True):
        steps = np.linspace(0.2, 4, 20_000)
        losses = ((1 - steps[:, None] * lam) ** (2 * int(loops)) @ lam) / lam.sum()
        assert value == pytest.approx(losses.min(), rel=1e-4)


@pytest.mark.parametrize(("n", "d"), [(20, 10), (6, 3)])
def test_a_rotation_of_the_identity_changes_nothing_so_no_curve_of_n_examples_is_below_the_exact_one(n, d):
    """A step that is tuned and scored on the same prompts would be: at n = 20, d = 10, L = 20 it shows half as much."""
    found = depth(BeyondSettings(view="depth", examples=n, features=d, condition_number=1.0))
    exact = np.array([best_descent(L, n, d)[1] / d for L in found.loops.tolist()])
    for covariance, case in (("same", "one covariance"), ("rotated", "rotated")):
        drawn = {trace["name"]: trace["y"] for trace in depth_charts.depth_chart(found, covariance).spec["data"]}
        np.testing.assert_allclose(drawn[f"{case}, n/d = {n / d:.4g}"], [1, *exact], rtol=1e-5)
    assert found.rotated.max() == 0  # one covariance and n → ∞: one loop is exact


def lines_of(picture):
    return {trace["name"]: trace for trace in picture.spec["data"]}


@pytest.mark.parametrize(("covariance", "kappa"), [("same", 10.0), ("same", 1.0), ("rotated", 1.0)])
def test_a_loss_of_0_after_one_loop_is_a_line_that_falls_out_of_the_chart(covariance, kappa):
    found = depth(BeyondSettings(view="depth", condition_number=kappa, covariance=covariance))
    picture = charts.main_chart(found)
    case = "one covariance" if covariance == "same" else "rotated"
    fallen, low = lines_of(picture)[f"{case}, n → ∞"], picture.spec["layout"]["yaxis"]["range"][0]
    assert picture.spec["layout"]["xaxis"]["ticktext"][:2] == ["0", "1"]
    assert list(fallen["x"]) == list(picture.spec["layout"]["xaxis"]["tickvals"][:2]) == [0.5, 1]
    np.testing.assert_allclose(np.log10(fallen["y"]), [0, low])
    assert fallen["hovertemplate"][1] == "0"
    arrow, words = picture.spec["layout"]["annotations"]
    assert (arrow["x"], arrow["y"], words["text"]) == (0, low, "0 after one loop")
    assert arrow["ay"] / arrow["ax"] > 0 > arrow["y"] - arrow["ay"]  # it points down, along the line
    np.testing.assert_array_equal(picture.table[f"{case}, infinite context"], [1, *[0] * len(found.loops)])
    assert "After 1: " in picture.alt
    assert picture.alt.count("infinitely many examples 0") == 2


@pytest.mark.parametrize("covariance", ["same", "rotated"])
def test_the_first_chart_is_the_case_of_the_settings_and_the_other_case_stands_below(covariance):
    found = depth(BeyondSettings(view="depth", covariance=covariance))
    first, second = charts.pictures(found).values()
    case, other = ("one covariance", "rotated") if covariance == "same" else ("rotated", "one covariance")
    for picture, kind in ((first, case), (second, other)):
        assert list(lines_of(picture)) == [f"{kind}, n/d = 2", "its limit for large n and d", f"{kind}, n → ∞"]
    asked = lines_of(charts.before(found))
    assert list(asked) == list(lines_of(first))
    np.testing.assert_array_equal(asked[f"{case}, n/d = 2"]["y"], lines_of(first)[f"{case}, n/d = 2"]["y"])
    (begins,) = np.flatnonzero(np.isfinite(asked[f"{case}, n → ∞"]["y"]))
    assert (begins, asked[f"{case}, n → ∞"]["y"][begins]) == (0, 1)


def test_a_rotated_covariance_of_n_examples_has_the_exact_curve_its_limit_and_more_loss_than_infinitely_many_leave():
    found = depth(BeyondSettings(view="depth"))
    lam = 1 / np.arange(1, 11)
    for shown, said in (
        (found.rotated_exact, (0.448, 0.314, 0.211, 0.143, 0.101)),
        (found.rotated_limit, (0.424, 0.281, 0.166, 0.0844, 0.0345)),
        (found.rotated, (0.315, 0.149, 0.045, 0.0059, 1.6e-4)),
    ):  # docs/theory/beyond.md
        np.testing.assert_allclose(shown[:5], said, rtol=0.02, atol=6e-4)
    generator, losses = np.random.default_rng(0), []
    X = generator.standard_normal((100_000, 20, 10)) * np.sqrt(lam)
    values, U = np.linalg.eigh(X.transpose(0, 2, 1) @ X / 20)
    shares = np.einsum("bik,i->bk", U**2, lam) / lam.sum()
    for L, step, exact in zip(found.exact[:4], found.steps[1], found.rotated_exact, strict=False):
        losses = (shares * (1 - step * values) ** (2 * L)).sum(axis=1)
        assert abs(losses.mean() - exact) < 5 * losses.std() / 100_000**0.5 + 0.01 * exact * (L > 2)  # rare prompts
    assert (found.rotated_exact > found.rotated_limit).all()
    assert (found.rotated_limit > found.rotated).all()
    assert (np.diff(found.rotated_exact) < 0).all()


@pytest.mark.parametrize("loops", [20, 64])
def test_the_text_of_the_chart_names_the_loops_of_each_number(loops):
    found = depth(BeyondSettings(view="depth", loops=loops))
    last, k = min(loops, 32), len(found.exact) - 1
    for covariance, exact, limit, many in (
        ("same", found.fixed, found.limit, np.zeros(len(found.loops))),
        ("rotated", found.rotated_exact, found.rotated_limit, found.rotated),
    ):
        said = depth_charts.depth_chart(found, covariance).alt
        others = [
            f"the limit for large n and d {limit[i]:.3g}, infinitely many examples {many[i]:.3g}" for i in (k, -1)
        ]
        assert f"After {last}: n/d = 2 {exact[-1]:.3g}, {others[0]}." in said
        assert (f"After {loops}: {others[1]}." in said) == (loops > 32)


def test_one_covariance_is_near_its_limit_for_large_d_and_above_it():
    small, large = (
        depth(BeyondSettings(view="depth", features=d, examples=2 * d, loops=8, prompts=1000)) for d in (4, 48)
    )
    assert np.abs(large.fixed / large.limit - 1).max() < 0.2
    assert (small.fixed > large.fixed).all()
    np.testing.assert_allclose(small.limit, large.limit)
    assert large.floor == 0


def loss_of(A, lam, loops, seed, prompts=4000):
    """Mean of tr(EᵀΣE)/tr Σ with E = (I − AΣ)^L over Σ = QΛQᵀ, Q a random rotation: tasks are 𝓝(0, I), n → ∞."""
    d = len(lam)
    Q, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((prompts, d, d)))
    sigma = (Q * lam) @ Q.transpose(0, 2, 1)
    left = np.linalg.matrix_power(np.eye(d) - A @ sigma, loops)
    return float(np.einsum("bij,bik,bkj->b", left, sigma, left).mean() / lam.sum())


@pytest.mark.parametrize(("d", "loops", "a", "b", "least", "most"), [
    (10, 20, 1.90, 1.26, 3.9e-6, 4.3e-6), (5, 8, 1.78, 1.47, 2.65e-3, 2.75e-3),
])  # fmt: skip
def test_an_antisymmetric_part_is_better_than_one_step_size_for_several_loops(d, loops, a, b, least, most):
    lam = np.arange(1, d + 1) ** -(np.log(10) / np.log(d))
    J = np.zeros((d, d))
    for i in range(0, d - 1, 2):
        J[i, i + 1], J[i + 1, i] = 1, -1
    for seed in range(10):
        assert least <= loss_of(a * np.eye(d) + b * J, lam, loops, seed) <= most
    step, scalar = best_step(lam[None], lam[None] / lam.sum(), loops)
    assert scalar == pytest.approx({10: 2.822e-5, 5: 4.981e-3}[d], rel=1e-3)
    assert loss_of(step * np.eye(d), lam, loops, 0) == pytest.approx(scalar, rel=1e-9)


def test_for_one_loop_no_matrix_is_better_than_one_step_size_not_even_an_antisymmetric_one():
    """A part X without trace adds 𝔼‖Σ^½XΣ‖_F², the terms with one X being 0 in the mean over rotations."""
    lam = 1 / np.arange(1, 11)
    step, scalar = best_step(lam[None], lam[None] / lam.sum(), 1)
    generator = np.random.default_rng(0)
    for _ in range(5):
        X = 0.3 * generator.standard_normal((10, 10))
        X -= np.eye(10) * np.trace(X) / 10
        for part in (X, X - X.T, X + X.T):
            Q, _ = np.linalg.qr(generator.standard_normal((4000, 10, 10)))
            sigma, root = ((Q * values) @ Q.transpose(0, 2, 1) for values in (lam, np.sqrt(lam)))
            added = np.square(root @ part @ sigma).sum(axis=(1, 2)).mean() / lam.sum()
            with_it = loss_of(step * np.eye(10) + part, lam, 1, 1)
            assert with_it == pytest.approx(scalar + added, rel=0.05)
            assert with_it > 1.1 * scalar


def test_fewer_examples_than_features_leave_a_floor():
    found = depth(BeyondSettings(view="depth", examples=5, prompts=500))
    assert found.floor == 0.5
    assert (found.fixed > 0.5).all()
    assert found.limit[-1] == pytest.approx(0.5, abs=0.002)


def test_the_looped_transformer_has_the_loss_of_the_eigenvalues():
    found = depth(BeyondSettings(view="depth", prompts=100))
    assert found.passed
    assert (found.transformer > 0).all()
    assert found.transformer[0, 0] != found.transformer[1, 0]


def test_over_many_prompts_the_transformer_has_the_exact_loss_of_rotated_covariances(monkeypatch):
    monkeypatch.setattr(depth_module, "RUN", 4000)
    lam = 1 / np.arange(1, 6)
    for eigenvalues, seed in ((lam, 0), (lam, 1), (np.ones(5), 0)):
        measured, expected = depth_module._transformer(eigenvalues, 15, 2, 0.8, seed)
        assert measured == pytest.approx(expected, rel=1e-12)
        assert measured == pytest.approx(RotatedLoss(eigenvalues, 15, 2)(0.8, 2), rel=0.06)


def test_the_stored_trainings_are_ten_seeds_of_each_on_one_test_set():
    kept = stacks()
    assert kept.by_loop.shape == (2, SEEDS, 3 * LAYERS + 1)
    assert kept.by_scale.shape == (2, SEEDS, len(module.SCALES))
    np.testing.assert_allclose(kept.by_loop[:, :, 0], 1.0)
    place = int(np.argmin(np.abs(kept.scales - 1)))
    np.testing.assert_allclose(kept.by_scale[:, :, place], kept.by_loop[:, :, LAYERS], rtol=1e-9)
    assert kept.origin["command"] == module.COMMAND
    assert (np.diff(kept.steps[0], axis=1) == 0).all()
    assert np.ptp(kept.steps[1], axis=1).min() > 1


def test_untied_layers_are_better_as_trained_and_both_break_for_larger_inputs():
    kept = stacks()
    assert kept.by_loop[1, :, LAYERS].max() < 0.2 * kept.by_loop[0, :, LAYERS].min()
    one_step = minimize_scalar(lambda s: quad(lambda x: (1 - s * x) ** 16, 0.1, 1)[0] / 0.9, bounds=(1, 2.5))
    assert one_step.fun == pytest.approx(1.675e-3, rel=1e-3)
    assert kept.by_loop[0, :, LAYERS] == pytest.approx(1.475e-3, rel=0.02)  # less, by an antisymmetric part
    assert kept.monotone[0] == SEEDS
    assert kept.monotone[1] < SEEDS
    tied, untied = kept.medians(kept.by_scale)
    assert untied[-1] > tied[-1] > 1e4
    # Tied layers are (1 − aλ)^8 with one a: the loss of a rotated prompt written out for the medians of a.
    a = np.median(kept.steps[0])
    generator = np.random.default_rng(0)
    lam = 10 ** -generator.uniform(size=(200_000, 5))
    for scale, loss in zip(kept.scales, tied, strict=True):
        expected = (lam * (1 - a * scale * lam) ** 16).mean() / lam.mean()
        assert 0.5 < loss / expected < 2  # A is near a·I, not equal to it


@pytest.mark.slow
def test_the_stored_trainings_are_made_again():
    kept, again = stacks(), module.trained(seeds=2)
    for name in ("by_loop", "by_scale", "steps"):
        np.testing.assert_allclose(again[name], getattr(kept, name)[:, :2], rtol=1e-3)


def test_a_short_training_of_each_kind_lowers_the_loss():
    made = module.trained(seeds=1, steps=60, tested=200)
    assert (made["by_loop"][:, 0, LAYERS] < 0.3).all()
    assert made["steps"].shape == (2, 1, LAYERS)


@pytest.mark.thorough
def test_the_loss_of_one_covariance_is_the_least_mean_over_all_prompts_and_not_over_those_drawn():
    found = depth(BeyondSettings(view="depth", features=1, examples=6, loops=16, condition_number=1, prompts=100))

    def loss(step, loops):
        mean = quad(lambda x: (1 - step * x / 6) ** (2 * loops) * chi2(6).pdf(x), 0, 400, limit=400)
        return mean[0]

    for L, shown in zip(found.loops, found.fixed, strict=True):
        least = minimize_scalar(lambda step, L=L: loss(step, L), bounds=(0.02, 1.2), method="bounded")
        assert shown == pytest.approx(least.fun, rel=1e-5), L
