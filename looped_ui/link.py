"""The settings of one page in its session and in its link: read, set, and corrected where they cannot be used."""

import re
from collections.abc import Mapping
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

import streamlit as st
from streamlit.runtime.state.session_state_proxy import get_session_state

from looped.experiments import EXPERIMENTS
from looped.fields import Field, SettingsError
from looped.lesson import by_key
from looped.settings import LINK_VERSION, CheckedSettings
from looped_ui.parts import plain
from looped_ui.refused import log_refused
from looped_ui.repairs import tell

S = TypeVar("S", bound=CheckedSettings)
VIEW = ("hide", "predict", "embed", "embed_options", "present")
OWN = ("v", "lesson", "default", *VIEW)
"""Parameters of a link that are not settings."""
UPLOAD = "upload"
"""What `hide=` calls the choice of a file."""
SWITCH = "true|false"
DISPLAY = {
    "log_t": (SWITCH, ""), "modes": (SWITCH, ""), "inside": (SWITCH, ""), "prompt": ("[1-9][0-9]{0,3}", "1"),
    "tolerance": ("1e-(0?[1-9]|1[0-2])", "1e-03"), "statistic": ("mean|median|99.9 %", "median"),
    "guess": (r"\d{1,4}(\.\d)?(,\d{1,4}(\.\d)?){0,2}", ""), "hold": (".+", ""),
    "view": (r"[\w/κ ]{1,60}", "Error against n/d"), "against": ("s|M|σ", ""), "layer": ("Layer [1-9]", "Layer 1"),
    "write": ("Append|Overwrite", "Append"),
}  # fmt: skip
"""Parameters that change what is shown of a result and not the result: what each may be, and what it usually is, empty
where that depends on other things."""


