"""Result files: the same bytes for the same settings, everything in them, and a script that gives them again."""

import ast
import contextlib
import csv
import io
import json
import os
import re
import runpy
import subprocess
import sys
import tomllib
import zipfile
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import plotly.io
import pytest
from hypothesis import example, given, settings

from looped import Settings, cli, compare, export
from looped.algorithms import ALGORITHMS
from looped.chart import COLOURS
from looped.experiments.compare.files import ComparisonExport
from looped.experiments.signal.result import signal
from looped.experiments.signal.settings import SignalSettings
from looped.experiments.train.settings import TrainSettings
from looped.experiments.train.weights_file import weights_from
from looped.settings import FIELDS
from looped.tables import choose, read_csv
from tests import results
from tests.strategies import wild_settings

ROOT = Path(__file__).parents[1]
FILES = ["arrays.npz", "curves.csv", "figure.html", "reproduce.py", "result.json"]
SMALL = Settings(loops=15, examples=8, features=3, prompts=4)
RUNS = {
    "defaults": SMALL,
    "float32, slots, token form, noise, label scale": SMALL.replace(
        dtype="float32", layout="slots", form="token", noise=0.3, label_scale=-2.5, seed=7
    ),
    "gaussian rows": SMALL.replace(data="gaussian", step_size="optimal", shared_step=True),
    "a diverging step": SMALL.replace(step_size=3.0, loops=500),
    "fewer examples than features": SMALL.replace(examples=2, features=5, spectrum="outlier"),
    "heavy ball": SMALL.replace(algorithm="heavy-ball", momentum=0.4),
    "softmax": SMALL.replace(algorithm="softmax"),
}
CSV = '"size ""net"", m²";größe;y\n' + "".join(f"{i};{(i * i) % 11};{(i * 7) % 5 - 1e-3 * i}\n" for i in range(12))


@pytest.fixture(params=RUNS, name="result")
def fixture_result(request):
    return compare(RUNS[request.param])


def read_curves(text):
    rows = list(csv.DictReader(text.splitlines()))
    curves = {}
    for row in rows:
        assert row.keys() == {"series", "loop", "value"}
        curves.setdefault(row["series"], {})[int(row["loop"])] = float(row["value"])
    assert sum(map(len, curves.values())) == len(rows)
    return curves


@pytest.fixture(scope="module", name="repeated")
def fixture_repeated(tmp_path_factory):
    """For each run a folder with its files, one with what its script wrote in an empty folder, and what it printed."""
    folder = tmp_path_factory.mktemp("scripts")
    results = {name: compare(RUNS[name]) for name in list(RUNS)[:4]} | {"a CSV": compare_csv(folder)}
    done = {}
    for name, result in results.items():
        first, again = folder / name / "first", folder / name / "again"
        again.mkdir(parents=True)
        export.save(result, first)
        (again / "again.py").write_bytes((first / "reproduce.py").read_bytes())
        done[name] = (first, again, json.loads(run_script(again, in_a_process=name == "defaults")))
    return done


def run_script(folder, in_a_process):
    """What `again.py` prints, run in its folder: as a visitor runs it, or in this process."""
    if in_a_process:
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        command = [sys.executable, "again.py"]
        return subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, check=True).stdout
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()) as out:
        runpy.run_path("again.py", run_name="__main__")
    return out.getvalue()


def compare_csv(folder):
    """A run on a CSV that is deleted again."""
    path = folder / "o\"d'd.csv"
    path.write_text(CSV, encoding="utf-8")
    table = choose(read_csv(path), "y")
    path.unlink()
    settings = Settings(loops=40, data="csv", target="y", feature_columns=table.columns, dtype="float32", seed=3)
    return compare(settings, table)


def assert_same_files(first, second):
    for name in ("arrays.npz", "curves.csv", "result.json", "reproduce.py"):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def test_the_same_settings_give_the_same_bytes(tmp_path, result):
    export.save(result, tmp_path / "one")
    export.save(compare(result.settings), tmp_path / "two")
    assert_same_files(tmp_path / "one", tmp_path / "two")


def test_another_seed_gives_other_arrays(tmp_path):
    export.save(compare(SMALL), tmp_path / "one")
    export.save(compare(SMALL.replace(seed=1)), tmp_path / "two")
    assert (tmp_path / "one/arrays.npz").read_bytes() != (tmp_path / "two/arrays.npz").read_bytes()


