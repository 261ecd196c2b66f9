"""Page 2: how many examples T loops need, measured, next to two requirements."""

from collections.abc import Iterator, Mapping
from typing import Any

import streamlit as st

from looped import export, theory
from looped.chart import Picture
from looped.experiments.context import ContextResult, ContextSettings, Progress, Sweep, check, estimate, words
from looped.experiments.context.charts import CHARTS, condition_chart
from looped.experiments.context.guess import STOPS, asked_loops, guess_chart, needs
from looped.experiments.context.settings import MAX_LEARNED_FEATURES
from looped.experiments.context.stored import answers, stored
from looped.fields import Measured, SettingsError
from looped_ui import backend, jobs
from looped_ui.frame import Page
from looped_ui.guess import drawn as drawn_curve
from looped_ui.guess import guess, hide, made, reveal, shown, sliders
from looped_ui.lesson import answered, guessed
from looped_ui.live import figure, live_row
from looped_ui.parts import duration, made_by, numbers_strip, plain, show_number, typeset
from looped_ui.share import held_back, share
from looped_ui.work import Job

JOB = "context"
_, _, NEED, REQUIREMENTS, CONDITION, BOUND = CHARTS
HEIGHTS, BELOW = (270, 420), 134  # pixels of the first charts, and those of the window that stay free for the question
ASKING = (180, 420), 120  # the same while the question is to stand there as well
FIRST = ("need", "kappa")  # charts that the page opens with, by name; a lesson may name others
AT_ONCE_SECONDS = 1.0  # a sweep estimated below this runs when a setting changes; above, a button says what it costs
NOT_CORRELATED = "Only correlated features have a covariance to choose. Choose them above to use it."


def sidebar() -> None:
    """Draw the controls."""
    with st.sidebar:
        controls.number("shown_loops")
        controls.number("target_error")
        controls.number("features")
        with controls.group("Examples", "rows", "row_condition_number", "seed", expanded=True):
            controls.choice("rows")
            correlated = controls.value("rows") == "correlated"
            controls.number("row_condition_number", unused="" if correlated else NOT_CORRELATED)
            controls.seed()
        with controls.group("Grid", "ratios", "loops", "prompts"):
            controls.text("ratios")
            controls.number("loops")
            controls.number("prompts")
        with controls.group("Step size", "step_size"):
            controls.named("step_size")
        with controls.group("Learned weights", "learned", "learned_ratios", "learned_loops"):
            controls.switch("learned")
            controls.text("learned_ratios")
            controls.text("learned_loops")
        controls.reset_button()


def keep_t_within_t_max() -> None:
    """Put T back to T max before it is drawn, and say so beside the other values that could not be used."""
    asked, most = (round(controls.value(name)) for name in ("shown_loops", "loops"))
    if asked > most:
        controls.replace(
            "shown_loops",
            most,
            f"T = {asked} is beyond T max = {most}. Using {most}; for more, raise T max first.",
        )


def find(settings: ContextSettings, own: ContextResult | None = None) -> ContextResult | None:
    """The sweep of these settings, if it is stored, the visitor's `own` or takes no time."""
    if (result := answers(settings)) is not None:
        return result
    if own is not None and own.settings.computed == settings.computed:
        return own.looking_at(settings)
    if estimate(settings).seconds <= AT_ONCE_SECONDS:
        return backend.sweep(settings.computed).looking_at(settings)
    return None


def computed() -> ContextResult | None:
    """The sweep that has been run for this visitor, if any."""
    job = jobs.current(JOB)
    return None if job is None else job.snapshot


def in_place_of(settings: ContextSettings) -> ContextResult:
    """The result shown until a sweep is run: its construction alone if that takes no time, else the stored one."""
    if settings.learned and (result := find(settings.replace(learned=False), computed())) is not None:
        st.warning("Until then the charts show the construction alone, without learned weights.")
        return result
    st.warning("Until then the charts show the stored default: d = 10, normal features, 64 prompts, T up to 200.")
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

    def progress(job: Job[Progress] | None) -> None:
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


