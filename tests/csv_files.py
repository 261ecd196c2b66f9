"""A small table as a CSV file, and the sentence with which a file is refused."""

import pytest

from looped import SettingsError
from looped.dialects import Dialect
from looped.tables import choose, read_csv

X = [[1.5, 2.25], [2.5, 1.25], [4.5, 2.0], [5.5, 0.25]]
Y = [3, 4, 9, 6]
GOOD = "a,b,y\n1.5,2.25,3\n2.5,1.25,4\n4.5,2.0,9\n5.5,0.25,6\n"


def refusal(content, target="y", **told):
    """The one sentence that is said of that file, read in the way that is told."""
    with pytest.raises(SettingsError) as caught:
        choose(read_csv(content if isinstance(content, bytes) else content.encode(), "t.csv", Dialect(**told)), target)
    text = str(caught.value)
    assert "\n" not in text
    assert text.endswith(".")
    assert len(text) < 260
    return text
