"""The claims of the first page's lessons, measured."""

import itertools

import numpy as np
import pytest
import torch

from looped import Settings, compare, prompts
from looped.algorithms import ALGORITHMS
from looped.algorithms.gd import GradientDescent
from looped.attention import LinearAttention
from looped.experiments.compare.cost import run_form
from looped.experiments.compare.lessons import COMPARE, OPENING
from looped.lesson import by_key
from looped.tables import diabetes
from looped.theory import marchenko_pastur_condition_number

LESSONS = by_key(COMPARE)


SEEDS = range(20)


def run(key, **changes):
    return compare(Settings(**{**LESSONS[key].settings, **changes}))


def medians(key, **changes):
    return np.median(run(key, **changes).errors, axis=1)


def over_seeds(measure):
    """Smallest and largest of a measure of the seeds 0 to 19, as the lessons give them."""
    values = [measure(seed) for seed in SEEDS]
    return min(values), max(values)


def slope(error):
    """Factor per loop at the end of a curve."""
    return (error[-1] / error[-11]) ** 0.1


def first(error, value):
    assert (error <= value).any()
    return int(np.argmax(error <= value))


def within(spread, low, high):
    """The measured spread lies in what the lesson says, and fills most of it: a claim is no wider than it must be."""
    assert low <= spread[0] <= spread[1] <= high
    assert spread[1] - spread[0] >= 0.5 * (high - low)


def test_there_are_eight_lessons_with_different_names_one_of_them_of_the_defaults():
    assert len(LESSONS) == len(COMPARE) >= 8
    assert COMPARE[0].key == OPENING
    assert [lesson.key for lesson in COMPARE if Settings(**lesson.settings) == Settings()] == ["one-step"]


@pytest.mark.parametrize(
    "lesson", [lesson for lesson in COMPARE if lesson.settings.get("form") == "auto"], ids=lambda lesson: lesson.key
)
def test_a_lesson_in_the_token_form_says_the_same_of_the_state_form(lesson):
    token, state = (compare(Settings(**lesson.settings, prompts=4).replace(form=form)) for form in ("token", "state"))
    assert "form" in lesson.free
    assert run_form(Settings(**lesson.settings)).form == "token"
    assert state.relative_gap < 20 * np.finfo(token.settings.dtype).eps * len(token.looped)
    apart = np.abs(token.looped - state.looped).max() / token.largest_iterate
    assert apart < 20 * np.finfo(token.settings.dtype).eps * len(token.looped)


def test_lessons_read_the_tokens_but_for_the_defaults_and_a_table_of_442_rows():
    state = [lesson.key for lesson in COMPARE if Settings(**lesson.settings).form == "state"]
    assert [key for key in state if ALGORITHMS[Settings(**LESSONS[key].settings).algorithm].has_state] == [
        "one-step", "real-data",
    ]  # fmt: skip


def test_the_scores_of_the_first_look_shrink_in_every_loop_and_stay_above_0_with_noise_alone():
    for noise in (0.0, 0.5):
        for seed in SEEDS:
            result = run(OPENING, seed=seed, noise=noise, prompts=3)
            X, y = result.prompts.X.numpy(), result.prompts.y.numpy()
            sizes = np.linalg.norm(np.einsum("bnd,tbd->tbn", X, result.looped) - y, axis=2)
            assert (np.diff(sizes, axis=0) <= 1e-12).all()
            assert (sizes[-1] < 0.1 * sizes[0]).all() == (noise == 0)


def test_a_pass_of_the_first_look_changes_the_query_alone():
    settings = Settings(**LESSONS[OPENING].settings, prompts=3)
    batch = prompts.draw(settings)
    weights = GradientDescent(settings, batch).weights
    tokens = weights.embed(batch, 1.0)
    after = LinearAttention()(tokens.clone(), weights, torch.full((3,), 0.5, dtype=tokens.dtype))
    changed = (after != tokens).any(dim=0)
    assert not changed[:, :-1].any()
    assert changed[weights.w, -1].all()
    assert not changed[weights.alpha, -1]


