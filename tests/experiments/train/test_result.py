"""Statements about trained weights: fits, rivals and sweeps, compared with references written here."""

import itertools

import numpy as np
import pytest
import torch

from looped.experiments.train import TrainWork, cost, evaluate, evaluation
from looped.experiments.train.lessons import TRAIN
from looped.experiments.train.result import STATISTICS, TrainResult, one_layer_optimum
from looped.experiments.train.rivals import EVALUATION_SEED, best_descent, model_of
from looped.experiments.train.settings import TrainSettings
from looped.experiments.train.stored import FILES, stored
from looped.training import gdpp
from looped.training.evaluate import query_errors
from looped.training.stream import PromptStream
from looped.training.trainer import MODELS
from tests.experiments.train.conftest import SMALL, make


def most_unexplained(fit):
    return max(fit.unexplained_p, fit.unexplained_q)


@pytest.fixture(autouse=True)
def fixture_quick(monkeypatch):
    """Train A for comparison in the shared run only."""
    monkeypatch.setattr(cost, "ALONE_SECONDS", 0.0)


def run_of(P, Q, **settings):
    return TrainResult(TrainSettings(**settings), P.numpy(), Q.numpy(), {}, "")


def test_every_sweep_holds_every_rival_and_all_statistics(small):
    assert list(small.sweeps) == ["loops", "examples", "covariance", "scale", "noise"]
    for sweep in small.sweeps.values():
        assert set(sweep.series) == {
            "trained",
            "nearest GD++",
            "best GD++",
            "constructed GD",
            "GD tuned here",
            "answering 0",
        }
        for values in sweep.series.values():
            assert values.shape == (len(STATISTICS), len(sweep.x))
            assert (values[1] <= values[2]).all()
    assert list(small.sweeps["loops"].x) == list(range(11))
    assert {2.0, 4.0, 8.0, 80.0} <= set(small.sweeps["examples"].x)
    assert small.fresh.shape == (3, 3)


def test_before_the_first_loop_every_model_answers_0(small):
    sweep = small.sweeps["loops"]
    at_0 = {tuple(values[:, 0]) for values in sweep.series.values()}
    assert len(at_0) == 1
    assert at_0.pop()[0] == pytest.approx(SMALL["features"], rel=0.2)  # E(x_qᵀw*)² = d


def test_constructed_descent_is_descent(small):
    settings = small.settings
    step, risk = best_descent(settings)
    stream_error = small.sweeps["loops"].series["constructed GD"][0]
    assert (small.whole["constructed GD"].mean, small.whole["constructed GD"].error) == (risk, 0)
    assert stream_error[settings.loops] == pytest.approx(risk, rel=0.5)
    assert 0 < step < 2


def test_gradient_descent_tuned_on_the_prompts_beats_the_constructed_step_on_them(small):
    for kind, sweep in small.sweeps.items():
        tuned, constructed = sweep.series["GD tuned here"][0], sweep.series["constructed GD"][0]
        places = [small.settings.loops] if kind == "loops" else range(len(sweep.x))
        for place in places:  # tuned with x_q integrated out, judged with it drawn
            assert tuned[place] <= constructed[place] * 1.2


def test_inputs_scaled_by_s_and_weights_by_their_inverse_are_one_problem(small):
    # GD's step tuned on scaled prompts is the tuned step over s²: its error does not feel the scale.
    tuned = small.sweeps["scale"].series["GD tuned here"]
    np.testing.assert_allclose(tuned[:, 1:], tuned[:, :-1], rtol=1e-3)


def test_its_two_numbers_are_it_where_there_are_only_two():
    P, Q = gdpp.weights([1.2], [0.1], 3)
    run = evaluate(run_of(P, Q, loops=3, examples=12, features=3), share=0.05)
    assert run.found() == (
        "Nearest is GD++, gradient descent that also moves the examples: a = 1.2, γ = 0.1 (100 % of P, 100 % of Q)."
    )
    series = run.sweeps["examples"].series
    np.testing.assert_allclose(series["trained"], series["nearest GD++"], rtol=1e-9)
    assert "best GD++ found here" in run.compared()


