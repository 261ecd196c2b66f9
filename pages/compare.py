"""Page 1: a constructed looped transformer next to explicit gradient descent, on the same prompts."""

from typing import Any

import streamlit as st

from looped import compare, cost, export, tables
from looped.algorithms import ALGORITHMS
from looped.chart import SMALLEST_BAND, Picture
from looped.experiments.compare import charts
from looped.experiments.compare.lessons import COMPARE
from looped.fields import SettingsError
from looped.lesson import by_key
from looped.settings import FIELDS, READS_KAPPA, TABLES, Settings
from looped_ui import backend
from looped_ui.close_up import close_up
from looped_ui.controls import Controls
from looped_ui.entry import through_app
from looped_ui.glossary import glossary
from looped_ui.lesson import lesson_panel
from looped_ui.parts import data_table, figure, plain, show_number, typeset
from looped_ui.share import share
from looped_ui.table import Chosen, choose_table, set_address

KAPPA_FALLS = (
    "Gaussian rows have the κ that falls out; the measured one stands above the chart. Choose Exact κ under *Data*."
)
MOST_HELD = 4
TABLE_BRINGS = (
    "The table brings its own n, d and κ, so this control has no effect. Choose Exact κ under *Data* to use it."
)


def sidebar() -> Chosen | None:
    """Draw the controls; give the table where the data are real."""
    with st.sidebar:
        numbers = st.container()
        with st.expander("Data"):
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
                controls.number(name, unused=TABLE_BRINGS if real else "")
            falls = "" if data in READS_KAPPA else KAPPA_FALLS
            controls.number("condition_number", unused=TABLE_BRINGS if real else falls)
            controls.choice("algorithm")
            algorithm = ALGORITHMS[controls.value("algorithm")]
            for name in algorithm.reads:
                if FIELDS[name].kind == "step":
                    controls.named_or_number(name, ("auto",))
                else:
                    controls.number(name)
        with st.expander("Step size"):
            controls.step_size()
            controls.switch("shared_step")
        with st.expander("Transformer"):
            controls.choice("dtype")
            own = (
                "" if algorithm.layouts else f"{FIELDS['algorithm'].label_of(algorithm.name)} has a layout of its own."
            )
            controls.choice("layout", unused=own)
            controls.choice(
                "form",
                unused="" if algorithm.has_state else "Its loop has no constant state, so every loop reads the tokens.",
            )
        st.button("Reset to defaults", on_click=controls.reset)
    set_address(table)
    return table


def fewer_prompts(settings: Settings, table: tables.Table | None) -> Settings:
    """Lower the number of prompts so that the page answers at once, unless this visitor asked for all of them."""
    run = cost.sizes(settings, table)
    allowed = cost.most_prompts(run)
    most = allowed if st.session_state.get("all_prompts") == settings else cost.most_prompts(run, quick=True)
    if 0 < most < run.B:
        with st.container(horizontal=True, vertical_alignment="center"):
            why = "so that the page answers at once" if most < allowed else "as many as the limits allow"
            st.caption(f"{most} of {run.B} prompts are run, {why}.")
            if most < allowed:
                st.button(
                    f"Run all {run.B}" if allowed == run.B else f"Run {allowed}, the most that fit",
                    on_click=st.session_state.update, args=({"all_prompts": settings},),
                )  # fmt: skip
        return settings.replace(prompts=most)
    return settings


