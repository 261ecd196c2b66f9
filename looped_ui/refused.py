"""The log of values that could not be used: of a link, a widget or an upload, one line of JSON each."""

import json
import logging
from typing import Literal

import streamlit as st

from looped.fields import brief

Source = Literal["link", "widget", "upload"]
MOST = 20
"""Letters of a value that are logged."""
REMEMBERED = 50
"""Values of a session that are remembered, so that each is logged once."""


def log_refused(source: Source, field: str, value: object) -> None:
    """Log that a value was replaced, though not in every run that finds it so.

    Args:
        source: where it came from.
        field: the key of its setting.
        value: the value; of an upload something about it that is not from the visitor, such as its size.
    """
    line = json.dumps({"event": "refused", "source": source, "field": brief(field, MOST), "value": brief(value, MOST)})
    told: list[str] = st.session_state.setdefault("refused_told", [])
    if line not in told:
        told.append(line)
        del told[:-REMEMBERED]
        logging.getLogger("looped").warning(line)
