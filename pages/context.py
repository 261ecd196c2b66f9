"""Page 2: how many examples T loops need, measured, next to two requirements."""

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from looped import export, theory
from looped.chart import Picture
from looped.experiments.context import ContextResult, ContextSettings, Progress, Sweep, check, estimate, words
from looped.experiments.context.charts import CHARTS
from looped.experiments.context.settings import MAX_LEARNED_FEATURES
from looped.experiments.context.stored import answers, stored
from looped.fields import SettingsError
from looped_ui import backend, jobs
from looped_ui.frame import Page
from looped_ui.live import figure, live
from looped_ui.parts import data_table, made_by, plain, show_number, typeset
from looped_ui.share import held_back, share

JOB = "context"
MAIN = next(iter(CHARTS))
BELOW = 16  # pixels of the window that stay free below the first charts
AT_ONCE_SECONDS = 1.0  # a sweep estimated below this runs when a setting changes; above, a button says what it costs
NOT_CORRELATED = "Only correlated rows have a covariance to choose. Choose them above to use it."


def sidebar() -> None:
    """Draw the controls."""
    keep_t_within_t_max()
    with st.sidebar:
        controls.number("shown_loops")
        controls.number("target_error")
        controls.number("features")
        with st.expander("Rows", expanded=True):
            controls.choice("rows")
            correlated = controls.value("rows") == "correlated"
            controls.number("row_condition_number", unused="" if correlated else NOT_CORRELATED)
            controls.seed()
        with st.expander("Grid"):
            controls.text("ratios")
            controls.number("loops")
            controls.number("prompts")
        with st.expander("Step size"):
            controls.step_size()
        with st.expander("Learned weights"):
            controls.switch("learned")
            controls.text("learned_ratios")
            controls.text("learned_loops")
        st.button("Reset to defaults", on_click=controls.reset)


def keep_t_within_t_max() -> None:
    """Put T back to T max before it is drawn, and say so beside the other values that could not be used."""
    asked, most = (round(controls.value(name)) for name in ("shown_loops", "loops"))
    if asked > most:
        controls.replace(
            "shown_loops",
            most,
            f"T = {asked} is beyond T max = {most}. Using {most}; for more, raise T max first.",
        )


def find(settings: ContextSettings) -> ContextResult | None:
    """The sweep of these settings, if it is stored, has been run for this visitor or takes no time."""
    if (result := answers(settings)) is not None:
        return result
    job = jobs.current(JOB)
    if job is not None and job.snapshot is not None and job.snapshot.settings.computed == settings.computed:
        return job.snapshot.looking_at(settings)
    if estimate(settings).seconds <= AT_ONCE_SECONDS:
        return backend.sweep(settings.computed).looking_at(settings)
    return None


def in_place_of(settings: ContextSettings) -> ContextResult:
    """The result shown until a sweep is run: its construction alone if that takes no time, else the stored one."""
    if settings.learned and (result := find(settings.replace(learned=False))) is not None:
        st.warning("Until then the charts show the construction alone, without learned weights.")
        return result
    st.warning("Until then the charts show the stored default: d = 10, normal rows, 64 prompts, T up to 200.")
    default = stored()[0]
    look = default.settings.replace(shown_loops=settings.shown_loops, target_error=settings.target_error)
    return default.looking_at(look)


def work(settings: ContextSettings) -> None:
    """Draw the cost of a sweep that takes longer, with its buttons and its progress."""
    st.info(
        f"This sweep takes about {duration(estimate(settings).seconds)} on one core. It can be stopped at any time."
    )
    computed = settings.computed
    jobs.buttons(JOB, lambda: Sweep(computed), label="Compute")

    def progress(job: jobs.Job[Progress] | None) -> None:
        if job is None:
            return
        own = isinstance(job.work, Sweep) and job.work.settings == computed
        other = "" if own else " This sweep has other settings: Compute starts one with these."
        last = job.records[-1] if job.records else None
        share = 0.0 if last is None else last.share
        doing = "begins" if last is None else last.doing
        pace = job.seconds / share if share > 0.05 else job.work.seconds if isinstance(job.work, Sweep) else 0.0
        left = f", about {duration(pace * (1 - share))} left" if job.state == "running" else ""
        st.progress(share, f"{job.state}: {doing}{left}.{other}")

    jobs.watch(JOB, progress)


def duration(seconds: float) -> str:
    """Seconds in words."""
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} minutes"


