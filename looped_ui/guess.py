"""A guessed curve: drawn on a chart or set with sliders, kept in the session, and in the link once it is compared."""

import re
from collections.abc import Sequence

import streamlit as st

from looped.experiments.context.guess import START, STOPS, nearest_stop
from looped_ui.lesson import answered, lesson_now
from looped_ui.link import DISPLAY
from looped_ui.live import Drawn

KEY = "guess"
"""Its name in the link."""
CURVE, TEXT, LESSON = "guess_curve", "guess_shown", "guess_lesson"
"""Names in the session: the guess, its text in the link once the measurement is shown, and the lesson it is for."""
MOST = 3
"""Places of the longest curve."""
Curve = tuple[float, ...]


def guess(page: str, count: int) -> Curve:
    """The guess at each of `count` places, `START` where none was moved; call it when the lesson of the page is drawn.

    A guess in the link is one that the measurement was shown for, unless the link asks for a guess first.
    """
    state, query = st.session_state, st.query_params
    usable = re.fullmatch(DISPLAY[KEY][0], query.get(KEY, ""))
    if usable and not state.get(TEXT) and query.get("predict") != "1":
        state[CURVE] = tuple(nearest_stop(float(value)) for value in query[KEY].split(",") if float(value) > 0)
        _show(page, _of(count))
    if state.get(LESSON, "") != lesson_now(page):
        hide()
        state.pop(CURVE, None)
        state[LESSON] = lesson_now(page)
    if state.get(TEXT):
        query[KEY] = state[TEXT]
    else:
        query.pop(KEY, None)
    return _of(count)


def shown(page: str) -> bool:
    """Whether the measurement stands beside the guess: it was asked for, or the question of the lesson is answered."""
    return bool(st.session_state.get(TEXT)) or answered(page)


def made() -> bool:
    """Whether a curve was drawn or set, or the one that stands there was compared: an answer to a question is none."""
    return CURVE in st.session_state or bool(st.session_state.get(TEXT))


def hide() -> None:
    """Hide the measurement again."""
    st.session_state[TEXT] = None
    st.query_params.pop(KEY, None)


def sliders(curve: Curve, labels: Sequence[str]) -> None:
    """A slider for every place of the guess, with the key `guess_` and the number of the place."""
    for place, (column, label) in enumerate(zip(st.columns(len(curve)), labels, strict=True)):
        with column:
            key = f"guess_{place}"
            if st.session_state.get(key) != curve[place]:
                st.session_state[key] = curve[place]
            st.select_slider(
                label, STOPS, curve[place], key=key, format_func=lambda stop: f"{stop:g}", on_change=_moved,
                args=(curve, place),
            )  # fmt: skip


def drawn() -> Drawn:
    """What the pointer draws on the chart: the first trace, in steps of the sliders."""
    return Drawn(trace=0, stops=STOPS, take=_take)


def reveal(page: str, curve: Curve) -> None:
    """The button that shows what was measured."""
    st.button("Show what was measured", type="primary", key="guess_reveal", on_click=_show, args=(page, curve))


def _of(count: int) -> Curve:
    return (*st.session_state.get(CURVE, ()), *[START] * MOST)[:count]


def _show(page: str, curve: Curve) -> None:
    st.session_state.update({TEXT: ",".join(f"{value:g}" for value in curve), LESSON: lesson_now(page)})


def _moved(curve: Curve, place: int) -> None:
    _take([*curve[:place], st.session_state[f"guess_{place}"], *curve[place + 1 :]])


def _take(values: Sequence[float]) -> None:
    st.session_state[CURVE] = tuple(nearest_stop(float(value)) for value in values[:MOST] if value > 0)
