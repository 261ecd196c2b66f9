"""The third page, run without a browser."""

import ast
import io
import re

import numpy as np
import pytest

from looped.experiments.train import cost, rivals
from looped.experiments.train.charts import SWEEPS
from looped.experiments.train.lessons import TRAIN
from looped.experiments.train.settings import TrainSettings
from looped.experiments.train.stored import stored
from looped.lesson import by_key
from tests.app import PATIENCE, ROOT, alt, alts, answer, metrics, numbers, open_page, press, run, spec, until
from tests.thorough import thorough_but

SMALL = {"T": "2", "n": "8", "d": "2", "steps": "30", "batch": "32"}


@pytest.fixture(autouse=True)
def fixture_quick(monkeypatch):
    """Evaluate on few prompts."""
    monkeypatch.setattr(cost, "affordable", lambda *_args, **_others: 200)
    monkeypatch.setattr(cost, "ALONE_SECONDS", 0.0)


def page(**query):
    """The page, with the question of its lesson answered."""
    return answer(open_page("train", **query))


def job_of(app):
    return app.session_state["job_train"]


def test_the_stored_run_stands_there_before_anyone_trains():
    app = page()
    numbers = metrics(app)
    run = stored()[0]
    assert numbers["median query error"] == as_said(run.fresh[0, 1])
    assert numbers["a, γ learned"] == f"{run.fits()[0].a:.3g}, {run.fits()[0].gamma:.3g}"
    assert len(alts(app)) == 6
    assert all(alts(app))
    assert any(f"a = {run.fits()[0].a:.3g}" in text.value for text in app.markdown if "What it became" in text.value)
    assert any("stored run of exactly these settings" in caption.value for caption in app.caption)


@pytest.mark.parametrize("lesson", TRAIN, ids=lambda lesson: lesson.key)
def test_what_answers_the_question_comes_after_the_guess(lesson):
    app = open_page("train", lesson=lesson.key)
    figure = spec(app, "loss")
    assert alt(app, "loss").endswith("What they become is not shown yet.")
    loss, level, now, P, Q = figure["data"]
    given = "one layer, closed form" if lesson.key == "one-loop" else "constructed GD"
    assert level["name"].startswith(f"{given}: error of w ")
    assert -4.2 < np.log10(numbers(level["y"])).min() <= np.log10(numbers(level["y"])).max() < 2.2
    assert numbers(loss["x"]) == numbers(now["x"]) == [1]
    assert P["type"] == Q["type"] == "heatmap"
    titles = {
        "preconditioner": ["P, fixed", "Q, A before training"], "one-loop": ["P, fixed", "Q, A before training"],
        "generation": ["P, A before training", "Q, fixed"],
    }.get(lesson.key, ["P, before training", "Q, before training"])  # fmt: skip
    assert [note["text"] for note in figure["layout"]["annotations"]] == [*titles, given]
    assert figure["layout"]["yaxis"]["range"] == [-4.2, 2.2]
    assert len(alts(app)) == 1
    assert metrics(app) == {}
    assert not any("What it became" in text.value for text in app.markdown)
    assert not {"What to notice", "Data behind the charts"} & {panel.label for panel in app.expander}


def test_what_was_trained_is_out_of_sight_while_a_question_waits():
    app = page(lesson="one-loop")
    press(app, "Train")
    assert job_of(app).join(PATIENCE)
    app.button(key="train_lesson_next").click().run()
    assert alt(app, "loss").endswith("What they become is not shown yet.")
    assert not any("belong to another run" in box.value for box in app.info)
    app.button(key="train_lesson_previous").click().run()  # its result was seen
    assert alt(app, "loss").startswith("Loss of ")


def test_who_trains_sees_what_comes_out_without_an_answer_unless_the_link_wants_one():
    app = open_page("train", lesson="one-loop")
    press(app, "Train")
    assert job_of(app).join(PATIENCE)
    assert alt(run(app), "loss").startswith("Loss of ")
    assert app.button_group(key="train_guess").value is None
    assert alt(answer(app), "loss").startswith("Loss of ")
    app = open_page("train", lesson="one-loop", predict="1")
    assert [button.disabled for button in app.button if button.label == "Train"] == [True]
    assert [button.disabled for button in answer(app).button if button.label == "Train"] == [False]


def test_the_time_that_is_announced_has_training_and_evaluation():
    settings = TrainSettings(**by_key(TRAIN)["one-loop"].settings)
    (said,) = (text.value for text in page(lesson="one-loop").caption if "on one core" in text.value)
    assert f"take about {cost.estimate(settings).seconds:.1f} s on one core" in said


def test_training_is_watched_to_its_end_and_its_result_replaces_the_stored_one():
    app = page(**SMALL)
    assert any("belong to another run" in box.value for box in app.info)
    press(app, "Train")
    job = job_of(app)
    assert job.join(PATIENCE)
    assert job.state == "finished", job.failure
    run(app)
    assert alt(app, "loss").startswith("Loss of 30 of 30 training steps")
    assert "P and Q, 3 by 3" in alt(app, "loss")
    assert len(alts(app)) == 6
    assert [button.label for button in app.button if button.label in ("Train", "Stop", "Resume")] == ["Train"]
    press(app, "Reset")
    assert alt(app, "loss").startswith("Loss of 200 of 200 training steps")


