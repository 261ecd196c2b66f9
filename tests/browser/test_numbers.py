"""Typed numbers: each is read as it was meant, or a sentence says how it was read."""

from urllib.parse import parse_qs, urlparse

import pytest
from playwright.sync_api import Browser, Locator, expect

from .conftest import Visit

pytestmark = pytest.mark.browser

COPY = """document.addEventListener('copy', event => {
    event.clipboardData.setData('text/plain', '7,5')
    event.preventDefault()
})"""
"""Puts 7,5 on the clipboard, whatever is copied."""


def type_number(visit: Visit, key: str, text: str, end: str = "Enter") -> None:
    box = visit.number(key)
    box.click()
    box.press("Control+A")
    box.press_sequentially(text) if text else box.press("Delete")
    box.press(end)


def note(visit: Visit) -> Locator:
    return visit.page.get_by_test_id("stAlert").filter(has_text="could not be used")


def in_link(visit: Visit, key: str) -> str:
    return parse_qs(urlparse(visit.page.url).query)[key][0]


@pytest.mark.parametrize("end", ["Enter", "Tab"])
def test_a_decimal_comma_is_read_as_a_point_and_that_is_said(visit: Visit, end: str) -> None:
    visit.open()
    type_number(visit, "kappa", "7,5", end)
    expect(note(visit)).to_contain_text("kappa: its comma was read as a decimal point. Using 7.5.")
    expect(visit.number("kappa")).to_have_value("7.5")
    assert in_link(visit, "kappa") == "7.5"
    assert visit.metrics()["κ measured"] == "7.5"


def test_a_pasted_comma_is_read_like_a_typed_one(visit: Visit) -> None:
    page = visit.open().page
    page.evaluate(
        "document.addEventListener('copy', e => {e.clipboardData.setData('text/plain', '7,5'); e.preventDefault()})"
    )
    page.get_by_role("heading", level=1).click()
    page.keyboard.press("Control+C")
    box = visit.number("kappa")
    box.click()
    box.press("Control+A")
    box.press("Control+V")
    box.press("Enter")
    expect(note(visit)).to_contain_text("Using 7.5.")
    expect(box).to_have_value("7.5")


def test_a_whole_number_may_be_written_with_an_exponent(visit: Visit) -> None:
    visit.open()
    with visit.change():
        type_number(visit, "T", "1e2")
    expect(visit.number("T")).to_have_value("100")
    assert in_link(visit, "T") == "100"
    expect(note(visit)).to_have_count(0)


def test_half_a_loop_is_refused_in_a_sentence(visit: Visit) -> None:
    visit.open()
    type_number(visit, "T", "7.5")
    expect(visit.page.get_by_test_id("stAlert").filter(has_text="T = 7.5 cannot be used")).to_contain_text("Using 8.")
    expect(visit.number("T")).to_have_value("8")
    assert in_link(visit, "T") == "8"


@pytest.mark.parametrize(
    ("text", "why", "end"),
    [
        ("1e", "is not a number", "Enter"),
        ("abc", "is not a number", "Tab"),
        ("7x5", "is not a number", "Enter"),
        ("", "is not a number", "Enter"),
        ("1.000,5", "can be read in two ways", "Enter"),
        ("1,000.5", "can be read in two ways", "Tab"),
        ("1.000.5", "can be read in two ways", "Enter"),
        ("1,000", "can be read in two ways", "Tab"),
    ],
)
def test_what_cannot_be_read_is_said_and_the_number_before_it_stays(
    visit: Visit, text: str, why: str, end: str
) -> None:
    visit.open("?kappa=20")
    type_number(visit, "kappa", text, end)
    expect(note(visit)).to_contain_text(f"kappa: what was typed {why}")
    expect(note(visit)).to_contain_text("Keeping 20.")
    expect(visit.number("kappa")).to_have_value("20")
    assert in_link(visit, "kappa") == "20"
    assert visit.metrics()["κ measured"] == "20"
    with visit.change():
        type_number(visit, "kappa", "7.5")
    assert in_link(visit, "kappa") == "7.5"
    expect(note(visit)).to_have_count(0)


def test_a_comma_out_of_range_is_not_said_to_be_read(visit: Visit) -> None:
    visit.open("?kappa=20")
    type_number(visit, "kappa", "0,5")
    box = visit.page.get_by_test_id("stNumberInput").filter(has=visit.number("kappa"))
    expect(box.get_by_role("alert")).to_contain_text("enter a value between 1 and 10000")
    expect(note(visit)).to_have_count(0)


@pytest.mark.parametrize("text", ["7,5", "7.5"])
def test_a_browser_whose_language_has_a_decimal_comma_reads_both_marks(
    chromium: Browser, server: str, text: str
) -> None:
    context = chromium.new_context(locale="de-DE")
    visit = Visit(context.new_page(), server).open("?kappa=2.5")
    assert visit.page.evaluate("navigator.language") == "de-DE"
    expect(visit.number("kappa")).to_have_value("2.5")
    with visit.change():
        type_number(visit, "kappa", text)
    expect(visit.number("kappa")).to_have_value("7.5")
    assert in_link(visit, "kappa") == visit.metrics()["κ measured"] == "7.5"
    context.close()


def test_a_decimal_comma_in_a_link_and_in_a_step_size_is_read_as_a_point_and_that_is_said(visit: Visit) -> None:
    visit.open("?kappa=7,5")
    expect(note(visit)).to_contain_text("kappa: its comma was read as a decimal point. Using 7.5.")
    expect(visit.number("kappa")).to_have_value("7.5")
    assert in_link(visit, "kappa") == visit.metrics()["κ measured"] == "7.5"
    step = visit.section("Step size").get_by_role("combobox")
    step.fill("0,3")
    step.press("Enter")
    expect(note(visit)).to_contain_text("step: its comma was read as a decimal point. Using 0.3.")
    assert in_link(visit, "step") == "0.3"


def test_a_number_out_of_range_is_not_taken_and_the_box_says_why(visit: Visit) -> None:
    visit.open()
    type_number(visit, "T", "20000")
    box = visit.page.get_by_test_id("stNumberInput").filter(has=visit.number("T"))
    expect(box.get_by_role("alert")).to_contain_text("enter a value between 1 and 10000")
    assert "T" not in parse_qs(urlparse(visit.page.url).query)


def test_the_slider_shows_a_number_between_its_stops(visit: Visit) -> None:
    visit.open()
    with visit.change():
        type_number(visit, "T", "11")
    expect(visit.slider_box("T")).to_contain_text("11")
    with visit.change():
        visit.slider("T").press("ArrowRight")
    expect(visit.number("T")).to_have_value("12")
    assert in_link(visit, "T") == "12"
    expect(visit.slider("T")).to_be_focused()
    with visit.change():
        visit.slider("T").press("ArrowLeft")
    expect(visit.number("T")).to_have_value("11")
