"""Sharing: a link to exactly this view, a link for a class, and the files."""

from collections.abc import Callable, Mapping
from functools import partial
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlencode, urlparse

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from looped.export.files import FORMATS, Export
from looped.settings import CheckedSettings
from looped_ui.controls import Controls
from looped_ui.lesson import guessed, lesson_now
from looped_ui.link import DISPLAY
from looped_ui.parts import plain
from looped_ui.present import switch

IN_LINK = ("guess", "hold")
"""Display parameters that no widget holds."""


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
        view, lecture, files = st.tabs(["Link", "Class and talk", "Files"])
    with view:
        base = st.text_input(
            "Address of the app", (st.context.url or "").split("?")[0], key=f"{controls.page}_base",
            help="The links begin with it. Write the address under which others reach this app.",
        )  # fmt: skip
        if _only_here(base):
            st.warning("This address works on this computer alone. Write the one under which others reach the app.")
        st.markdown("**Link to exactly this view.** It carries every setting and the version of the links.")
        if note and result is not None:
            st.caption(plain(note))
        parameters = settings.to_query() | {"lesson": lesson_now(controls.page)} | _display()
        st.code(_link(base, parameters), language=None, wrap_lines=True)
    with lecture:
        st.markdown(
            "**Link for a class.** It fixes the lesson and hides the controls you choose. It is short: what stands at "
            "its default is left out."
        )
        names = {field.key: field.label for field in controls.fields.values()} | {"lesson": "Choice of the lesson"}
        hide = st.multiselect(
            "Controls to hide", list(names), ["lesson"], key=f"{controls.page}_hide", format_func=names.__getitem__
        )
        with st.container(horizontal=True):
            guess = st.toggle("Ask for a guess first", key=f"{controls.page}_predict")
            embed = st.toggle("For embedding in another page", key=f"{controls.page}_embed")
        extra = {"hide": ",".join(hide), "predict": "1" if guess else "", "embed": "true" if embed else ""}
        extra |= {"guess": ""} if guess else {}
        link = _link(base, _short(controls, parameters) | extra)
        st.code(link, language=None, wrap_lines=True)
        with st.container(horizontal=True, vertical_alignment="center"):
            code = st.toggle(
                "QR code", key=f"{controls.page}_qr", help="The link for a class, to be read off a screen."
            )
            switch()
        if code:
            st.image(_qr_code(link), caption="The link for a class", width=260)
    with files:
        if result is None:
            st.caption(plain(note) if note else "There are files once there is a result.")
            return
        st.markdown("All but the CSV, which holds numbers alone, carry settings, seed and versions.")
        with st.container(horizontal=True):
            for name, form in FORMATS.items():
                st.download_button(
                    form.label, partial(_content, result, name), name, form.media_type, help=form.what,
                    key=f"{controls.page}_{name}", on_click="ignore",
                )  # fmt: skip


def held_back(
    controls: Controls[Any], settings: CheckedSettings, place: DeltaGenerator, then: str = "see the result"
) -> bool:
    """Whether the result waits for a guess; then it says so, and the panel of links stands in `place`.

    Args:
        controls: Controls of the page.
        settings: The settings that are shown.
        place: Where the panel of links stands.
        then: what can be done after the guess.
    """
    if guessed(controls):
        return False
    restore = "Restore the lesson's settings to answer its question."
    st.info(f"Choose an answer above to {then}." if controls.holds else restore)
    with place:
        share(controls, settings, None)
    return True


def _content(result: Callable[[], Export[Any]], name: str) -> bytes:
    return result().file(name)


def _display() -> dict[str, str]:
    """The display parameters that differ from their defaults."""
    state, query = st.session_state, st.query_params
    now = {key: query.get(key) if key in IN_LINK else state.get(key) for key in DISPLAY}
    texts = {key: f"{value:.0e}" if isinstance(value, float) else str(value) for key, value in now.items() if value}
    texts = {key: text.lower() if text == "True" else text for key, text in texts.items()}
    return {key: text for key, text in texts.items() if text != DISPLAY[key][1]}


def _link(base: str, parameters: Mapping[str, str]) -> str:
    return f"{base}?{urlencode({key: value for key, value in parameters.items() if value != ''})}"


def _short(controls: Controls[Any], parameters: Mapping[str, str]) -> dict[str, str]:
    """The parameters without settings at their defaults, but for those that the lesson would set otherwise."""
    kept = controls.lessons.get(parameters["lesson"], {})
    usual = {
        field.key: field.to_text(controls.defaults[name]) for name, field in controls.fields.items() if name not in kept
    }
    return {key: value for key, value in parameters.items() if value != usual.get(key)}


def _only_here(base: str) -> bool:
    """Whether an address leads to nothing but the computer that asks."""
    host = urlparse(base).hostname or ""
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified


def _qr_code(link: str) -> str:
    """The QR code of a link as SVG, black on white in every theme, with the margin that readers need."""
    import segno  # loaded only when it is asked for

    svg: str = segno.make(link, error="m", micro=False).svg_inline(scale=4, border=4, dark="#000", light="#fff")
    return svg
