"""How every page looks, measured in both themes: text of charts, formulas, symbols, axes and cards."""

import io
import re
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image

from looped.algorithms import ALGORITHMS

from .conftest import ROOT
from .visit import AT_REST, PAINTED, VIEWPORT, Visit

pytestmark = pytest.mark.browser

PAGES = (*sorted(path.stem for path in ROOT.glob("pages/*.py")), "?modes=true&inside=true&step=3&T=60")
"""Every page, and the first one with its views open and a run that diverges."""
PANELS = ("What the layer needs for this", "What to notice", "Assumptions, limits and sources")
SMALLEST, CONTRAST = 13, 4.5
"""Pixels of text in a chart, and its contrast to what is behind it."""
CHART_TEXT = """() => [...document.querySelectorAll('.js-plotly-plot text')].map(text => {
    const box = text.getBoundingClientRect(), own = getComputedStyle(text), plot = text.closest('.js-plotly-plot');
    let opacity = Number(own.fillOpacity), seen = true;
    for (let node = text; node !== plot; node = node.parentElement) {
        const style = getComputedStyle(node);
        opacity *= Number(style.opacity);
        seen &&= style.visibility !== 'hidden' && style.display !== 'none';
    }
    const axis = text.closest('.xtick, .ytick') && text.closest('g[class$=tick]').className.baseVal;
    const {x, y, width, height} = box;
    return {text: text.textContent, size: parseFloat(own.fontSize), fill: own.fill, opacity, axis, seen,
            box: [x, y, x + width, y + height].map(Math.round)};
}).filter(({seen, text, box}) => seen && text.trim() && box[2] > box[0])"""
LOG_TICKS = """() => [...document.querySelectorAll('.js-plotly-plot')].flatMap(plot =>
    Object.entries(plot._fullLayout).filter(([name, axis]) => /^[xy]axis/.test(name) && axis.type === 'log')
        .flatMap(([, axis]) => (axis._vals ?? []).map(tick => tick.text)))"""
CARDS = """() => [...document.querySelectorAll('[class*=st-key-numbers]')].map(strip => {
    const edge = strip.getBoundingClientRect();
    return [...strip.children].map(card => card.getBoundingClientRect()).map(
        ({left, right, top}) => ({top, left: left - edge.left, right: edge.right - right}));
})"""
LOOSE = """() => [...document.querySelectorAll('[data-testid=stMetric]')]
    .filter(card => !card.closest('[class*=st-key-numbers]')).map(card => card.textContent)"""
"""Cards that stand outside a strip, where `CARDS` does not see them."""
CUT_OFF = """() => [...document.querySelectorAll('[data-testid=stMetric] [data-testid=stMarkdownContainer]')]
    .filter(text => text.scrollWidth > text.clientWidth).map(text => text.textContent)"""
FORMULAS = """() => [...document.querySelectorAll('.katex-display')].map(box => [
    box.scrollHeight - box.clientHeight, box.scrollWidth - box.clientWidth,
    ...[...box.querySelectorAll('.katex-html > .base')].map(part => {
        const [inner, outer] = [part.getBoundingClientRect(), box.getBoundingClientRect()];
        return Math.max(outer.left - inner.left, inner.right - outer.right, inner.right - innerWidth);
    }),
])"""
INLINE = """() => [...document.querySelectorAll('.katex')].filter(part => {
    const box = part.closest('[data-testid=stMarkdownContainer]') ?? part.parentElement;
    const aside = part.closest('.katex-display, table') || !part.checkVisibility();  // a table scrolls
    return !aside && part.getBoundingClientRect().right > Math.min(box.getBoundingClientRect().right, innerWidth) + 1;
}).map(part => part.textContent)"""
"""Formulas in a line of text that stick out of it."""
LOG_TICK = re.compile(r"10(\^-?\d+\^)?|[125](,?0{0,3})*(,000)*|0\.0*[125]|\d(\.\d+)?|0\.\d+|\d\d+(\.\d+)?")


def whole(visit: Visit) -> np.ndarray:
    """The page as it is painted, in a window so high that nothing scrolls: (height, width, 3)."""
    page = visit.page
    page.mouse.move(0, 0)  # a chart under the pointer shows its buttons
    size = page.viewport_size
    assert size is not None
    height = page.evaluate("document.querySelector('[data-testid=stMainBlockContainer]').scrollHeight")
    page.set_viewport_size({"width": size["width"], "height": round(height) + 200})
    page.wait_for_function(AT_REST)
    visit.idle()
    page.evaluate(PAINTED)
    return np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB"))


def luminance(colour: np.ndarray) -> float:
    """Relative luminance as WCAG defines it, of red, green and blue up to 255."""
    share = np.asarray(colour, dtype=float) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(picture: np.ndarray, found: dict[str, Any]) -> float:
    """Contrast of a text to the commonest colour in its box."""
    left, top, right, bottom = (max(0, edge) for edge in found["box"])
    colours, counts = np.unique(picture[top:bottom, left:right].reshape(-1, 3), axis=0, return_counts=True)
    behind = colours[counts.argmax()].astype(float)
    *colour, alpha = [*map(float, re.findall(r"[\d.]+", found["fill"])), 1.0][:4]
    share = alpha * found["opacity"]
    low, high = sorted(map(luminance, (behind, share * np.array(colour) + (1 - share) * behind)))
    return (high + 0.05) / (low + 0.05)


