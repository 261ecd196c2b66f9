"""Streams and signals: closed, full and broken ones lose no result, and nothing ends in a traceback."""

import contextlib
import ctypes
import functools
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from looped import cli
from looped.cli import streams
from looped.signals import STOPPING
from tests.app import PATIENCE
from tests.results import COMMANDS
from tests.thorough import thorough_but

ROOT = Path(__file__).parents[1]
SMALL = ["compare", *COMMANDS["compare"].split(), "--out", "o"]
FILES = ["arrays.npz", "curves.csv", "figure.html", "reproduce.py", "result.json"]
NO_SPACE = "standard output cannot be written to (No space left on device)"
TABLE = "a,b,y\n1,2,3\n2,4,5\n4,3,7\n5,7,1\n6,1,2\n9,2,4\n"

CASES = {
    "closed output": (">&-", 0),
    "full output": (">/dev/full", streams.OUTPUT_FAILED),
    "broken output": ("| head -c 10", 0),
    "closed messages": ("2>&-", 0),
    "full messages": ("2>/dev/full", 0),
    "both closed": (">&- 2>&-", 0),
    "broken messages": ("2>&1 >kept | head -c 1", 0),
}
"""Redirection of a shell, and the exit status."""
RARE = ("broken output", "full messages", "both closed")
MARKED = [pytest.param(case, marks=[pytest.mark.slow] * (case in RARE)) for case in CASES]


def start(folder, *arguments, redirected="", **options):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "looped", *arguments]
    if redirected:
        shell = f'"$@" {redirected}; exit ${{PIPESTATUS[0]}}'
        command = ["bash", "-c", shell, "bash", *command]
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options
    )


@pytest.fixture(scope="module", name="done")
def fixture_done(tmp_path_factory):
    """For a case the status, output and messages of one and the same run, and its folder; each is run once."""

    @functools.cache
    def outcome(case):
        folder = tmp_path_factory.mktemp("run")
        with start(folder, *SMALL, redirected=CASES[case][0]) as process:
            out, err = process.communicate()
        return process.returncode, out, err, folder

    return outcome


@pytest.mark.parametrize("case", thorough_but(lambda case: case == "closed output", MARKED))
def test_whatever_becomes_of_the_streams_the_files_are_complete_and_nothing_is_a_traceback(done, case):
    status, out, err, folder = done(case)
    assert status == CASES[case][1]
    assert b"Traceback" not in out + err
    assert b"Exception" not in out + err
    assert sorted(path.name for path in (folder / "o").iterdir()) == FILES
    with np.load(folder / "o" / "arrays.npz") as stored:
        assert stored["looped"].shape == (9, 5, 4)
    json.loads((folder / "o" / "result.json").read_text())


@pytest.mark.parametrize("case", ["closed messages", pytest.param("full messages", marks=pytest.mark.slow)])
def test_without_a_place_for_messages_standard_output_holds_the_json_alone(done, case):
    _, out, _, folder = done(case)
    assert json.loads(out) == json.loads((folder / "o" / "result.json").read_text())


def test_the_demo_does_not_start_where_its_address_cannot_be_written(tmp_path):
    with start(tmp_path, "app", redirected=">/dev/full") as process:
        out, err = process.communicate()
    assert (process.returncode, out, err.decode()) == (streams.OUTPUT_FAILED, b"", f"looped: {NO_SPACE}\n")


def test_the_demo_serves_on_in_one_line_where_nobody_reads_its_output(tmp_path):
    with start(tmp_path, "app", "--", "--server.port", str(free_port())) as process:
        process.stdout.readline()
        process.stdout.close()
        said = process.stderr.readline()
        while b"standard output" not in said:
            assert b"Traceback" not in said
            said = process.stderr.readline()
        process.terminate()
        rest = process.stderr.read()
    assert said == b"looped: standard output cannot be written to (Broken pipe): the demo goes on without it\n"
    assert (process.returncode, rest) in [(0, b""), (143, b"looped: stopped\n")]  # it serves, or was about to


SERVE = """
import os, signal
from looped.cli import app

async def serve(): ...

def begin(*_args, **_named):
    begun = serve()
    os.kill(os.getpid(), signal.SIGTERM)
    raise AssertionError("it goes on")

app.runpy.run_module = begin
app.run.main([])
"""


def test_a_stop_between_the_making_of_the_servers_coroutine_and_its_run_is_one_line():
    run = subprocess.run([sys.executable, "-c", SERVE], cwd=ROOT, capture_output=True, check=False)
    assert (run.returncode, run.stderr) == (143, b"looped: stopped\n")


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_messages_that_nobody_reads_cost_no_result(done):
    *_, folder = done("broken messages")
    assert json.loads((folder / "kept").read_text()) == json.loads((folder / "o" / "result.json").read_text())


