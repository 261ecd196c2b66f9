"""Sharing: links that show the same numbers elsewhere, links for a class, embedding, files."""

import json
import re
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import pytest
from playwright.sync_api import Browser, Locator, expect

from looped.settings import FIELDS, LINK_VERSION

from .conftest import IDLE, ROOT, Visit, running_app

pytestmark = pytest.mark.browser

EVERY_FIELD = {
    "synthetic": "T=30&n=25&d=6&kappa=8&spectrum=outlier&data=exact&noise=0.25&alpha=-2&step=0.3&shared=true&prompts=9"
    "&seed=11&dtype=float32&layout=slots&form=token",
    "table": "T=40&data=diabetes&target=bmi&columns=age,sex,bp&step=optimal",
}


def panel(visit: Visit) -> Locator:
    """The opened panel of links and files."""
    visit.page.get_by_role("button", name="Share and export").click()
    opened = visit.page.get_by_test_id("stPopoverBody")
    expect(opened.get_by_test_id("stCode")).to_have_count(2)
    return opened


def link(opened: Locator, place: int) -> str:
    return opened.get_by_test_id("stCode").nth(place).inner_text().strip()


@pytest.mark.parametrize("kind", EVERY_FIELD)
def test_the_full_link_carries_every_field_and_shows_the_same_numbers_elsewhere(
    visit: Visit, fresh_visit: Visit, kind: str
) -> None:
    asked = parse_qs(EVERY_FIELD[kind])
    address = link(panel(visit.open(f"?{EVERY_FIELD[kind]}")), 0)
    carried = parse_qs(urlparse(address).query, keep_blank_values=True)
    assert carried["v"] == [str(LINK_VERSION)]
    for key, values in asked.items():
        assert carried[key] == values
    if kind == "synthetic":
        assert carried.keys() - {"v", "lesson"} == {field.key for field in FIELDS.values()} - {"target", "columns"}
    fresh_visit.open("?" + urlparse(address).query)
    assert fresh_visit.metrics() == visit.metrics()
    assert fresh_visit.chart() == visit.chart()
    expect(fresh_visit.page.get_by_test_id("stAlert").filter(has_text="Some values")).to_have_count(0)


def test_a_link_for_a_class_fixes_the_lesson_and_hides_controls(visit: Visit, fresh_visit: Visit) -> None:
    opened = panel(visit.open("?lesson=conditioning"))
    opened.get_by_role("combobox", name="Controls to hide").fill("κ")
    visit.page.get_by_role("option", name=re.compile("κ")).click()
    expect(opened.get_by_test_id("stCode").nth(1)).to_contain_text("hide=lesson%2Ckappa")
    fresh_visit.open("?" + urlparse(link(opened, 1)).query)
    expect(fresh_visit.number("T")).to_have_value("400")
    expect(fresh_visit.number("kappa")).to_have_count(0)
    expect(fresh_visit.page.get_by_role("combobox", name="Lesson")).to_have_count(0)
    expect(fresh_visit.page.get_by_text("The condition number sets the speed", exact=True)).to_be_visible()
    assert fresh_visit.metrics() == visit.metrics()


@pytest.mark.parametrize("width", [700, 400])
def test_embedded_the_page_has_no_bars_and_does_not_scroll_sideways(visit: Visit, width: int) -> None:
    page = visit.open("?embed=true&kappa=20", width=width).page
    expect(page.get_by_test_id("stTopNavLink")).to_have_count(0)
    expect(page.get_by_test_id("stMainMenu")).to_have_count(0)
    assert visit.metrics()["κ measured"] == "20"
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_the_files_are_those_of_what_is_on_the_screen(visit: Visit, tmp_path: Path) -> None:
    opened = panel(visit.open("?T=20&n=30&d=5&seed=4"))
    contents = {}
    for label in ("JSON", "CSV", "HTML", "Python", "NPZ"):
        with visit.page.expect_download() as waiting:
            opened.get_by_role("button", name=label, exact=True).click()
        path = tmp_path / waiting.value.suggested_filename
        waiting.value.save_as(path)
        contents[label] = path
    summary = json.loads(contents["JSON"].read_text())
    assert f"{summary['error_after_T']['median']:.3g}" == visit.error_after()
    assert summary["settings"]["examples"] == 30
    last = [line for line in contents["CSV"].read_text().splitlines() if line.startswith("looped_median,20,")]
    assert float(last[0].split(",")[2]) == summary["error_after_T"]["median"]
    assert "examples=30" in contents["Python"].read_text()
    assert "Plotly.newPlot" in contents["HTML"].read_text()
    assert contents["NPZ"].stat().st_size > 1000


def test_the_glossary_is_one_click_away(visit: Visit) -> None:
    page = visit.open().page
    page.get_by_role("button", name="Glossary").click()
    expect(page.get_by_test_id("stPopoverBody").get_by_text("At 1 all of them are equal")).to_be_visible()


def test_a_link_to_a_page_that_is_the_first_visit_to_a_new_server(chromium: Browser, tmp_path: Path) -> None:
    """Streamlit would run the page's file alone, without the app around it."""
    with running_app(tmp_path / "log") as address:
        page = chromium.new_page()
        page.goto(f"{address}/context")
        expect(page.get_by_test_id("stTopNavLink").filter(has_text="The loop is the step")).to_be_visible(
            timeout=30_000
        )
        expect(page.get_by_role("heading", level=1)).to_have_text("How many examples?")
        page.close()


def test_going_to_another_page_and_back_brings_the_settings_back(visit: Visit) -> None:
    page = visit.open("?kappa=20&n=30").page
    metrics = visit.metrics()
    links = page.get_by_test_id("stTopNavLink")
    links.nth(1).click()
    page.wait_for_selector(IDLE)
    expect(page.get_by_test_id("stAlert").filter(has_text="Some values")).to_have_count(0)
    links.first.click()
    expect(visit.number("kappa")).to_have_value("20")
    expect(visit.number("n")).to_have_value("30")
    page.wait_for_selector(IDLE)
    assert visit.metrics() == metrics


@pytest.mark.parametrize("name", sorted(path.stem for path in ROOT.glob("pages/*.py")))
def test_every_page_answers_to_its_name(visit: Visit, name: str) -> None:
    page = visit.open(name).page
    assert urlparse(page.url).path == f"/{name}"
    expect(page.get_by_text("Page not found")).to_have_count(0)
