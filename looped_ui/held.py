"""Curves of earlier settings that stay on the error chart: kept in the session, and in the link by their settings."""

from collections.abc import Callable
from urllib.parse import parse_qsl, urlencode

import streamlit as st

from looped.chart import Picture, Series
from looped.experiments.compare.charts import keep
from looped.fields import SettingsError
from looped.settings import TABLES, Settings
from looped_ui.parts import plain
from looped_ui.refused import log_refused
from looped_ui.repairs import tell

KEY = "hold"
"""Its name in the link."""
MOST = 4
"""Most curves that are held at once."""


def held(run: Callable[[Settings], Picture]) -> list[Series]:
    """The curves that are held, those of the link on the first visit of the page.

    Args:
        run: gives the error chart of settings that a link names.
    """
    state, query = st.session_state, st.query_params
    if KEY not in state:
        asked = [text for text in query.get(KEY, "").split(";") if text][:MOST]
        found = {text: _curve(text, run) for text in asked}
        state[KEY] = [(text, curve) for text, curve in found.items() if curve is not None]
        if wrong := "; ".join(text for text, curve in found.items() if curve is None):
            log_refused("link", KEY, wrong)
            tell([f"{KEY} = {plain(wrong)} names settings that cannot be run, so no curve is held for it."])
    text = ";".join(text for text, _ in state[KEY] if text)
    if not text:
        query.pop(KEY, None)
    elif query.get(KEY) != text:
        query[KEY] = text
    return [curve for _, curve in state[KEY]]


def hold(settings: Settings, picture: Picture) -> None:
    """Hold the transformer's curve of an error chart; that of a table, which a link cannot bring, for this visit."""
    usual = Settings().to_query()
    changed = {key: value for key, value in settings.to_query().items() if value != usual[key]}
    text = "" if settings.data in TABLES else urlencode(changed or {"v": usual["v"]})
    st.session_state[KEY].append((text, keep(picture, settings.changes())))


def let_go() -> None:
    """Hold no curve any more."""
    st.session_state[KEY] = []


def _curve(text: str, run: Callable[[Settings], Picture]) -> Series | None:
    """The curve of the settings that a part of the link names; None where they cannot be used or run."""
    try:
        query = dict(parse_qsl(text, strict_parsing=True))
    except ValueError:
        return None
    settings, rejected = Settings.from_query(query)
    if rejected or settings.data in TABLES or not query.keys() <= settings.to_query().keys():
        return None
    try:
        return keep(run(settings), settings.changes())
    except SettingsError:
        return None
