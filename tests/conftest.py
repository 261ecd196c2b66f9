"""Shared by all tests."""

import os
import signal
import sys
from collections.abc import Iterator

# Before PyTorch and NumPy load: the processes of a test run share the cores, and threads of arithmetic would wait for
# each other. The app, the commands and the run functions use one thread anyway.
for libraries in ("OMP", "OPENBLAS", "MKL"):
    os.environ.setdefault(f"{libraries}_NUM_THREADS", "1")

import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402

from looped.budget import cores  # noqa: E402

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

# A run that a shell starts in the background ignores Ctrl-C, and so would the commands that the tests stop with it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers() -> int:
    """One process more than there are cores: while one waits for its browser, the others have work for all of them."""
    return cores() + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The browser's tests, the slowest, come first: near the end only short ones are left to share out."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is None)


@pytest.fixture(autouse=True)
def fixture_no_job_outlives_its_test() -> Iterator[None]:
    """Trainings that a test has begun on a page are stopped: they would take the cores from the tests that follow."""
    yield
    if module := sys.modules.get("looped_ui.line"):
        for job in list(module.LINE.jobs):
            job.stop()