def test_save_returns_the_paths_of_the_five_files(tmp_path):
    written = export.save(compare(SMALL), str(tmp_path / "new" / "folder"))
    assert sorted(path.name for path in written) == FILES
    assert sorted(written) == sorted((tmp_path / "new" / "folder").iterdir())


def test_curves_are_tidy_complete_finite_and_those_of_the_result(result):
    curves = read_curves(export.of(result).curves_csv())
    assert curves.keys() == result.curves.keys()
    for series, values in curves.items():
        assert list(values) == list(range(result.settings.loops + 1))
        numbers = np.array(list(values.values()))
        assert np.isfinite(numbers).all()
        np.testing.assert_array_equal(numbers, result.curves[series])


def test_curves_hold_the_medians_of_the_errors_of_the_iterates(tmp_path):
    settings = SMALL.replace(label_scale=2.0)
    export.save(compare(settings), tmp_path)
    curves = read_curves((tmp_path / "curves.csv").read_text())
    with np.load(tmp_path / "arrays.npz") as stored:
        target = 2.0 * stored["w_star"]
        for series, name in (("looped_median", "looped"), ("explicit_median", "explicit")):
            errors = np.linalg.norm(stored[name] - target, axis=2) / np.linalg.norm(target, axis=1)
            np.testing.assert_allclose(list(curves[series].values()), np.median(errors, axis=1), rtol=1e-9)
    assert {"looped_p10", "looped_p90", "closed_form_median", "bound_paper"} <= curves.keys()


def test_a_diverging_run_is_cut_at_the_ceiling_and_says_from_where():
    result = compare(RUNS["a diverging step"])
    curves, summary = read_curves(export.of(result).curves_csv()), export.summary(result)
    for series in ("looped_median", "explicit_median", "closed_form_median", "looped_p90"):
        assert curves[series][500] == 1e6
        assert max(curves[series].values()) == 1e6
    first = summary["error_ceiling"]["reached_at_loop"]
    assert (result.errors[first] > 1e6).any()
    assert not (result.errors[:first] > 1e6).any()
    assert summary["verdict"]["prediction"] == "diverges"
    assert all(np.isfinite(array).all() for array in export.of(result).arrays().values())


def test_result_json_says_what_ran_with_which_versions_and_what_came_out(result):
    summary = json.loads(export.summary_json(result))
    assert Settings(**summary["settings"]) == result.settings
    assert summary["seed"] == result.settings.seed
    assert summary["results_version"] == export.RESULTS_VERSION
    assert summary["versions"].keys() >= {"python", "looped", "torch", "numpy", "scikit-learn"}
    assert summary["versions"]["numpy"] == np.__version__
    verdict = summary["verdict"]
    assert verdict["gap"] == np.abs(result.looped - result.explicit).max()
    assert verdict["relative_gap"] == pytest.approx(verdict["gap"] / np.abs(result.explicit).max())
    within = verdict["relative_gap"] <= verdict["tolerance"]
    assert verdict["passed"] is (None if verdict["algorithm"] == "softmax" else within)
    kappa, loops = summary["condition_number"]["max"], result.settings.loops
    eps = np.finfo(result.settings.dtype).eps
    assert verdict["tolerance"] == pytest.approx(min(16 * eps * (kappa + loops**0.5), 1e-3))
    assert verdict["dtype"] == result.settings.dtype


def test_result_json_names_each_bound_that_is_not_drawn():
    summary = export.summary(compare(SMALL.replace(noise=0.5)))
    assert set(summary["bounds"].values()) == {None}
    assert len(summary["bounds_not_drawn"]) == 1
    assert "noise" in summary["bounds_not_drawn"][0]
    drawn = export.summary(compare(SMALL))
    assert drawn["bounds"]["bound_paper"] == pytest.approx(np.exp(-15 / 10))
    assert drawn["bounds"]["bound_auto"] == pytest.approx(0.8**15)
    assert drawn["bounds"]["bound_optimal"] is None


