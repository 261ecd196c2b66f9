"""Page 1: a constructed looped transformer next to explicit gradient descent, on the same prompts."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from looped import export, tables
from looped.algorithms import ALGORITHMS
from looped.chart import Picture
from looped.experiments.compare import charts, words
from looped.experiments.compare.lessons import OPENING
from looped.experiments.compare.stage import before, stage
from looped.experiments.compare.summary import Summary, TableSummary, WhyNot
from looped.fields import SettingsError
from looped.settings import FIELDS, READS_KAPPA, TABLES, Settings
from looped_ui import busy
from looped_ui.backend import Run, run
from looped_ui.close_up import close_up
from looped_ui.fill import fill_up, ready
from looped_ui.frame import Page
from looped_ui.held import MOST, held, hold, let_go
from looped_ui.lesson import waits
from looped_ui.live import figure, let_draw, live
from looped_ui.parts import data_table, numbers_strip, plain, show_number, typeset, unbroken
from looped_ui.present import presenting
from looped_ui.share import held_back, share
from looped_ui.table import Chosen, choose_table, set_address

KAPPA_FALLS = (
    "With Gaussian features κ depends on the draw: this is the measured one, the median over prompts. Choose Exact κ "
    "under *Data* to set it."
)
# Pixels of the window below the picture, for verdict, prediction, what is run, question and choices; in a frame there
# are no questions, and before a guess there is nothing else. A prediction that is told takes more above a question.
BELOW, BELOW_IN_FRAME, BELOW_IN_LARGE_TYPE, BELOW_BEFORE, TOLD = 152, 116, 125, 190, 60
TABLE_BRINGS = "The table brings its own n, d and κ: this is its value. Choose Exact κ under *Data* to set it."


def sidebar() -> Chosen | None:
    """Draw the controls; give the table where the data are real."""
    with st.sidebar:
        numbers = st.container()
        with controls.group("Data", "data", "spectrum", "noise", "prompts", "seed", "label_scale"):
            controls.choice("data")
            data = controls.value("data")
            real = data in TABLES
            table = choose_table(data) if real else None
            if not real:
                if data in READS_KAPPA:
                    controls.choice("spectrum")
                controls.number("noise")
                controls.number("prompts")
            controls.seed()
            controls.number("label_scale")
        with numbers:
            controls.number("loops")
            for name in ("examples", "features"):
                controls.number(name, unused=TABLE_BRINGS if real else "", measured=True)
            falls = "" if data in READS_KAPPA else KAPPA_FALLS
            controls.number("condition_number", unused=TABLE_BRINGS if real else falls, measured=True)
            controls.named("step_size")
            controls.choice("algorithm")
            algorithm = ALGORITHMS[controls.value("algorithm")]
            for name in algorithm.reads:
                (controls.named if FIELDS[name].kind == "step" else controls.number)(name)
        with controls.group("Transformer", "dtype", "layout", "form", "shared_step"):
            controls.choice("dtype")
            own = (
                "" if algorithm.layouts else f"{FIELDS['algorithm'].label_of(algorithm.name)} has a layout of its own."
            )
            controls.choice("layout", unused=own)
            controls.choice(
                "form",
                unused="" if algorithm.has_state else "Its loop has no constant state, so every loop reads the tokens.",
            )
            controls.switch("shared_step")
        controls.reset_button()
    set_address(table)
    return table


def verdicts(settings: Settings, summary: Summary) -> None:
    """Draw the prediction before the run, and the outcome."""
    verdict, error, kappa, sizes = summary.verdict, summary.error_after_T, summary.condition_number, summary.sizes
    with numbers_strip():
        if verdict.prediction == "converges":
            who = "" if kappa.same else f"worst of {sizes.prompts} prompts: "
            show_number("Predicted", "converges", who + verdict.prediction_sentence.partition(": ")[2],
                        f"From the eigenvalues alone, before anything is run. {words.MODE}")  # fmt: skip
        show_number(
            f"max |loop − {ALGORITHMS[settings.algorithm].gap_name}|",
            f"{verdict.gap:.1e}" if verdict.passed is not None else f"{verdict.gap:.2g}",
            f"{verdict.relative_gap:.1e} relative, tolerance {verdict.tolerance:.1e} in {verdict.dtype}"
            if verdict.passed is not None
            else "measured; they are not meant to agree",
            "Largest absolute difference between the transformer's iterates and those of the explicit method, over all "
            "loops, prompts and features. Relative means divided by its largest iterate, or by a quarter of the terms "
            f"of the first update where these cancel. The tolerance is {verdict.tolerance_formula}. "
            f"The explicit method here: {verdict.yardstick}; beyond B·n·d·T = 2·10⁷ it steps on XᵀX.",
            passed=verdict.passed,
        )
        show_number(
            "κ measured",
            f"{kappa.median:.4g}",
            ("in every prompt" if sizes.prompts > 1 else "in the one prompt")
            if kappa.same
            else f"median; {kappa.min:.3g} to {kappa.max:.3g}",
            "Largest over smallest non-zero eigenvalue of XᵀX/n, from the singular values of the X that was run.",
        )
        show_number(
            f"error after T = {sizes.loops}",
            words.error(summary, error.median, 3),
            words.over_prompts(summary),
            f"‖w_T − w_ref‖/‖w_ref‖, median over prompts. w_ref is {summary.limit(settings)}.",
        )
        if floor := summary.least_squares_floor:
            nearest = f"; closest at loop {floor.best_loop}: {floor.best_error:.3g}" if floor.undercut else ""
            show_number(
                "error floor",
                f"{floor.median:.3g}",
                f"from w_ref to αw*{nearest}",
                "‖w_ref − αw*‖/‖αw*‖, median over prompts: how far the solution of the examples is from the task. A "
                "loop that is stopped early may be closer to αw* than the solution it is heading for.",
            )


def equation(settings: Settings, summary: Summary) -> None:
    """Draw one loop with the current numbers in it, and the needs of the layer."""
    lines, algorithm = words.equation(settings, summary), ALGORITHMS[settings.algorithm]
    for line in lines:
        st.latex(line)
    if len(lines) > 1:
        with st.expander("What the layer needs for this", key="needs"):
            st.latex(algorithm.layer)
            st.markdown(typeset(algorithm.needs))
            st.caption(f"Source: {typeset(algorithm.source)}")


def error_figure(done: "Run") -> None:
    """Draw the main chart and the held curves; a display switch changes the drawing alone."""
    settings, view = done.settings, done.view
    curves = held(lambda settings: run(settings, None, AT_ONCE).whole.errors)
    place = st.container()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Hold this curve", on_click=hold, args=(settings, view.errors),
            disabled=len(curves) >= MOST or done.first < settings.prompts,
            help="Keep the transformer's error on the chart while you change settings.",
        )  # fmt: skip
        if curves:
            st.button("Let go", on_click=let_go, help="Remove the held curves.")
        log = st.toggle("Log loop axis", key="log_t", bind="query-params",
                        help="Shows the early loops of a long run; it starts at loop 1.")  # fmt: skip
    picture = charts.hold(view.errors, curves) if curves else view.errors
    with place:
        figure(charts.log_loops(picture) if log else picture, "errors")


def real_data(table: TableSummary, predictions: Picture | None) -> None:
    """Draw coefficients by column name, and predictions on held-out rows."""
    st.subheader(f"What it learned about the column “{plain(table.target)}”")
    st.caption(
        f"{plain(table.name)}: features standardised to mean 0 and variance 1, target centred (that is the "
        "intercept). Coefficients are in the original units, beside those of scikit-learn's LinearRegression on "
        "the same standardised columns."
    )
    left, right = st.columns(2)
    with left:
        data_table(table.coefficients, f"Coefficients for {table.target}", whole=True)
        for sentence in table.sentences:
            st.caption(plain(sentence))
    with right:
        scores = table.held_out
        if isinstance(scores, WhyNot) or predictions is None:
            st.info(f"No held-out prediction. {plain(getattr(scores, 'why_not', ''))}")
            return
        with numbers_strip("_scores"):
            show_number("R², the loop", f"{scores.r2_looped:.4f}", "on held-out rows",
                        f"{scores.folds} folds: every row is predicted once by a transformer that reads the "
                        "other folds. 1 is perfect, 0 no better than the mean.")  # fmt: skip
            show_number("R², scikit-learn", f"{scores.r2_linear_regression:.4f}", "on held-out rows",
                        "LinearRegression fitted on the same standardised rows of each fold.")  # fmt: skip
        figure(predictions, "predictions")


def first_picture(settings: Settings, table: tables.Table | None, *, hidden: bool = False) -> Run | None:
    """Draw the main picture with its verdict, or the sentence why the settings cannot be run.

    While the result waits for a guess, draw what can be seen before it.
    """
    known = ready(settings)

    def picture(changes: Mapping[str, Any]) -> Picture:
        done = run(settings.replace(**changes), table, AT_ONCE, 0 if changes else known).result()
        return before(done) if hidden else stage(done)

    with page.picture:
        try:
            done = run(settings, table, AT_ONCE, known)
            summary = done.view.summary
            told = (prediction := summary.verdict.prediction) != "converges"
        except SettingsError as error:
            st.error(plain(str(error)))
            return None
        below = BELOW_IN_FRAME if page.embedded else BELOW_IN_LARGE_TYPE if presenting() else BELOW
        below += TOLD * (told and controls.to_guess)
        heights = 280 if presenting() else 220, 430
        live("stage", picture, controls.sliders, heights=heights, below=BELOW_BEFORE if hidden else below)
        if hidden:
            return done
        # Below the picture, because it comes and goes as a slider is let go, and must not move what is looked at.
        with st.container(key="outcome", gap="xsmall"):
            st.markdown(unbroken(typeset(words.verdict(done.settings, summary))))
            if told:
                box = {"oscillates": st.warning, "diverges": st.error, "unknown": st.info}[prediction]
                box(typeset(words.prediction(summary)))
            if not (page.embedded and told):  # a frame has no room for both
                st.caption(typeset(words.what_runs(done.ran, summary)))
    return done


def draw(settings: Settings, real: Chosen | None, done: Run | None) -> None:
    """Draw everything to the right of the controls, but for what is `done`."""
    link = settings.replace(**real.for_file) if real else settings
    if held_back(controls, link, page.top_line, "see the result and play it"):
        if controls.holds:
            first_picture(settings, real.table if real else None, hidden=True)
        controls.show_measured({})
        return
    if real:
        real.show_notes()
    done = done or first_picture(settings, real.table if real else None)
    controls.show_measured(done.view.measured if done else {})
    if done is None:
        return
    asked, view = done.settings, done.view
    note = "The link does not carry your file; the Python script does." if settings.data == "csv" else ""
    with page.top_line:
        share(controls, asked.replace(**real.for_file) if real else asked, lambda: export.of(done.all_of_it()), note)
    if real is None:
        fill_up(asked, done.first)
    if page.embedded:
        return
    if asked.prompts < settings.prompts:
        st.caption(f"{asked.prompts} prompts are drawn, not {settings.prompts}: as many as the limits allow.")
    verdicts(asked, view.summary)
    error_figure(done)
    for note in words.notes(asked, view.summary):
        st.caption(typeset(note))
    equation(asked, view.summary)
    if view.summary.table is not None:
        real_data(view.summary.table, view.predictions)
    close_up(controls, asked, done.identity, done.table, view.summary.sizes.prompts)
    page.notice(words.notice(asked, view.summary))
    with page.data("Data behind the chart") as opened:
        if opened:
            data_table(view.errors.table, "Relative error after each loop")
    page.assumptions(words.assumptions(asked))


AT_ONCE = max(1, busy.count())  # pages that share the time for a slider move; one number for all of this run
page: Page[Settings] = Page("compare", __file__, OPENING)
controls = page.controls
unused = () if controls.value("data") in TABLES else ("target", "feature_columns")
early = controls.at_once(unused) if unused else None
controls.to_guess = early is not None and waits(controls, page.lessons)
done = first_picture(early, None) if early else None
if done:
    let_draw()
chosen_table = sidebar()
draw(page.begin(lambda chosen: ALGORITHMS[chosen.algorithm].subtitle(), unused), chosen_table, done)
