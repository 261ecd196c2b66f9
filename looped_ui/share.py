"""Sharing: a link to exactly this view, a link for a class, and the files."""

from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlencode

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from looped.export.files import FORMATS, Export
from looped.settings import CheckedSettings
from looped_ui.controls import DISPLAY, Controls
from looped_ui.lesson import guessed, lesson_now
from looped_ui.parts import plain


def share(
    controls: Controls[Any], settings: CheckedSettings, result: Callable[[], Export[Any]] | None, note: str = ""
) -> None:
    """A panel with links and files, filled when it is opened.

    Args:
        controls: Controls of the page.
        settings: The settings that are shown.
        result: gives the result to export, called only when a file is requested; none while there is nothing to export.
        note: A sentence on what a link cannot carry, or on why there are no files.
    """
    if st.context.is_embedded:
        return
    panel = st.popover("Share and export", key=f"{controls.page}_share", on_change="rerun")
    if not panel.open:
        return
    with panel:
        st.markdown("**Link to exactly this view.** It carries every setting and the version of the links.")
        if note:
            st.caption(plain(note))
        parameters = settings.to_query() | {"lesson": lesson_now(controls.page)} | _display()
        st.code(_link(parameters), language=None, wrap_lines=True)
        st.markdown("**Link for a class.** It fixes the lesson and hides the controls you choose.")
        names = {field.key: field.label for field in controls.fields.values()} | {"lesson": "Choice of the lesson"}
        hide = st.multiselect(
            "Controls to hide", list(names), ["lesson"], key=f"{controls.page}_hide", format_func=names.__getitem__
        )
        guess = st.toggle("Ask for a guess first", key=f"{controls.page}_predict")
        embed = st.toggle("For embedding in another page", key=f"{controls.page}_embed")
        extra = {"hide": ",".join(hide), "predict": "1" if guess else "", "embed": "true" if embed else ""}
        extra |= {"guess": ""} if guess else {}
        st.code(_link(parameters | extra), language=None, wrap_lines=True)
        if result is None:
            return
        st.markdown("**Files.** All but the CSV, which holds numbers alone, carry settings, seed and versions.")
        with st.container(horizontal=True):
            for name, form in FORMATS.items():
                st.download_button(
                    form.label, partial(_content, result, name), name, form.media_type, help=form.what,
                    key=f"{controls.page}_{name}", on_click="ignore",
                )  # fmt: skip


def held_back(controls: Controls[Any], settings: CheckedSettings, place: DeltaGenerator) -> bool:
    """Whether the result waits for a guess; then it says so, and the panel of links stands in `place`."""
    if guessed(controls):
        return False
    st.info("Choose an answer above to see the result.")
    with place:
        share(controls, settings, None)
    return True


def _content(result: Callable[[], Export[Any]], name: str) -> bytes:
    return result().file(name)


def _display() -> dict[str, str]:
    """The display parameters that differ from their defaults."""
    now = {key: st.session_state.get(key) for key in DISPLAY} | {"guess": st.query_params.get("guess")}
    texts = {key: f"{value:.0e}" if isinstance(value, float) else str(value) for key, value in now.items() if value}
    return {key: text.lower() if text == "True" else text for key, text in texts.items()}


def _link(parameters: dict[str, str]) -> str:
    address = (st.context.url or "").split("?")[0]
    return f"{address}?{urlencode({key: value for key, value in parameters.items() if value != ''})}"
