"""Page 3: train a looped transformer, and see what it found."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import streamlit as st

from looped import export
from looped.experiments.train import TrainResult, TrainWork
from looped.experiments.train import charts as figures
from looped.experiments.train.cost import estimate
from looped.experiments.train.result import STATISTICS, measured, written
from looped.experiments.train.rivals import LEVEL_PROMPTS, LEVEL_SETS, best_descent
from looped.experiments.train.settings import TrainSettings
from looped.experiments.train.stage import before, stage
from looped.experiments.train.stored import stored
from looped.experiments.train.weights_file import MOST_BYTES, weights_from
from looped.experiments.train.words import OTHER_RUN, differences, in_words, notice
from looped.fields import SettingsError
from looped.training.trainer import Progress
from looped_ui import jobs
from looped_ui.frame import Page
from looped_ui.lesson import guessed, look
from looped_ui.live import figure
from looped_ui.parts import duration, made_by, numbers_strip, plain, show_number, typeset
from looped_ui.refused import log_refused
from looped_ui.share import held_back, share
from looped_ui.work import Job

JOB = "train"
CHARTS_EVERY = 2.0  # seconds; a chart needs up to one to be painted
BELOW, ASKING = 96, 150  # pixels of the window below the picture and its bar, for what came out, and what is asked


def sidebar() -> None:
    """Draw the controls."""
    with st.sidebar:
        for name in ("loops", "examples", "features"):
            controls.number(name)
        controls.choice("weights")
        controls.switch("untied")
        with controls.group("Task", "task", "noise", "seed"):
            controls.choice("task")
            controls.number("noise")
            controls.seed()
        with controls.group("Training", "optimizer", "steps", "patience", "batch", "dtype", "device"):
            controls.choice("optimizer")
            for name in ("steps", "patience", "batch"):
                controls.named(name)
            controls.choice("dtype")
            controls.choice("device")
        if controls.takes_files:
            choose_weights()
        controls.reset_button()


def choose_weights() -> None:
    """Draw the panel that takes a file of weights."""
    with st.expander("Weights from a file"):
        st.file_uploader(
            "arrays.npz", type="npz", key="weights_file", max_upload_size=MOST_BYTES // 1024**2,
            help="P and Q as `looped train` or this page wrote them. They are evaluated, not trained further.",
        )  # fmt: skip
        st.button("Evaluate this file", on_click=look_at_file, disabled=st.session_state["weights_file"] is None)
        if refusal := st.session_state.pop("weights_refusal", None):
            st.error(plain(refusal))


def look_at_file() -> None:
    """Begin to evaluate the weights of the file."""
    file = st.session_state["weights_file"]
    try:
        begun = weights_from(file.getvalue(), file.name, controls.read()[0])
        jobs.begin(JOB, TrainWork(begun.settings, begun))
    except SettingsError as error:
        log_refused("upload", error.field, f"{file.size} bytes")
        st.session_state["weights_refusal"] = str(error)


def evaluate_now(run: TrainResult) -> None:
    """Evaluate a run that was stopped, as it stands."""
    jobs.begin(JOB, TrainWork(run.settings, run))


def progress_line(job: Job[Progress | None] | None) -> None:
    """Draw the progress of a job as one bar."""
    if job is None:
        return
    work = work_of(job)
    last = next((record for record in reversed(job.records[-1:]) if record is not None), None)
    if job.state == "finished" or not (job.active or job.state == "paused"):
        return
    word = {"running": "Training", "waiting": "Waiting for its turn", "paused": "Stopped"}[job.state]
    if last is None and job.records:
        st.progress(1.0, {
            "running": "Evaluating the weights on fresh prompts.",
            "waiting": "Waiting for its turn to continue the evaluation.",
            "paused": "Evaluation stopped.",
        }[job.state])  # fmt: skip
    elif last is not None and work.trainer is not None:
        steps = work.trainer.training.steps
        left = job.seconds / last.step * (steps - last.step)
        skipped = f", {last.skipped} not finite and skipped" if last.skipped else ""
        st.progress(
            last.step / steps,
            f"{word}: step {last.step} of {steps}, T = {last.loops}, {job.seconds:.0f} s, "
            f"about {left:.0f} s left{skipped}",
        )
    else:
        st.progress(0.0, f"{word}.")


def main_picture(job: Job[Progress | None] | None) -> None:
    """Draw loss and weights of a job so far, or of the stored run, and what the weights became.

    While the lesson's question waits for a guess, the stored run stands before its first step, whatever was trained.
    """
    job = None if controls.to_guess else job
    kept = stored(controls.now if job is None else asked_of(job))[0]
    run: TrainResult = kept if job is None else job.snapshot
    if run.stopped.startswith("Diverged"):
        st.error(plain(run.stopped))
    if overflow := run.overflow():
        st.error(plain(overflow))
    above, said, layer = st.container(), page.said(), 0
    with said, st.container():
        page.outcome(f"**{reached(job, run)}** {plain(run.found())}")
    if len(run.P) > 1:
        layers = [f"Layer {place}" for place, _ in enumerate(run.P, 1)]
        with said:
            layer = layers.index(st.segmented_control(
                "Layer", layers, default=layers[0], key="layer", required=True, label_visibility="collapsed",
                bind="query-params",
            ) or layers[0])  # fmt: skip
    with above:
        if len(run.history.get("step", ())) or job is None or job.active:
            steps = run.settings.training().steps
            if job is not None and (trainer := work_of(job).trainer) is not None:
                steps = trainer.training.steps
            known = run if run.best else kept
            picture = before(run, steps, layer) if controls.to_guess else stage(run, steps, known, layer)
            figure(picture, "loss", heights=(200, 430), below=ASKING if controls.to_guess else BELOW)
        else:
            figure(figures.weights_chart(run, layer), "weights_chart")


def reached(job: Job[Progress | None] | None, run: TrainResult) -> str:
    """What the sentence on the weights is about: their end, or while there are steps left how far they have come."""
    trainer = None if job is None else work_of(job).trainer
    done = len(run.history.get("step", ()))
    if trainer is None or (trainer.finished and len(trainer.history) == done):
        return "What it became."
    return f"So far, after {done:,} of {trainer.training.steps:,} steps."


def evaluated(job: Job[Progress | None] | None) -> None:
    """Draw all else that is known of the run on screen; while it trains the sentence above has its numbers alone."""
    run: TrainResult = stored(controls.now)[0] if job is None else job.snapshot
    if job is None or not (job.active and work_of(job).training):
        numbers(run)
    if compared := run.compared():
        st.markdown(plain(compared))
    if len(run.history.get("step", ())):
        panel = st.expander("All levels, and P and Q beside each ideal", key="whole", on_change="rerun")
        if panel.open:
            with panel:
                whole(run)
    if job is not None and job.state == "paused" and not run.sweeps:
        st.button("Evaluate these weights", on_click=evaluate_now, args=(run,), disabled=not run.history["step"].size,
                  help="Evaluate them on fresh prompts as they are; the training cannot be resumed then.")  # fmt: skip
    if run.sweeps:
        beyond(run)


def whole(run: TrainResult) -> None:
    """Draw the loss with all levels, and the weights beside all that they are compared with."""
    left, right = st.columns(2)
    with left:
        known = run if run.best else stored(run.settings)[0]
        figure(figures.loss_chart(run.settings, run.history, run.settings.training().steps, known), "levels")
        st.caption(levels_explained(run.settings))
    with right:
        shown = st.session_state.get("layer", "Layer 1")  # chosen beside the main picture
        layer = min(int(shown.removeprefix("Layer ")), len(run.P)) - 1
        figure(figures.weights_chart(run, layer), "weights_chart")


def numbers(run: TrainResult) -> None:
    """Draw the strip of numbers above the charts."""
    settings, fits, best = run.settings, run.fits(), run.best
    with numbers_strip():
        if len(run.fresh):
            others = " and ".join(map(written, run.fresh[1:, 1]))
            below = f"{run.fresh_prompts:,} fresh prompts" + (f"; on as many others {others}" if others else "")
            below += f"; 99.9 % point {written(run.fresh[0, 2])}"
            show_number("median query error", written(run.fresh[0, 1]), below, page.words("Median"))
        if run.limit is not None and "trained" in run.below:
            mean, rare = measured(run.below["trained"]), f"λ_1 is larger with probability {run.limit.above:.0e}"
            show_number(f"mean where λ₁ < {run.limit.value:g}", mean, rare, page.words("Mean below"))
        if "trained" in run.whole:
            mean = measured(run.whole["trained"])
            show_number("mean over all prompts", mean, "by importance sampling", page.words("Mean"))
        if len(fits) == 1:
            fit = fits[0]
            shares = run.accounted_for()
            moves = settings.task == "prediction" and fit.gamma != 0
            name, found = ("a, γ learned", f"{fit.a:.3g}, {fit.gamma:.3g}") if moves else ("a learned", f"{fit.a:.3g}")
            show_number(name, found, shares, page.words("Learned numbers"))
        if best is not None and settings.loops > 1:
            median = run.medians.get("best GD++")
            below = "" if median is None else f"median query error {written(median)}"
            pair = f"{best.a:.3g}, {best.gamma:.3g}"
            show_number("best GD++", pair, below, page.words("Best GD++"))
        if (distance := run.distance_to_optimum()) is not None:
            show_number("from the optimum", f"{distance:.2%}", "of its length", page.words("Optimum"))


def beyond(run: TrainResult) -> None:
    """Draw the evaluation of the weights beyond their training."""
    st.subheader("On fresh prompts, and beyond training")
    statistic = st.segmented_control(
        "Query error over prompts", STATISTICS, default="median", key="statistic", bind="query-params", required=True,
        help="The median is the typical prompt. A mean of the prompts that were drawn misses the rare ones whose "
        "examples have a large eigenvalue, and these dominate the mean over all prompts.",
    ) or "median"  # fmt: skip
    charts = [(kind, figures.SWEEPS[kind][0]) for kind in figures.SWEEPS if kind in run.sweeps]
    for place in range(0, len(charts), 2):
        for column, (kind, heading) in zip(st.columns(2), charts[place : place + 2], strict=False):
            with column:
                st.markdown(f"##### {heading}")
                figure(figures.sweep_chart(run, kind, statistic), f"sweep_{kind}")
                st.caption(typeset(explained(run, kind)))


def explained(run: TrainResult, kind: str) -> str:
    """The caption of one chart of the evaluation."""
    heading = "loops, untied" if kind == "loops" and run.settings.untied else kind
    return page.words(heading, prompts=f"{run.sweeps[kind].prompts:,}")


def levels_explained(settings: TrainSettings) -> str:
    """Sentences on the levels of the loss chart."""
    text = page.words("Levels", sets=LEVEL_SETS, prompts=f"{LEVEL_PROMPTS:,}")
    if settings.loops == 1:
        return text
    step, risk = best_descent(settings)
    return f"{text} {page.words('Constructed GD', step=f'{step:.3g}', risk=f'{risk:.3g}')}"


def work_of(job: Job[Any]) -> TrainWork:
    """The work of a job of this page."""
    assert isinstance(job.work, TrainWork)
    return job.work


def asked_of(job: Job[Any]) -> TrainSettings:
    """The settings of a job's run."""
    return work_of(job).settings


