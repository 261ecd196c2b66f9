"""The chart that stays mounted: it follows a slider that is dragged, keeps its zoom, and steps through the loops."""

import re

import pytest
from playwright.sync_api import Page, expect

from looped import Settings, compare

from .visit import Visit

pytestmark = pytest.mark.browser
PATH = """() => document.querySelector('.st-key-stage .js-plotly-plot').data.find(
    trace => trace.legendgroup === 'loop' && trace.xaxis === 'x4' && trace.line.width === 4).x.length"""
"""How many points the way of the transformer in the valley has."""
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


LATE = """() => {
    window.quickly = window.fetch
    window.fetch = async (...asked) => {
        await new Promise(done => setTimeout(done, 300))
        return window.quickly(...asked)
    }
}"""
"""Let what is fetched come late, until `fetch` is `quickly` again."""


OFF = """() => {
    const name = document.querySelectorAll('.st-key-stage .legend .traces')[1], text = name.querySelector('text');
    const line = name.querySelector('.layers');
    return [getComputedStyle(name).opacity, getComputedStyle(text).fontStyle, getComputedStyle(line).opacity];
}"""
"""How the second name in the legend looks."""


OLD = """() => [...document.querySelectorAll('.stSidebar [data-testid=stNumberInput] input, .st-key-outcome')]
    .filter(part => Number(getComputedStyle(part).opacity) < 1)
    .map(part => part.getAttribute('aria-label') ?? 'outcome')"""
"""What is dimmed, because it belongs to the value before a slider was dragged."""


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
        expect(said).to_contain_text("loop 0 of 30")
        bar.get_by_role("button", name="Last loop").click()
        expect(said).to_contain_text("loop 30 of 30")
        bar.get_by_role("button", name="First loop").click()
        expect(said).to_contain_text("loop 0 of 30")
        bar.get_by_role("button", name="One loop on").click()
        page.keyboard.press("ArrowRight")
        expect(said).to_contain_text("loop 2 of 30")
        visit.until(lambda: page.evaluate(PATH) == 3, "the path of two loops")
        runs = visit.asked
        page.keyboard.press("End")
        expect(said).to_contain_text("loop 30 of 30")
        assert visit.asked == runs  # no step asks the server
    with subtests.test("a dragged slider moves the picture before it is let go, and the rest afterwards"):
        assert smallest_eigenvalue(page) == pytest.approx(2 / 11, rel=0.02)  # eigenvalues 2κ/(κ+1) and 2/(κ+1)
        box = visit.still(visit.slider_box("kappa"))
        share = float(visit.slider("kappa").input_value()) / float(visit.slider("kappa").get_attribute("max") or 1)
        middle, left, width = box["y"] + box["height"] / 2, box["x"] + 8, box["width"] - 16
        page.mouse.move(left + share * width, middle)
        page.mouse.down()
        page.mouse.move(left + 0.75 * width, middle, steps=4)
        visit.until(lambda: smallest_eigenvalue(page) < 0.01, "the picture of a larger κ")
        assert visit.number("kappa").input_value() == "10"  # nothing but the picture has run
        assert "kappa=10" in page.url
        assert page.evaluate(OLD) == ["κ · condition", "outcome"]
        visit.go(LINK)  # a run of the page meanwhile is of the number that is set
        visit.until(lambda: smallest_eigenvalue(page) < 0.01, "the picture of the place")
        page.mouse.move(left + 0.5 * width, middle, steps=2)
        visit.until(lambda: smallest_eigenvalue(page) > 0.01, "the picture of a place further back")
        with visit.change():
            page.mouse.up()
        kappa = float(visit.number("kappa").input_value())
        assert kappa > 20
        visit.until(lambda: page.evaluate(OLD) == [], "numbers of the new κ")
        assert visit.query()["kappa"] == [f"{kappa:g}"]
        visit.until(lambda: smallest_eigenvalue(page) == pytest.approx(2 / (kappa + 1), rel=0.06), "the picture of κ")
    with subtests.test("a slider that is back where it was shows the page's picture, whatever comes late"):
        page.evaluate(LATE)
        before, share = (
            smallest_eigenvalue(page),
            float(visit.slider("kappa").input_value()) / float(visit.slider("kappa").get_attribute("max") or 1),
        )
        page.mouse.move(left + share * width, middle)
        page.mouse.down()
        page.mouse.move(left + (share + 0.2) * width, middle, steps=3)
        page.wait_for_timeout(100)
        page.mouse.move(left + share * width, middle, steps=3)
        page.wait_for_timeout(1000)  # longer than pictures take
        assert smallest_eigenvalue(page) == before  # still held
        page.mouse.move(left + (share + 0.2) * width, middle, steps=3)
        assert page.evaluate(OLD) == ["κ · condition", "outcome"]
        page.mouse.move(left + share * width, middle, steps=3)
        page.mouse.up()
        page.wait_for_timeout(1000)
        assert smallest_eigenvalue(page) == before
        assert page.evaluate(OLD) == []
        page.evaluate("window.fetch = window.quickly")
    with subtests.test("the next places of a slider are fetched ahead, and a key draws one before the server is asked"):
        visit.move("kappa")
        ahead = page.locator(".st-key-stage .looped-live")
        visit.until(lambda: ahead.get_attribute("data-ahead") == "true", "pictures of the next places")
        visit.idle()
        before = smallest_eigenvalue(page)
        page.evaluate(HOLD)
        with visit.change():
            page.keyboard.press("ArrowLeft")
            visit.until(lambda: smallest_eigenvalue(page) > before, "the picture of a smaller κ")
            assert page.evaluate("window.heldBack.length") > 0
            page.evaluate("window.letGo()")
        kappa = float(visit.number("kappa").input_value())
        visit.until(lambda: smallest_eigenvalue(page) == pytest.approx(2 / (kappa + 1), rel=0.06), "the picture of κ")
    with subtests.test("a change of something else leaves no picture of before"):
        visit.move("T")
        visit.until(
            lambda: round(page.evaluate(RANGE)[1] / 1.04) == float(visit.number("T").input_value()), "the picture of T"
        )
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
        visit.until(lambda: page.evaluate(OFF) == ["1", "italic", "0.25"], "its name, legible, beside a pale line")
        before = page.evaluate(hidden)
        visit.move("kappa")
        assert page.evaluate(RANGE) == zoomed
        assert page.evaluate(hidden) == before


