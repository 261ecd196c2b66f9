"""The page Beyond in the real browser: each question fits the window, follows its controls, and its tokens play."""

import re

import pytest
from playwright.sync_api import expect

from .visit import Visit

pytestmark = pytest.mark.browser

LINES = {
    "append": "query appended: the chain", "one-step": "learned step, median",
    "more-loops": "trained on n = 20, median", "rivals": "EAGLE",
    "depth": "one covariance, n → ∞", "tied": "untied layers, median",
}  # fmt: skip
SHOWN = """() => {
    const {_fullLayout: {xaxis}, _fullData: traces} = document.querySelector('.st-key-main .js-plotly-plot');
    const x = traces.flatMap(trace => [...trace.x]).map(value => xaxis.type === 'log' ? Math.log10(value) : value);
    const room = xaxis.range[1] - xaxis.range[0], filled = Math.max(...x) - Math.min(...x);
    return {filled: filled / room, visible: traces.every(trace => trace.visible === true)};
}"""
"""Share of the horizontal axis that the curves take, and whether every curve is drawn."""
QUESTIONS = {
    "one-step": "One step for all prompts", "more-loops": "More loops than trained", "rivals": "EAGLE and rivals",
    "depth": "When is depth needed?", "tied": "Tied or untied layers",
}  # fmt: skip


@pytest.mark.thorough
def test_every_question_has_its_picture_and_sentence_in_the_first_window(
    visit: Visit, subtests: pytest.Subtests
) -> None:
    page = visit.open("beyond?v=1").page
    for view, line in LINES.items():
        if view in QUESTIONS:
            visit.choose("Question", QUESTIONS[view])
            assert visit.query()["view"] == [view]
        assert line in visit.lines("main")
        assert visit.lowest() <= 720
        assert not visit.scrolls_sideways()
    with subtests.test("a zoom and a hidden curve are left behind with their lesson"):
        visit.go("beyond?lesson=longer-context")
        area = visit.still(page.locator(".st-key-main .nsewdrag"))
        page.mouse.move(area["x"] + 200, area["y"] + 40)
        page.mouse.down()
        page.mouse.move(area["x"] + 400, area["y"] + 120, steps=5)
        page.mouse.up()
        page.locator(".st-key-main .legendtoggle").first.click()
        visit.until(lambda: not page.evaluate(SHOWN)["visible"], "the hidden curve")
        assert page.evaluate(SHOWN)["filled"] > 1
        for _ in range(3):
            with visit.change():
                visit.press("▶")
            assert page.evaluate(SHOWN)["visible"]
            assert 0.8 < page.evaluate(SHOWN)["filled"] <= 1, page.url


def test_the_picture_follows_the_controls_and_the_tokens_play(visit: Visit) -> None:
    page = visit.open("beyond?T=5&n=6&d=3&v=1").page
    assert len(visit.lines("main")["query appended: the chain"]) == 6
    visit.move("T")
    assert len(visit.lines("main")["query appended: the chain"]) == 7
    bar = page.locator(".st-key-tokens, [class*=st-key-tokens]").first
    expect(page.get_by_text("step 0: 7 tokens")).to_be_visible()
    bar.get_by_role("button", name="Last step").click()
    expect(page.get_by_text("step 6: 13 tokens")).to_be_visible()
    bar.get_by_role("button", name=re.compile("One .* back")).click()
    expect(page.get_by_text("step 5: 12 tokens")).to_be_visible()
    page.get_by_role("button", name="Overwrite").or_(page.get_by_role("radio", name="Overwrite")).first.click()
    expect(page.get_by_text("step 0: 7 tokens")).to_be_visible()
    bar.get_by_role("button", name="Last step").click()
    expect(page.get_by_text("step 6: 7 tokens")).to_be_visible()


@pytest.mark.thorough
def test_on_a_phone_the_sentence_has_the_whole_width_and_symbols_in_cards_stay_on_one_line(visit: Visit) -> None:
    page = visit.open("beyond?lesson=chain", 400, 800).page
    visit.answer()
    row, sentence = (
        visit.still(page.locator(f".st-key-said{part}").first) for part in ("", " [data-testid=stMarkdown]")
    )
    assert sentence["width"] > 0.9 * row["width"] > 300
    visit.open("beyond?lesson=matched")
    visit.answer()
    symbol = page.locator("[data-testid=stMetricLabel] .katex").first
    symbol.wait_for()
    assert visit.still(symbol)["height"] < 24
