"""Controls for real data: a file, a target column and feature columns."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import streamlit as st

from looped import tables
from looped.dialects import Dialect
from looped.fields import SettingsError
from looped.settings import FIELDS
from looped_ui import backend
from looped_ui.parts import plain, typeset
from looped_ui.refused import log_refused

MOST_NAMED = 5
"""Largest number of columns named in a sentence; the others are only counted."""
TARGET, FEATURES = FIELDS["target"], FIELDS["feature_columns"]


class Chosen(NamedTuple):
    """The table that is shown, and notes on the choice of it."""

    table: tables.Table | None
    refused: str
    """Why a file or a choice of columns could not be used, and what is shown instead; Markdown, as the next three."""
    missing: str
    """That no file is chosen, and what is shown instead."""
    changed: str
    """Requested columns that are not used, and what is used instead."""
    left_out: str
    """Columns of the file that cannot be used."""
    for_file: dict[str, Any]
    """The columns that the link names for a file that is not there yet, by name of the setting."""
    address: dict[str, str]
    """The columns that the link has to name, by its key; an empty text for none."""

    def show_notes(self) -> None:
        """Draw the notes on the table at the top of the page."""
        for box, note in ((st.error, self.refused), (st.info, self.missing), (st.warning, self.changed)):
            if note:
                box(note)
        if self.left_out:
            st.caption(self.left_out)


def set_address(chosen: Chosen | None) -> None:
    """Let the address name the columns that are shown, if any; after all widgets, which write into it as well."""
    for key, text in chosen.address.items() if chosen else ((TARGET.key, ""), (FEATURES.key, "")):
        if text and st.query_params.get(key) != text:
            st.query_params[key] = text
        elif not text and key in st.query_params:
            del st.query_params[key]


def choose_table(data: str) -> Chosen:
    """The uploaded CSV or the diabetes data, with target and features chosen; the last good table if that fails."""
    state, own = st.session_state, data == "csv"
    sheet, refused, missing = _uploaded_sheet() if own else (backend.sheet("diabetes"), "", "")
    waiting = own and not sheet.digest
    for_file = _columns_for_file(waiting) if own else {}
    if for_file:
        names = " and ".join(f"{f.key} = {f.to_text(for_file[f.name])}" for f in (TARGET, FEATURES) if for_file[f.name])
        missing += (
            " The link is about a file of your own, which it cannot carry: upload that under *Data*, and "
            f"{plain(names)} will be used."
        )
    elif waiting and missing:
        missing += " Choose a CSV file under *Data*."
    target, columns, changed = _columns(sheet)
    named = TARGET.key in st.query_params or target != sheet.numeric[-1]
    shown = {"target": target if named else "", "feature_columns": columns}
    address = {f.key: f.to_text(for_file[f.name] if for_file else shown[f.name]) for f in (TARGET, FEATURES)}
    try:
        features = columns or tuple(name for name in sheet.numeric if name != target)
        state["table"] = tables.choose(sheet, target, features)
    except SettingsError as error:
        last = state.get("table")
        instead = f" The last choice, '{last.target}' of {last.name}, is shown instead." if last else ""
        refused, address = plain(f"{error}{instead}"), {}
    left_out = _left_out(sheet) if own else ""
    return Chosen(state.get("table"), refused, missing.strip(), changed, left_out, for_file, address)


def _uploaded_sheet() -> tuple[tables.Sheet, str, str]:
    """The last good file, the diabetes data until there is one; why the chosen one is refused; that none is chosen."""
    upload = st.file_uploader(
        "CSV file", "csv", max_upload_size=tables.MAX_BYTES // 1024**2,
        help=f"Column names in the first line, numbers below. Up to {tables.MAX_ROWS:,} rows, {tables.MAX_COLUMNS:,} "
        f"columns and {tables.MAX_BYTES // 1024**2} MiB: all of it must fit one run.",
    )  # fmt: skip
    dialect, refusal = _dialect(), ""
    if upload is not None:
        try:
            st.session_state["sheet"] = backend.sheet("csv", upload.file_id, dialect, upload.getvalue(), upload.name)
        except SettingsError as error:
            refusal = str(error)
            log_refused("upload", error.field, f"{upload.size} bytes")
    sheet: tables.Sheet = st.session_state.get("sheet") or backend.sheet("diabetes")
    if sheet.reading:
        st.caption(f"{plain(sheet.name)} is read as {plain(sheet.reading)}.")
    if left_out := _left_out(sheet):
        st.caption(left_out)
    if upload is None:
        return sheet, "", f"No file is chosen: {plain(sheet.name)} is shown."
    refused = f"{upload.name} could not be read: {refusal} {sheet.name} is shown instead."
    return sheet, plain(refused) if refusal else "", ""


def _left_out(sheet: tables.Sheet) -> str:
    """The columns that cannot be used, with the reason, in one line; nothing where all can be."""
    reasons = [f"{name} {trouble}" for name, trouble in sheet.troubles.items()]
    more = f"; and {len(reasons) - MOST_NAMED} more" if len(reasons) > MOST_NAMED else ""
    return plain(f"Left out of {sheet.name}: {'; '.join(reasons[:MOST_NAMED])}{more}.") if reasons else ""


def _dialect() -> Dialect:
    """The dialect of the file, as far as it is given."""
    with st.popover("File format", help="Set what was guessed wrong about the file.", width="stretch"):
        told = {
            name: st.selectbox(field.label, field.ids, key=f"csv_{field.key}", help=field.help)
            for name, field in Dialect.table.items()
        }
    return Dialect(**told)


def _columns_for_file(waiting: bool) -> dict[str, Any]:
    """The columns that the link names for a file: kept while another table stands in, chosen when the file is there."""
    state = st.session_state
    if not waiting:
        if (kept := state.pop("columns_for_file", None)) is not None:  # the choice so far was one for the stand-in
            state[TARGET.key], state[FEATURES.key] = kept.get("target", ""), list(kept.get("feature_columns", ()))
        return {}
    if "columns_for_file" not in state:
        state["columns_for_file"] = {}
        if "table" not in state and {TARGET.key, FEATURES.key} & set(st.query_params):
            linked = {field.name: field.read(st.query_params.get(field.key, "")) for field in (TARGET, FEATURES)}
            state["columns_for_file"] = linked if any(linked.values()) else {}
            state[TARGET.key], state[FEATURES.key] = "", []
    return dict(state["columns_for_file"])


def _columns(sheet: tables.Sheet) -> tuple[str, tuple[str, ...], str]:
    """Target and named features among the numeric columns of a sheet, and a sentence about those that cannot be used.

    No features named means all others.
    """
    state, numeric = st.session_state, sheet.numeric
    for field in (TARGET, FEATURES):  # a link may name them
        if field.key not in state and field.key in st.query_params:
            state[field.key] = field.read(st.query_params[field.key])
    asked, wanted = state.get(TARGET.key), list(state.get(FEATURES.key, []))
    if asked not in numeric:
        state[TARGET.key] = numeric[-1]
    place = numeric.index(state[TARGET.key])  # for a browser that misses what the state says
    chosen = st.selectbox(TARGET.label, numeric, place, key=TARGET.key, help=typeset(TARGET.help))
    others = [name for name in numeric if name != chosen]
    state[FEATURES.key] = [name for name in dict.fromkeys(wanted) if name in others]
    named = st.multiselect(
        FEATURES.label, others, state[FEATURES.key], key=FEATURES.key, help=typeset(FEATURES.help),
        placeholder="all others",
    )  # fmt: skip
    reasons = []
    if lost := [name for name in dict.fromkeys((asked, *wanted)) if name and name not in numeric]:
        reasons.append(f"{sheet.name} has no usable column {_quoted(lost)}")
    if chosen in wanted:
        reasons.append(f"'{chosen}' is the target and so left out of the features")
    if twice := [name for name in dict.fromkeys(wanted) if name in others and wanted.count(name) > 1]:
        reasons.append(f"features named more than once are used once ({_quoted(twice)})")
    return chosen, tuple(named), _until_next_choice("; ".join(reasons), sheet, chosen, named)


def _until_next_choice(reasons: str, sheet: tables.Sheet, target: str, features: Sequence[str]) -> str:
    """The sentence on the columns that cannot be used and what is used instead, until another choice is made."""
    state, choice = st.session_state, (sheet.name, sheet.digest, sheet.reading, target, *features)
    if reasons:
        source = _quoted(features) if features else "all other columns"
        state["columns_changed"] = choice, plain(f"{reasons}: '{target}' is predicted from {source}.")
    told_for, note = state.get("columns_changed", (None, ""))
    if told_for != choice:
        state.pop("columns_changed", None)
    return note if told_for == choice else ""


def _quoted(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(f"'{name}'" for name in names[:MOST_NAMED]) + more
