"""The first page for every algorithm and every kind of data: its buttons, and its sentences beside its numbers."""

import ast
import itertools
import json
import re
import secrets
from dataclasses import replace

import numpy as np
import pytest
import torch

from looped import Settings, compare
from looped.algorithms import ALGORITHMS
from looped.experiments.compare import words
from looped.experiments.compare.inside import record
from looped.experiments.compare.lessons import COMPARE
from looped.experiments.compare.summary import summarise
from looped.fields import SettingsError
from looped.prompts import draw
from looped.settings import FIELDS
from looped_ui import backend
from looped_ui.parts import typeset
from tests.app import ROOT, lines, open_page, press, run, spec, texts
from tests.looped_ui.test_lesson_panel import PAGES
from tests.thorough import thorough_but

DATA = ("exact", "gaussian", "correlated", "diabetes", "csv")
SMALL = {"T": "12", "prompts": "6"}
PAIRS = [
    pytest.param(algorithm, data, marks=() if data == "exact" or algorithm in ("gd", "softmax") else pytest.mark.slow)
    for algorithm, data in itertools.product(ALGORITHMS, DATA)
]
"""Every algorithm with every kind of data; CI has every algorithm and every kind of data."""
FEW = thorough_but(lambda *pair: pair in (("gd", "csv"), ("newton", "exact")), PAIRS)


def curves(at):
    """Name to heights of every line of the error chart."""
    return {name: y for name, (_, y) in lines(spec(at, "errors")).items()}


def shown(at):
    return at.session_state["compare.last"]


def holds_the_curve(at, _):
    held = [name for name in curves(at) if name.startswith("Held: ")]
    at.number_input(key="T").set_value(20)
    own = "Softmax attention" if shown(at).algorithm == "softmax" else "Looped transformer"
    before = curves(at)[own]
    kept = curves(run(at))
    assert len(held) == 1
    np.testing.assert_array_equal(kept[held[0]], before)
    assert len(kept[own]) == 21
    for key, other in (("algorithm", "newton"), ("algorithm", "softmax"), ("data", "gaussian"), ("data", "diabetes")):
        at.selectbox(key=key).set_value(other)
        np.testing.assert_array_equal(curves(run(at))[held[0]], before)
    at.toggle(key="log_t").set_value(True)
    np.testing.assert_array_equal(curves(run(at))[held[0]], before)
    press(at, "Let go")
    assert not [name for name in curves(at) if name.startswith("Held: ")]


def draws_another_seed(at, before):
    assert shown(at) == before.replace(seed=4321)


def brings_the_first_screen(at, _):
    assert shown(at) == Settings(**COMPARE[0].settings)


def brings_the_lesson(at, _):
    assert shown(at) == Settings()
    assert at.selectbox(key="compare_lesson").value == "one-step"


def opens_the_lesson_before(at, _):
    assert shown(at) == Settings(**COMPARE[0].settings)


def opens_the_lesson_after(at, _):
    assert shown(at) == Settings(**COMPARE[2].settings)


def sets_the_optimal_step(at, before):
    assert shown(at) == before.replace(step_size="optimal")


OUTCOMES = {
    "Hold this curve": holds_the_curve,
    "New seed": draws_another_seed,
    "Reset to defaults": brings_the_first_screen,
    "Differs in ": brings_the_lesson,
    "◀": opens_the_lesson_before,
    "▶": opens_the_lesson_after,
    "Set the optimal step": sets_the_optimal_step,
}


@pytest.mark.parametrize(("algorithm", "data"), FEW)
def test_every_button_does_what_it_says_for_every_algorithm_and_data(monkeypatch, algorithm, data):
    monkeypatch.setattr(secrets, "randbelow", lambda _: 4321)
    query = {**SMALL, "algorithm": algorithm, "data": data, "lesson": "one-step"}
    at = open_page(**query, modes="true")
    labels = [button.label for button in at.button if not button.disabled]
    steady = algorithm in ("gd", "ridge", "preconditioned")
    assert len(labels) == (7 if steady else 6)
    for label in labels:
        (name,) = (name for name in OUTCOMES if label.startswith(name))  # a new button needs an outcome here
        at = open_page(**query, modes=str(name == "Set the optimal step").lower())
        before = shown(at)
        OUTCOMES[name](press(at, label), before)


RUNS = [
    {"algorithm": algorithm, **change}
    for algorithm, change in itertools.product(
        ALGORITHMS,
        (
            {}, {"step": "optimal"}, {"step": "3"}, {"step": "0.05"}, {"n": "5"}, {"noise": "1"}, {"data": "gaussian"},
            {"data": "correlated", "kappa": "30"}, {"data": "diabetes"}, {"kappa": "1"}, {"n": "5", "noise": "1"},
            {"dtype": "float32", "T": "80"},
        ),
    )
]  # fmt: skip


