"""The pages on shared signals in the real browser: training shows, stops, continues, and ends at the levels."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from .visit import Visit

pytestmark = pytest.mark.browser


def names(visit: Visit, key: str) -> list[str]:
    return visit.chart(key)["handed_over"]


def train(page: Page, steps: str) -> None:
    """Train to the end."""
    page.get_by_role("button", name="Train", exact=True).click()
    expect(page.get_by_text(re.compile(f"step {steps} of {steps}")).first).to_be_visible()
    expect(page.get_by_role("button", name="Stop", exact=True)).to_have_count(0)


@pytest.mark.thorough
def test_both_models_train_to_their_levels(visit: Visit) -> None:
    page = visit.open("signal?v=1").page
    assert visit.lowest() <= 720
    page = visit.open("signal?d=3&n=5&steps=1500&batch=64").page
    assert names(visit, "levels")[:2] == ["LTB = GD-β, with MLP", "LSA, attention alone: smallest found"]
    train(page, "1,500")
    assert names(visit, "training")[:2] == ["LTB, with MLP", "LSA, attention alone"]
    said = page.get_by_test_id("stCaptionContainer").filter(has_text="% above").all_inner_texts()
    above = [float(found[1]) for line in said if (found := re.search(r"([\d.]+)% above", line))]
    assert len(above) == 2
    assert max(above) < 5


@pytest.mark.thorough
def test_training_stops_and_resumes_and_both_pictures_follow_s_while_it_is_dragged(visit: Visit) -> None:
    page = visit.open("signal?steps=100000").page
    page.get_by_role("button", name="Train", exact=True).click()
    expect(page.get_by_text(re.compile(r"step [\d,]*00 of 100,000")).first).to_be_visible()
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_role("button", name="Resume", exact=True).click()
    expect(page.get_by_role("button", name="Stop", exact=True)).to_be_visible()
    page.get_by_role("button", name="Reset", exact=True).click()
    expect(page.get_by_text(re.compile("of 100,000"))).to_have_count(0)
    visit.idle()
    cloud, levels = visit.chart("cloud")["handed_over"], names(visit, "training")
    assert cloud[-1] == "β*, the shared signal"
    start = "() => document.querySelector('.st-key-cloud .js-plotly-plot').data.at(-1).x[0]"
    assert page.evaluate(start) == pytest.approx(5**0.5)
    box = visit.still(page.locator(".st-key-signal_slider").get_by_test_id("stSlider"))
    place = float(page.locator(".st-key-signal_slider input[type=range]").input_value())
    most = float(page.locator(".st-key-signal_slider input[type=range]").get_attribute("max") or 1)
    left, width, middle = box["x"] + 8, box["width"] - 16, box["y"] + box["height"] / 2
    page.mouse.move(left + place / most * width, middle)
    page.mouse.down()
    page.mouse.move(left + 0.9 * width, middle, steps=4)
    visit.until(lambda: page.evaluate(start) > 10, "the cloud of a larger s")
    visit.until(lambda: names(visit, "training") != levels, "the levels of a larger s")
    assert page.get_by_role("spinbutton", name=re.compile("^s ·")).input_value() == "1"
    with visit.change():
        page.mouse.up()
    expect(page.get_by_role("spinbutton", name=re.compile("^s ·"))).not_to_have_value("1")


@pytest.mark.thorough
def test_the_files_of_a_result_can_be_taken_along(visit: Visit, tmp_path: Path) -> None:
    page = visit.open("signal?d=2&n=3&steps=50&batch=8").page
    opened = visit.share()
    expect(page.get_by_text("Link to exactly this")).to_be_visible()
    opened.get_by_role("tab", name="Files").click()
    expect(page.get_by_text("Files come with a finished training")).to_be_visible()
    page.keyboard.press("Escape")
    train(page, "50")
    opened = visit.share()
    full, short = opened.locator("code").filter(has_text="steps=50").all()
    expect(full).to_contain_text("kappa-Psi=1")
    expect(short).not_to_contain_text("kappa-Psi=1")  # its default
    assert '"risk_trained"' in visit.download("JSON", tmp_path).read_text()


def test_the_gpt2_page_shows_stored_curves_with_their_origin(visit: Visit) -> None:
    page = visit.open("gpt2").page
    assert names(visit, "kept")[:2] == ["GPT-2 with MLP", "GPT-2 without MLP"]
    assert (
        page.locator(".st-key-kept").bounding_box()["y"] + page.locator(".st-key-kept").bounding_box()["height"] < 720
    )
    visit.answer()
    visit.unfold("How each curve was made")
    expect(page.get_by_text(re.compile("on one CPU thread, 2026")).first).to_be_visible()
