"""The third page as a visitor meets it: train, stop, resume, walk away and come back, close the tab."""

import re
import time
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from .conftest import Visit, idle

pytestmark = pytest.mark.browser

LONG = "train?T=4&n=10&d=3&steps=20000&batch=512"
WORKS = 10
"""Niceness of a job's thread, so that those that answer come first."""


def server_process(visit: Visit) -> Path:
    """The server's folder in /proc."""
    port = visit.server.rsplit(":", 1)[1]
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"streamlit" in words and port.encode() in words:
            return folder
    pytest.skip("needs Linux's /proc")


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


def until(condition, seconds: float = 15) -> float:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds
        time.sleep(0.02)
    return time.monotonic() - began


def press(page: Page, label: str) -> None:
    page.get_by_test_id("stMain").get_by_role("button", name=label, exact=True).click()


def step_of(page: Page) -> int:
    bar = page.get_by_text(re.compile(r"step \d+ of 20000")).first
    expect(bar).to_be_visible(timeout=30_000)
    found = re.search(r"step (\d+) of", bar.inner_text())
    assert found
    return int(found[1])


def test_training_moves_stops_continues_survives_other_pages_and_ends_with_its_tab(fresh_visit: Visit) -> None:
    visit = fresh_visit.open(LONG)
    page, process = visit.page, server_process(visit)
    before = jobs_running(process)

    press(page, "Train")
    first = step_of(page)
    until(lambda: step_of(page) > first)
    assert jobs_running(process) == before + 1

    began = time.monotonic()
    press(page, "Stop")
    expect(page.get_by_role("button", name="Resume", exact=True)).to_be_visible(timeout=5_000)
    stopped_after = time.monotonic() - began
    until(lambda: jobs_running(process) == before)
    reached = step_of(page)
    page.wait_for_timeout(1200)
    assert step_of(page) == reached
    print(f"Stop was shown after {stopped_after:.2f} s")

    press(page, "Resume")
    until(lambda: step_of(page) > reached)

    page.get_by_role("link", name="The loop is the step").click()
    expect(page.get_by_text("max |loop − GD|").first).to_be_visible(timeout=30_000)
    idle(page)
    here = step_of_after_return(page)
    assert here > reached
    assert jobs_running(process) == before + 1

    page.close()
    print(f"the job's thread ended {until(lambda: jobs_running(process) == before):.2f} s after the tab was closed")


def step_of_after_return(page: Page) -> int:
    """Stay on the other page for a moment, go back, and read the step."""
    page.wait_for_timeout(1000)
    page.get_by_role("link", name="Train it").click()
    return step_of(page)


def test_the_first_view_is_drawn_without_training_or_an_outside_request(fresh_visit: Visit) -> None:
    visit = fresh_visit.open("train")
    page = visit.page
    expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible(timeout=30_000)
    expect(page.locator(".js-plotly-plot")).to_have_count(7)
    outside = [url for url in visit.requests if visit.server.split("//")[1] not in url and "data:" not in url[:5]]
    assert [url for url in outside if not url.startswith("blob:")] == []
