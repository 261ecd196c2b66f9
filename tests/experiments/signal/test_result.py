import json
import subprocess
import sys
from decimal import Decimal

import numpy as np
import pytest
import torch

from looped import cli, export
from looped.chart import ROLES, colour
from looped.experiments.signal import charts as figures
from looped.experiments.signal.cloud import cloud
from looped.experiments.signal.lessons import SIGNAL
from looped.experiments.signal.result import SignalTraining, signal, sweep
from looped.experiments.signal.settings import SignalSettings
from looped.fields import SettingsError
from looped.shared_signal import SignalTask, gd_optimum, gradient_flow
from looped.shared_signal.levels import known_levels, levels
from tests.shared_signal.reference import searched_elsewhere

COLOURS_OF_ROLES = {None, *map(colour, ROLES)}

QUICK = SignalSettings(features=3, examples=4, steps=200, batch=32)


@pytest.fixture(scope="module")
def result():
    return signal(QUICK)


def test_the_defaults_are_figure_1():
    best = levels(SignalSettings().task())
    assert (best.gd.risk, best.lsa.risk, best.gd0.risk) == pytest.approx((2.7273, 4.5566, 4.8370), rel=1e-4)
    assert best.gap == pytest.approx(1.8293, rel=1e-4)
    assert best.bayes.mean == 0
    assert best.optimum("ltb") == best.optimum("gd-beta") == best.gd.risk
    assert (best.optimum("lsa"), best.optimum("gd-0")) == (best.lsa.risk, best.gd0.risk)


def test_covariances_have_the_chosen_condition_numbers():
    task = SignalSettings(features=6, H_condition=50.0, Psi_condition=3.0).task()
    for matrix, kappa in ((task.H, 50), (task.Psi, 3)):
        values = np.linalg.eigvalsh(matrix.numpy())
        assert values[-1] / values[0] == pytest.approx(kappa)
        assert values.sum() == pytest.approx(6)


@pytest.mark.parametrize(("over", "now"), [("signal", 1.0), ("examples", 4), ("noise", 0.0)])
def test_a_sweep_has_the_present_value_among_its_points(over, now):
    found = sweep(QUICK, over)
    place = found.values.tolist().index(now)
    here = levels(QUICK.task())
    assert found.levels[place].gd.risk == here.gd.risk
    assert found.levels[place].lsa.risk == pytest.approx(here.lsa.risk, rel=1e-6)
    assert len(found.values) == len(found.levels) >= 8
    assert (np.diff(found.values) > 0).all()
    for level in found.levels:
        assert level.bayes.mean - 4 * level.bayes.standard_error <= level.gd.risk <= level.lsa.risk * (1 + 1e-12)
        assert level.lsa.risk <= level.gd0.risk * (1 + 1e-9)
        assert level.gap >= level.bounds.valid * (1 - 1e-9) - 1e-12


TWO_MINIMA = SignalSettings(
    examples=10, signal=3.0, noise=0.3, H_condition=100.0, Psi_condition=1e4, model="lsa", steps=300, batch=32
)


def test_one_task_has_one_number_in_every_file_and_chart():
    found = signal(TWO_MINIMA)
    summary, best = export.summary(found), found.training.levels
    assert summary["optimum"]["lsa"] == summary["risk_optimum"] == best.lsa.risk == pytest.approx(10.707, abs=1e-3)
    assert levels(TWO_MINIMA.task()).lsa.risk == best.lsa.risk
    rows = list(export.of(found).curves()[1])
    for over, now in (("signal", 3.0), ("examples", 10.0), ("noise", 0.3)):
        here = {series: value for place, series, x, value in rows if place == over and x == pytest.approx(now)}
        assert here["LSA, smallest found"] == best.lsa.risk
        assert here["LTB = GD-β"] == best.gd.risk
        assert here["GD-0"] == best.gd0.risk
        assert here["Bayes"] == best.bayes.mean
        assert here["LSA, proved lower bound"] == summary["lsa_bound"]
    names = [trace.name for trace in export.of(found).pictures()["Training"].figure.data]
    assert f"smallest found for attention alone, {best.written['lsa']}" in names
    # The same task as a point of another sweep: same draws, same starts.
    other = sweep(TWO_MINIMA.replace(signal=1.5), "signal")
    place = int(np.argmin(np.abs(other.values - 3.0)))
    assert other.levels[place].lsa.risk == pytest.approx(best.lsa.risk, rel=1e-12)
    assert other.levels[place].bayes == best.bayes


