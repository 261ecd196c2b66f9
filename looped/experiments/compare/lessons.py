"""The lessons of the first page, which stand in lessons.md."""

from looped.lesson import lessons_beside

COMPARE = lessons_beside(__file__)
OPENING = COMPARE[0].key
"""The lesson that the page opens with where nothing is asked for: so small that every number can be read."""
