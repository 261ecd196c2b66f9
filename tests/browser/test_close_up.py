"""The views below the chart: eigen-modes, and the player that steps through the loop in the browser."""

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from looped import Settings, compare
from looped.experiments.compare import inside, modes

from .visit import VIEWPORT, Visit

pytestmark = pytest.mark.browser

STAGE = "player"
PLOT = f"document.querySelector('.st-key-{STAGE} .js-plotly-plot')"
SHOWN = f"""() => {{
    const plot = {PLOT};
    const [iterate, , , scores] = plot._fullData;
    return {{
        iterate: Array.from(iterate.x), scores: Array.from(scores.y), path: plot._fullData[10].x.length,
        loop: plot._fullData[14].x[0], error: plot._fullData[14].y[0],
    }};
}}"""


def open_player(visit: Visit, query: str = "", width: int = VIEWPORT["width"]) -> Locator:
    visit.open(f"?inside=true{query}", width)
    visit.drawn(STAGE)
    return visit.page.locator(f".st-key-{STAGE}").get_by_role("group", name="Step through the loops")


def shows(visit: Visit, loop: int) -> dict[str, Any]:
    """Wait until every view shows the loop."""
    visit.page.wait_for_function(
        f"() => {{ const d = {PLOT}._fullData; return d[14].x[0] === {loop} && d[10].x.length === {loop} + 1; }}"
    )
    return visit.page.evaluate(SHOWN)


def test_closed_views_cost_nothing_and_open_with_a_link(visit: Visit) -> None:
    page = visit.open().page
    assert page.locator(".js-plotly-plot").count() == 2
    with visit.change():
        page.get_by_text("Inside the loop").click()
    visit.drawn(STAGE)
    assert "inside=true" in page.url


@pytest.mark.thorough
def test_the_player_never_runs_the_script_keeps_its_loop_and_is_worked_by_keyboard_alone(
    visit: Visit, subtests: pytest.Subtests
) -> None:
    player = open_player(visit)
    page, caption, slider = visit.page, player.get_by_role("status"), player.get_by_role("slider", name="Loop")
    with subtests.test("playing and stepping never run the script, and the loop outlives a setting"):
        record = inside.record(compare(Settings()))
        expect(caption).to_have_text("loop 0 of 50: error 1")
        before = (visit.asked, visit.started, visit.finished)
        for _ in range(3):
            player.get_by_role("button", name="One loop on").click()
        shown = shows(visit, 3)
        expect(caption).to_have_text(f"loop 3 of 50: error {record.errors[3]:.2g}")
        assert shown["iterate"] == pytest.approx(record.queries[3, :10], abs=1e-5)
        assert shown["scores"] == pytest.approx(record.scores[3], abs=1e-5)
        assert shown["error"] == pytest.approx(record.errors[3], rel=1e-6)
        player.get_by_role("button", name="One loop back").click()
        shows(visit, 2)
        player.get_by_role("button", name="Last loop").click()
        shows(visit, 50)
        expect(player.get_by_role("button", name="One loop on")).to_be_disabled()
        player.get_by_role("button", name="First loop").click()
        shows(visit, 0)

        player.get_by_role("button", name="Play").click()
        page.wait_for_function(f"() => {PLOT}._fullData[14].x[0] >= 3")
        player.get_by_role("button", name="Pause").click()
        stopped = caption.inner_text()
        page.wait_for_timeout(900)
        assert caption.inner_text() == stopped
        loop = loop_of(caption)
        assert 3 <= loop < 50
        old = shows(visit, loop)
        assert (visit.asked, visit.started, visit.finished) == before
        assert visit.complaints == []

        visit.move("kappa")
        visit.until(lambda: shows(visit, loop)["iterate"] != old["iterate"], "the iterates of another κ")
        expect(caption).to_contain_text(f"loop {loop} of 50")
    with subtests.test("it is worked by keyboard alone"):
        page.locator("summary", has_text="Inside the loop").focus()
        for _ in range(12):
            page.keyboard.press("Tab")
            if player.get_by_role("button", name="Play").evaluate("button => button.matches(':focus')"):
                break
        page.keyboard.press("Enter")
        expect(player.get_by_role("button", name="Pause")).to_be_focused()
        page.keyboard.press(" ")
        expect(player.get_by_role("button", name="Play")).to_be_focused()
        page.keyboard.press("Home")
        shows(visit, 0)
        for key, loop in (("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("End", 50), ("Home", 0)):
            page.keyboard.press(key)
            shows(visit, loop)
        slider.focus()
        page.keyboard.press("ArrowRight")
        shows(visit, 1)
        assert slider.get_attribute("aria-valuetext") == player.get_by_role("status").inner_text()
        page.keyboard.press(" ")
        expect(player.get_by_role("button", name="Pause")).to_be_visible()
        page.keyboard.press(" ")
        expect(player.get_by_role("button", name="Play")).to_be_visible()
        names = [button.get_attribute("aria-label") for button in player.get_by_role("button").all()]
        assert names == ["First loop", "One loop back", "Play", "One loop on", "Last loop"]
    with subtests.test("it has the colours of the theme, and plays slower with less motion"):
        player.get_by_role("button", name="First loop").click()
        for scheme, expected in (("dark", [True, False]), ("light", [False, True])):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            visit.until(lambda expected=expected: light(player) == expected, f"the {scheme} theme")
        began = page.evaluate("performance.now()")
        player.get_by_role("button", name="Play").click()
        visit.until(lambda: loop_of(caption) >= 2, "two loops")
        played = loop_of(caption)
        seconds = (page.evaluate("performance.now()") - began) / 1000
        assert played <= 1 + seconds  # one a second, and late where the machine is busy


@pytest.mark.thorough
def test_a_narrow_page_stacks_the_views_and_never_scrolls_sideways(visit: Visit) -> None:
    player = open_player(visit, "&modes=true", width=400)
    page, row = visit.page, f"{PLOT}._fullLayout.xaxis5.domain[1]"
    page.wait_for_function(f"() => {row} === 1 && {PLOT}.clientHeight > 1200")
    assert not visit.scrolls_sideways()
    for button in player.get_by_role("button").all():
        box = button.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 32
        assert 0 <= box["x"] <= box["x"] + box["width"] <= 400
    player.get_by_role("button", name="One loop on").click()
    shows(visit, 1)
    page.set_viewport_size(VIEWPORT)
    page.wait_for_function(f"() => {row} === 0.5")
    shows(visit, 1)


def loop_of(caption: Locator) -> int:
    """The loop that the caption names."""
    return int(caption.inner_text().split()[1])


def light(player: Locator) -> list[bool]:
    """Whether text and ground of the player are light."""
    colours = player.evaluate("player => [getComputedStyle(player).color, getComputedStyle(player).backgroundColor]")
    return [sum(map(int, re.findall(r"\d+", colour)[:3])) > 380 for colour in colours]


@pytest.mark.thorough
def test_one_click_sets_the_optimal_step(visit: Visit) -> None:
    page = visit.open("?modes=true").page
    found = modes.split(compare(Settings()))
    button = page.get_by_role("button", name=re.compile("Set the optimal step"))
    with visit.change():
        button.click()
    expect(button).to_be_disabled()
    assert "step=optimal" in page.url
    visit.until(lambda: step_now(visit) == pytest.approx(found.optimal_step), "the optimal step in the chart")
    expect(page.get_by_text("2 of it").or_(page.get_by_text("leaves 0.6667 of it"))).to_be_visible()


def step_now(visit: Visit) -> float:
    lines = visit.chart("rate-chart")["lines"]
    return next(line["x"][0] for name, line in lines.items() if name.startswith("η now"))
