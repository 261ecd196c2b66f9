"""The third page as a visitor meets it: train, stop, resume, walk away and come back, close the tab."""

import re
import time
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from .visit import PATIENCE, Visit

pytestmark = pytest.mark.browser

LONG = "train?T=4&n=10&d=3&steps=20000&batch=512"
WORKS = 10
"""Niceness of a job's thread, so that those that answer come first."""


def server_process(visit: Visit) -> Path:
    """The server's folder in /proc."""
    if not Path("/proc/self").exists():
        pytest.skip("needs Linux's /proc")
    port = visit.server.rsplit(":", 1)[1]
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"streamlit" in words and port.encode() in words:
            return folder
    pytest.fail(f"no process serves at {visit.server}")


def jobs_running(process: Path) -> int:
    """Threads of the server that have stepped back: those of jobs."""
    count = 0
    for task in (process / "task").iterdir():
        try:
            fields = (task / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:  # it has just ended
            continue
        count += int(fields[16]) == WORKS
    return count


def step_of(page: Page) -> int:
    bar = page.get_by_text(re.compile(r"step \d+ of 20000")).first
    expect(bar).to_be_visible()
    found = re.search(r"step (\d+) of", bar.inner_text())
    assert found
    return int(found[1])


@pytest.mark.thorough
def test_training_moves_stops_continues_survives_other_pages_and_ends_with_its_tab(other_tab: Visit) -> None:
    visit = other_tab.open(LONG)
    page, process = visit.page, server_process(visit)
    before = jobs_running(process)

    visit.press("Train")
    first = step_of(page)
    visit.until(lambda: step_of(page) > first, "a further step")
    assert jobs_running(process) == before + 1

    visit.press("Stop")
    expect(page.get_by_role("button", name="Resume", exact=True)).to_be_visible()
    visit.until(lambda: jobs_running(process) == before, "the end of the job's thread")
    reached = step_of(page)
    page.wait_for_timeout(1200)
    assert step_of(page) == reached

    visit.press("Resume")
    visit.until(lambda: step_of(page) > reached, "a further step")

    page.get_by_role("link", name="The loop is the step").click()
    expect(page.get_by_text("max |loop − GD|").first).to_be_visible()
    visit.idle()
    page.wait_for_timeout(1000)  # it trains meanwhile
    page.get_by_role("link", name="Train it").click()
    assert step_of(page) > reached
    assert jobs_running(process) == before + 1

    page.close()
    deadline = time.monotonic() + PATIENCE
    while jobs_running(process) > before:
        assert time.monotonic() < deadline, "the job outlives its tab"
        time.sleep(0.02)


def test_the_first_view_is_whole_without_training_and_steps_through_the_states(visit: Visit) -> None:
    page = visit.open("train").page
    expect(page.get_by_text("What it became.")).to_have_count(0)
    visit.answer()
    visit.to_the_top()
    expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible()
    expect(page.locator(".js-plotly-plot")).to_have_count(6)
    picture = page.locator(".st-key-loss .looped-live")
    box, became = picture.bounding_box(), page.get_by_text("What it became.").bounding_box()
    assert box is not None
    assert became is not None
    assert became["y"] + became["height"] < 720
    bar = picture.get_by_role("group", name="Step through the states")
    said = bar.get_by_role("status")
    expect(said).to_contain_text("after 200 of 200 steps, T = 10")
    bar.get_by_role("button", name="First state").click()
    expect(said).to_contain_text("after 0 of 200 steps, T = 1")
    corner = "() => document.querySelector('.st-key-loss .js-plotly-plot').data.findLast(t => t.type === 'heatmap').z"
    assert page.evaluate(corner)[5][5] == 0  # of the ideal Q, which stays
    trained = "() => document.querySelector('.st-key-loss .js-plotly-plot').data.find(t => t.type === 'heatmap').z"
    visit.until(lambda: abs(page.evaluate(trained)[0][1]) > 0.1, "the random weights")
    page.keyboard.press("End")
    visit.until(lambda: abs(page.evaluate(trained)[0][1]) < 0.02, "the trained weights")