def verdicts(summary: dict[str, Any]) -> None:
    """What was predicted before the run, and what came out."""
    verdict, error, kappa = summary["verdict"], summary["error_after_T"], summary["condition_number"]
    sizes = summary["sizes"]
    if verdict["prediction"] != "converges":
        box = {"oscillates": st.warning, "diverges": st.error, "unknown": st.info}[verdict["prediction"]]
        box(f"**Predicted before running.** {typeset(verdict['prediction_sentence'])}")
    with st.container(horizontal=True):
        if verdict["prediction"] == "converges":
            show_number("Predicted", "converges", verdict["prediction_sentence"].partition(": ")[2],
                        "From the eigenvalues alone, before anything is run.", width=240)  # fmt: skip
        meant = verdict["passed"] is not None
        show_number(
            f"max |loop − {ALGORITHMS[verdict['algorithm']].gap_name}|",
            f"{verdict['gap']:.1e}",
            f"{verdict['relative_gap']:.1e} relative, tolerance {verdict['tolerance']:.1e} in {verdict['dtype']}"
            if meant
            else "measured; they are not meant to agree",
            "Largest absolute difference between the transformer's iterates and those of the explicit method, over all "
            "loops, prompts and features. Relative means divided by the largest iterate, or by a quarter of the terms "
            f"of the first update where these cancel. The tolerance is {verdict['tolerance_formula']}. "
            f"The explicit method here: {verdict['yardstick']}; beyond B·n·d·T = 2·10⁷ it steps on XᵀX.",
            width=235,
            passed=verdict["passed"],
        )
        same = kappa["max"] - kappa["min"] < 1e-6 * kappa["max"]
        show_number(
            "κ measured",
            f"{kappa['median']:.4g}",
            ("in every prompt" if sizes["prompts"] > 1 else "in the one prompt")
            if same
            else f"median; {kappa['min']:.3g} to {kappa['max']:.3g}",
            "Largest over smallest non-zero eigenvalue of XᵀX/n, from the singular values of the X that was run.",
        )
        show_number(
            f"error after T = {sizes['loops']}",
            f"{error['median']:.3g}",
            f"10–90 % of prompts: {error['p10']:.2g} to {error['p90']:.2g}"
            if sizes["prompts"] >= SMALLEST_BAND
            else "one prompt"
            if sizes["prompts"] == 1
            else f"{sizes['prompts']} prompts",
            f"‖w_T − w_ref‖/‖w_ref‖, median over prompts. w_ref is {limit(summary)}.",
        )
        if floor := summary["least_squares_floor"]:
            closer = nearer(floor)
            show_number(
                "error floor",
                f"{floor['median']:.3g}",
                f"from w_ref to αw*; closest at loop {floor['best_loop']}: {floor['best_error']:.3g}"
                if closer
                else "from w_ref to αw*",
                "‖w_ref − αw*‖/‖αw*‖, median over prompts: how far the solution of the examples is from the task. A "
                "loop that is stopped early may be closer to αw* than the one it is heading for.",
            )


def nearer(floor: dict[str, float]) -> bool:
    """Whether a loop comes nearer to the task than the floor, in the digits that are shown."""
    return floor["best_error"] < floor["median"] and f"{floor['best_error']:.3g}" != f"{floor['median']:.3g}"


def limit(summary: dict[str, Any]) -> str:
    """What w_ref is in this run."""
    settings, sizes = summary["settings"], summary["sizes"]
    determined = settings["data"] not in TABLES and settings["noise"] == 0 and sizes["rank"] == sizes["features"]
    return ALGORITHMS[settings["algorithm"]].limit_in(determined)


def notes(summary: dict[str, Any]) -> list[str]:
    """What a reader must know about this very picture."""
    sizes, settings = summary["sizes"], summary["settings"]
    ceiling = summary["error_ceiling"]
    lines = []
    if sizes["rank"] < sizes["features"]:
        few = sizes["examples"] < sizes["features"]
        head = f"**n < d.** n = {sizes['examples']}" if few else f"**Numerical rank {sizes['rank']} < d.** The examples"
        lines.append(
            f"{head} cannot determine d = {sizes['features']} weights; w_ref is {limit(summary)}. κ counts the "
            f"eigenvalues that are not 0 to rounding, {sizes['rank']} in number."
        )
    if (floor := summary["least_squares_floor"]) is not None:
        why = f"**Noise σ = {settings['noise']:g}.** " if settings["noise"] > 0 else ""
        ends = "" if ALGORITHMS[settings["algorithm"]].softmax else "A loop that converges ends at w_ref, not at αw*. "
        line = f"{why}{ends}The distance from w_ref to αw*, relative to αw*, is {floor['median']:.3g}"
        if nearer(floor):
            line += f"; after {floor['best_loop']} loops that of w_t is {floor['best_error']:.3g}, its smallest"
        lines.append(f"{line} (medians).")
    if ceiling["reached_at_loop"] is not None:
        lines.append(
            f"**Capped.** Beyond a relative error of {ceiling['value']:,.0f} curves run along that ceiling; the first "
            f"prompt reaches it at loop {ceiling['reached_at_loop']}. The iterates in arrays.npz go on."
        )
    if (held := summary["iterates_held_from_loop"]) is not None:
        lines.append(f"**Held.** From loop {held} on a prompt's iterate is too large to go on, and is repeated.")
    if why_failed := summary["verdict"]["why_failed"]:
        lines.append(f"**Why FAIL?** {why_failed}")
    if min(sizes["examples"], sizes["features"]) == 1 and settings["data"] == "exact":
        lines.append("**One eigenvalue.** With min(n, d) = 1 there is nothing to compare it with, so κ is 1.")
    return [*lines, *summary["bounds_not_drawn"]]


