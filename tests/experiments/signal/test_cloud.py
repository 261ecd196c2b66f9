"""The cloud of tasks: what is projected, that the estimates are the models', and that their error is the risk."""

import json
import re

import numpy as np
import pytest
import torch

from looped.experiments.signal import charts as figures
from looped.experiments.signal import cloud as clouds
from looped.experiments.signal.lessons import SIGNAL
from looped.experiments.signal.settings import SignalSettings
from looped.shared_signal import SignalTask, draw
from looped.shared_signal.levels import levels

CORRELATED = SignalSettings(features=4, examples=7, signal=2.0, noise=0.5, H_condition=5.0, Psi_condition=8.0)


def of(settings):
    task = settings.task()
    best = levels(task)
    return best, clouds.cloud(task, best, settings.seed)


def test_the_estimate_with_an_mlp_is_one_step_from_beta_star_on_the_prompt_of_its_task():
    best, found = of(CORRELATED)
    prompts = draw(found.task, clouds.TASKS, torch.Generator().manual_seed(0))
    np.testing.assert_array_equal(found.tasks, prompts.beta)
    Gamma, start = best.gd.Gamma.numpy(), np.full(4, 2.0)
    for k in range(5):
        X, y = prompts.E[k, :4, :7].numpy().T, prompts.E[k, 4, :7].numpy()
        np.testing.assert_allclose(found.ltb[k], start - Gamma @ X.T @ (X @ start - y) / 7)


@pytest.mark.parametrize("settings", [SignalSettings(), CORRELATED], ids=["figure 1", "correlated"])
def test_the_error_of_the_estimates_is_the_smallest_risk(monkeypatch, settings):
    monkeypatch.setattr(clouds, "TASKS", 40_000)
    best, found = of(settings)
    H = found.task.H.numpy()
    for estimates, risk in ((found.ltb, best.gd.risk), (found.lsa, best.lsa.risk)):
        away = (estimates - found.tasks).numpy()
        errors = np.einsum("bi,ij,bj->b", away, H, away) + settings.noise**2
        assert errors.mean() == pytest.approx(risk, abs=5 * errors.std() / len(errors) ** 0.5)


def test_without_a_shared_signal_both_models_make_the_same_estimates():
    _, found = of(SignalSettings(signal=0.0))
    np.testing.assert_allclose(found.lsa, found.ltb, atol=1e-4)


SPREADS = {
    "along β*": torch.ones(3, 3, dtype=torch.float64),
    "none": torch.zeros(3, 3, dtype=torch.float64),
    "the second feature": torch.diag(torch.tensor([1.0, 9.0, 1.0], dtype=torch.float64)),
}


@pytest.mark.parametrize("spread", SPREADS)
@pytest.mark.parametrize("signal", [0.0, 2.0])
def test_the_two_coordinates_are_along_beta_star_and_where_tasks_vary_most_across_it(spread, signal):
    task = SignalTask.shared(3, 4, signal, Psi=SPREADS[spread])
    axes = clouds.cloud(task, levels(task)).axes.numpy()
    np.testing.assert_allclose(axes @ axes.T, np.eye(2), atol=1e-9)
    np.testing.assert_allclose(axes[0], np.full(3, 3**-0.5))
    angles = np.linspace(0, np.pi, 1000)
    plane = np.linalg.svd(axes[:1])[2][1:]  # at right angles to β*
    across = np.stack([np.cos(angles), np.sin(angles)], 1) @ plane
    most = np.einsum("ai,ij,aj->a", across, task.Psi.numpy(), across).max()
    assert axes[1] @ task.Psi.numpy() @ axes[1] >= most - 1e-8


def arrows(trace):
    """Start and end of every arrow of a trace, (K, 2, 2)."""
    points = np.array([trace["x"], trace["y"]], dtype=float).T.reshape(-1, 3, 2)
    assert np.isnan(points[:, 2]).all()
    return points[:, :2]


