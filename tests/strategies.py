"""Random settings for property tests."""

from hypothesis import strategies as st

from looped import Settings
from looped.fields import Field
from looped.settings import FIELDS, SYNTHETIC

COLUMN_NAMES = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters='"'), min_size=1, max_size=12)


def value_of(field: Field) -> st.SearchStrategy:
    """Any allowed value of a setting."""
    match field.kind:
        case "whole":
            return st.integers(int(field.low), int(field.high))
        case "real":
            return st.floats(field.low, field.high, allow_nan=False).filter(lambda x: abs(x) >= 1e-3 or field.low >= 0)
        case "step":
            return st.sampled_from(field.ids) | st.floats(1e-12, field.high)
        case "choice":
            return st.sampled_from(field.ids)
        case "yes/no":
            return st.booleans()
        case "list":
            return st.lists(COLUMN_NAMES, max_size=4).map(tuple)
        case _:
            return COLUMN_NAMES


any_settings = st.builds(Settings, **{name: value_of(field) for name, field in FIELDS.items()})
"""Settings with every field drawn from its whole range."""


def runnable_settings(max_loops: int = 300, max_examples: int = 60, max_features: int = 24) -> st.SearchStrategy:
    """Settings small enough to run, κ up to 10⁴, log-uniform, with a step that contracts."""
    return st.builds(
        Settings,
        loops=_log_uniform(max_loops),
        examples=_log_uniform(max_examples),
        features=_log_uniform(max_features),
        condition_number=st.floats(0, 4).map(lambda power: 10**power),
        prompts=st.integers(1, 4),
        seed=st.integers(0, 2**31 - 1),
        dtype=st.sampled_from(["float64", "float32"]),
        layout=st.sampled_from(["compact", "slots"]),
        form=st.sampled_from(["state", "token", "auto"]),
        step_size=st.sampled_from(["auto", "optimal"]),
        shared_step=st.booleans(),
        noise=st.sampled_from([0.0, 0.3]),
        label_scale=st.sampled_from([1.0, -2.5, 100.0]),
        spectrum=st.sampled_from(FIELDS["spectrum"].ids),
        data=st.sampled_from(["exact", "gaussian"]),
    )


def wild_settings() -> st.SearchStrategy:
    """Small settings of every algorithm, with steps and parameters that may diverge."""
    power = st.floats(-3, 3).map(lambda exponent: 10**exponent)
    return st.builds(
        Settings,
        algorithm=st.sampled_from(FIELDS["algorithm"].ids),
        loops=_log_uniform(400),
        examples=_log_uniform(30),
        features=_log_uniform(8),
        condition_number=st.floats(0, 4).map(lambda exponent: 10**exponent),
        prompts=st.integers(1, 3),
        seed=st.integers(0, 1000),
        dtype=st.sampled_from(["float64", "float32"]),
        step_size=st.sampled_from(["auto", "optimal"]) | power,
        momentum=st.just("auto") | st.floats(0.01, 0.999),
        gamma=st.just("auto") | power,
        ridge=power.filter(lambda strength: strength <= 100),
        shared_step=st.booleans(),
        noise=st.sampled_from([0.0, 1.0]),
        label_scale=st.sampled_from([1.0, -1000.0, 0.001]),
        data=st.sampled_from(SYNTHETIC),
    )


def _log_uniform(high: int) -> st.SearchStrategy[int]:
    return st.floats(0, 1).map(lambda u: round(high**u))
