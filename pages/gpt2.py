"""Page 5: the same in a real GPT-2, with and without its MLP sub-layers."""

from collections.abc import Iterator, Mapping
from functools import partial

import streamlit as st

from looped import export
from looped.chart import Picture
from looped.experiments.gpt2 import words
from looped.experiments.gpt2.charts import curves_chart
from looped.experiments.gpt2.cost import check, estimate
from looped.experiments.gpt2.curves import Curve, command, named, stored
from looped.experiments.gpt2.result import GPT2Result, GPT2Training
from looped.experiments.gpt2.settings import PAPER, GPT2Settings, Variant
from looped.experiments.gpt2.training import Progress, missing
from looped.experiments.gpt2.words import same_task
from looped.numerals import with_error
from looped_ui import jobs, risks
from looped_ui.frame import Page
from looped_ui.lesson import guessed, look
from looped_ui.live import figure
from looped_ui.parts import bullets, data_table, duration, numbers_strip, plain, show_number
from looped_ui.share import held_back, share
from looped_ui.work import Job

JOB = "gpt2"
VARIANTS: tuple[Variant, ...] = (True, False, "wider")
BELOW, BELOW_IN_FRAME = 150, 170  # pixels of the window below the chart, for what came out and what lines and bands are
ASKING = 110  # the same while the question is to stand there


def sidebar() -> None:
    """Draw the controls."""
    with st.sidebar:
        for name in ("signal", "examples", "features", "noise"):
            controls.number(name)
        with controls.group("GPT-2", "layers", "heads", "width"):
            for name in ("layers", "heads", "width"):
                controls.number(name)
        with controls.group("Training", "steps", "batch", "learning_rate", "decay", "seed"):
            for name in ("steps", "batch", "learning_rate"):
                controls.number(name)
            controls.switch("decay")
            controls.seed()
        controls.reset_button()


def in_words(settings: GPT2Settings) -> str:
    """Size and task of a training."""
    return (
        f"β\\* = {settings.signal:g}·(1, …, 1), d = {settings.features}, M = {settings.examples}, "
        f"σ = {settings.noise:g}; "
        f"{settings.layers} layers, {settings.heads} heads, width {settings.width}; {settings.batch} prompts per step, "
        f"{settings.steps:,} steps, Adam {settings.learning_rate:g}{' falling to 0' if settings.decay else ''}, seed "
        f"{settings.seed}"
    )


def numbers(curves: list[Curve]) -> None:
    """The final risks of the models that are trained here, or their last records."""
    with numbers_strip():
        for curve in curves:
            name = f"GPT-2 {named(curve.settings, curves[0].settings)}"
            if (risk := curve.risk) is not None:
                mean, error = with_error(risk.mean, risk.standard_error)
                show_number(name, mean, f"± {error}, {risk.draws:,} fresh prompts", page.words("Final error"))
            elif curve.history:
                below = f"step {curve.steps:,} of {curve.settings.steps:,}, last record"
                show_number(name, f"{curve.history[-1].loss:.3g}", below, page.words("Last record"))


def train_here(settings: GPT2Settings) -> None:
    """Train the models here and now."""
    st.subheader("Train them here")
    if why := missing():
        st.info(plain(why) + " The stored curves do not need it.")
        return

    def begin() -> GPT2Training:
        check(settings, VARIANTS)
        return GPT2Training(settings, VARIANTS)

    jobs.buttons(JOB, begin, asks=not guessed(controls), waits=controls.to_guess, began=partial(look, controls.page))
    st.caption(
        f"With MLP, without, and without at about as many weights ({named(settings.variant('wider'), settings)}), in "
        f"turn on the same prompts: about {duration(estimate(settings, VARIANTS).seconds)} on one core."
    )

    def show(job: Job[list[Progress]] | None) -> None:
        work = job.work if job is not None and isinstance(job.work, GPT2Training) else None
        if job is None or work is None:
            figure(picture([], same_task(settings)), "live")
            return
        if same_task(work.settings) != same_task(settings):
            st.caption(f"This training has other settings: {in_words(work.settings)}. Train starts over.")
        if job.active and not job.records:
            st.caption("Loading transformers and making the models …")
        figure(picture(job.snapshot, same_task(work.settings)), "live")
        numbers(job.snapshot)

    jobs.watch(JOB, show)


