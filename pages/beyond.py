"""Page 6: append or overwrite, one learned step, more loops than trained, EAGLE and its rivals, depth, tied layers."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import streamlit as st

from looped import export
from looped.chart import Picture
from looped.experiments.beyond import charts
from looped.experiments.beyond.append import Append
from looped.experiments.beyond.cost import check
from looped.experiments.beyond.result import Found
from looped.experiments.beyond.settings import READS, BeyondSettings
from looped.experiments.beyond.stacks import Stacks
from looped.experiments.beyond.stored import answer, stored
from looped.experiments.beyond.strip import numbers
from looped.experiments.beyond.token_chart import token_chart
from looped.experiments.beyond.words import notice, trained_words, verdict
from looped.fields import SettingsError
from looped_ui import backend
from looped_ui.frame import Page
from looped_ui.live import figure, live_row
from looped_ui.parts import made_by, numbers_strip, plain, show_number, typeset
from looped_ui.share import held_back, share

HEIGHTS, BELOW = (220, 420), 136  # pixels of the first chart, and those of the window that stay free below it
WRITES = {"Append": True, "Overwrite": False}


def sidebar() -> None:
    """Draw the question, the controls that it reads, and in a closed panel the others, which keep their values."""
    with st.sidebar:
        controls.choice("view")
        reads = READS[controls.value("view")]
        for name in reads:
            control(name)
        others = [name for name in controls.fields if name != "view" and name not in reads]
        with controls.group("Controls of the other questions", *others):
            for name in others:
                readers = [controls.fields["view"].label_of(other) for other, names in READS.items() if name in names]
                control(name, f"Read by: {', '.join(readers)}.")
        controls.reset_button()


def control(name: str, unused: str = "") -> None:
    """The control of a setting; grey, with the reason as its help, where it has no effect."""
    if controls.fields[name].kind == "choice":
        controls.choice(name, unused=unused)
    elif name == "seed" and not unused:
        controls.seed()
    else:
        controls.number(name, unused=unused)


def find(settings: BeyondSettings) -> Found:
    """What the settings' view finds: stored for every lesson."""
    return answer(settings) or backend.beyond(settings.computed).found


def draw(settings: BeyondSettings) -> Iterator[None]:
    """Draw everything to the right of the controls; yield when the first chart stands."""
    try:
        check(settings)
    except SettingsError as error:
        st.error(plain(str(error)))
        return
    found = find(settings)

    def main(changes: Mapping[str, Any]) -> Picture:
        now = find(settings.replace(**changes)) if changes else found
        return charts.before(now) if controls.to_guess else charts.main_chart(now)

    def tokens(changes: Mapping[str, Any]) -> Picture:
        now = find(settings.replace(**changes)) if changes else found
        assert isinstance(now, Append)
        return token_chart(now, WRITES[write or "Append"])

    row = {"main": ("", main)}
    with page.picture:
        place, said = st.container(), page.said()
        with said, st.container():
            page.outcome(verdict(found))
        if isinstance(found, Append) and not page.embedded:
            with said:
                write = st.segmented_control(
                    "The new query", list(WRITES), default="Append", required=True, key="write", bind="query-params",
                    label_visibility="collapsed",
                )  # fmt: skip
            over = f"Squared error after each step, {found.run} prompt{'s' * (found.run > 1)}"
            row = {"main": (over, main), "tokens": ("The tokens, step by step", tokens)}
        with place:
            live_row(row, controls.sliders, heights=HEIGHTS, below=BELOW)
    if held_back(controls, settings, page.top_line) or page.embedded:
        return
    yield
    if not controls.to_guess:
        with numbers_strip():
            for number in numbers(found):
                show_number(number.label, number.value, number.below, page.words(number.about), passed=number.passed)
    with page.top_line:
        share(controls, settings, lambda: export.of(replace(backend.beyond(settings.computed), settings=settings)))
    if not controls.to_guess:
        below(found)
        page.notice(notice(found))
        page.tables("Data behind the charts", lambda: charts.pictures(found))
    page.assumptions()
    if answer(settings) is not None:
        made_by(stored()[1], "stored answer was")
    if isinstance(found, Stacks):
        made_by(found.origin, "stored trainings were")


def below(found: Found) -> None:
    """The other charts of the view."""
    pictures = dict(list(charts.pictures(found).items())[1:])
    if isinstance(found, Append):
        st.caption(typeset(page.words("Tokens")))
        return
    for place, (heading, picture) in enumerate(pictures.items()):
        st.subheader(heading)
        figure(picture, f"below{place}")
    if isinstance(found, Stacks):
        st.markdown(typeset(trained_words(found)))
        st.caption(typeset(page.words("Stacks")))


page: Page[BeyondSettings] = Page("beyond", __file__)
controls = page.controls
page.show(sidebar, draw, caption=lambda settings: page.words(f"Caption {settings.view}"))