def test_stop_resume_and_evaluating_what_was_reached():
    app = page(**{**SMALL, "steps": "20000", "batch": "512"})
    press(app, "Train")
    job = job_of(app)
    until(lambda: len(job.records) >= 3)
    press(app, "Stop")
    assert job.join(PATIENCE)
    assert job.state == "paused"
    reached = len(job.records)
    run(app)
    assert alt(app, "loss").startswith(f"Loss of {reached} of 20000 training steps")
    assert any(f"So far, after {reached:,} of 20,000 steps." in text.value for text in app.markdown)
    assert not any("What it became" in text.value for text in app.markdown)
    assert "a, γ learned" in metrics(app)
    press(app, "Resume")
    assert metrics(app) == {}  # one state at a time: that of the sentence
    until(lambda: len(job.records) > reached)
    press(app, "Stop")
    assert job.join(PATIENCE)
    run(app)
    press(app, "Evaluate these weights")
    assert job_of(app) is not job
    assert job_of(app).join(PATIENCE)
    run(app)
    assert len(alts(app)) == 6
    assert any("What it became." in text.value for text in app.markdown)
    assert not app.exception


def markdown(app):
    return [element.value for kind in ("markdown", "caption", "info", "error") for element in app.get(kind)]


def test_a_setting_changed_while_training_is_named_and_does_not_touch_the_run():
    app = page(**{**SMALL, "steps": "20000", "batch": "512"})
    press(app, "Train")
    job = job_of(app)
    assert not any("another run" in box.value for box in app.info)
    app.number_input(key="n").set_value(9).run()
    (box,) = [box.value for box in app.info if "another run" in box.value]
    assert "n · examples 8, on the left 9" in box
    assert "press Stop and then Train" in box
    assert job_of(app) is job
    press(app, "Stop")
    assert job.join(PATIENCE)
    run(app)
    (box,) = [box.value for box in app.info if "another run" in box.value]
    assert "Resume continues that run; Train starts one with the settings on the left." in box
    assert job.work.settings.examples == 8
    app.number_input(key="n").set_value(8).run()
    assert not any("another run" in box.value for box in app.info)


def as_said(error):
    """A squared error in two digits, with a power of ten where it is far from 1."""
    return f"{error:.2g}" if 0.001 <= error < 100 else f"{error:.1e}"


KINDS = [
    {}, {"weights": "sparse"}, {"weights": "preconditioner"}, {"task": "generation"}, {"untied": "true"}, {"T": "1"},
    {"noise": "0.5"}, {"task": "generation", "weights": "preconditioner", "T": "1"},
    {"untied": "true", "weights": "preconditioner"}, {"n": "1", "d": "3"},
]  # fmt: skip


@pytest.mark.parametrize("kind", thorough_but(lambda kind: kind in ({}, {"untied": "true"}), KINDS), ids=str)
def test_every_kind_of_run_says_only_what_its_numbers_say(kind):
    app = page(**{**SMALL, "steps": "8", **kind})
    press(app, "Train")
    job = job_of(app)
    assert job.join(PATIENCE)
    run(app)
    assert job.state == "finished", job.failure
    said, reached = " ".join(markdown(app)).replace("\\", ""), job.snapshot
    for stale in (
        "hardly moves",
        "It is not close",
        "go on improving",
        "passes 2/a",
        "tail sampled",
        "undreds of times",
    ):
        assert stale not in said
    labels = [metric.label for metric in app.metric]
    assert labels[0] == "median query error"
    assert ("mean over all prompts" in labels) == ("trained" in reached.whole)
    own = reached.sweeps["loops"].series["trained"][1]
    T = reached.settings.loops
    assert f"the median query error of the trained weights is {as_said(own[T])} after T = {T} loops" in said
    best = int(np.argmin(own))
    assert (f"smallest median at loop {best}, {as_said(own[best])}" in said) == (not reached.settings.untied)
    assert ("Untied layers end with the last" in said) == reached.settings.untied
    assert ("adds one every" in said) == (T > 1)
    app.session_state["whole"] = True
    run(app)
    exact = f"mean {rivals.best_descent(reached.settings)[1]:.3g}, exact"
    assert (exact in " ".join(markdown(app)).replace("\\", "")) == (T > 1)
    assert not any(re.search(r"(?<![$\\])(λ₁|κ_Σ|κ_Σ)", text) for text in markdown(app))


def test_no_help_of_this_page_is_of_another_page():
    app = page()
    helps = [w.help for kind in ("number_input", "selectbox", "toggle", "metric") for w in app.get(kind) if w.help]
    assert len(helps) > 8
    assert not any("w* has length" in text for text in helps)
    (noise,) = [w.help for w in app.number_input if w.key == "noise"]
    assert "variance d" in noise


