"""What was typed into a number input and is not what it became."""

from pathlib import Path

import streamlit as st

_listener = st.components.v2.component(
    "looped_typing", js=(Path(__file__).parent / "typing.js").read_text(encoding="utf-8")
)


def misread() -> tuple[str, str] | None:
    """The key of a number input and what became of its text, "comma" or "no number", if that has just happened."""
    found = _listener(key="typing", on_typed_change=lambda: None).typed
    return (str(found.get("key")), str(found.get("what"))) if isinstance(found, dict) else None
