import json
import math
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from looped import cli, export
from looped.chart import ROLES, colour
from looped.experiments.gpt2 import command as command_line
from looped.experiments.gpt2 import training
from looped.experiments.gpt2.charts import curves_chart
from looped.experiments.gpt2.cost import check, estimate
from looped.experiments.gpt2.curves import Curve, command, stored
from looped.experiments.gpt2.result import GPT2Training, gpt2
from looped.experiments.gpt2.settings import PAPER, GPT2Settings
from looped.experiments.gpt2.training import GPT2Trainer
from looped.fields import SettingsError

pytest.importorskip("transformers")

COLOURS_OF_ROLES = {None, *map(colour, ROLES)}

TINY = GPT2Settings(features=2, examples=3, layers=1, heads=2, width=8, batch=16, steps=40, signal=1.0)


def parameters(trainer):
    return [weight.detach() for weight in trainer.model.parameters()]


def test_training_lowers_the_error_on_fresh_prompts():
    trainer = GPT2Trainer(TINY.replace(steps=400, learning_rate=1e-2))
    before = trainer.risk(2000).mean
    losses = [record.loss for record in trainer.run()]
    after = trainer.risk(2000)
    assert before > 3  # label variance: d·s² + d = 4
    assert after.mean < 0.75 * before
    assert np.mean(losses[-20:]) == pytest.approx(after.mean, rel=0.3)
    assert [record.step for record in trainer.history] == list(range(2, 401, 2))


def test_the_loss_is_that_of_the_prompts_before_their_step():
    trainer = GPT2Trainer(TINY.replace(steps=3, learning_rate=1e-6))
    losses = [record.loss for record in trainer.run()]
    generator = torch.Generator().manual_seed(2**40)
    untrained = GPT2Trainer(TINY.replace(steps=3)).model
    from looped.shared_signal import draw

    for loss in losses:
        batch = draw(TINY.task(), 16, generator, torch.float32)
        expected = float((untrained(batch.E) - batch.y).square().mean().detach())
        assert loss == pytest.approx(expected, rel=1e-3)


def test_saved_and_resumed_it_ends_in_the_same_bytes(tmp_path):
    whole = GPT2Trainer(TINY)
    list(whole.run())
    first = GPT2Trainer(TINY)
    for _ in range(17):
        first.step()
    first.save(tmp_path / "run.pt")
    second = GPT2Trainer.resume(tmp_path / "run.pt")
    assert second.steps == 17
    list(second.run())
    assert second.history == whole.history
    assert all(torch.equal(a, b) for a, b in zip(parameters(whole), parameters(second), strict=True))


def test_the_rate_rises_and_falls_or_stays():
    falling = TINY.replace(steps=1000, learning_rate=0.01)
    assert falling.rate(0) < 2e-4
    assert falling.rate(99) == pytest.approx(0.01, rel=0.03)
    assert falling.rate(999) < 1e-6
    assert {falling.replace(decay=False).rate(step) for step in (0, 500, 999)} == {0.01}


def test_what_cannot_be_trained_is_refused_in_one_sentence(tmp_path):
    with pytest.raises(SettingsError, match="width = 9 is no multiple of heads = 2"):
        GPT2Trainer(TINY.replace(width=9))
    with pytest.raises(SettingsError, match="device = tpu cannot be used: choose cpu"):
        GPT2Trainer(TINY, "tpu")
    with pytest.raises(SettingsError, match=r"at most 1,800 s.*or the command python -m looped gpt2\.$"):
        check(GPT2Settings(**PAPER))
    (tmp_path / "run.pt").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="is damaged or was not written by this version's training"):
        GPT2Trainer.resume(tmp_path / "run.pt")
    trainer = GPT2Trainer(TINY)
    with torch.no_grad():
        trainer.model.read_out.weight.fill_(math.nan)
    with pytest.raises(SettingsError, match="makes training diverge, the loss is not finite after 1 steps"):
        trainer.step()


def test_a_run_of_another_device_is_refused(tmp_path):
    trainer = GPT2Trainer(TINY)
    trainer.device = torch.device("meta")
    trainer.save(tmp_path / "run.pt")
    with pytest.raises(SettingsError, match="was trained on meta: continue there, with --device meta"):
        GPT2Trainer.resume(tmp_path / "run.pt")


def test_the_models_of_the_defaults_are_estimated_at_less_than_three_minutes():
    pair, three = (estimate(GPT2Settings(), variants).seconds for variants in ((True, False), (True, False, "wider")))
    assert pair < three < 180


