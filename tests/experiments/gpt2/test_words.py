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


RIVALS = {"wider": {"width": 56}, "deeper": {"layers": 6}}
"""Sizes without MLP that have about as many weights as the default model."""


def test_every_stored_setting_has_three_seeds_of_every_model():
    for group in words.groups(stored()):
        assert group.seeds == [0, 1, 2]
        with_mlp, without, *rivals = (model[0].settings for model in group.models)
        assert with_mlp == group.settings
        assert without == with_mlp.replace(mlp=False)
        if with_mlp in (GPT2Settings(), GPT2Settings(signal=0.0)):
            assert set(rivals) == {without.replace(**size) for size in RIVALS.values()}
            assert np.mean(words.risks(group.models[2])) < np.mean(words.risks(group.models[3]))
        for model in group.models:
            assert [curve.settings for curve in model] == [model[0].settings.replace(seed=seed) for seed in range(3)]
    assert sum(len(group.curves) for group in words.groups(stored())) == len(stored())


def weights(width, layers, mlp, d=2, M=10):
    """GPT-2's weights, matrix by matrix: those of attention and MLP with their biases, then what is around them."""
    attention = (width + 1) * 3 * width + (width + 1) * width + 2 * width
    feed_forward = (width + 1) * 4 * width + (4 * width + 1) * width + 2 * width
    around = (d + 2) * width + (M + 1) * width + 2 * width + (width + 1)  # read-in, positions, last norm, read-out
    return layers * (attention + mlp * feed_forward) + around


def test_the_rivals_have_as_many_weights_as_their_shape_allows():
    settings = GPT2Settings()
    wanted = weights(32, 2, True)
    wider, deeper = settings.as_many_weights().values()
    assert wider.width == min(range(4, 513, 2), key=lambda width: abs(weights(width, 2, False) - wanted)) == 56
    assert deeper.layers == min(range(1, 13), key=lambda layers: abs(weights(32, layers, False) - wanted)) == 6
    for one, size in ((settings, (32, 2, True)), (wider, (56, 2, False)), (deeper, (32, 6, False))):
        assert one.weights == weights(*size)
        assert one.weights == pytest.approx(wanted, rel=0.04)
    assert settings.replace(width=30, heads=3).as_many_weights()["wider"].width % 3 == 0


def test_the_smallest_risks_do_not_depend_on_model_and_training():
    settings = GPT2Settings(features=3, examples=4, signal=2.0, noise=0.5, seed=7)
    other = settings.replace(layers=3, heads=4, width=16, steps=10, batch=8, learning_rate=1e-3, decay=False)
    assert other.of_task == settings == settings.of_task


def test_the_headline_gives_every_model_its_spread_and_its_weights():
    group = next(group for group in words.groups(stored()) if group.settings == GPT2Settings())
    said = words.headline(group)
    assert said.startswith("**Small GPT-2-style models, trained from scratch, 3 seeds each.**")
    names = {"with MLP": risks(True), "without MLP": risks(False)}
    names |= {f"without MLP, {size}": risks(False, **RIVALS[kind])
              for kind, size in (("wider", "width 56"), ("deeper", "6 layers"))}  # fmt: skip
    ends = [f"**{min(values.values()):#.2g} to {max(values.values()):#.2g}**" for values in names.values()]
    share = round(100 * weights(32, 2, False) / weights(32, 2, True))
    assert f"with MLP {ends[0]}, without ({share} % of the weights) {ends[1]}" in said
    assert f"without, at about as many weights, {ends[2]} (width 56) and {ends[3]} (6 layers)." in said
    for one in words.groups(stored()):
        assert ("at about as many weights" in words.headline(one)) == (len(one.models) > 2)
        assert (
            len(words.headline(one).replace("*", "")) < 245
        )  # two lines in a window of 1280 pixels, with a word on what is proved
    ahead = [sum(names["with MLP"][seed] < other[seed] for seed in range(3)) for other in list(names.values())[1:]]
    told = words.leads(group)
    assert [int(number) for number in re.findall(r"(\d) of 3 seeds", told)] == ahead
    assert "No model without MLP was trained" not in told
    rows = words.models_table(group).splitlines()[2:]
    sizes = weights(32, 2, True), weights(32, 2, False), weights(56, 2, False), weights(32, 6, False)
    for row, values, size in zip(rows, names.values(), sizes, strict=True):
        assert f"| {size:,} |" in row
        told = re.findall(r"([\d.]+) ± ([\d.]+)", row)
        for (mean, error), value in zip(told, values.values(), strict=True):
            assert float(mean) == pytest.approx(value, abs=float(error))


def test_where_a_model_without_mlp_is_ahead_the_sentences_say_so():
    group = next(group for group in words.groups(stored()) if group.settings == GPT2Settings())
    with_mlp, without, wider, deeper = group.models
    told = words.leads(words.Group(group.settings, [wider, without, with_mlp, deeper]))
    assert "at 0 of 3 seeds against “with MLP”" in told


def test_the_names_of_stored_settings_fit_a_phone_and_differ():
    names = [words.label(group.settings) for group in words.groups(stored())]
    assert len(set(names)) == len(names)
    assert max(map(len, names)) <= 50  # 66 letters were cut at 400 pixels
    assert words.label(GPT2Settings(features=3, layers=4, width=16)).startswith(
        "s = 10, M = 10, d = 3, 4 layers, width 16,"
    )


