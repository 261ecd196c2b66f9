"""Lessons: named settings with something to see, a question to guess at, and the answer.

They are written in Markdown, a section each, its parts between empty lines: a list of key, settings, those that are
free, how much of the text stays true with others and the pictures, what to see, the question as a heading, the choices
with the right one ticked, and the answer.
"""

import re
from ast import literal_eval
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from looped.settings import CheckedSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """One thing to see on one page."""

    key: str
    """Its name in links."""
    title: str
    see: str
    """One to three sentences: what to look at and what to try. They do not give the answer."""
    question: str
    """The question to answer first."""
    choices: tuple[str, ...]
    """Two to four short answers in plain words, one of them right."""
    right: int
    """Place of the right one among the choices."""
    answer: str
    """Why it is right, shown after a guess."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The settings that it changes; all others have their defaults."""
    free: tuple[str, ...] = ()
    """Settings that may be changed without making a sentence of the lesson untrue."""
    stays: int = 0
    """How many of the first sentences of `see` are true whatever is changed."""
    unless: tuple[str, ...] = ()
    """The settings that make them untrue all the same."""
    pictures: tuple[str, ...] = ()
    """Where its page has several pictures, those that stand first: the one that the question is about, alone before a
    guess, then what stands beside it. Empty for those that the page opens with."""
    until: int | None = None
    """Where its page has a picture against loops, the last that it shows; None for all: more is another's question."""
    known: Mapping[str, Any] | None = None
    """Settings of a run that the question compares with, which is drawn before a guess too; None for no such run."""

    def changed(self, settings: CheckedSettings) -> list[str]:
        """Names of the settings that differ from the lesson's."""
        own = type(settings)(**self.settings)
        return [name for name in settings.table if getattr(settings, name) != getattr(own, name)]

    def holds(self, settings: CheckedSettings) -> bool:
        """True where every sentence of the lesson is true under these settings."""
        return set(self.changed(settings)) <= set(self.free)

    def still(self, settings: CheckedSettings) -> str:
        """The sentences of `see` that are true under these settings, where not all are."""
        lost = set(self.changed(settings)) & set(self.unless)
        return "" if lost else " ".join(re.split(r"(?<=\.) (?=[A-Z])", self.see)[: self.stays])


def lessons_beside(module: str) -> tuple[Lesson, ...]:
    """The lessons in the file lessons.md beside a module."""
    _, *sections = Path(module).with_name("lessons.md").read_text(encoding="utf-8").split("\n## ")
    return tuple(map(_lesson, sections))


def _lesson(section: str) -> Lesson:
    title, about, see, question, choices, answer = section.strip().split("\n\n")
    told = dict(re.findall(r"^- (\w+): `(.*)`$", about, re.MULTILINE))
    ticks, answers = zip(*re.findall(r"^- \[([ x])\] (.*)$", choices, re.MULTILINE), strict=True)
    return Lesson(
        key=told["key"],
        title=title,
        see=see.replace("\n", " "),
        question=question.removeprefix("### "),
        choices=answers,
        right=ticks.index("x"),
        answer=answer.replace("\n", " "),
        settings=literal_eval(told.get("settings", "{}")),
        free=tuple(re.findall(r"\w+", told.get("free", ""))),
        stays=int(told.get("stays", 0)),
        unless=tuple(re.findall(r"\w+", told.get("unless", ""))),
        pictures=tuple(re.findall(r"\w+", told.get("pictures", ""))),
        until=int(told["until"]) if "until" in told else None,
        known=literal_eval(told["known"]) if "known" in told else None,
    )


def by_key(lessons: tuple[Lesson, ...]) -> dict[str, Lesson]:
    """The lessons by their names in links."""
    return {lesson.key: lesson for lesson in lessons}


def fitting(lessons: Iterable[Lesson], settings: CheckedSettings) -> Lesson | None:
    """The lesson that these settings belong to: the one that sets exactly these, else the first that holds, if any."""
    holding = [lesson for lesson in lessons if lesson.holds(settings)]
    return min(holding, key=lambda lesson: bool(lesson.changed(settings)), default=None)
