"""Sharing: a link to exactly this view, a link for a class, and the files."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from ipaddress import ip_address
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from looped.experiments import EXPERIMENTS
from looped.export.files import FORMATS, Export
from looped.settings import CheckedSettings
from looped_ui.controls import Controls
from looped_ui.lesson import guessed, lesson_now
from looped_ui.link import DISPLAY
from looped_ui.parts import plain
from looped_ui.present import switch

IN_LINK = ("guess", "hold")
"""Display parameters that no widget holds."""
BASE, CODE = "share_base", "share_code"
"""Names in the session: the address of the app that was typed on any page, and the page and link of a QR code."""
LARGEST = """<style>
.st-key-code { align-items: center }
.st-key-code :not(img) { width: auto !important; max-width: none }
.st-key-code img {
    display: block; width: min(80vw, 100vh - 15rem) !important; max-width: none !important; height: auto
}
</style>"""
"""The QR code as large as the window allows, with the link below it."""


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
    page, link = st.session_state.get(CODE, ("", ""))
    if page == controls.page:
        _show_code(link)
    else:
        _end_code()
    panel = st.popover("Share and export", key=f"{controls.page}_share", on_change="rerun")
    if not panel.open:
        return
    with panel:
        base = _page_address(controls.page)
        view, lecture, files = st.tabs(["Link", "Class and talk", "Files"])
    with view:
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
        names = {field.key: field.label for field in controls.fields.values()}
        names |= controls.others
        hide = st.multiselect(
            "Controls to hide", list(names), ["lesson"], key=f"{controls.page}_hide", format_func=names.__getitem__,
            persist_state="page",
        )  # fmt: skip
        with st.container(horizontal=True):
            guess = st.toggle("Ask for a guess first", key=f"{controls.page}_predict", persist_state="page")
            embed = st.toggle("For embedding in another page", key=f"{controls.page}_embed", persist_state="page")
        extra = {"hide": ",".join(hide), "predict": "1" if guess else "", "embed": "true" if embed else ""}
        extra |= {"guess": ""} if guess else {}
        link = _link(base, _short(controls, parameters) | extra)
        st.code(link, language=None, wrap_lines=True)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button("QR code", on_click=_begin_code, args=(controls.page, link),
                      help="The link for a class, as large as the window, to be read off a screen.")  # fmt: skip
            switch(f"{controls.page}_share")
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


def _page_address(page: str) -> str:
    """The address of the page, under an address of the app that can be written; it stays for all pages."""
    state, widget, own = st.session_state, f"{page}_base", app_address(st.context.url or "")
    typed = state.get(BASE, own)
    base = app_address(typed)
    state[widget] = base or typed
    st.text_input(
        "Address of the app", base or typed, key=widget, on_change=_keep_base, args=(widget,),
        help="The links begin with it, whatever the page. Write the address under which others reach this app.",
    )  # fmt: skip
    if not base:
        st.warning("This is no address of an app. The links have the one in your browser.")
    elif _only_here(base):
        st.warning("This address works on this computer alone. Write the one under which others reach the app.")
    return f"{base or own}{'' if page == next(iter(EXPERIMENTS)) else page}"


def app_address(typed: str) -> str:
    """The address of the app, ending with a slash, from what was typed or stands in the browser; empty if it is none.

    It may be typed without http and with the name of a page.
    """
    typed = typed.strip()
    with suppress(ValueError):
        parts = urlsplit(typed if "://" in typed else f"//{typed}")
        host, scheme = parts.hostname or "", parts.scheme or ("https" if _public(parts.netloc) else "http")
        known = parts.port is None or parts.port > 0  # to read what is no number raises
        if host and known and not set(parts.netloc) & set(" <>\"'\\@") and scheme in ("http", "https"):
            *folders, last = parts.path.strip("/").split("/")
            path = quote("/".join(folders if last in EXPERIMENTS else (*folders, last)), safe="/%")
            return f"{scheme}://{parts.netloc}/{path}{'/' if path else ''}"
    return ""


def _public(netloc: str) -> bool:
    """Whether a host without a scheme is a name of the Internet, where https is usual: no port, no number."""
    return "." in netloc and ":" not in netloc and not netloc.endswith(".local") and not netloc[-1].isdigit()


def _keep_base(widget: str) -> None:
    """Keep what was typed; the address in the browser where that is nothing."""
    if typed := st.session_state[widget]:
        st.session_state[BASE] = typed
    else:
        st.session_state.pop(BASE, None)


def _only_here(base: str) -> bool:
    """Whether an address leads to nothing but the computer that asks."""
    host = urlsplit(base).hostname or ""
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified


def _begin_code(page: str, link: str) -> None:
    """Show the QR code of a link in place of the panel."""
    st.session_state[CODE], st.session_state[f"{page}_share"] = (page, link), False


def _end_code() -> None:
    st.session_state.pop(CODE, None)


@st.dialog("The link for a class", width="large", on_dismiss=_end_code)
def _show_code(link: str) -> None:
    """The QR code of a link, with the link below it, until it is dismissed."""
    st.html(LARGEST)
    with st.container(key="code"):
        st.image(_qr_code(link), width="stretch")
    st.code(link, language=None, wrap_lines=True)


def _qr_code(link: str) -> str:
    """The QR code of a link as SVG, black on white in every theme, with the margin that readers need."""
    import segno  # loaded only when it is asked for

    svg: str = segno.make(link, error="m", micro=False).svg_inline(scale=4, border=4, dark="#000", light="#fff")
    return svg
