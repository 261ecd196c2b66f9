"""One prompt in detail, below the chart: its error by eigen-mode, and what happens inside the loop."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from looped import Settings, tables
from looped.algorithms import ALGORITHMS
from looped.experiments.compare import inside_charts as inside_figures
from looped.experiments.compare import mode_charts as mode_figures
from looped.experiments.compare.inside import Inside
from looped.experiments.compare.modes import Modes
from looped_ui import backend
from looped_ui.controls import Controls
from looped_ui.live import figure
from looped_ui.parts import data_table, typeset, unbroken

TOLERANCES = [10.0**-power for power in range(1, 13)]


def close_up(
    controls: Controls[Settings],
    settings: Settings,
    identity: tuple[str, ...],
    table: tables.Table | None,
    prompts: int,
) -> None:
    """The views of one prompt that the algorithm has; nothing is computed while they are closed.

    Args:
        controls: Controls of the page, for the click that sets the optimal step.
        settings: Settings as run.
        identity: stands for the table in the cache's key.
        table: the real data, if any.
        prompts: Number of prompts that were run, to choose from.
    """
    algorithm, views = ALGORITHMS[settings.algorithm], {}
    if algorithm.steady:
        views["modes"] = "Eigen-modes: which part of the error is slow?"
    if algorithm.one_query:
        views["inside"] = "Inside the loop: what does one pass compute?"
    panels = {key: st.expander(title, key=key, bind="query-params") for key, title in views.items()}
    opened = {key: panel for key, panel in panels.items() if panel.open}
    if not opened:
        return
    with next(iter(opened.values())):
        tools = st.container(horizontal=True, vertical_alignment="bottom")
        with tools:
            prompt = _choose_prompt(prompts)
    look = backend.look(settings, identity, prompt, table, prompts)
    if "modes" in opened and look.modes is not None:
        with opened["modes"]:
            _modes(controls, settings, look.modes, tools)
    if "inside" in opened:
        with opened["inside"]:
            _inside(look.inside)


def _choose_prompt(prompts: int) -> int:
    if prompts == 1:
        return 0
    number = st.number_input(
        "Prompt", 1, prompts, key="prompt", width=150, bind="query-params",
        help=f"Which of the {prompts} prompts is shown, here and in the other view.",
    )  # fmt: skip
    return int(number) - 1


def _modes(controls: Controls[Settings], settings: Settings, modes: Modes, tools: DeltaGenerator) -> None:
    tolerance = tools.select_slider(
        "Tolerance", TOLERANCES, 1e-3, key="tolerance", format_func=lambda value: f"{value:.0e}", width=260,
        bind="query-params", help=typeset("A star marks the loop at which a mode falls to it, in units of ‖w_ref‖."),
    )  # fmt: skip
    slow, needed = modes.slowest, modes.loops_to(tolerance)[modes.slowest]
    grows = abs(modes.factors[slow]) > 1
    until = "it never falls" if needed == float("inf") else f"{needed:,.0f} loops until it is"
    sentence = (
        f"**{'Growing' if grows else 'Slowest'}: mode {slow + 1}**, λ = {modes.eigenvalues[slow]:.4g}. Every loop "
        f"{'multiplies it by' if grows else 'leaves'} {abs(modes.factors[slow]):.4g}{'' if grows else ' of it'}; "
        f"{until} below {tolerance:.0e}. States and closed form differ by at most {modes.gap:.1e}."
    )
    st.markdown(unbroken(sentence))
    left, right = st.columns([3, 2])
    by_loop = mode_figures.mode_chart(modes, tolerance, settings.dtype)
    by_step = mode_figures.rate_chart(modes)
    with left:
        st.markdown("**Error of each mode, by number, against loops**")
        figure(by_loop, "mode-chart")
    with right:
        st.markdown("**What one loop leaves, by step size**")
        figure(by_step, "rate-chart")
    with st.container(horizontal=True):
        if controls.fields["step_size"].key not in controls.hidden:
            st.button(
                typeset(f"Set the optimal step, 2/(λ₁+λ_d) = {modes.optimal_step:.4g}"), key="set_optimal",
                on_click=controls.set, args=({"step_size": "optimal"},), disabled=settings.step_size == "optimal",
            )  # fmt: skip
        with st.popover("Data behind these charts"):
            data_table(by_loop.table, "Every drawn mode", whole=True)
            data_table(by_step.table, "Four step sizes", whole=True)
    if len(modes.shown) < len(modes.eigenvalues):
        ranks = ", ".join(str(k + 1) for k in modes.shown)
        st.caption(f"Of {len(modes.eigenvalues)} modes these are drawn: {ranks}.")


def _inside(inside: Inside) -> None:
    weights = inside.weights
    maps = (" + (𝓐 − I)z" if weights.skip is not None else "") + (" − η𝓚z" if weights.decay is not None else "")
    scored, pass_ = "scores every example, zᵢᵀQz", f"−(η/n) P Z 𝓜 (ZᵀQz){maps}"
    if inside.algorithm.softmax:
        scored, pass_ = f"{scored}, a softmax makes weights of the scores", f"−η P Z 𝓜 softmax(ZᵀQz){maps}"
    kept = " Its rows w′ hold the iterate of the loop before." if weights.before is not None else ""
    st.caption(
        f"At loop t the query z {scored}, and the sum of the examples, each times its {inside.score}, moves the query: "
        f"Δ = {pass_}.{kept} Play, or step with the arrow keys."
    )
    views = inside_figures.player(inside)
    figure(views, "player")
    if inside.cut:
        st.caption(inside.cut)
    with st.popover("Data behind these views"):
        data_table(views.table, "Every shown loop")
