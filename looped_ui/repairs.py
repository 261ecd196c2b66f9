"""Sentences about values that could not be used: of a link, a number box or a file; shown until they are dismissed."""

import streamlit as st

from looped.fields import READ_AS_POINT
from looped.settings import CheckedSettings
from looped_ui.parts import plain
from looped_ui.typing import misread

MISREAD = {
    "comma": f"{READ_AS_POINT}. Using",
    "no number": "what was typed is not a number. Keeping",
    "two ways": "what was typed can be read in two ways; write digits and one decimal point. Keeping",
}
"""The note on a number box whose text was changed, before the number it became."""


def tell(repairs: list[str]) -> None:
    """Let `show_repairs` show these, Markdown, in place of those of before."""
    st.session_state["repairs"] = repairs
    st.session_state.pop("repairs_at", None)


def show_repairs(settings: CheckedSettings) -> None:
    """Show which values of the link or of a number box were replaced, until dismissed or a setting changes."""
    state = st.session_state
    _note_misread(settings)
    if not state.get("repairs"):
        return
    if state.setdefault("repairs_at", settings) != settings:
        _forget_repairs()
        return
    st.warning("\n".join(f"- {note}" for note in state["repairs"]), title="Some values could not be used")
    st.button("Dismiss", on_click=_forget_repairs)


def _note_misread(settings: CheckedSettings) -> None:
    """A sentence for `show_repairs` about a number that is not what was typed."""
    with st.sidebar:
        found = misread()
    if found is None or found[1] not in MISREAD:  # a message may hold anything
        return
    key, what = found
    for name, field in settings.table.items():
        if key in (field.key, f"{field.key}_number"):
            note = f"{field.key}: {MISREAD[what]} {field.to_text(getattr(settings, name))}."
            tell([plain(note)])


def _forget_repairs() -> None:
    for key in ("repairs", "repairs_at"):
        st.session_state.pop(key, None)