class Linked(Generic[S]):
    """The settings of one page, between its widgets and its link.

    A setting that the link's `hide=` names has no widget; its value is then the link's.

    Args:
        page: its name, as in its address.
        settings: Class of the settings.
        lessons: settings by name of the lesson that a link may ask for; what else the link says comes on top.
        opening: the lesson of an address that asks for nothing.
        uploads: whether the page reads files that are chosen beside the settings.
    """

    def __init__(
        self,
        page: str,
        settings: type[S],
        lessons: Mapping[str, Mapping[str, Any]] | None = None,
        opening: str = "",
        uploads: bool = False,
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
        self.named_now: set[str] = set()
        """Settings for which this run has called `named`."""
        self.hidden = frozenset(st.query_params.get("hide", "").split(","))
        self.others = {"lesson": "Choice of the lesson"} | ({UPLOAD: "Choice of a file"} if uploads else {})
        """What the link's `hide=` may name besides settings, and what that is."""
        self.takes_files = uploads and UPLOAD not in self.hidden
        """Whether files are chosen on the page."""
        self.asked: str | None = None
        """The lesson that the address newly asks for, empty if for none; None while it asks for nothing new."""
        self.to_guess = False
        """Whether the question of the lesson on the page waits for a guess."""
        self.holds = True
        """Whether the question of the lesson on the page can be answered under the settings."""

    def value(self, name: str) -> Any:
        """The value that is set for `name` now, whether its control is drawn or hidden."""
        field = self.fields[name]
        if field.key in self.hidden or field.key not in st.session_state:
            return getattr(self.settings.from_query(st.query_params.to_dict())[0], name)
        return st.session_state[field.key]

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
        for key in rejected:
            log_refused("widget", key, given[key])
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
        self.now = self.shown
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

    def set(self, changes: Mapping[str, Any]) -> None:
        """Put values by name of the setting into the widgets; for callbacks, before the widgets are drawn."""
        late = st.session_state.setdefault("late", {})
        for name, value in changes.items():
            field = self.fields[name]
            if self.by_hand(name):
                default = field.to_text(self.defaults[name])
                st.session_state[f"{field.key}_in_link"] = st.query_params.get(field.key, default)
            elif name in late or (field.key in st.query_params and field.key not in st.session_state):
                late[name] = value
            if field.kind == "numbers":
                value = field.to_text(value)
            st.session_state[field.key] = value if field.kind == "step" else short(value)

    def by_hand(self, name: str) -> bool:
        """Whether the link of the setting `name` is kept in step here, and not by a bound widget."""
        field = self.fields[name]
        return field.kind == "choice" or field.automatic

    def reset(self) -> None:
        """Set every control and the lesson to what the page opens with, but for what the link hides; forget answers."""
        st.session_state.pop(f"{self.page}.answers", None)
        fixed = st.query_params.get("lesson", "") if "lesson" in self.hidden else ""
        values = {**self.defaults, **self.lessons.get(fixed or self.opening, {})}
        shown = {name: value for name, value in values.items() if self.fields[name].key not in self.hidden}
        self.set_all(shown, fixed)
        if not fixed:
            st.session_state.pop(f"{self.page}.lesson", None)

    def set_lesson(self, lesson: str) -> None:
        """Set what a lesson sets, and all else to its default; for callbacks, before the widgets are drawn."""
        self.set_all({**self.defaults, **self.lessons[lesson]}, lesson)

    def set_all(self, values: Mapping[str, Any], lesson: str) -> None:
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
                if self.by_hand(name):
                    state[f"{field.key}_in_link"] = field.to_text(value)
                if value == self.defaults[name]:
                    query.discard_param_no_forward_msg(field.key)
                else:
                    query.set_with_no_forward_msg(field.key, field.to_text(value))
        st.query_params.update({"lesson": lesson} if lesson else {})

    def follow_link(self, name: str) -> None:
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
            log_refused("widget", field.key, state[field.key])
            state[field.key] = self.defaults[name]
        chosen = field.to_text(state[field.key])
        if chosen != linked and chosen == default:
            del query[field.key]
        elif chosen != linked:
            query[field.key] = chosen
        state[f"{field.key}_in_link"] = chosen

    def settle(self, name: str) -> None:
        """Set a redrawn widget, which starts from its link, to the value that was set while it was not drawn."""
        late = st.session_state.get("late", {})
        if name in late:
            st.session_state["corrected"] = {name: late.pop(name)}
            st.rerun()

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
        if entering and before is None and given.keys() <= set(VIEW):
            link = self.opening
        carried = entering and before is not None and link in ("", state.get(f"{before}.lesson_in_link"))
        if carried and not known.keys() & given.keys():
            last = state.get(f"{self.page}.last")
            if last is None and self.opening:  # the first visit, by way of another page
                self.set_lesson(self.opening)
                self.asked = state[seen] = self.opening
                return
            state.setdefault(seen, "")
            self.set_all(
                self.defaults if last is None else {name: getattr(last, name) for name in self.fields}, state[seen]
            )
            return
        if entering and before is not None:  # that page may have kept a number by hand, under a name of this one
            for name, field in self.fields.items():
                if not self.by_hand(name):
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
        for key in (*rejected, *sorted(repeated - rejected.keys())):
            log_refused("link", key, asked[key])
        notes = [rejected[key] for key in given if key in rejected and key not in repeated]
        notes += [f"{key} is in the link {len(given[key])} times. Using {usable[key]}." for key in sorted(repeated)]
        if entering:
            unknown = [key for key in given if key not in known and key not in (*OWN, *DISPLAY)]
            for key in unknown:
                log_refused("link", key, texts[key])
            notes += [f"{key} is not a setting of this page. It is ignored." for key in unknown]
            notes += self._foreign(texts)
        markdown = [plain(note) for note in notes] + self._no_such_lesson(texts)
        if markdown:
            tell(markdown)
        if not wrong:
            return
        if entering and before is None:  # nothing is bound yet: put the link right and let it seed the widgets
            query.from_dict({key: usable[key] if key in wrong else given[key] for key in {**given, **asked}})
        else:  # a bound key can be set only through its widget, one run later
            state["corrected"] = {known[key]: getattr(settings, known[key]) for key in asked if key in known}
        st.rerun()

    def _foreign(self, texts: Mapping[str, str]) -> list[str]:
        """Sentences about a link version, a display or hidden controls that do not exist here."""
        notes, version = [], texts.get("v", "")
        ours = str(LINK_VERSION)
        if version and version != ours:
            notes.append(f"v = {version} differs from the link version {ours}: some values may mean something else.")
        own = {field.key for field in self.fields.values()}
        for key, (pattern, _) in DISPLAY.items():
            if key in texts and key not in own and not re.fullmatch(pattern, texts[key]):
                log_refused("link", key, texts[key])
                notes.append(f"{key} = {texts[key]} cannot be used. Its usual value is shown.")
        notes += [
            f"hide = {key} names no control of this page." for key in sorted(self.hidden - own - {*self.others, ""})
        ]
        return notes

    def _no_such_lesson(self, texts: Mapping[str, str]) -> list[str]:
        """A sentence, Markdown, about a lesson that does not exist here, with a link to the page that has it; once."""
        told, asked = f"{self.page}.lesson_told", self.asked if self.asked not in self.lessons else None
        before = st.session_state.pop(told, None)
        if not asked:
            return []
        st.session_state[told] = asked
        if asked == before:
            return []
        log_refused("link", "lesson", self.asked)
        pages = [page for page in EXPERIMENTS.values() if self.asked in by_key(page.load("lessons"))]
        there = " and ".join(f"[{page.title}]({page.name}?{urlencode(texts)})" for page in pages)
        return [f"{plain(f'lesson = {self.asked} does not exist here.')} "
                + (f"It is on the page {there}." if pages else "Choose one from the list.")]  # fmt: skip


def short(value: Any) -> Any:
    """A whole number as an int, which stands in the link without a point."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