class Loads(HTMLParser):
    """Every attribute through which a page fetches something, and the text outside scripts."""

    def __init__(self):
        super().__init__()
        self.loads, self.tags, self.text = [], [], ""

    def handle_starttag(self, tag, attrs):  # noqa: D102
        self.tags.append(tag)
        names = ("src", "href", "srcset", "data", "poster", "action", "background")
        self.loads += [(tag, name, value) for name, value in attrs if name in names]
        self.loads += [(tag, name, value) for name, value in attrs if name == "style" and "url(" in (value or "")]

    def handle_data(self, data):  # noqa: D102
        if self.cdata_elem is None:
            self.text += data
        elif self.cdata_elem == "style":
            assert "url(" not in data
            assert "@import" not in data


def test_the_figure_is_one_page_that_loads_nothing(tmp_path):
    result = compare(SMALL)
    export.save(result, tmp_path)
    page = (tmp_path / "figure.html").read_text(encoding="utf-8")
    parser = Loads()
    parser.feed(page)
    assert parser.loads == []
    assert parser.tags.count("script") >= 2
    assert "Plotly.newPlot" in page
    assert result.prediction.sentence in parser.text
    assert f"loop {SMALL.loops}" in parser.text
    assert '"results_version"' in parser.text


def test_the_figure_escapes_what_a_table_brings(tmp_path):
    content = "<img src=x onerror=alert(1)>,<script src=//x.test/a.js></script>\n1,2\n2,3\n4,1\n5,5\n7,6\n"
    table = choose(read_csv(content.encode(), "<link href=x>.csv"), "<script src=//x.test/a.js></script>")
    settings = Settings(loops=3, data="csv", target=table.target)
    export.save(compare(settings, table), tmp_path)
    parser = Loads()
    parser.feed((tmp_path / "figure.html").read_text(encoding="utf-8"))
    assert parser.loads == []


@pytest.mark.parametrize("kind", results.MAKERS)
def test_the_figure_looks_the_same_wherever_it_was_made(monkeypatch, kind):
    """Importing Streamlit makes a template of placeholders, all but black, the default of every figure."""
    import streamlit.elements.plotly_chart  # noqa: F401

    pages = []
    for template in ("streamlit", "plotly_dark", "none"):
        monkeypatch.setattr(plotly.io.templates, "default", template)
        pages.append(export.of(results.result(kind)).figure_html())
    assert pages[0] == pages[1] == pages[2]
    assert COLOURS[0] in pages[0]
    drawn = pages[0][pages[0].index("Plotly.newPlot") :]
    assert re.findall(r"#0000[0-4][0-9]\b", drawn) == []


@pytest.mark.parametrize("kind", results.MAKERS)
def test_no_chart_of_a_page_offers_to_send_its_data_away(kind):
    page = export.of(results.result(kind)).figure_html()
    assert page.count("Plotly.newPlot(") == page.count('"showSendToCloud": false') > 0


def test_lines_have_the_colours_of_the_light_theme():
    theme = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())["theme"]["light"]
    assert tuple(theme["chartCategoricalColors"]) == COLOURS


@pytest.mark.parametrize("run", [*list(RUNS)[:4], "a CSV"])
def test_the_script_gives_the_same_bytes_in_an_empty_folder(repeated, run):
    first, again, printed = repeated[run]
    assert_same_files(first, again)
    assert printed == json.loads((first / "result.json").read_text(encoding="utf-8"))


def test_the_script_of_a_csv_works_when_the_csv_is_gone(repeated):
    _, _, printed = repeated["a CSV"]
    assert printed["table"]["coefficients"]["column"] == ['size "net", m²', "größe", "(intercept)"]
    assert printed["table"]["name"] == "o\"d'd.csv"


def imported(script):
    """The packages that a script imports."""
    found = [node for node in ast.walk(ast.parse(script)) if isinstance(node, (ast.Import, ast.ImportFrom))]
    return {name.split(".")[0] for node in found for name in ([alias.name for alias in node.names]
            if isinstance(node, ast.Import) else [node.module])}  # fmt: skip


def with_matrices():
    return signal(
        SignalSettings(model="gd-0", features=2, examples=3, steps=2), [[2.0, 0.5], [0.5, 1.0]], [[1.0, 0], [0, 3.0]]
    )


def of_given_weights():
    file = io.BytesIO()
    np.savez(file, P=np.eye(3), Q=0.1 * np.eye(3))
    return weights_from(file.getvalue(), "mine.npz", TrainSettings(features=2))


