"""A budget names what is exceeded, and only that."""

import pytest

from looped.budget import Cost
from looped.fields import SettingsError

BUDGET = Cost(seconds=600, step_seconds=0.5, bytes=2 * 1024**2)


@pytest.mark.parametrize(
    ("needed", "said"),
    [
        (Cost(seconds=1234.5, step_seconds=0.1), "1,234 s (at most 600 s)"),
        (Cost(step_seconds=0.8), "0.8 s in one step (at most 0.5 s in one step)"),
        (Cost(seconds=700, bytes=3 * 1024**2), "700 s (at most 600 s) and 3 MiB (at most 2 MiB)"),
    ],
    ids=["time", "a step", "time and memory"],
)
def test_a_run_beyond_the_budget_is_refused_with_what_it_exceeds(needed, said):
    assert not BUDGET.allows(needed)
    with pytest.raises(SettingsError) as refused:
        BUDGET.check(needed, field="steps", what="This run", remedy="fewer steps")
    assert str(refused.value) == f"This run needs about {said}: choose fewer steps."
    assert refused.value.field == "steps"


def test_what_is_at_the_limit_or_not_stated_is_allowed():
    for needed in (BUDGET, Cost(), Cost(seconds=600)):
        assert BUDGET.allows(needed)
        BUDGET.check(needed, field="steps", what="This run", remedy="fewer steps")
    assert Cost().allows(Cost(seconds=1e9, bytes=1e12))
