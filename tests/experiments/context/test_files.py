"""`python -m looped context`: files as promised, the same bytes after an interruption, one line for everything else."""

import csv
import io
import json
import math
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from looped import cli, export
from looped.cli.progress import bar
from looped.experiments.context import ContextSettings, sweep
from looped.experiments.context.sweep import SUBFOLDER
from looped.sweeps import workers
from looped.sweeps.folder import LOG
from tests.app import PATIENCE

ROOT = Path(__file__).parents[3]
SMALL = ["--d", "4", "--ratios", "0.5,1,2,8", "--T-max", "12", "--prompts", "3"]
FILES = ["arrays.npz", "curves.csv", "figure.html", "reproduce.py", "result.json"]


def run(capsys, *arguments):
    """The JSON of a run that must succeed, and its standard error."""
    cli.main(["context", *arguments])
    out, err = capsys.readouterr()
    return json.loads(out), err


def refused(capsys, *arguments):
    """The line of a run that must be refused."""
    with pytest.raises(SystemExit) as caught:
        cli.main(["context", *arguments])
    out, err = capsys.readouterr()
    assert caught.value.code == 2
    assert out == ""
    assert err.count("\n") == 1
    return err


def arrays(folder):
    with np.load(folder / "arrays.npz", allow_pickle=False) as stored:
        return dict(stored)


def test_the_folder_receives_the_files_of_the_contract(capsys, tmp_path):
    summary, err = run(capsys, *SMALL, "--rows", "correlated", "--kappa-sigma", "7", "--target", "0.1", "--T", "9",
                       "--step-size", "optimal", "--seed", "3", "--out", str(tmp_path))  # fmt: skip
    assert sorted(path.name for path in tmp_path.iterdir()) == FILES
    settings = summary["settings"]
    assert (settings["row_condition_number"], settings["target_error"], settings["seed"]) == (7, 0.1, 3)
    assert (settings["step_size"], settings["shown_loops"]) == ("optimal", 9)
    stored = arrays(tmp_path)
    assert stored["ratio"].tolist() == [0.5, 1, 2, 8]
    assert stored["n"].tolist() == [2, 4, 8, 32]
    assert stored["error"].shape == (4, 13, 3)
    assert stored["kappa"].shape == (4, 3)
    np.testing.assert_allclose(stored["error"][:, 0], 1)
    assert "100%" in err
    assert json.loads((tmp_path / "result.json").read_text()) == summary


def test_the_script_gives_the_same_bytes_in_an_empty_folder(capsys, tmp_path):
    run(capsys, *SMALL, "--learned", "--learned-ratios", "2", "--learned-T", "1,2", "--out", str(tmp_path / "first"))
    again = tmp_path / "again"
    again.mkdir()
    script = (tmp_path / "first" / "reproduce.py").read_text(encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=again, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    for name in ("arrays.npz", "curves.csv", "result.json"):
        assert (again / name).read_bytes() == (tmp_path / "first" / name).read_bytes()
    assert json.loads(done.stdout)["learned"]["T"] == [1, 2]


def trained(folder):
    """Number of the trained cells in a folder of unfinished ones."""
    log = folder / LOG
    return len(re.findall(r'"key": "n\d+-T', log.read_text())) if log.exists() else 0


@pytest.mark.thorough
def test_killed_in_the_middle_and_started_again_it_gives_the_same_bytes(capsys, tmp_path, monkeypatch):
    options = ["--d", "5", "--ratios", "1,2,4,8", "--T-max", "30", "--prompts", "9", "--learned",
               "--learned-ratios", "2,3,4,6", "--learned-T", "5,10,15"]  # fmt: skip
    command = [sys.executable, "-m", "looped", "context", *options, "--out", str(tmp_path / "killed")]
    process = subprocess.Popen(command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)},
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    kept = tmp_path / "killed" / SUBFOLDER
    deadline = time.monotonic() + PATIENCE
    while trained(kept) < 2:
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not (tmp_path / "killed" / "arrays.npz").exists()
    finished = trained(kept)
    assert finished < 12

    monkeypatch.setattr(workers, "SHORT", math.inf)  # the rest here, without processes that must start
    _, err = run(capsys, *options, "--out", str(tmp_path / "killed"))
    found = re.search(r"(\d+) kept cells are used", err)
    assert found is not None
    assert int(found[1]) >= finished
    run(capsys, *options, "--out", str(tmp_path / "straight"))
    for name in FILES:
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "straight" / name).read_bytes()
    assert not kept.exists()


