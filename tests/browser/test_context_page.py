"""The second page as a visitor meets it: stored at once, moved by keyboard, computed and stopped on demand."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from .visit import Visit

pytestmark = pytest.mark.browser

ERROR, NEED = "Error-against", "Smallest"
"""What the keys of two charts in tabs begin with."""


def needed(visit: Visit) -> str:
    return next(value for label, value in visit.metrics().items() if label.startswith("n/d for T"))


@pytest.mark.parametrize("width", [1280, 400])
def test_the_first_view_is_drawn_and_moves_by_keyboard_and_the_link_says_how(visit: Visit, width: int) -> None:
    page = visit.open("context?guess=8,8,8", width=width).page
    expect(page.get_by_role("heading", name="How many examples?")).to_be_visible()
    assert {"T = 50", "target 0.001"} <= visit.lines(ERROR).keys()
    page.get_by_role("tab", name="Smallest n/d").click()
    assert "Learned A, median prompt" in visit.lines(NEED)
    assert "view" in visit.query()
    page.get_by_role("tab", name="Error against n/d").click()
    assert 2.5 < float(needed(visit)) < 3
    if width == 1280:
        assert visit.lowest() <= 720
    if width == 400:
        page.get_by_role("button", name="Expand sidebar").focus()
        page.keyboard.press("Enter")
    for key, label in (("T", "T · loops"), ("target-error", "Target error")):
        before, drawn = needed(visit), visit.lines(ERROR)
        with visit.change():
            page.get_by_role("slider", name=re.compile(f"^{label}")).focus()
            page.keyboard.press("ArrowRight")
        visit.until(lambda before=before: needed(visit) != before)
        visit.until(lambda drawn=drawn: visit.lines(ERROR) != drawn)
        assert key in visit.query()


def test_on_a_phone_plotlys_tools_leave_the_words_above_the_chart_free(visit: Visit) -> None:
    page = visit.open("context?guess=8,8,8", 400, 800).page
    need = page.locator(".st-key-need")
    need.locator(".chart").hover()
    (tool,) = (button for button in need.locator(".modebar-btn").all() if button.is_visible())
    assert tool.get_attribute("data-title") == "Reset axes"
    words = need.locator(".annotation-text").filter(has_text="off the chart")
    one, other = tool.bounding_box(), words.bounding_box()
    assert one is not None
    assert other is not None
    assert one["x"] >= other["x"] + other["width"]


LAST_LINE = """() => {
    const text = document.querySelector('.st-key-lesson_text p'), range = document.createRange();
    range.selectNodeContents(text.firstChild);
    const mark = text.querySelector('[data-testid=stTooltipIcon]').getBoundingClientRect();
    return [...range.getClientRects()].some(line => line.top < mark.bottom && mark.top < line.bottom);
}"""
"""Whether the help mark behind the lesson's text has words beside it."""


def test_the_help_mark_behind_a_text_is_never_alone_on_a_line(visit: Visit) -> None:
    page = visit.open("context?lesson=three-per-feature").page
    for width in range(1280, 1180, -8):
        page.set_viewport_size({"width": width, "height": 720})
        assert page.evaluate(LAST_LINE), width


GUESS = "() => document.querySelector('.st-key-need .js-plotly-plot').data[0].y"


@pytest.mark.thorough
def test_a_guess_is_drawn_with_the_pointer_or_set_by_keys_and_a_link_shows_the_same_numbers_elsewhere(
    visit: Visit,
) -> None:
    link = "context?T=30&target-error=0.01&rows=rademacher&d=6&prompts=12&T-max=60&seed=4&ratios=0.5,1,2,4,8"
    page = visit.open(link).page
    assert list(visit.lines("need")) == ["drag me"]
    assert page.evaluate(GUESS) == [10, 10, 10]
    sliders = [page.get_by_role("slider", name=f"n/d at T = {T}") for T in (3, 15, 60)]

    def guessed() -> bool:
        return [float(s.get_attribute("aria-valuetext") or 0) for s in sliders] == page.evaluate(GUESS)

    area = visit.still(page.locator(".st-key-need .nsewdrag"))
    across = [area["x"] + share * area["width"] for share in (0.3, 0.95)]
    page.mouse.move(across[0], area["y"] + 0.1 * area["height"])
    page.mouse.down()
    page.mouse.move(across[1], area["y"] + 0.9 * area["height"], steps=20)
    page.mouse.up()
    visit.until(guessed)
    visit.idle()  # else the end of this run would be taken for that of the next
    first, middle, last = page.evaluate(GUESS)
    assert first > 100 > middle > 1 > last
    with visit.change():
        sliders[2].focus()
        page.keyboard.press("ArrowRight")
    visit.until(lambda: guessed() and page.evaluate(GUESS)[2] > last, "the point that the key has moved")
    with visit.change():
        page.get_by_role("button", name="Show what was measured").click()
    visit.until(lambda: "measured: half of the prompts" in visit.lines("need"))
    metrics, lines, need = visit.metrics(), visit.lines(ERROR), visit.lines("need")
    visit.open(page.url.removeprefix(f"{visit.server}/"))
    assert visit.metrics() == metrics
    assert visit.lines(ERROR) == lines
    assert visit.lines("need") == need


@pytest.mark.thorough
def test_a_long_sweep_announces_its_cost_and_can_be_stopped_and_resumed(visit: Visit) -> None:
    page = visit.open("context?learned=true&seed=7&learned-ratios=2,4,8&learned-T=30,50").page
    expect(page.get_by_text("This sweep takes about")).to_be_visible()
    page.get_by_role("button", name="Compute").click()
    progress = page.get_by_test_id("stProgress")
    expect(progress).to_contain_text("training A at n = 20, T = 30")
    page.get_by_role("button", name="Stop").click()
    expect(progress).to_contain_text("paused")
    stopped = progress.inner_text()
    page.wait_for_timeout(1500)
    assert progress.inner_text() == stopped
    page.get_by_role("button", name="Resume").click()
    expect(progress).to_contain_text("running")
    page.get_by_role("button", name="Reset", exact=True).click()
    expect(progress).to_have_count(0)


@pytest.mark.thorough
def test_the_files_can_be_taken_along_and_another_page_and_back_keeps_the_settings(
    visit: Visit, subtests: pytest.Subtests, tmp_path: Path
) -> None:
    page = visit.open("context?T=80&guess=8,8,8").page
    before = needed(visit)
    with subtests.test("another page and back keeps the settings"):
        page.get_by_role("link", name="The loop is the step").click()
        expect(page.get_by_role("heading", name="The loop is the step")).to_be_visible()
        page.get_by_role("link", name="How many examples?").click()
        expect(page.get_by_role("heading", name="How many examples?")).to_be_visible()
        expect(page.get_by_role("spinbutton", name=re.compile("^T · loops"))).to_have_value("80")
        visit.idle()
        assert needed(visit) == before
    with subtests.test("the curves can be taken along"):
        visit.share()
        text = visit.download("CSV", tmp_path).read_text(encoding="utf-8")
        assert text.startswith("picture,series,axis,at,value\n")
        assert '"learned a, median"' in text
