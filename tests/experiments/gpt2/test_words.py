"""The statements of page, lessons and README about the stored trainings, compared with the curves."""

import re
from pathlib import Path

import numpy as np
import pytest

from looped.experiments.gpt2 import words
from looped.experiments.gpt2.curves import command, stored
from looped.experiments.gpt2.lessons import GPT2
from looped.experiments.gpt2.model import PromptGPT2
from looped.experiments.gpt2.settings import GPT2Settings
from looped.lesson import by_key
from looped.shared_signal.levels import levels

ROOT = Path(__file__).parents[3]
LESSONS = by_key(GPT2)


def risks(mlp, **settings):
    """Final risks of the stored trainings with these settings, by seed."""
    wanted = GPT2Settings(mlp=mlp, **settings)
    found = {curve.settings.seed: curve for curve in stored() if curve.settings.replace(seed=0) == wanted}
    return {seed: found[seed].risk.mean for seed in sorted(found)}


def numbers(text):
    return [float(number) for number in re.findall(r"\d+\.\d+", text)]


def test_every_stored_setting_has_three_seeds_of_both_models():
    for group in words.groups(stored()):
        assert [pair[0].settings.seed for pair in group.pairs] == [0, 1, 2]
        for with_mlp, without in group.pairs:
            assert with_mlp.settings.mlp
            assert without.settings == with_mlp.settings.replace(mlp=False)
    assert sum(2 * len(group.pairs) for group in words.groups(stored())) == len(stored())


def test_the_table_holds_lowest_and_highest_risk_of_every_setting():
    rows = [row for row in words.table(stored()).splitlines() if row.startswith("| s =")]
    assert len(rows) == len({curve.settings.replace(seed=0, mlp=True) for curve in stored()})
    for settings in ({}, {"signal": 0.0}, {"learning_rate": 0.003, "decay": False, "steps": 4000},
                     {"examples": 6, "signal": 5.0, "learning_rate": 0.002, "decay": False}):  # fmt: skip
        with_mlp, without = (risks(mlp, **settings) for mlp in (True, False))
        shown = [f"{min(r.values()):.2g} to {max(r.values()):.2g}" for r in (with_mlp, without)]
        lower = sum(with_mlp[seed] < without[seed] for seed in with_mlp)
        (row,) = (row for row in rows if row.startswith(f"| {words.label(GPT2Settings(**settings))} |"))
        assert [cell.strip() for cell in row.split("|")[2:-1]] == ["3", *shown, f"{lower} of 3"]


def test_leads_are_counted_and_not_asserted():
    early = end = total = 0
    for curve in stored():
        if not curve.settings.mlp or curve.settings.signal == 0:
            continue
        (other,) = (c for c in stored() if c.settings == curve.settings.replace(mlp=False))
        step = curve.settings.steps // 20
        at_step = [np.interp(step, *zip(*((r.step, r.loss) for r in c.history), strict=True)) for c in (curve, other)]
        early += at_step[0] < at_step[1]
        end += curve.risk.mean < other.risk.mean
        total += 1
    line = words.notice(stored())[0]
    assert f"in {early} of {total} stored pairs after a twentieth" in line
    assert f"in {end} of {total} at the end" in line


def test_a_pair_in_which_the_mlp_is_behind_is_counted_as_that():
    curves = [curve for curve in stored() if curve.settings.signal == 10 and curve.settings.decay]
    swapped = [type(curve)(**{name: getattr(curve, name) for name in curve.__slots__}
               | {"settings": curve.settings.replace(mlp=not curve.settings.mlp)}) for curve in curves]  # fmt: skip
    assert "in 0 of 3 at the end" in words.notice(swapped)[0]
    assert "lower at 0 of 3" in words.seeds_sentence(words.groups(swapped)[0])
    assert words.groups(curves[:1]) == []


def test_the_lesson_of_a_strong_signal_gives_the_spread_of_its_seeds():
    with_mlp, without = (list(risks(mlp).values()) for mlp in (True, False))
    said = numbers(LESSONS["strong-signal"].see)
    np.testing.assert_allclose(said, [min(with_mlp), max(with_mlp), min(without), max(without)], rtol=0.03)
    assert GPT2Settings().task().c == 2
    assert "from the examples has 2." in LESSONS["strong-signal"].see


def test_the_lesson_without_a_signal_gives_the_spread_of_its_seeds():
    both = [risks(mlp, signal=0.0) for mlp in (True, False)]
    everything = [risk for some in both for risk in some.values()]
    best = levels(GPT2Settings(signal=0.0).task(), 0).gd.risk
    np.testing.assert_allclose(numbers(LESSONS["no-signal"].see), [min(everything), max(everything), best], rtol=0.03)
    assert "ahead at two of three seeds" in LESSONS["no-signal"].answer
    assert sum(both[0][seed] < both[1][seed] for seed in both[0]) == 2


def test_the_model_with_mlp_has_nearly_three_times_the_weights():
    pytest.importorskip("transformers")
    import torch

    count = [
        sum(weight.numel() for weight in PromptGPT2(2, 10, mlp=mlp, layers=2, heads=2, width=32,
                                                    generator=torch.Generator()).parameters())
        for mlp in (True, False)
    ]  # fmt: skip
    assert 2.7 < count[0] / count[1] < 3


def test_the_readme_gives_every_seed_of_the_default_size():
    (row,) = (
        row for row in (ROOT / "README.md").read_text(encoding="utf-8").splitlines() if "looped gpt2 --mlp`" in row
    )
    for mlp in (True, False):
        for settings in ({}, {"signal": 0.0}):
            values = risks(mlp, **settings).values()
            assert f"{min(values):.2g} to {max(values):.2g}" in row


def test_every_stored_curve_names_the_command_that_makes_it():
    for curve in stored():
        assert command(curve.settings).startswith("python -m looped gpt2")
        assert curve.versions["torch"]
        assert curve.risk.draws == 20_000