@pytest.mark.parametrize(
    "query",
    thorough_but(lambda run: len(run) == 1 or run["algorithm"] == "gd", RUNS),
    ids=lambda query: " ".join(query.values()),
)
def test_no_sentence_says_what_the_run_does_not_show(query):
    no_sentence_contradicts(open_page(**({"prompts": "8", "T": "40"} | query)))


@pytest.mark.slow
@pytest.mark.parametrize("data", [kind for kind in DATA if kind != "csv"])  # without a file it is diabetes
@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("lesson", COMPARE, ids=lambda lesson: lesson.key)
def test_every_lesson_opens_for_every_algorithm_and_data_and_says_what_is_true(lesson, algorithm, data):
    at = open_page(lesson=lesson.key, algorithm=algorithm, data=data, prompts="8")
    own = Settings(**lesson.settings)
    assert (typeset(lesson.see) in texts(at)) <= ((own.algorithm, own.data) == (algorithm, data))
    no_sentence_contradicts(at)


def no_sentence_contradicts(at):
    """Compare the sentences of the first page with a run of its settings."""
    settings = shown(at)
    if not at.get("plotly_chart"):  # refused for its cost, in the words of the backend
        with pytest.raises(SettingsError) as refused:
            compare(settings)
        assert [error.value.replace("\\", "") for error in at.error] == [str(refused.value)]
        return
    result, said = compare(settings), texts(at).replace("\u2060", "")
    softmax = settings.algorithm == "softmax"
    assert ("lie on the transformer's line" in said) == (result.passed is True)
    if result.passed:
        looped, explicit = (np.median(result.errors, axis=1), np.median(result.explicit_errors, axis=1))
        clear = looped > 1e3 * result.tolerance * max(1.0, looped.max())  # it is relative to the largest iterate
        np.testing.assert_allclose(looped[clear], explicit[clear], rtol=0.02)
    else:
        assert "circles are explicit" in said
    assert ("Three routes, one curve" in said) == ("They agree up to rounding" in said) == (not softmax)
    if not softmax and result.passed:
        looped, closed = (np.median(np.minimum(error, 1e6), axis=1) for error in (result.errors, result.closed_form))
        clear = looped > 1e3 * result.tolerance * max(1.0, looped.max())  # it is relative to the largest iterate
        np.testing.assert_allclose(looped[clear], closed[clear], rtol=0.02)
    assert ("straight" in said.replace("not straight", "")) == (settings.algorithm in ("gd", "ridge"))
    title = (
        "every pass, or loop, moves w" if softmax else f"every pass, or loop, is one step of {result.algorithm.twin}"
    )
    assert title in said
    assert ("Raise κ and the line flattens" in said) == (
        settings.algorithm == "gd" and settings.data == "exact" and settings.step_size == "auto"
        and result.condition_number > 1.01
    )  # fmt: skip
    assert ("Noise σ" in said) == (settings.noise > 0 and settings.data != "diabetes")
    for gone in ("no number of loops", "cannot stay below", "shrinks by", "exactly", "Why FAIL"):
        assert gone not in said or result.passed is False


@pytest.mark.parametrize("query", [{}, {"spectrum": "linear"}, {"spectrum": "two-level"}, {"spectrum": "outlier"},
                                   {"n": "6", "kappa": "20"}, {"kappa": "60", "d": "3"}], ids=str)  # fmt: skip
def test_a_larger_kappa_flattens_the_line_and_the_optimal_step_steepens_it(query):
    at = open_page(**query, prompts="8")
    settings = shown(at).replace(loops=2000)
    assert "Raise κ and the line flattens in the long run" in texts(at)

    def factor(settings):  # per loop, where rounding is still far away
        error = np.median(compare(settings).errors, axis=1)
        late = int(np.flatnonzero(error > 1e-11)[-1])
        return (error[late] / error[late - 5]) ** 0.2

    now = factor(settings)
    assert factor(settings.replace(condition_number=2 * settings.condition_number)) > now
    assert factor(settings.replace(step_size="optimal")) < now
    more = factor(settings.replace(examples=10 * settings.examples))
    if "Raise n at a fixed κ" in texts(at):
        assert more == pytest.approx(now, rel=1e-3)
    else:
        assert settings.examples < settings.features


@pytest.mark.parametrize("step", ["auto", "optimal", 0.1, 1.2])
@pytest.mark.parametrize("algorithm", ["gd", "ridge"])
def test_in_the_long_run_the_largest_factor_is_what_a_loop_multiplies_the_error_by(algorithm, step):
    settings = Settings(algorithm=algorithm, step_size=step, loops=150, prompts=5, condition_number=30, seed=3)
    result = compare(settings)
    penalty = settings.ridge if algorithm == "ridge" else 0.0
    X = result.prompts.X.numpy()
    eigenvalues = np.stack([np.linalg.eigvalsh(x.T @ x / len(x)) for x in X])
    largest = np.abs(1 - result.step_size[:, None] * (eigenvalues + penalty)).max(axis=1)
    np.testing.assert_allclose(result.errors[-1] / result.errors[-2], largest, rtol=0.02)


