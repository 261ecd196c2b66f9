"""The lesson of a page: a preset to choose, what to see, and a question to answer first."""

from typing import Any

import streamlit as st

from looped.lesson import Lesson, by_key, fitting
from looped_ui.controls import Controls
from looped_ui.parts import typeset

NONE = "No lesson is open. Choose one to begin."


def lesson_panel(controls: Controls[Any], lessons: tuple[Lesson, ...]) -> None:
    """Draw the lesson: the link's if it names one, the one chosen here, or the one that the settings belong to.

    Its text is shown only while every sentence of it is true under the settings of the page. Call it after
    `controls.read`.
    """
    state, named, now = st.session_state, by_key(lessons), controls.now
    key, widget = f"{controls.page}.lesson", f"{controls.page}_lesson"
    if (asked := st.query_params.get("lesson", "")) in named:
        state[key] = asked
        if "lesson" not in controls.hidden:  # from here on it is chosen on the page
            del st.query_params["lesson"]
    if key not in state:
        fits = fitting(lessons, now)
        state[key] = None if fits is None else fits.key
    lesson = named.get(state[key])
    changed = lesson.changed(now) if lesson else []
    with st.container(border=True, gap="small"):
        with st.container(horizontal=True, vertical_alignment="center"):
            if "lesson" not in controls.hidden:
                state[widget] = state[key]
                st.selectbox(
                    "Lesson", list(named), 0 if lesson else None, key=widget, width=330, label_visibility="collapsed",
                    format_func=lambda name: f"{list(named).index(name) + 1} · {named[name].title}",
                    placeholder="Choose a lesson", on_change=_choose, args=(controls, named, key, widget),
                )  # fmt: skip
            elif lesson:
                st.markdown(f"**{typeset(lesson.title)}**", width="content")
            if lesson and lesson.holds(now):
                with st.popover("Predict first", key=f"{widget}_{lesson.key}"):
                    st.markdown(typeset(lesson.question))
                    with st.expander("Answer"):
                        st.markdown(typeset(lesson.answer))
            if lesson:
                st.button("Restore", key=f"{widget}_again", on_click=_apply, args=(controls, lesson), type="tertiary",
                          disabled=not changed,
                          help="Set every control back to the values that this lesson starts with.")  # fmt: skip
        if lesson is None:
            st.markdown(NONE)
        elif lesson.holds(now):
            st.markdown(typeset(lesson.see))
        else:
            labels = ", ".join(controls.fields[name].label for name in changed)
            st.markdown(
                f"**The settings differ from this lesson's:** {labels}. *Restore* brings them and its text back."
            )


def lesson_now(page: str) -> str:
    """The name of the lesson that a page shows; empty if there is none."""
    return st.session_state.get(f"{page}.lesson") or ""


def _choose(controls: Controls[Any], named: dict[str, Lesson], key: str, widget: str) -> None:
    st.session_state[key] = st.session_state[widget]
    if (lesson := named.get(st.session_state[widget])) is not None:
        _apply(controls, lesson)


def _apply(controls: Controls[Any], lesson: Lesson) -> None:
    controls.set({**controls.defaults, **lesson.settings})