def picture(curves: list[Curve], settings: GPT2Settings, revealed: bool = True) -> Picture:
    """The curves with the levels of their task; their start alone while the rest is to be guessed."""
    return curves_chart(curves, settings, risks.known(settings.of_task), revealed)


def choose(groups: Mapping[str, words.Group]) -> None:
    """Set the controls to the stored training that was chosen, so that the link carries it."""
    if (group := groups.get(st.session_state["stored"])) is not None:  # a message may hold anything
        controls.set({name: getattr(group.settings, name) for name in controls.fields if name != "mlp"})


def kept(group: words.Group, asked: GPT2Settings) -> None:
    """Draw the stored trainings of a setting, over all of its seeds; to one who is to guess those asked about alone."""
    models = group.models[:2] if controls.to_guess else group.models
    curves = [curve for model in models for curve in model]
    drawn = picture(curves, group.settings, revealed=not controls.to_guess)
    below = ASKING if controls.to_guess else BELOW_IN_FRAME if page.embedded else BELOW
    figure(drawn, "kept", heights=(230, 420), below=below)
    if not controls.to_guess:
        page.outcome(f"{words.headline(group)} {page.words('Measured')}")
    other = "" if group.settings == same_task(asked).replace(seed=0) else "**Other settings than on the left.** "
    seeds = ", ".join(map(str, group.seeds))
    drawn_how = "" if controls.to_guess else page.words("Stored curves", seeds=seeds) + words.hidden(drawn)
    if other or drawn_how:
        st.caption(other + drawn_how)


def beside(group: words.Group, all_groups: list[words.Group]) -> None:
    """Draw every number behind the headline, and what came out at the other settings."""
    st.markdown(words.leads(group))
    st.markdown(words.models_table(group))
    st.caption(f"{in_words(group.settings).rpartition(',')[0]}. {page.words('Models')}")
    st.markdown("##### At other settings")
    st.markdown(words.table(all_groups))
    with st.expander("How each curve was made"):
        st.markdown(bullets(words.made_by(curve) for curve in group.curves))
    with page.data("Data behind the stored curves") as opened:
        if opened:
            data_table(picture(group.curves, group.settings).table, "Loss by step")


def draw(settings: GPT2Settings) -> Iterator[None]:
    """Draw everything to the right of the controls; yield when the main picture stands."""
    if held_back(controls, settings, page.top_line):
        return
    found = words.groups(stored())
    wanted = same_task(settings)
    nearest = min(found, key=lambda group: (group.settings != wanted.replace(seed=0), group.settings.signal !=
                  wanted.signal, group.settings.learning_rate != wanted.learning_rate))  # fmt: skip
    with page.picture:
        kept(nearest, settings)
    if page.embedded:
        return
    yield
    named_groups = {words.label(group.settings): group for group in found}
    st.session_state["stored"] = words.label(nearest.settings)
    st.selectbox("Stored training", named_groups, key="stored", label_visibility="collapsed", on_change=choose,
                 args=(named_groups,))  # fmt: skip
    asked = [GPT2Settings(**lesson.settings) for lesson in page.lessons]
    told = [group for group in found if group is nearest or group.settings not in asked]  # no lesson's answer
    if not controls.to_guess:
        beside(nearest, told)
    train_here(settings)
    job = jobs.current(JOB)
    work = job.work if job is not None and job.state == "finished" else None
    with page.top_line:
        if isinstance(work, GPT2Training) and same_task(work.settings) == same_task(settings):
            share(controls, settings, lambda: export.of(GPT2Result(work.settings, work.trainers, work.variants)))
        else:
            share(controls, settings, None, "Files come with a finished training of these settings: press Train.")
    if not controls.to_guess:
        page.notice(words.notice(curve for group in told for curve in group.curves))
    page.assumptions(paper=command(GPT2Settings(**PAPER)))


page: Page[GPT2Settings] = Page("gpt2", __file__)
controls = page.controls
page.show(sidebar, draw, without=("mlp",))