SCRIPTS = {**results.MAKERS, "signal with matrices": with_matrices, "train of given weights": of_given_weights}


@pytest.mark.parametrize("kind", SCRIPTS)
def test_every_script_imports_the_package_alone_and_ends_alike(kind):
    script = export.of(SCRIPTS[kind]()).script()
    assert imported(script) == {"looped"}
    assert script.endswith("\nexport.write_or_compare(result)\n")


@pytest.mark.parametrize("kind", ["signal with matrices", "train of given weights"])
def test_what_travels_inside_a_script_comes_out_of_it_as_it_was(monkeypatch, kind):
    result, kept = SCRIPTS[kind](), []
    monkeypatch.setattr(export, "write_or_compare", kept.append)
    script = export.of(result).script().replace("evaluate(weights_from", "(weights_from")
    exec(script, {})
    first, again = export.of(result).arrays(), export.of(kept[0]).arrays()
    assert first.keys() == again.keys()
    for name in ("H", "Psi") if "signal" in kind else ("P", "Q"):
        np.testing.assert_array_equal(again[name], first[name])


@pytest.fixture(name="run_script")
def fixture_run_script(tmp_path, monkeypatch, capsys):
    """Runs the script of a result in a folder as a user does, and gives what it prints."""
    monkeypatch.chdir(tmp_path)

    def run_it(result, *arguments):
        monkeypatch.setattr(sys, "argv", ["reproduce.py", *arguments])
        capsys.readouterr()
        exec(export.of(result).script(), {})
        return capsys.readouterr().out

    return run_it


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


QUICK = [kind for kind in results.MAKERS if kind not in ("train", "gpt2")]


@pytest.mark.parametrize("kind", QUICK)
def test_a_script_beside_its_own_files_says_that_they_are_equal_and_writes_nothing(tmp_path, run_script, kind):
    export.save(results.result(kind), tmp_path)
    (tmp_path / "curves.csv").write_text("mine")
    before = contents(tmp_path)
    said = run_script(results.result(kind))
    assert said.startswith("equal to the arrays.npz here. Nothing is written; --overwrite replaces result.json, ")
    assert said.count("\n") == 1
    assert contents(tmp_path) == before


def test_a_script_beside_other_numbers_says_where_and_by_how_much_and_writes_nothing(tmp_path, run_script):
    export.save(compare(SMALL), tmp_path)
    arrays = export.of(compare(SMALL)).arrays()
    arrays["looped"][3, 1, 2] += 0.25
    np.savez(tmp_path / "arrays.npz", **{**arrays, "own": np.ones(2)})
    before = contents(tmp_path)
    said = run_script(compare(SMALL))
    largest = f"{np.abs(arrays['looped']).max():.2g}"
    looped = f"looped (by up to 0.25; its largest entry is {largest})"
    assert said.startswith(f"differs in {looped}, own (in the file alone) from the arrays.npz here. Nothing is written")
    assert said.count("\n") == 1
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"loops": 14}, "looped (shape (15, 4, 3), in the file (16, 4, 3))"),
        ({"dtype": "float32"}, "X (float32, in the file float64)"),
        ({"seed": 1}, "X (by up to "),
        ({"algorithm": "ridge"}, "K (not in the file)"),
    ],
)
def test_a_script_of_other_settings_differs_and_replaces_only_when_told(tmp_path, run_script, change, words):
    export.save(compare(SMALL), tmp_path)
    before, other = contents(tmp_path), compare(SMALL.replace(**change))
    said = run_script(other)
    assert said.startswith("differs in ")
    assert words in said
    assert "; result.json differs. Nothing is written" in said
    assert contents(tmp_path) == before
    assert json.loads(run_script(other, "--overwrite")) == export.summary(other)
    assert contents(tmp_path) == export.of(other).files()


def test_a_script_beside_a_damaged_or_no_array_file_says_so_and_writes_nothing(tmp_path, run_script):
    (tmp_path / "result.json").write_text("mine")
    said = run_script(compare(SMALL))
    assert said.startswith("there is no arrays.npz here to compare with; result.json differs. Nothing is written")
    (tmp_path / "arrays.npz").write_bytes(b"PK")
    assert run_script(compare(SMALL)).startswith("the arrays.npz here cannot be read; result.json differs. Nothing is")
    assert contents(tmp_path) == {"result.json": b"mine", "arrays.npz": b"PK"}


