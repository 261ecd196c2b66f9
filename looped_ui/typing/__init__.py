"""The text that was typed into a number input, where the number differs from it."""

from pathlib import Path

import streamlit as st

_listener = st.components.v2.component(
    "looped_typing", js=(Path(__file__).parent / "typing.js").read_text(encoding="utf-8")
)


def misread() -> tuple[str, str] | None:
    """The key of a number input and what its text was, if that has just been typed.

    "comma": it had a decimal comma, which was read as a point. "no number" and "two ways" (to read it): it was not
    taken, and the number before it stays.
    """
    found = _listener(key="typing", on_typed_change=lambda: None).typed
    return (str(found.get("key")), str(found.get("what"))) if isinstance(found, dict) else None
