"""A sweep runs step by step, is refused in one sentence, and continues where it was interrupted."""

import json

import numpy as np
import pytest

from looped import SettingsError
from looped.experiments.context import ContextSettings, Sweep, check, estimate, sweep
from looped.experiments.context.cells import measured
from looped.experiments.context.cost import BUDGET, learned_cost, prompt_seconds
from looped.experiments.context.sweep import SUBFOLDER
from looped.sweeps.folder import LOG

SMALL = ContextSettings(features=3, ratios=(0.5, 1, 4), loops=6, prompts=5)
TRAINED = SMALL.replace(learned=True, learned_ratios=(2, 4), learned_loops=(1, 2))


def same(one, other):
    for name in ("n", "bands", "mean", "floor", "kappa", "growth", "of_bound", "error"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    if one.learned is not None:
        np.testing.assert_array_equal(one.learned.error, other.learned.error)
        np.testing.assert_array_equal(one.learned.A, other.learned.A)


def test_progress_rises_to_one_and_the_result_comes_at_the_end():
    work = Sweep(TRAINED)
    shares = []
    for progress in work.run():
        shares.append(progress.share)
        assert (work.snapshot() is not None) == work.finished
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)
    assert work.finished


@pytest.mark.parametrize("settings", [SMALL, TRAINED], ids=["construction", "with training"])
def test_dropping_the_iterator_pauses_and_a_new_one_continues(settings):
    work = Sweep(settings)
    for _ in range(500):
        iterator = work.run()
        for _ in range(40):
            next(iterator, None)
        del iterator
        if work.finished:
            break
    same(work.snapshot(), sweep(settings))


@pytest.mark.parametrize("stop_after", [1, 2, 3, 36, 70])
def test_an_interrupted_sweep_continues_with_the_same_bytes(tmp_path, stop_after):
    iterator = Sweep(TRAINED, tmp_path).run()
    for _ in range(stop_after):
        next(iterator)
    del iterator
    again = Sweep(TRAINED, tmp_path)
    assert again.kept == len((tmp_path / SUBFOLDER / LOG).read_text().splitlines()) - 1 >= min(stop_after, 3)
    for _ in again.run():
        pass
    same(again.snapshot(), sweep(TRAINED))


@pytest.mark.thorough
def test_processes_make_the_same_cells_in_any_order(tmp_path):
    pytest.importorskip("distributed")
    work = Sweep(TRAINED, tmp_path, workers=2)
    shares = [progress.share for progress in work.run()]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)
    same(work.snapshot(), sweep(TRAINED))
    assert Sweep(TRAINED, tmp_path).finished


def test_two_sweeps_in_one_folder_do_not_mix(tmp_path):
    first = Sweep(TRAINED, tmp_path).run()
    next(first)
    with pytest.raises(SettingsError, match="Another sweep is at work in"):
        Sweep(TRAINED, tmp_path)
    del first
    same(sweep(TRAINED, tmp_path), sweep(TRAINED))


def test_a_damaged_cell_is_computed_again(tmp_path):
    work = Sweep(SMALL, tmp_path)
    for _ in work.run():
        pass
    path = tmp_path / SUBFOLDER / LOG
    first, *cells = path.read_text().splitlines(keepends=True)
    path.write_text("".join([first, cells[0][:100] + "\n", cells[1], cells[2][:-9]]))
    again = Sweep(SMALL, tmp_path)
    assert again.kept == 1
    same(sweep(SMALL, tmp_path), sweep(SMALL))


def test_what_only_figures_read_does_not_make_it_another_sweep(tmp_path):
    sweep(SMALL, tmp_path)
    assert Sweep(SMALL.replace(shown_loops=3, target_error=0.1), tmp_path).finished
    assert SMALL.replace(row_condition_number=3).computed == SMALL.computed
    assert SMALL.replace(row_condition_number=3, rows="correlated").computed != SMALL.computed


def test_settings_with_equal_prompts_have_equal_steps():
    more = SMALL.replace(loops=7, learned=True, learned_loops=(2,), shown_loops=2)
    assert more.drawn == SMALL.drawn
    assert measured(more) == measured(more.drawn) == measured(SMALL)
    assert SMALL.replace(prompts=SMALL.prompts + 1).drawn != SMALL.drawn


