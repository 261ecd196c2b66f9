"""The contract of every algorithm: one loop of its construction is one step of it, and its predictions hold.

The references of `tests.algorithms.references` are written from the formulas and share nothing with the package.
"""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from looped import Settings, compare
from looped.algorithms import ALGORITHMS, ENTRIES
from looped.algorithms.gd import construction
from looped.algorithms.heavy_ball import HeavyBall
from looped.algorithms.newton import Newton
from looped.algorithms.run import looped_iterates
from looped.attention import LinearAttention, LoopedTransformer, SoftmaxAttention
from looped.experiments.compare import charts
from looped.prompts import Prompts, draw
from looped.settings import FIELDS
from tests.algorithms.references import build, expected, tolerance
from tests.strategies import runnable_settings

SIZES = [(1, 1, 1), (3, 4, 3), (30, 40, 7), (25, 9, 15), (12, 12, 12), (40, 3, 7), (100, 12, 12), (2, 1, 6)]
DTYPES = ["float64", "float32"]
STILL = [name for name, algorithm in ALGORITHMS.items() if algorithm.has_state]
STEPS = [name for name in ALGORITHMS if name != "softmax"]
MOVING = [name for name in STEPS if name not in STILL]


def cases():
    for name, algorithm in ALGORITHMS.items():
        for layout in ("compact", "slots") if algorithm.layouts else ("compact",):
            for form in ("state", "token") if algorithm.has_state else ("token",):
                yield name, layout, form


def scale(name):
    return {"gd++": 5.0, "softmax": 0.3}.get(name, 0.9)


def run(name, weights, form, batch, eta, loops, alpha=1.0):
    with torch.inference_mode():
        transformer = LoopedTransformer(loops, form, softmax=name == "softmax")
        return weights.read(transformer(weights.embed(batch, alpha), weights, eta)).numpy()


def prompts_and_steps(name, n, d, dtype="float64", **changes):
    batch = draw(Settings(examples=n, features=d, prompts=2, dtype=dtype, noise=0.1, **changes))
    return batch, (scale(name) / batch.spectrum.largest).to(batch.X.dtype)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "T={},n={},d={}".format(*size))
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "layout", "form"), list(cases()))
def test_one_loop_of_the_construction_is_one_step_of_the_algorithm(name, layout, form, dtype, size):
    loops, n, d = size
    batch, eta = prompts_and_steps(name, n, d, dtype)
    looped = run(name, build(name, d, layout, dtype), form, batch, eta, loops, alpha=-1.5)
    reference = expected(name, batch, eta, loops, alpha=-1.5)
    assert np.abs(looped - reference).max() <= tolerance(dtype, 5, loops) * np.abs(reference).max()
    assert np.abs(looped[1]).max() > 0


@pytest.mark.parametrize(("name", "layout"), sorted({case[:2] for case in cases()}))
def test_flipping_the_sign_of_any_weight_breaks_it(name, layout):
    loops, n, d = 12, 9, 2
    batch, eta = prompts_and_steps(name, n, d)
    reference = expected(name, batch, eta, loops)
    limit = tolerance("float64", 5, loops) * np.abs(reference).max()
    right = build(name, d, layout)
    assert np.abs(run(name, right, "token", batch, eta, loops) - reference).max() <= limit
    for part in ("P", "Q", "skip", "decay"):
        matrix = getattr(right, part)
        for place in [] if matrix is None else matrix.nonzero().tolist():
            wrong = matrix.clone()
            wrong[tuple(place)] *= -1
            gap = np.abs(run(name, dataclasses.replace(right, **{part: wrong}), "token", batch, eta, loops) - reference)
            assert not np.nanmax(gap) <= 1e3 * limit, (part, place)