def test_no_level_but_that_of_bayes_depends_on_the_seed():
    one, other = levels(TWO_MINIMA.task(), 0), levels(TWO_MINIMA.task(), 1)
    assert (one.lsa.risk, one.gd.risk, one.gd0.risk) == (other.lsa.risk, other.gd.risk, other.gd0.risk)
    assert one.bayes != other.bayes


def test_a_training_that_ends_below_the_level_becomes_the_level_everywhere(monkeypatch):
    # A search that finds nothing but GD-0, which training beats.
    searched = sys.modules["looped.shared_signal.lsa_minimum"]
    monkeypatch.setattr(searched, "_starts", lambda view: np.append(view.delta[0], 1.0)[None])
    monkeypatch.setattr(searched, "ROUNDS", ((0, 1),))
    settings = SignalSettings(features=3, examples=4, steps=1500, batch=64, model="lsa")
    found = signal(settings)
    searched_alone = levels(settings.task()).lsa.risk
    trained = found.training.history["lsa"][-1].risk
    assert trained < searched_alone
    assert found.training.levels.lsa.risk <= trained
    summary = export.summary(found)
    assert summary["risk_optimum"] <= summary["risk_trained"]
    assert summary["optimum"]["lsa"] == summary["risk_optimum"]
    for over in found.sweeps:
        place = int(np.argmin(np.abs(over.values - getattr(settings, over.over))))
        assert over.levels[place].lsa.risk == summary["risk_optimum"]
    said = figures.where_training_stands("lsa", found.training.history["lsa"][-1], 1500, found.training.levels)
    assert f"% above the smallest found, {summary['risk_optimum']:.5g}." in said
    assert "-" not in said


def test_training_can_be_paused_between_any_two_records(result):
    work = SignalTraining(QUICK)
    while not work.finished:
        next(work.run())
    assert work.history.keys() == {"ltb", "lsa"}
    assert [r.risk for r in work.history["ltb"]] == [r.risk for r in result.training.history["ltb"]]
    assert list(work.run()) == []


def test_the_two_models_of_a_pair_train_as_they_do_alone(result):
    for kind in ("ltb", "lsa"):
        alone = signal(QUICK.replace(model=kind)).training.history[kind]
        assert [r.risk for r in alone] == [r.risk for r in result.training.history[kind]]


def test_a_training_that_takes_too_long_is_refused():
    with pytest.raises(SettingsError, match=r"needs about .* s \(at most 1,800 s\): choose fewer steps"):
        SignalTraining(SignalSettings(features=50, examples=400, batch=2000, steps=100_000))


def test_the_flow_agrees_with_many_small_euler_steps_of_the_risk():
    task = SignalTask.shared(2, 3, 1.5, 0.4)
    zero = torch.zeros(2, 2, dtype=torch.float64)
    flow = gradient_flow(task, zero[0], zero, until=1.0, points=3)
    beta, Gamma = zero[0].clone().requires_grad_(), zero.clone().requires_grad_()
    M, c = 3, 2 + 0.16
    for _ in range(4_000):
        v = beta - task.beta_star
        # E[(I − ΓG)vvᵀ…] for H = Ψ = I, with v + (β̃ − β*) for the error of the start: second moment vvᵀ + I
        spread = torch.outer(v, v) + torch.eye(2)
        gram = (M + 1) / M * spread + (spread.trace() + 0.16) / M * torch.eye(2)
        half_risk = (c + v @ v - 2 * (Gamma @ spread).trace() + (Gamma @ gram @ Gamma.mT).trace()) / 2
        of_beta, of_Gamma = torch.autograd.grad(half_risk, (beta, Gamma))
        with torch.no_grad():
            beta -= of_beta / 4_000
            Gamma -= of_Gamma / 4_000
    np.testing.assert_allclose(flow.beta[-1], beta.detach(), rtol=5e-3)
    np.testing.assert_allclose(flow.Gamma[-1], Gamma.detach(), atol=5e-3)


