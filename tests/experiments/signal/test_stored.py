"""The stored trainings: which there are, and that they are what Train gives."""

import numpy as np
import pytest

from looped.experiments.signal import charts as figures
from looped.experiments.signal.lessons import SIGNAL
from looped.experiments.signal.result import SignalTraining
from looped.experiments.signal.settings import SignalSettings
from looped.experiments.signal.stored import stored, stored_run
from looped.fields import stops
from looped.shared_signal.levels import levels


def test_every_lesson_and_every_stop_of_s_has_a_stored_training():
    field = SignalSettings.table["signal"]
    wanted = [SignalSettings(signal=s) for s in stops(field.low, field.high, 1.0, False)]
    wanted += [SignalSettings(**lesson.settings) for lesson in SIGNAL]
    assert set(stored()[0]) == set(wanted)


def test_a_training_of_one_model_has_the_run_of_the_pair_and_other_settings_have_none():
    run = stored_run(SignalSettings())
    assert run is not None
    assert stored_run(SignalSettings(model="lsa")) is run
    assert stored_run(SignalSettings(model="gd-beta")) is None
    assert stored_run(SignalSettings(seed=1)) is None


def test_a_stored_training_is_the_one_that_train_begins():
    work = SignalTraining(SignalSettings())
    run, records = stored_run(SignalSettings()), work.run()
    for k in range(2):
        record = next(records)
        for kind in ("ltb", "lsa"):
            assert run.risks[kind][k] == pytest.approx(record[kind].risk, rel=1e-3)


def test_a_stored_training_ends_near_the_smallest_risks_and_not_below():
    for settings, run in stored()[0].items():
        best = levels(settings.task())
        assert run.steps[-1] == settings.steps
        for kind in ("ltb", "lsa"):
            ratio = run.risks[kind][-1] / best.optimum(kind)
            assert 1 - 1e-5 < ratio < 1.02, (settings.signal, kind, ratio)


def test_the_stored_curves_lie_behind_the_levels_and_are_named_as_stored():
    settings = SignalSettings(signal=2.0)
    best, run = levels(settings.task()), stored_run(settings)
    picture = figures.training_chart({}, best, settings.steps, {"ltb": run, "lsa": run})
    names = [trace["name"] for trace in picture.spec["data"]]
    assert names[:2] == ["LTB, with MLP: stored run", "LSA, attention alone: stored run"]
    np.testing.assert_array_equal(picture.spec["data"][0]["y"], run.risks["ltb"])
    low, high = 10 ** np.array(picture.spec["layout"]["yaxis"]["range"])
    assert low < best.gd.risk < best.lsa.risk < high
    assert f"ended at: LTB, with MLP {run.risks['ltb'][-1]:.4g}" in picture.alt