@pytest.mark.parametrize("lesson", COMPARE, ids=lambda lesson: lesson.key)
def test_a_guide_is_short(lesson):
    assert 1 <= lesson.see.count(". ") + 1 <= 3
    Settings(**lesson.settings)


def test_one_step_the_gap_is_rounding_in_both_precisions_whatever_the_seed():
    gaps = [run("one-step", seed=seed).relative_gap for seed in range(50)]
    assert 5e-16 < min(gaps) < max(gaps) < 2e-15  # rounding: its digits depend on the processor
    low = [run("one-step", seed=seed, dtype="float32").relative_gap for seed in range(50)]
    assert 3e-7 < min(low) < np.median(low) < max(low) < 9e-7
    assert 4e-7 < np.median(low) < 6e-7


@pytest.mark.parametrize(
    "change",
    [
        {"loops": 400}, {"examples": 300}, {"examples": 7}, {"features": 25}, {"condition_number": 300.0},
        {"noise": 1.0}, {"label_scale": -40.0}, {"dtype": "float32"}, {"layout": "slots"}, {"form": "token"},
        {"spectrum": "outlier"},
    ],
    ids=str,
)  # fmt: skip
def test_one_step_holds_under_the_settings_it_leaves_free(change):
    result = run("one-step", **change)
    assert set(change) <= set(LESSONS["one-step"].free)
    assert result.passed
    assert result.relative_gap < 100 * np.finfo(result.settings.dtype).eps


def test_conditioning_sets_the_loops_for_a_tenfold_fall():
    for kappa, loops, about in ((100.0, 400, 229), (1000.0, 4000, 2302)):
        low, high = over_seeds(
            lambda seed, kappa=kappa, loops=loops: (
                np.log(0.1) / np.log(slope(medians("conditioning", condition_number=kappa, loops=loops, seed=seed)))
            )
        )
        assert low == pytest.approx(about, rel=0.03)
        assert high == pytest.approx(about, rel=0.03)
    within(over_seeds(lambda seed: first(medians("conditioning", seed=seed), 0.1)), 90, 115)


def test_more_examples_the_limits_named_are_marchenko_pastur_and_the_typical_kappa_is_smaller():
    for n, named in ((20, 34), (40, 9), (200, 2.5), (400, 1.9)):
        limit = marchenko_pastur_condition_number(n / 10)
        assert limit == pytest.approx(named, rel=0.03)
        for seed in SEEDS:
            drawn = run("more-examples", examples=n, seed=seed, loops=1)
            assert np.median(drawn.prompts.spectrum.condition_number.numpy()) < limit


def test_more_examples_the_slope_changes_more_from_20_to_40_than_from_200_to_400():
    def rate(n, seed):
        return np.log(slope(medians("more-examples", examples=n, seed=seed, loops=25)))

    for seed in SEEDS:
        few, more, many, most = (rate(n, seed) for n in (20, 40, 200, 400))
        assert more / few > 1.5 * most / many


def test_optimal_step_saves_about_half_the_loops():
    assert -1 / np.log(19 / 21) == pytest.approx(10.0, abs=0.05)
    assert -1 / np.log(1 - 1 / 20) == pytest.approx(19.5, abs=0.05)
    for seed in SEEDS:
        optimal, auto = (
            np.log(slope(medians("optimal-step", step_size=step, seed=seed))) for step in ("optimal", "auto")
        )
        assert 1.8 < optimal / auto < 2.1


def test_above_the_largest_step_the_fast_mode_explodes():
    for seed in SEEDS:
        result = run("over-the-edge", seed=seed)
        assert result.prediction.kind == "diverges"
        assert result.passed
        assert result.prediction.mode == 1
        factors = 1 - result.step_size[:, None] * result.prompts.spectrum.eigenvalues.numpy()
        np.testing.assert_allclose(1 - factors[:, :2], [[2.16, 1.81]] * len(factors), atol=0.005)
        assert (np.abs(factors[:, 1:]) < 1).all()