@pytest.mark.parametrize(("name", "layout"), sorted({case[:2] for case in cases()}))
def test_the_layer_is_the_formula_with_masks_maps_and_heads(name, layout):
    n, d = 6, 3
    batch, eta = prompts_and_steps(name, n, d)
    weights = build(name, d, layout)
    Z = weights.embed(batch, 2.0)
    generator = torch.Generator().manual_seed(0)
    Z[..., n:] = torch.randn(Z[..., n:].shape, generator=generator, dtype=torch.float64)
    q, D = Z.shape[-1] - n, weights.width
    M = np.diag([1.0] * n + [0.0] * q)
    R = np.eye(n + q) if weights.writes == "all" else np.diag([0.0] * n + [1.0] * q)
    A = np.eye(D) if weights.skip is None else weights.skip.numpy()
    K = np.zeros((D, D)) if weights.decay is None else weights.decay.numpy()
    layer = SoftmaxAttention() if name == "softmax" else LinearAttention()
    after = layer(Z, weights, eta).numpy()
    heads = list(zip(weights.P.reshape(-1, D, D).numpy(), weights.Q.reshape(-1, D, D).numpy(), strict=True))
    for b in range(2):
        z, step = Z[b].numpy(), eta[b].item()
        total = np.zeros_like(z)
        for P, Q in heads:
            scores = z.T @ Q @ z
            if name == "softmax":
                scores = n * np.exp(scores) / np.exp(scores)[:n].sum(axis=0)
            total += P @ z @ M @ scores / n
        formula = z + ((A - np.eye(D)) @ z - step * K @ z - step * total) @ R
        np.testing.assert_allclose(after[b], formula, atol=1e-13 * np.abs(formula).max())


@pytest.mark.parametrize("name", MOVING)
def test_weights_that_move_the_examples_have_no_constant_state_and_say_so(name):
    batch, eta = prompts_and_steps(name, 9, 3)
    weights = build(name, 3)
    Z = weights.embed(batch, 1.0)
    assert weights.moves(Z[..., :9], eta)
    assert float((LinearAttention()(Z, weights, eta) - Z)[..., :9].abs().max()) > 0.01
    with pytest.raises(ValueError, match="move the examples"):
        LoopedTransformer(3, "state")(Z, weights, eta)


@pytest.mark.parametrize("layout", ["compact", "slots"])
@pytest.mark.parametrize("name", [name for name in STILL if name != "softmax"])
def test_the_other_constructions_leave_the_examples_alone(name, layout):
    batch, eta = prompts_and_steps(name, 9, 3)
    weights = build(name, 3, layout)
    Z = weights.embed(batch, 1.0)
    for _ in range(5):
        after = LinearAttention()(Z, weights, eta)
        assert torch.equal(after[..., :-1], Z[..., :-1])
        Z = after
    assert not weights.moves(Z[..., :-1], eta)


def test_softmax_attention_has_no_state():
    batch, eta = prompts_and_steps("softmax", 9, 3)
    weights = build("softmax", 3, "slots")
    with pytest.raises(ValueError, match="no state"):
        LoopedTransformer(3, "state", softmax=True)(weights.embed(batch, 1.0), weights, eta)


@pytest.mark.parametrize("layout", ["compact", "slots"])
def test_softmax_attention_layer_by_layer_is_the_looped_one(layout):
    batch, eta = prompts_and_steps("softmax", 9, 3)
    weights = build("softmax", 3, layout)
    Z = weights.embed(batch, 1.0)
    for _ in range(6):
        Z = SoftmaxAttention()(Z, weights, eta)
    np.testing.assert_allclose(Z[:, weights.w, -1], run("softmax", weights, "token", batch, eta, 6)[-1], atol=1e-14)


def test_softmax_with_the_same_weights_is_measured_not_judged():
    result = compare(Settings(algorithm="softmax", prompts=16, loops=100))
    assert result.passed is None
    assert result.relative_gap > 0.1
    assert result.closed_form is None
    assert result.explicit_errors[-1].max() < 1e-8
    assert (result.errors[-1] > 0.1).all()
    assert result.prediction.kind == "unknown"
    alt = charts.error_chart(result).alt
    assert "does something else" in alt
    assert "within" not in alt


