"""The lessons of the page on GPT-2, which stand in lessons.md."""

from looped.lesson import lessons_beside

GPT2 = lessons_beside(__file__)
