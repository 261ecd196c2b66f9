"""The pages on shared signals in the real browser: training shows, stops, continues, and ends at the levels."""

import re

import pytest
from playwright.sync_api import Page, expect

from .conftest import IDLE, Visit, traces

pytestmark = pytest.mark.browser


def opened(visit: Visit, link: str) -> Page:
    page = visit.page
    page.goto(f"{visit.server}/{link}")
    page.wait_for_selector(IDLE)
    expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible()
    return page


def names(page: Page, key: str) -> list[str]:
    return [trace["name"] for trace in traces(page, key)]


def test_both_models_train_to_their_levels(visit: Visit) -> None:
    page = opened(visit, "signal?d=3&n=5&steps=1500&batch=64")
    assert names(page, "risks")[:2] == ["LTB = GD-β, with MLP", "LSA, attention alone: smallest found"]
    page.get_by_role("button", name="Train", exact=True).click()
    expect(page.get_by_text(re.compile(r"step 1,500 of 1,500")).first).to_be_visible(timeout=120_000)
    expect(page.get_by_role("button", name="Stop", exact=True)).to_have_count(0)
    assert names(page, "training")[:2] == ["LTB, with MLP", "LSA, attention alone"]
    said = page.get_by_test_id("stCaptionContainer").filter(has_text="% above").all_inner_texts()
    above = [float(found[1]) for line in said if (found := re.search(r"([\d.]+)% above", line))]
    assert len(above) == 2
    assert max(above) < 5


def test_training_stops_and_resumes(visit: Visit) -> None:
    page = opened(visit, "signal?steps=100000")
    page.get_by_role("button", name="Train", exact=True).click()
    expect(page.get_by_text(re.compile(r"step [\d,]*00 of 100,000")).first).to_be_visible(timeout=60_000)
    page.get_by_role("button", name="Stop", exact=True).click()
    resume = page.get_by_role("button", name="Resume", exact=True)
    expect(resume).to_be_visible()
    resume.click()
    expect(page.get_by_role("button", name="Stop", exact=True)).to_be_visible()
    page.get_by_role("button", name="Reset", exact=True).click()
    expect(page.get_by_text(re.compile("of 100,000"))).to_have_count(0)


def test_the_files_of_a_result_can_be_taken_along(visit: Visit) -> None:
    page = opened(visit, "signal?d=2&n=3&steps=50&batch=8")
    page.get_by_role("button", name="Share and export").click()
    expect(page.get_by_text("Link to exactly this")).to_be_visible()
    expect(page.get_by_text("Files come with a finished training")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Train", exact=True).click()
    expect(page.get_by_text(re.compile(r"step 50 of 50")).first).to_be_visible(timeout=60_000)
    expect(page.get_by_role("button", name="Stop", exact=True)).to_have_count(0)
    page.get_by_role("button", name="Share and export").click()
    expect(page.locator("code").filter(has_text="kappa-Psi=1")).to_have_count(2)
    with page.expect_download(timeout=60_000) as download:
        page.get_by_role("button", name="JSON", exact=True).click()
    assert '"risk_trained"' in download.value.path().read_text()


def test_the_gpt2_page_shows_stored_curves_with_their_origin(visit: Visit) -> None:
    page = opened(visit, "gpt2")
    assert names(page, "kept")[:2] == ["GPT-2 with MLP", "GPT-2 without MLP"]
    expect(page.get_by_text(re.compile("on one CPU thread, 2026")).first).to_be_visible()
