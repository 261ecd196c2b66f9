"""Controls for real data: a file, a target column and feature columns."""

import streamlit as st

from looped import tables
from looped.fields import FIELDS, SettingsError
from pages.ui import backend
from pages.ui.parts import plain, typeset


def choose_table(data: str) -> tables.Table | None:
    """The uploaded CSV or the diabetes data, with target and features chosen; the last good table if that fails."""
    state = st.session_state
    sheet = _uploaded_sheet() if data == "csv" else backend.sheet("diabetes")
    numeric = sheet.numeric
    target, columns = _columns(numeric)
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


def _columns(numeric: list[str]) -> tuple[str, tuple[str, ...]]:
    """Target and features among the numeric columns of a table; no features chosen means all others."""
    state, (target, features) = st.session_state, (FIELDS["target"], FIELDS["feature_columns"])
    for field in (target, features):  # a link may name them
        if field.key not in state and field.key in st.query_params:
            state[field.key] = field.read(st.query_params[field.key])
    if state.get(target.key) not in numeric:
        state[target.key] = numeric[-1]
    chosen = st.selectbox(target.label, numeric, key=target.key, help=typeset(target.help))
    others = [name for name in numeric if name != chosen]
    state[features.key] = [name for name in state.get(features.key, []) if name in others]
    named = st.multiselect(
        features.label, others, key=features.key, help=typeset(features.help), placeholder="all others"
    )
    return chosen, tuple(named or others)
