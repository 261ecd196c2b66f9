"""Entry of the web demo: `streamlit run app.py`.

Streamlit's server imports this file once, and runs it as a script for each visitor.
"""

import sys
from pathlib import Path

import streamlit as st
import streamlit.net_util
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from streamlit.runtime.pages_manager import PagesManager
from streamlit.url_util import make_url_path

from looped_ui import ends, memory

# Streamlit leaves more room round a page than a chart can spare, its captions are too pale to read, white on the dark
# theme's light blue and a chosen mark as well, the ends of a slider's range are cut off, and its formulas are cut off
# below, do not break where a line ends, and have another typeface than the text they stand in; in a help bubble their
# subscripts are as large as the letters. Plotly writes powers of ten and titles of axes larger than other ticks. In a
# window that is small or low the picture comes first, on a phone after one sentence. The text of a lesson keeps its
# place where a setting leaves less of it true, so that no picture moves.
STYLE = """<style>
.stMainBlockContainer { padding: 4rem clamp(1rem, 3vw, 3rem) 3rem }
[data-testid="stCaptionContainer"] { color: inherit; opacity: 0.85 }
[data-testid="stLayoutWrapper"]:has(> [class*="st-key-kept_"]) { display: none }
[class*="_measured"] input, [class*="_number"] input:disabled {
    -webkit-text-fill-color: light-dark(#1B1F24, #E8EBEF) !important
}
[data-testid="stButtonGroup"] [aria-checked="true"] p { color: light-dark(#1B1F24, #E8EBEF) }
[data-testid="stSidebar"] [data-testid="stHorizontalBlock"]:has([data-testid="stSlider"]) { overflow: visible }
[class*="_guess"]:has(> .stButtonGroup) { width: 100% }
[class*="_guess"] > .stButtonGroup { display: flex; flex-flow: row wrap; align-items: center; column-gap: 0.8rem }
[class*="_guess"] > .stButtonGroup label p { font-weight: 600 }
.st-key-verdict { scroll-margin-block: 4rem 1rem }
.katex-display { padding-block: 0.4em 0.6em }
[data-testid="stBaseButton-primary"] { color: light-dark(#FFFFFF, #12161C) }
.katex-display > .katex { white-space: normal; line-height: 1.6 }
.katex:not(.katex-display *) { font: inherit }
.katex:not(.katex-display *) :is(.mathnormal, .mathrm) { font-family: inherit; font-style: normal }
[data-testid="stTooltipContent"] .katex :not(.sizing, .fontsize-ensurer) { font-size: inherit }
.st-key-picture [data-testid="stAlertContainer"] { padding-block: 0.2rem }
.js-plotly-plot :is([class$="tick"], [class*="title"]) > text, .js-plotly-plot [class$="title"] {
    font-size: calc(13rem / 15) !important
}
@media (max-width: 640px), (max-height: 560px) {
    .stMainBlockContainer > div > div:has(> .st-key-picture), .st-key-picture { order: -1 }
    .stMainBlockContainer > div > div:has(> .st-key-top), .st-key-top { order: -2 }
    .st-key-top h1 { font-size: 1.6rem; padding: 0 }
}
@media (max-width: 640px) {
    .stMainBlockContainer > div > div:has(> .st-key-lead), .st-key-lead { order: -2 }
    .st-key-top > :first-child { flex-basis: 100% }
}
@media (min-width: 641px) {
    .stMainBlockContainer { padding-top: 2.9rem }
    .st-key-lesson_text { min-height: 3.2rem }
    .stMainBlockContainer > div > div:has(> :is(.st-key-top, .st-key-lead, .st-key-above)) { margin-bottom: -0.5rem }
    .st-key-top h1 { padding-block: 0.25rem }
}
@media (max-height: 560px) {
    .stAppHeader { height: 2.75rem; min-height: 0 }
    .stMainBlockContainer { padding-top: 3rem }
}
</style>"""

# Fetched while the server imports PyTorch, and not only when the first chart is mounted.
CHART_CODE = """<script type="module">
import(new URL("static/js/{}", document.baseURI).href).catch(() => {{}})
</script>"""

ICON = Path(__file__).parent / "docs" / "icon.svg"


def run() -> None:
    """Run the page of the address; what takes long to import is imported here, behind the first messages."""
    st.set_page_config(page_title="Looped", page_icon=ICON, layout="wide", initial_sidebar_state=340)
    st.html(STYLE)
    for part in (Path(st.__file__).parent / "static" / "static" / "js").glob("PlotlyChart.*.js"):
        st.html(CHART_CODE.format(part.name), unsafe_allow_javascript=True)

    from looped import threads
    from looped.experiments import EXPERIMENTS
    from looped_ui import backend, busy, uploads

    threads.keep_to_one_thread()
    uploads.keep_in_memory()
    first, *others = EXPERIMENTS.values()
    page = st.navigation(
        [
            st.Page(f"pages/{first.name}.py", title=first.title, url_path="start", default=True),
            *(st.Page(f"pages/{other.name}.py", title=other.title, url_path=other.name) for other in others),
            # The default page answers to the bare address alone, whatever its url_path: this one to its name.
            st.Page(f"pages/{first.name}.py", title=first.title, url_path=first.name, visibility="hidden"),
        ],
        position="top",
    )
    with busy.running():
        page.run()
    backend.warm_up()


async def picture(request: Request) -> Response:
    """Pictures at a place of a slider that is being moved; none before a page has been run here."""
    pictures = sys.modules.get("looped_ui.live.pictures")
    return Response(status_code=204) if pictures is None else await pictures.answer(request)


if __name__ == "__main__":
    run()
else:
    # For a page of another site that connects, Streamlit would ask a server outside for its own address, all waiting.
    streamlit.net_util.get_external_ip = lambda: None
    # It would take the names of the files in `pages` for titles until st.navigation has been called once.
    PagesManager.uses_pages_directory = False
    ends.keep()
    memory.keep_low()
    PICTURES = make_url_path(st.get_option("server.baseUrlPath"), "picture/{row}/{run}/{slider}/{place}")
    app = st.App(__file__, routes=[Route(PICTURES, picture)])
