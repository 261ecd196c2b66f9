"""A sweep on processes of its own: the same table, whatever is killed on the way."""

import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys

import pandas as pd
import pytest
from distributed.comm.core import CommClosedError

from looped import Settings, SettingsError, sweep
from looped.sweeps import workers
from looped.sweeps.folder import LOG
from looped.sweeps.workers import client_of, each
from tests.app import PATIENCE, ROOT, until
from tests.sweeps.test_sweep import counting

pytestmark = pytest.mark.thorough
pytest.importorskip("distributed")

GRID = {"loops": [20, 5000], "seed": range(30)}
FEW = {"prompts": 16, "examples": 20, "features": 5}
TEXT = "T=20,5000; seed=0:29"
COMMAND = [
    sys.executable, "-m", "looped", "sweep", "compare", "--grid", TEXT, "--prompts", "16", "--n", "20", "--d", "5",
]  # fmt: skip
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}


def same(one, other):
    pd.testing.assert_frame_equal(one.drop(columns="seconds"), other.drop(columns="seconds"))


@pytest.fixture(scope="module")
def whole():
    """The table as this process makes it."""
    return sweep(Settings, GRID, workers=0, **FEW)


@contextlib.contextmanager
def running(*arguments, environment=ENVIRONMENT, folder=ROOT):
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments],
        env=environment,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def answers(port):
    """Whether something listens at a port of this machine."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def scheduler():
    """The address of a scheduler in a process of its own, and that process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    with running("distributed.cli.dask_scheduler", *options) as process:
        until(lambda: answers(port))
        yield f"tcp://127.0.0.1:{port}", process