def test_the_arrows_lead_from_the_start_of_each_model_to_its_estimates():
    _, found = of(CORRELATED)
    picture = figures.cloud_chart(found)
    drawn = {trace["name"]: trace for trace in picture.spec["data"]}
    along = np.full(4, 0.5)
    which = found.typical()
    for name, estimates, start in (
        ("with MLP: from β*", found.ltb, 4.0),
        ("attention alone: from 0", found.lsa, 0.0),
    ):
        ends = arrows(drawn[name])
        np.testing.assert_allclose(ends[:, 0], [[start, 0]] * clouds.SHOWN, atol=1e-12)
        np.testing.assert_allclose(ends[:, 1, 0], estimates.numpy()[which] @ along)
    left = arrows(drawn["what the estimate misses"])
    for place, estimates in ((0, found.ltb), (clouds.SHOWN, found.lsa)):
        one_each = left[place : place + clouds.SHOWN, :, 0]
        np.testing.assert_allclose(one_each[:, 0], estimates.numpy()[which] @ along)
        np.testing.assert_allclose(one_each[:, 1], found.tasks.numpy()[which] @ along)
    np.testing.assert_allclose(drawn["tasks β̃"]["x"], found.tasks.numpy() @ along)
    np.testing.assert_allclose(drawn["tasks to estimate"]["x"], found.tasks.numpy()[which] @ along)
    told = [float(text) for text in re.findall(r"([\d.]+) with MLP", picture.alt)]
    lengths = np.linalg.norm(np.diff(left[: clouds.SHOWN], axis=1)[:, 0], axis=1)
    assert told == pytest.approx([*lengths, missed(found)[0]], rel=5e-3)
    assert len({len(column) for column in picture.table.values()}) == 1


def missed(found):
    """What the block and attention alone miss of all tasks in the two coordinates, in the root mean square."""
    axes = found.axes.numpy()
    return [(((end - found.tasks).numpy() @ axes.T) ** 2).sum(1).mean() ** 0.5 for end in (found.ltb, found.lsa)]


@pytest.mark.parametrize("lesson", SIGNAL, ids=lambda lesson: lesson.key)
def test_of_every_task_that_is_shown_attention_alone_misses_more_where_it_has_more_risk(lesson):
    for seed in range(4):
        settings = SignalSettings(**lesson.settings, seed=seed)
        _, found = of(settings)
        block, alone = missed(found)
        axes = found.axes.numpy()
        for k in found.typical():
            own = [np.linalg.norm((end - found.tasks).numpy()[k] @ axes.T) for end in (found.ltb, found.lsa)]
            assert own == pytest.approx([block, alone], rel=0.3)
            assert own[1] > own[0] or settings.signal == 0


def test_where_0_is_far_the_tasks_fill_the_chart_and_its_arrows_come_from_the_left_edge():
    _, found = of(SignalSettings(features=20, examples=40, signal=10.0))
    picture = figures.cloud_chart(found)
    left, right = picture.spec["layout"]["xaxis"]["range"]
    assert left > 20
    assert np.ptp((found.tasks @ found.axes[0]).numpy()) > 0.15 * (right - left)  # 0.09 with 0 in the chart
    (drawn,) = (trace for trace in picture.spec["data"] if trace["name"] == "attention alone: from 0")
    for (x, y), end in zip(arrows(drawn)[:, 0], arrows(drawn)[:, 1], strict=True):
        assert x == pytest.approx(left)
        assert y / x == pytest.approx(end[1] / end[0])  # on the way from 0
    assert [note["text"] for note in picture.spec["layout"]["annotations"]] == ["← 0 is off the chart"]
    assert not figures.cloud_chart(of(SignalSettings())[1]).spec["layout"].get("annotations")


@pytest.mark.parametrize(
    "settings",
    [
        {"features": 1},
        {"signal": 0.0},
        {"signal": 100.0, "noise": 10.0},
        {"features": 50, "examples": 400},
        {"examples": 1},
    ],
    ids=str,
)
def test_all_that_is_drawn_lies_within_the_axes(settings):
    picture = figures.cloud_chart(of(SignalSettings(**settings))[1])
    for name in "xy":
        low, high = picture.spec["layout"][f"{name}axis"]["range"]
        values = np.concatenate([np.asarray(trace[name], dtype=float) for trace in picture.spec["data"]])
        assert low <= np.nanmin(values) < np.nanmax(values) <= high or settings == {"features": 1}
    assert "nan" not in picture.alt
    assert "NaN" not in json.dumps(picture.figure.to_plotly_json()["layout"], default=str)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, ("at β\\*, attention alone at 0", "**2.727**", "**4.557**", "1.83 more")),
        ({"signal": 0.0}, ("to be at 0, which is β\\*", "**2.727**", "no gap")),
    ],
)
def test_the_outcome_is_said_with_the_smallest_risks(settings, said):
    task = SignalSettings(**settings).task()
    text = figures.outcome(levels(task), task)
    assert all(part in text for part in said)