def test_a_far_start_does_not_slow_the_flow_down():
    task = SignalTask.shared(5, 5, 100.0)
    zero = torch.zeros(5, 5, dtype=torch.float64)
    flow = gradient_flow(task, zero[0], zero, until=9.0, points=10)
    away = (flow.beta - task.beta_star).square().sum(dim=1)
    assert (away[1:] < away[:-1]).all()
    assert (away <= away[0] * torch.exp(-flow.times / 3) * (1 + 1e-9)).all()


def test_pictures_show_the_numbers_and_set_no_colour(result):
    training = result.training
    pictures = [
        *(figures.risk_chart(found, getattr(result.settings, found.over)) for found in result.sweeps),
        figures.training_chart(training.history, training.levels, QUICK.steps),
        figures.training_chart({}, training.levels, QUICK.steps),
        figures.start_chart(training.snapshot(), training.task),
        figures.start_chart(None, training.task),
        figures.matrix_chart(training.snapshot(), training.levels.gd),
        figures.matrix_chart(None, training.levels.gd),
    ]
    for picture in pictures:
        lines = [trace for trace in picture.figure.data if trace.type == "scatter"]
        assert all(trace.line.color in COLOURS_OF_ROLES and trace.marker.color is None for trace in lines)
        styles = [(trace.line.dash, trace.marker.symbol, trace.mode) for trace in lines]
        assert len(set(styles)) == len(styles)
        assert picture.alt.endswith(".")
        assert len({len(column) for column in picture.table.values()}) == 1
    drawn = {trace.name: trace for trace in pictures[0].figure.data}
    np.testing.assert_array_equal(
        drawn["LTB = GD-β, with MLP"].y,
        [gd_optimum(QUICK.replace(signal=s).task()).risk for s in pictures[0].table["s"]],
    )
    assert f"{training.history['ltb'][-1].risk:.4g}" in pictures[3].alt
    assert "Nothing is trained yet" in pictures[6].alt


def test_a_bound_is_drawn_on_the_flow_only_where_its_condition_holds():
    zero = torch.zeros(5, 5, dtype=torch.float64)
    for H, drawn in ((torch.diag(torch.tensor([1.0, 1, 1, 1, 0])), False), (torch.eye(5), True)):
        task = SignalTask.shared(5, 5, 1.0, H=H.double())
        flow = gradient_flow(task, zero[0], zero, until=9.0, points=10)
        picture = figures.flow_chart(flow, task)
        away = picture.table["‖β(τ) − β*‖²"]
        assert ("bound" in picture.table) == drawn == any("bound" in trace.name for trace in picture.figure.data)
        assert ("No bound is drawn" in picture.alt) != drawn
        if drawn:
            assert (away <= picture.table["bound"] * (1 + 1e-9)).all()
        else:
            assert (away >= 1).all()  # the fifth entry of β never moves: the rate would be crossed
            assert away[0] * np.exp(-2 * 9.0 / 6) < 1


@pytest.mark.parametrize(
    ("H", "Psi"),
    [(1e12, 1e12), (1e-12, 1e-12), (1e12, 1e-12), (1e-12, 1e12), (0.0, 1.0), (1.0, 0.0)],
)
@pytest.mark.parametrize("model", ["pair", "gd-beta", "gd-0"])
def test_covariances_at_the_ends_of_their_range_train_and_are_written(H, Psi, model):
    identity = torch.eye(3, dtype=torch.float64)
    settings = SignalSettings(features=3, examples=4, signal=100.0, noise=10.0, steps=30, batch=16, model=model)
    found = signal(settings, H * identity, Psi * identity)
    json.dumps(export.summary(found), allow_nan=False)
    for kind, records in found.training.history.items():
        level = found.training.levels.optimum(kind)
        assert np.isfinite(records[-1].risk)
        assert records[-1].risk >= level * (1 - 1e-9)
    best = found.training.levels
    assert best.gd.risk <= best.lsa.risk * (1 + 1e-9)
    assert best.lsa.risk <= best.gd0.risk * (1 + 1e-9)