def equation(summary: dict[str, Any]) -> None:
    """One loop with the current numbers in it, and what the layer needs for it."""
    sizes, settings, algorithm = summary["sizes"], summary["settings"], ALGORITHMS[summary["settings"]["algorithm"]]
    eta = summary["step_size"]
    same = eta["max"] - eta["min"] < 1e-6 * eta["max"]
    number = in_tex(eta["max"]) if same else rf"{in_tex(eta['min'])}\ldots{in_tex(eta['max'])}"
    scale = "" if settings["label_scale"] == 1 else rf"({in_tex(settings['label_scale'])})\,"
    if filled := algorithm.filled(number, sizes["examples"], scale):
        st.latex(filled)
        return
    numbers = {r"\eta": number, "n": str(sizes["examples"])} | {
        symbol: in_tex(summary["parameters"][name]) for name, symbol in algorithm.symbols
    }
    st.latex(algorithm.equation)
    st.latex(r",\quad ".join(f"{symbol} = {value}" for symbol, value in numbers.items()))
    with st.expander("What the layer needs for this", key="needs"):
        st.latex(algorithm.layer)
        st.markdown(typeset(algorithm.needs))
        st.caption(f"Source: {typeset(algorithm.source)}")


def in_tex(number: float) -> str:
    """A number with four digits as mathematics writes it."""
    digits, _, exponent = f"{number:.4g}".partition("e")
    return rf"{digits}\cdot 10^{{{int(exponent)}}}" if exponent else digits


def error_figure(settings: Settings, view: backend.View) -> None:
    """The main chart with what is held on it; a display switch changes the drawing alone."""
    state = st.session_state
    held: list[charts.Held] = state.setdefault("held", [])
    place = st.container()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Hold this curve", on_click=_hold, args=(settings, view.errors), disabled=len(held) >= MOST_HELD,
                  help="Keep the transformer's error on the chart while you change settings.")  # fmt: skip
        if held:
            st.button("Let go", on_click=held.clear, help="Remove the held curves.")
        log = st.toggle("Log loop axis", key="log_t", bind="query-params",
                        help="Shows the early loops of a long run; it starts at loop 1.")  # fmt: skip
    picture = charts.hold(view.errors, held) if held else view.errors
    with place:
        figure(charts.log_loops(picture) if log else picture, "errors")


def _hold(settings: Settings, picture: Picture) -> None:
    st.session_state["held"].append(charts.keep(picture, settings.changes()))


def real_data(view: backend.View) -> None:
    """Coefficients by column name, and predictions on held-out rows."""
    table = view.summary["table"]
    held_out = table["held_out"]
    st.subheader(f"What it learned about the column “{plain(table['target'])}”")
    st.caption(
        f"{plain(table['name'])}: features standardised to mean 0 and variance 1, target centred (that is the "
        "intercept). Coefficients are in the original units, beside those of scikit-learn's LinearRegression on "
        "the same standardised columns."
    )
    left, right = st.columns(2)
    with left:
        data_table(table["coefficients"], f"Coefficients for {table['target']}", whole=True)
        for sentence in table["sentences"]:
            st.caption(plain(sentence))
    with right:
        if view.predictions is None:
            st.info(f"No held-out prediction. {plain(held_out['why_not'])}")
            return
        with st.container(horizontal=True):
            show_number("R², the loop", f"{held_out['r2_looped']:.4f}", "on held-out rows",
                        f"{held_out['folds']} folds: every row is predicted once by a transformer that reads the "
                        "other folds. 1 is perfect, 0 no better than the mean.")  # fmt: skip
            show_number("R², scikit-learn", f"{held_out['r2_linear_regression']:.4f}", "on held-out rows",
                        "LinearRegression fitted on the same standardised rows of each fold.")  # fmt: skip
        figure(view.predictions, "predictions")


