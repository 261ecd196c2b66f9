"""Lessons: named settings with something to see, a question to guess at, and the answer."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
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

    def changed(self, settings: CheckedSettings) -> list[str]:
        """Names of the settings that differ from the lesson's."""
        own = type(settings)(**self.settings)
        return [name for name in settings.table if getattr(settings, name) != getattr(own, name)]

    def holds(self, settings: CheckedSettings) -> bool:
        """True where every sentence of the lesson is true under these settings."""
        return set(self.changed(settings)) <= set(self.free)


def by_key(lessons: tuple[Lesson, ...]) -> dict[str, Lesson]:
    """The lessons by their names in links."""
    return {lesson.key: lesson for lesson in lessons}


def fitting(lessons: Iterable[Lesson], settings: CheckedSettings) -> Lesson | None:
    """The lesson that these settings belong to: the one that sets exactly these, else the first that holds, if any."""
    holding = [lesson for lesson in lessons if lesson.holds(settings)]
    return min(holding, key=lambda lesson: bool(lesson.changed(settings)), default=None)
