"""Every experiment of the list has its parts, and the page, the command and the files find them."""

import importlib
import re
from pathlib import Path

import click
import pytest

import looped
from looped import export
from looped.experiments import EXPERIMENTS
from looped.export import Export
from looped.lesson import Lesson
from looped.settings import CheckedSettings
from tests import results

ROOT = Path(looped.__file__).parents[1]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_its_parts_are_there(name):
    experiment = EXPERIMENTS[name]
    settings = experiment.load("settings")
    assert issubclass(settings, CheckedSettings)
    assert len({field.key for field in settings.table.values()}) == len(settings.table)
    assert all(isinstance(lesson, Lesson) and settings(**lesson.settings) for lesson in experiment.load("lessons"))
    assert issubclass(experiment.load("export"), Export)
    assert (ROOT / "pages" / f"{name}.py").is_file()
    command = importlib.import_module(experiment.command)
    assert isinstance(command.run, click.Command)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_its_settings_its_run_and_its_result_are_public(name):
    experiment = EXPERIMENTS[name]
    assert getattr(looped, name) is experiment.load("run")
    for part in ("settings", "result"):
        thing = experiment.load(part)
        assert getattr(looped, thing.__name__) is thing
        assert thing.__name__ in looped.__all__


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_its_result_is_written_by_its_export_and_repeated_by_a_script_that_imports_from_looped_alone(name):
    result = results.result(name)
    assert type(result) is EXPERIMENTS[name].load("result")
    made = export.of(result)
    assert type(made) is EXPERIMENTS[name].load("export")
    imports = re.findall(r"(?m)^(?:from|import) .*", made.script())
    assert len(imports) == 1
    assert imports[0].startswith("from looped import ")


def test_anything_else_is_no_result():
    with pytest.raises(TypeError, match="a int"):
        export.of(3)
