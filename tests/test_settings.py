import dataclasses
import json
import re
import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from looped import Settings, SettingsError
from looped.experiments import EXPERIMENTS
from looped.settings import FIELDS
from looped_ui.parts import typeset
from tests.strategies import any_settings


def test_the_defaults_are_those_of_the_contract():
    assert Settings() == Settings(
        loops=50, examples=40, features=10, condition_number=5.0, prompts=64, seed=0, dtype="float64", layout="compact",
        form="state", step_size="auto", noise=0, label_scale=1, spectrum="geometric", data="exact",
    )  # fmt: skip


def test_every_field_of_settings_stands_in_the_table_of_limits_once():
    assert [field.name for field in dataclasses.fields(Settings)] == list(FIELDS) == [f.name for f in FIELDS.values()]
    assert len({field.key for field in FIELDS.values()}) == len(FIELDS)


@pytest.mark.parametrize("name", FIELDS)
def test_every_setting_explains_itself_and_its_limit(name):
    field = FIELDS[name]
    assert len(field.command_help) > 40
    for choice in field.choices if field.kind == "choice" else ():
        assert choice.label
        assert choice.help
        assert f"“{choice.label}”: {choice.help}." in field.page_help
        assert f"{choice.id}: {choice.help}." in field.command_help
    if field.kind in ("whole", "real"):
        low, high = (f"{abs(x):,.0f}" for x in (field.low, field.high))
        assert low in field.help
        assert high in field.help


@given(any_settings)
def test_settings_survive_json(settings):
    assert Settings.from_json(settings.to_json()) == settings
    assert set(json.loads(settings.to_json())) == set(FIELDS)


@given(any_settings)
def test_settings_survive_a_link(settings):
    query = settings.to_query()
    assert set(query) == {field.key for field in FIELDS.values()} | {"v"}
    assert Settings.from_query(query) == (settings, {})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("loops", 0), ("loops", 10_001), ("loops", 2.5), ("loops", "many"), ("loops", True), ("loops", None),
        ("examples", 0), ("examples", 2001), ("features", 0), ("features", 201), ("features", float("nan")),
        ("condition_number", 0.5), ("condition_number", 1.1e4), ("condition_number", float("nan")),
        ("condition_number", float("inf")), ("prompts", 0), ("prompts", 1001), ("seed", -1), ("seed", 2**31),
        ("dtype", "float16"), ("layout", "wide"), ("form", "both"), ("spectrum", "flat"), ("data", "web"),
        ("step_size", 0), ("step_size", -1), ("step_size", float("nan")), ("step_size", "fast"),
        ("step_size", float("inf")), ("noise", -0.1), ("noise", 11), ("label_scale", 0), ("label_scale", 1e4),
        ("shared_step", "perhaps"), ("shared_step", 3), ("feature_columns", 3),
    ],
)  # fmt: skip
def test_a_bad_value_is_refused_in_one_sentence_with_field_value_and_range(name, value):
    with pytest.raises(SettingsError) as caught:
        Settings(**{name: value})
    message = str(caught.value)
    assert message.startswith(f"{FIELDS[name].key} = {value} cannot be used")
    assert f"choose {FIELDS[name].range}." in message
    assert "\n" not in message
    assert caught.value.field == name
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("key", "text", "name", "expected"),
    [
        ("T", "20000", "loops", 10_000), ("T", "0", "loops", 1), ("T", "-inf", "loops", 1), ("T", "9.6", "loops", 10),
        ("T", "abc", "loops", 50), ("T", "", "loops", 50), ("n", "0", "examples", 1), ("d", "1e9", "features", 200),
        ("kappa", "0.5", "condition_number", 1), ("kappa", "nan", "condition_number", 5),
        ("kappa", "1e99", "condition_number", 1e4), ("alpha", "0", "label_scale", 1),
        ("step", "-1", "step_size", "auto"),
        ("dtype", "float16", "dtype", "float64"), ("shared", "maybe", "shared_step", False),
    ],
)  # fmt: skip
def test_a_link_with_a_bad_value_gets_the_nearest_one_and_says_so(key, text, name, expected):
    settings, rejected = Settings.from_query({key: text, "seed": "7"})
    assert getattr(settings, name) == expected
    assert settings.seed == 7
    assert list(rejected) == [key]
    assert rejected[key].startswith(f"{key} = {text} cannot be used")
    assert rejected[key].endswith(f"Using {FIELDS[name].to_text(expected)}.")


@example({"columns": "a\nb"})
@given(st.dictionaries(st.sampled_from([field.key for field in FIELDS.values()]), st.text(max_size=30)))
def test_no_link_is_refused(query):
    settings, rejected = Settings.from_query(query)
    assert isinstance(settings, Settings)
    assert set(rejected) <= set(query)


def test_missing_fields_of_a_link_are_the_defaults():
    assert Settings.from_query({}) == (Settings(), {})
    assert Settings(**Settings.defaults()) == Settings()


@pytest.mark.parametrize("text", ["", "[1]", "3", "{", '{"loops": 0}', '{"loop": 3}'])
def test_json_that_is_not_settings_is_refused(text):
    with pytest.raises(SettingsError):
        Settings.from_json(text)


def test_settings_cannot_be_changed_but_copied_with_changes():
    settings = Settings()
    with pytest.raises(AttributeError):
        settings.loops = 3
    assert settings.replace(loops=3) == Settings(loops=3)
    with pytest.raises(SettingsError):
        settings.replace(loops=0)


@pytest.mark.parametrize(("text", "value"), [("7,5", 7.5), (" 7,5 ", 7.5), (",75e1", 7.5), ("1234,5", 1234.5)])
def test_a_decimal_comma_in_a_link_is_read_as_a_point_and_that_is_said(text, value):
    settings, notes = Settings.from_query({"kappa": text})
    assert settings.condition_number == value
    assert notes == {"kappa": f"kappa: its comma was read as a decimal point. Using {value:g}."}


@pytest.mark.parametrize("text", ["1,000", "12,345", "1.000,5", "1,000.5", "1,2,3", "7,", ","])
def test_a_comma_that_may_be_something_else_is_refused_with_the_remedy(text):
    with pytest.raises(SettingsError, match="a number has a decimal point and no other separator"):
        FIELDS["condition_number"].read(text)
    settings, notes = Settings.from_query({"kappa": text})
    assert settings.condition_number == 5
    assert notes["kappa"].startswith(f"kappa = {text} cannot be used, a number has a decimal point")


def test_a_decimal_comma_does_not_make_a_whole_number_of_half_a_loop():
    settings, notes = Settings.from_query({"T": "7,5", "step": "0,3"})
    assert (settings.loops, settings.step_size) == (8, 0.3)
    assert notes["T"].startswith("T = 7.5 cannot be used")
    assert notes["step"] == "step: its comma was read as a decimal point. Using 0.3."


@pytest.mark.parametrize("text", ["１2", "١٠", "1_0", "７,5"])
def test_digits_of_other_scripts_are_no_numbers(text):
    with pytest.raises(SettingsError, match=r"it is not a number|no other separator"):
        Settings(condition_number=text)
    assert Settings.from_query({"kappa": text})[0].condition_number == 5


def test_a_module_of_the_package_is_there_when_it_is_named():
    code = "import looped; assert callable(looped.tables.read_csv); assert not hasattr(looped, 'no_such_room')"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_no_help_of_a_page_shows_a_star_that_is_no_symbols(name):
    for field in EXPERIMENTS[name].load("settings").table.values():
        assert "*" not in re.sub(r"(?<=[αβwΓ])\\\*", "", typeset(field.page_help)), field.name
