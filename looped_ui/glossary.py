"""Every symbol, one click away."""

import streamlit as st

from looped.glossary import GLOSSARY
from looped_ui.parts import typeset


def glossary() -> None:
    """A panel with every symbol, its name and what it means."""
    panel = st.popover("Glossary", key="glossary", on_change="rerun")
    if panel.open:
        with panel:
            st.markdown("\n".join(f"- **{typeset(name)}** · {typeset(what)}" for name, what in GLOSSARY.items()))
