"""One widget for each setting, bound to the link, and the repair of links that ask for what cannot be."""

import math
from bisect import bisect_left
from functools import cache

import streamlit as st

from looped.fields import FIELDS, TABLES
from looped.settings import DEFAULTS, Settings
from pages.ui.parts import plain

NUMBER_WIDTH = 112  # pixels; up to 120 a number input leaves out its − and + buttons
STOPS = 41  # places of a logarithmic slider


def number(name: str, *, unused: str = "") -> None:
    """A number for the setting `name` and, where its range spans decades, a logarithmic slider that only sets it.

    Args:
        name: of the setting.
        unused: why the number has no effect now; the control is drawn grey with this as its help.
    """
    field, default = FIELDS[name], DEFAULTS[name]
    whole = field.kind == "whole"
    kind = int if whole else float
    with st.container(horizontal=True, vertical_alignment="bottom", wrap=False):
        value = st.number_input(
            field.label, kind(field.low), kind(field.high), default, key=field.key, bind="query-params",
            step=1 if whole else 0.1, format="%d" if whole else "%g", help=unused or field.help,
            width=NUMBER_WIDTH if field.log else "stretch", disabled=bool(unused),
        )  # fmt: skip
        if not field.log:
            return
        key = f"{field.key}_slider"
        if st.session_state.get(key) != (stop := _nearest_stop(name, value)):
            st.session_state[key] = stop
        st.select_slider(
            f"{field.label} (slider)", _stops(name), key=key, format_func=lambda stop: f"{stop:g}",
            label_visibility="collapsed", on_change=_set_from_slider, args=(field.key,), disabled=bool(unused),
        )  # fmt: skip


def choice(name: str) -> None:
    """A list of choices for the setting `name`."""
    field = FIELDS[name]
    st.selectbox(
        field.label, field.choices, field.choices.index(DEFAULTS[name]), key=field.key, help=field.help,
        bind="query-params",
    )  # fmt: skip


def switch(name: str) -> None:
    """On or off for the setting `name`."""
    field = FIELDS[name]
    st.toggle(field.label, DEFAULTS[name], key=field.key, help=field.help, bind="query-params")


def step_size() -> None:
    """The step size: one of its two names, or any number typed in."""
    field = FIELDS["step_size"]
    now = str(st.session_state.get(field.key, st.query_params.get(field.key, "auto")))
    names = ("auto", "optimal")
    st.selectbox(
        field.label, names if now in names else (*names, now), 0, key=field.key,
        help=f"{field.help} Type a number to set it.", accept_new_options=True, bind="query-params",
    )  # fmt: skip


def columns(numeric: list[str]) -> tuple[str, tuple[str, ...]]:
    """Target and features among the numeric columns of a table; no features chosen means all others."""
    state, (target, features) = st.session_state, (FIELDS["target"], FIELDS["feature_columns"])
    for field in (target, features):  # a link may name them
        if field.key not in state and field.key in st.query_params:
            state[field.key] = field.read(st.query_params[field.key])
    if state.get(target.key) not in numeric:
        state[target.key] = numeric[-1]
    chosen = st.selectbox(target.label, numeric, key=target.key, help=target.help)
    others = [name for name in numeric if name != chosen]
    state[features.key] = [name for name in state.get(features.key, []) if name in others]
    named = st.multiselect(features.label, others, key=features.key, help=features.help, placeholder="all others")
    return chosen, tuple(named or others)


def read() -> tuple[Settings, list[str]]:
    """The settings that the widgets show, and a sentence for each value that had to be changed.

    A widget's limits hold in the browser only, so every value is read again here.
    """
    state = st.session_state
    unused = () if state["data"] in TABLES else ("target", "feature_columns")
    fields = [field for name, field in FIELDS.items() if field.key in state and name not in unused]
    settings, rejected = Settings.from_query({field.key: state[field.key] for field in fields})
    return settings, list(rejected.values())


def repair_link() -> None:
    """Put a link right before its widgets are drawn, and remember what was wrong for `show_repairs`.

    A bound widget turns whatever it cannot use into its default and says nothing. So the query is read here first:
    what cannot be used is replaced in the link by the nearest value, and the page runs again.
    """
    state, query = st.session_state, st.query_params
    if "corrected" in state:  # second run of a correction that found its widgets bound already
        state.update(state.pop("corrected"))
        return
    given = {key: query.get_all(key) for key in query}
    settings, rejected = Settings.from_query({key: texts[-1] for key, texts in given.items()})
    known = {field.key: name for name, field in FIELDS.items()}
    usable = {key: FIELDS[name].to_text(getattr(settings, name)) for key, name in known.items()}
    entering, state["link_read"] = "link_read" not in state, True
    repeated = {key for key in known if len(given.get(key, ())) > 1}
    wrong = repeated | set(rejected)
    if entering:  # a widget may not read every spelling of a good number, such as 1e3
        wrong |= {key for key in known if key in given and given[key] != [usable[key]]}
    notes = [rejected[key] for key in given if key in rejected and key not in repeated]
    notes += [f"{key} stands in the link {len(given[key])} times. Using {usable[key]}." for key in sorted(repeated)]
    if entering:
        unknown = [key for key in given if key not in known and key != "v" and not key.startswith("embed")]
        notes += [f"{key} is not a setting of this page. It is left alone." for key in unknown]
    if notes:
        state["repairs"] = [plain(note) for note in notes]
        state.pop("repairs_at", None)
    if not wrong:
        return
    if entering:  # nothing is bound yet: put the link right and let it seed the widgets
        query.from_dict({key: usable[key] if key in wrong else texts for key, texts in given.items()})
    else:  # back or forward to a bad link: a bound key can be set only through its widget, one run later
        state["corrected"] = {key: getattr(settings, known[key]) for key in given if key in known}
    st.rerun()


def show_repairs(settings: Settings) -> None:
    """What the link asked for and did not get, until it is dismissed or a setting changes."""
    state = st.session_state
    if not state.get("repairs"):
        return
    if state.setdefault("repairs_at", settings) != settings:
        _forget_repairs()
        return
    st.warning("\n".join(f"- {note}" for note in state["repairs"]), title="Some values could not be used")
    st.button("Dismiss", on_click=_forget_repairs)


def _forget_repairs() -> None:
    for key in ("repairs", "repairs_at"):
        st.session_state.pop(key, None)


@cache
def _stops(name: str) -> tuple[float, ...]:
    """Evenly spaced in ratio from low to high, two significant digits, the default among them."""
    field = FIELDS[name]
    kind = int if field.kind == "whole" else float
    raw = (field.low * (field.high / field.low) ** (place / (STOPS - 1)) for place in range(STOPS))
    return tuple(sorted({kind(float(f"{value:.2g}")) for value in raw} | {kind(field.high), kind(DEFAULTS[name])}))


def _nearest_stop(name: str, value: float) -> float:
    stops = _stops(name)
    place = bisect_left(stops, value)
    return min(stops[max(place - 1, 0) : place + 1], key=lambda stop: abs(math.log(stop / value)))


def _set_from_slider(key: str) -> None:
    st.session_state[key] = st.session_state[f"{key}_slider"]