def test_a_bayes_risk_of_0_is_drawn_at_the_edge_of_a_log_axis_and_said_so():
    for settings in (SignalSettings(signal=10.0), SignalSettings(signal=10.0, features=20, examples=40)):
        picture = figures.risk_chart(sweep(settings, "signal"), 10.0)
        line = next(trace for trace in picture.figure.data if trace.name == "Bayes (0 drawn at the edge)")
        assert picture.figure.layout.yaxis.type == "log"
        edge = picture.figure.layout.yaxis.range[0]
        np.testing.assert_allclose(np.log10(line.y), edge)
        assert (picture.table["Bayes"] == 0).all()
        others = np.concatenate([trace.y for trace in picture.figure.data if trace is not line])
        assert np.log10(others.min()) > edge + 0.1 * np.ptp(picture.figure.layout.yaxis.range) - 1e-9


def test_the_text_against_noise_gives_what_is_drawn():
    picture = figures.risk_chart(sweep(SignalSettings(), "noise"), 0.0)
    drawn = {trace.name: np.array(trace.y) for trace in picture.figure.data}
    assert f"with MLP {drawn['LTB = GD-β, with MLP'][-1]:.4g}" in picture.alt.partition("At σ = 2")[2]
    assert f"Bayes {drawn['Bayes'][-1]:.3g}" in picture.alt.partition("At σ = 2")[2]


@pytest.mark.parametrize("s", [0.0, 1e-3, 0.05, 1.0, 100.0])
def test_arrows_that_lie_on_each_other_are_both_seen_and_the_axis_names_a_direction(s):
    settings = SignalSettings(signal=s)
    picture = figures.cloud_chart(cloud(settings.task(), levels(settings.task())))
    block, alone = (next(t for t in picture.spec["data"] if word in t["name"]) for word in ("with MLP", "attention"))
    ends = np.array([[t["x"][1::3], t["y"][1::3]] for t in (block, alone)])
    axes = [picture.spec["layout"][f"{axis}axis"]["range"] for axis in "xy"]
    apart = np.abs(ends[0] - ends[1]).max(axis=1) / np.ptp(axes, axis=1)
    same = "the same arrows" in block["name"]
    assert same == (s < 0.01)
    assert (apart.max() < 0.005) >= same
    assert (block["line"]["width"] > 2 * alone["line"]["width"]) == same
    title = picture.spec["layout"]["xaxis"]["title"]["text"]
    assert title == (f"coordinate along β*, which is at s·√d = {s * 5**0.5:.3g}" if s else
                     "coordinate along (1, …, 1); β* is at 0")  # fmt: skip
    assert ("along β*" in picture.table) == ("along β*, and across" in picture.alt) == bool(s)


def test_the_file_of_charts_begins_with_the_tasks_and_the_table_has_them():
    found = signal(SignalSettings(features=2, examples=3, steps=2, batch=4))
    written = export.of(found)
    assert next(iter(written.pictures())) == "Tasks, and what each model takes them for"
    table = next(iter(written.pictures().values())).table
    rows = [row for row in written.curves()[1] if row[0] == "tasks"]
    for name, heading in (("task", ""), ("with MLP", "with MLP, "), ("attention alone", "attention alone, ")):
        points = np.array([row[2:] for row in rows if row[1] == name])
        np.testing.assert_array_equal(points.T, [table[f"{heading}along β*"], table[f"{heading}across"]])


def saved(folder):
    with np.load(folder / "arrays.npz", allow_pickle=False) as arrays:
        return dict(arrays)


