"""One widget for each setting, bound to the link, and the repair of links with unusable values."""

import re
import secrets
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Generic, TypeVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.state.session_state_proxy import get_session_state

from looped.fields import READ_AS_POINT, Field, Mark, Measured, SettingsError
from looped.fields import stops as _stops
from looped.settings import LINK_VERSION, CheckedSettings
from looped_ui.parts import plain, typeset
from looped_ui.typing import misread

NUMBER_WIDTH = 112  # pixels; up to 120 a number input leaves out its − and + buttons
S = TypeVar("S", bound=CheckedSettings)
OWN = ("v", "lesson", "default", "hide", "predict", "embed", "embed_options", "present")
"""Parameters of a link that are not settings."""
MOST_SHOWN = 16
"""Numbers that were shown in place of a name and are remembered."""
SWITCH = "true|false"
DISPLAY = {
    "log_t": (SWITCH, ""), "modes": (SWITCH, ""), "inside": (SWITCH, ""), "prompt": ("[1-9][0-9]{0,3}", "1"),
    "tolerance": ("1e-(0?[1-9]|1[0-2])", "1e-03"), "statistic": ("mean|median|99.9 %", "median"),
    "guess": (r"\d{1,4}(\.\d)?(,\d{1,4}(\.\d)?){0,2}", ""), "hold": (".+", ""),
    "view": (r"[\w/κ ]{1,60}", "Error against n/d"), "against": ("s|M|σ", "s"), "layer": ("Layer [1-9]", "Layer 1"),
    "write": ("Append|Overwrite", "Append"),
}  # fmt: skip
"""Parameters that change what is shown of a result and not the result: what each may be, and what it usually is."""
MISREAD = {
    "comma": f"{READ_AS_POINT}. Using",
    "no number": "what was typed is not a number. Keeping",
    "two ways": "what was typed can be read in two ways; write digits and one decimal point. Keeping",
}
"""The note on a number box whose text was changed, before the number it became."""
NAMED = (
    "The marks below the slider set it. A mark that follows the data is kept by its name, and the box shows the number "
    "that it comes to."
)
"""Help of a number that may have a name in its place, after the setting's own."""
ZERO = "On is 0 in links, files and on the command line. The box shows the number that comes of it."
"""Help of a switch that stands for 0."""