def test_newton_squares_and_gdpp_multiplies_by_another_number_in_every_loop():
    for name, check in (
        ("newton", lambda left: np.testing.assert_allclose(left[2:], left[1:-1] ** 2, rtol=1e-6, atol=1e-14)),
        ("gd++", lambda left: np.testing.assert_array_less(1e-3, np.ptp(left[1:] / left[:-1], axis=0))),
    ):
        result = compare(Settings(algorithm=name, loops=6, prompts=1, features=4, condition_number=9.0))
        x = result.prompts.X[0].numpy()
        _, vectors = np.linalg.eigh(x.T @ x / len(x))
        along = np.abs((result.looped[:, 0] - result.w_ref[0]) @ vectors)
        check(along / along[0])


def test_a_verdict_that_names_a_mode_says_what_a_mode_is():
    assert "mode 1 grows" in (said := open_page(step="3").error[0].value)
    assert "A mode is the error along one eigenvector" in said
    assert (
        "A mode is the part of the error of w along one eigenvector"
        in next(m for m in open_page().metric if m.label == "Predicted").proto.help
    )
    assert "A mode" not in open_page(algorithm="gd++", gamma="1e6").error[0].value


def test_a_loop_stopped_early_may_be_closer_to_the_task_than_least_squares():
    """The reason why no text calls the floor of least squares a floor of the loop."""
    result = compare(Settings(noise=2.0))
    assert np.median(result.task_errors, axis=1).min() < np.median(result.floor)
    at = open_page(noise="2")
    (floor,) = (metric for metric in at.metric if metric.label == "error floor")
    assert floor.value == f"{np.median(result.floor):.3g}"
    assert "stopped early may be closer" in floor.proto.help


def test_the_best_loop_and_the_reason_of_a_fail_come_from_the_summary(monkeypatch):
    whole = backend.summarise

    def summary(result):
        found = whole(result)
        floor = replace(found.least_squares_floor, best_loop=7, best_error=0.0625)
        verdict = replace(found.verdict, passed=False, why_failed="Because of this and that.")
        return replace(found, least_squares_floor=floor, verdict=verdict)

    monkeypatch.setattr(backend, "summarise", summary)
    said = texts(open_page(noise="2", seed="90210"), "caption").replace("\u2060", "")
    assert "closest at loop 7: 0.0625" in said
    assert "after 7 loops that of $w_{t}$ is 0.0625, its smallest" in said
    assert "**Why FAIL?** Because of this and that." in said
    backend.comparison.clear()


def test_softmax_pushes_examples_that_are_predicted_too_low_as_well():
    """As its needs say: the weights of w ← w − ηΣ s_i x_i are positive, also where the residual is negative."""
    result = compare(Settings(algorithm="softmax"))
    batch, below = draw(Settings()), []
    for w in result.looped:
        residual = torch.einsum("bnd,bd->bn", batch.X, torch.from_numpy(w)) - batch.y
        weight = torch.softmax(residual, dim=1)
        assert weight.min() > 0
        below.append(float(torch.where(residual < 0, weight, 0.0).sum(dim=1).median()))
    assert 0.1 < below[0] < 0.3
    assert 0.4 < below[-1] < 0.6
    assert "already too low" in ALGORITHMS["softmax"].needs