@settings(max_examples=120)
@given(runnable_settings(max_loops=60, max_examples=40, max_features=12), st.sampled_from(STEPS), st.data())
def test_every_algorithm_stays_within_the_tolerance_on_random_shapes(setting, name, more):
    setting = setting.replace(
        algorithm=name,
        ridge=more.draw(st.sampled_from([1e-3, 0.1, 10.0])),
        momentum=more.draw(st.sampled_from(["auto", 0.5, 0.95])),
        data=more.draw(st.sampled_from(["exact", "gaussian", "correlated"])),
    )
    result = compare(setting)
    for array in (result.looped, result.explicit, result.errors, *result.curves.values()):
        assert np.isfinite(array).all()
    if result.prediction.kind == "converges":
        assert result.relative_gap <= result.tolerance, result.prediction.sentence


@pytest.mark.parametrize("step", ["auto", "optimal", 0.3])
@pytest.mark.parametrize(("n", "d"), [(40, 10), (6, 9), (1, 4)])
@pytest.mark.parametrize("data", ["exact", "correlated"])
@pytest.mark.parametrize("name", STEPS)
def test_the_closed_form_is_the_error_of_the_iteration(name, data, n, d, step):
    setting = Settings(
        algorithm=name, data=data, loops=25, examples=n, features=d, noise=0.2, step_size=step, prompts=3
    )
    result = compare(setting)
    reference = result.explicit_errors
    largest = np.maximum.accumulate(reference, axis=0)  # what was rounded at the largest error stays
    finite = np.maximum(reference, result.closed_form) < 1e100  # where it diverges further the iterate is held
    gap = np.abs(result.closed_form - reference)[finite] / largest[finite]
    assert gap.max() <= 1e-10 * max(1.0, result.algorithm.condition_number**0.5)


@pytest.mark.parametrize("name", STEPS)
def test_every_algorithm_ends_at_its_limit(name):
    for n in (30, 4):
        setting = Settings(algorithm=name, examples=n, features=6, loops=800, noise=0.3, prompts=3, data="correlated")
        setting = setting.replace(step_size="optimal", label_scale=2.0, condition_number=4.0)
        result = compare(setting)
        for b in range(3):
            X, y = result.prompts.X[b].numpy(), 2 * result.prompts.y[b].numpy()
            limit = np.linalg.pinv(X) @ y
            if name == "ridge":
                limit = np.linalg.solve(X.T @ X / n + 0.1 * np.eye(6), X.T @ y / n)
            elif name == "preconditioned":
                C = np.linalg.inv(result.prompts.covariance.numpy())
                limit = C @ X.T @ np.linalg.pinv(X @ C @ X.T) @ y
            np.testing.assert_allclose(result.w_ref[b], limit, rtol=1e-9, atol=1e-10)
        assert result.errors[-1].max() < 1e-7, n


def test_ridge_and_momentum_are_read_and_another_algorithm_does_not_read_them():
    base = Settings(prompts=2, loops=10)
    assert np.abs(compare(base.replace(ridge=5.0, momentum=0.9, gamma=3.0)).looped - compare(base).looped).max() == 0
    for name, changes in (("ridge", {"ridge": 5.0}), ("heavy-ball", {"momentum": 0.9}), ("gd++", {"gamma": 0.01})):
        one, other = compare(base.replace(algorithm=name)), compare(base.replace(algorithm=name, **changes))
        assert np.abs(one.looped - other.looped).max() > 1e-3


@pytest.mark.parametrize("kappa", [2.0, 30.0, 1000.0])
def test_the_best_momentum_is_polyaks_and_no_other_is_faster(kappa):
    batch = draw(Settings(condition_number=kappa, prompts=2))
    plan = HeavyBall(Settings(algorithm="heavy-ball", step_size="optimal", condition_number=kappa), batch)
    high, low = batch.spectrum.largest, batch.spectrum.smallest
    np.testing.assert_allclose(plan.step_size, 4 / (high.sqrt() + low.sqrt()) ** 2, rtol=1e-12)
    assert plan.momentum == pytest.approx(((kappa**0.5 - 1) / (kappa**0.5 + 1)) ** 2, rel=1e-9)
    values, eta = batch.spectrum.eigenvalues[0].numpy(), float(plan.step_size[0])

    def slowest(beta):
        return max(np.abs(np.roots([1, -(1 + beta - eta * value), beta])).max() for value in values)

    best = slowest(plan.momentum)
    assert best == pytest.approx(plan.momentum**0.5, rel=1e-5)
    assert plan.prediction.factor == pytest.approx(plan.momentum**0.5, rel=1e-6)
    assert all(slowest(beta) >= best - 1e-6 for beta in np.linspace(0.01, 0.99, 60))


