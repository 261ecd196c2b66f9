"""Named presets: each one thing to see, with a guide, a question to answer first, and the answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """One thing to see on one page."""

    key: str
    """Its name in links."""
    title: str
    see: str
    """Two sentences: what to look at."""
    question: str
    """To be answered before looking."""
    answer: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What it sets; everything else is at its default."""


def by_key(lessons: tuple[Lesson, ...]) -> dict[str, Lesson]:
    """The lessons by their names in links."""
    return {lesson.key: lesson for lesson in lessons}
