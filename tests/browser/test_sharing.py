"""Sharing: links that show the same numbers elsewhere, links for a class, embedding, files."""

import json
import re
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import pytest
from playwright.sync_api import Locator, expect

from looped.experiments import EXPERIMENTS
from looped.settings import FIELDS, LINK_VERSION

from .conftest import running_app
from .visit import PAINTED, VIEWPORT, Visit

pytestmark = pytest.mark.browser

EVERY_FIELD = {
    "synthetic": "T=30&n=25&d=6&kappa=8&spectrum=outlier&data=exact&noise=0.25&alpha=-2&step=0.3&shared=true&prompts=9"
    "&seed=11&dtype=float32&layout=slots&form=token",
    "table": "T=40&data=diabetes&target=bmi&columns=age,sex,bp&step=optimal",
}


def link(opened: Locator, place: int) -> str:
    """The part after the address of the page, of one of the links in the panel."""
    return "?" + urlparse(opened.get_by_test_id("stCode").nth(place).text_content() or "").query


@pytest.mark.thorough
@pytest.mark.parametrize("kind", EVERY_FIELD)
def test_the_full_link_carries_every_field_and_shows_the_same_numbers_elsewhere(visit: Visit, kind: str) -> None:
    asked = parse_qs(EVERY_FIELD[kind])
    visit.open(f"?{EVERY_FIELD[kind]}")
    metrics, chart, address = visit.metrics(), visit.chart(), link(visit.share(), 0)
    carried = parse_qs(address[1:], keep_blank_values=True)
    assert carried["v"] == [str(LINK_VERSION)]
    for key, values in asked.items():
        assert carried[key] == values
    if kind == "synthetic":
        assert carried.keys() - {"v", "lesson"} == {field.key for field in FIELDS.values()} - {"target", "columns"}
    visit.open(address)
    assert visit.metrics() == metrics
    assert visit.chart() == chart
    expect(visit.alert("Some values")).to_have_count(0)


@pytest.mark.thorough
def test_a_link_for_a_class_fixes_the_lesson_and_hides_controls(visit: Visit) -> None:
    page = visit.open("?lesson=conditioning").page
    metrics, opened = visit.metrics(), visit.share()
    opened.get_by_role("tab", name="Class and talk").click()
    opened.get_by_role("combobox", name="Controls to hide").fill("κ")
    page.get_by_role("option", name=re.compile("κ")).click()
    expect(opened.get_by_test_id("stCode").nth(1)).to_contain_text("hide=lesson%2Ckappa")
    visit.open(link(opened, 1))
    expect(visit.number("T")).to_have_value("400")
    expect(visit.number("kappa")).to_have_count(0)
    expect(page.get_by_role("combobox", name="Lesson")).to_have_count(0)
    expect(page.get_by_text("The condition number sets the speed", exact=True)).to_be_visible()
    assert visit.metrics() == metrics


def test_embedded_the_page_has_no_bars_and_does_not_scroll_sideways(visit: Visit) -> None:
    page = visit.open("?embed=true&n=9&d=2&kappa=20&T=30", width=400).page
    expect(page.get_by_test_id("stTopNavLink")).to_have_count(0)
    expect(page.get_by_test_id("stMainMenu")).to_have_count(0)
    expect(page.get_by_text("Same as explicit gradient descent")).to_be_visible()
    expect(page.get_by_test_id("stMetric")).to_have_count(0)
    assert not visit.scrolls_sideways()
    page.set_viewport_size(VIEWPORT | {"width": 700})
    page.evaluate(PAINTED)
    visit.until(lambda: not visit.scrolls_sideways(), "a page as wide as its frame")
    page.set_viewport_size(VIEWPORT | {"width": 760})  # some of the sentences fit beside the slider, some do not
    bar, heights = page.get_by_role("group", name="Step through the loops"), set()
    bar.get_by_role("slider").focus()
    for loop in range(31):
        expect(bar.get_by_role("status")).to_contain_text(f"loop {loop} of 30")
        heights.add((bar.bounding_box() or {})["height"])
        page.keyboard.press("ArrowRight")
    assert len(heights) == 1  # nothing moves while it plays


@pytest.mark.thorough
def test_embedded_every_page_shows_its_picture_and_nothing_below_in_a_small_frame(
    visit: Visit, subtests: pytest.Subtests
) -> None:
    visit.open("?embed=true", width=700)
    visit.page.set_viewport_size({"width": 700, "height": 500})
    for name in ("context", "train", "signal", "gpt2"):
        with subtests.test(name):
            visit.page.goto(f"{visit.server}/{name}?embed=true")
            visit.idle()
            expect(visit.page.get_by_test_id("stMetric")).to_have_count(0)
            expect(visit.page.get_by_test_id("stTopNavLink")).to_have_count(0)
            expect(visit.page.get_by_text("Assumptions, limits and sources")).to_have_count(0)
            assert not visit.scrolls_sideways()


@pytest.mark.thorough
def test_the_files_are_those_of_what_is_on_the_screen(visit: Visit, tmp_path: Path) -> None:
    visit.open("?T=20&n=30&d=5&seed=4").share()
    contents = {label: visit.download(label, tmp_path) for label in ("JSON", "CSV", "HTML", "Python", "NPZ")}
    summary = json.loads(contents["JSON"].read_text())
    assert f"{summary['error_after_T']['median']:.3g}" == visit.error_after()
    assert summary["settings"]["examples"] == 30
    last = [line for line in contents["CSV"].read_text().splitlines() if line.startswith("looped_median,20,")]
    assert float(last[0].split(",")[2]) == summary["error_after_T"]["median"]
    assert "examples=30" in contents["Python"].read_text()
    assert "Plotly.newPlot" in contents["HTML"].read_text()
    assert contents["NPZ"].stat().st_size > 1000