def alone(cards: list[dict[str, float]]) -> bool:
    """Whether a row of a strip is not filled from edge to edge."""
    rows = {round(card["top"]) for card in cards}
    edges = [[card[side] for card in cards if round(card["top"]) == row] for row in rows for side in ("left", "right")]
    return any(min(found) > 2 for found in edges)


@pytest.mark.thorough
@pytest.mark.parametrize("link", PAGES)
def test_charts_can_be_read_in_both_themes_formulas_and_cards_fit_and_no_symbol_stands_there_as_it_is_typed(
    visit: Visit, subtests: pytest.Subtests, link: str
) -> None:
    page = visit.open(link).page
    visit.answer()
    for width in (1280, 400):
        page.set_viewport_size(VIEWPORT | {"width": width})
        visit.unfold(*PANELS)
        for scheme in ("light", "dark"):
            with subtests.test("text of charts can be read", width=width, scheme=scheme):
                visit.in_theme(scheme)
                picture = whole(visit)
                texts = page.evaluate(CHART_TEXT)
                assert len(texts) > 10
                assert [(found["text"], found["size"]) for found in texts if found["size"] < SMALLEST - 0.01] == []
                faint = [(found["text"], ratio) for found in texts if (ratio := contrast(picture, found)) < CONTRAST]
                assert faint == []
        with subtests.test("formulas are not cut off", width=width):
            assert max([0, *(part for formula in page.evaluate(FORMULAS) for part in formula)]) <= 1
            assert page.evaluate(INLINE) == []
        with subtests.test("every row of cards is filled, and no title or value of a card is cut off"):
            assert page.evaluate(LOOSE) == []
            for width_now in (width, 700):
                page.set_viewport_size(VIEWPORT | {"width": width_now})
                page.evaluate(PAINTED)
                assert [cards for cards in page.evaluate(CARDS) if alone(cards)] == [], width_now
                assert page.evaluate(CUT_OFF) == [], width_now
    with subtests.test("symbols are set"):
        assert visit.raw_symbols() == []
    with subtests.test("a log axis says 1, 10, 10²"):
        ticks = [re.sub(r"<[^>]+>", "^", tick).replace("−", "-") for tick in page.evaluate(LOG_TICKS)]
        assert [tick for tick in ticks if tick and not LOG_TICK.fullmatch(tick)] == []


@pytest.mark.thorough
def test_no_formula_is_cut_off_and_none_stands_there_as_it_is_typed(visit: Visit, subtests: pytest.Subtests) -> None:
    page = visit.open().page
    for algorithm in ALGORITHMS:
        with subtests.test(algorithm=algorithm):
            visit.go(f"?algorithm={quote(algorithm)}&alpha=-12.5")
            visit.unfold(*PANELS)
            many = 1 if algorithm == "gd" else 3
            for width in (1280, 400):
                page.set_viewport_size(VIEWPORT | {"width": width})
                visit.until(lambda many=many: len(page.evaluate(FORMULAS)) == many, f"formulas of {algorithm}")
                page.evaluate(PAINTED)
                page.wait_for_function(AT_REST)
                assert max(max(formula) for formula in page.evaluate(FORMULAS)) <= 1, width
            assert visit.raw_symbols() == []


TICKS_CUT = """() => {
    const ends = document.querySelector('[data-testid=stSidebar] [data-testid=stSliderTickBar]');
    const {bottom} = ends.getBoundingClientRect();
    let least = innerHeight;
    for (let node = ends.parentElement; node; node = node.parentElement) {
        const cuts = getComputedStyle(node).overflowY !== 'visible';
        if (cuts) least = Math.min(least, node.getBoundingClientRect().bottom);
    }
    return bottom - least;
}"""
"""Pixels by which the ends of a slider's range reach below what is shown of it."""


@pytest.mark.parametrize("link", ["gpt2?v=1", "context?v=1"])
def test_the_ends_of_a_sliders_range_are_whole_under_the_pointer(visit: Visit, link: str) -> None:
    page = visit.open(link).page
    page.locator("[data-testid=stSidebar] [data-testid=stSlider]").first.hover()
    page.locator("[data-testid=stSidebar] [data-testid=stSliderTickBar]").first.wait_for()
    assert page.evaluate(TICKS_CUT) <= 0


SUBSCRIPTS = """bubble => [...bubble.querySelectorAll('.katex .msupsub .mtight .mtight')].map(
    letter => parseFloat(getComputedStyle(letter).fontSize) / parseFloat(getComputedStyle(bubble).fontSize))"""
"""Sizes of the subscripts in a help bubble, as shares of its text's."""


@pytest.mark.parametrize(("link", "card"), [("?v=1", "error after"), ("signal?v=1&signal=2", "gap")])
def test_subscripts_in_a_help_bubble_are_smaller_than_its_letters(visit: Visit, link: str, card: str) -> None:
    page = visit.open(link).page
    visit.answer()
    page.get_by_test_id("stMetric").filter(has_text=card).first.get_by_test_id("stTooltipIcon").hover()
    bubble = page.get_by_test_id("stTooltipContent")
    bubble.wait_for()
    sizes = bubble.evaluate(SUBSCRIPTS)
    assert sizes
    assert max(sizes) < 0.8