def test_few_examples_leave_half_of_the_task_unseen():
    within(over_seeds(lambda seed: float(np.median(run("few-examples", seed=seed).task_errors[-1]))), 0.65, 0.76)
    assert over_seeds(lambda seed: medians("few-examples", seed=seed)[-1])[1] < 1e-9
    squares = np.concatenate([run("few-examples", seed=seed).task_errors[-1] ** 2 for seed in SEEDS])
    assert squares.mean() == pytest.approx(0.5, abs=0.02)


def test_noise_more_loops_keep_the_floor_more_examples_halve_it_and_an_early_stop_is_a_little_closer():
    below, best, ratio = [], [], []
    for seed in SEEDS:
        result = run("noise", seed=seed)
        floor, task = np.median(result.floor), np.median(result.task_errors, axis=1)
        best.append(int(task.argmin()))
        below.append(1 - task.min() / floor)
        assert np.median(run("noise", seed=seed, loops=500).task_errors[-1]) == pytest.approx(floor, rel=1e-6)
        ratio.append(np.median(run("noise", seed=seed, examples=160).floor) / floor)
        assert slope(np.median(result.errors, axis=1)) == pytest.approx(0.8, abs=0.01)
    within((min(best), max(best)), 5, 12)
    within((min(below), max(below)), 0.009, 0.071)
    within((min(ratio), max(ratio)), 0.46, 0.55)


def test_rounding_floors():
    assert LESSONS["rounding"].settings["dtype"] == "float32"
    for form, single, double in (("token", (5e-8, 1e-7), (7e-16, 2e-15)), ("state", (1.5e-7, 5e-7), (7e-16, 2e-15))):
        low, high = over_seeds(lambda seed, form=form: medians("rounding", form=form, seed=seed)[-1])
        assert single[0] < low < high < single[1]
        curves = [medians("rounding", dtype="float64", form=form, seed=seed) for seed in SEEDS]
        assert double[0] < min(c[-1] for c in curves) < max(c[-1] for c in curves) < double[1]
        assert all(140 < first(curve, 2 * curve[-1]) < 160 for curve in curves)
    assert np.median(run("rounding").closed_form[-1]) < 1e-18


def test_gdpp_is_hundreds_of_times_below_gradient_descent_and_grows_at_first():
    results = [run("gd-plus-plus", seed=seed) for seed in SEEDS]
    ratios = [np.median(result.gd_errors[-1]) / np.median(result.errors[-1]) for result in results]
    within((min(ratios), max(ratios)), 410, 720)
    for result in results:
        assert np.median(result.errors[1]) > 1
        largest = result.prompts.spectrum.largest.numpy()
        np.testing.assert_allclose(result.step_size * largest / 2, 5.75, rtol=1e-9)
    reach = result.algorithm.contraction * float(result.step_size[0])
    h = result.prompts.spectrum.eigenvalues[0].numpy()
    for _ in range(10):  # every loop makes the data better conditioned
        after = h * (1 - reach * h) ** 2
        assert after.max() / after.min() < h.max() / h.min()
        h = after


def test_eagle_takes_six_more_loops_at_a_hundred_times_the_condition_number():
    for kappa, loops in ((100.0, 10), (1e4, 16)):
        run_to = [first(medians("eagle", condition_number=kappa, seed=seed), 1e-10) for seed in SEEDS]
        assert set(run_to) == {loops}
    result = run("eagle")
    factors = result.algorithm.factors[1]
    assert float(factors[:, 0].abs().max()) < 1e-12  # the largest mode goes whole
    h = result.prompts.spectrum.eigenvalues[0].numpy()
    after = h * (1 - h / (3 * h[0])) ** 2
    assert (np.diff(after / h) > 0).all()  # the larger, the more


