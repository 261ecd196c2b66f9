"""The charts that stand first on a page: those that the page opens with, or that its open lesson names."""

from typing import Any

from looped.lesson import Lesson, by_key
from looped_ui.frame import Page
from looped_ui.lesson import lesson_now


def opened(page: Page[Any]) -> Lesson | None:
    """The lesson that is open on a page."""
    return by_key(page.lessons).get(lesson_now(page.experiment.name))


def first(page: Page[Any], usual: tuple[str, ...]) -> tuple[str, ...]:
    """Names of the charts that stand first; while the question of the lesson waits, the one that it is about.

    Args:
        page: The page, once its lesson is drawn.
        usual: Those that it opens with, where no lesson names others.
    """
    lesson = opened(page)
    names = (lesson.pictures if lesson else ()) or usual
    return names[:1] if page.controls.to_guess else names