def numbers(result: ContextResult, revealed: bool) -> None:
    """The answer in a strip: measured need and learned need, once they are shown, requirement, κ and bound."""
    settings, T, target = result.settings, result.settings.shown, result.settings.target_error
    constructed = result.needed_ratio(target)
    with numbers_strip():
        if revealed:
            most = words.ratio_text(result.needed_ratio(target, 2)[T], result.ratio[0])
            show_number(
                f"n/d for T = {T}",
                words.ratio_text(constructed[T], result.ratio[0]),
                f"construction, {settings.prompts} prompts"
                + (f"; 9 of 10 of them: {most}" if settings.prompts >= words.TENTHS else ""),
                page.words("Need", target=f"{target:g}"),
            )
        if revealed and (grid := result.learned) is not None:
            place = grid.nearest(T)
            trained = int(grid.loops[place])
            beside = ""
            if trained <= settings.loops:
                beside = f"; construction there: {words.ratio_text(constructed[trained], result.ratio[0])}"
            show_number(
                f"n/d, learned, T = {trained}",
                words.ratio_text(result.learned_needed_ratio(target)[place], result.learned_ratio[0]),
                f"A trained at the nearest T of its grid{beside}",
                page.words("Learned need"),
            )
        show_number(
            "exponential n",
            words.decades(theory.exponential_requirement(T, settings.features)),
            f"64 T²d⁴8⁴ᵀ at T = {T}",
            page.words("Exponential n"),
        )
        place = result.nearest(4)
        show_number(
            f"κ at n = {result.ratio[place]:.3g} d",
            f"{result.median_kappa[place]:.3g}",
            words.edge_words(result, place),
            page.words("Median κ"),
        )
        if (largest := result.largest_of_bound) is not None:
            show_number(
                "error / bound",
                f"{largest:.3g}",
                "largest ratio found; the bound holds where it is at most 1",
                page.words("Error over bound"),
                passed=largest <= 1,
            )


def pictures(result: ContextResult) -> dict[str, Picture]:
    """Heading to picture of every chart that this result has."""
    drawn = {heading: chart(heading, result) for heading in CHARTS}
    return {heading: picture for heading, picture in drawn.items() if picture is not None}


def chart(heading: str, result: ContextResult) -> Picture | None:
    """One of the charts."""
    unread = {
        name: controls.defaults[name] for name in ("shown_loops", "target_error") if name not in CHARTS[heading][1]
    }
    return backend.sweep_chart(heading, result.settings.replace(**unread), result)


def known(settings: ContextSettings) -> ContextResult | None:
    """The sweep that the question of the lesson compares with."""
    lesson = page.lesson
    if lesson is None or lesson.known is None:
        return None
    return find(ContextSettings(**lesson.known).replace(target_error=settings.target_error))


