"""Page 4: what the MLP adds where tasks share a signal. LSA, LTB and one step of gradient descent."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import streamlit as st
from torch import Tensor

from looped import export
from looped.chart import Picture
from looped.experiments.signal import charts as figures
from looped.experiments.signal.cloud import cloud
from looped.experiments.signal.files import TASKS
from looped.experiments.signal.result import Over, SignalResult, SignalTraining, Sweep
from looped.experiments.signal.settings import SignalSettings
from looped.experiments.signal.stored import StoredRun, stored_run
from looped.experiments.signal.stored import stored as stored_runs
from looped.fields import SettingsError
from looped.numerals import with_error
from looped.shared_signal import SignalTask, outside_range
from looped.shared_signal.levels import Levels
from looped.shared_signal.tasks import ROUNDING_RULE, read_covariance
from looped.shared_signal.training import Kind, Progress
from looped_ui import jobs, risks
from looped_ui.fill import soon
from looped_ui.frame import Page
from looped_ui.lesson import guessed, look
from looped_ui.live import figure, live_row
from looped_ui.parts import made_by, numbers_strip, show_number
from looped_ui.refused import log_refused
from looped_ui.risks import Matrices
from looped_ui.share import held_back, share
from looped_ui.work import Job

JOB = "signal"
HEIGHTS, BELOW = (300, 420), 90  # pixels of the first charts, and those of the window that stay free below them
ASKING = (200, 420), 120  # the same while the question is to stand there as well
FIRST = ("cloud", "training")  # charts that the page opens with, by name; a lesson may name others
RISKS = "Smallest risks"
TRAINING = "Risk while training"
AGAINST: dict[str, Over] = {"s": "signal", "M": "examples", "σ": "noise"}
# By name of its setting: the letter of each covariance, and of what it is one.
COVARIANCES = {"H": ("H", "features"), "Psi": ("Ψ", "tasks around β*")}
FILE_RULES = (
    "A .npy file from numpy.save: a symmetric positive semi-definite d × d matrix; its rank may be below d. "
    f"{ROUNDING_RULE}"
)


def uploads() -> tuple[Matrices, list[str]]:
    """H and Ψ where files are chosen, and a sentence for each file that cannot be used."""
    usable: dict[str, Tensor | None] = dict.fromkeys(COVARIANCES)
    unusable = []
    for name in COVARIANCES:
        file = st.session_state.get(f"upload_{name}")
        if file is None or not controls.takes_files:
            continue
        try:
            usable[name] = read_covariance(file, file.name, name, controls.read()[0].features)
        except SettingsError as error:
            log_refused("upload", name, f"{file.size} bytes")
            unusable.append(f"{error} The file is not used.")
    return (usable["H"], usable["Psi"]), unusable


def sidebar() -> None:
    """Draw the controls."""
    with st.sidebar:
        for name in ("signal", "examples", "features", "noise"):
            controls.number(name)
        with controls.group("Covariances H and Ψ", *(f"{name}_condition" for name in COVARIANCES), uploads=True):
            for (name, (label, what)), matrix in zip(COVARIANCES.items(), matrices, strict=True):
                replaced = f"The file takes the place of the κ of {label}. Remove the file to set κ."
                controls.number(f"{name}_condition", unused="" if matrix is None else replaced)
                if controls.takes_files:
                    st.file_uploader(
                        f"{label} from a file", "npy", key=f"upload_{name}",
                        help=f"Covariance of the {what}. {FILE_RULES}",
                    )  # fmt: skip
        with controls.group("Training", "steps", "batch", "learning_rate", "model", "seed"):
            for name in ("steps", "batch", "learning_rate"):
                controls.number(name)
            controls.choice("model")
            controls.seed()
        controls.reset_button()


def numbers(task: SignalTask, best: Levels) -> None:
    """The smallest risks and the gap in a strip."""
    written, bayes = best.written, best.bayes
    with numbers_strip():
        show_number("LTB, with MLP", written["gd"], "smallest risk = best GD-β, closed form", page.words("LTB"))
        below = f"smallest found; proved to be at least {written['lsa_bound']}"
        show_number("LSA, no MLP", written["lsa"], below, page.words("LSA", starts=best.lsa.starts))
        show_number("gap", written["gap"], f"at least {written['bound']} by the bound",
                    page.words("Gap", first=f"{best.bounds.first:.4g}"),
                    passed=best.gap >= best.bounds.valid * (1 - 1e-9) - 1e-9 * best.gd.risk)  # fmt: skip
        show_number("GD-0", written["gd0"], "one step from 0, closed form", page.words("GD-0"))
        mean, below = written["bayes"], "exact"
        if bayes.standard_error:
            mean, error = with_error(bayes.mean, bayes.standard_error)
            below = f"± {error}, {bayes.draws:,} draws"
        show_number("Bayes", mean, below, page.words("Bayes"))
        if not float(task.beta_star.norm()):
            show_number("β\\* = 0", "no gap", "nothing is shared", "Without a shared signal an MLP adds nothing here.")


def notes(task: SignalTask) -> list[str]:
    """Sentences that a reader needs for these numbers."""
    lines = [f"**Rank.** {note}" for note in task.notes]
    if task.rank_S < 2:
        lines.append(page.words("Rank below 2"))
    if task.sigma == 0 and task.features <= task.examples:
        lines.append(page.words("Bayes is 0"))
    return lines


def asked_against() -> str:
    """What the smallest risks are drawn against first: what the lesson sets."""
    lesson = page.lesson
    return next((sign for sign, over in AGAINST.items() if lesson and over in lesson.settings), "s")


def smallest_risks(settings: SignalSettings, sign: str, matrices: Matrices, identity: str, best: Levels) -> Sweep:
    """The smallest risks against one setting; among many visitors first those at the settings alone."""
    found = soon(risks.sweep, settings.of_task, AGAINST[sign], identity, matrices)
    if found is None:
        st.caption("These are the risks at the settings. The lines follow when fewer people move a slider.")
    return Sweep.at(settings, AGAINST[sign], best) if found is None else found.holding(settings, best)


def first_screen(settings: SignalSettings, matrices: Matrices, identity: str, best: Levels) -> None:
    """The charts of the lesson, and what came out; while its question waits, the one that it is about."""
    own, waits = _training(settings, settings.task(*matrices)), controls.to_guess
    row = st.container()

    def at(changes: Mapping[str, Any]) -> tuple[SignalSettings, Levels]:
        new = settings.replace(**changes)
        return new, risks.levels(new.of_task, identity, matrices) if changes else best

    def cloud_picture(changes: Mapping[str, Any]) -> Picture:
        new, levels = at(changes)
        return figures.cloud_chart(cloud(new.task(*matrices), levels, new.seed), estimates=not waits)

    def training_picture(changes: Mapping[str, Any]) -> Picture:
        new, levels = at(changes)
        if waits:
            return figures.beginning_chart(stored(settings, identity), settings.steps)
        history = {} if changes or own is None else own.history
        return figures.training_chart(history, levels, new.steps, stored(new, identity))

    def risk_picture(_: Mapping[str, Any]) -> Picture:
        until = float(controls.defaults[sweep.over])
        return figures.risk_chart(sweep, getattr(settings, sweep.over), until if waits else None)

    drawn = {"cloud": ("Tasks" if waits else TASKS, cloud_picture), "training": (TRAINING, training_picture),
             "risks": (RISKS, risk_picture)}  # fmt: skip
    charts = {name: drawn[name] for name in page.first(FIRST)}
    if "risks" in charts:
        sweep = smallest_risks(settings, asked_against(), matrices, identity, best)
    heights, below = ASKING if waits else (HEIGHTS, BELOW)
    job = jobs.current(JOB)
    with row:
        if job is not None and job.active and not waits:
            places = dict(zip(charts, st.columns(len(charts)), strict=True))
            del charts["training"]
            (other,) = charts
            with places[other]:
                live_row(charts, controls.sliders, heights=heights, below=below)
            with places["training"]:
                st.markdown(f"**{TRAINING}**" + (", of other settings" if own is None else ""))
                jobs.watch(JOB, lambda job: figure(_running(job, identity), "training"))
        else:
            live_row(charts, controls.sliders, heights=heights, below=below)
    # While a question waits, it comes first. On the right its help would lie on the buttons.
    buttons, words = (page.below, None) if waits else st.columns([1, 3])
    if words is not None:
        with words:
            page.outcome(figures.outcome(best, settings.task(*matrices)))
    with buttons:
        jobs.buttons(
            JOB,
            lambda: SignalTraining(settings, *matrices),
            asks=not guessed(controls),
            waits=waits,
            began=partial(look, controls.page),
        )
    if job is not None and job.failure:
        st.error(job.failure)


def levels_section(settings: SignalSettings, matrices: Matrices, identity: str, best: Levels) -> None:
    """Draw the smallest risks against s, M or σ: while a lesson is open one click away, since others ask about them."""
    panel = st.expander(RISKS, expanded=page.lesson is None, key="smallest", on_change="rerun")
    if panel.open:
        with panel:
            asked = asked_against()
            chosen = st.segmented_control("Against", list(AGAINST), default=asked, required=True, key="against",
                                          label_visibility="collapsed", bind="query-params")  # fmt: skip
            sweep = smallest_risks(settings, chosen or asked, matrices, identity, best)
            figure(figures.risk_chart(sweep, getattr(settings, sweep.over)), "levels")


def _running(job: Job[dict[str, Progress]] | None, identity: str) -> Picture:
    """A training while it runs, over the stored one."""
    assert job is not None
    work = job.work
    assert isinstance(work, SignalTraining)
    history: dict[Kind, list[Progress]] = {kind: [record[kind] for record in job.records] for kind in work.models}
    return figures.training_chart(history, work.levels, work.settings.steps, stored(work.settings, identity))


def stored(settings: SignalSettings, identity: str) -> dict[Kind, StoredRun]:
    """The stored run of each model that these settings train, where there is one."""
    run = None if identity else stored_run(settings)
    return {} if run is None else dict.fromkeys(settings.models, run)


def training_section(settings: SignalSettings, matrices: Matrices, identity: str, best: Levels) -> None:
    """Where the training stands, and the step that the block has learned."""
    st.subheader("What the block has learned")
    task = settings.task(*matrices)

    def show(job: Job[dict[str, Progress]] | None) -> None:
        work = job.work if job is not None and isinstance(job.work, SignalTraining) else None
        own = work is not None and work.settings == settings and _same(work.task, task)
        if work is not None and not own:
            st.caption("This training has other settings; these numbers are those of its own task. Train starts over.")
        shown, reach = (task, best) if work is None else (work.task, work.levels)
        if job is not None and work is not None and job.records:
            for kind, record in job.records[-1].items():
                st.caption(figures.where_training_stands(kind, record, work.settings.steps, reach))
        learned = job.snapshot if job else None
        if work is None and "ltb" in (kept := stored(settings, identity)):
            learned = kept["ltb"].learned
            st.caption("On screen is the stored run of exactly these settings. Press Train to see it happen.")
        elif work is None:
            st.caption("No training is stored at these settings, so β\\* and Γ\\*ᵀ stand here alone: Train makes one.")
        if work is None or "ltb" in work.models:
            left, right = st.columns(2)
            with left:
                st.markdown("**Learned start:** g beside β\\*")
                figure(figures.start_chart(learned, shown), "start")
            with right:
                st.markdown("**Learned step:** $r_{d+1}$·U₁₁ beside Γ\\*ᵀ")
                figure(figures.matrix_chart(learned, reach.gd), "matrix")

    jobs.watch(JOB, show, quiet=True)


def _same(one: SignalTask, other: SignalTask) -> bool:
    return bool((one.H == other.H).all() and (one.Psi == other.Psi).all()) if one.H.shape == other.H.shape else False


def flow_section(settings: SignalSettings, matrices: Matrices, identity: str) -> None:
    """Gradient flow of GD-β, computed when opened."""
    panel = st.expander("Gradient flow reaches β*, and how fast", key="flow", on_change="rerun")
    if not panel.open:
        return
    with panel:
        flow = risks.flow(settings.of_task, identity, matrices)
        figure(figures.flow_chart(flow, settings.task(*matrices)), "flow_chart")
        outside = outside_range(settings.task(*matrices), flow.beta[0])
        applies = page.words("Outside the range", share=f"{outside:.2g}") if outside else "Here it is."
        st.caption(f"{page.words('Flow')} {applies}")


def bound_section() -> None:
    """Draw the case in which the published bound fails."""
    panel = st.expander("A published bound that fails", key="bound", on_change="rerun")
    if not panel.open:
        return
    with panel:
        task, best = risks.failing_bound()
        bounds, written = best.bounds, best.written
        st.markdown(page.words(
            "Failing bound", d=task.features, M=task.examples, claimed=f"{bounds.paper_second:.2f}", gap=written["gap"],
            lsa=written["lsa"], gd=written["gd"], valid=f"{bounds.valid:.2f}",
        ))  # fmt: skip


def draw(settings: SignalSettings) -> Iterator[None]:
    """Draw everything to the right of the controls; yield when the first charts stand."""
    task = settings.task(*matrices)
    identity = risks.digest(*matrices)
    controls.to_guess &= not identity or not guessed(controls)  # no lesson is about the visitor's own matrices
    trained = _training(settings, task)
    best = trained.levels if trained is not None else risks.levels(settings.of_task, identity, matrices)

    def cloud_chart() -> Picture:
        return figures.cloud_chart(cloud(task, best, settings.seed))

    def risk_chart() -> Picture:
        sign = st.session_state.get("against") or asked_against()
        sweep = smallest_risks(settings, sign, matrices, identity, best)
        return figures.risk_chart(sweep, getattr(settings, sweep.over))

    with page.picture:
        first_screen(settings, matrices, identity, best)
    if held_back(controls, settings, page.top_line) or page.embedded:
        return
    yield
    if controls.to_guess:  # then the lesson says against what
        st.session_state.pop("against", None)
    else:
        numbers(task, best)
        for note in notes(task):
            st.caption(note)
        levels_section(settings, matrices, identity, best)
        if "cloud" not in page.first(FIRST):
            st.subheader(TASKS)
            figure(cloud_chart(), "cloud")
        training_section(settings, matrices, identity, best)
    with page.top_line:
        note = "The link does not carry your matrices; the Python script does. " if identity else ""
        job = jobs.current(JOB)
        if trained is None or job is None or job.state != "finished":
            share(
                controls, settings, None, f"{note}Files come with a finished training of these settings: press Train."
            )
        else:
            share(controls, settings, lambda: export.of(SignalResult(settings, trained, *matrices)), note)
    if not controls.to_guess:
        flow_section(settings, matrices, identity)
        bound_section()
        page.notice()
        page.tables("Data behind the charts", lambda: {RISKS: risk_chart(), "Tasks and estimates": cloud_chart()})
    page.assumptions()
    made_by(stored_runs()[1], "stored trainings were")


def _training(settings: SignalSettings, task: SignalTask) -> SignalTraining | None:
    """The training of this visitor, if it has these settings and covariances; it may still run."""
    job = jobs.current(JOB)
    work = job.work if job is not None else None
    return work if isinstance(work, SignalTraining) and work.settings == settings and _same(work.task, task) else None


page: Page[SignalSettings] = Page("signal", __file__, uploads=True)
controls = page.controls
matrices, refused = uploads()
page.show(sidebar, draw, refused=refused)