LIMITS = {
    "ridge": ("2/(λ₁+ρ)", lambda high: 2 / (high + 0.1)),
    "heavy-ball": ("2(1+μ)/λ₁", lambda high: 2 * 1.5 / high),
    "preconditioned": ("2/ν₁", lambda high: 2 / high),
}
"""Name and formula of the largest step size where it is not 2/λ₁.

GD++ has two limits, EAGLE one that depends on the rounding of the run; they have tests of their own.
"""


@pytest.mark.parametrize("name", [name for name in STEPS if name not in ("gd++", "eagle")])
def test_divergence_is_predicted_on_both_sides_of_the_limit(name):
    words, limit = LIMITS.get(name, ("2/λ₁", lambda high: 2 / high))
    base = Settings(algorithm=name, momentum=0.5, prompts=1, loops=400)
    edge = limit(float(draw(base).spectrum.largest[0]))
    below, above = (compare(base.replace(step_size=factor * edge)) for factor in (0.97, 1.03))
    assert below.prediction.kind == "converges"
    assert below.errors[-1].max() < 0.1
    assert above.prediction.kind == "diverges"
    assert above.errors.max() > 1e3
    assert words in below.prediction.sentence
    assert words in above.prediction.sentence
    for result in (below, above):
        assert np.isfinite(result.looped).all()