def test_the_table_holds_lowest_and_highest_risk_of_every_setting():
    rows = [row for row in words.table(words.groups(stored())).splitlines() if row.startswith("| s =")]
    assert len(rows) == len({curve.settings.replace(seed=0) for curve in stored() if curve.settings.mlp})
    for settings in ({}, {"signal": 0.0}, {"learning_rate": 0.003, "decay": False, "steps": 4000},
                     {"examples": 6, "signal": 5.0, "learning_rate": 0.002, "decay": False}):  # fmt: skip
        with_mlp, without = (risks(mlp, **settings) for mlp in (True, False))
        shown = [f"{min(r.values()):#.2g} to {max(r.values()):#.2g}" for r in (with_mlp, without)]
        lower = sum(with_mlp[seed] < without[seed] for seed in with_mlp)
        (row,) = (row for row in rows if row.startswith(f"| {words.label(GPT2Settings(**settings))} |"))
        *cells, rivals = (cell.strip() for cell in row.split("|")[2:-1])
        assert cells == [*shown, f"{lower} of 3"]
        if settings.get("steps") or settings.get("examples"):
            assert rivals == "not trained"
        else:
            ends = [risks(False, **settings, **size).values() for size in RIVALS.values()]
            wide, deep = (f"{min(values):#.2g} to {max(values):#.2g}" for values in ends)
            assert sorted(rivals.split("; ")) == [f"6 layers: {deep}", f"width 56: {wide}"]


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
    assert f"has {total} pairs with and without MLP" in line
    assert f"in {early} of them after a twentieth of the steps, and in {end} at the end" in line


def test_a_pair_in_which_the_mlp_is_behind_is_counted_as_that():
    curves = [curve for curve in stored() if curve.settings.replace(seed=0, mlp=True) == GPT2Settings()]
    swapped = [type(curve)(**{name: getattr(curve, name) for name in curve.__slots__}
               | {"settings": curve.settings.replace(mlp=not curve.settings.mlp)}) for curve in curves]  # fmt: skip
    assert "has 3 pairs with and without MLP" in words.notice(swapped)[0]
    assert "and in 0 at the end" in words.notice(swapped)[0]
    assert "at 0 of 3 seeds against “without MLP”" in words.leads(words.groups(swapped)[0])
    assert words.groups(curves[:1]) == []


def test_the_lesson_of_a_strong_signal_is_true_of_every_seed():
    with_mlp, without = (risks(mlp) for mlp in (True, False))
    assert all(with_mlp[seed] < without[seed] < 2 for seed in with_mlp)
    assert "all three seeds end below the dotted line, those with MLP further" in LESSONS["strong-signal"].answer
    wider = words.groups(stored())[0].models[2]
    assert wider[0].settings == GPT2Settings(mlp=False, width=56)
    assert all(with_mlp[seed] < risk < 2 for seed, risk in enumerate(words.risks(wider)))
    deeper = words.groups(stored())[0].models[3]
    assert deeper[0].settings == GPT2Settings(mlp=False, layers=6)
    assert all(with_mlp[seed] < risk for seed, risk in enumerate(words.risks(deeper)))
    (above,) = (risk for risk in words.risks(deeper) if risk > 2)
    assert f"one of its seeds ends above the line, at {above:.2g}." in " ".join(LESSONS["strong-signal"].answer.split())
    task = GPT2Settings().task()
    assert (task.c, task.c + float(task.beta_star @ task.H @ task.beta_star)) == (2, 202)
    assert "always answers 0 has an error of 10²·2 + 2 = 202;" in LESSONS["strong-signal"].see
    assert "from the examples has an error of d = 2," in LESSONS["strong-signal"].see


def test_the_lesson_without_a_signal_is_true_of_every_seed():
    both = [risks(mlp, signal=0.0) for mlp in (True, False)]
    best = levels(GPT2Settings(signal=0.0).task(), 0).gd.risk
    np.testing.assert_allclose(numbers(LESSONS["no-signal"].see), [best], rtol=0.03)
    assert LESSONS["no-signal"].choices[LESSONS["no-signal"].right] == "Two"
    assert sum(both[0][seed] < both[1][seed] for seed in both[0]) == 2
    deep = risks(False, signal=0.0, layers=6)
    assert all(deep[seed] < min(some[seed] for some in both) for seed in deep)


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
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    (pair,) = (row for row in lines if "looped gpt2 --mlp`" in row)
    (rivals,) = (row for row in lines if "looped gpt2 --no-mlp --width 56`" in row)
    for row, models in ((pair, [(True, {}), (False, {})]), (rivals, [(False, size) for size in RIVALS.values()])):
        for mlp, size in models:
            for settings in ({}, {"signal": 0.0}):
                values = risks(mlp, **settings, **size).values()
                assert f"{min(values):#.2g} to {max(values):#.2g}" in row
    for size in RIVALS.values():
        assert f"{GPT2Settings(mlp=False, **size).weights:,}" in rivals


def test_every_stored_curve_names_the_command_that_makes_it():
    for curve in stored():
        assert command(curve.settings).startswith("python -m looped gpt2")
        assert curve.versions["torch"]
        assert curve.risk.draws == 20_000
