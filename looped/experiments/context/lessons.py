"""The lessons of the second page, which stand in lessons.md."""

from looped.lesson import lessons_beside

CONTEXT = lessons_beside(__file__)