def test_nothing_imports_transformers_before_it_is_needed():
    code = (
        "import sys; import looped.experiments.gpt2.command, looped.export, looped.experiments.gpt2.charts; "
        "import looped_ui.risks; from looped.experiments.gpt2.result import GPT2Training; "
        "from looped.experiments.gpt2.settings import GPT2Settings; "
        "GPT2Training(GPT2Settings()); assert 'transformers' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_without_transformers_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(training.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(SettingsError, match=r"not installed: run `pip install -r requirements\.txt`"):
        GPT2Trainer(TINY)


def test_both_variants_go_side_by_side_and_pause_anywhere():
    work = GPT2Training(TINY)
    assert work.snapshot() == []
    records = [next(work.run()) for _ in range(3)]  # every next drops an iterator and takes another
    assert [[progress.step for progress in record] for record in records] == [[1, 1], [2, 2], [3, 3]]
    list(work.run())
    whole = gpt2(TINY.replace(mlp=False)).curves[0]
    assert work.snapshot()[1].history == whole.history
    assert work.snapshot()[1].risk == whole.risk


def test_the_files_of_several_models_name_each_of_them():
    from looped.experiments.gpt2.files import GPT2Export

    files = GPT2Export(gpt2(TINY.replace(steps=2), (True, False, "wider")))
    assert list(files.results["models"]) == ["with MLP", "without MLP", "without MLP, width 14"]
    assert {name.partition(".")[0] for name in files.arrays()} == {"mlp", "no_mlp", "wider"}
    assert {row[0] for row in files.curves()[1]} == files.results["models"].keys()
    assert "gpt2(settings, (True, False, 'wider'))" in files.script()


def test_a_curve_goes_through_its_file_and_its_command_gives_its_settings(monkeypatch):
    curve = gpt2(TINY.replace(mlp=False, decay=False, signal=0.0)).curves[0]
    assert Curve.from_json(curve.to_json()) == curve
    assert curve.finished
    assert curve.device == "one CPU thread"
    asked = []
    monkeypatch.setattr(
        "looped.experiments.gpt2.command.GPT2Trainer", lambda settings, _: asked.append(settings) or 1 / 0
    )
    with pytest.raises(ZeroDivisionError):
        cli.main(command(curve.settings).split()[3:])
    assert asked == [curve.settings]


def test_stored_curves_are_finished_pairs_that_say_where_they_come_from():
    kept = stored()
    assert {curve.settings.signal for curve in kept} >= {0.0, 10.0}
    for curve in kept:
        assert curve.device
        assert curve.date > "2026"
        assert {"python", "torch", "transformers"} <= curve.versions.keys()
        assert curve.finished
        assert curve.risk.mean == pytest.approx(np.mean([r.loss for r in curve.history[-10:]]), rel=0.35, abs=0.03)


@pytest.mark.parametrize("size", [{}, {"width": 56}, {"layers": 6}], ids=str)
def test_a_stored_curve_begins_as_one_made_here(size):
    curve = next(curve for curve in stored() if curve.settings == GPT2Settings(mlp=False, **size))
    first = next(GPT2Trainer(curve.settings).run())
    assert first.step == curve.history[0].step
    assert first.loss == pytest.approx(curve.history[0].loss, rel=1e-3)  # other processors round in other ways


def test_the_command_writes_its_files_resumes_and_counts_parameters(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(command_line, "SAVE_EVERY", 0.0)
    options = ["--d", "2", "--n", "3", "--layers", "1", "--width", "8", "--batch", "16", "--signal", "1", "--no-mlp"]
    options += ["--steps", "40", "--device", "cpu"]
    cli.main(["gpt2", *options, "--out", str(tmp_path / "a")])
    out, err = capsys.readouterr()
    summary = json.loads(out)
    assert summary["models"]["without MLP"]["steps"] == 40
    assert "with MLP" not in summary["models"]
    names = {"arrays.npz", "checkpoint.pt", "curve.json", "curves.csv", "figure.html", "reproduce.py", "result.json"}
    assert {path.name for path in (tmp_path / "a").iterdir()} == names
    assert "without MLP on cpu, from step 0" in err

    half = GPT2Trainer(GPT2Settings(**summary["settings"]))
    for _ in range(20):
        half.step()
    (tmp_path / "b").mkdir()
    half.save(tmp_path / "b" / "checkpoint.pt")
    cli.main(["gpt2", *options, "--resume", "--out", str(tmp_path / "b")])
    assert "from step 20" in capsys.readouterr().err
    for name in ("arrays.npz", "curves.csv", "result.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    with pytest.raises(SystemExit):
        cli.main(["gpt2", *options[:-4], "--steps", "60", "--resume", "--out", str(tmp_path / "b")])
    assert "was trained with" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["file", "file/x"])
def test_a_folder_that_cannot_be_written_is_one_line(capsys, tmp_path, place):
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit) as caught:
        cli.main(["gpt2", "--width", "8", "--steps", "2", "--out", str(tmp_path / place)])
    err = capsys.readouterr().err
    assert caught.value.code == 2
    assert "cannot be written to" in err
    assert "choose another folder" in err


def test_a_damaged_checkpoint_is_one_line(capsys, tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(b"nothing")
    with pytest.raises(SystemExit) as caught:
        cli.main(["gpt2", "--width", "8", "--resume", "--out", str(tmp_path)])
    assert caught.value.code == 2
    assert "is damaged or was not written by this version's training. Leave --resume out" in capsys.readouterr().err


def test_an_interrupt_stops_between_two_steps_and_resumes_to_the_same_bytes(capsys, tmp_path, monkeypatch):
    options = ["gpt2", "--n", "3", "--layers", "1", "--width", "8", "--batch", "8", "--steps", "20", "--device", "cpu"]
    step = GPT2Trainer.step

    def step_with_a_key(trainer):
        if trainer.steps == 7:
            signal.raise_signal(signal.SIGINT)
        return step(trainer)

    monkeypatch.setattr(GPT2Trainer, "step", step_with_a_key)
    with pytest.raises(SystemExit) as caught:
        cli.main([*options, "--out", str(tmp_path / "a")])
    assert caught.value.code == 130
    assert "stopped; --resume continues from here" in capsys.readouterr().err
    assert GPT2Trainer.resume(tmp_path / "a" / "checkpoint.pt").steps == 8
    monkeypatch.undo()
    cli.main([*options, "--resume", "--out", str(tmp_path / "a")])
    cli.main([*options, "--out", str(tmp_path / "b")])
    assert (tmp_path / "a" / "arrays.npz").read_bytes() == (tmp_path / "b" / "arrays.npz").read_bytes()


def test_the_picture_says_what_it_shows_and_sets_no_colour():
    result = gpt2(TINY, (True, False))
    picture = curves_chart(result.curves, TINY, result.levels)
    names = [trace.name for trace in picture.figure.data]
    assert names[:2] == ["GPT-2 with MLP", "GPT-2 without MLP"]
    assert all(trace.line.color in COLOURS_OF_ROLES for trace in picture.figure.data)
    assert f"{result.curves[0].risk.mean:.3g}" in picture.alt
    np.testing.assert_array_equal(picture.table["loss with MLP"], [r.loss for r in result.curves[0].history])
    behind = replace(result.curves[1], history=result.curves[1].history[:2], risk=None)
    table = curves_chart([result.curves[0], behind], TINY, result.levels).table  # as while training
    np.testing.assert_array_equal(table["loss with MLP"], picture.table["loss with MLP"])
    losses = picture.table["loss without MLP"]
    np.testing.assert_array_equal(table["loss without MLP"], [*losses[:2], *[np.nan] * (len(losses) - 2)])
    seeds = [replace(result.curves[0], settings=TINY.replace(seed=seed)) for seed in range(3)]
    far, near = ([replace(record, loss=factor * record.loss) for record in seeds[0].history] for factor in (4, 0.5))
    seeds[0], seeds[2] = replace(seeds[0], history=far), replace(seeds[2], history=near)
    picture = curves_chart([*seeds, result.curves[1]], TINY, result.levels)
    line, other, *_, low, high = picture.figure.data
    losses = np.array([record.loss for record in result.curves[0].history])
    for trace, factor in ((low, 0.5), (line, 1), (high, 4)):
        np.testing.assert_allclose(trace.y, factor * losses)
    assert (low.line.color, high.line.color) == (line.line.color,) * 2 != (other.line.color,) * 2
    np.testing.assert_allclose(picture.table["loss with MLP, seed 2"], losses / 2)
    files = export.of(result).files()
    assert b"gpt2(settings, (True, False))" in files["reproduce.py"]
