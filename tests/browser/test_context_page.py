"""The second page as a visitor meets it: stored at once, moved by keyboard, computed and stopped on demand."""

import re
from urllib.parse import parse_qs, urlparse

import pytest
from playwright.sync_api import Page, expect

from .conftest import IDLE, Visit

pytestmark = pytest.mark.browser

PLOT = """heading => [...document.querySelectorAll('[class*="st-key-chart"]')]
    .find(box => box.className.includes(heading))?.querySelector('.js-plotly-plot')"""
READY = f"heading => !!({PLOT})(heading)?._fullData?.length"
LINES = f"""heading => Object.fromEntries(({PLOT})(heading)._fullData
    .filter(trace => trace.type === 'scatter').map(trace => [trace.name, Array.from(trace.y)]))"""
ERROR, NEED = "Error-against", "Smallest"
"""What the keys of two charts begin with, after their place."""


def lines(page: Page, chart: str = ERROR) -> dict[str, list[float]]:
    """Name to values of every line of a chart, once it is drawn."""
    page.wait_for_function(READY, arg=chart)
    return page.evaluate(LINES, chart)


def needed(visit: Visit) -> str:
    return next(value for label, value in visit.metrics().items() if label.startswith("n/d for T"))


def test_the_first_view_is_drawn_without_a_click_or_an_outside_request(fresh_visit: Visit) -> None:
    visit = fresh_visit.open("context")
    page = visit.page
    expect(page.get_by_role("heading", name="How many examples?")).to_be_visible()
    assert {"T = 50", "target 0.001"} <= lines(page).keys()
    assert "Learned A, median prompt" in lines(page, NEED)
    assert 2.5 < float(needed(visit)) < 3
    own = urlparse(visit.server).netloc
    outside = [url for url in visit.requests if urlparse(url).netloc != own and not url.startswith(("data:", "blob:"))]
    assert outside == []


@pytest.mark.parametrize("width", [1280, 400])
def test_t_and_the_target_move_by_keyboard_and_stand_in_the_link(visit: Visit, width: int) -> None:
    page = visit.open("context", width=width).page
    if width == 400:
        page.get_by_role("button", name="Expand sidebar").focus()
        page.keyboard.press("Enter")
    for key, label in (("T", "T · loops"), ("target-error", "Target error")):
        before, drawn = needed(visit), lines(page)
        with visit.change():
            page.get_by_role("slider", name=re.compile(f"^{label}")).focus()
            page.keyboard.press("ArrowRight")
        assert needed(visit) != before
        assert lines(page) != drawn
        assert key in parse_qs(urlparse(page.url).query)


def test_a_link_shows_the_same_numbers_elsewhere(visit: Visit, fresh_visit: Visit) -> None:
    visit.open("context?T=30&target-error=0.01&rows=rademacher&d=6&prompts=12&T-max=60&seed=4&ratios=0.5,1,2,4,8")
    fresh_visit.open("context?" + urlparse(visit.page.url).query)
    assert fresh_visit.metrics() == visit.metrics()
    assert lines(fresh_visit.page) == lines(visit.page)


def test_a_long_sweep_announces_its_cost_and_can_be_stopped_and_resumed(visit: Visit) -> None:
    page = visit.open("context?learned=true&seed=7&learned-ratios=2,4,8&learned-T=30,50").page
    expect(page.get_by_text("This sweep takes about")).to_be_visible()
    page.get_by_role("button", name="Compute").click()
    progress = page.get_by_test_id("stProgress")
    expect(progress).to_contain_text("training A at n = 20, T = 30", timeout=60_000)
    page.get_by_role("button", name="Stop").click()
    expect(progress).to_contain_text("paused")
    stopped = progress.inner_text()
    page.wait_for_timeout(1500)
    assert progress.inner_text() == stopped
    page.get_by_role("button", name="Resume").click()
    expect(progress).to_contain_text("running")
    page.get_by_role("button", name="Reset", exact=True).click()
    expect(progress).to_have_count(0)


def test_the_files_can_be_taken_along(visit: Visit) -> None:
    page = visit.open("context").page
    page.get_by_role("button", name="Share and export").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    text = download.value.path().read_text(encoding="utf-8")
    assert text.startswith("picture,series,axis,at,value\n")
    assert '"learned a, median"' in text


def test_another_page_and_back_keeps_the_settings(visit: Visit) -> None:
    page = visit.open("context?T=80").page
    before = needed(visit)
    page.get_by_role("link", name="The loop is the step").click()
    expect(page.get_by_role("heading", name="The loop is the step")).to_be_visible()
    page.get_by_role("link", name="How many examples?").click()
    expect(page.get_by_role("heading", name="How many examples?")).to_be_visible()
    page.wait_for_selector(IDLE)
    expect(page.get_by_role("spinbutton", name=re.compile("^T · loops"))).to_have_value("80")
    assert needed(visit) == before