@pytest.mark.thorough
def test_a_link_to_a_page_that_is_the_first_visit_to_a_new_server_under_a_path(visit: Visit, tmp_path: Path) -> None:
    """Streamlit would run the page's file alone, without the app around it."""
    page = visit.page
    with running_app(tmp_path / "log", "looped") as address:
        page.goto(f"{address}/context")
        expect(page.get_by_test_id("stTopNavLink").filter(has_text="The loop is the step")).to_be_visible()
        expect(page.get_by_role("heading", level=1)).to_have_text("How many examples?")
        nothing = "() => fetch(new URL('picture/x/1/T_slider/0', document.baseURI)).then(answer => answer.status)"
        assert page.evaluate(nothing) == 204  # the page itself, with 200, where no route is found
        page.get_by_test_id("stTopNavLink").filter(has_text="The loop is the step").click()
        lesson = page.locator("input[aria-label=Lesson][value='1 · What the transformer sees']")
        expect(lesson).to_have_count(1)  # the lesson of the page before may stand beside it for a moment
        visit.leave()


@pytest.mark.thorough
def test_going_to_another_page_and_back_brings_the_settings_back(visit: Visit) -> None:
    page = visit.open("?kappa=20&n=30").page
    metrics = visit.metrics()
    links = page.get_by_test_id("stTopNavLink")
    links.nth(1).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("How many examples?")
    visit.idle()
    expect(visit.alert("Some values")).to_have_count(0)
    links.first.click()
    expect(visit.number("kappa")).to_have_value("20")
    expect(visit.number("n")).to_have_value("30")
    visit.idle()
    assert visit.metrics() == metrics

    page.get_by_role("button", name="Glossary").click()
    expect(page.get_by_test_id("stPopoverBody").get_by_text("at 1 all are equal")).to_be_visible()


@pytest.mark.thorough
def test_in_large_type_text_and_charts_grow_and_the_verdict_stays_in_the_window(visit: Visit) -> None:
    size = "() => parseFloat(getComputedStyle(document.documentElement).fontSize)"
    chart = "() => document.querySelector('.st-key-stage .js-plotly-plot')._fullLayout.font.size"
    page = visit.open().page
    before = page.evaluate(size), page.evaluate(chart)
    page = visit.open("?present=1").page
    page.wait_for_function(f"() => ({chart})() > {before[1]}")
    assert page.evaluate(size) == pytest.approx(1.2 * before[0])
    assert page.evaluate(chart) == pytest.approx(1.2 * before[1], abs=0.5)
    assert page.get_by_text("Same as explicit gradient descent").bounding_box()["y"] < 720


ASKED = """() => {
    const inside = selector => {
        const {top, bottom} = document.querySelector(selector)?.getBoundingClientRect() ?? {};
        return top >= 40 && bottom <= innerHeight;
    };
    return inside('.st-key-lesson_text') && inside('.st-key-picture') && inside('[class*="_guess"]');
}"""
"""Whether the lesson, its picture and its question stand in the window, below the bar."""


@pytest.mark.thorough
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_in_large_type_the_lesson_its_picture_and_its_question_stand_in_the_window(visit: Visit, name: str) -> None:
    lesson = EXPERIMENTS[name].load("lessons")[0].key
    visit.open(f"{name}?lesson={lesson}&present=1").page.wait_for_function(ASKED)


@pytest.mark.thorough
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_embedded_a_link_that_asks_first_has_the_question_and_then_the_result(visit: Visit, name: str) -> None:
    lesson = EXPERIMENTS[name].load("lessons")[0]
    page = visit.page
    page.set_viewport_size({"width": 700, "height": 500})
    page.goto(f"{visit.server}/{name}?lesson={lesson.key}&hide=lesson&predict=1&embed=true")  # one has no picture yet
    expect(page.locator("[class*='_guess'] [role=radio]")).to_have_count(len(lesson.choices))
    expect(visit.alert("Choose an answer above")).to_have_count(1)
    visit.answer()
    expect(page.locator(".st-key-verdict")).to_have_count(1)
    expect(page.locator(".st-key-outcome")).to_have_count(1)
    expect(visit.alert("Choose an answer above")).to_have_count(0)


def test_the_code_for_a_class_has_the_window_and_its_link_below_it(visit: Visit) -> None:
    page = visit.open("train").page
    opened = visit.share()
    opened.get_by_role("tab", name="Class and talk").click()
    opened.get_by_role("button", name="QR code").click()
    dialog = page.get_by_role("dialog")
    code, address = dialog.locator("img").bounding_box(), dialog.get_by_test_id("stCode").bounding_box()
    assert code is not None
    assert address is not None
    assert code["width"] == pytest.approx(code["height"], abs=1)
    assert code["height"] > 0.6 * VIEWPORT["height"]
    assert code["y"] + code["height"] <= address["y"]
    assert address["y"] + address["height"] <= VIEWPORT["height"]
    with visit.change():
        page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