@pytest.mark.parametrize(("change", "named"), [({"seed": 1}, "seed"), ({"rows": "student", "loops": 7}, "loops, rows")])
def test_a_folder_of_other_settings_is_refused_in_one_sentence(tmp_path, change, named):
    sweep(SMALL, tmp_path)
    with pytest.raises(SettingsError, match=rf"^--out = .* holds an unfinished sweep with another {named}: choose"):
        Sweep(SMALL.replace(**change), tmp_path)


def test_a_folder_of_another_version_or_with_another_result_is_refused(tmp_path):
    sweep(SMALL, tmp_path)
    path = tmp_path / SUBFOLDER / LOG
    first, *cells = path.read_text().splitlines(keepends=True)
    of = json.loads(first)
    path.write_text("".join([json.dumps(of | {"done": of["done"] | {"torch": "1.0"}}) + "\n", *cells]))
    with pytest.raises(SettingsError, match="of another version: choose another folder"):
        Sweep(SMALL, tmp_path)
    (tmp_path / "result.json").write_text('{"settings": {"loops": 5, "examples": 9}}')
    with pytest.raises(SettingsError, match="holds the result of other settings: choose another folder"):
        Sweep(SMALL, tmp_path)


def test_cells_do_not_depend_on_each_other():
    settings = ContextSettings(ratios=(4,), loops=9)
    alone, together = sweep(settings), sweep(settings.replace(ratios=(2, 4, 8)))
    np.testing.assert_array_equal(alone.error[0], together.error[1])


def test_ratios_that_round_to_the_same_n_are_the_same_cell():
    result = sweep(ContextSettings(features=1, ratios=(0.5, 0.9, 1, 3), loops=4, prompts=3))
    assert list(result.n) == [1, 1, 1, 3]
    np.testing.assert_array_equal(result.error[0], result.error[2])
    assert np.isfinite(result.needed_ratio(1e-3)[1:]).all()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"prompts": 1000, "loops": 10_000},
            r"needs about .* \(at most 256 MiB\): choose fewer prompts, ratios or loops",
        ),
        (
            {"features": 200, "ratios": (200,)},
            r"^One prompt of n = 40,000 .* s in one step .*smaller ratios",
        ),
        (
            {"features": 16, "learned": True, "learned_ratios": (200,)},
            r"^One step of training A .*smaller",
        ),
        ({"features": 17, "learned": True}, r"d = 17 is too large to train A.*choose d up to 16"),
    ],
)
def test_a_sweep_that_is_too_large_is_refused_with_its_cost(changes, sentence):
    with pytest.raises(SettingsError, match=sentence):
        Sweep(ContextSettings(**changes))


def test_the_default_grid_is_estimated_below_two_seconds():
    assert estimate(ContextSettings()).seconds < 2


def test_no_step_of_an_allowed_sweep_is_long():
    """A stop is seen between two steps, so the longest of them decides how soon."""
    check(ContextSettings(features=16, learned=True, learned_loops=(50,), learned_ratios=(1, 2)))
    assert learned_cost(ContextSettings(features=16), 32, 50).step_seconds < BUDGET.step_seconds
    largest = ContextSettings(features=200, ratios=(50,), loops=10_000, prompts=1)
    check(largest)
    assert prompt_seconds(largest, 10_000) < BUDGET.step_seconds


@pytest.mark.parametrize("ratios", [(), (0.01,), (1, 300), "1,two", [float("nan")], 3])
def test_bad_ratios_are_refused_in_one_sentence(ratios):
    with pytest.raises(SettingsError, match=r"^ratios = .*choose 1 to 60 numbers from 0.05 to 200"):
        ContextSettings(ratios=ratios)


def test_a_trained_t_must_be_whole():
    with pytest.raises(SettingsError, match=r"^learned-T = 2.5 cannot be used, it is not a whole number: choose"):
        ContextSettings(learned_loops=(2.5, 3))
    assert ContextSettings(learned_loops="7,5").learned_loops == (5, 7)


def test_settings_travel_as_json_and_link():
    settings = ContextSettings(ratios="4,0.5,4,1", learned=True, target_error=0.02)
    assert settings.ratios == (0.5, 1.0, 4.0)
    assert ContextSettings.from_json(settings.to_json()) == settings
    assert ContextSettings.from_query(settings.to_query()) == (settings, {})
