"""What a slider costs in Chromium: pictures a second while it is dragged, and from a key press to the new chart.

`python benchmarks/drag.py [PRESSES]`. The app's first page stands beside the least that such a page could be: one
native slider and one `st.plotly_chart` of two lines under the same configuration, in turns. Streamlit's own chart does
not follow a drag at all, so only the key press has a rival. Each slider is dragged from the first lesson.
"""

import itertools
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright
from start import ROOT, serving

DRAG_SECONDS = 5
BARE = """import plotly.graph_objects as go
import streamlit as st

T = st.slider("T", 1, 1000, 30, key="T_slider")
error = [0.9**t for t in range(T + 1)]
lines = [go.Scatter(y=error, name="transformer"), go.Scatter(y=error, name="gradient descent", mode="markers")]
st.plotly_chart(go.Figure(lines, {"xaxis5": {"range": [0, 1.04 * T]}, "yaxis": {"type": "log"}}), key="chart")
"""
PAINTED = """last => {
    const plot = document.querySelector('.looped-live .js-plotly-plot') ?? document.querySelector('.js-plotly-plot')
    return Math.round(plot?.layout?.xaxis5?.range?.[1] / 1.04) === last
        && !!plot.querySelector('.scatterlayer .trace path')
}"""
"""Whether a chart whose last loop is this one is on the page."""
NEXT = """before => {
    window.pressed = performance.now()
    const find = place => document.querySelector(`${place} .js-plotly-plot`)
    const plot = () => find('.looped-live') ?? find('')
    window.painted = new Promise(resolve => {
        const look = () => {
            const last = plot()?.layout?.xaxis5?.range?.[1]
            if (last !== undefined && last !== before && plot().querySelector('.scatterlayer .trace path'))
                resolve(performance.now() - window.pressed)
            else requestAnimationFrame(look)
        }
        look()
    })
}"""


def press(page: Page, presses: int) -> list[float]:
    """Milliseconds from each press of the right arrow on T's slider to the chart of the next T."""
    slider = page.locator(".st-key-T_slider input[type=range]")
    slider.focus()
    times = []
    for _ in range(presses):
        before = page.evaluate(
            "() => (document.querySelector('.looped-live .js-plotly-plot') ??"
            " document.querySelector('.js-plotly-plot')).layout.xaxis5.range[1]"
        )
        page.evaluate(NEXT, before)
        page.keyboard.press("ArrowRight")
        times.append(page.evaluate("window.painted"))
        page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
        page.wait_for_timeout(200)
    return times


def drag(page: Page, key: str) -> tuple[float, float]:
    """Pictures a second while a slider is dragged to and fro, and the longest wait for one, seconds.

    Every move of the pointer goes on to the slider's next place: a pointer that rests at a place asks for no picture.
    """
    box = page.locator(f".st-key-{key} [data-testid=stSlider]").bounding_box()
    assert box is not None
    middle, left, width = box["y"] + box["height"] / 2, box["x"] + 10, box["width"] - 20
    at = page.locator(f".st-key-{key} input[type=range]")
    places = int(at.get_attribute("max") or 1)
    share = float(at.input_value()) / places
    page.evaluate(
        """() => {
            const root = document.querySelector('.looped-live')
            window.drawn = []
            window.watcher?.disconnect()
            window.watcher = new MutationObserver(() => window.drawn.push(performance.now()))
            window.watcher.observe(root, { attributeFilter: ["data-pictures"] })
        }"""
    )
    page.mouse.move(left + width * share, middle)
    page.mouse.down()
    began, step = time.perf_counter(), 0
    while time.perf_counter() - began < DRAG_SECONDS:
        step += 1
        page.mouse.move(left + width * abs((step / places) % 2 - 1), middle)
    page.mouse.up()
    drawn = page.evaluate("window.drawn")
    waits = [b - a for a, b in itertools.pairwise(drawn)]
    return len(drawn) / DRAG_SECONDS, max(waits, default=0) / 1000


def main(presses: int) -> None:
    """Both figures, for the app and for the bare page."""
    with tempfile.TemporaryDirectory() as bare, sync_playwright() as playwright:
        shutil.copytree(ROOT / ".streamlit", Path(bare) / ".streamlit")
        (Path(bare) / "app.py").write_text(BARE)
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        with serving(ROOT) as ours, serving(Path(bare)) as least:
            pages, address_of = {}, {"app": f"{ours.address}/?T=30&n=6&d=2&kappa=10", "bare page": least.address}
            for name, address in address_of.items():
                pages[name] = browser.new_page(viewport={"width": 1280, "height": 720})
                pages[name].goto(address, timeout=300_000)
                pages[name].wait_for_function(PAINTED, arg=30, timeout=300_000)
            pages["app"].wait_for_selector(".looped-live[data-pictures]", timeout=300_000)
            times: dict[str, list[float]] = {name: [] for name in pages}
            for _ in range(presses):
                for name, page in pages.items():
                    page.bring_to_front()
                    times[name] += press(page, 1)
            middle = {name: statistics.median(values) for name, values in times.items()}
            print(
                f"key press to chart: {middle['app']:.0f} ms against {middle['bare page']:.0f} ms, "
                f"{middle['app'] / middle['bare page']:.2f} times (medians of {presses})"
            )
            pages["app"].bring_to_front()
            for key in ("T_slider", "n_slider", "d_slider", "kappa_slider"):
                pages["app"].goto(address_of["app"], timeout=300_000)  # the one before rests anywhere
                pages["app"].wait_for_selector(".looped-live[data-pictures]", timeout=300_000)
                pages["app"].wait_for_timeout(2000)
                rate, wait = drag(pages["app"], key)
                print(f"dragging {key}: {rate:.1f} pictures a second, the longest wait {wait:.2f} s")
        browser.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
