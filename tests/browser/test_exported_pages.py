"""figure.html of every kind of result, from the command and from the page's download, as Chromium paints it."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from looped import cli
from tests.results import COMMANDS

from .visit import Visit

pytestmark = pytest.mark.browser

LINKS = {
    name: ("" if name == "compare" else name)
    + "?"
    + options.replace("--", "&").replace(" &", "&").replace(" ", "=")[1:]
    for name, options in COMMANDS.items()
}
"""The page with the settings of the command."""
TRAINED_FIRST = ("train", "signal", "gpt2")
"""Pages whose files of these settings come with a training of one's own."""
DRAWN = """() => {
    const charts = [...document.querySelectorAll('.plotly-graph-div')];
    return charts.length && charts.every(
        chart => chart._fullData?.length && chart.querySelector('.cartesianlayer .subplot'));
}"""


def charts(path: Path) -> list[str]:
    """What is drawn, as the file says it, chart by chart."""
    return re.findall(r"Plotly\.newPlot\((.*?)</script>", path.read_text(encoding="utf-8"), re.DOTALL)


def assert_coloured(visit: Visit, path: Path) -> None:
    """White ground, next to no black, and lines in at least two colours on some chart."""
    visit.page.goto(path.as_uri())
    visit.page.wait_for_function(DRAWN)
    hues = []
    for chart in visit.page.locator(".plotly-graph-div").all():
        picture = np.asarray(Image.open(io.BytesIO(chart.screenshot())).convert("RGB")).astype(int)
        assert (picture[[0, 0, -1, -1], [0, -1, 0, -1]] == 255).all()
        assert (picture == 255).all(axis=2).mean() > 0.2
        assert (picture.max(axis=2) < 25).mean() < 0.02
        coloured = picture[np.ptp(picture, axis=2) > 90] // 64
        hues.append((np.unique(coloured, axis=0, return_counts=True)[1] >= 20).sum())
    assert max(hues) >= 2


@pytest.mark.thorough
@pytest.mark.parametrize("name", COMMANDS)
def test_the_page_that_a_visitor_takes_along_is_that_of_the_command_white_with_coloured_lines(
    visit: Visit, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """The app's process has Streamlit's template, dark or pale, which must not reach a file."""
    page = visit.open(LINKS[name]).page
    if name in TRAINED_FIRST:
        page.get_by_role("button", name="Train", exact=True).click()
        expect(page.get_by_role("button", name="Reset", exact=True)).to_be_enabled()
        expect(page.get_by_role("button", name="Stop", exact=True)).to_have_count(0)
    visit.share()
    taken = visit.download("HTML", tmp_path)
    cli.main([name, *COMMANDS[name].split(), "--out", str(tmp_path)])
    assert capsys.readouterr().out
    assert charts(taken) == charts(tmp_path / "figure.html") != []
    assert_coloured(visit, taken)
