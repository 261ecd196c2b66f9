"""The frame of every page: its controls and link, its title and lessons above, the closing panels below."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Generic, TypeVar

import streamlit as st
from streamlit import runtime
from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.pages_manager import PagesManager

from looped.chart import Picture
from looped.experiments import EXPERIMENTS
from looped.fields import Measured
from looped.glossary import of_page
from looped.lesson import Lesson, by_key
from looped.settings import CheckedSettings
from looped_ui.controls import Controls
from looped_ui.lesson import asks_first, lesson_now, lesson_panel, waits
from looped_ui.live import begin, let_others_draw
from looped_ui.parts import bullets, data_table, meanings, plain, typeset
from looped_ui.present import in_large_type
from looped_ui.repairs import show_repairs
from looped_ui.share import held_back

S = TypeVar("S", bound=CheckedSettings)
NARROW = """<style>
@media (width < 32rem) { .st-key-said { flex-direction: column; > * { flex: none; width: 100% } } }
</style>"""


class Page(Generic[S]):
    """One page: made first, so that its link is right before a widget is drawn.

    Args:
        name: Name of its experiment.
        script: `__file__` of the page, beside which its prose lies as Markdown.
        opening: Lesson that it opens with where the address asks for nothing.
        uploads: Whether it reads files that are chosen beside the settings.
    """

    def __init__(self, name: str, script: str, opening: str = "", *, uploads: bool = False) -> None:
        _through_app()
        self.experiment = EXPERIMENTS[name]
        self.markdown = Path(script).with_suffix(".md")
        self.lessons = self.experiment.load("lessons")
        presets = {key: lesson.settings for key, lesson in by_key(self.lessons).items()}
        self.controls: Controls[S] = Controls(
            name, self.experiment.load("settings"), presets, opening, uploads
        )  # fmt: skip
        self.controls.repair_link()
        self.embedded = st.context.is_embedded
        """Within another page: the picture, and the lesson where the link asks for a guess first, alone."""
        begin(name)
        self.top_line = st.container(key="top", horizontal=True, vertical_alignment="center")
        self.lead = st.container(key="lead")
        self.above = st.container(key="above")
        self.picture = st.container(key="picture", gap="small")
        self.question = st.container()
        self.below = st.container()

    def show(
        self,
        sidebar: Callable[[], None],
        draw: Callable[[S], Iterator[None]],
        measured: Callable[[S], Mapping[str, Measured]] = lambda _: {},
        caption: Callable[[S], str] | None = None,
        without: tuple[str, ...] = (),
        refused: Iterable[str] = (),
    ) -> None:
        """Draw the page: after a move its main picture first, then the controls, the lessons and the rest.

        Args:
            sidebar: Draws the controls.
            draw: Draws all that is to the right of them; yields when the main picture stands.
            measured: What a run makes of settings, for controls that show it.
            caption: As in `begin`, like the two that follow.
            without: Settings that stay at their defaults.
            refused: Sentences about files that cannot be used.
        """
        early, rest = self.controls.at_once(without), None
        if early is not None:
            self.controls.to_guess = waits(self.controls, self.lessons)
            rest = _first(draw(early))
        sidebar()
        settings = self.begin(caption, without, refused)
        self.controls.show_measured(measured(settings))
        if not self.controls.holds and held_back(self.controls, settings, self.top_line):
            return
        for _ in rest or _first(draw(settings)):
            pass

    @property
    def lesson(self) -> Lesson | None:
        """The lesson that is open."""
        return by_key(self.lessons).get(lesson_now(self.experiment.name))

    def first(self, usual: tuple[str, ...]) -> tuple[str, ...]:
        """Names of the charts that stand first; while the question of the lesson waits, the one that it is about.

        Args:
            usual: Those that the page opens with, where no lesson names others.
        """
        names = (self.lesson.pictures if self.lesson else ()) or usual
        return names[:1] if self.controls.to_guess else names

    def begin(
        self, caption: Callable[[S], str] | None = None, without: tuple[str, ...] = (), refused: Iterable[str] = ()
    ) -> S:
        """Draw the title, the glossary, the lessons, and the values of the link that could not be used.

        Args:
            caption: How to say of the settings what the page shows; without it that stands in the Markdown.
            without: Settings that stay at their defaults.
            refused: Sentences about files that cannot be used.

        Returns:
            The settings that the controls show.
        """
        settings, changed = self.controls.read(without)
        with self.above:
            show_repairs(settings)
            for sentence in refused:
                st.error(plain(sentence))
            for sentence in changed:
                st.warning(plain(sentence))
        if not self.embedded:
            with self.top_line:
                st.title(self.experiment.title, width="stretch")
                _glossary(self.experiment.name)
                in_large_type()
            said = caption(settings) if caption else self.words("Caption")
            self.lead.caption(typeset(said), help=meanings(self.experiment.name, said))
            with self.above:
                lesson_panel(self.controls, self.lessons, self.question, said)
        elif asks_first():
            with self.above:
                lesson_panel(self.controls, self.lessons, self.question, "")
        return settings

    def said(self) -> DeltaGenerator:
        """The row below the picture: what came out, and a choice beside it, below it in a narrow window."""
        st.html(NARROW)
        return st.container(key="said", horizontal=True)

    def outcome(self, sentence: str) -> None:
        """Draw what came out in one sentence; while the lesson's question waits for a guess, that it is said then."""
        said = "What came out is said after your guess below." if self.controls.to_guess else typeset(sentence)
        st.container(key="outcome").markdown(said)

    def notice(self, sentences: Iterable[str] | None = None) -> None:
        """Draw what to look for: the sentences as a list, or else what the page's Markdown says."""
        with st.expander("What to notice"):
            st.markdown(typeset(self.section("Notice") if sentences is None else bullets(sentences)))

    @contextmanager
    def data(self, title: str) -> Iterator[bool]:
        """The panel of the numbers behind what is drawn; gives whether it is open and needs to be filled."""
        name = self.experiment.name
        panel = st.expander(title, key="behind" if name == "compare" else f"behind_{name}", on_change="rerun")
        with panel:
            yield bool(panel.open)

    def tables(self, title: str, charts: Callable[[], Mapping[str, Picture]]) -> None:
        """The panel of the numbers behind several charts, which are made when it is open."""
        with self.data(title) as opened:
            if opened:
                pictures = charts()
                heading = st.selectbox("Chart", list(pictures))
                data_table(pictures[heading].table, heading)

    def assumptions(self, sentences: Iterable[str] | None = None, **values: object) -> None:
        """Draw the sources of the numbers, and what they do not say, in a closed panel.

        Args:
            sentences: These as a list; without them what the page's Markdown says.
            values: What stands in the Markdown for `[[name]]`.
        """
        with st.expander("Assumptions, limits and sources"):
            st.markdown(typeset(self.section("Assumptions", **values) if sentences is None else bullets(sentences)))

    def words(self, heading: str, **values: object) -> str:
        """A section of one paragraph, on one line."""
        return self.section(heading, **values).replace("\n", " ")

    def section(self, heading: str, **values: object) -> str:
        """A section of the page's Markdown, with the values in place of each `[[name]]`."""
        text = _sections(self.markdown)[heading]
        for name, value in values.items():
            text = text.replace(f"[[{name}]]", str(value))
        return text