def begin_row(settings: TrainSettings, job: Job[Any] | None) -> TrainSettings:
    """Draw the buttons with the progress, and say whose numbers are on screen; give the settings of that run."""
    kept, time = stored(settings)[0].settings, duration(estimate(settings).seconds)
    with st.container(horizontal=True, vertical_alignment="center"):
        jobs.buttons(JOB, lambda: TrainWork(settings), asks=not guessed(controls), waits=controls.to_guess,
                     began=partial(look, controls.page))  # fmt: skip
        if controls.to_guess:  # what was trained before is not on screen
            job = None
        asked = kept if job is None else asked_of(job)
        differ = plain(differences(asked, settings))
        if job is None and settings != kept:
            st.info(
                f"**These numbers belong to another run**, the stored one: {in_words(kept)}. Press Train for the "
                f"settings on the left: about {time} on one core, with the evaluation."
            )
        elif job is not None and differ:
            st.info(
                f"**These numbers belong to another run** than the settings on the left: {differ}. "
                f"{OTHER_RUN[job.state]}"
            )
        elif job is None:
            where = ", before its first step" if controls.to_guess else ""
            st.caption(f"On screen is the stored run of exactly these settings{where}. Training and evaluation take "
                       f"about {time} on one core.")  # fmt: skip
        jobs.watch(JOB, progress_line)
    return asked


def draw(settings: TrainSettings) -> Iterator[None]:
    """Draw everything below the lesson; yield when the main picture stands."""
    kept, provenance = stored(settings)
    job = None if controls.to_guess else jobs.current(JOB)
    with page.picture:
        asked = begin_row(settings, job)
        jobs.watch(JOB, main_picture, every=CHARTS_EVERY, quiet=True)
    if held_back(controls, settings, page.top_line) or page.embedded:
        return
    yield
    if not controls.to_guess:
        jobs.watch(JOB, evaluated, every=CHARTS_EVERY, quiet=True)
    run: TrainResult = kept if job is None else job.snapshot
    differs = asked != settings
    with page.top_line:
        note = "Link and files belong to the run on screen, not to the settings on the left." if differs else ""
        share(controls, asked, lambda: export.of(run), note)
    if not controls.to_guess:
        page.notice(plain(sentence) for sentence in [*notice(run.settings), *run.noticed()])
        statistic = st.session_state.get("statistic", "median")
        page.tables("Data behind the charts", lambda: figures.pictures(run, statistic))
    page.assumptions()
    made_by(provenance)


page: Page[TrainSettings] = Page("train", __file__, uploads=True)
controls = page.controls
page.show(sidebar, draw, TrainSettings.measured)