def test_how_the_last_layer_moves_inputs_that_nothing_reads_again_does_not_count():
    P, Q = gdpp.weights([0.4, 2.4], [0.3, 1.0], 3)
    layers = run_of(P.clone(), Q, loops=2, examples=12, features=3, untied=True)
    P[1, :3] = torch.randn(3, 4, generator=torch.Generator().manual_seed(0)).double()
    other = run_of(P, Q, loops=2, examples=12, features=3, untied=True)
    state = torch.eye(4).double()[None]
    one, two = (model_of(run.settings, run.P, run.Q)(state) for run in (layers, other))
    torch.testing.assert_close(one, two)
    assert most_unexplained(other.fits()[1]) < 1e-12
    assert other.found().startswith(
        "Each layer is nearest to GD++, gradient descent that also moves the examples: a = "
    )
    assert "a = 0.4, 2.4, γ = 0.3 (" in other.found()
    P[0, :3] = 1.0
    assert most_unexplained(run_of(P, Q, loops=2, examples=12, features=3, untied=True).fits()[0]) > 0.5


@pytest.mark.parametrize("task", ["prediction", "generation"])
def test_a_run_of_a_alone_is_told_by_the_parts_of_a(task):
    turn = torch.tensor([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]).double()
    A = 0.6 * torch.eye(3).double() + 0.3 * turn + 0.1 * torch.diag(torch.tensor([1.0, -1.0, 0.0])).double()
    model = MODELS[task](weights="preconditioner", features=3, loops=2)
    model.load_state_dict({"A": A[None]})
    P, Q = model.matrices()
    sizes = {"loops": 2, "examples": 12, "features": 3, "task": task}
    run = run_of(4 * P, Q / 4, **sizes)  # another gauge
    np.testing.assert_allclose(run.matrix_step(), A, rtol=1e-12)
    assert run.found() == (
        "A is 0.6 times the identity plus an antisymmetric part, which turns: 84.4 % and 14.1 % of its squared "
        "entries; 1.56 % is neither."
    )
    model.load_state_dict({"A": 0.6 * torch.eye(3).double()[None]})
    assert run_of(*model.matrices(), **sizes).found() == "A is 0.6 times the identity: 100 % of its squared entries."
    for matrix, place in ((P, (0, 0, 3)), (Q, (0, 3, 0))):
        matrix[place] += 1e-3
        other = run_of(P, Q, **sizes)
        assert other.matrix_step() is None
        assert "earest is gradient descent: a = 0.6 (" in other.found()
        matrix[place] -= 1e-3
    assert run_of(P.repeat(2, 1, 1), Q.repeat(2, 1, 1), **sizes, untied=True).matrix_step() is None


def test_the_distance_to_the_one_layer_optimum():
    n, d = 20, 5
    gamma = n / (n + 1 + d)
    P, Q = gdpp.weights([gamma], [0.0], d)
    exact = run_of(-2 * P, Q / -2, loops=1)
    assert exact.distance_to_optimum() == pytest.approx(0, abs=1e-12)
    assert run_of(P, 1.1 * Q, loops=1).distance_to_optimum() == pytest.approx(0.1)
    assert run_of(P, Q, loops=2).distance_to_optimum() is None
    assert one_layer_optimum(TrainSettings(loops=1)) == (pytest.approx(gamma), pytest.approx(d * (1 - gamma)))


@pytest.mark.parametrize(
    ("settings", "there"),
    [
        ({"weights": "preconditioner", "loops": 10}, True),
        ({"weights": "sparse", "loops": 10}, True),
        ({"task": "generation", "weights": "preconditioner", "loops": 10}, True),
        ({"task": "generation", "loops": 10}, False),  # labels read as inputs multiply w by w*
        ({"loops": 10}, False),
        ({"loops": 3, "untied": True}, True),
        ({"loops": 3}, True),
    ],
    ids=str,
)
def test_a_mean_over_all_prompts_is_given_where_the_degree_of_the_loops_allows_it(settings, there):
    settings = TrainSettings(**{"examples": 20, "features": 3, "steps": 2, "batch": 8, **settings})
    *_, run = itertools.takewhile(lambda piece: not piece.sweeps, _quick(settings))
    assert ("trained" in run.whole) == there
    assert run.whole["constructed GD"].error == 0
    assert ("too rare to be sampled" in run.means()) != there


