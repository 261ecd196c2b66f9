"""The commands that make the stored results again: nothing is trained or written before their arguments are read."""

import sys
from importlib import import_module

import numpy as np
import pytest

from looped import provenance
from looped.experiments.beyond import stacks

COMMANDS = [f"{name}.stored" for name in ("beyond", "context", "gpt2", "signal", "train")] + ["beyond.stacks"]


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize(("argument", "status"), [("--help", 0), ("--wrte", 2), ("again", 2)])
def test_help_is_given_and_unknown_arguments_are_refused_before_any_work(monkeypatch, capsys, name, argument, status):
    module = import_module(f"looped.experiments.{name}")
    monkeypatch.setattr(sys, "argv", [name, argument])
    with pytest.raises(SystemExit) as stopped:
        module.main()
    assert stopped.value.code == status
    said = capsys.readouterr()
    assert f"usage: python -m looped.experiments.{name}" in (said.err if status else said.out)


@pytest.mark.parametrize("arguments", [[], ["--write"]])
def test_trained_layers_are_printed_and_written_only_when_that_is_asked(monkeypatch, capsys, tmp_path, arguments):
    kept = stacks.stacks()
    again = {name: getattr(kept, name) for name in ("by_loop", "by_scale", "steps", "scales")}
    monkeypatch.setattr(stacks, "trained", lambda **_: again)
    monkeypatch.setattr(provenance, "STORED", tmp_path)
    monkeypatch.setattr(sys, "argv", ["stacks", *arguments])
    stacks.main()
    said = capsys.readouterr().out
    assert f'"smallest": {kept.by_loop[0, :, stacks.LAYERS].min()}' in said
    assert f'"largest": {kept.by_scale[1, :, -1].max()}' in said
    assert [path.name for path in tmp_path.iterdir()] == ([stacks.NAME] if arguments else [])
    if arguments:
        with np.load(tmp_path / stacks.NAME) as arrays:
            np.testing.assert_array_equal(arrays["by_loop"], kept.by_loop)