@pytest.mark.parametrize("kind", ["ltb", "lsa", "gd-beta", "gd-0"])
def test_the_command_gives_weights_whose_risk_it_states(kind, tmp_path, capsys):
    from tests.shared_signal.reference import dense, one_step, sample, tokens

    options = ["--d", "3", "--n", "4", "--noise", "0.3", "--steps", "300", "--batch", "32", "--model", kind]
    assert cli.main(["signal", *options, "--out", str(tmp_path)]) is None
    summary = json.loads(capsys.readouterr().out)
    arrays = saved(tmp_path)
    names = {"beta_star", "H", "Psi", "Gamma_star"}
    names |= (
        {"beta", "Gamma"}
        if "gd" in kind
        else {"W_K", "W_Q", "W_P", "W_V"} | ({"W_1", "W_2"} if kind == "ltb" else set())
    )
    assert arrays.keys() == names
    task = SignalTask.shared(3, 4, 1.0, 0.3)
    X, y, x, label = sample(task, 20_000, seed=7)
    if "gd" in kind:
        found = one_step(arrays["beta"].astype(float), arrays["Gamma"].astype(float), X, y, x)
    else:
        weights = {name: torch.from_numpy(value) for name, value in arrays.items() if name.startswith("W_")}
        found = dense(weights, tokens(X, y, x), kind == "ltb")
    errors = (found - label) ** 2
    assert abs(errors.mean() - summary["risk_trained"]) < 4 * errors.std() / np.sqrt(len(errors))
    assert summary["risk_optimum"] * (1 - 1e-6) <= summary["risk_trained"] < 1.3 * summary["risk_optimum"]


def test_matrices_from_files_are_used_and_stand_in_the_script(tmp_path, capsys):
    H, Psi = np.diag([2.0, 1.0, 0.0]), np.diag([1.0, 0.5, 0.25])
    np.save(tmp_path / "H.npy", H)
    np.save(tmp_path / "Psi.npy", Psi)
    files = ["--H", str(tmp_path / "H.npy"), "--Psi", str(tmp_path / "Psi.npy")]
    options = ["--d", "3", "--n", "4", "--steps", "100", "--batch", "16", "--model", "ltb"]
    cli.main(["signal", *options, *files, "--out", str(tmp_path / "out")])
    out, err = capsys.readouterr()
    assert "H has rank 2 of 3: the closed forms use pseudo-inverses" in err
    assert json.loads(out)["covariances_given"] == {"H": True, "Psi": True}
    arrays = saved(tmp_path / "out")
    np.testing.assert_array_equal(arrays["H"], H)
    folder = tmp_path / "again"
    folder.mkdir()
    script = tmp_path / "out" / "reproduce.py"
    subprocess.run([sys.executable, str(script)], cwd=folder, check=True, capture_output=True, timeout=180)
    assert (folder / "arrays.npz").read_bytes() == (tmp_path / "out" / "arrays.npz").read_bytes()


@pytest.mark.parametrize(
    ("matrix", "sentence"),
    [
        (np.eye(2), "H has the shape 2 × 2: with d = 5 features it must be 5 × 5."),
        (-np.eye(5), "H has the negative eigenvalue -1: a covariance is positive semi-definite."),
        (np.triu(np.ones((5, 5))), "H is not symmetric"),
        (np.full((5, 5), np.nan), "H holds a value that is not finite"),
        (np.array([["a"] * 5] * 5), "does not hold real numbers"),
        (np.ones(3), "H has the shape 3: with d = 5 features it must be 5 × 5."),
        (1e60 * np.eye(5), "H has 1e+60 as its largest entry: give it in other units, so that this is from 1e-12 to"),
        (np.full((5, 5), np.inf), "H holds a value that is not finite"),
        (np.eye(5) * 1j, "does not hold real numbers"),
    ],
)
def test_a_file_that_is_no_covariance_is_refused_in_one_line(matrix, sentence, tmp_path, capsys):
    np.save(tmp_path / "H.npy", matrix)
    with pytest.raises(SystemExit) as caught:
        cli.main(["signal", "--H", str(tmp_path / "H.npy")])
    err = capsys.readouterr().err
    assert caught.value.code == 2
    assert sentence in err
    assert err.count("\n") == 1


def test_a_file_and_the_setting_it_replaces_are_refused_together(tmp_path, capsys):
    np.save(tmp_path / "H.npy", np.eye(5))
    with pytest.raises(SystemExit):
        cli.main(["signal", "--H", str(tmp_path / "H.npy"), "--kappa-H", "100"])
    err = capsys.readouterr().err
    assert "argument --kappa-H: --kappa-H = 100 cannot be combined with --H: leave one of them out." in err