def test_the_script_prints_no_string_that_explains_its_code():
    # Streamlit writes every expression that stands alone in a page to the screen.
    _, *statements = ast.parse((ROOT / "pages/train.py").read_text(encoding="utf-8")).body
    assert not [
        one for one in statements if isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant)
    ]  # fmt: skip


def test_the_view_shows_medians_alone():
    app = answer(open_page("train", {"whole": True}))
    for key in ("loss", "levels", "weights_chart", *(f"sweep_{kind}" for kind in SWEEPS)):
        chart = spec(app, key)
        title = chart["layout"].get("yaxis", {}).get("title", {}).get("text", "median")
        assert "median" in title
        assert not any("mean" in trace.get("name", "") for trace in chart["data"])


def test_settings_that_cannot_train_are_refused_in_a_sentence():
    app = page(T="10", d="40")
    press(app, "Train")
    assert len(app.error) == 1
    assert "needs about" in app.error[0].value
    assert "job_train" not in app.session_state


def test_a_diverging_run_says_why(monkeypatch):
    monkeypatch.setattr("looped.training.trainer.WORSE_THAN_ZERO", 0.0)  # every step counts as bad
    app = page(**{**SMALL, "steps": "200"})
    press(app, "Train")
    job = job_of(app)
    assert job.join(PATIENCE)
    run(app)
    assert len(job.work.trainer.history) == 50
    assert any("Diverged: in 50 steps in a row" in error.value.replace("\\", "") for error in app.error)


@pytest.mark.parametrize("query", [{}, SMALL], ids=["its settings", "other settings"])
def test_link_and_files_are_of_the_run_on_screen(query):
    app = open_page("train", {"train_share": True}, **query)
    assert "T=10&n=20&d=5" in app.code[0].value
    said = [
        caption.value for caption in app.caption if "belong to the run on screen, not to the settings" in caption.value
    ]
    assert len(said) == (1 if query else 0)


def upload(app, content, name="mine.npz"):
    next(iter(app.get("file_uploader"))).upload(name, content, "application/octet-stream").run()
    return press(app, "Evaluate this file")


def test_weights_from_a_file_are_evaluated_and_not_trained():
    content = io.BytesIO()
    np.savez(content, P=np.diag([0.1, 0.1, 1.0]), Q=np.diag([0.5, 0.5, 0.0]))
    app = upload(page(**SMALL), content.getvalue())
    assert job_of(app).join(PATIENCE)
    run(app)
    assert any("a = 0.5, γ = 0.05" in markdown.value for markdown in app.markdown)
    assert len(alts(app)) == 6  # no loss


def test_a_file_that_is_no_weights_gets_a_sentence():
    app = upload(page(), b"no weights")
    assert [error.value for error in app.error] == [
        r"mine.npz is damaged, or holds no arrays P and Q\: choose an arrays.npz that \`looped train\` wrote."
    ]
    assert "job_train" not in app.session_state


@pytest.mark.parametrize("lesson", TRAIN, ids=lambda lesson: lesson.key)
def test_every_lesson_opens_on_its_own_stored_run(lesson):
    app = page(lesson=lesson.key)
    assert not app.error
    assert any("stored run of exactly these settings" in caption.value for caption in app.caption)
    run, _ = stored(TrainSettings(**lesson.settings))
    assert run.settings == TrainSettings(**lesson.settings)
    assert metrics(app)["median query error"] == as_said(run.fresh[0, 1])
    assert alt(app, "loss").startswith(f"Loss of {run.history['step'][-1]} of ")
    named = by_key(TRAIN)[lesson.key]
    assert any(named.see[:40].split("*")[0] in markdown.value for markdown in app.markdown)


def test_one_name_stands_for_one_number_on_the_whole_page():
    app = answer(open_page("train", {"whole": True}))
    run = stored()[0]
    said = " ".join(part.value for kind in (app.caption, app.markdown) for part in kind).replace("\u2060", "")
    numbers = {metric.label: metric.value for metric in app.metric}
    trained, best = (f"{run.medians[name]:.1e}" for name in ("trained", "best GD++"))
    assert numbers["median query error"] == trained
    assert f"the trained weights have the median query error {trained}, a and γ alone" in said.replace("\\", "")
    assert f"median query error {best}" in said
    assert re.search(rf"and the best GD\+\+ found here, a = \S+ and γ = \S+, {best}\.", said.replace("\\", ""))
    loss = spec(app, "levels")
    assert "error of w" in loss["layout"]["yaxis"]["title"]["text"]
    levels = [trace["name"] for trace in loss["data"][1:]]
    assert len(levels) == 5
    both = [trace["name"] for trace in spec(app, "loss")["data"] if ":" in trace.get("name", "")]
    assert len(both) == 2
    assert set(both) <= set(levels)
    for kind in SWEEPS:
        assert spec(app, f"sweep_{kind}")["layout"]["yaxis"]["title"]["text"] == "median query error"
    for sweep in run.sweeps.values():
        assert f"{sweep.prompts:,} prompts" in said
    assert not re.search(r"squared error (?!of the query)", said.replace("sum of squared error", ""))