def test_a_folder_of_other_settings_is_refused_and_left_as_it_is(capsys, tmp_path):
    run(capsys, *SMALL, "--out", str(tmp_path))
    before = (tmp_path / "arrays.npz").read_bytes()
    line = refused(capsys, *SMALL, "--seed", "1", "--out", str(tmp_path))
    assert "holds the result of other settings: choose another folder" in line
    assert sorted(path.name for path in tmp_path.iterdir()) == FILES
    assert (tmp_path / "arrays.npz").read_bytes() == before
    with np.load(tmp_path / "arrays.npz") as stored:
        arrays = dict(stored)
    run(capsys, *SMALL, "--target", "0.1", "--out", str(tmp_path))  # read by figures alone: the arrays stay
    with np.load(tmp_path / "arrays.npz") as stored:
        assert stored.keys() == arrays.keys()
        assert all(np.array_equal(stored[name], arrays[name]) for name in arrays)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--ratios", "0,1"], "argument --ratios: ratios = 0,1 cannot be used: choose 1 to 60 numbers"),
        (["--target", "2"], "argument --target: target-error = 2 cannot be used: choose a number from 1e-12 to 0.9"),
        (["--T-max", "20000"], "argument --T-max: T-max = 20000 cannot be used"),
        (["--rows", "cauchy"], "argument --rows: rows = cauchy cannot be used"),
        (["--prompts", "1000", "--T-max", "10000"], "argument --prompts: This sweep needs about"),
        (["--d", "200", "--ratios", "200"], "argument --ratios: One prompt of n = 40,000 examples"),
        (["--d", "50", "--learned"], "argument --d: d = 50 is too large to train A"),
        (["--out", "/proc/nowhere"], "argument --out: --out = /proc/nowhere cannot be written to"),
    ],
)
def test_what_cannot_be_is_one_line(capsys, options, sentence):
    assert sentence in refused(capsys, *options)


def test_the_summary_answers_the_question(capsys):
    summary, err = run(capsys)
    need = summary["needed_ratio_at_T"]
    assert need["T"] == 50
    assert need["construction_median"] == pytest.approx(2.76, abs=0.05)
    assert need["construction_9_of_10"] > need["construction_median"]
    assert need["log10_n_exponential_requirement"] == pytest.approx(189.8, abs=0.1)
    assert 0.8 < summary["largest_error_of_bound"] < 1
    assert "the median error is at most 0.001 from n/d = 2.76 on" in err


def test_divergent_prompts_are_named_and_said_to_dominate_the_mean(capsys):
    summary, err = run(capsys, "--step-size", "0.6", "--ratios", "1.7,8")
    assert summary["diverging_prompts"] == {"17": 4}
    assert 17 in summary["mean_ruled_by_few"]["at_n"]
    assert summary["largest_error_of_bound"] is None
    assert "the mean is over 10 times the median: few prompts dominate it" in err


def test_an_interruption_is_one_line_and_says_how_to_continue(capsys, tmp_path, monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("looped.experiments.context.command.Sweep.run", interrupted)
    with pytest.raises(SystemExit) as caught:
        cli.main(["context", *SMALL, "--out", str(tmp_path)])
    assert caught.value.code == 130
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-1] == "looped: stopped; the same command continues from here"


def test_curves_hold_every_picture_and_its_numbers():
    result = sweep(ContextSettings(features=4, ratios=(2, 8), prompts=5, loops=20))
    rows = list(csv.DictReader(io.StringIO(export.of(result).curves_csv())))
    assert {row["picture"] for row in rows} == set(export.of(result).pictures())
    found = [row for row in rows if row["series"] == "median, T = 20"]
    assert [float(row["at"]) for row in found] == [2, 8]
    assert [float(row["value"]) for row in found] == result.median[:, 20].tolist()


def test_a_terminal_gets_one_line_that_is_drawn_over(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with bar() as tell:
        tell(0.5, "n = 3")
        tell(0.501, "n = 4")  # too soon to be drawn
        tell(1.0, "n = 5")
    written = sys.stderr.getvalue()
    assert written.count("\r") == 3
    assert written.count("\n") == 1
    assert "[###############...............]  50%  n = 3" in written
    assert "n = 4" not in written
