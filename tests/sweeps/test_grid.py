import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from looped import ContextSettings, Settings, SettingsError
from looped.sweeps.grid import MOST_RUNS, Axis, axes_of, count, read_axes, rows_of, runs, together


def values(axes):
    return {name: [row[k] for row in axis.values] for axis in axes for k, name in enumerate(axis.names)}


def test_a_grid_names_settings_by_key_option_or_name_and_a_range_has_both_its_ends():
    axes = read_axes("T=2,5,10; n=10:80:10; seed=0:9; step-size=auto,0.5; condition_number=1:2:0.25", Settings)
    assert values(axes) == {
        "loops": [2, 5, 10],
        "examples": [10, 20, 30, 40, 50, 60, 70, 80],
        "seed": list(range(10)),
        "step_size": ["auto", 0.5],
        "condition_number": [1, 1.25, 1.5, 1.75, 2],
    }
    assert count(axes) == 3 * 8 * 10 * 2 * 5


def test_settings_that_hold_lists_are_separated_by_a_bar():
    axes = read_axes("ratios=1,2|0.5,1,4; rows=gaussian,student", ContextSettings)
    assert values(axes) == {"ratios": [(1, 2), (0.5, 1, 4)], "rows": ["gaussian", "student"]}


def test_the_last_axis_changes_fastest_and_what_changes_together_stays_together():
    axes = read_axes("seed=0,1", Settings) + together(axes_of({"T": [5, 9], "n": "10,30"}, Settings))
    assert list(runs(axes, {"features": 4})) == [
        {"features": 4, "seed": seed, "loops": loops, "examples": examples}
        for seed in (0, 1)
        for loops, examples in ((5, 10), (9, 30))
    ]


def test_a_table_of_runs_may_leave_settings_out():
    (axis,) = rows_of([{"T": "5", "n": "10"}, {"T": "7"}], Settings)
    assert axis == Axis(("loops", "examples"), [(5, 10), (7, 40)])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("q=1", "q is not a setting of this experiment: choose from T, n, d, kappa"),
        ("T", "T has no values: write name=values"),
        ("T=", "T has no values"),
        ("T=5:2", "is empty: a range goes up"),
        ("T=5:9:0", "is empty: a range goes up"),
        ("T=a:9", "is not a range"),
        ("T=1:2:3:4", "is not a range"),
        ("seed=0:1000000000", "has 1,000,000,001 values"),
        ("n=1:2000; T=1:1000", "The grid has 2,000,000 runs: choose at most 1,000,000"),
        ("T=2; loops=3", "loops is given twice"),
        ("n=many", "n = many cannot be used, it is not a number"),
        ("data=moon", "data = moon cannot be used"),
    ],
)
def test_what_cannot_be_a_grid_is_refused_in_one_sentence(text, sentence):
    with pytest.raises(SettingsError, match=sentence) as refused:
        count(read_axes(text, Settings))
    assert "\n" not in str(refused.value)


def test_different_numbers_of_values_cannot_change_together():
    with pytest.raises(SettingsError, match="loops 2, examples 3"):
        together(axes_of({"T": [1, 2], "n": [1, 2, 3]}, Settings))


def test_a_number_out_of_range_stays_for_its_own_run_to_say_so():
    assert values(read_axes("T=5,20000", Settings)) == {"loops": [5, 20000]}


@given(
    start=st.integers(-500, 500), number=st.integers(1, 300), step=st.sampled_from([0.001, 0.1, 0.25, 1, 3, 7.5]),
    rest=st.floats(0, 0.9),
)  # fmt: skip
def test_a_range_is_what_numpy_makes_of_whole_steps(start, number, step, rest):
    stop = start + (number - 1 + rest) * step
    (axis,) = read_axes(f"alpha={start}:{stop!r}:{step}", Settings)
    expected = start + np.arange(number) * step
    np.testing.assert_allclose([value for (value,) in axis.values], expected, atol=1e-9)


@given(sizes=st.lists(st.integers(1, 2000), min_size=1, max_size=3))
def test_the_number_of_runs_is_the_product_and_never_above_the_most(sizes):
    names = ("loops", "examples", "seed")
    axes = [Axis((name,), [(1,)] * size) for name, size in zip(names, sizes, strict=False)]
    if np.prod(sizes) > MOST_RUNS:
        with pytest.raises(SettingsError):
            count(axes)
    else:
        assert count(axes) == np.prod(sizes)