def test_momentum_leaves_nine_elevenths_a_loop():
    within(over_seeds(lambda seed: first(medians("momentum", seed=seed), 0.1)), 22, 25)
    for seed in SEEDS:
        error = medians("momentum", seed=seed)
        late = first(error, 1e-9) - first(error, 1e-6)
        assert late / 3 == pytest.approx(np.log(0.1) / np.log(9 / 11), abs=1.5)
        assert (error[100] / error[50]) ** (1 / 50) == pytest.approx(9 / 11, abs=0.02)
    for kappa, loops, tenfold in ((100.0, 400, 115), (1e4, 10_000, 11_500)):  # plain gradient descent, as it is drawn
        plain = np.median(run("momentum", condition_number=kappa, loops=loops, form="state").gd_errors, axis=1)
        assert loops / 4 / np.log10(plain[-1 - loops // 4] / plain[-1]) == pytest.approx(tenfold, rel=0.005)
    error = medians("momentum", condition_number=1e4, loops=1000) / np.arange(1, 1002)  # a double root: t·(99/101)ᵗ
    assert 500 / np.log10(error[500] / error[1000]) == pytest.approx(np.log(0.1) / np.log(99 / 101), rel=0.03)


def test_newton_takes_six_or_seven_more_loops_for_a_hundred_times_the_condition_number():
    for kappa, loops in ((100.0, 13), (1e4, 19)):
        assert over_seeds(
            lambda seed, kappa=kappa: first(medians("newton", condition_number=kappa, seed=seed), 1e-10)
        ) == (
            loops,
            loops,
        )


def test_softmax_stops_far_from_the_solution_with_a_small_step_too():
    within(over_seeds(lambda seed: medians("softmax", seed=seed)[-1]), 0.71, 0.88)
    small = [medians("softmax", seed=seed, step_size=0.1, loops=500) for seed in SEEDS]
    within((min(error[-1] for error in small), max(error[-1] for error in small)), 0.71, 0.88)
    within((min(error.min() for error in small), max(error.min() for error in small)), 0.49, 0.59)
    assert np.median(run("softmax").explicit_errors[-1]) < 1e-5


def test_real_data_the_small_eigenvalue_belongs_to_s1_against_s2_s3_and_s5():
    table = diabetes().frame.drop(columns="target")
    z = ((table - table.mean()) / table.std(ddof=0)).to_numpy()
    names = list(table.columns)

    def kappa(columns):
        values = np.linalg.eigvalsh(np.cov(z[:, [names.index(name) for name in columns]].T))
        return values[-1] / values[0]

    assert kappa(names) == pytest.approx(470, abs=1)
    assert run("real-data").condition_number == pytest.approx(kappa(names), rel=1e-9)
    without = {name: kappa([other for other in names if other != name]) for name in names}
    assert min(without, key=without.get) == "s1"
    assert without["s1"] == pytest.approx(47, abs=0.5)
    assert without["s2"] == pytest.approx(64, abs=0.5)
    assert min(without[name] for name in ("age", "sex", "s6")) > 425
    assert kappa(["s1", "s2"]) == pytest.approx(18, abs=0.5)
    assert max(kappa(pair) for pair in itertools.combinations(names, 2)) == kappa(["s1", "s2"])
    s1, others = z[:, names.index("s1")], z[:, [names.index(name) for name in ("s2", "s3", "s5")]]
    left = s1 - others @ np.linalg.lstsq(others, s1, rcond=None)[0]
    assert 1 - left @ left / (s1 @ s1) == pytest.approx(0.98, abs=0.005)
    assert np.corrcoef(s1, others[:, 0])[0, 1] == pytest.approx(0.90, abs=0.005)
    assert np.log(1e-5) / np.log(469 / 471) == pytest.approx(2700, abs=20)
