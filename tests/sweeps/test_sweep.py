"""A sweep in this process: its table is that of single runs, and it continues where it was left."""

import itertools
import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from looped import Settings, SettingsError, TrainSettings, compare, export, sweep
from looped.export.files import FORMATS
from looped.sweeps import engine
from looped.sweeps.folder import LOG, Folder
from looped.sweeps.workers import each, every
from tests.results import COMMANDS

GRID = {"loops": [2, 5], "seed": range(3)}
FEW = {"prompts": 4, "examples": 8, "features": 3}


def run_here(*arguments, **options):
    return sweep(*arguments, workers=0, **options)


@pytest.fixture
def count_runs(monkeypatch):
    """The runs that are made."""
    made = []
    original = engine.make

    def counted(experiment, keep, values):
        made.append(values)
        return original(experiment, keep, values)

    monkeypatch.setattr(engine, "make", counted)
    return made


def test_a_row_has_the_settings_of_its_run_and_the_numbers_of_its_result():
    table = run_here(Settings, GRID, **FEW)
    assert len(table) == 6
    for row in table.to_dict("records"):
        settings = Settings(loops=row["loops"], seed=row["seed"], **FEW)
        summary = export.summary(compare(settings))
        assert {name: row[name] for name in FEW} == FEW
        assert row["refused"] == ""
        assert row["error_after_T.median"] == summary["error_after_T"]["median"]
        assert row["verdict.gap"] == summary["verdict"]["gap"]
        assert bool(row["verdict.passed"]) is summary["verdict"]["passed"]
        assert row["results_version"] == summary["results_version"]
    assert list(zip(table["loops"], table["seed"], strict=True)) == [(T, s) for T in (2, 5) for s in range(3)]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_experiment_can_be_swept_and_its_headline_is_a_number(name):
    experiment = engine.EXPERIMENTS[name]
    settings = experiment.load("settings")
    options = COMMANDS[name].replace("--no-", "--").split()
    keys = {field.flag: field.name for field in settings.table.values()}
    fixed = {
        keys[flag]: value for flag, value in itertools.pairwise(options)
        if flag in keys and not value.startswith("--")
    }  # fmt: skip
    table = run_here(settings, {"seed": [0]}, **fixed)
    assert table["refused"].tolist() == [""]
    assert experiment.headline in table
    if name != "context":  # where the short sweep does not reach its target
        assert table[experiment.headline].notna().all()


def test_a_run_that_is_refused_says_so_in_its_row_and_the_others_have_their_numbers():
    table = run_here(Settings, "T=5,20000; data=exact,csv", **FEW)
    assert [bool(why) for why in table["refused"]] == [False, True, True, True]
    assert "T = 20000 cannot be used" in table["refused"][2]
    assert table["error_after_T.median"].notna().tolist() == [True, False, False, False]


def test_a_run_that_fails_with_an_error_ends_nothing(monkeypatch):
    def broken(settings):
        if settings.seed == 1:
            raise ZeroDivisionError("by zero")
        return compare(settings)

    monkeypatch.setattr("looped.experiments.compare.result.compare", broken)
    table = run_here(Settings, GRID, **FEW)
    failed = table["refused"] != ""
    assert failed.tolist() == [False, True, False] * 2
    assert set(table["refused"][failed]) == {"It failed with an error in this program: ZeroDivisionError: by zero"}


def test_finished_runs_are_found_and_a_line_that_was_cut_off_is_made_again(tmp_path, count_runs):
    whole = run_here(Settings, GRID, out=tmp_path, **FEW)
    assert len(count_runs) == 6
    again = run_here(Settings, GRID, out=tmp_path, **FEW)
    assert len(count_runs) == 6
    pd.testing.assert_frame_equal(whole, again)
    log = tmp_path / LOG
    log.write_bytes(log.read_bytes()[:-40])
    mended = run_here(Settings, GRID, out=tmp_path, **FEW)
    assert len(count_runs) == 7
    pd.testing.assert_frame_equal(whole.drop(columns="seconds"), mended.drop(columns="seconds"))
    assert len([json.loads(line) for line in log.read_text().splitlines()]) == 6


def test_a_larger_grid_in_the_same_folder_makes_only_what_is_new(tmp_path, count_runs):
    run_here(Settings, GRID, out=tmp_path, **FEW)
    table = run_here(Settings, GRID | {"loops": [2, 5, 7]}, out=tmp_path, **FEW)
    assert len(count_runs) == 9
    assert len(table) == 9


def test_equal_settings_are_one_run_however_they_are_written(tmp_path, count_runs):
    run_here(Settings, {"T": [50]}, out=tmp_path, **FEW)
    run_here(Settings, "n=8", out=tmp_path, prompts="4", features=3, loops="50")
    assert len(count_runs) == 1