def test_weights_without_a_gauge_are_said_to_be_nothing():
    zero = torch.zeros(1, 3, 3).double()
    run = evaluate(run_of(zero, zero, loops=2, examples=8, features=2), share=0.05)
    assert run.fits() == []
    assert "no gradient descent of any kind" in run.found()
    assert run.compared() == ""
    assert "nearest GD++" not in run.medians


@pytest.mark.parametrize(
    "others", [{"task": "generation"}, {"untied": True}, {"noise": 0.3}, {"weights": "preconditioner"}, {"loops": 1}],
    ids=str,
)  # fmt: skip
def test_every_kind_of_run_is_trained_and_evaluated(others):
    settings = TrainSettings(**{**SMALL, "steps": 6, **others})
    *_, run = (piece for piece in _quick(settings))
    assert len(run.sweeps) == 5
    assert len(run.sweeps["loops"].x) == (3 if others.get("untied") else 5 * settings.loops + 1)
    assert run.found()


def _quick(settings):
    work = TrainWork(settings)
    assert work.trainer is not None
    for _ in work.trainer.run():
        pass
    return evaluation(work.snapshot(), share=0.05)


def test_an_unfinished_run_is_a_run_of_fewer_steps():
    work = TrainWork(TrainSettings(**SMALL))
    steps = work.run()
    for _ in range(7):
        next(steps)
    part, whole = work.snapshot(), TrainWork(TrainSettings(**{**SMALL, "steps": 7}))
    assert part.settings == whole.settings
    for _ in whole.trainer.run():
        pass
    assert part.P.tobytes() == whole.snapshot().P.tobytes()
    assert part.stopped == whole.snapshot().stopped == "All 7 steps are made."


def test_work_that_was_dropped_in_its_evaluation_continues_there():
    work = TrainWork(TrainSettings(**{**SMALL, "steps": 3}))
    records = work.run()
    for _ in range(5):
        next(records)
    records.close()
    assert not work.training
    assert len(work.snapshot().fresh) == 2
    next(work.run())
    assert len(work.snapshot().fresh) == 3


def test_the_same_settings_give_the_same_numbers(small):
    again = make()
    assert again.P.tobytes() == small.P.tobytes()
    for kind, sweep in small.sweeps.items():
        for name, values in sweep.series.items():
            assert values.tobytes() == again.sweeps[kind].series[name].tobytes()


def test_the_stored_run_is_the_default_and_what_the_first_lesson_says():
    run, provenance = stored()
    assert run.settings == TrainSettings() == TrainSettings(**TRAIN[0].settings)
    assert {"command", "versions", "date", "hardware"} <= set(provenance)
    assert most_unexplained(run.fits()[0]) < 0.05  # nearly two numbers
    assert run.fresh[:, 1].max() <= 1e-7
    assert "trained" not in run.whole  # ten loops of GD++: no sample shows their mean
    assert run.below["trained"].mean + 4 * run.below["trained"].error < run.below["constructed GD"].mean / 100
    assert run.whole["constructed GD"].mean == pytest.approx(0.02692, abs=1e-5)
    assert run.alone is not None
    assert run.alone.risk.mean + 4 * run.alone.risk.error < best_descent(run.settings)[1]  # no multiple of I


@pytest.mark.parametrize("settings", FILES, ids=FILES.values())
def test_a_stored_run_is_the_present_code_s(settings):
    run, _ = stored(settings)
    assert run.settings == settings
    steps = TrainWork(settings).run()
    losses = [next(steps).loss for _ in range(15)]  # past the first growth
    np.testing.assert_allclose(losses, run.history["loss"][:15], rtol=1e-6)


def test_the_stored_weights_of_the_defaults_have_the_stored_error():
    run, _ = stored()
    again = model_of(run.settings, run.P, run.Q).predictions
    errors = query_errors(again, PromptStream(examples=20, features=5), EVALUATION_SEED, 4_000)
    assert errors[1, -1] == pytest.approx(run.fresh[0, 1], rel=0.2)
