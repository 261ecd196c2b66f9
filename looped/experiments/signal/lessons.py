"""The lessons of the page on tasks that share a signal, which stand in lessons.md."""

from looped.lesson import lessons_beside

SIGNAL = lessons_beside(__file__)
