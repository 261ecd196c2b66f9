"""`python -m looped compare`: one JSON object out, files as promised, one clear line for everything else."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_diabetes

import looped
from looped import cli

ROOT = Path(__file__).parents[1]
SMALL = ["--T", "12", "--n", "9", "--d", "4", "--prompts", "3"]
FILES = ["arrays.npz", "curves.csv", "figure.html", "reproduce.py", "result.json"]


def no_constant(text):
    raise AssertionError(f"{text} is not JSON")


def run(capsys, *arguments):
    """The JSON of a run that must succeed, and its standard error."""
    assert cli.main(["compare", *arguments]) is None
    out, err = capsys.readouterr()
    return json.loads(out, parse_constant=no_constant), err


def refused(capsys, *arguments):
    """The line of a run that must be refused."""
    with pytest.raises(SystemExit) as caught:
        cli.main(list(arguments))
    out, err = capsys.readouterr()
    assert caught.value.code == 2
    assert out == ""
    assert err.endswith("\n")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    return err.rstrip("\n")


def process(folder, *arguments):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "looped", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def arrays(folder):
    with np.load(folder / "arrays.npz", allow_pickle=False) as stored:
        return dict(stored)


def looped_by_hand(stored, layout, loops):
    """All w of Z ← Z − (η/n) P Z M (Zᵀ Q Z) R, written out with every matrix."""
    B, n, d = stored["X"].shape
    M = np.diag([1.0] * n + [0.0])
    R = np.zeros((n + 1, n + 1))
    R[n, n] = 1
    if layout == "slots":
        R = np.eye(n + 1)
    w = slice(0, d) if layout == "compact" else slice(d + 1, 2 * d + 1)
    P, Q = stored["P"].astype(float), stored["Q"].astype(float)
    iterates = np.empty((loops + 1, B, d))
    for b in range(B):
        Z = stored["Z0"][b].astype(float)
        iterates[0, b] = Z[w, n]
        for t in range(loops):
            Z = Z - stored["step_size"][b] / n * P @ Z @ M @ (Z.T @ Q @ Z) @ R
            iterates[t + 1, b] = Z[w, n]
    return iterates


def descent_by_hand(stored, alpha, loops):
    B, n, d = stored["X"].shape
    iterates = np.zeros((loops + 1, B, d))
    for b in range(B):
        X, y = stored["X"][b].astype(float), stored["y"][b].astype(float)
        for t in range(loops):
            w = iterates[t, b]
            iterates[t + 1, b] = w - stored["step_size"][b] / n * X.T @ (X @ w - alpha * y)
    return iterates


def test_the_module_prints_one_json_object_and_nothing_else_on_standard_output(tmp_path):
    done = process(tmp_path, "compare", *SMALL, "--out", "results")
    assert done.returncode == 0
    summary = json.loads(done.stdout, parse_constant=no_constant)
    assert summary["sizes"] == {"prompts": 3, "examples": 9, "features": 4, "loops": 12, "rank": 4}
    assert done.stderr.splitlines()
    assert all(line.startswith("looped: ") for line in done.stderr.splitlines())
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == FILES
    assert [path.name for path in tmp_path.iterdir()] == ["results"]


def test_the_module_exits_2_with_one_line(tmp_path):
    done = process(tmp_path, "compare", "--T", "0")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "T = 0" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_without_out_nothing_is_written(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(capsys, *SMALL)
    assert list(tmp_path.iterdir()) == []


def test_no_option_gives_the_defaults(capsys):
    summary, _ = run(capsys)
    expected = {
        "loops": 50, "examples": 40, "features": 10, "condition_number": 5.0, "prompts": 64, "seed": 0,
        "dtype": "float64", "layout": "compact", "form": "state", "step_size": "auto", "noise": 0.0,
        "label_scale": 1.0, "spectrum": "geometric",
    }  # fmt: skip
    assert expected.items() <= summary["settings"].items()
    assert summary["verdict"]["passed"] is True


def test_every_option_reaches_the_settings(capsys):
    options = {
        "--T": ("11", "loops", 11), "--n": ("13", "examples", 13), "--d": ("7", "features", 7),
        "--kappa": ("2.5", "condition_number", 2.5), "--seed": ("3", "seed", 3), "--prompts": ("5", "prompts", 5),
        "--dtype": ("float32", "dtype", "float32"), "--layout": ("slots", "layout", "slots"),
        "--form": ("token", "form", "token"), "--step-size": ("0.3", "step_size", 0.3),
        "--noise": ("0.1", "noise", 0.1), "--alpha": ("2", "label_scale", 2.0),
        "--spectrum": ("linear", "spectrum", "linear"),
    }  # fmt: skip
    summary, _ = run(capsys, *(part for option, (text, *_) in options.items() for part in (option, text)))
    for _, name, value in options.values():
        assert summary["settings"][name] == value


def test_the_printed_summary_is_the_one_in_result_json(capsys, tmp_path):
    summary, err = run(capsys, *SMALL, "--out", str(tmp_path / "a" / "b"))
    assert json.loads((tmp_path / "a" / "b" / "result.json").read_text()) == summary
    assert "wrote" in err


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("layout", "D"), [("compact", 5), ("slots", 10)])
def test_the_arrays_have_the_promised_keys_shapes_and_dtype(capsys, tmp_path, layout, D, dtype):
    run(capsys, *SMALL, "--layout", layout, "--dtype", dtype, "--alpha", "-2", "--noise", "0.1", "--out", str(tmp_path))
    stored = arrays(tmp_path)
    assert {name: array.shape for name, array in stored.items()} == {
        "X": (3, 9, 4), "y": (3, 9), "w_star": (3, 4), "step_size": (3,), "P": (D, D), "Q": (D, D),
        "Z0": (3, D, 10), "looped": (13, 3, 4), "explicit": (13, 3, 4),
        "M": (10,), "R": (10,), "softmax": (), "read": (4, D),
    }  # fmt: skip
    assert {str(array.dtype) for array in stored.values()} == {dtype}
    assert all(np.isfinite(array).all() for array in stored.values())


@pytest.mark.parametrize("form", ["state", "token"])
@pytest.mark.parametrize("layout", ["compact", "slots"])
@pytest.mark.parametrize(
    ("options", "alpha"),
    [
        ([], 1.0),
        (["--alpha", "-2.5", "--noise", "0.5", "--step-size", "optimal"], -2.5),
        (["--n", "3"], 1.0),
    ],
    ids=["plain", "label scale, noise, optimal step", "fewer examples than features"],
)
def test_the_stored_matrices_repeat_the_run_and_it_is_gradient_descent(capsys, tmp_path, layout, form, options, alpha):
    run(capsys, *SMALL, "--layout", layout, "--form", form, *options, "--out", str(tmp_path))
    stored = arrays(tmp_path)
    close = {"rtol": 0, "atol": 1e-13 * abs(alpha)}
    np.testing.assert_allclose(stored["looped"], looped_by_hand(stored, layout, 12), **close)
    np.testing.assert_allclose(stored["looped"], descent_by_hand(stored, alpha, 12), **close)
    np.testing.assert_allclose(stored["explicit"], descent_by_hand(stored, alpha, 12), **close)
    assert np.abs(stored["looped"][-1]).max() > 0.1


@pytest.mark.parametrize("layout", ["compact", "slots"])
def test_float32_follows_the_same_loop_to_its_own_precision(capsys, tmp_path, layout):
    run(capsys, *SMALL, "--layout", layout, "--dtype", "float32", "--out", str(tmp_path))
    stored = arrays(tmp_path)
    np.testing.assert_allclose(stored["looped"], looped_by_hand(stored, layout, 12), rtol=0, atol=2e-6)


def test_the_stored_prompts_are_those_of_the_settings(capsys, tmp_path):
    run(capsys, *SMALL, "--kappa", "7", "--alpha", "3", "--out", str(tmp_path))
    stored = arrays(tmp_path)
    for X, y, w_star, step in zip(*(stored[name] for name in ("X", "y", "w_star", "step_size")), strict=True):
        eigenvalues = np.linalg.eigvalsh(X.T @ X / 9)
        assert eigenvalues[-1] / eigenvalues[0] == pytest.approx(7, rel=1e-12)
        assert eigenvalues.sum() == pytest.approx(4, rel=1e-12)
        assert step == pytest.approx(1 / eigenvalues[-1], rel=1e-12)
        assert np.linalg.norm(w_star) == pytest.approx(1, rel=1e-12)
        np.testing.assert_allclose(y, X @ w_star, atol=1e-14)


def test_the_stored_labels_carry_the_noise(capsys, tmp_path):
    run(capsys, "--T", "1", "--n", "2000", "--d", "2", "--prompts", "4", "--noise", "0.5", "--out", str(tmp_path))
    stored = arrays(tmp_path)
    noise = stored["y"] - np.einsum("bnd,bd->bn", stored["X"], stored["w_star"])
    assert noise.std() == pytest.approx(0.5, rel=0.05)  # 8000 draws: 6 standard errors
    assert abs(noise.mean()) < 0.04


def test_a_table_is_stored_standardised_and_centred_with_an_unknown_task(capsys, tmp_path):
    summary, _ = run(capsys, "--data", "diabetes", "--T", "30", "--out", str(tmp_path))
    stored = arrays(tmp_path)
    raw = load_diabetes(scaled=False)
    assert stored["X"].shape == (1, 442, 10)
    np.testing.assert_allclose(stored["X"][0], (raw.data - raw.data.mean(0)) / raw.data.std(0), atol=1e-12)
    np.testing.assert_allclose(stored["y"][0], raw.target - raw.target.mean(), atol=1e-12)
    assert stored["w_star"].shape == (1, 10)
    assert np.isnan(stored["w_star"]).all()
    np.testing.assert_allclose(stored["looped"], looped_by_hand(stored, "compact", 30), rtol=0, atol=1e-11)
    assert summary["table"]["target"] == "target"
    assert summary["sizes"] == {"prompts": 1, "examples": 442, "features": 10, "loops": 30, "rank": 10}


def test_a_csv_with_chosen_target_and_features(capsys, tmp_path):
    path = tmp_path / "houses.csv"
    values = np.random.default_rng(0).normal(size=(20, 4))
    lines = ['"size, m2";rooms;age;price', *(";".join(map(repr, row)) for row in values.tolist())]
    path.write_text("\n".join(lines))
    summary, _ = run(
        capsys, "--data", str(path), "--target", "price", "--features", '"size, m2",age', "--out", str(tmp_path / "o")
    )
    assert summary["settings"]["data"] == "csv"
    assert summary["table"]["name"] == "houses.csv"
    assert summary["table"]["coefficients"]["column"] == ["size, m2", "age", "(intercept)"]
    stored = arrays(tmp_path / "o")
    chosen = values[:, [0, 2]]
    np.testing.assert_allclose(stored["X"][0], (chosen - chosen.mean(0)) / chosen.std(0), atol=1e-12)
    np.testing.assert_allclose(stored["y"][0], values[:, 3] - values[:, 3].mean(), atol=1e-14)


@pytest.mark.parametrize("spelling", [["--alpha", "-1e3"], ["--alpha=-1e3"], ["--alpha", "-1000"]], ids=" ".join)
def test_a_negative_number_with_an_exponent_is_a_value(capsys, spelling):
    summary, _ = run(capsys, *SMALL, *spelling)
    assert summary["settings"]["label_scale"] == -1000


def test_a_diverging_step_is_a_result_and_said_on_standard_error(capsys, tmp_path):
    summary, err = run(capsys, *SMALL, "--step-size", "3", "--T", "400", "--out", str(tmp_path))
    assert summary["verdict"]["prediction"] == "diverges"
    assert "Diverges" in err
    assert all(np.isfinite(array).all() for array in arrays(tmp_path).values())


def test_fewer_prompts_are_run_and_announced_where_none_were_asked_for(capsys):
    summary, err = run(capsys, "--T", "300", "--n", "2000", "--d", "200")
    B = summary["sizes"]["prompts"]
    assert 0 < B < 64
    assert f"runs {B} prompts" in err
    assert "instead of 64" in err


STEPS = "auto, optimal, or a number above 0 and at most 1e+06"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--step-size -1", ["--step-size", "-1", STEPS]),
        ("--step-size 0", ["--step-size", "0", STEPS]),
        ("--step-size nan", ["--step-size", "nan", STEPS]),
        ("--step-size inf", ["--step-size", "inf", STEPS]),
        ("--step-size fast", ["--step-size", "fast", STEPS]),
        ("--alpha 0", ["--alpha", "alpha = 0", "-1000 to 1000, at least 0.001 away from 0"]),
        ("--alpha -1e4", ["--alpha", "alpha = -1e4", "-1000 to 1000, at least 0.001 away from 0"]),
        ("--kappa 0.5", ["--kappa", "kappa = 0.5", "1 to 10000"]),
        ("--kappa nan", ["--kappa", "kappa = nan", "1 to 10000"]),
        ("--kappa 1e5", ["--kappa", "kappa = 1e5", "1 to 10000"]),
        ("--T 0", ["--T", "T = 0", "a whole number from 1 to 10000"]),
        ("--T 10001", ["--T", "T = 10001", "a whole number from 1 to 10000"]),
        ("--T 2.5", ["--T", "T = 2.5", "a whole number from 1 to 10000"]),
        ("--n 0", ["--n", "n = 0", "a whole number from 1 to 2000"]),
        ("--n x", ["--n", "n = x", "not a number", "a whole number from 1 to 2000"]),
        ("--d 201", ["--d", "d = 201", "a whole number from 1 to 200"]),
        ("--prompts 0", ["--prompts", "prompts = 0", "a whole number from 1 to 1000"]),
        ("--seed -1", ["--seed", "seed = -1", "from 0 to 2147483647"]),
        ("--noise -0.1", ["--noise", "noise = -0.1", "a number from 0 to 10"]),
        ("--dtype float16", ["--dtype", "float16", "float64 or float32"]),
        ("--layout wide", ["--layout", "wide", "compact or slots"]),
        ("--form both", ["--form", "both", "state, token or auto"]),
        ("--spectrum flat", ["--spectrum", "flat", "geometric, linear, two-level or outlier"]),
        ("--algorithm adam", ["--algorithm", "adam", "choose gd, ridge", " or softmax."]),
        ("--ridge 0.5", ["--ridge = 0.5", "--algorithm ridge", "this is gd", "leave it out"]),
        ("--algorithm newton --gamma 0.1", ["--gamma = 0.1", "--algorithm gd++", "this is newton"]),
        ("--algorithm heavy-ball --momentum 1", ["--momentum", "auto, or a number above 0 and at most 0.9999"]),
        ("--algorithm gd++ --layout slots", ["--layout = slots", "gd++ has one", "leave it out"]),
        ("--algorithm softmax --form state", ["--form = state", "softmax reads all tokens", "leave it out"]),
        ("--data gaussian --spectrum linear", ["--spectrum = linear", "exact or correlated", "leave it out"]),
        ("--bogus 3", ["--bogus"]),
        ("--n", ["--n", "expected one argument"]),
        ("--target --T", ["--target", "expected one argument"]),
        ("--shared-step=1", ["looped compare:", "--shared-step/--no-shared-step", "ignored explicit argument '1'"]),
        ("--data nofile.csv", ["--data", "nofile.csv", "no file"]),
        ("--data diabetes --n 5", ["--n", "5", "synthetic"]),
        ("--data diabetes --kappa 5", ["--kappa", "5", "synthetic"]),
        ("--target y", ["--target", "y", "--data"]),
        ("--header no", ["--header = no", "--data FILE.csv", "leave it out"]),
        ("--data diabetes --decimal comma", ["--decimal = comma", "--data FILE.csv"]),
        ("--data t.csv --separator slash", ["--separator", "slash", "comma, semicolon, tab, pipe or space"]),
        ("--features a,b", ["--features", "a,b", "--data"]),
        ("--data diabetes --target age --features age,bmi", ["--features", "'age' is the target"]),
        ("--data diabetes --target weight", ["--target", "weight", "age, sex, bmi"]),
        ("--T 10000 --n 2000 --d 200 --prompts 1000", ["--prompts", "1000", "MiB", "at most"]),
        ("--T 10000 --n 2000 --d 200 --form token", ["--form", "token", "state"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_option_is_refused_in_one_line_naming_field_value_and_range(capsys, tmp_path, options, words):
    line = refused(capsys, "compare", "--out", str(tmp_path / "out"), *options.split())
    for word in words:
        assert word in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("arguments", [[], ["bogus"], ["compare", "extra"]], ids=["none", "unknown command", "extra"])
def test_a_wrong_command_is_refused_in_one_line(capsys, arguments):
    assert (arguments or ["COMMAND"])[-1] in refused(capsys, *arguments)


def test_a_command_that_is_none_is_told_which_there_are(capsys):
    for name in ("app", "compare", "context", "train", "signal", "gpt2", "beyond"):
        assert f"'{name}'" in refused(capsys, "bogus")


def test_a_folder_may_be_called_by_one_dash(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(capsys, *SMALL, "--out", "-")
    assert (tmp_path / "-" / "result.json").exists()


def test_a_bad_csv_is_refused_in_one_line_that_names_the_option(capsys, tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text("a,y\n1,2\nred,3\n4,5\n")
    line = refused(capsys, "compare", "--data", str(path), "--target", "y")
    assert all(word in line for word in ("--data", "bad.csv", "'a'", "'red'", "row 3"))


def test_a_csv_without_a_target_is_told_which_columns_there_are(capsys, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b,y\n1,2,3\n2,4,5\n4,3,7\n")
    line = refused(capsys, "compare", "--data", str(path))
    assert "--target" in line
    assert "a, b, y" in line


def test_what_was_guessed_about_a_csv_is_one_line_of_messages_and_can_be_set(capsys, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("# logger\na;b;y\n1,5;2,25;3\n2,5;1,25;4\n4,5;2,0;9\n5,5;0,25;6\n")
    arguments = ("--data", str(path), "--T", "5000")
    summary, messages = run(capsys, *arguments, "--target", "y", "--out", str(tmp_path / "out"))
    said = "UTF-8, separator semicolon, decimal comma, names in line 2; left out: 1 comment line"
    assert f"looped: t.csv: {said}\n" in messages
    assert summary["table"]["reading"] == said
    found = summary["table"]["coefficients"]["looped transformer"]
    np.testing.assert_allclose(found, [1.86156, 2.34325, -4.38387], atol=5e-6)
    for sentence in summary["table"]["sentences"]:
        assert f"looped: {sentence}\n" in messages
    fit = summary["table"]["fit"]["LinearRegression"]
    y = np.array([3, 4, 9, 6])
    ones = np.column_stack([[1.5, 2.5, 4.5, 5.5], [2.25, 1.25, 2, 0.25], np.ones(4)])
    residual = y - ones @ np.linalg.lstsq(ones, y, rcond=None)[0]
    assert fit["residual"] == pytest.approx(np.sqrt((residual**2).mean()), rel=1e-10)
    assert fit["normal_equations"] < 1e-14
    line = refused(capsys, "compare", *arguments, "--target", "y", "--decimal", "point")
    assert "'1,5' in row 3" in line
    line = refused(capsys, "compare", *arguments, "--target", "column 3", "--header", "no")
    assert "Column 'column 1' of t.csv holds text ('a' in row 2)" in line


def test_a_csv_that_may_have_no_names_asks_for_the_option(capsys, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("5.1,3.5,kind-a\n4.9,3.0,kind-a\n7.0,3.2,kind-b\n6.4,3.1,kind-b\n")
    assert "--header" in refused(capsys, "compare", "--data", str(path), "--target", "3.5")
    arguments = ("--target", "column 1", "--features", "column 2", "--header", "no")
    assert run(capsys, "--data", str(path), *arguments)[0]["sizes"]["examples"] == 4


@pytest.mark.parametrize("name", ["n" * 300 + ".csv"], ids=["too long for the file system"])
def test_an_unreadable_data_path_is_not_blamed_on_out(capsys, name):
    line = refused(capsys, "compare", "--data", name, "--target", "y")
    assert "--data" in line
    assert "--out" not in line


def test_a_csv_that_may_not_be_read_is_not_blamed_on_out(capsys, tmp_path, monkeypatch):
    path = tmp_path / "secret.csv"
    path.write_text("a,y\n1,2\n2,3\n4,5\n")

    def forbidden(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", forbidden)
    line = refused(capsys, "compare", "--data", str(path), "--target", "y")
    assert "--data" in line
    assert "secret.csv" in line
    assert "--out" not in line


@pytest.mark.parametrize("below", ["file", "file/folder"], ids=["a file", "a path below a file"])
def test_a_folder_that_cannot_be_written_is_refused_in_one_line(capsys, tmp_path, below):
    (tmp_path / "file").write_text("mine")
    line = refused(capsys, "compare", *SMALL, "--out", str(tmp_path / below))
    assert "--out" in line
    assert str(tmp_path / below) in line
    assert (tmp_path / "file").read_text() == "mine"


def test_an_empty_out_does_not_scatter_files_over_the_current_folder(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "--out" in refused(capsys, "compare", *SMALL, "--out", "")
    assert list(tmp_path.iterdir()) == []


def test_help_names_every_option_with_its_range(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["compare", "--help"])
    assert caught.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    for option in ("--T", "--n", "--d", "--kappa", "--seed", "--prompts", "--dtype", "--layout", "--form",
                   "--step-size", "--noise", "--alpha", "--out", "--data", "--target", "--features"):  # fmt: skip
        assert f"{option} " in text
    assert "1 to 10,000" in text


def test_the_looped_command_is_the_module():
    command = Path(sys.executable).parent / "looped"
    versions = [
        subprocess.run([*start, "--version"], capture_output=True, text=True, check=True).stdout
        for start in ([command], [sys.executable, "-m", "looped"])
    ]
    assert versions[0] == versions[1] == f"looped {looped.__version__}\n"


def test_kappa_with_gaussian_rows_is_refused_not_ignored(capsys):
    line = refused(capsys, "compare", "--data", "gaussian", "--kappa", "100")
    assert "--kappa = 100" in line
    assert "leave it out" in line


def test_the_app_command_runs_streamlit_in_the_folder_of_its_configuration(monkeypatch):
    ran = []
    monkeypatch.setattr("runpy.run_module", lambda name, **_: ran.append((name, sys.argv, Path.cwd())))
    monkeypatch.setattr("sys.argv", ["looped"])
    monkeypatch.chdir("/")
    cli.main(["app", "--", "--server.port", "8502"])
    [(name, arguments, folder)] = ran
    assert name == "streamlit"
    assert arguments == ["streamlit", "run", str(folder / "app.py"), "--server.port", "8502"]
    assert (folder / ".streamlit" / "config.toml").is_file()


@pytest.mark.parametrize(
    "options",
    ["heavy-ball --momentum 0.9", "ridge --ridge 0.5", "gd++ --step-size 0.5 --gamma 0.1", "newton", "preconditioned"],
)
def test_every_algorithm_passes_and_names_its_explicit_twin(capsys, options):
    summary, err = run(capsys, *SMALL, "--algorithm", *options.split())
    assert summary["verdict"]["passed"] is True
    assert summary["verdict"]["algorithm"] == options.split()[0]
    assert summary["gd_error_after_T"]["median"] > 0
    assert "max |looped − " in err
    assert ": pass" in err


def test_softmax_attention_is_measured_and_not_judged(capsys, tmp_path):
    summary, err = run(capsys, *SMALL, "--algorithm", "softmax", "--out", str(tmp_path))
    assert summary["verdict"]["passed"] is None
    assert summary["closed_form_after_T"] is None
    assert "max |softmax − GD| = " in err
    assert "pass" not in err
    assert summary["verdict"]["relative_gap"] > 0.1


@pytest.mark.parametrize("name", ["ridge", "heavy-ball", "gd++", "newton"])
def test_the_arrays_hold_all_that_the_layer_needs_to_be_run_by_hand(capsys, tmp_path, name):
    run(capsys, *SMALL, "--algorithm", name, "--out", str(tmp_path))
    stored = arrays(tmp_path)
    B, n, d = stored["X"].shape
    heads = [matrix.reshape(-1, *matrix.shape[-2:]) for matrix in (stored["P"], stored["Q"])]
    D = heads[0].shape[-1]
    A, K = stored.get("A", np.eye(D)), stored.get("K", np.zeros((D, D)))
    for b in range(B):
        Z, eta = stored["Z0"][b], stored["step_size"][b]
        M = np.diag([1.0] * n + [0.0] * (Z.shape[1] - n))
        R = np.eye(Z.shape[1]) if name in ("gd++", "newton") else np.diag([0.0] * n + [1.0])
        for _ in range(12):
            attention = sum(P @ Z @ M @ (Z.T @ Q @ Z) for P, Q in zip(*heads, strict=True))
            Z = Z + ((A - np.eye(D)) @ Z - eta * K @ Z - eta / n * attention) @ R
        w = {"gd++": -Z[d, n:], "newton": Z[2 * d + 1 : 3 * d + 1, n]}.get(name, Z[:d, n])
        np.testing.assert_allclose(w, stored["explicit"][-1, b], atol=1e-12)


COLLINEAR = "year,t,x,y\n" + "".join(f"{1950 + i},{i},{i * i % 7},{3 * i + i * i % 5}\n" for i in range(1, 13))
"""t is year − 1950: rank 2 of 3, whatever centring leaves of it."""


@pytest.mark.parametrize(
    ("options", "rank"),
    [
        ("--data t.csv --target y", 2),
        ("--data t.csv --target y --dtype float32 --algorithm ridge", 2),
        ("--data t.csv --target y --features t,x", None),
        ("--data t.csv --target y --features year,x", None),
        ("--n 4 --d 6", 4),
        ("--n 6 --d 6", None),
        ("--n 1 --d 3", 1),
        ("--data diabetes", None),
    ],
)
def test_a_rank_below_d_is_reported_with_its_meaning(capsys, tmp_path, monkeypatch, options, rank):
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text(COLLINEAR)
    summary, err = run(capsys, "--T", "5", *options.split())
    d = summary["sizes"]["features"]
    said = [line for line in err.splitlines() if "not unique" in line]
    assert summary["sizes"]["rank"] == (d if rank is None else rank)
    expected = (
        f"looped: numerical rank {rank} < d = {d}: the examples do not determine all weights, so the coefficients that "
        "fit best are not unique"
    )
    assert said == ([] if rank is None else [expected])


def test_a_decimal_comma_is_read_as_in_a_link_and_said(capsys):
    cli.main(["compare", "--kappa", "7,5", "--alpha", "-0,5", "--T", "3"])
    out, err = capsys.readouterr()
    settings = json.loads(out)["settings"]
    assert (settings["condition_number"], settings["label_scale"]) == (7.5, -0.5)
    assert "--kappa 7,5: its comma was read as a decimal point" in err
    assert "--alpha -0,5: its comma was read as a decimal point" in err


@pytest.mark.parametrize("text", ["1,000", "1.000,5"])
def test_a_comma_that_may_be_something_else_is_refused(text, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["compare", "--kappa", text])
    assert caught.value.code == 2
    assert (
        f"kappa = {text} cannot be used, a number has a decimal point and no other separator" in capsys.readouterr().err
    )