def test_a_full_standard_output_is_one_line(done):
    assert done("full output")[2].decode().splitlines()[-1] == f"looped: {NO_SPACE}"
    assert done("closed output")[2].decode().count("\n") == 3


FULL = {
    "compare": "--T 3",
    "context": "--d 3 --ratios 1,2 --T-max 5 --T 5 --prompts 8",
    "train": "--d 2 --n 4 --T 1 --steps 5 --batch 16",
    "signal": "--d 2 --n 3 --steps 5",
    "gpt2": "--steps 3",
    "beyond": "--view one-step --prompts 100",
    "sweep": "compare --grid seed=0:1 --T 3",
}
"""A small run of each command."""


@pytest.mark.parametrize("command", thorough_but(lambda command: command == "train", FULL))
def test_a_file_that_finds_no_room_is_one_line_and_leaves_no_part_of_it(tmp_path, command, monkeypatch):
    """The system lets a file grow to one KiB, as a full disk would, and Python's own cache must not be cut off so."""
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    with start(tmp_path, command, *FULL[command].split(), "--out", "o", preexec_fn=no_room) as process:
        out, err = process.communicate()
    assert process.returncode == 2
    assert out == b""
    assert b"Traceback" not in err
    assert "o cannot be written to (File too large): choose another folder." in err.decode().splitlines()[-1]
    assert [path.name for path in tmp_path.rglob("*") if "part" in path.name] == []


LIKE_OTHERS = {name: [pytest.mark.slow] * (name not in ("compare", "train", "sweep")) for name in FULL}
"""Marks of commands that write their files as others do."""


@pytest.mark.thorough
@pytest.mark.parametrize("command", [pytest.param(name, marks=marks) for name, marks in LIKE_OTHERS.items()])
@pytest.mark.parametrize("redirected", [">&-", "| head -c 1"])
def test_no_command_needs_a_reader_for_its_files(tmp_path, command, redirected):
    with start(tmp_path, command, *FULL[command].split(), "--out", "o", redirected=redirected) as process:
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    assert b"Traceback" not in err
    assert (tmp_path / "o" / ("results.csv" if command == "sweep" else "result.json")).is_file()


def no_room():
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))


PR_CAPBSET_DROP = 24


@pytest.mark.parametrize("command", thorough_but(lambda command: command == "compare", FULL))
def test_a_folder_that_must_not_be_written_to_is_one_line_at_once(tmp_path, command):
    (tmp_path / "o").mkdir(mode=0o555)
    with start(tmp_path, command, *FULL[command].split(), "--out", "o", preexec_fn=no_powers) as process:
        out, err = process.communicate()
    assert (process.returncode, out) == (2, b"")
    said = "o cannot be written to (Permission denied): choose another folder."
    assert err.decode().splitlines()[-1].endswith(said)
    assert b"Traceback" not in err
    assert list((tmp_path / "o").iterdir()) == []


def no_powers():
    """Without root's power over all files, where the tests run as root."""
    for power in range(64):
        ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, power, 0, 0, 0)


@pytest.mark.parametrize(
    "arguments",
    [
        "signal --d 2 --H pipe",
        pytest.param("signal --d 2 --Psi pipe", marks=pytest.mark.thorough),
        pytest.param("train --weights-from pipe", marks=pytest.mark.thorough),
        pytest.param("compare --target y --data pipe", marks=pytest.mark.thorough),
        pytest.param("sweep compare --out o --runs pipe", marks=pytest.mark.thorough),
    ],
)
def test_a_pipe_in_the_place_of_a_file_is_refused_and_not_waited_for(tmp_path, arguments):
    os.mkfifo(tmp_path / "pipe")
    with start(tmp_path, *arguments.split()) as process:
        try:
            out, err = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    assert (process.returncode, out, err.count(b"\n")) == (2, b"", 1)
    assert b"not a regular file" in err


BIG = "compare --n 400 --d 100 --T 10000 --form token --prompts 4"
LONG = {
    "context": "context --d 40 --ratios 1,2,4,8 --T-max 4000 --prompts 1000",
    "train": "train --d 3 --steps 5000 --batch 64 --out o",
    "signal": "signal --steps 100000",
    "gpt2": "gpt2 --steps 100000",
}
"""Commands that go on for long and say so at once."""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", LONG)
def test_a_signal_ends_long_work_in_one_line_with_its_status(tmp_path, command, number):
    with start(tmp_path, *LONG[command].split()) as process:
        process.stderr.readline()
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + number
    assert out == b""
    assert b"Traceback" not in err
    last = err.decode().splitlines()[-1]
    assert last == "looped: stopped" + ("; --resume continues from here" if command == "train" else "")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("seconds", [0.2, 0.5, 1, 2, 4])