def test_a_script_alone_in_its_folder_writes_the_other_files_and_stays_as_it_is(tmp_path, run_script):
    (tmp_path / "reproduce.py").write_text("# with lines of my own")
    assert json.loads(run_script(compare(SMALL))) == export.summary(compare(SMALL))
    own = {"reproduce.py": b"# with lines of my own"}
    assert contents(tmp_path) == export.of(compare(SMALL)).files() | own


def break_writing(monkeypatch, call):
    """Let the `call`-th file stop half-way, as on a full disk; gives what was to be written."""
    write, contents = Path.write_bytes, []

    def half(self, content):
        contents.append(content)
        if len(contents) == call:
            write(self, content[: len(content) // 2])
            raise OSError(28, "No space left on device")
        return write(self, content)

    monkeypatch.setattr(Path, "write_bytes", half)
    return contents


@pytest.mark.parametrize("call", range(1, 6), ids="file {}".format)
def test_a_failing_write_leaves_the_files_of_the_earlier_run_together(tmp_path, monkeypatch, call):
    export.save(compare(SMALL.replace(seed=9)), tmp_path)
    before = [(tmp_path / name).read_bytes() for name in FILES]
    break_writing(monkeypatch, call)
    with pytest.raises(OSError, match="No space left"):
        export.save(compare(SMALL), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == FILES
    assert [(tmp_path / name).read_bytes() for name in FILES] == before


def test_a_failing_write_into_a_new_folder_leaves_no_partial_file(tmp_path, monkeypatch):
    break_writing(monkeypatch, 1)
    with pytest.raises(OSError, match="No space left"):
        export.save(compare(SMALL), tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []


def test_a_failing_summary_leaves_the_earlier_files_alone(tmp_path, monkeypatch):
    export.save(compare(SMALL), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def fail(_self):
        raise ValueError("no summary")

    monkeypatch.setattr(ComparisonExport, "results", property(fail))
    with pytest.raises(ValueError, match="no summary"):
        export.save(compare(SMALL.replace(seed=1)), tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.fixture(scope="module")
def everywhere():
    """The names a setting has in every place that settings travel through."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), pytest.raises(SystemExit):
        cli.main(["compare", "--help"])
    written = export.of(compare(SMALL))
    return {
        "link": SMALL.to_query().keys(),
        "json": written.summary["settings"].keys(),
        "help": set(re.findall(r"^  (--[\w-]+)", out.getvalue(), re.MULTILINE)),
        "script": set(re.findall(r"^    (\w+)=", written.script(), re.MULTILINE)),
    }


@pytest.mark.parametrize("field", FIELDS.values(), ids=lambda field: field.name)
def test_every_field_stands_in_link_json_command_line_and_script(everywhere, field):
    assert field.key in everywhere["link"]
    assert field.name in everywhere["json"]
    assert field.flag in everywhere["help"]
    assert field.name in everywhere["script"]


@pytest.mark.parametrize(("algorithm", "charts"), [("gd", 4), ("ridge", 4), ("gd++", 1)])
def test_the_page_of_charts_steps_through_the_loop_where_the_algorithm_allows(algorithm, charts):
    made = export.of(compare(SMALL.replace(algorithm=algorithm)))
    pictures = made.pictures()
    assert len(pictures) == charts
    if charts > 1:
        player = pictures["Inside the loop"].standing_alone()
        assert len(player.frames) == SMALL.loops + 1 == len(player.layout.sliders[0].steps)
        assert "Plotly.animate" not in made.figure_html()  # nothing plays by itself


@given(wild_settings())
@settings(max_examples=60, deadline=None)
@example(Settings(algorithm="softmax", step_size=30.0, condition_number=100.0, loops=300))
@example(
    Settings(
        algorithm="preconditioned",
        data="correlated",
        loops=1,
        examples=30,
        features=8,
        condition_number=10_000.0,
        prompts=1,
    )
)
@example(
    Settings(
        algorithm="gd++", data="correlated", condition_number=100.0, examples=10, features=2, loops=300,
        step_size="optimal", gamma=0.1, shared_step=True, label_scale=-1000.0, seed=5,
    )
)  # fmt: skip
def test_every_number_of_every_run_is_finite_and_a_promise_to_converge_is_kept(wild):
    result = compare(wild)
    written = export.of(result)
    json.loads(written.summary_json())
    for name, array in written.arrays().items():
        assert np.isfinite(array).all(), name
    assert all(np.isfinite(values).all() for values in result.curves.values())
    assert "nan" not in written.curves_csv()
    if result.prediction.kind == "converges":
        most = 3.0
        if wild.algorithm == "gd++":  # it says how much is left after T loops, which may be more than 1
            most += 3 * result.prediction.factor
        if wild.algorithm == "preconditioned":  # every loop shortens C^(-1/2)(w - w_ref), and not w - w_ref
            most = 1.001 * np.linalg.cond(result.algorithm.preconditioner.numpy()) ** 0.5
        assert np.median(result.errors[-1]) < most
    assert ".;" not in result.prediction.sentence


def test_the_arrays_say_what_was_set_with_which_versions(tmp_path):
    export.save(compare(SMALL), tmp_path)
    with zipfile.ZipFile(tmp_path / "arrays.npz") as archive:
        about = json.loads(archive.comment)
    assert Settings(**about["settings"]) == SMALL
    assert about["seed"] == SMALL.seed
    assert about["results_version"] == export.RESULTS_VERSION
    assert about["versions"]["numpy"] == np.__version__


CONSTRUCTIONS = [
    (name, layout)
    for name, algorithm in ALGORITHMS.items()
    for layout in (("compact", "slots") if algorithm.layouts else ("compact",))
]


def loops_from_file(path):
    """The iterates from what arrays.npz holds, by the formula of its documentation, with NumPy alone."""
    with np.load(path) as stored:
        file = dict(stored)
    n, (D, tokens) = len(file["y"][0]), file["Z0"][0].shape
    M, R = np.diag(file["M"]), np.diag(file["R"])
    A, K = file.get("A", np.eye(D)), file.get("K", np.zeros((D, D)))
    heads = list(zip(file["P"].reshape(-1, D, D), file["Q"].reshape(-1, D, D), strict=True))
    assert M.shape == R.shape == (tokens, tokens)
    iterates, d = np.empty_like(file["looped"]), file["X"].shape[2]
    for b, (Z, step) in enumerate(zip(file["Z0"], file["step_size"], strict=True)):
        first = np.linalg.norm(Z[:d, :n], 2) ** 2
        for t in range(len(iterates)):
            eta = step
            if "contraction" in file:  # a step for every column
                now = np.linalg.norm(Z[:d, :n], 2) ** 2
                eta = np.where(file["M"] == 1, file["contraction"] * n, step * first) / now
            iterates[t, b] = (file["read"] @ Z[:, file["M"] == 0]).ravel()
            change = (A - np.eye(D)) @ Z - K @ Z * eta
            for P, Q in heads:
                scores = Z.T @ Q @ Z
                if file["softmax"]:
                    weight = np.exp(scores - scores.max(axis=0)) * file["M"][:, None]
                    scores = n * weight / weight.sum(axis=0)
                change -= P @ Z @ M @ scores * eta / n
            Z = Z + change @ R
    return file, iterates


@pytest.mark.parametrize(("name", "layout"), CONSTRUCTIONS)
@pytest.mark.parametrize("examples", [9, 2])
def test_the_arrays_alone_determine_every_loop(tmp_path, name, layout, examples):
    result = compare(
        Settings(
            algorithm=name, layout=layout, examples=examples, features=3, loops=12, prompts=3, noise=0.2,
            label_scale=-1.5, data="correlated",
        )
    )  # fmt: skip
    export.save(result, tmp_path)
    file, iterates = loops_from_file(tmp_path / "arrays.npz")
    np.testing.assert_array_equal(file["looped"], result.looped)
    assert np.abs(iterates - file["looped"]).max() <= 1e-11 * np.abs(file["looped"]).max()
    assert np.abs(iterates[1]).max() > 0


def test_the_write_mask_of_a_layout_is_in_the_arrays():
    compact, slots = (export.of(compare(SMALL.replace(layout=layout))).arrays() for layout in ("compact", "slots"))
    np.testing.assert_array_equal(compact["M"], [1] * 8 + [0])
    np.testing.assert_array_equal(compact["R"], [0] * 8 + [1])
    np.testing.assert_array_equal(slots["R"], [1] * 9)