def _first(parts: Iterator[None]) -> Iterator[None]:
    """The parts that follow the main picture, which is drawn."""
    for _ in parts:
        let_others_draw()
        break
    return parts


def _through_app() -> None:
    """Start over with app.py if Streamlit runs this page file alone.

    It does so, with file names for a menu, when the first visit to a new server is a link to a page, because there is
    a folder called pages and nothing has told it about `st.navigation` yet.
    """
    if PagesManager.uses_pages_directory and runtime.exists():
        PagesManager.uses_pages_directory = False
        st.rerun()


def _glossary(page: str) -> None:
    """A panel with the words of a page, then its symbols, and what each means, one click away."""
    panel = st.popover("Glossary", key="glossary", on_change="rerun")
    if panel.open:
        with panel:
            for heading, entries in zip(("Words", "Symbols"), of_page(page), strict=True):
                st.markdown(f"**{heading}**")
                st.markdown(bullets(f"**{typeset(name)}** · {typeset(what)}" for name, what in entries.items()))


@cache
def _sections(path: Path) -> dict[str, str]:
    """The sections of a Markdown file by their headings of the second level."""
    _, *parts = f"\n{path.read_text(encoding='utf-8')}".split("\n## ")
    return {heading: text.strip() for heading, _, text in (part.partition("\n") for part in parts)}
