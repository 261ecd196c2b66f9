"""What the lessons of the first page claim, measured."""

import numpy as np
import pytest

from looped import Settings, compare
from looped.glossary import GLOSSARY
from looped.lessons import COMPARE, by_key
from looped.theory import marchenko_pastur_condition_number

LESSONS = by_key(COMPARE)


def run(key, **changes):
    return compare(Settings(**{**LESSONS[key].settings, **changes}))


def slope(result):
    """Factor per loop at the end of the median error."""
    error = np.median(result.errors, axis=1)
    return (error[-1] / error[-11]) ** 0.1


def test_there_are_eight_lessons_with_different_names_and_the_first_is_the_default():
    assert len(LESSONS) == len(COMPARE) >= 8
    assert Settings(**COMPARE[0].settings) == Settings()


@pytest.mark.parametrize("lesson", COMPARE, ids=lambda lesson: lesson.key)
def test_a_guide_is_short_and_a_question_has_an_answer(lesson):
    assert 1 <= lesson.see.count(". ") + 1 <= 3
    assert "?" in lesson.question
    assert lesson.answer
    Settings(**lesson.settings)


def test_one_step_the_gap_is_rounding_in_both_precisions_whatever_the_seed():
    for seed in range(3):
        assert 0 < run("one-step", seed=seed).gap < 1e-14
        assert 1e-8 < run("one-step", seed=seed, dtype="float32").gap < 1e-5


def test_conditioning_sets_the_loops_for_a_tenth():
    assert np.log(0.1) / np.log(slope(run("one-step"))) == pytest.approx(10.3, abs=0.5)
    assert np.log(0.1) / np.log(slope(run("conditioning"))) == pytest.approx(229, abs=5)


def test_more_examples_the_limits_named_are_marchenko_pastur_and_the_typical_kappa_is_smaller():
    for n, named in ((20, 34), (40, 9), (200, 2.5), (400, 1.9)):
        limit = marchenko_pastur_condition_number(10 / n)
        assert limit == pytest.approx(named, rel=0.03)
        assert np.median(run("more-examples", examples=n).prompts.spectrum.condition_number.numpy()) < limit


def test_optimal_step_saves_about_half_the_loops():
    optimal, auto = (np.log(slope(run("optimal-step", step_size=step))) for step in ("optimal", "auto"))
    assert 1.8 < optimal / auto < 2.1


def test_over_the_edge_the_fast_mode_explodes():
    result = run("over-the-edge")
    assert result.prediction.kind == "diverges"
    assert result.passed
    assert result.prediction.mode == 1


def test_few_examples_leave_half_of_the_task_unseen():
    result = run("few-examples")
    assert np.median(result.errors[-1]) < 1e-6
    assert np.median(result.task_errors[-1]) == pytest.approx(np.sqrt(0.5), abs=0.05)


def test_noise_more_loops_keep_the_floor_and_more_examples_lower_it():
    floor = np.median(run("noise").floor)
    assert np.median(run("noise", loops=500).task_errors[-1]) == pytest.approx(floor, rel=1e-3)
    four_times = np.median(run("noise", examples=160).floor)
    assert four_times == pytest.approx(floor / 2, rel=0.25)


def test_rounding_floors():
    for dtype, low, high in (("float32", 1e-8, 1e-6), ("float64", 1e-16, 1e-14)):
        result = run("rounding", dtype=dtype, loops=400)
        assert low < np.median(result.errors[-1]) < high
        assert np.median(result.closed_form[-1]) < 1e-30


def test_gdpp_is_hundreds_of_times_below_gradient_descent_and_grows_at_first():
    result = run("gd-plus-plus")
    assert np.median(result.errors[-1]) < np.median(result.gd_errors[-1]) / 200
    assert np.median(result.errors[1]) > 1


def test_momentum_leaves_nine_elevenths_a_loop():
    result = run("momentum", prompts=200)
    error = np.median(result.errors, axis=1)
    assert np.argmax(error <= 0.1) == pytest.approx(24, abs=2)
    late = np.argmax(error <= 1e-9) - np.argmax(error <= 1e-6)
    assert late / 3 == pytest.approx(np.log(0.1) / np.log(9 / 11), abs=1.5)
    assert (error[100] / error[50]) ** (1 / 50) == pytest.approx(9 / 11, abs=0.02)


def test_newton_takes_about_seven_more_loops_for_a_hundred_times_the_condition_number():
    def loops(kappa):
        return int(np.argmax(np.median(run("newton", condition_number=kappa).errors, axis=1) < 0.1))

    assert 8 <= loops(100.0) <= 12
    assert 6 <= loops(1e4) - loops(100.0) <= 8


def test_softmax_stops_far_from_the_solution_with_a_small_step_too():
    first = run("softmax")
    assert np.median(first.errors[1]) != pytest.approx(np.median(first.explicit_errors[1]), rel=0.01)
    assert np.median(run("softmax", step_size=0.1, loops=500).errors[-1]) == pytest.approx(0.8, abs=0.05)


def test_real_data_a_twin_column_makes_kappa_large():
    everything = run("real-data")
    assert everything.condition_number > 100
    names = [name for name in everything.table.columns if name != "s1"]
    assert run("real-data", feature_columns=tuple(names)).condition_number < everything.condition_number / 2


def test_the_glossary_explains_every_symbol_of_the_main_controls():
    symbols = " ".join(GLOSSARY)
    for symbol in ("T", "n", "d", "κ", "η", "λ_k", "w_t", "w_ref", "α", "σ", "P, Q"):
        assert symbol in symbols
