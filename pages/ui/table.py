"""Controls for real data: a file, a target column and feature columns."""

import streamlit as st

from looped import tables
from looped.fields import SettingsError
from pages.ui import backend, controls
from pages.ui.parts import plain


def choose_table() -> tables.Table | None:
    """The uploaded CSV or the diabetes data, with target and features chosen; the last good table if that fails."""
    state = st.session_state
    sheet = _uploaded_sheet() if state["data"] == "csv" else backend.sheet("diabetes")
    numeric = sheet.numeric
    target, columns = controls.columns(numeric)
    left_out = [name for name in sheet.frame.columns if name not in numeric]
    if left_out:
        st.caption(f"Left out, not usable as numbers: {plain(', '.join(left_out))}.")
    try:
        state["table"] = tables.choose(sheet, target, columns)
    except SettingsError as error:
        st.error(f"{plain(str(error))} The last choice is kept.")
    return state.get("table")


def _uploaded_sheet() -> tables.Sheet:
    """The last good file; the diabetes data until there is one."""
    upload = st.file_uploader(
        "CSV file", "csv", max_upload_size=tables.MAX_BYTES // 1024**2,
        help=f"A line of column names, then numbers. Up to {tables.MAX_ROWS:,} rows, {tables.MAX_COLUMNS:,} "
        f"columns and {tables.MAX_BYTES // 1024**2} MiB: all of it must fit one run.",
    )  # fmt: skip
    if upload is not None:
        try:
            st.session_state["sheet"] = backend.sheet("csv", upload.file_id, upload.getvalue(), upload.name)
        except SettingsError as error:
            st.error(f"{plain(str(error))} The last table is kept.")
    sheet: tables.Sheet = st.session_state.get("sheet") or backend.sheet("diabetes")
    if upload is None:
        st.info(f"No file is chosen: {plain(sheet.name)} is shown.")
    return sheet