def test_a_signal_while_the_program_starts_is_one_line_too(tmp_path, seconds, number):
    with start(tmp_path, *BIG.split()) as process:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE)
    if process.returncode == -number or err.startswith(b"Fatal Python error: init_import_site"):
        pytest.skip("Python itself had not started yet")
    assert (process.returncode, out, err) == (128 + number, b"", b"looped: stopped\n")


KILLED = {
    "train": ("--d 3 --n 8 --T 2 --steps 150 --batch 64", "run.pt"),
    "gpt2": ("--n 3 --layers 1 --width 8 --batch 8 --steps 150 --device cpu", "checkpoint.pt"),
}
"""Trainings of some seconds, and the file from which they go on; they save after each step."""
SAVING = """
import sys
from looped import cli
from looped.experiments.{name} import command
from looped.experiments.train import cost
command.SAVE_EVERY, cost.ALONE_SECONDS = 0.0, 0.0
cost.affordable = lambda *_, **__: 200
cli.main(sys.argv[1:])
"""


def saving(folder, name, out, *more):
    """The training that saves after each step."""
    options = KILLED[name][0].split()
    return subprocess.Popen(
        [sys.executable, "-c", SAVING.format(name=name), name, *options, "--out", out, *more], cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


@pytest.mark.thorough
@pytest.mark.parametrize("name", [pytest.param(name, marks=LIKE_OTHERS[name]) for name in KILLED])
def test_killed_twice_it_ends_in_the_bytes_of_an_unbroken_run_and_holds_its_folder_till_then(tmp_path, name):
    checkpoint, seen = tmp_path / "o" / KILLED[name][1], None
    for more in ([], ["--resume"]):
        with saving(tmp_path, name, "o", *more) as process:
            try:
                for _ in range(3):
                    seen = another(checkpoint, seen, process)
                process.send_signal(signal.SIGSTOP)  # it holds its folder and makes no step
                if more:
                    with start(tmp_path, "compare", "--T", "2", "--out", "o") as other:
                        out, err = other.communicate(timeout=PATIENCE)
                    assert (other.returncode, out) == (2, b"")
                    assert b"Another run is at work in o: wait until it has ended" in err
            finally:
                process.kill()
    for out, more in (("o", ["--resume"]), ("unbroken", [])):
        with saving(tmp_path, name, out, *more) as process:
            _, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, err
    for file in {"arrays.npz", "curves.csv", *(["history.csv"] if name == "train" else [])}:
        assert (tmp_path / "o" / file).read_bytes() == (tmp_path / "unbroken" / file).read_bytes()


def another(path, seen, process):
    """Wait until the file has been written once more; when it was."""
    while not path.exists() or path.stat().st_mtime_ns == seen:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.005)
    return path.stat().st_mtime_ns


