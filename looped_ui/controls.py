"""One widget for each setting of a page, bound to the link."""

import secrets
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from looped.fields import Mark, Measured, SettingsError, stops
from looped_ui.link import Linked, S, short
from looped_ui.parts import plain, typeset
from looped_ui.refused import log_refused
from looped_ui.repairs import tell

NUMBER_WIDTH = 112  # pixels; up to 120 a number input leaves out its − and + buttons
MOST_SHOWN = 16
"""Numbers that were shown in place of a name and are remembered."""
NAMED = (
    "The marks below the slider set it. A mark that follows the data is kept by its name, and the box shows the number "
    "that it comes to."
)
"""Help of a number that may have a name in its place, after the setting's own."""
ZERO = "While this is on, the box shows the number that the run uses. Links, files and the command line have 0 for it."
"""Help of a switch that stands for 0."""


class Controls(Linked[S]):
    """The widgets of one page, made as `Linked`; those of settings that the link's `hide=` names are not drawn."""

    @cached_property
    def sliders(self) -> dict[str, tuple[str, tuple[Any, ...]]]:
        """By key of each slider: the setting, and its value at every place; no place before it is drawn."""
        known: dict[str, tuple[str, tuple[Any, ...]]] = st.session_state.setdefault(f"{self.page}.sliders", {})
        for name, field in self.fields.items():
            if field.log or field.places:
                known.setdefault(f"{field.key}_slider", (name, ()))
        return known

    @cached_property
    def places(self) -> dict[str, tuple[DeltaGenerator, str]]:
        """By setting: where `show_measured` draws, and why the control has no effect; empty where it has one."""
        return {}

    def number(self, name: str, *, unused: str = "", measured: bool = False) -> None:
        """A number for the setting `name` and, where its range spans decades, a logarithmic slider that only sets it.

        Args:
            name: Name of the setting.
            unused: why the number has no effect now; the control is drawn grey with this as its help.
            measured: Whether the run has another value for it then, which `show_measured` draws in its place.
        """
        field, default = self.fields[name], self.defaults[name]
        if field.key in self.hidden:
            return
        kept: AbstractContextManager[object] = nullcontext()
        if unused and measured:
            kept = st.container(key=f"kept_{field.key}")  # out of sight by app.py's style
            self.places[name] = st.container(), typeset(unused)
        whole = field.kind == "whole"  # and yet read as a float: an int would make 1 of 1e3 and 2 of 2.5
        with kept, st.container(horizontal=True, vertical_alignment="bottom", wrap=False):
            value = st.number_input(
                field.label, float(field.low), float(field.high), float(default), key=field.key, bind="query-params",
                step=1.0 if whole else 0.1, format="%.10g", help=typeset(unused or field.help),
                width=NUMBER_WIDTH if field.log else "stretch", disabled=bool(unused),
            )  # fmt: skip
            self.settle(name)
            if field.log:
                self._slider(name, value, stops(field.low, field.high, default, whole), disabled=bool(unused))

    def _slider(self, name: str, value: float, places: tuple[float, ...], *, disabled: bool = False) -> None:
        """A slider that only sets the number beside it, with the given places and one for that number."""
        field, state = self.fields[name], st.session_state
        key = f"{field.key}_slider"
        if value not in places:  # a stop of its own, which stays until there is another such number
            state[f"{key}_typed"] = value
        places = tuple(sorted({*places, state.get(f"{key}_typed", value)}))
        self.sliders[key] = name, tuple(int(stop) if field.kind == "whole" else stop for stop in places)
        if state.get(key) != value:
            state[key] = value
        # Its value is given as well: a browser that misses what the state says falls back to it and reports it.
        st.select_slider(
            f"{field.label} (slider)", places, value, key=key, format_func=_written,
            label_visibility="collapsed", on_change=self._take, args=(name, key), disabled=disabled,
        )  # fmt: skip

    def named(self, name: str) -> None:
        """A number for the setting `name`, or one of its names or 0, which stand for a number that a run finds.

        The link is kept in step here: a bound number input cannot hold a name. `show_measured` draws it, when that
        number is known.
        """
        self.follow_link(name)
        self.named_now.add(name)
        if self.fields[name].key not in self.hidden:
            self.places[name] = st.container(gap="xsmall"), ""

    def show_measured(self, values: Mapping[str, Measured]) -> None:
        """Draw the controls that show what a run makes of their setting; a dash where it is not known.

        Args:
            values: what the run makes of settings, by name.
        """
        for name, (place, why) in self.places.items():
            field, known = self.fields[name], values.get(name)
            with place:
                if field.kind == "step":
                    self._number_or_mark(name, known)
                elif field.zero:
                    self._number_or_zero(name, known)
                else:
                    digits = 10 if field.kind == "whole" else 4
                    text = f"{known.value:.{digits}g}" if known else "–"
                    key = f"{field.key}_measured"
                    st.session_state[key] = text
                    st.text_input(field.label, text, key=key, help=why, disabled=True, width=NUMBER_WIDTH)
                    if known and known.spread:
                        st.caption(known.spread)

    def _number_or_mark(self, name: str, known: Measured | None) -> None:
        """A number box with a slider and the marks of a setting; while it has a name, with the number of the run."""
        field, chosen = self.fields[name], st.session_state[self.fields[name].key]
        value: float | None = None
        if not isinstance(chosen, str):
            value = chosen
        elif known:
            value = float(f"{known.value:.4g}")
            st.session_state[f"{field.key}_shown"] = (*st.session_state.get(f"{field.key}_shown", ()), value)[
                -MOST_SHOWN:
            ]
        with st.container(horizontal=True, vertical_alignment="bottom", wrap=False):
            self._box(name, value, f"{field.help} {NAMED}")
            if value is not None:
                self._slider(name, value, field.places)
        marks = {mark.label: mark for mark in (known.marks if known else field.marks)}
        key = f"{field.key}_marks"
        st.session_state[key] = next((label for label, mark in marks.items() if mark.value == chosen), None)
        st.pills(
            f"{field.label} (marks)", list(marks), key=key, label_visibility="collapsed", required=True,
            on_change=self._take_mark, args=(name, marks),
        )  # fmt: skip
        if known and known.spread and isinstance(chosen, str):
            st.caption(known.spread)

    def _number_or_zero(self, name: str, known: Measured | None) -> None:
        """A number box with a switch that stands for 0; while it is on, with the number of the run."""
        field, chosen = self.fields[name], st.session_state[self.fields[name].key]
        in_use, key = known.value if known else None, f"{field.key}_zero"
        with st.container(horizontal=True, vertical_alignment="bottom", wrap=False):
            self._box(name, chosen or in_use, field.help, disabled=not chosen)
            st.session_state[key] = not chosen
            st.toggle(
                field.zero, not chosen, key=key, help=ZERO, on_change=self._take_zero,
                args=(name, in_use or field.high),
            )  # fmt: skip

    def _box(self, name: str, value: float | None, explanation: str, *, disabled: bool = False) -> None:
        """The number box of a setting that is not bound to the link."""
        field = self.fields[name]
        key = f"{field.key}_number"
        value = None if value is None else float(value)
        st.session_state[key] = value
        whole = field.kind == "whole"
        st.number_input(
            field.label, float(whole), float(field.high), value, key=key, step=1.0 if whole else 0.1, format="%.10g",
            help=typeset(explanation), width=NUMBER_WIDTH, disabled=disabled, placeholder="–",
            on_change=self._take, args=(name, key),
        )  # fmt: skip

    def _take(self, name: str, key: str) -> None:
        """Set the number of a box or a slider, or the nearest that can be used, with a sentence."""
        field, value = self.fields[name], short(st.session_state[key])
        if value is None:  # an emptied box keeps its number
            return
        if isinstance(st.session_state.get(field.key), str) and value in st.session_state.get(f"{field.key}_shown", ()):
            return  # a busy browser reports what was shown for the name before
        if self.by_hand(name):
            try:
                field.read(value)
            except SettingsError as error:
                log_refused("widget", field.key, value)
                value = field.nearest(value, self.defaults[name])
                tell([plain(f"{error} Using {field.to_text(value)}.")])
        self.set({name: value})

    def _take_mark(self, name: str, marks: Mapping[str, Mark]) -> None:
        """Set what the chosen mark stands for; a forged message may choose none."""
        if mark := marks.get(st.session_state[f"{self.fields[name].key}_marks"]):
            self.set({name: mark.value})

    def _take_zero(self, name: str, start: float) -> None:
        """Set 0, or the number to begin with."""
        self.set({name: 0 if st.session_state[f"{self.fields[name].key}_zero"] else int(start)})

    def choice(self, name: str, *, unused: str = "") -> None:
        """A list of choices for the setting `name`; grey, with `unused` as its help, if it has no effect now.

        A bound widget would write labels into the link, so the link is kept in step here and holds ids.
        """
        field = self.fields[name]
        if field.key in self.hidden:
            return
        self.follow_link(name)
        st.selectbox(
            field.label, field.ids, field.ids.index(st.session_state[field.key]), key=field.key,
            format_func=field.label_of, persist_state="page",
            help=typeset(unused or field.page_help), disabled=bool(unused),
        )  # fmt: skip

    def switch(self, name: str) -> None:
        """On or off for the setting `name`."""
        field = self.fields[name]
        if field.key not in self.hidden:
            st.toggle(field.label, self.defaults[name], key=field.key, help=typeset(field.help), bind="query-params")
            self.settle(name)

    def text(self, name: str) -> None:
        """A line of text for the setting `name`, such as numbers with commas between them."""
        field = self.fields[name]
        if field.key not in self.hidden:
            default = field.to_text(self.defaults[name])
            st.text_input(field.label, default, key=field.key, help=typeset(field.help), bind="query-params")

    def group(self, title: str, *names: str, expanded: bool = False, uploads: bool = False) -> DeltaGenerator:
        """A panel for the controls of these settings; no box around nothing, where the link hides them all.

        Args:
            title: what it says when it is closed.
            names: Names of the settings.
            expanded: whether it opens at first.
            uploads: whether a file can be chosen in it as well.
        """
        seen = (uploads and self.takes_files) or any(self.fields[name].key not in self.hidden for name in names)
        return st.expander(title, expanded=expanded) if seen else st.container()

    def reset_button(self) -> None:
        """The button that resets all controls; none where the link hides all that it would set."""
        if not {"lesson", *(field.key for field in self.fields.values())} <= self.hidden:
            st.button("Reset to defaults", on_click=self.reset)

    def seed(self) -> None:
        """The seed, with a button that draws another one."""
        self.number("seed")
        if self.fields["seed"].key not in self.hidden:
            st.button("New seed", key="new_seed", on_click=self._new_seed)

    def _new_seed(self) -> None:
        self.set({"seed": secrets.randbelow(10_000)})


def _written(stop: float | None) -> str:
    """A place of a slider as the browser names it; a forged message may say None."""
    return "" if stop is None else f"{stop:g}"
