"""The lesson of a page: a preset to choose, what to see, a question to guess at, and the answer."""

import math
import time
from collections.abc import Mapping
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from looped.lesson import Lesson, by_key, fitting
from looped_ui.controls import Controls
from looped_ui.parts import meanings, typeset
from looped_ui.present import presenting

NONE = "No lesson is open. Choose one to begin."
ASKS = "**It asks, for its own settings:**"
TOLD = 4.0
"""Seconds after a choice in which a run leads to the verdict: one that follows takes away what it drew."""
LEAD = """<script type="module">
const place = document.querySelector(".st-key-{}"), main = place?.closest('[data-testid="stMain"]')
if (main) {{
    const start = {} ? 0 : main.scrollTop, end = new AbortController()
    const moved = new ResizeObserver(() => {{
        main.scrollTop = start // what was too far down for a moment may have come up again
        place.scrollIntoView({{ block: "nearest" }})
    }})
    for (const box of main.querySelectorAll('[data-testid="stMainBlockContainer"], .st-key-picture')) moved.observe(box)
    end.signal.onabort = () => moved.disconnect()
    setTimeout(() => end.abort(), {})
    for (const own of ["wheel", "touchmove", "pointerdown", "keydown"])
        addEventListener(own, () => end.abort(), {{ signal: end.signal }})
}}
</script><!-- {} -->"""
"""Scrolls until a place stands in the window, while the picture above it grows, unless the reader moves on; from
the top of the page if that is true, within some milliseconds, once for each text of the comment."""