@contextlib.contextmanager
def worker(address, environment=ENVIRONMENT, folder=ROOT):
    """A worker in a process of its own."""
    options = [address, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    with running("distributed.cli.dask_worker", *options, environment=environment, folder=folder) as process:
        yield process


def level():
    """How grave a message of a worker must be to be written."""
    return logging.getLogger("distributed.worker").getEffectiveLevel()


def test_workers_of_this_machine_write_nothing_beside_what_the_sweep_says():
    with client_of("", 1) as client:
        assert [*client.run(level).values()] == [logging.CRITICAL]


def test_two_processes_of_this_machine_make_the_same_table(whole):
    same(sweep(Settings, GRID, workers=2, **FEW), whole)


def test_a_script_needs_no_guard_round_its_call_and_may_run_beside_another_cluster(tmp_path):
    script = tmp_path / "plain.py"
    script.write_text(
        "from looped import Settings, sweep\n"
        'print(len(sweep(Settings, {"seed": range(4)}, workers=2, prompts=4)))\n'
    )  # fmt: skip
    with socket.socket() as other:
        with contextlib.suppress(OSError):  # taken already is as good
            other.bind(("127.0.0.1", 8787))
            other.listen()
        done = subprocess.run([sys.executable, script], env=ENVIRONMENT, capture_output=True, text=True,
                              timeout=PATIENCE)  # fmt: skip
    assert (done.stdout, done.stderr, done.returncode) == ("4\n", "", 0)


def test_a_cluster_that_is_there_makes_the_same_table(whole, scheduler):
    address, _ = scheduler
    with worker(address), worker(address):
        same(sweep(Settings, GRID, scheduler=address, **FEW), whole)


def test_any_work_can_be_made_there_and_its_sentence_comes_back(scheduler):
    address, _ = scheduler
    items = {str(number): number for number in range(20)}
    with worker(address), worker(address):
        found = [pair for news in each(counting, items, scheduler=address) for pair in news]
        assert dict(found) == {str(number): number**2 for number in range(20)}
        with pytest.raises(SettingsError, match="item = -1 cannot be counted"):
            list(each(counting, {"one": 1, "none": -1}, scheduler=address))


def test_a_worker_that_is_killed_costs_nothing(whole, scheduler, tmp_path):
    address, _ = scheduler
    with worker(address) as lost, worker(address):
        told = []

        def kill_once(finished, _total):
            told.append(finished)
            if finished and lost.poll() is None:
                lost.kill()

        same(sweep(Settings, GRID, scheduler=address, out=tmp_path, tell=kill_once, **FEW), whole)
        assert lost.poll() is not None
        assert told[-1] == len(whole)


def test_a_scheduler_that_is_killed_is_said_in_one_sentence_and_the_sweep_continues(whole, scheduler, tmp_path):
    address, process = scheduler
    with worker(address):

        def kill(finished, _total):
            if finished:
                process.kill()

        with pytest.raises(SettingsError, match=r"The scheduler at .* was lost"):
            sweep(Settings, GRID, scheduler=address, out=tmp_path, tell=kill, **FEW)
    kept = len((tmp_path / LOG).read_text().splitlines())
    assert 0 < kept < len(whole)
    same(sweep(Settings, GRID, out=tmp_path, workers=0, **FEW), whole)


def test_a_connection_that_breaks_while_results_are_fetched_is_a_lost_scheduler(monkeypatch):
    class Broken:
        """A batch that was made, and cannot be fetched any more."""

        key, status = "batch", "finished"

        def result(self):
            raise CommClosedError("in <TCP (closed) gather>: Connection reset by peer")

    class Client:
        """One whose scheduler goes when all is made."""

        loop = None

        def map(self, *_, **__):
            return [Broken()]

    monkeypatch.setattr(workers, "client_of", lambda *_: contextlib.nullcontext(Client()))
    monkeypatch.setattr("distributed.as_completed", lambda futures, **_: futures)
    with pytest.raises(SettingsError, match=r"The scheduler at tcp://there:1 was lost\."):
        list(each(print, {"run": "item"}, scheduler="tcp://there:1"))


@pytest.mark.parametrize(
    "number", [signal.SIGKILL, signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_a_command_that_is_killed_continues_with_the_same_table(whole, tmp_path, number):
    log = tmp_path / LOG
    with subprocess.Popen([*COMMAND, "--workers", "2", "--out", tmp_path], env=ENVIRONMENT, text=True,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:  # fmt: skip
        until(lambda: log.exists() and log.stat().st_size > 0)
        process.send_signal(number)
        _, said = process.communicate(timeout=PATIENCE)
    assert "Traceback" not in said
    if number != signal.SIGKILL:
        assert process.returncode == 128 + number
        assert "the same command continues from here" in said
    kept = len(log.read_bytes().splitlines())
    assert kept < len(whole)
    done = subprocess.run([*COMMAND, "--workers", "0", "--out", tmp_path], env=ENVIRONMENT, capture_output=True,
                          text=True, timeout=PATIENCE)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["runs"] == len(whole)
    table = pd.read_parquet(tmp_path / "results.parquet")
    pd.testing.assert_frame_equal(
        table.drop(columns="seconds"), whole.drop(columns="seconds"), check_dtype=False, check_column_type=False
    )


INTERRUPTED = """
import signal, sys, threading
import distributed
from looped.cli import main

begin = distributed.Nanny.__init__

def interrupted(self, *arguments, **named):
    begin(self, *arguments, **named)
    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

distributed.Nanny.__init__ = interrupted
main(sys.argv[1:])
"""
"""The program, which is interrupted when the first of its workers is about to start."""


def test_an_interrupt_while_workers_start_is_one_line_too(tmp_path):
    run = [sys.executable, "-c", INTERRUPTED, *COMMAND[3:], "--workers", "2", "--out", tmp_path]
    done = subprocess.run(run, env=ENVIRONMENT, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 130
    assert done.stderr.splitlines()[-1] == "looped: stopped; the same command continues from here"
    assert "Traceback" not in done.stderr


def test_no_scheduler_and_another_version_are_one_sentence_each(scheduler, tmp_path, monkeypatch):
    with monkeypatch.context() as hasty:
        hasty.setattr(workers, "CONNECT", 3)
        with pytest.raises(SettingsError, match=r"No scheduler answers at tcp://127\.0\.0\.1:1 "):
            sweep(Settings, GRID, scheduler="tcp://127.0.0.1:1", **FEW)
        with pytest.raises(SettingsError, match=r"The scheduler at tcp://.* has no worker after 3 s: start one with"):
            sweep(Settings, GRID, scheduler=scheduler[0], **FEW)
    (tmp_path / "looped").mkdir()
    (tmp_path / "looped" / "__init__.py").write_text('__version__ = "0.0.9"\n')
    address, _ = scheduler
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    with (
        worker(address, environment, tmp_path),
        pytest.raises(SettingsError, match=r"have looped 0\.0\.9, and this is"),
    ):
        sweep(Settings, GRID, scheduler=address, **FEW)
