"""The lessons of the page, which stand in lessons.md."""

from looped.lesson import lessons_beside

BEYOND = lessons_beside(__file__)
