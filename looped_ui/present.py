"""The switch for a talk: large type, the lesson, and the picture with its verdict rather than text about it."""

import streamlit as st

LARGE = """<style>
html { font-size: 18px }
.stAppHeader { height: 2.75rem; min-height: 0 }
.stMainBlockContainer { padding-top: 3rem }
.st-key-top h1 { padding: 0 }
.st-key-lesson_text { min-height: 0 }
.st-key-lesson_text p { line-height: 1.4 }
.stMain [class*="_guess"] { scroll-margin-bottom: 0.5rem }
.stMain :is([data-testid="stCaptionContainer"], [data-testid="stExpander"], .katex-display), .st-key-lead {
    display: none
}
</style>"""
"""Everything that has a size in rem grows, and the charts read the size of the type from the page."""
KEY = "present"
LARGER = 18 / 15
"""Times as large as the usual type, of .streamlit/config.toml."""


def presenting() -> bool:
    """Whether the address asks for large type."""
    return st.query_params.get(KEY) == "1"


def in_large_type() -> None:
    """Draw the page in large type if the address asks for it, and a button that ends it; for the line of the title."""
    if presenting():
        st.html(LARGE)
        st.button("Normal type", on_click=_stop)


def switch(panel: str) -> None:
    """The button that begins it, in the panel of that key, which closes."""
    if not presenting():
        st.button("Large type for a talk", on_click=_start, args=(panel,),
                  help="Captions and panels are out of sight until it ends.")  # fmt: skip


def _start(panel: str) -> None:
    st.query_params[KEY] = "1"
    st.session_state[panel] = False


def _stop() -> None:
    del st.query_params[KEY]