def first_screen(settings: ContextSettings, result: ContextResult) -> None:
    """The guess, with the measured need and κ of the data once they are shown; what is known for the question before.

    Args:
        settings: Settings of the page.
        result: The sweep that is shown.
    """
    of, compare_with = result.settings, known(settings)
    lesson = page.lesson

    def last_loop(now: ContextSettings) -> int | None:
        """The largest T of the chart, where the lesson leaves the rest to another one's question; None for T max."""
        return lesson.until if lesson is not None and lesson.holds(now) else None

    until = last_loop(settings)
    at = asked_loops(of, until)
    curve, revealed = guess(page.experiment.name, len(at)), shown(page.experiment.name)
    drew = made()  # here, because pictures that follow a slider must not read the session
    controls.to_guess &= not revealed  # a link with a guess shows what was measured
    waits = controls.to_guess
    own, compared = computed(), curve if drew else ()

    def found(changes: Mapping[str, Any]) -> ContextResult:
        return (find(of.replace(**changes), own) if changes else None) or result

    def need(changes: Mapping[str, Any]) -> Picture:
        places = [int(name) for name in changes if name.isdigit()]
        now = tuple(changes[str(k)] if k in places else value for k, value in enumerate(curve))
        if not revealed:
            return guess_chart(of, now, known=compare_with, until=until, touched=drew or bool(places))
        measured = found(changes)
        return guess_chart(
            measured.settings, compared, measured, compare_with, until=last_loop(settings.replace(**changes))
        )

    def condition(changes: Mapping[str, Any]) -> Picture:
        if waits:
            return condition_chart(result, revealed=False)
        drawn = chart(CONDITION, found({name: changes[name] for name in changes if not name.isdigit()}))
        assert drawn is not None
        return drawn

    after = "Your guess, and what was measured" if compared else "What was measured"
    heading = after if revealed else "Draw your guess: click or drag"
    both = {"need": (heading, need), "kappa": (CONDITION, condition)}
    charts = {name: both[name] for name in page.first(FIRST)}
    draws = "need" in charts and not revealed
    handles = {f"guess_{place}": (str(place), STOPS) for place in range(len(at))}
    followed = controls.sliders if not draws else {} if waits else handles
    heights, below = ASKING if waits else (HEIGHTS, BELOW)
    live_row(charts, followed, heights=heights, below=below, drawn=drawn_curve() if draws else None)
    if revealed:
        with st.container(key="outcome", horizontal=True, wrap=False):
            st.markdown(needs(result, compared, until), width="stretch")
            if not answered(page.experiment.name):
                st.button("Guess again", key="guess_again", on_click=hide)
    elif not waits:
        with st.container(horizontal=True, vertical_alignment="center"):
            with st.container(width="stretch"):
                sliders(curve, [f"n/d at T = {T}" for T in at])
            reveal(page.experiment.name, curve)


def measured(settings: ContextSettings) -> Mapping[str, Measured]:
    """What the sweep makes of a named step size; nothing where the settings cannot be run."""
    try:
        check(settings)
    except SettingsError:
        return {}
    return backend.sweep_measured(settings.drawn)


def draw(settings: ContextSettings) -> Iterator[None]:
    """Draw everything to the right of the controls; yield when the first charts stand."""
    try:
        check(settings)
    except SettingsError as error:
        st.error(plain(str(error)))
        return
    found = find(settings, computed())
    if not guessed(controls):
        with page.picture:
            first_screen(settings, found or in_place_of(settings))
        held_back(controls, settings, page.top_line)
        return
    if found is None:
        work(settings)
    result = found or in_place_of(settings)
    with page.picture:
        first_screen(settings, result)
    yield
    if found is not None:
        with page.top_line:
            again = f"The Python script trains A again, about {duration(estimate(result.settings).seconds)}."
            share(controls, settings, lambda: export.of(result), again if result.learned else "")
    if page.embedded or (st.query_params.get("predict") == "1" and not shown(page.experiment.name)):
        return
    if shown(page.experiment.name) or not controls.to_guess:
        numbers(result, shown(page.experiment.name))
        for note in words.notes(result):
            st.caption(typeset(note))
        views(result)
        page.notice(words.notice(result))
        page.tables("Data behind the charts", lambda: pictures(result))
    page.assumptions(largest_trained_d=MAX_LEARNED_FEATURES)
    made_by(stored()[1])


def views(result: ContextResult) -> None:
    """The other charts in tabs, of which only the open one is drawn."""
    headings = [heading for heading in CHARTS if heading != CONDITION or "kappa" not in page.first(FIRST)]
    if result.largest_of_bound is None:
        headings.remove(BOUND)
    for heading, tab in zip(
        headings, st.tabs(headings, key="view", on_change="rerun", bind="query-params"), strict=True
    ):
        if not tab.open:
            continue
        with tab:
            picture = chart(heading, result)
            assert picture is not None
            figure(picture, f"chart{heading}")
            if heading == REQUIREMENTS:
                st.markdown(page.section("Claims"))
            if heading in (REQUIREMENTS, NEED) and (learned := words.learned_note(result)) is not None:
                st.caption(typeset(learned))


page: Page[ContextSettings] = Page("context", __file__)
controls = page.controls
keep_t_within_t_max()
page.show(sidebar, draw, measured)
