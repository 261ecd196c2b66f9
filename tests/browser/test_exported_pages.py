"""figure.html of every kind of result, from the command and from the page's download, as Chromium paints it."""

import io
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, expect

from looped import cli
from tests.results import COMMANDS

from .conftest import IDLE, Visit

pytestmark = pytest.mark.browser

LINKS = {
    "compare": "?T=8&n=9&d=4&prompts=5",
    "context": "context?T=30",
    "train": "train",
    "signal": "signal?d=2&n=3&steps=20&batch=8",
    "gpt2": "gpt2?d=2&n=3&layers=1&heads=2&width=8&batch=16&steps=40",
}
TRAINED_FIRST = ("signal", "gpt2")
"""Pages whose files come with a training of one's own."""
DRAWN = """() => {
    const charts = [...document.querySelectorAll('.plotly-graph-div')];
    return charts.length && charts.every(
        chart => chart._fullData?.length && chart.querySelector('.cartesianlayer .subplot'));
}"""


def pixels(context: BrowserContext, path: Path) -> list[np.ndarray]:
    """The picture of every chart of the page, (height, width, 3)."""
    page = context.new_page()
    page.goto(path.as_uri())
    page.wait_for_function(DRAWN)
    charts = page.locator(".plotly-graph-div")
    pictures = [Image.open(io.BytesIO(charts.nth(place).screenshot())) for place in range(charts.count())]
    page.close()
    return [np.asarray(picture.convert("RGB")).astype(int) for picture in pictures]


def assert_coloured(context: BrowserContext, path: Path) -> None:
    """White ground, next to no black, and lines in at least two colours on some chart."""
    hues = []
    for picture in pixels(context, path):
        counts = Counter(map(tuple, picture.reshape(-1, 3).tolist()))
        assert {tuple(picture[row, column]) for row in (0, -1) for column in (0, -1)} == {(255, 255, 255)}
        assert counts[255, 255, 255] > 0.2 * picture[..., 0].size
        assert (picture.max(axis=2) < 25).mean() < 0.02
        coloured = picture[np.ptp(picture, axis=2) > 90]
        kinds = Counter(map(tuple, (coloured // 64).tolist()))
        hues.append(sum(count >= 20 for count in kinds.values()))
    assert hues
    assert max(hues) >= 2


@pytest.mark.parametrize("command", COMMANDS)
def test_the_page_that_a_command_writes_is_white_with_coloured_lines(
    context: BrowserContext, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    cli.main([command, *COMMANDS[command].split(), "--out", str(tmp_path)])
    assert capsys.readouterr().out
    assert_coloured(context, tmp_path / "figure.html")


@pytest.mark.parametrize("name", LINKS)
def test_the_page_that_a_visitor_takes_along_is_white_with_coloured_lines(
    visit: Visit, context: BrowserContext, tmp_path: Path, name: str
) -> None:
    page = visit.page
    page.goto(f"{visit.server}/{LINKS[name]}")
    page.wait_for_selector(IDLE)
    if name in TRAINED_FIRST:
        page.get_by_role("button", name="Train", exact=True).click()
        expect(page.get_by_role("button", name="Reset", exact=True)).to_be_enabled()
        expect(page.get_by_role("button", name="Stop", exact=True)).to_have_count(0, timeout=60_000)
    page.get_by_role("button", name="Share and export").click()
    with page.expect_download(timeout=60_000) as download:
        page.get_by_role("button", name="HTML", exact=True).click()
    download.value.save_as(tmp_path / "figure.html")
    assert_coloured(context, tmp_path / "figure.html")