class Controls(Generic[S]):
    """The controls of one page.

    A control that the link's `hide=` names is not drawn; its value is then the link's.

    Args:
        page: its name, as in its address.
        settings: Class of the settings that the controls set.
        lessons: settings by name of the lesson that a link may ask for; what else the link says comes on top.
        opening: the lesson of an address that asks for nothing.
    """

    def __init__(
        self,
        page: str,
        settings: type[S],
        lessons: Mapping[str, Mapping[str, Any]] | None = None,
        opening: str = "",
    ) -> None:
        self.page, self.opening = page, opening
        self.settings = settings
        self.fields: dict[str, Field] = settings.table
        self.defaults = settings.defaults()
        self.lessons = lessons or {}
        self.now = settings()
        """What the page was last read to show."""
        self.shown: S | None = None
        """What the page shows already in this run; None while that is nothing."""
        self.sliders: dict[str, tuple[str, tuple[Any, ...]]] = st.session_state.setdefault(f"{page}.sliders", {})
        """By key of each slider: the setting, and its value at every place; no place before it is drawn."""
        for name, field in self.fields.items():
            if field.log or field.places:
                self.sliders.setdefault(f"{field.key}_slider", (name, ()))
        self.places: dict[str, tuple[DeltaGenerator, str]] = {}
        """By setting: where `show_measured` draws, and why the control has no effect; empty where it has one."""
        self.named_now: set[str] = set()
        """Settings for which this run has called `named`."""
        self.hidden = frozenset(st.query_params.get("hide", "").split(","))
        self.asked: str | None = None
        """The lesson that the address newly asks for, empty if for none; None while it asks for nothing new."""
        self.to_guess = False
        """Whether the question of the lesson on the page waits for a guess."""

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
            self._settle(name)
            if field.log:
                self._slider(name, value, _stops(field.low, field.high, default, whole), disabled=bool(unused))

    def _slider(self, name: str, value: float, stops: tuple[float, ...], *, disabled: bool = False) -> None:
        """A slider that only sets the number beside it, with a place for each of the stops and for that number."""
        field, state = self.fields[name], st.session_state
        key = f"{field.key}_slider"
        if value not in stops:  # a stop of its own, which stays until there is another such number
            state[f"{key}_typed"] = value
        stops = tuple(sorted({*stops, state.get(f"{key}_typed", value)}))
        self.sliders[key] = name, tuple(int(stop) if field.kind == "whole" else stop for stop in stops)
        if state.get(key) != value:
            state[key] = value
        # Its value is given as well: a browser that misses what the state says falls back to it and reports it.
        st.select_slider(
            f"{field.label} (slider)", stops, value, key=key, format_func=lambda stop: f"{stop:g}",
            label_visibility="collapsed", on_change=self._take, args=(name, key), disabled=disabled,
        )  # fmt: skip

    def named(self, name: str) -> None:
        """A number for the setting `name`, or one of its names or 0, which stand for a number that a run finds.

        The link is kept in step here: a bound number input cannot hold a name. `show_measured` draws it, when that
        number is known.
        """
        self._follow_link(name)
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
        field, value = self.fields[name], _short(st.session_state[key])
        if value is None:  # an emptied box keeps its number
            return
        if isinstance(st.session_state.get(field.key), str) and value in st.session_state.get(f"{field.key}_shown", ()):
            return  # a busy browser reports what was shown for the name before
        if self._by_hand(name):
            try:
                field.read(value)
            except SettingsError as error:
                value = field.nearest(value, self.defaults[name])
                tell([plain(f"{error} Using {field.to_text(value)}.")])
        self.set({name: value})

    def _take_mark(self, name: str, marks: Mapping[str, Mark]) -> None:
        """Set what the chosen mark stands for."""
        self.set({name: marks[st.session_state[f"{self.fields[name].key}_marks"]].value})

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
        self._follow_link(name)
        st.selectbox(
            field.label, field.ids, field.ids.index(st.session_state[field.key]), key=field.key,
            format_func=field.label_of, persist_state="page",
            help=typeset(unused or field.page_help), disabled=bool(unused),
        )  # fmt: skip

    def _follow_link(self, name: str) -> None:
        """Keep a setting without a bound widget and its parameter in step: a link that changed since the last run wins.

        What cannot be used, `repair_link` has replaced.
        """
        state, query, field = st.session_state, st.query_params, self.fields[name]
        default = field.to_text(self.defaults[name])
        linked = query.get(field.key, default)
        if linked != state.get(f"{field.key}_in_link", default):
            state[field.key] = getattr(self.settings.from_query({field.key: linked})[0], name)
        try:
            field.read(state.setdefault(field.key, self.defaults[name]))
        except SettingsError:  # no browser sends that
            state[field.key] = self.defaults[name]
        chosen = field.to_text(state[field.key])
        if chosen != linked and chosen == default:
            del query[field.key]
        elif chosen != linked:
            query[field.key] = chosen
        state[f"{field.key}_in_link"] = chosen

    def switch(self, name: str) -> None:
        """On or off for the setting `name`."""
        field = self.fields[name]
        if field.key not in self.hidden:
            st.toggle(field.label, self.defaults[name], key=field.key, help=typeset(field.help), bind="query-params")
            self._settle(name)

    def text(self, name: str) -> None:
        """A line of text for the setting `name`, such as numbers with commas between them."""
        field = self.fields[name]
        if field.key not in self.hidden:
            default = field.to_text(self.defaults[name])
            st.text_input(field.label, default, key=field.key, help=typeset(field.help), bind="query-params")

    def _settle(self, name: str) -> None:
        """Set a redrawn widget, which starts from its link, to the value that was set while it was not drawn."""
        late = st.session_state.get("late", {})
        if name in late:
            st.session_state["corrected"] = {name: late.pop(name)}
            st.rerun()

    def value(self, name: str) -> Any:
        """The value that is set for `name` now, whether its control is drawn or hidden."""
        field = self.fields[name]
        if field.key in self.hidden or field.key not in st.session_state:
            return getattr(self.settings.from_query(st.query_params.to_dict())[0], name)
        return st.session_state[field.key]

    def replace(self, name: str, value: Any, why: str) -> None:
        """Set a widget that is not drawn yet to another value; `show_repairs` says why."""
        state, field = st.session_state, self.fields[name]
        before = [] if "repairs_at" in state else state.get("repairs", [])
        tell([*before, plain(why)])
        if field.key in state:
            self.set({name: value})
        else:  # the widget takes its first value from the link
            st.query_params[field.key] = field.to_text(value)
            st.rerun()

    def read(self, without: tuple[str, ...] = ()) -> tuple[S, list[str]]:
        """The settings that the widgets show, and a sentence for each value that had to be changed.

        A widget's limits hold in the browser only, so every value is read again here.

        Args:
            without: settings that stay at their defaults.
        """
        state, query = st.session_state, st.query_params
        given = self._given(without)
        state[f"{self.page}.named"] = self.named_now
        settings, rejected = self.settings.from_query(given)
        if self.shown not in (None, settings):  # drawing the controls changed them
            state[f"{self.page}.changed"] = True
            st.rerun()
        state[f"{self.page}.last"], state[f"{self.page}.read"] = settings, given.keys()
        self.now = settings
        if self.opening and not query and settings == self.settings():  # an empty address would open a lesson
            query["v"] = str(LINK_VERSION)
        return settings, list(rejected.values())

    def at_once(self, without: tuple[str, ...] = ()) -> S | None:
        """What `read` is going to give, before the controls are drawn; None where only drawing them tells.

        So the main picture of a page can come first after a move.
        """
        state, given = st.session_state, self._given(without)
        changed, read = state.pop(f"{self.page}.changed", False), state.get(f"{self.page}.read")
        if changed or self.asked is not None or given.keys() != read or st.query_params.get("predict") == "1":
            return None
        self.shown, _ = self.settings.from_query(given)
        return self.shown

    def _given(self, without: tuple[str, ...]) -> dict[str, Any]:
        """The values of the link or the widgets by their keys."""
        state, query = st.session_state, st.query_params
        given: dict[str, Any] = {}
        drawn = self.named_now | state.get(f"{self.page}.named", set())  # as Streamlit keeps a widget for one run more
        for name, field in self.fields.items():
            if name in without or (field.automatic and name not in drawn):
                continue
            if field.key in self.hidden and field.key in query:
                given[field.key] = query[field.key]
            elif field.key in state:
                given[field.key] = state[field.key]
        return given

    def _note_misread(self, settings: S) -> None:
        """A sentence for `show_repairs` about a number that is not what was typed."""
        with st.sidebar:
            found = misread()
        if found is None:
            return
        key, what = found
        for name, field in self.fields.items():
            if key in (field.key, f"{field.key}_number"):
                note = f"{field.key}: {MISREAD[what]} {field.to_text(getattr(settings, name))}."
                tell([plain(note)])

    def set(self, changes: Mapping[str, Any]) -> None:
        """Put values by name of the setting into the widgets; for callbacks, before the widgets are drawn."""
        late = st.session_state.setdefault("late", {})
        for name, value in changes.items():
            field = self.fields[name]
            if self._by_hand(name):
                default = field.to_text(self.defaults[name])
                st.session_state[f"{field.key}_in_link"] = st.query_params.get(field.key, default)
            elif name in late or (field.key in st.query_params and field.key not in st.session_state):
                late[name] = value
            if field.kind == "numbers":
                value = field.to_text(value)
            st.session_state[field.key] = value if field.kind == "step" else _short(value)

    def _by_hand(self, name: str) -> bool:
        """Whether the link of the setting `name` is kept in step here, and not by a bound widget."""
        field = self.fields[name]
        return field.kind == "choice" or field.automatic

    def seed(self) -> None:
        """The seed, with a button that draws another one."""
        self.number("seed")
        if self.fields["seed"].key not in self.hidden:
            st.button("New seed", key="new_seed", on_click=self._new_seed)

    def _new_seed(self) -> None:
        self.set({"seed": secrets.randbelow(10_000)})

    def reset(self) -> None:
        """Set every control to its default, and the lesson to that of the defaults, unless the link hides them."""
        values = {name: value for name, value in self.defaults.items() if self.fields[name].key not in self.hidden}
        fixed = st.query_params.get("lesson", "") if "lesson" in self.hidden else ""
        self._set_all(values, fixed)
        if not fixed:
            st.session_state.pop(f"{self.page}.lesson", None)

    def set_lesson(self, lesson: str) -> None:
        """Set what a lesson sets, and all else to its default; for callbacks, before the widgets are drawn."""
        self._set_all({**self.defaults, **self.lessons[lesson]}, lesson)

    def _set_all(self, values: Mapping[str, Any], lesson: str) -> None:
        """Put values into the widgets, and with the lesson into the address.

        Widgets would write the address one by one, each with an entry of its own in the browser's history.
        """
        state = st.session_state
        self.set(values)
        with get_session_state().query_params() as query:
            for key in ("lesson", "default"):
                query.discard_param_no_forward_msg(key)
            for name, value in values.items():
                field = self.fields[name]
                if self._by_hand(name):
                    state[f"{field.key}_in_link"] = field.to_text(value)
                if value == self.defaults[name]:
                    query.discard_param_no_forward_msg(field.key)
                else:
                    query.set_with_no_forward_msg(field.key, field.to_text(value))
        st.query_params.update({"lesson": lesson} if lesson else {})

    def repair_link(self) -> None:
        """Correct a link before its widgets are drawn, and remember what was wrong for `show_repairs`.

        A bound widget turns whatever it cannot use into its default and says nothing. So the query is read here
        first: what cannot be used is replaced in the link by the nearest value, and the page runs again. Coming from
        another page, where Streamlit drops that page's parameters, the page's own last settings return.
        """
        state, query = st.session_state, st.query_params
        if "corrected" in state:  # second run of a correction that found its widgets bound already
            self.set(state.pop("corrected"))
            return
        given = {key: query.get_all(key) for key in query}
        known = {field.key: name for name, field in self.fields.items()}
        before, state["page"] = state.get("page"), self.page
        entering = before != self.page
        link, seen = query.get("lesson", ""), f"{self.page}.lesson_in_link"
        if entering and before is None and given.keys() <= {"embed", "embed_options", "present"}:
            link = self.opening
        carried = entering and before is not None and link in ("", state.get(f"{before}.lesson_in_link"))
        if carried and not known.keys() & given.keys():
            last = state.get(f"{self.page}.last")
            state.setdefault(seen, "")
            self._set_all(
                self.defaults if last is None else {name: getattr(last, name) for name in self.fields}, state[seen]
            )
            return
        if entering and before is not None:  # that page may have kept a number by hand, under a name of this one
            for name, field in self.fields.items():
                if not self._by_hand(name):
                    state.pop(field.key, None)
        if carried and link:  # it came along from the page that was left
            state[seen] = link
        self.asked = None if state.get(seen) == link else link
        texts = {key: values[-1] for key, values in given.items()}
        lesson = self.lessons.get(self.asked or "", {}) if entering else {}
        preset = {self.fields[name].key: self.fields[name].to_text(value) for name, value in lesson.items()}
        for key in texts.get("default", "").split(","):
            preset.pop(key, None)
        asked = preset | texts
        settings, rejected = self.settings.from_query(asked)
        usable = {key: self.fields[name].to_text(getattr(settings, name)) for key, name in known.items()}
        repeated = {key for key in known if len(given.get(key, ())) > 1}
        wrong = repeated | set(rejected) | {key for key in asked.keys() - given.keys() if key in known}
        if entering:  # a widget may not read every spelling of a good number, such as 1e3
            wrong |= {key for key in known if key in given and given[key] != [usable[key]]}
        notes = [rejected[key] for key in given if key in rejected and key not in repeated]
        notes += [f"{key} is in the link {len(given[key])} times. Using {usable[key]}." for key in sorted(repeated)]
        if entering:
            unknown = [key for key in given if key not in known and key not in (*OWN, *DISPLAY)]
            notes += [f"{key} is not a setting of this page. It is ignored." for key in unknown]
            notes += self._foreign(texts)
        if notes:
            tell([plain(note) for note in notes])
        if not wrong:
            return
        if entering and before is None:  # nothing is bound yet: put the link right and let it seed the widgets
            query.from_dict({key: usable[key] if key in wrong else given[key] for key in {**given, **asked}})
        else:  # a bound key can be set only through its widget, one run later
            state["corrected"] = {known[key]: getattr(settings, known[key]) for key in asked if key in known}
        st.rerun()

    def _foreign(self, texts: Mapping[str, str]) -> list[str]:
        """Sentences about a link version, a lesson, a display or hidden controls that do not exist here."""
        notes = []
        version, lesson = texts.get("v", ""), self.asked
        ours = str(LINK_VERSION)
        if version and version != ours:
            notes.append(f"v = {version} differs from the link version {ours}: some values may mean something else.")
        if lesson and lesson not in self.lessons:
            notes.append(f"lesson = {lesson} does not exist here. Choose one from the list.")
        own = {field.key for field in self.fields.values()}
        for key, (pattern, _) in DISPLAY.items():
            if key in texts and key not in own and not re.fullmatch(pattern, texts[key]):
                notes.append(f"{key} = {texts[key]} cannot be used. Its usual value is shown.")
        notes += [f"hide = {key} names no control of this page." for key in sorted(self.hidden - own - {"lesson", ""})]
        return notes

    def show_repairs(self, settings: S) -> None:
        """Show which values of the link or of a number box were replaced, until dismissed or a setting changes."""
        state = st.session_state
        self._note_misread(settings)
        if not state.get("repairs"):
            return
        if state.setdefault("repairs_at", settings) != settings:
            _forget_repairs()
            return
        st.warning("\n".join(f"- {note}" for note in state["repairs"]), title="Some values could not be used")
        st.button("Dismiss", on_click=_forget_repairs)


def tell(repairs: list[str]) -> None:
    """Let `show_repairs` show these, Markdown, in place of those of before."""
    st.session_state["repairs"] = repairs
    st.session_state.pop("repairs_at", None)


def _forget_repairs() -> None:
    for key in ("repairs", "repairs_at"):
        st.session_state.pop(key, None)


def _short(value: Any) -> Any:
    """A whole number as an int, which stands in the link without a point."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
