"""The lessons of the third page, which stand in lessons.md."""

from looped.lesson import lessons_beside

TRAIN = lessons_beside(__file__)
