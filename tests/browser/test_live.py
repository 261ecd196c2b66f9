"""The chart that stays mounted: it follows a slider that is dragged, keeps its zoom, and steps through the loops."""

import re

import pytest
from playwright.sync_api import Page, expect

from .visit import Visit

pytestmark = pytest.mark.browser
LINK = "?T=30&n=6&d=2&kappa=10"
NAMES = "() => document.querySelector('.st-key-stage .js-plotly-plot')._fullLayout.xaxis4.title.text"
RANGE = "() => document.querySelector('.st-key-stage .js-plotly-plot')._fullLayout.xaxis5.range.map(Math.round)"
BOX = """() => {
    const box = document.querySelector('.st-key-stage .js-plotly-plot .subplot.x5y5 .bglayer rect, '
        + '.st-key-stage .js-plotly-plot .draglayer .x5y5 .nsewdrag').getBoundingClientRect();
    return [box.x, box.y, box.width, box.height];
}"""


HOLD = """() => {
    const { send } = WebSocket.prototype
    window.heldBack = []
    WebSocket.prototype.send = function (message) { window.heldBack.push([this, message]) }
    window.letGo = () => {
        WebSocket.prototype.send = send
        for (const [socket, message] of window.heldBack) socket.send(message)
    }
}"""
"""Keep what is sent to the server until `letGo` is called."""


def smallest_eigenvalue(page: Page) -> float:
    """λ₂ as the picture names it."""
    found = re.search(r"= ([\d.e-]+)", page.evaluate(NAMES))
    assert found is not None
    return float(found[1])


def test_the_chart_steps_by_a_bar_follows_a_dragged_slider_and_keeps_its_zoom(
    visit: Visit, subtests: pytest.Subtests
) -> None:
    page = visit.open(LINK).page
    with subtests.test("the play bar steps through the loops by mouse and by keys"):
        bar = page.locator(".st-key-stage").get_by_role("group", name="Step through the loops")
        said = bar.get_by_role("status")
        expect(said).to_contain_text("loop 30 of 30")
        bar.get_by_role("button", name="First loop").click()
        expect(said).to_contain_text("loop 0 of 30")
        bar.get_by_role("button", name="One loop on").click()
        page.keyboard.press("ArrowRight")
        expect(said).to_contain_text("loop 2 of 30")
        path = "() => document.querySelector('.st-key-stage .js-plotly-plot').data[5].x.length"
        visit.until(lambda: page.evaluate(path) == 3, "the path of two loops")
        runs = visit.asked
        page.keyboard.press("End")
        expect(said).to_contain_text("loop 30 of 30")
        assert visit.asked == runs  # no step asks the server
    with subtests.test("a dragged slider moves the picture before it is let go, and the rest afterwards"):
        assert smallest_eigenvalue(page) == pytest.approx(2 / 11, rel=0.02)  # eigenvalues 2κ/(κ+1) and 2/(κ+1)
        box = visit.slider_box("kappa").bounding_box()
        assert box is not None
        share = float(visit.slider("kappa").input_value()) / float(visit.slider("kappa").get_attribute("max") or 1)
        middle, left, width = box["y"] + box["height"] / 2, box["x"] + 8, box["width"] - 16
        page.mouse.move(left + share * width, middle)
        page.mouse.down()
        page.mouse.move(left + 0.75 * width, middle, steps=4)
        visit.until(lambda: smallest_eigenvalue(page) < 0.01, "the picture of a larger κ")
        assert visit.number("kappa").input_value() == "10"  # nothing but the picture has run
        assert "kappa=10" in page.url
        with visit.change():
            page.mouse.up()
        kappa = float(visit.number("kappa").input_value())
        assert kappa > 200
        assert visit.query()["kappa"] == [f"{kappa:g}"]
        assert smallest_eigenvalue(page) == pytest.approx(2 / (kappa + 1), rel=0.06)
    with subtests.test("the next places of a slider are sent ahead, and a key draws one before the server is asked"):
        visit.move("kappa")
        ahead = page.locator(".st-key-stage .looped-live")
        visit.until(lambda: int(ahead.get_attribute("data-ahead") or 0) > 2, "pictures of the next places")
        visit.idle()
        before = smallest_eigenvalue(page)
        page.evaluate(HOLD)
        with visit.change():
            page.keyboard.press("ArrowLeft")
            visit.until(lambda: smallest_eigenvalue(page) > before, "the picture of a smaller κ")
            assert page.evaluate("window.heldBack.length") > 0
            page.evaluate("window.letGo()")
        kappa = float(visit.number("kappa").input_value())
        assert smallest_eigenvalue(page) == pytest.approx(2 / (kappa + 1), rel=0.06)
    with subtests.test("a change of something else leaves no picture of before"):
        visit.move("T")
        visit.until(lambda: page.evaluate(RANGE)[1] == float(visit.number("T").input_value()), "the picture of T")
        assert smallest_eigenvalue(page) == pytest.approx(2 / (kappa + 1), rel=0.06)
    with subtests.test("zoom and a hidden curve survive a moved slider"):
        x, y, width, height = page.evaluate(BOX)
        whole = page.evaluate(RANGE)
        page.mouse.move(x + 0.3 * width, y + 0.3 * height)
        page.mouse.down()
        page.mouse.move(x + 0.7 * width, y + 0.7 * height, steps=5)
        page.mouse.up()
        visit.until(lambda: page.evaluate(RANGE) != whole, "the zoom")
        zoomed = page.evaluate(RANGE)
        page.locator(".st-key-stage .legend .traces").nth(1).locator(".legendtoggle").click()
        hidden = "() => document.querySelector('.st-key-stage .js-plotly-plot')._fullData.map(t => t.visible)"
        visit.until(lambda: "legendonly" in page.evaluate(hidden), "the hidden curve")
        before = page.evaluate(hidden)
        visit.move("kappa")
        assert page.evaluate(RANGE) == zoomed
        assert page.evaluate(hidden) == before


def test_without_the_component_the_page_has_streamlits_chart(other_tab: Visit) -> None:
    page = other_tab.page
    page.add_init_script("Object.defineProperty(window, 'Plotly', { get: () => undefined, set: () => {} })")
    page.goto(f"{other_tab.server}/{LINK}")
    expect(page.locator(".st-key-stage [data-testid=stPlotlyChart]")).to_be_visible()
    expect(page.locator(".looped-live .js-plotly-plot")).to_have_count(0)
    assert other_tab.complaints == []