def lesson_panel(controls: Controls[Any], lessons: tuple[Lesson, ...], below: DeltaGenerator, above: str) -> None:
    """Draw the lesson: the link's if it names one, the one chosen here, or the one that the settings belong to.

    Of its text the sentences are shown that are true under the settings of the page, and always what it asks; the
    answer can be guessed where all are. Call it after `controls.read`.

    Args:
        controls: Controls of the page.
        lessons: Lessons of the page.
        below: Place of the question and its answer.
        above: What the page says above, whose words are explained there.
    """
    state, named, now = st.session_state, by_key(lessons), controls.now
    key, widget = f"{controls.page}.lesson", f"{controls.page}_lesson"
    if controls.asked is not None or key not in state:
        asked = named.get(controls.asked or "")
        opened = asked or fitting(lessons, now)
        state[key] = None if opened is None else opened.key
        state[f"{key}_found"] = asked is None
    lesson = named.get(state[key])
    changed = lesson.changed(now) if lesson else []
    holds = lesson is not None and lesson.holds(now)
    controls.holds = holds or lesson is None
    with st.container(gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            if "lesson" not in controls.hidden:
                width = 520 if presenting() else 430
                with st.container(horizontal=True, wrap=False, gap="small", width=width):
                    place = list(named).index(lesson.key) if lesson else -1
                    _step(controls, lessons, "◀", "Previous", place - 1)
                    state[widget] = state[key]
                    st.selectbox(
                        "Lesson", list(named), place if lesson else None, key=widget, label_visibility="collapsed",
                        format_func=lambda name: f"{list(named).index(name) + 1} · {named[name].title}",
                        placeholder="Choose a lesson", on_change=_choose, args=(controls, widget),
                    )  # fmt: skip
                    _step(controls, lessons, "▶", "Next", place + 1)
            elif lesson:
                st.markdown(f"**{typeset(lesson.title)}**", width="content")
            undo = state.get(f"{key}_undo")
            if lesson and changed:
                untrue_first = sorted(changed, key=lesson.free.__contains__)
                names = ", ".join(controls.fields[name].label.split(" · ")[0] for name in untrue_first)
                st.button(f"Differs in {names} · restore", key=f"{widget}_again", on_click=_open,
                          args=(controls, lesson.key, True), type="tertiary",
                          help="Set every control back to the values that this lesson starts with. All that it says is "
                          "true there.")  # fmt: skip
            elif lesson and undo and undo[0] == lesson.key:
                st.button("Undo restore", key=f"{widget}_undo", on_click=_undo, args=(controls, *undo), type="tertiary",
                          help="Set every control to where it was before.")  # fmt: skip
        if lesson is None:
            said = NONE
        elif holds:
            said = lesson.see
            with below:
                _ask(controls.page, lesson, above)
        else:
            said = f"{lesson.still(now)} {ASKS} {lesson.question}".strip()
        with st.container(key="lesson_text"):
            st.markdown(typeset(said), help=meanings(controls.page, said, above))
    controls.to_guess = waits(controls, lessons)
    _keep_in_link(controls, lesson)


def waits(controls: Controls[Any], lessons: tuple[Lesson, ...]) -> bool:
    """Whether the question of the open lesson waits for a guess under the settings `controls.now`."""
    lesson = by_key(lessons).get(lesson_now(controls.page))
    return lesson is not None and lesson.holds(controls.now) and lesson.key not in _answers(controls.page)


def asks_first() -> bool:
    """Whether the link keeps the results of a lesson back until its question is answered."""
    return st.query_params.get("predict") == "1"


def guessed(controls: Controls[Any]) -> bool:
    """False while a link with `predict=1` keeps the result back until an answer is chosen; call `lesson_panel` first.

    Where no lesson is open there is nothing to guess.
    """
    return not asks_first() or not lesson_now(controls.page) or answered(controls.page)


def answered(page: str) -> bool:
    """Whether an answer to the question of the lesson on the page was chosen."""
    return _answers(page).get(lesson_now(page)) is not None


def look(page: str) -> None:
    """Show what the open lesson asks for without an answer: the visitor has begun to try it."""
    _answers(page).setdefault(lesson_now(page), None)


def _answers(page: str) -> dict[str, str | None]:
    """By lesson the answer chosen in this session, None where its result was looked at without one; a reset ends it."""
    known: dict[str, str | None] = st.session_state.setdefault(f"{page}.answers", {})
    return known


def lesson_now(page: str) -> str:
    """The name of the lesson that a page shows; empty if there is none."""
    return st.session_state.get(f"{page}.lesson") or ""


def _ask(page: str, lesson: Lesson, above: str) -> None:
    """The question with its choices; after a choice the verdict and the answer."""
    guess = f"{page}_guess"
    asked = f"{lesson.question} {' '.join(lesson.choices)}"
    said = f"{above} {lesson.see}"
    choice = st.session_state[guess] = _answers(page).get(lesson.key)
    st.pills(
        typeset(lesson.question), lesson.choices, key=guess, required=True, wrap=True,
        help=meanings(page, asked, said), on_change=_chosen, args=(page, lesson, guess),
    )  # fmt: skip
    if choice is None and presenting():  # a class is to read it with what it asks about
        st.html(LEAD.format(guess, "true", 8000, lesson.key), unsafe_allow_javascript=True)
    if choice is not None:
        right = lesson.choices[lesson.right]
        verdict = "**Right.**" if choice == right else f"**Not quite: it is “{right}”.**"
        with st.container(key="verdict", gap="xsmall"):
            st.markdown(f"{verdict} {typeset(lesson.answer)}", help=meanings(page, lesson.answer, f"{said} {asked}"))
            st.button("Guess again", key=f"{guess}_again", type="tertiary", on_click=_forget,
                      args=(page, lesson.key), help="Hide the answer and what came out.")  # fmt: skip
        of, at = st.session_state.get(f"{guess}_at", ("", -math.inf))
        if of == lesson.key and time.monotonic() - at < TOLD:
            which = f"{lesson.key} {lesson.choices.index(choice)}"
            st.html(LEAD.format("verdict", "false", 5000, which), unsafe_allow_javascript=True)


def _chosen(page: str, lesson: Lesson, guess: str) -> None:
    """Keep a choice, and when it was made; a forged message may hold anything."""
    if (choice := st.session_state[guess]) in lesson.choices:
        _answers(page)[lesson.key] = choice
        st.session_state[f"{guess}_at"] = lesson.key, time.monotonic()


def _forget(page: str, lesson: str) -> None:
    """Let the question of a lesson wait for a guess again."""
    _answers(page).pop(lesson, None)


def _step(controls: Controls[Any], lessons: tuple[Lesson, ...], sign: str, which: str, place: int) -> None:
    """A button that opens the lesson at a place; grey where there is none."""
    there = 0 <= place < len(lessons)
    st.button(sign, key=f"{controls.page}_lesson_{which.lower()}", help=f"{which} lesson", disabled=not there,
              on_click=_open, args=(controls, lessons[place].key if there else ""))  # fmt: skip


def _keep_in_link(controls: Controls[Any], lesson: Lesson | None) -> None:
    """Keep the open lesson in the address, with what stands at its default although the lesson sets it.

    A lesson that was only found by its settings is found again by them, and stays out of the address.
    """
    query, texts = st.query_params, {"lesson": "", "default": ""}
    if lesson is not None and not st.session_state[f"{controls.page}.lesson_found"]:
        usual = [name for name in lesson.settings if getattr(controls.now, name) == controls.defaults[name]]
        texts = {"lesson": lesson.key, "default": ",".join(controls.fields[name].key for name in usual)}
    for name, text in texts.items():
        if text and query.get(name) != text:
            query[name] = text
        elif not text:
            query.pop(name, None)
    st.session_state[f"{controls.page}.lesson_in_link"] = texts["lesson"]


def _choose(controls: Controls[Any], widget: str) -> None:
    chosen = st.session_state[widget]
    if isinstance(chosen, str) and chosen in controls.lessons:  # a message may hold anything
        _open(controls, chosen)


def _open(controls: Controls[Any], lesson: str, undoes: bool = False) -> None:
    """Set the settings of a lesson; remember those of before if that can be undone."""
    before = (lesson, {name: getattr(controls.now, name) for name in controls.fields}) if undoes else None
    st.session_state.update({f"{controls.page}.lesson": lesson, f"{controls.page}.lesson_found": False})
    st.session_state[f"{controls.page}.lesson_undo"] = before
    controls.set_lesson(lesson)


def _undo(controls: Controls[Any], lesson: str, settings: Mapping[str, Any]) -> None:
    """Set the settings that were there before the lesson's own were restored."""
    controls.set_all(settings, lesson)
