"""`looped train` as a user runs it: files, bytes, resuming, and one line for every refusal."""

import json
import re
import runpy
import signal

import numpy as np
import pytest

from looped.cli import main
from looped.experiments.train import cost

SMALL = ["--T", "2", "--n", "8", "--d", "2", "--steps", "9", "--batch", "32"]


@pytest.fixture(autouse=True)
def fixture_quick(monkeypatch):
    """Evaluate on few prompts; bytes must repeat all the same."""
    monkeypatch.setattr(cost, "affordable", lambda *_args, **_others: 200)
    monkeypatch.setattr(cost, "ALONE_SECONDS", 0.0)


def run(capsys, *arguments):
    main(["train", *map(str, arguments)])
    caught = capsys.readouterr()
    return json.loads(caught.out), caught.err


def test_it_writes_what_the_contract_says(capsys, tmp_path):
    summary, err = run(capsys, *SMALL, "--out", tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "result.json", "curves.csv", "figure.html", "reproduce.py", "arrays.npz", "history.csv", "run.pt",
    }  # fmt: skip
    with np.load(tmp_path / "arrays.npz") as arrays:
        assert arrays["P"].shape == arrays["Q"].shape == (3, 3)
    assert json.loads((tmp_path / "result.json").read_text()) == summary
    assert summary["stopped"] == "All 9 steps are made."
    assert summary["steps_made"] == 9
    history = (tmp_path / "history.csv").read_text().splitlines()
    assert history[0] == "step,start,loops,loss,median,skipped"
    assert [line.split(",")[0] for line in history[1:]] == [str(step) for step in range(1, 10)]
    assert "100%  step 9, T = 1" in err
    assert err.startswith("looped: 9 steps, about 0.")
    assert "s on one core, with the evaluation\n" in err
    assert summary["found"] in err


def test_untied_weights_are_a_stack(capsys, tmp_path):
    run(capsys, *SMALL, "--untied", "--weights", "preconditioner", "--out", tmp_path)
    with np.load(tmp_path / "arrays.npz") as arrays:
        assert arrays["P"].shape == (2, 3, 3)


def test_a_run_that_is_continued_has_the_bytes_of_an_unbroken_one(capsys, tmp_path):
    run(capsys, *SMALL[:-4], "--batch", 32, "--steps", 20, "--out", tmp_path / "whole")
    run(capsys, *SMALL, "--out", tmp_path / "parts")
    run(capsys, "--resume", "--steps", 20, "--out", tmp_path / "parts")
    for name in ("arrays.npz", "history.csv", "curves.csv"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def test_an_interrupted_run_continues(capsys, tmp_path, monkeypatch):
    from looped.training.trainer import Trainer

    run(capsys, *SMALL, "--out", tmp_path / "whole")
    step = Trainer.step

    def interrupted(trainer):
        if len(trainer.history) == 4:
            signal.raise_signal(signal.SIGINT)  # amid a step, which is made to its end
        return step(trainer)

    monkeypatch.setattr(Trainer, "step", interrupted)
    with pytest.raises(SystemExit) as stopped:
        main(["train", *SMALL, "--out", str(tmp_path / "parts")])
    assert stopped.value.code == 130
    assert "--resume continues from here" in capsys.readouterr().err
    assert len(Trainer.resume(tmp_path / "parts" / "run.pt").history) == 5
    monkeypatch.setattr(Trainer, "step", step)
    run(capsys, "--resume", "--out", tmp_path / "parts")
    assert (tmp_path / "parts" / "arrays.npz").read_bytes() == (tmp_path / "whole" / "arrays.npz").read_bytes()


def test_weights_from_a_file_are_evaluated(capsys, tmp_path):
    run(capsys, *SMALL, "--out", tmp_path / "a")
    summary, _ = run(capsys, "--weights-from", tmp_path / "a" / "arrays.npz", "--n", 16, "--out", tmp_path / "b")
    assert (summary["settings"]["examples"], summary["settings"]["loops"]) == (16, 2)
    assert summary["steps_made"] == 0
    with np.load(tmp_path / "a" / "arrays.npz") as a, np.load(tmp_path / "b" / "arrays.npz") as b:
        assert (a["P"] == b["P"]).all()


@pytest.mark.parametrize("source", ["trained", "file"])
def test_the_script_gives_the_same_numbers_in_another_folder(capsys, monkeypatch, tmp_path, source):
    run(capsys, *SMALL, "--out", tmp_path / "a")
    if source == "file":
        run(capsys, "--weights-from", tmp_path / "a" / "arrays.npz", "--out", tmp_path / "a")
    there = tmp_path / "there"
    there.mkdir()
    monkeypatch.chdir(there)
    runpy.run_path(str(tmp_path / "a" / "reproduce.py"), run_name="__main__")
    assert (there / "arrays.npz").read_bytes() == (tmp_path / "a" / "arrays.npz").read_bytes()


REFUSED = {
    "d": (["--d", "41"], "argument --d: d = 41 cannot be used: choose a whole number from 1 to 40."),
    "too long": (["--steps", "20000"], r"argument --steps: Training with .* choose steps = \d+ or less\."),
    "resume nowhere": (["--resume"], r"--resume needs the folder of the run to continue: add --out DIR\."),
    "resume nothing": (["--resume", "--out", "EMPTY"], r"There is no training run at .*run\.pt\. Leave --resume out"),
    "resume damaged": (["--resume", "--out", "DAMAGED"], r"run\.pt is damaged or was not written by this version's"),
    "other settings": (
        ["--resume", "--T", "3", "--out", "RUN"],
        r"argument --T: --T = 3 is not what this run has been",
    ),
    "no weights": (["--weights-from", "none.npz"], r"argument --weights-from: none\.npz cannot be read"),
    "weights of other d": (
        ["--weights-from", "WEIGHTS", "--d", "5"],
        r"--d = 5 does not go with arrays\.npz, which has 2",
    ),
    "both": (["--weights-from", "x.npz", "--resume"], "--weights-from evaluates weights and --resume trains"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_one_line_and_status_2(case, capsys, tmp_path):
    arguments, message = REFUSED[case]
    if {"RUN", "WEIGHTS"} & set(arguments):
        run(capsys, *SMALL, "--out", tmp_path / "run")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "run.pt").write_bytes(b"no run")
    places = {"EMPTY": tmp_path / "empty", "DAMAGED": tmp_path / "damaged", "RUN": tmp_path / "run",
              "WEIGHTS": tmp_path / "run" / "arrays.npz"}  # fmt: skip
    with pytest.raises(SystemExit) as refused:
        main(["train", *(str(places.get(argument, argument)) for argument in arguments)])
    assert refused.value.code == 2
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert re.search(message, err), err