def test_a_key_that_stops_is_one_line(monkeypatch, capsys):
    def stop(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(SignalTraining, "run", stop)
    with pytest.raises(SystemExit) as caught:
        cli.main(["signal"])
    assert caught.value.code == 130
    assert capsys.readouterr().err.endswith("looped: stopped\n")


def test_a_file_that_is_no_npy_or_is_not_there_is_refused(tmp_path, capsys):
    (tmp_path / "H.npy").write_text("1 0\n0 1\n")
    for name, sentence in (("H.npy", "is no .npy file of numbers"), ("none.npy", "cannot be read: No such file")):
        with pytest.raises(SystemExit):
            cli.main(["signal", "--H", str(tmp_path / name)])
        assert sentence in capsys.readouterr().err


def test_a_huge_shape_in_a_header_takes_no_memory(tmp_path, capsys):
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000), }"
    header += b" " * (118 - len(header) - 1) + b"\n"
    (tmp_path / "H.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    with pytest.raises(SystemExit):
        cli.main(["signal", "--H", str(tmp_path / "H.npy")])
    assert "H has the shape 1000000 × 1000000" in capsys.readouterr().err


@pytest.mark.parametrize(
    "extreme", [{"examples": 1}, {"noise": 0.0, "signal": 0.0}, {"features": 1}, {"signal": 100.0}]
)
def test_edges_of_the_settings_work(extreme):
    found = signal(SignalSettings(**{"features": 3, "examples": 4, "steps": 50, "batch": 16} | extreme))
    summary = export.summary(found)
    assert all(np.isfinite(record.risk) for record in found.training.history["ltb"])
    json.dumps(summary, allow_nan=False)
    for name, picture in export.of(found).pictures().items():
        assert name
        assert picture.alt


@pytest.mark.parametrize("lesson", SIGNAL, ids=lambda lesson: lesson.key)
def test_lessons_are_short_and_their_settings_exist(lesson):
    assert not any(sign in lesson.see + lesson.question + lesson.answer for sign in "_^$")
    assert lesson.see.count(". ") <= 3
    SignalSettings(**lesson.settings)


def test_what_the_lessons_say_is_measured():
    named = {lesson.key: SignalSettings(**lesson.settings) for lesson in SIGNAL}
    best = {key: levels(settings.task()) for key, settings in named.items()}
    assert named["figure-1"] == SignalSettings()
    assert (best["figure-1"].gd.risk, best["figure-1"].lsa.risk) == pytest.approx((2.727, 4.557), abs=5e-4)
    assert best["no-signal"].gap == pytest.approx(0, abs=1e-9)
    assert float(best["no-signal"].gd.Gamma[0, 0]) == pytest.approx(5 / 11)
    assert (best["strong-signal"].gd.risk, best["strong-signal"].lsa.risk) == pytest.approx((6.885, 114.15), rel=1e-4)
    assert best["more-context"].gap == pytest.approx(0.518, abs=1e-3)
    assert best["noisy"].gd.risk / best["noisy"].bayes.mean < 1.1
    assert best["figure-1"].bounds.valid == pytest.approx(0.689, abs=1e-3)
    assert best["strong-signal"].lsa_bound == pytest.approx(48.8, abs=0.05)
    assert best["more-context"].bounds.valid == pytest.approx(0.116, abs=5e-4)
    for key in ("figure-1", "more-context"):  # by a search in other coordinates
        task = named[key].task()
        assert best[key].lsa.risk == pytest.approx(searched_elsewhere(task, 4, 0, [np.append(task.beta_star, 1.0)]))
    gaps = {sigma: levels(SignalSettings(noise=sigma).task()).gap for sigma in (0.0, 3.0, 10.0)}
    assert list(gaps.values()) == pytest.approx([1.83, 1.36, 1.26], abs=5e-3)
    gaps = {M: levels(SignalSettings(examples=M).task()).gap for M in (5, 40, 200, 400)}
    assert [gaps[M] for M in (5, 40, 400)] == pytest.approx([1.83, 0.52, 0.07], abs=5e-3)
    assert gaps[5] / gaps[40] == pytest.approx(3.5, abs=0.05)
    assert gaps[40] * 40 > 1.8 * gaps[5] * 5  # slower than 1/M at first
    assert gaps[400] * 400 == pytest.approx(gaps[200] * 200, rel=0.06)  # like it in the end


def test_gd_beta_is_near_bayes_if_the_noise_is_strong_and_can_be_near_it_without():
    rng = np.random.default_rng(3)
    for _ in range(40):
        settings = SignalSettings(
            features=int(rng.integers(1, 20)), examples=int(np.exp(rng.uniform(0, 6))),
            H_condition=float(10 ** rng.uniform(0, 4)), Psi_condition=float(10 ** rng.uniform(0, 4)),
        )  # fmt: skip
        task = settings.task()
        sigma = float(np.sqrt(float((task.H @ task.Psi).trace()) * rng.uniform(1, 3)))
        if sigma <= 10:
            best = levels(settings.replace(noise=sigma).task())
            assert best.gd.risk <= 1.1 * (best.bayes.mean + 3 * best.bayes.standard_error)
    best = levels(SignalSettings(features=50, examples=1).task())
    assert (best.gd.risk, best.bayes.mean) == pytest.approx((49.04, 49.00), abs=5e-3)


@pytest.mark.parametrize("seed", range(6))
def test_against_s_one_line_is_flat_and_the_others_rise_from_it(seed):
    rng = np.random.default_rng(seed)
    settings = SignalSettings(
        features=int(rng.integers(1, 8)), examples=int(np.exp(rng.uniform(0, 5))),
        signal=float(10 ** rng.uniform(-1, 2)),
        noise=float(rng.uniform(0, 3)), H_condition=float(10 ** rng.uniform(0, 4)),
        Psi_condition=float(10 ** rng.uniform(0, 4)),
    )  # fmt: skip
    found = sweep(settings, "signal").levels
    gd, lsa, gd0 = (np.array([getattr(level, name).risk for level in found]) for name in ("gd", "lsa", "gd0"))
    np.testing.assert_allclose(gd, gd[0], rtol=1e-12)
    np.testing.assert_allclose([lsa[0], gd0[0]], gd[0], rtol=1e-9)
    assert (np.diff(lsa) > 0).all()
    assert (np.diff(gd0) > 0).all()


def test_what_takes_no_search_is_the_same_without_one():
    task = SignalSettings(features=4, examples=3, noise=0.5, H_condition=7.0, seed=3).task()
    known, all_of_them = known_levels(task, 3), levels(task, 3)
    assert known.bayes == all_of_them.bayes
    assert known.bounds == all_of_them.bounds
    for name in ("gd", "gd0"):
        assert getattr(known, name).risk == getattr(all_of_them, name).risk


@pytest.mark.parametrize("case", range(12))
def test_the_numbers_of_a_task_add_up_as_they_are_written(case):
    generator = np.random.default_rng(case)
    settings = SignalSettings(
        features=int(generator.integers(1, 7)),
        examples=int(generator.choice([1, 5, 40, 400])),
        signal=float(generator.choice([0, 0.01, 0.3, 1, 5])),
        noise=float(generator.choice([0, 0.3, 3, 10])),
    )
    best = levels(settings.task())
    shown = {name: Decimal(text) for name, text in best.written.items()}
    digit = {name: Decimal((0, (1,), number.as_tuple().exponent)) for name, number in shown.items()}
    exact = {"gd": best.gd.risk, "lsa": best.lsa.risk, "gd0": best.gd0.risk, "bayes": best.bayes.mean, "gap": best.gap}
    for name, value in exact.items():
        if shown[name]:  # 0 stands for what is nothing but rounding
            assert abs(shown[name] - Decimal(value)) <= Decimal("0.5001") * digit[name], name
    for name, value in {"bound": best.bounds.valid, "lsa_bound": best.lsa_bound}.items():
        below = Decimal(value) - shown[name]  # no more is said to be proved than is
        assert -Decimal("1e-9") <= below <= Decimal("1.0001") * digit["gd"], name
    assert abs(shown["lsa"] - shown["gd"] - shown["gap"]) <= Decimal("0.6") * digit["gap"]
    assert float(shown["gd"]) == pytest.approx(best.gd.risk, rel=5.01e-4)
