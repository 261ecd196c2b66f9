"""The views below the chart: eigen-modes, and the player that steps through the loop in the browser."""

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from looped import Settings, compare
from looped.experiments.compare import inside, modes

from .conftest import Visit, traces

pytestmark = pytest.mark.browser

SHOWN = """() => {
    const plot = document.querySelector('.st-key-player-stage .js-plotly-plot');
    const [iterate, , , scores] = plot._fullData;
    return {
        iterate: Array.from(iterate.x), scores: Array.from(scores.y), path: plot._fullData[10].x.length,
        loop: plot._fullData[14].x[0], error: plot._fullData[14].y[0],
    };
}"""
READY = """() => {
    const plot = document.querySelector('.st-key-player-stage .js-plotly-plot');
    return !!plot?._fullData?.length && !!plot.querySelector('.scatterlayer .trace path');
}"""
PLACES = """() => {
    const layout = document.querySelector('.st-key-player-stage .js-plotly-plot')._fullLayout;
    return [layout.height, ...layout.xaxis5.domain, layout.xaxis5.range[0], layout.xaxis5.range[1]];
}"""
SIDEWAYS = """() => Math.max(...['stMain', 'stApp'].map(part => {
    const box = document.querySelector(`[data-testid=${part}]`);
    return box.scrollWidth - box.clientWidth;
}))"""


def open_player(visit: Visit, query: str = "", width: int = 1280) -> Locator:
    visit.open(f"?inside=true{query}", width)
    visit.page.wait_for_function(READY)
    return visit.page.get_by_role("group", name="Step through the loops")


def shows(visit: Visit, loop: int) -> dict[str, Any]:
    """Wait until every view shows the loop."""
    visit.page.wait_for_function(
        f"() => {{ const d = document.querySelector('.st-key-player-stage .js-plotly-plot')._fullData;"
        f"return d[14].x[0] === {loop} && d[10].x.length === {loop} + 1; }}"
    )
    return visit.page.evaluate(SHOWN)


def test_closed_views_cost_nothing_and_open_with_a_link(visit: Visit) -> None:
    page = visit.open().page
    assert page.locator(".js-plotly-plot").count() == 1
    with visit.change():
        page.get_by_text("Inside the loop").click()
    page.wait_for_function(READY)
    assert "inside=true" in page.url


def test_playing_and_stepping_never_run_the_script(visit: Visit) -> None:
    player = open_player(visit)
    page, caption = visit.page, player.get_by_role("status")
    record = inside.record(compare(Settings()))
    before = (visit.asked, visit.started, visit.finished)
    expect(caption).to_have_text("loop 0 of 50: error 1")
    for _ in range(3):
        player.get_by_role("button", name="One loop on").click()
    shown = shows(visit, 3)
    expect(caption).to_have_text(f"loop 3 of 50: error {record.errors[3]:.2g}")
    assert shown["iterate"] == pytest.approx(record.queries[3, :10], rel=1e-5, abs=1e-7)
    assert shown["scores"] == pytest.approx(record.scores[3], rel=1e-5, abs=1e-7)
    assert shown["error"] == pytest.approx(record.errors[3], rel=1e-6)
    player.get_by_role("button", name="One loop back").click()
    shows(visit, 2)
    player.get_by_role("button", name="Last loop").click()
    shows(visit, 50)
    expect(player.get_by_role("button", name="One loop on")).to_be_disabled()
    player.get_by_role("button", name="First loop").click()
    shows(visit, 0)

    player.get_by_role("button", name="Play").click()
    page.wait_for_function(
        "() => document.querySelector('.st-key-player-stage .js-plotly-plot')._fullData[14].x[0] >= 3"
    )
    player.get_by_role("button", name="Pause").click()
    stopped = caption.inner_text()
    page.wait_for_timeout(900)
    assert caption.inner_text() == stopped
    loop = int(re.findall(r"\d+", stopped)[0])
    assert 3 <= loop < 50
    shows(visit, loop)
    assert (visit.asked, visit.started, visit.finished) == before
    assert visit.complaints == []


def test_the_player_is_worked_by_keyboard_alone(visit: Visit) -> None:
    player = open_player(visit)
    page, slider = visit.page, player.get_by_role("slider", name="Loop")
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


def test_a_narrow_page_stacks_the_views_and_never_scrolls_sideways(visit: Visit) -> None:
    player = open_player(visit, "&modes=true", width=400)
    page = visit.page
    page.wait_for_function(f"() => ({PLACES})()[2] === 1")
    assert page.evaluate(SIDEWAYS) <= 0
    assert page.evaluate("document.querySelector('.st-key-player-stage .js-plotly-plot').clientHeight") > 1200
    for button in player.get_by_role("button").all():
        box = button.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 32
        assert 0 <= box["x"] <= box["x"] + box["width"] <= 400
    player.get_by_role("button", name="One loop on").click()
    shows(visit, 1)
    page.set_viewport_size({"width": 1280, "height": 900})
    page.wait_for_function(f"() => ({PLACES})()[2] === 0.5")
    shows(visit, 1)


def test_the_loop_stays_when_a_setting_changes(visit: Visit) -> None:
    player = open_player(visit)
    for _ in range(4):
        player.get_by_role("button", name="One loop on").click()
    old = shows(visit, 4)
    with visit.change():
        visit.slider("kappa").focus()
        visit.page.keyboard.press("ArrowRight")
    visit.page.wait_for_function(READY)
    new = shows(visit, 4)
    expect(player.get_by_role("status")).to_contain_text("loop 4 of 50")
    assert new["iterate"] != old["iterate"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_player_has_the_colours_of_the_theme(visit: Visit, scheme: Any) -> None:
    visit.page.emulate_media(color_scheme=scheme)
    player = open_player(visit)
    colours = player.evaluate("player => [getComputedStyle(player).color, getComputedStyle(player).backgroundColor]")
    light = [sum(map(int, re.findall(r"\d+", colour)[:3])) > 380 for colour in colours]
    assert light == ([False, True] if scheme == "light" else [True, False])


def test_less_motion_plays_slower(visit: Visit) -> None:
    visit.page.emulate_media(reduced_motion="reduce")
    player = open_player(visit)
    before = visit.page.evaluate("performance.now()")
    player.get_by_role("button", name="Play").click()
    visit.page.wait_for_timeout(1500)
    text = player.get_by_role("status").inner_text()
    seconds = (visit.page.evaluate("performance.now()") - before) / 1000
    assert 1 <= int(text.split()[1]) <= 1 + seconds


def test_one_click_sets_the_optimal_step(visit: Visit) -> None:
    page = visit.open("?modes=true").page
    found = modes.split(compare(Settings()))
    with visit.change():
        page.get_by_role("button", name=re.compile("Set the optimal step")).click()
    assert "step=optimal" in page.url
    expect(page.get_by_role("button", name=re.compile("Set the optimal step"))).to_be_disabled()
    now = next(trace["x"][0] for trace in traces(page, "rate-chart") if trace["name"].startswith("η now"))
    assert now == pytest.approx(found.optimal_step)
    expect(page.get_by_text("2 of it").or_(page.get_by_text("leaves 0.6667 of it"))).to_be_visible()
