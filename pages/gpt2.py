"""Page 5: the same in a real GPT-2, with and without its MLP sub-layers."""

import streamlit as st

from looped import export
from looped.experiments.gpt2 import words
from looped.experiments.gpt2.charts import curves_chart
from looped.experiments.gpt2.cost import check, estimate
from looped.experiments.gpt2.curves import NAMES, Curve, command, stored
from looped.experiments.gpt2.result import GPT2Result, GPT2Training
from looped.experiments.gpt2.settings import PAPER, GPT2Settings
from looped.experiments.gpt2.training import Progress, missing
from looped.experiments.gpt2.words import same_task
from looped_ui import jobs, risks
from looped_ui.frame import Page
from looped_ui.live import figure
from looped_ui.parts import data_table, plain, show_number
from looped_ui.share import held_back, share

JOB = "gpt2"


def sidebar() -> None:
    """Draw the controls."""
    with st.sidebar:
        for name in ("signal", "examples", "features", "noise"):
            controls.number(name)
        with st.expander("GPT-2"):
            for name in ("layers", "heads", "width"):
                controls.number(name)
        with st.expander("Training"):
            for name in ("steps", "batch", "learning_rate"):
                controls.number(name)
            controls.switch("decay")
            controls.seed()
        st.button("Reset to defaults", on_click=controls.reset)


def in_words(settings: GPT2Settings) -> str:
    """Size and task of a training."""
    return (
        f"β\\* = {settings.signal:g}·(1, …, 1), d = {settings.features}, M = {settings.examples}, "
        f"σ = {settings.noise:g}; "
        f"{settings.layers} layers, {settings.heads} heads, width {settings.width}; {settings.batch} prompts per step, "
        f"{settings.steps:,} steps, Adam {settings.learning_rate:g}{' falling to 0' if settings.decay else ''}, seed "
        f"{settings.seed}"
    )


def chart(curves: list[Curve], settings: GPT2Settings, key: str) -> None:
    """The curves with the levels of their task, and their final risks."""
    figure(curves_chart(curves, settings, risks.gpt2_levels(settings)), key)
    with st.container(horizontal=True):
        for curve in curves:
            if curve.risk is not None:
                show_number(f"GPT-2 {NAMES[curve.settings.mlp]}", f"{curve.risk.mean:.3g}",
                            f"± {curve.risk.standard_error:.1g}, {curve.risk.draws:,} fresh prompts",
                            "Squared error after the last step, on prompts that both models share and neither has "
                            "seen.", width=235)  # fmt: skip
            elif curve.history:
                show_number(f"GPT-2 {NAMES[curve.settings.mlp]}", f"{curve.history[-1].loss:.3g}",
                            f"step {curve.steps:,} of {curve.settings.steps:,}, last record",
                            "Squared error on the prompts of the steps since the record before; all are fresh.",
                            width=235)  # fmt: skip


def live(settings: GPT2Settings) -> None:
    """Train both models here and now."""
    st.subheader("Train both here")
    if why := missing():
        st.info(plain(why) + " The stored curves do not need it.")
        return

    def begin() -> GPT2Training:
        check(settings)
        return GPT2Training(settings)

    jobs.buttons(JOB, begin)
    cost = estimate(settings).seconds
    st.caption(
        f"Both models in turn, on the same prompts: about {cost:.0f} s on one core."
        if cost < 90
        else f"Both models in turn, on the same prompts: about {cost / 60:.1f} minutes on one core."
    )

    def show(job: jobs.Job[list[Progress]] | None) -> None:
        work = job.work if job is not None and isinstance(job.work, GPT2Training) else None
        if job is None or work is None:
            chart([], same_task(settings), "live")
            return
        if same_task(work.settings) != same_task(settings):
            st.caption(f"This training has other settings: {in_words(work.settings)}. Train starts over.")
        if job.active and not job.records:
            st.caption("Loading transformers and making the models …")
        chart(job.snapshot, same_task(work.settings), "live")

    jobs.watch(JOB, show)


def kept() -> None:
    """Draw the curves that come with the program, labelled as stored."""
    everything = stored()
    pairs = words.pairs(everything)
    st.subheader("Stored curves")
    if not pairs:
        st.info("No curve is stored.")
        return
    labels = {f"{words.label(settings)}, seed {settings.seed}": settings for settings in pairs}
    wanted = same_task(chosen)
    nearest = min(labels.values(), key=lambda s: (s != wanted, s.replace(seed=wanted.seed) != wanted,
                  s.signal != wanted.signal, s.learning_rate != wanted.learning_rate, s.seed))  # fmt: skip
    name = st.selectbox(
        "Stored training", list(labels), list(labels.values()).index(nearest), label_visibility="collapsed"
    )
    curves = pairs[labels[name]]
    chart(curves, labels[name], "kept")
    if (group := words.group_of(labels[name], everything)) is not None:
        st.caption(words.seeds_sentence(group))
    st.caption(in_words(labels[name]) + ".")
    for curve in curves:
        unfinished = "" if curve.finished else f"**stopped at step {curve.steps:,} of {curve.settings.steps:,}**, "
        st.caption(
            f"{NAMES[curve.settings.mlp]}: {unfinished}{curve.seconds:,.0f} s on {curve.device}, {curve.date}, "
            f"{', '.join(f'{package} {version}' for package, version in curve.versions.items())}, "
            f"`{command(curve.settings)}`"
        )
    with st.expander("All stored trainings"):
        st.markdown(words.table(everything))
    with page.data("Data behind the stored curves") as opened:
        if opened:
            data_table(curves_chart(curves, labels[name], risks.gpt2_levels(labels[name])).table, "Loss by step")


def draw(settings: GPT2Settings) -> None:
    """Draw everything to the right of the controls."""
    if held_back(controls, settings, page.top_line):
        return
    kept()
    live(settings)
    job = jobs.current(JOB)
    work = job.work if job is not None and job.state == "finished" else None
    with page.top_line:
        if isinstance(work, GPT2Training) and same_task(work.settings) == same_task(settings):
            share(controls, settings, lambda: export.of(GPT2Result(work.settings, work.trainers)))
        else:
            share(controls, settings, None, "Files come with a finished training of these settings: press Train.")
    page.notice(words.notice(stored()))
    page.assumptions(paper=command(GPT2Settings(**PAPER)))


page: Page[GPT2Settings] = Page("gpt2", __file__)
controls = page.controls
sidebar()
chosen = page.begin(
    "A real GPT-2 is trained on tasks that share a signal, once with its MLP sub-layers and once built without them, "
    "on the same prompts for the same number of steps.",
    without=("mlp",),
)
draw(chosen)