@pytest.mark.thorough
def test_without_the_component_the_page_has_streamlits_chart(other_tab: Visit) -> None:
    page = other_tab.page
    page.add_init_script("Object.defineProperty(window, 'Plotly', { get: () => undefined, set: () => {} })")
    page.goto(f"{other_tab.server}/{LINK}")
    expect(page.locator(".st-key-stage [data-testid=stPlotlyChart]")).to_be_visible()
    expect(page.locator(".looped-live .js-plotly-plot")).to_have_count(0)
    assert other_tab.complaints == []


def first_errors(page: Page) -> list[float]:
    """The transformer's error after each loop, as the picture draws it."""
    return page.evaluate("""() => document.querySelector('.st-key-stage .js-plotly-plot').data.find(
        trace => trace.name === 'Looped transformer' && trace.xaxis === 'x5').y""")


@pytest.mark.thorough
def test_a_dragged_step_size_shows_the_divergence_and_a_mark_sets_what_it_is_named_after(
    visit: Visit, subtests: pytest.Subtests
) -> None:
    page = visit.open(f"{LINK}&step=0.5").page
    settings = Settings(loops=30, examples=6, features=2, condition_number=10)
    box, slider = visit.number("step"), visit.slider("step")

    def is_drawn(eta: float) -> bool:
        expected = compare(settings.replace(step_size=eta)).errors[:, 0]
        drawn = first_errors(page)  # up to where the curve leaves the chart
        inside = [min(value, 1e6) for value in drawn if value is not None]
        return len(drawn) == 31 and inside == pytest.approx(expected[: len(inside)].clip(1e-17, 1e6), rel=1e-3)

    with subtests.test("the picture follows the step that stands above the slider, beyond 2/λ₁ = 1.1 as well"):
        with visit.change():  # a place of its own, before which and after which all others stand
            box.fill("0.33")
            page.keyboard.press("Enter")
        area = visit.still(visit.slider_box("step"))
        share = float(slider.input_value()) / float(slider.get_attribute("max") or 1)
        middle, left, width = area["y"] + area["height"] / 2, area["x"] + 8, area["width"] - 16
        page.mouse.move(left + share * width, middle)
        page.mouse.down()
        for place in (0.6, 0.7):
            page.mouse.move(left + place * width, middle, steps=3)
            visit.until(lambda: is_drawn(float(slider.get_attribute("aria-valuetext") or 0)), "the picture of the step")
        eta = float(slider.get_attribute("aria-valuetext") or 0)
        assert eta > 1.1
        held = page.evaluate(BOX)
        assert max(value for value in first_errors(page) if value is not None) > 1e3
        assert box.input_value() == "0.33"  # nothing but the picture has run
        with visit.change():
            page.mouse.up()
        expect(box).to_have_value(f"{eta:g}")
        expect(visit.alert("Predicted before running")).to_contain_text("Diverges")
        assert page.evaluate(BOX) == held  # what is said on release moves nothing
        assert visit.query()["step"] == [f"{eta:g}"]
    with subtests.test("a mark sets its name, and the box shows the number that it comes to"):
        with visit.change():
            page.get_by_role("radio", name="optimal").click()
        expect(box).to_have_value("1")  # 2/(λ₁+λ₂), and their sum is d = 2
        expect(slider).to_have_attribute("aria-valuetext", "1")
        assert visit.query()["step"] == ["optimal"]
        visit.until(lambda: is_drawn(1.0), "the picture of the optimal step")
    with subtests.test("Back and Forward bring back what was set"):
        with visit.change():
            page.go_back()
        expect(box).to_have_value(f"{eta:g}")
        with visit.change():
            page.go_forward()
        expect(box).to_have_value("1")
        expect(page.get_by_role("radio", name="optimal")).to_be_checked()
    with subtests.test("a slider moved by keys keeps the keyboard"):
        visit.move("step")
        expect(box).to_have_value("1.2")
        expect(slider).to_be_focused()
        visit.move("step", "ArrowLeft")
        expect(box).to_have_value("1")
        assert visit.query()["step"] == ["1"]
