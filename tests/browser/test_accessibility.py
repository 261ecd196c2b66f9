"""axe-core finds nothing serious on any page, no page scrolls sideways on a phone, and none asks another host."""

from urllib.parse import urlparse

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from .conftest import ROOT, Visit, fits, idle, still

pytestmark = pytest.mark.browser

PAGES = (*sorted(path.stem for path in ROOT.glob("pages/*.py")), "?modes=true&inside=true")
"""Every page, and the first one with its views open."""
SERIOUS = ("serious", "critical")
SCHEMES = {"light": "rgb(255, 255, 255)", "dark": "rgb(18, 22, 28)"}
"""Colour scheme to background."""


def violations(visit: Visit) -> list[str]:
    """What axe-core calls serious, with the first place of each."""
    found = Axe().run(visit.page).response["violations"]
    return [f"{v['id']}: {v['help']}; {v['nodes'][0]['html'][:200]}" for v in found if v["impact"] in SERIOUS]


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_no_serious_violation_in_either_scheme_and_a_phone_does_not_scroll_sideways(
    visit: Visit, name: str
) -> None:
    page = visit.open(name).page
    for scheme, background in SCHEMES.items():
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        expect(page.get_by_test_id("stApp")).to_have_css("background-color", background)
        idle(page)
        still(page)
        assert violations(visit) == [], scheme
    visit.open(name, width=400)
    assert fits(visit.page)


def test_no_page_asks_another_host(first_visit: Visit) -> None:
    own = urlparse(first_visit.server).netloc
    for name in PAGES:
        first_visit.open(name)
        outside = [url for url in first_visit.requests if urlparse(url).netloc not in ("", own)]
        assert outside == []
    assert len(first_visit.requests) > 10 * len(PAGES)