@pytest.mark.parametrize("note", ["", "the same command continues from here"])
def test_an_interrupted_command_says_how_to_continue(monkeypatch, capsys, tmp_path, note):
    def interrupted(*_arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("looped.experiments.context.Sweep.run", interrupted)
    out = ["--out", str(tmp_path)] if note else []
    with pytest.raises(SystemExit) as caught:
        cli.main(["context", *COMMANDS["context"].split(), *out])
    assert caught.value.code == 130
    assert capsys.readouterr().err.splitlines()[-1] == "looped: stopped" + (f"; {note}" if note else "")


def test_signals_are_left_as_they_were_found(capsys):
    before = [signal.getsignal(number) for number in STOPPING]
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    assert capsys.readouterr().out.startswith("looped ")
    assert [signal.getsignal(number) for number in STOPPING] == before


NAMES = {
    "not UTF-8": os.fsdecode(b"caf\xe9"),
    "a line break": "new\nline",
    "markup": "<script>alert(1)<b>",
    "long": "n" * 200,
}


def assert_utf8(folder):
    for path in folder.iterdir():
        if path.suffix != ".npz":
            path.read_text(encoding="utf-8")
    assert "<script>alert" not in (folder / "figure.html").read_text(encoding="utf-8")
    return json.loads((folder / "result.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("kind", NAMES)
def test_any_name_of_a_table_and_a_folder_can_be_written_and_said(tmp_path, capfd, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    Path(f"{NAMES[kind]}.csv").write_text(TABLE)
    out = Path(NAMES[kind])
    cli.main(["compare", "--data", f"{NAMES[kind]}.csv", "--target", "y", "--T", "3", "--out", str(out)])
    printed, said = capfd.readouterr()
    summary = assert_utf8(out)
    assert summary["table"]["name"] == json.loads(printed)["table"]["name"] == f"{NAMES[kind]}.csv"
    assert said.startswith("looped: ")
    assert any(line.startswith("looped: wrote result.json") for line in said.splitlines())
    assert all(line.startswith("looped: ") for line in said.splitlines())


@pytest.mark.parametrize("kind", NAMES)
def test_any_name_of_a_matrix_or_of_weights_can_be_said(tmp_path, capfd, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    np.save(f"{NAMES[kind]}.npy", np.diag([1.5, 0.5]))
    options = "--model gd-0 --d 2 --n 3 --steps 2 --out signal --H"
    cli.main(["signal", *options.split(), f"{NAMES[kind]}.npy"])
    assert_utf8(tmp_path / "signal")
    Path(f"{NAMES[kind]}.npz").write_bytes(b"")
    capfd.readouterr()
    with pytest.raises(SystemExit) as caught:
        cli.main(["train", "--weights-from", f"{NAMES[kind]}.npz"])
    out, err = capfd.readouterr()
    assert (caught.value.code, out, err.count("\n")) == (2, "", 1)


TOO_LONG = "n" * 300


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (f"compare --T 3 --out {TOO_LONG}", "--out"),
        (f"context --out {TOO_LONG}", "--out"),
        (f"train --out {TOO_LONG}", "--out"),
        (f"train --resume --out {TOO_LONG}", "--out"),
        (f"train --weights-from {TOO_LONG}", "--weights-from"),
        (f"signal --steps 2 --out {TOO_LONG}", "--out"),
        (f"signal --H {TOO_LONG}", "--H"),
        (f"gpt2 --steps 2 --out {TOO_LONG}", "--out"),
        (f"gpt2 --resume --out {TOO_LONG}", "--out"),
        ("compare --T 3 --out taken", "--out"),
        ("signal --steps 2 --out file", "--out"),
        ("gpt2 --steps 2 --out file/below", "--out"),
        ("train --out file", "--out"),
        ("context --out file", "--out"),
        ("context --T 50 --T-max 20", "--T"),
        ("context --T 300", "--T"),
        ("context --kappa-sigma 4", "--kappa-sigma"),
        ("context --d 1 --rows correlated --kappa-sigma 4", "--kappa-sigma"),
        ("context --learned-T 3", "--learned-T"),
        ("context --learned-ratios 3", "--learned-ratios"),
        ("signal --d 1 --kappa-H 4", "--kappa-H"),
        ("signal --d 1 --kappa-Psi 4", "--kappa-Psi"),
        ("compare --data diabetes --shared-step", "--shared-step"),
        ("compare --prompts 1 --shared-step", "--shared-step"),
        ("compare --T 1_0", "--T"),
        ("compare --kappa 1.000,5", "--kappa"),
        ("gpt2 --resume", "--resume"),
        ("train --resume", "--resume"),
    ],
    ids=lambda value: value.replace(TOO_LONG, "nnn…") if isinstance(value, str) else "",
)
def test_what_cannot_be_used_or_would_change_nothing_is_refused_before_any_work(
    tmp_path, capfd, monkeypatch, arguments, option
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("mine")
    (tmp_path / "taken" / "curves.csv").mkdir(parents=True)
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments.split())
    out, err = capfd.readouterr()
    assert (caught.value.code, out, err.count("\n")) == (2, "", 1)
    assert option in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "taken"]
    assert [path.name for path in (tmp_path / "taken").iterdir()] == ["curves.csv"]


@pytest.mark.parametrize("arguments", ["--T 3 --T 4", "--T=3 --T 4", "--T 3 --T=3 --T 4"])
def test_of_an_option_given_twice_the_last_counts_and_that_is_said(capsys, arguments):
    cli.main(["compare", *arguments.split()])
    out, err = capsys.readouterr()
    assert json.loads(out)["settings"]["loops"] == 4
    assert err.splitlines()[0] == "looped: --T: given more than once, the last one counts"


def test_a_switch_and_its_opposite_are_noted(capsys):
    cli.main(["compare", "--T", "3", "--shared-step", "--no-shared-step"])
    out, err = capsys.readouterr()
    assert json.loads(out)["settings"]["shared_step"] is False
    assert err.startswith("looped: --no-shared-step: given more than once")


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_the_script_of_every_command_gives_the_same_numbers_in_an_empty_folder(tmp_path, command):
    again = tmp_path / "again"
    again.mkdir()
    with start(tmp_path, command, *COMMANDS[command].split(), "--out", "first") as process:
        out, err = process.communicate()
    assert process.returncode == 0, err.decode()
    (again / "reproduce.py").write_bytes((tmp_path / "first" / "reproduce.py").read_bytes())
    done = subprocess.run(
        [sys.executable, "reproduce.py"], cwd=again, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout) == json.loads(out)
    for name in ("arrays.npz", "curves.csv", "figure.html", "result.json"):
        assert (again / name).read_bytes() == (tmp_path / "first" / name).read_bytes(), name
