"""The app with LOOPED_SCHEDULER: what a visitor trains runs on a worker, in a process of its own."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from looped_ui.jobs import SCHEDULER
from tests.browser.conftest import running_app
from tests.browser.test_train_page import LONG, step_of

from .visit import Visit

pytestmark = [pytest.mark.browser, pytest.mark.thorough]
distributed = pytest.importorskip("distributed")

from tests.sweeps.test_cluster import scheduler, worker  # noqa: E402, F401


@pytest.fixture
def cluster(scheduler: tuple[str, object]) -> Iterator[str]:  # noqa: F811
    """The address of a scheduler with one worker, each a process of its own."""
    with worker(scheduler[0]):
        yield scheduler[0]


def test_a_visitor_trains_on_a_worker_which_stop_and_a_closed_tab_free(
    chromium: Browser, cluster: str, tmp_path: Path
) -> None:
    context = chromium.new_context()
    with (
        running_app(tmp_path / "log", environment=os.environ | {SCHEDULER: cluster}) as server,
        distributed.Client(cluster, set_as_default=False) as client,
    ):

        def at_work() -> int:
            """Trainings on the workers."""
            return sum(map(len, client.processing().values()))

        visit = Visit(context.new_page(), server).open(LONG)
        page = visit.page
        assert at_work() == 0
        visit.press("Train")
        first = step_of(page)
        visit.until(lambda: step_of(page) > first, "a further step")
        visit.until(at_work, "its part on the worker")  # between two parts there is none for a moment

        visit.press("Stop")
        expect(page.get_by_role("button", name="Resume", exact=True)).to_be_visible()
        visit.until(lambda: at_work() == 0, "the worker to be free")
        reached = step_of(page)

        visit.press("Resume")
        visit.until(lambda: step_of(page) > reached, "a further step")
        visit.until(at_work, "its part on the worker")

        other = Visit(context.new_page(), server)
        page.close()
        other.until(lambda: at_work() == 0, "the worker to be free")
    context.close()
