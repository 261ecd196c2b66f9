"""The lesson of a page: a preset to choose, what to see, and a question to answer first."""

from typing import Any

import streamlit as st

from looped.lessons import Lesson, by_key
from pages.ui.controls import Controls
from pages.ui.parts import typeset


def lesson_panel(controls: Controls[Any], lessons: tuple[Lesson, ...]) -> None:
    """Draw the chosen lesson; the first one at the start, the link's if it names one."""
    state, named = st.session_state, by_key(lessons)
    key, widget = f"{controls.page}.lesson", f"{controls.page}_lesson"
    if key not in state:
        asked = st.query_params.get("lesson", "")
        state[key] = asked if asked in named else lessons[0].key
    lesson = named[state[key]]
    with st.container(border=True, gap="small"):
        with st.container(horizontal=True, vertical_alignment="center"):
            if "lesson" in controls.hidden:
                st.markdown(f"**{lesson.title}**", width="content")
            else:
                state[widget] = lesson.key
                st.selectbox(
                    "Lesson", list(named), key=widget, width=330, label_visibility="collapsed",
                    format_func=lambda name: f"{list(named).index(name) + 1} · {named[name].title}",
                    on_change=_choose, args=(controls, named, key, widget),
                )  # fmt: skip
            with st.popover("Predict first", key=f"{widget}_{lesson.key}"):
                st.markdown(typeset(lesson.question))
                with st.expander("Answer"):
                    st.markdown(typeset(lesson.answer))
            st.button("Lesson's settings", key=f"{widget}_again", on_click=_apply, args=(controls, lesson),
                      type="tertiary", help="Put every control back to what this lesson starts with.")  # fmt: skip
        st.markdown(typeset(lesson.see))


def lesson_now(page: str) -> str:
    """The name of the lesson that a page shows."""
    return str(st.session_state.get(f"{page}.lesson", ""))


def _choose(controls: Controls[Any], named: dict[str, Lesson], key: str, widget: str) -> None:
    st.session_state[key] = st.session_state[widget]
    _apply(controls, named[st.session_state[key]])


def _apply(controls: Controls[Any], lesson: Lesson) -> None:
    controls.set({**controls.defaults, **lesson.settings})
