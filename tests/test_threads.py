"""Importing changes no number of threads, runs work with one and give it back, and bytes do not depend on it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from looped import Settings, compare, export
from looped.experiments import context
from looped.threads import in_one_thread, one_thread

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    with threadpool_limits(limits=2):
        yield
    torch.set_num_threads(before)


def threads():
    return {torch.get_num_threads(), *(pool["num_threads"] for pool in threadpool_info())}


def test_a_run_has_one_thread_and_gives_the_others_back(monkeypatch):
    seen = []
    monkeypatch.setattr("looped.experiments.compare.result.cost.check", lambda *_: seen.append(threads()))
    compare(Settings(loops=2, prompts=1))
    assert seen == [{1}]
    assert threads() == {2}


def test_the_number_comes_back_after_a_failure():
    with pytest.raises(ZeroDivisionError), one_thread():
        _ = 1 / 0
    assert threads() == {2}


def test_the_first_of_two_overlapping_runs_to_end_does_not_let_go():
    first, second = one_thread(), one_thread()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert threads() == {1}
    second.__exit__(None, None, None)
    assert threads() == {2}


def test_between_two_steps_of_long_work_the_caller_has_its_threads():
    work = context.Sweep(context.ContextSettings(ratios=(1, 4), prompts=2, loops=3)).run()
    next(work)
    assert threads() == {2}

    @in_one_thread
    def steps():
        yield threads()
        yield threads()

    assert list(steps()) == [{1}, {1}]
    assert threads() == {2}


def test_bytes_do_not_depend_on_the_number_of_threads():
    def arrays(count):
        torch.set_num_threads(count)
        with threadpool_limits(limits=count):
            result = compare(Settings(examples=600, features=120, prompts=6, loops=300))
        return export.of(result).file("arrays.npz")

    assert arrays(1) == arrays(2)


def test_an_import_leaves_the_number_alone_and_a_library_loaded_after_the_first_run_is_held_to_one_as_well():
    code = (
        "import torch\n"
        "before = torch.get_num_threads()\n"
        "import looped\n"
        "print(before, torch.get_num_threads())\n"
        "from looped import Settings, compare\n"
        "from looped.threads import one_thread\n"
        "from threadpoolctl import threadpool_info\n"
        "compare(Settings(loops=2, prompts=1))\n"
        "import sklearn.linear_model\n"
        "with one_thread():\n"
        "    print({pool['num_threads'] for pool in threadpool_info()})"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"}
    environment.pop("MKL_NUM_THREADS", None)
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["2 2", "{1}"]