def test_a_second_sweep_in_a_folder_is_told(tmp_path):
    with Folder(tmp_path), pytest.raises(SettingsError, match="Another sweep is at work in"):
        run_here(Settings, GRID, out=tmp_path, **FEW)
    assert len(run_here(Settings, GRID, out=tmp_path, **FEW)) == 6


def test_what_is_kept_may_hold_arrays_and_a_damaged_line_is_made_again(tmp_path):
    arrays = {"a": np.array([[0.1, np.nan], [-np.inf, 5e-324]]), "b": np.arange(3)}
    with Folder(tmp_path) as folder:
        folder.add([("first", {"seconds": 0.1, **arrays}), ("second", {"npy": "none", "why": ""})])
    log = tmp_path / LOG
    log.write_text(f'[]\n{{"key": "third", "done": {{"npy": "AAAA"}}}}\n{{"key"\n{log.read_text()}')
    with Folder(tmp_path) as folder:
        assert folder.done.keys() == {"first", "second"}
        for name, values in arrays.items():
            assert folder.done["first"][name].dtype == values.dtype
            np.testing.assert_array_equal(folder.done["first"][name], values)
        assert folder.done["second"] == {"npy": "none", "why": ""}


def counting(item):
    """Work of three steps, whose last may fail."""
    yield None
    yield None
    if item < 0:
        raise SettingsError("item", f"item = {item} cannot be counted: choose 0 or more.")
    yield item**2


def test_runs_in_this_process_go_step_by_step_in_their_order(monkeypatch):
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", "tcp://127.0.0.1:9")
    found = list(each(counting, {"b": 3, "a": 2}, workers=0))
    assert found == [[], [], [("b", 9)], [], [], [("a", 4)]]
    assert every(counting, {"b": 3, "a": 2}, workers=0) == {"b": 9, "a": 4}
    assert list(each(counting, {}, workers=2)) == []


def test_a_sentence_goes_from_one_process_to_another():
    error = pickle.loads(pickle.dumps(SettingsError("steps", "steps = 0:\nchoose one.")))
    assert (type(error), error.field, str(error)) == (SettingsError, "steps", "steps = 0: choose one.")


def test_a_full_disk_is_one_sentence_and_what_was_written_down_stays(tmp_path, monkeypatch):
    def full(_self, _finished):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as limited:
        limited.setattr(Folder, "add", full)
        with pytest.raises(SettingsError, match="No space left on device"):
            run_here(Settings, GRID, out=tmp_path, **FEW)
    assert len(run_here(Settings, GRID, out=tmp_path, **FEW)) == 6


def test_the_files_of_each_run_are_kept_if_asked_for(tmp_path):
    table = run_here(Settings, "T=5,20000", out=tmp_path, keep=True, **FEW)
    (folder,) = (tmp_path / "runs").iterdir()
    found = json.loads((folder / "result.json").read_text())
    assert found["error_after_T"]["median"] == table["error_after_T.median"][0]
    made = export.of(compare(Settings(loops=5, **FEW)))
    assert (folder / "arrays.npz").read_bytes() == made.file("arrays.npz")


def test_files_of_a_run_that_were_written_in_part_are_written_again(tmp_path, monkeypatch):
    run_here(Settings, "T=5", out=tmp_path, **FEW)
    move, moved = Path.replace, []

    def two_of_five(part, path):
        if len(moved) == 2:
            raise OSError(28, "No space left on device")
        moved.append(move(part, path).name)

    with monkeypatch.context() as limited:
        limited.setattr(Path, "replace", two_of_five)
        with pytest.raises(SettingsError, match="No space left on device"):
            run_here(Settings, "T=5", out=tmp_path, keep=True, **FEW)
    (folder,) = (tmp_path / "runs").iterdir()
    assert sorted(path.name for path in folder.iterdir()) == sorted(moved)
    run_here(Settings, "T=5", out=tmp_path, keep=True, **FEW)
    assert {path.name for path in folder.iterdir()} == set(FORMATS)


def test_a_setting_is_given_once():
    with pytest.raises(SettingsError, match="seed is in the grid and given for all runs"):
        run_here(Settings, GRID, seed=3)
    with pytest.raises(SettingsError, match="cannot be used"):
        run_here(TrainSettings, {"seed": [0]}, loops=10_000)


def test_parquet_and_csv_hold_the_same_table(tmp_path):
    table = run_here(Settings, "step=auto,0.5; T=5,20000; noise=0,1", **FEW)
    table.to_parquet(tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "t.parquet"), table, check_dtype=False)
    text = table.to_csv(tmp_path / "t.csv", index=False)
    assert text is None
    again = pd.read_csv(tmp_path / "t.csv")
    assert (again["error_after_T.median"].dropna() == table["error_after_T.median"].dropna()).all()