def notice(summary: dict[str, Any]) -> list[str]:
    """What to look for in this very chart."""
    settings, verdict = Settings(**summary["settings"]), summary["verdict"]
    algorithm = ALGORITHMS[settings.algorithm]
    lines = [
        algorithm.circles(verdict["passed"], verdict["relative_gap"]),
        algorithm.notice,
        *algorithm.hints(settings, summary["condition_number"]["max"]),
    ]
    if (floor := summary["rounding_floor"]) is not None:
        bound = ", which is a statement about exact arithmetic" if any(summary["bounds"].values()) else ""
        above = f", and may lie above a bound{bound}" if bound else ""
        lines.append(
            f"Near a relative error of {floor['median']:.0e} (an estimate) rounding takes over: from there on the "
            f"lines are noise{above}."
        )
    return lines


def assumptions(summary: dict[str, Any]) -> list[str]:
    """Where the numbers come from and what they do not say."""
    algorithm = ALGORITHMS[summary["settings"]["algorithm"]]
    return [
        f"**The transformer is constructed, not trained.** Its weights are written down so that one pass is one step "
        f"of {algorithm.step()}. It computes with tokens and these weights only; it never sees w\\* or the explicit "
        "solver.",
        "**η is read from the data** where it is auto or optimal: P and Q are shared by all prompts, but the step size "
        "is a number per prompt that multiplies the layer's output. Switch on *One η for all prompts* to make the "
        "weights alone the model.",
        "**Exact κ** is meant on the min(n, d) non-zero eigenvalues of XᵀX/n, whose sum is d. w\\* is uniform on the "
        "unit sphere.",
        algorithm.routes(),
        "**Bounds** are about gradient descent with the step read from the data. |α|e^(−T/(2κ)) is quoted from a "
        "summary of [Chen, Li, Liang, Shi, Song: AISTATS 2025](https://arxiv.org/abs/2410.11268), whose full text was "
        "not read; on this axis it is divided by |α|. The construction and the other two rates are derived for this "
        "project and checked numerically.",
        "**Limits.** Every control's help says its range and why.",
    ]


def bullets(sentences: list[str]) -> None:
    """Our own sentences, one below the other."""
    st.markdown("\n".join(f"- {typeset(sentence)}" for sentence in sentences))


def draw(settings: Settings, real: Chosen | None, changed: list[str]) -> None:
    """Everything right of the controls."""
    table = real.table if real else None
    controls.show_repairs(settings)
    for sentence in changed:
        st.warning(plain(sentence))
    if real:
        real.show_notes()
    asked = fewer_prompts(settings, table)
    try:
        identity = (table.name, table.digest, table.reading, table.target, *table.columns) if table else ()
        view = backend.comparison(asked, identity, table)
    except SettingsError as error:
        st.error(plain(str(error)))
        return
    note = "The link does not carry your file; the Python script does." if settings.data == "csv" else ""
    with top_line:
        link = asked.replace(**real.for_file) if real else asked
        share(controls, link, lambda: export.of(compare(asked, table)), note)
    verdicts(view.summary)
    error_figure(asked, view)
    for note in notes(view.summary):
        st.caption(typeset(note))
    equation(view.summary)
    if table is not None:
        real_data(view)
    close_up(controls, asked, identity, table, view.summary["sizes"]["prompts"])
    with st.expander("What to notice"):
        bullets(notice(view.summary))
    behind = st.expander("Data behind the chart", key="behind", on_change="rerun")
    if behind.open:
        with behind:
            data_table(view.errors.table, "Relative error after each loop")
    with st.expander("Assumptions, limits and sources"):
        bullets(assumptions(view.summary))


through_app()
controls = Controls("compare", Settings, {key: lesson.settings for key, lesson in by_key(COMPARE).items()})
controls.repair_link()
chosen_table = sidebar()
unused = () if controls.value("data") in TABLES else ("target", "feature_columns")
chosen, changed_values = controls.read(unused)
top_line = st.container(horizontal=True, vertical_alignment="center")
with top_line:
    st.title("The loop is the step", width="stretch")
    glossary()
st.caption(typeset(ALGORITHMS[chosen.algorithm].subtitle()))
lesson_panel(controls, COMPARE)
draw(chosen, chosen_table, changed_values)