def strings():
    """File, line and value of every string of the program, joined as Python joins them, and of prose in Markdown."""
    for path in (*ROOT.glob("pages/*.md"), *ROOT.glob("looped/experiments/*/lessons.md")):
        yield path, 1, path.read_text(encoding="utf-8").replace("\n", " ")
    for path in itertools.chain(*(ROOT.glob(f"{folder}/**/*.py") for folder in ("pages", "looped_ui", "looped"))):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = (str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
                yield path, node.lineno, "".join(parts)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield path, node.lineno, node.value


POINTER = re.compile(r"under (\*?)([A-Z][a-z]{2,}(?: [a-z]+)*)(\*?)")


def test_what_a_text_says_stands_under_a_name_does_so():
    labels = {}
    for name in PAGES:
        at = open_page(name)
        labels[name] = {expander.label for expander in at.expander}
        labels[name] |= {node.label for node in at.sidebar if getattr(node, "label", "")}
    found = 0
    for path, line, text in strings():
        for star, name, end in POINTER.findall(text):
            owner = next((part for part in (path.stem, path.parent.name) if part in labels), "compare")
            assert star == end == "*", f"{path}:{line}: write under *{name}*"
            assert name in labels[owner], f"{path}:{line}: nothing is called {name}"
            found += 1
    assert found >= 10


RAW = re.compile(r"[A-Za-zα-ωΑ-Ω‖²)\]]_\{?[A-Za-z0-9α-ωΑ-Ω]|\^[({A-Za-z0-9½−]")


def visible(at):
    """Everything a visitor can read, helps included, without mathematics, code and links."""
    kinds = ("markdown", "caption", "metric", "info", "warning", "error", "title", "subheader")
    said = [str(node.value) for node in (*at.main, *at.sidebar) if node.type in kinds]
    said += [str(getattr(node, "label", "")) for node in (*at.main, *at.sidebar, *at.expander)]
    said += [str(getattr(node.proto, "help", "")) for node in (*at.main, *at.sidebar) if hasattr(node, "proto")]
    for chart in at.get("plotly_chart"):
        said += drawn(json.loads(chart.proto.spec))
    return [re.sub(r"\$[^$]*\$|`[^`]*`|\]\([^)]*\)|\w+\.\w{2,4}\b", " ", text) for text in said]


def drawn(spec):
    """Names, titles and labels of a figure."""
    layout = spec["layout"]
    words = [trace.get("name", "") for trace in spec["data"]]
    words += [word for trace in spec["data"] for word in trace.get("text", []) if isinstance(word, str)]
    words += [axis["title"].get("text", "") for key, axis in layout.items() if "axis" in key and "title" in axis]
    return words + [note.get("text", "") for note in layout.get("annotations", [])]


@pytest.mark.parametrize(("algorithm", "data"), FEW)
def test_no_formula_stands_there_as_it_is_typed(algorithm, data):
    for query in ({}, {"step": "3", "noise": "1", "n": "5"}):
        at = open_page(**SMALL, **query, algorithm=algorithm, data=data, modes="true", inside="true")
        at.session_state["glossary"] = True
        found = [text for text in visible(run(at)) if RAW.search(text)]
        assert found == []


def test_the_helps_of_every_setting_are_set_as_mathematics():
    at = open_page()
    by_key = {
        node.key: node.proto.help for node in at.sidebar if getattr(node, "key", None) and hasattr(node.proto, "help")
    }
    assert "$λ_{d}$" in by_key["step_number"]
    assert "λ_d" in FIELDS["step_size"].help


def test_a_loop_is_called_closer_than_the_floor_only_where_the_digits_show_it():
    at = open_page(n="5", T="100")
    assert "closest at loop" not in str([metric.delta for metric in at.metric])
    assert "its smallest" not in texts(at)
    noisy = open_page(noise="0.5", T="60")
    assert "its smallest" in texts(noisy)


@pytest.mark.parametrize(
    ("change", "median_held", "agree"),
    [
        ({"step_size": 1.05, "loops": 5000}, True, True),
        ({"algorithm": "newton", "step_size": 1.2, "loops": 20}, True, False),
        ({"algorithm": "gd++", "step_size": 1.0, "gamma": 1.2, "loops": 30}, True, False),
        ({"data": "gaussian", "examples": 20, "step_size": 0.55, "loops": 3000}, False, False),
        ({"step_size": 1.05, "loops": 60}, False, False),
    ],
)
def test_an_error_after_iterates_were_held_is_not_told_as_that_of_the_last_loop(change, median_held, agree):
    """Where a prompt's iterates are held its error is that of an earlier loop; only such a one may be cut off."""
    settings = Settings(**change, prompts=16)
    result = compare(settings)
    summary = summarise(result)
    told = words.error(summary, summary.error_after_T.median, 3)
    held = np.array([np.array_equal(result.looped[-1, b], result.looped[-2, b]) for b in range(16)])
    far = held & (result.errors[-1] > 1e6)
    assert (told == "over 1e6") == median_held == (far.sum() > 8)
    if not median_held:
        assert float(told) == pytest.approx(np.median(result.errors[-1]), rel=5e-3)
    assert ("held from loop" in words.over_prompts(summary)) == far.any()
    if agree:
        said = words.verdict(settings, summary)
        digits = int(-np.log10(result.relative_gap))
        assert said.startswith(f"**✗ Same as explicit gradient descent to {digits} digits only:**")
        assert said.endswith("which is made for loops that contract.")


def test_how_many_loops_are_drawn_is_said_where_it_is_not_all():
    for loops in (1, 59, 60, 2000):
        settings = Settings(loops=loops, prompts=1)
        result = compare(settings)
        drawn = len(record(result).loops) - 1  # the first is the start
        said = words.what_runs(settings, summarise(result))
        assert (f", {drawn} of {loops:,} loops" in said) == (drawn < loops)
