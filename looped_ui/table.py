"""Controls for real data: a file, a target column and feature columns."""

import streamlit as st

from looped import tables
from looped.dialects import DIALECT, Dialect
from looped.fields import FIELDS, SettingsError
from looped_ui import backend
from looped_ui.parts import plain, typeset

MOST_NAMED = 5
"""Columns that are left out of a table and named with the reason; of more, only the number is told."""


def choose_table(data: str) -> tables.Table | None:
    """The uploaded CSV or the diabetes data, with target and features chosen; the last good table if that fails."""
    state = st.session_state
    sheet = _uploaded_sheet() if data == "csv" else backend.sheet("diabetes")
    target, columns = _columns(sheet, waiting=data == "csv" and not sheet.digest)
    if left_out := [f"{name} {trouble}" for name, trouble in sheet.troubles.items()]:
        more = f"; and {len(left_out) - MOST_NAMED} more" if len(left_out) > MOST_NAMED else ""
        st.caption(f"Left out: {plain('; '.join(left_out[:MOST_NAMED]))}{more}.")
    try:
        state["table"] = tables.choose(sheet, target, columns)
    except SettingsError as error:
        st.error(f"{plain(str(error))} The last choice is kept.")
    return state.get("table")


def _uploaded_sheet() -> tables.Sheet:
    """The last good file; the diabetes data until there is one."""
    upload = st.file_uploader(
        "CSV file", "csv", max_upload_size=tables.MAX_BYTES // 1024**2,
        help=f"Column names in the first line, numbers below. Up to {tables.MAX_ROWS:,} rows, {tables.MAX_COLUMNS:,} "
        f"columns and {tables.MAX_BYTES // 1024**2} MiB: all of it must fit one run.",
    )  # fmt: skip
    dialect = _dialect()
    if upload is not None:
        try:
            st.session_state["sheet"] = backend.sheet("csv", upload.file_id, dialect, upload.getvalue(), upload.name)
        except SettingsError as error:
            st.error(f"{plain(str(error))} The last table is kept.")
    sheet: tables.Sheet = st.session_state.get("sheet") or backend.sheet("diabetes")
    if upload is None:
        st.info(f"No file is chosen: {plain(sheet.name)} is shown.")
    if sheet.reading:
        st.caption(f"{plain(sheet.name)} is read as {plain(sheet.reading)}.")
    return sheet


def _dialect() -> Dialect:
    """How the file is written, as far as it is told."""
    with st.popover("How it is written", help="Set what was not guessed right about the file.", width="stretch"):
        told = {
            name: st.selectbox(field.label, field.choices, key=f"csv_{field.key}", help=field.help)
            for name, field in DIALECT.items()
        }
    return Dialect(**told)


def _columns(sheet: tables.Sheet, waiting: bool) -> tuple[str, tuple[str, ...]]:
    """Target and features among the numeric columns of a sheet; no features chosen means all others.

    Args:
        sheet: to choose from.
        waiting: whether it stands in for a file that is not chosen yet. The columns that a link names are meant for the
            file, and are kept for it.
    """
    state, numeric, (target, features) = st.session_state, sheet.numeric, (FIELDS["target"], FIELDS["feature_columns"])
    for field in (target, features):  # a link may name them
        if field.key not in state and field.key in st.query_params:
            state[field.key] = field.read(st.query_params[field.key])
    if waiting:
        state.setdefault("columns_for_file", (state.get(target.key), list(state.get(features.key, []))))
    elif "columns_for_file" in state:
        state[target.key], state[features.key] = state.pop("columns_for_file")
    asked = state.get(target.key)
    if asked not in numeric:
        state[target.key] = numeric[-1]
    chosen = st.selectbox(target.label, numeric, key=target.key, help=typeset(target.help))
    others = [name for name in numeric if name != chosen]
    dropped = [name for name in state.get(features.key, []) if name not in numeric]
    state[features.key] = [name for name in state.get(features.key, []) if name in others]
    named = st.multiselect(
        features.label, others, key=features.key, help=typeset(features.help), placeholder="all others"
    )
    _note_changes(sheet, asked if asked not in numeric else None, dropped, (sheet.reading, chosen, *named))
    return chosen, tuple(named or others)


def _note_changes(sheet: tables.Sheet, target: str | None, dropped: list[str], choice: tuple[str, ...]) -> None:
    """Say which columns were asked for that the sheet does not have, until another choice is made."""
    state = st.session_state
    lost = [*([target] if target else []), *dropped]
    if lost:
        names = ", ".join(f"'{name}'" for name in lost)
        instead = f" '{choice[1]}' is predicted." if target else ""
        state["columns_lost"] = choice, f"{sheet.name} has no usable column {names}.{instead}"
    told_for, note = state.get("columns_lost", (None, ""))
    if note and told_for == choice:
        later = " A file that is chosen later is asked again." if "columns_for_file" in state else ""
        st.warning(plain(note + later))
    else:
        state.pop("columns_lost", None)