def numbers(result: ContextResult) -> None:
    """The answer in a strip: measured need, learned need, requirement, κ and bound."""
    settings, T, target = result.settings, result.settings.shown, result.settings.target_error
    constructed = result.needed_ratio(target)
    with st.container(horizontal=True):
        most = words.ratio_text(result.needed_ratio(target, 2)[T], result.ratio[0])
        show_number(
            f"n/d for T = {T}",
            words.ratio_text(constructed[T], result.ratio[0]),
            f"construction, {settings.prompts} prompts"
            + (f"; 9 of 10 of them: {most}" if settings.prompts >= words.TENTHS else ""),
            f"Smallest n/d from which on the median error after T loops is at most {target:g}, measured on the same "
            "number of prompts for each n and interpolated between the measured n/d on logarithmic axes.",
        )
        if (grid := result.learned) is not None:
            place = grid.nearest(T)
            trained = int(grid.loops[place])
            beside = ""
            if trained <= settings.loops:
                beside = f"; construction there: {words.ratio_text(constructed[trained], result.ratio[0])}"
            show_number(
                f"n/d, learned, T = {trained}",
                words.ratio_text(result.learned_needed_ratio(target)[place], result.learned_ratio[0]),
                f"A trained at the nearest T of its grid{beside}",
                "The same for the trained preconditioner A: prompts of the same seed, the same error, the same "
                "median. One A serves all prompts; the construction's step is the one chosen under *Step size*.",
            )
        show_number(
            "exponential n",
            words.decades(theory.exponential_requirement(T, settings.features)),
            f"64 T²d⁴8⁴ᵀ at T = {T}",
            "Derived here from a theorem about weights that minimise the loss over normal rows (Gatmiry et al.): "
            "enough in theory for 0 ⪯ A ⪯ 2Σ⁻¹. It is not about the construction.",
        )
        place = result.nearest(4)
        show_number(
            f"κ at n = {result.ratio[place]:.3g} d",
            f"{result.median_kappa[place]:.3g}",
            words.edge_words(result, place),
            "Median condition number of XᵀX/n, on its non-zero eigenvalues. Marchenko and Pastur's formula is for "
            "independent rows in the limit of large d.",
        )
        if (largest := result.largest_of_bound) is not None:
            show_number(
                "error / bound",
                f"{largest:.3g}",
                "largest ratio found; the bound holds where it is at most 1",
                "The error after T loops over its bound $e^{-T/(2κ)}$, with each prompt's own measured κ. This is the "
                "largest such ratio over all prompts and all T from 1 on, at every n/d where all prompts determine "
                "w\\*, and where the bound is above 1e-12.",
                passed=largest <= 1,
            )


def pictures(result: ContextResult) -> list[tuple[str, Picture]]:
    """All charts by heading, each drawn again only if something it reads has changed."""
    settings, drawn = result.settings, []
    for heading, (_, reads) in CHARTS.items():
        unread = {name: controls.defaults[name] for name in ("shown_loops", "target_error") if name not in reads}
        picture = backend.sweep_chart(heading, settings.replace(**unread), result)
        if picture is not None:
            drawn.append((heading, picture))
    return drawn


def following(result: ContextResult) -> Callable[[Mapping[str, Any]], Picture]:
    """The first chart of a result with some settings changed, where that takes no time; else as it is."""

    def picture(changes: Mapping[str, Any]) -> Picture:
        settings = result.settings.replace(**changes)
        found = (find(settings) if changes else None) or result
        drawn = backend.sweep_chart(MAIN, found.settings, found)
        assert drawn is not None
        return drawn

    return picture


def draw(settings: ContextSettings) -> None:
    """Draw everything to the right of the controls."""
    try:
        check(settings)
    except SettingsError as error:
        st.error(plain(str(error)))
        return
    if held_back(controls, settings, page.top_line):
        return
    result = find(settings)
    if result is None:
        work(settings)
        result = in_place_of(settings)
    else:
        with page.top_line:
            again = f"The Python script trains A again, about {duration(estimate(result.settings).seconds)}."
            share(controls, settings, lambda: export.of(result), again if result.learned else "")
    charts = pictures(result)
    with page.picture:
        for column, (heading, picture) in zip(st.columns(2), charts[:2], strict=True):
            with column:
                st.markdown(f"**{heading}**")
                if heading == MAIN:
                    live(f"chart0{MAIN}", following(result), controls.sliders, heights=(240, 400), below=BELOW)
                else:
                    figure(picture, f"chart0{heading}")
    numbers(result)
    for note in words.notes(result):
        st.caption(typeset(note))
    for place in range(2, len(charts), 2):
        for column, (heading, picture) in zip(st.columns(2), charts[place : place + 2], strict=False):
            with column:
                st.subheader(heading)
                figure(picture, f"chart{place}{heading}")
        if place == 2:
            st.markdown(words.CLAIMS)
            if (learned := words.learned_note(result)) is not None:
                st.caption(typeset(learned))
    page.notice(words.notice(result))
    with page.data("Data behind the charts") as opened:
        if opened:
            heading = st.selectbox("Chart", [heading for heading, _ in charts])
            data_table(dict(charts)[heading].table, heading)
    page.assumptions(largest_trained_d=MAX_LEARNED_FEATURES)
    made_by(stored()[1])


page: Page[ContextSettings] = Page("context", __file__)
controls = page.controls
sidebar()
chosen = page.begin(
    "T loops of a looped transformer are T steps of gradient descent, and κ of the examples bounds their error. For "
    "independent normal rows κ depends, as d grows, on n/d alone: n = O(d) examples are enough."
)
draw(chosen)
