"""What holds for every page: its name, no outside request, no serious violation that axe-core finds, and a phone."""

import re
from urllib.parse import urlparse

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from .conftest import ROOT
from .visit import VIEWPORT, Visit

pytestmark = pytest.mark.browser

PAGES = (*sorted(path.stem for path in ROOT.glob("pages/*.py")), "?modes=true&inside=true")
"""Every page, and the first one with its views open."""
SERIOUS = ("serious", "critical")
POLICY = re.findall(r'Content-Security-Policy "(.+)"', (ROOT / "deploy" / "Caddyfile").read_text())[0]
"""What the proxy allows a page to load."""


def violations(visit: Visit) -> list[str]:
    found = Axe().run(visit.page).response["violations"]
    return [f"{v['id']}: {v['help']}; {v['nodes'][0]['html'][:200]}" for v in found if v["impact"] in SERIOUS]


@pytest.mark.thorough
@pytest.mark.parametrize("link", PAGES)
def test_a_page_fits_a_phone_answers_to_its_name_asks_no_other_server_and_can_be_read_by_all(
    visit: Visit, subtests: pytest.Subtests, link: str
) -> None:
    page = visit.open(link, width=400).page
    with subtests.test("a phone does not scroll sideways"):
        assert not visit.scrolls_sideways()
    with subtests.test("a phone shows the title, a sentence and then the picture"):
        places = [page.get_by_role("heading", level=1), *map(page.locator, (".st-key-lead p", ".st-key-picture"))]
        title, lead, picture = (place.first.bounding_box() for place in places)
        assert title is not None
        assert lead is not None
        assert picture is not None
        assert title["y"] + title["height"] <= lead["y"]
        assert lead["y"] + lead["height"] <= picture["y"] < 280
    with subtests.test("it answers to its name"):
        assert urlparse(page.url).path == f"/{link.split('?')[0]}"
        expect(page.get_by_text("Page not found")).to_have_count(0)
    page.set_viewport_size(VIEWPORT)
    expect(page.get_by_role("button", name="Expand sidebar")).to_have_count(0)  # a wide window has it open
    for scheme in ("light", "dark"):
        with subtests.test(f"axe-core finds nothing serious in the {scheme} theme"):
            visit.in_theme(scheme)
            assert violations(visit) == []
    with subtests.test("it asks no other server"):
        assert visit.outside() == []
        assert len(visit.requests) > 1


OBEYED = """new MutationObserver((_, watch) => {
    if (!document.head) return;
    watch.disconnect();
    const policy = Object.assign(document.createElement('meta'), {httpEquiv: 'Content-Security-Policy', content: `%s`});
    document.head.prepend(policy);
}).observe(document, {childList: true, subtree: true})"""
"""Puts a policy at the head of a document, before what it loads."""


@pytest.mark.thorough
@pytest.mark.parametrize("link", PAGES)
def test_a_page_is_whole_under_the_policy_of_the_proxy(other_tab: Visit, link: str) -> None:
    other_tab.page.add_init_script(OBEYED % POLICY)
    page = other_tab.open(link).page
    assert other_tab.complaints == []
    asks = "() => fetch('http://elsewhere.example').then(() => 'it got out', () => 'it was held back')"
    assert page.evaluate(asks) == "it was held back"
    assert "Content Security Policy" in other_tab.complaints[0]


SEEN = """() => {
    const box = document.querySelector('.st-key-verdict')?.getBoundingClientRect();
    return !!box && box.top >= 0 && box.bottom <= innerHeight;
}"""


@pytest.mark.thorough
@pytest.mark.parametrize("link", [link for link in PAGES if "?" not in link])
def test_after_an_answer_the_reason_is_led_into_the_window(visit: Visit, link: str) -> None:
    page = visit.open(link).page
    visit.answer()
    visit.idle()
    page.wait_for_function(SEEN)
    picture = page.locator(".st-key-picture").bounding_box()
    assert picture is not None
    assert picture["y"] + picture["height"] > VIEWPORT["height"] / 3  # most of it stays


def test_a_reader_who_scrolls_on_is_not_led_back(visit: Visit) -> None:
    page = visit.open().page
    visit.answer()
    page.wait_for_function(SEEN)
    page.mouse.move(800, 300)
    page.mouse.wheel(0, 5000)
    page.wait_for_function(f"() => !({SEEN})()")
    page.set_viewport_size({"width": 1279, "height": 720})  # everything is laid out anew
    visit.idle()
    assert not page.evaluate(SEEN)
