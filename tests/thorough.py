"""Cases that CI runs and a plain `pytest` leaves out: the same once more for another lesson, page, setting or seed."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

Cases = list[Any]


def thorough_but(kept: Callable[..., bool], cases: Iterable[Any]) -> Cases:
    """The cases of a test, marked thorough but for those that are kept.

    Args:
        kept: whether a case is run always, told the case as it is, or the values of one with several.
        cases: the cases, as pytest.mark.parametrize takes them.
    """
    marked = []
    for case in cases:
        values, name, marks = getattr(case, "values", None), None, ()
        if values is not None and hasattr(case, "marks"):
            name, marks = case.id, case.marks
        else:
            values = case if isinstance(case, tuple) else (case,)
        more = () if kept(*values) else (pytest.mark.thorough,)
        marked.append(pytest.param(*values, id=name, marks=(*marks, *more)))
    return marked