@pytest.mark.parametrize("data", ["exact", "gaussian"])
@pytest.mark.parametrize("name", ALGORITHMS)
def test_the_marks_of_a_setting_are_its_names_and_the_number_at_which_the_verdict_turns(name, data):
    base = Settings(algorithm=name, prompts=5, loops=20, data=data)
    found = ALGORITHMS[name](base, draw(base)).measured()
    assert found.keys() == {"step_size", *(own for own in ALGORITHMS[name].reads if FIELDS[own].kind == "step")}
    edges = 0
    for key, (_, _, marks) in found.items():
        named, numbers = ([m for m in marks if isinstance(m.value, kind)] for kind in (str, float))
        assert tuple(mark.value for mark in named) == FIELDS[key].ids
        for edge in numbers:
            kinds = [compare(base.replace(**{key: share * edge.value})).prediction.kind for share in (0.999, 1.001)]
            assert kinds == ["converges", "diverges"]
            edges += 1
    assert edges == (name not in ("softmax", "eagle"))


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_named_number_is_the_median_of_those_that_the_run_uses(name):
    for data in ("exact", "gaussian"):
        base = Settings(algorithm=name, prompts=6, loops=8, data=data)
        result = compare(base)
        eta, found = result.step_size, result.algorithm.measured()
        assert found["step_size"].value == pytest.approx(np.median(eta))
        differ = eta.max() - eta.min() > 1e-6 * eta.max()
        assert bool(found["step_size"].spread) == differ == (data == "gaussian")
        for key in found.keys() - {"step_size"}:  # the number in place of the name changes nothing
            same = compare(base.replace(**{key: found[key].value}))
            np.testing.assert_allclose(same.looped, result.looped, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kappa", [1.5, 20.0])
@pytest.mark.parametrize("name", [name for name in STEPS if name in STILL])
def test_the_factor_that_is_predicted_is_that_of_the_error_in_the_long_run(name, kappa):
    setting = Settings(algorithm=name, condition_number=kappa, prompts=1, loops=200)
    algorithm = ALGORITHMS[name](setting, draw(setting))
    before, after = algorithm.errors[[100, 200], 0].tolist()
    assert (after / before) ** (1 / 100) == pytest.approx(algorithm.prediction.factor, rel=0.03)
    assert algorithm.slowest_factor == pytest.approx(algorithm.prediction.factor, rel=1e-6)


def test_gdpp_diverges_when_gamma_is_above_its_limit_and_says_so():
    base = Settings(algorithm="gd++", prompts=3, loops=40, step_size=0.5)
    high = float(draw(base).spectrum.largest[0])
    below, above = compare(base.replace(gamma=0.9 / high)), compare(base.replace(gamma=2.2 / high))
    assert (below.prediction.kind, above.prediction.kind) == ("converges", "diverges")
    assert "themselves diverge" in above.prediction.sentence
    assert above.errors.max() > 1e3


def test_gdpp_that_grows_beyond_what_rounding_lets_fall_is_predicted_to_diverge():
    setting = Settings(algorithm="gd++", prompts=1, loops=40, step_size=60.0, gamma=1e-3)
    result = compare(setting)
    X = result.prompts.X[0].numpy()
    h = np.linalg.eigvalsh(X.T @ X / len(X))
    left = np.ones_like(h)
    for _ in range(40):
        left, h = left * (1 - 60 * h), h * (1 - 1e-3 * h) ** 2
    assert result.prediction.kind == "diverges"
    assert result.prediction.factor == pytest.approx(np.abs(left).max(), rel=1e-6)


def test_newton_needs_twenty_loops_where_gradient_descent_needs_two_thousand():
    setting = Settings(condition_number=100.0, prompts=8)
    fast = compare(setting.replace(algorithm="newton", loops=20))
    slow = compare(setting.replace(loops=2000))
    assert fast.errors[-1].max() < 1e-8
    assert 1e-10 < slow.errors[-1].max() < 1e-7
    assert fast.gd_errors[-1].max() > 0.1


def test_newton_on_examples_without_full_rank_is_predicted_to_diverge():
    X = torch.randn(12, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    X[:, 3] = X[:, 2]
    batch = Prompts(X=X[None], y=X[None, :, 0], w_star=None)
    prediction = Newton(Settings(algorithm="newton"), batch).prediction
    assert prediction.kind == "diverges"
    assert "rank 3 < 4" in prediction.sentence


def test_two_numbers_of_gdpp_beat_the_best_gradient_descent_by_four_orders():
    """T = 10, n = 20, d = 5, rows 𝓝(0, I), one step for all prompts: squared error of a prediction at x ~ 𝓝(0, I)."""
    base = Settings(loops=10, examples=20, features=5, data="gaussian", prompts=1000)
    gdpp_run = compare(base.replace(algorithm="gd++", step_size=4.97, gamma=0.217))
    assert gdpp_run.passed
    values = draw(base).spectrum.eigenvalues.numpy()
    steps = np.linspace(0.3, 0.9, 61)
    best = min(((1 - a * values) ** 20).mean() for a in steps)
    ours = np.median(gdpp_run.errors[-1] ** 2)
    plain = min(np.median(((1 - a * values) ** 20).mean(axis=1)) for a in steps)
    assert (gdpp_run.errors[-1] ** 2).mean() * 1e3 < best
    assert ours * 1e4 < plain
    assert np.allclose(gdpp_run.closed_form[-1], gdpp_run.errors[-1], rtol=1e-4, atol=1e-12)


def test_the_best_two_numbers_of_gdpp_leave_less_than_the_fixed_ones_and_less_than_gradient_descent():
    base = Settings(loops=10, condition_number=8.0, prompts=4)
    auto, best = (compare(base.replace(algorithm="gd++", step_size=step)) for step in ("auto", "optimal"))
    assert best.errors[-1].max() < 0.2 * auto.errors[-1].max()
    assert best.errors[-1].max() < 1e-2 * best.gd_errors[-1].max()


def test_a_preconditioner_can_only_know_what_prompts_have_in_common():
    base = Settings(prompts=4, loops=60, condition_number=100.0, step_size="optimal")
    same = compare(base.replace(algorithm="preconditioned"))
    assert np.abs(same.looped - compare(base).looped).max() == 0
    shared = compare(base.replace(algorithm="preconditioned", data="correlated", examples=100))
    assert np.median(shared.errors[-1]) < 1e-6 * np.median(shared.gd_errors[-1])


def test_rows_of_one_covariance_have_it():
    setting = Settings(data="correlated", examples=2000, features=6, prompts=40, condition_number=50.0)
    batch = draw(setting)
    measured = torch.einsum("bni,bnj->ij", batch.X, batch.X) / (40 * 2000)
    np.testing.assert_allclose(measured, batch.covariance, atol=0.05)
    values = torch.linalg.eigvalsh(batch.covariance)
    assert float(values[-1] / values[0]) == pytest.approx(50, rel=1e-9)
    assert float(values.sum()) == pytest.approx(6)


def test_no_rounding_floor_is_drawn_where_nothing_converges():
    assert compare(Settings(step_size=3.0, prompts=2)).rounding_floor is None
    assert compare(Settings(algorithm="softmax", prompts=2)).rounding_floor is None
    assert "rounding_floor" not in compare(Settings(step_size=3.0, prompts=2)).curves


@pytest.mark.parametrize("name", STEPS)
def test_the_rival_is_plain_gradient_descent_at_its_best_constant_step(name):
    setting = Settings(algorithm=name, prompts=3, loops=20)
    result = compare(setting)
    if name == "gd":
        assert result.gd_errors is None
        return
    rival = compare(setting.replace(algorithm="gd", step_size="optimal"))
    np.testing.assert_array_equal(result.gd_errors, rival.explicit_errors)
    np.testing.assert_array_equal(result.curves["gd_median"], rival.curves["explicit_median"])
    assert charts.error_chart(result).figure.data[3].name == "Plain gradient descent, η = 2/(λ₁+λ<sub>d</sub>)"


@pytest.mark.parametrize("name", [name for name in ALGORITHMS if name != "gd"])
def test_bounds_of_gradient_descent_are_not_drawn_for_another_loop(name):
    result = compare(Settings(algorithm=name, prompts=2))
    assert all(bound.values is None for bound in result.bounds)
    assert "about gradient descent" in result.bounds[0].why_not


@pytest.mark.parametrize("name", ALGORITHMS)
def test_the_transformer_runs_without_the_explicit_algorithm_and_without_the_task(name, monkeypatch):
    setting = Settings(algorithm=name, prompts=2, loops=5)
    batch = draw(setting)

    def forbidden(*_arguments):
        raise AssertionError("the transformer called the explicit algorithm")

    monkeypatch.setattr(ALGORITHMS[name], "explicit", forbidden)
    blind = Prompts(X=batch.X, y=batch.y, w_star=None, covariance=batch.covariance)
    looped, unseen = (looped_iterates(ALGORITHMS[name](setting, some)) for some in (batch, blind))
    np.testing.assert_array_equal(looped, unseen)
    assert np.isfinite(looped).all()
    assert np.abs(looped[-1]).max() > 0


def test_every_algorithm_stands_in_the_list_with_its_texts():
    assert FIELDS["algorithm"].ids == tuple(ENTRIES) == tuple(ALGORITHMS)
    for name, entry in ENTRIES.items():
        algorithm = ALGORITHMS[name]
        assert algorithm.name == name
        assert f" {name}: {entry.help}." in FIELDS["algorithm"].command_help
        assert entry.label[0].isupper()
        assert algorithm.needs.endswith(".")
        assert algorithm.source.endswith(".")
        assert set(algorithm.reads) <= set(FIELDS)
        for text in (algorithm.equation, algorithm.layer, algorithm.filled("0.5", 3, "")):
            assert text.count("{") == text.count("}")
            assert text.count(r"\big(") == text.count(r"\big)")


@pytest.mark.parametrize("name", ALGORITHMS)
@pytest.mark.parametrize("layout", ["compact", "slots"])
def test_tokens_and_queries_are_as_wide_and_as_many_as_the_cost_model_is_told(name, layout):
    weights = build(name, 5, layout)
    assert ALGORITHMS[name].width(5, layout) == weights.width
    assert ALGORITHMS[name].queries(5) == weights.queries
    assert ALGORITHMS[name].maps == (ALGORITHMS[name].has_state and bool(weights.maps(torch.ones(1))))


@pytest.mark.parametrize("data", ["exact", "gaussian"])
@pytest.mark.parametrize(("n", "d"), [(40, 10), (10, 20), (1, 50), (20, 20)])
@pytest.mark.parametrize("form", ["state", "token"])
def test_the_gap_stays_within_the_tolerance_for_ten_thousand_loops(form, n, d, data):
    result = compare(Settings(loops=10_000, examples=n, features=d, form=form, prompts=3, data=data))
    assert result.relative_gap <= result.tolerance


def test_a_tiny_step_keeps_its_digits_over_ten_thousand_loops():
    result = compare(Settings(loops=10_000, step_size=1e-7, prompts=2))
    assert result.relative_gap <= 5e-2 * result.tolerance


def test_an_unknown_layout_is_named():
    with pytest.raises(ValueError, match="no layout 'wide'"):
        construction(3, "wide")


def test_eagle_converges_where_the_error_is_gone_before_the_examples_are_rounding_and_diverges_where_not():
    base = Settings(algorithm="eagle", prompts=2, loops=400)
    high = float(draw(base).spectrum.largest[0])
    for share, kind in (
        (0.4, "converges"),
        (1.0, "converges"),
        (1.6, "converges"),
        (1.94, "diverges"),
        (2.1, "diverges"),
    ):
        result = compare(base.replace(step_size=share / high))
        assert result.prediction.kind == kind, share
        assert (result.errors[-1].max() < 1e-12) == (kind == "converges"), share
    assert "2/λ₁" in result.prediction.sentence
    slow = compare(base.replace(step_size=1.94 / high)).prediction.sentence
    assert "far from 1/λ₁" in slow
    assert "0.0041 of a mode" in slow  # 0.94 to the power 89


def test_eagle_on_examples_without_full_rank_is_predicted_to_diverge():
    X = torch.randn(12, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    X[:, 3] = X[:, 2]
    batch = Prompts(X=X[None], y=X[None, :, 0], w_star=None)
    prediction = ALGORITHMS["eagle"](Settings(algorithm="eagle"), batch).prediction
    assert prediction.kind == "diverges"
    assert "rank 3 < 4" in prediction.sentence


@pytest.mark.parametrize(("kappa", "loops"), [(1e2, 10), (1e4, 16)])
def test_eagle_needs_as_many_loops_for_eight_digits_as_the_paper_rule_does(kappa, loops):
    """The squares of κ(A) = 10 and 100: 10 and 16 loops, also for the reference written from A, B, C and D."""
    setting = Settings(algorithm="eagle", condition_number=kappa, prompts=8, loops=20)
    errors = compare(setting).errors.max(axis=1)
    assert int((errors > 1e-8).sum()) == loops
    batch = draw(setting)
    paper = expected("eagle", batch, 1 / batch.spectrum.largest, 20)
    away = np.linalg.norm(paper - batch.w_star.numpy(), axis=2).max(axis=1)
    assert int((away > 1e-8).sum()) == loops


def test_flipping_which_examples_move_breaks_eagle():
    """The steps of examples and queries are not the same: with one step for all it is another algorithm."""
    batch, eta = prompts_and_steps("eagle", 9, 3)
    right, reference = build("eagle", 3), expected("eagle", batch, eta, 8)
    wrong = run("eagle", dataclasses.replace(right, contraction=0.9), "token", batch, eta, 8)
    plain = run("eagle", dataclasses.replace(right, contraction=None), "token", batch, eta, 8)
    assert min(np.abs(wrong - reference).max(), np.abs(plain - reference).max()) > 1e-3
