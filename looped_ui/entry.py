"""Make every visit to a page start with app.py."""

import streamlit as st
from streamlit import runtime
from streamlit.runtime.pages_manager import PagesManager


def through_app() -> None:
    """Start over with app.py if Streamlit runs this page file alone.

    It does so, with file names for a menu, when the first visit to a new server is a link to a page, because there is
    a folder called pages and nothing has told it about `st.navigation` yet.
    """
    if PagesManager.uses_pages_directory and runtime.exists():
        PagesManager.uses_pages_directory = False
        st.rerun()
