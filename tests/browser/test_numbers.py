"""Typed numbers: each is read as it was meant, or a sentence says how it was read."""

import pytest
from playwright.sync_api import Browser, Locator, expect

from .visit import Visit

pytestmark = pytest.mark.browser

COPY = """document.addEventListener('copy', event => {
    event.clipboardData.setData('text/plain', '7,5')
    event.preventDefault()
})"""
"""Puts 7,5 on the clipboard, whatever is copied."""
UNREAD = [
    ("1e", "is not a number", "Enter"),
    ("abc", "is not a number", "Tab"),
    ("7x5", "is not a number", "Enter"),
    ("", "is not a number", "Enter"),
    ("1.000,5", "can be read in two ways", "Enter"),
    ("1,000.5", "can be read in two ways", "Tab"),
    ("1.000.5", "can be read in two ways", "Enter"),
    ("1,000", "can be read in two ways", "Tab"),
]


def type_number(visit: Visit, key: str, text: str, end: str = "Enter") -> None:
    box = visit.number(key)
    box.click()
    box.press("Control+A")
    box.press_sequentially(text) if text else box.press("Delete")
    box.press(end)


def note(visit: Visit) -> Locator:
    return visit.alert("could not be used")


def assert_is(visit: Visit, key: str, text: str) -> None:
    """The number stands in its box and in the link, and the chart is that of it."""
    expect(visit.number(key)).to_have_value(text)
    visit.until(lambda: visit.query().get(key) == [text], f"{key}={text} in the link")
    if key == "kappa":
        visit.until(lambda: visit.metrics().get("κ measured") == text, f"a measured κ of {text}")


@pytest.mark.thorough
def test_what_is_typed_is_read_as_meant_or_refused_in_a_sentence(visit: Visit, subtests: pytest.Subtests) -> None:
    page = visit.open("?kappa=20").page
    kept, other = "20", "7.5"
    for text, why, end in UNREAD:
        with subtests.test("what cannot be read leaves the number before it", text=text):
            type_number(visit, "kappa", text, end)
            expect(note(visit)).to_contain_text(f"kappa: what was typed {why}")
            expect(note(visit)).to_contain_text(f"Keeping {kept}.")
            assert_is(visit, "kappa", kept)
            type_number(visit, "kappa", other)
            assert_is(visit, "kappa", other)
            expect(note(visit)).to_have_count(0)
            kept, other = other, kept
    for end in ("Enter", "Tab"):
        with subtests.test("a decimal comma is read as a point, and that is said", end=end):
            type_number(visit, "kappa", "7,5", end)
            expect(note(visit)).to_contain_text("kappa: its comma was read as a decimal point. Using 7.5.")
            assert_is(visit, "kappa", "7.5")
            type_number(visit, "kappa", "20")
            assert_is(visit, "kappa", "20")
            expect(note(visit)).to_have_count(0)
    with subtests.test("a pasted comma is read like a typed one"):
        page.evaluate(COPY)
        page.get_by_role("heading", level=1).click()
        page.keyboard.press("Control+C")
        box = visit.number("kappa")
        box.click()
        box.press("Control+A")
        box.press("Control+V")
        box.press("Enter")
        expect(note(visit)).to_contain_text("Using 7.5.")
        assert_is(visit, "kappa", "7.5")
    with subtests.test("a comma out of range is not said to be read"):
        type_number(visit, "kappa", "20")
        assert_is(visit, "kappa", "20")
        expect(note(visit)).to_have_count(0)
        type_number(visit, "kappa", "0,5")
        box = page.get_by_test_id("stNumberInput").filter(has=visit.number("kappa"))
        expect(box.get_by_role("alert")).to_contain_text("enter a value between 1 and 10000")
        expect(note(visit)).to_have_count(0)


@pytest.mark.thorough
def test_whole_numbers_are_read_with_an_exponent_and_rounded_with_a_word(
    visit: Visit, subtests: pytest.Subtests
) -> None:
    page = visit.open().page
    with subtests.test("a number out of range is not taken, and the box says why"):
        type_number(visit, "T", "20000")
        box = page.get_by_test_id("stNumberInput").filter(has=visit.number("T"))
        expect(box.get_by_role("alert")).to_contain_text("enter a value between 1 and 10000")
        assert "T" not in visit.query()
    with subtests.test("a whole number may be written with an exponent"):
        type_number(visit, "T", "1e2")
        assert_is(visit, "T", "100")
        expect(note(visit)).to_have_count(0)
    with subtests.test("half a loop is refused in a sentence"):
        type_number(visit, "T", "7.5")
        expect(visit.alert("T = 7.5 cannot be used")).to_contain_text("Using 8.")
        assert_is(visit, "T", "8")
    with subtests.test("the slider shows a number between its stops, and steps past it"):
        type_number(visit, "T", "11")
        assert_is(visit, "T", "11")
        expect(visit.slider("T")).to_have_attribute("aria-valuetext", "11")
        visit.move("T")
        assert_is(visit, "T", "12")
        expect(visit.slider("T")).to_be_focused()
        visit.move("T", "ArrowLeft")
        assert_is(visit, "T", "11")


@pytest.mark.thorough
def test_a_browser_whose_language_has_a_decimal_comma_reads_both_marks(chromium: Browser, server: str) -> None:
    context = chromium.new_context(locale="de-DE")
    visit = Visit(context.new_page(), server).open("?kappa=2.5")
    assert visit.page.evaluate("navigator.language") == "de-DE"
    expect(visit.number("kappa")).to_have_value("2.5")
    for text, read in (("7,5", "7.5"), ("8.5", "8.5")):
        type_number(visit, "kappa", text)
        assert_is(visit, "kappa", read)
    context.close()


def test_a_decimal_comma_in_a_link_and_in_a_step_size_is_read_as_a_point_and_that_is_said(visit: Visit) -> None:
    visit.open("?kappa=7,5")
    expect(note(visit)).to_contain_text("kappa: its comma was read as a decimal point. Using 7.5.")
    assert_is(visit, "kappa", "7.5")
    type_number(visit, "step", "0,3")
    expect(note(visit)).to_contain_text("step: its comma was read as a decimal point. Using 0.3.")
    assert_is(visit, "step", "0.3")
