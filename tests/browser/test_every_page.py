"""axe-core finds nothing serious on any page, and no page scrolls sideways on a phone."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from .conftest import IDLE, ROOT

pytestmark = pytest.mark.browser

PAGES = (*sorted(path.stem for path in ROOT.glob("pages/*.py")), "?modes=true&inside=true")
"""Every page, and the first one with its views open."""
SERIOUS = ("serious", "critical")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page_name", PAGES)
def test_axe_finds_no_serious_violation(chromium: Browser, server: str, page_name: str, scheme: str) -> None:
    context = chromium.new_context(color_scheme=scheme, viewport={"width": 1280, "height": 900})
    try:
        page = context.new_page()
        page.goto(f"{server}/{page_name}")
        page.wait_for_selector(IDLE)
        page.wait_for_selector(".js-plotly-plot .main-svg")
        found = Axe().run(page).response["violations"]
        said = [f"{v['id']}: {v['help']}; {v['nodes'][0]['html'][:200]}" for v in found if v["impact"] in SERIOUS]
        assert said == []
    finally:
        context.close()


@pytest.mark.parametrize("page_name", PAGES)
def test_a_phone_does_not_scroll_sideways(chromium: Browser, server: str, page_name: str) -> None:
    context = chromium.new_context(viewport={"width": 400, "height": 800})
    try:
        page = context.new_page()
        page.goto(f"{server}/{page_name}")
        page.wait_for_selector(IDLE)
        page.wait_for_selector(".js-plotly-plot .main-svg")
        main = "document.querySelector('[data-testid=stMain]')"
        assert page.evaluate(f"{main}.scrollWidth <= {main}.clientWidth")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    finally:
        context.close()
