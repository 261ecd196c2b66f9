"""Page 4: what the MLP adds where tasks share a signal. LSA, LTB and one step of gradient descent."""

import streamlit as st
from torch import Tensor

from looped import export
from looped.experiments.signal import Levels, Over, SignalResult, SignalTraining, Sweep
from looped.fields import SettingsError
from looped.figures import signal as figures
from looped.lessons import SIGNAL, by_key
from looped.signal import SignalTask
from looped.signal.settings import SignalSettings
from looped.signal.tasks import read_covariance
from looped.signal.training import Kind, Progress
from pages.ui import jobs, risks
from pages.ui.controls import Controls
from pages.ui.entry import through_app
from pages.ui.glossary import glossary
from pages.ui.lesson import lesson_panel
from pages.ui.parts import data_table, figure, plain, show_number
from pages.ui.share import share

JOB = "signal"
AGAINST: dict[str, Over] = {"s": "signal", "M": "M", "σ": "noise"}
FILE_RULES = "A .npy file from numpy.save: a symmetric positive semi-definite d × d matrix; its rank may be below d."


def sidebar() -> tuple[Tensor | None, Tensor | None]:
    """Draw the controls; give H and Ψ where files are chosen."""
    with st.sidebar:
        for name in ("signal", "M", "features", "noise"):
            controls.number(name)
        with st.expander("Covariances H and Ψ"):
            matrices = []
            for name, label, what in (("H", "H", "features"), ("Psi", "Ψ", "tasks around β*")):
                place = st.container()
                matrices.append(_upload(name, label, what))
                with place:
                    replaced = f"The file replaces the κ of {label}. Remove the file to use it."
                    controls.number(f"{name}_condition", unused="" if matrices[-1] is None else replaced)
        with st.expander("Training"):
            for name in ("steps", "batch", "learning_rate"):
                controls.number(name)
            controls.choice("model")
            controls.seed()
        st.button("Reset to defaults", on_click=controls.reset)
    return matrices[0], matrices[1]


def _upload(name: str, label: str, what: str) -> Tensor | None:
    """A covariance from a file; none where it cannot be used, which is said."""
    if "upload" in controls.hidden:
        return None
    file = st.file_uploader(
        f"{label} from a file", "npy", key=f"upload_{name}", help=f"Covariance of the {what}. {FILE_RULES}"
    )
    if file is None:
        return None
    try:
        return read_covariance(file, file.name, name, controls.read()[0].features)
    except SettingsError as error:
        st.error(f"{plain(str(error))} The file is not used.")
        return None


def numbers(task: SignalTask, best: Levels) -> None:
    """The best risks and the gap in a strip."""
    with st.container(horizontal=True):
        show_number("LTB, with MLP", f"{best.gd.risk:.4g}", "best risk = best GD-β, closed form",
                    "σ² + tr(HΨ) − tr(S²Ω⁻¹): the smallest risk of one gradient step from a learned start, and of the "
                    "linear transformer block.")  # fmt: skip
        show_number("LSA, no MLP", f"{best.lsa.risk:.4g}", f"best of {len(best.lsa.start_risks)} searches",
                    "Linear self-attention has no closed form for β* ≠ 0: its exact risk is minimised numerically. "
                    "The value is reached by weights, so the true infimum is not above it.")  # fmt: skip
        show_number("gap", f"{best.gap:.4g}", f"at least {best.bounds.valid:.4g} by the bound",
                    "What linear self-attention loses for want of an MLP. The bound is "
                    "[1/(M+1) − c²/((M+1)²K)]·‖β*‖²_H, the larger of the two that hold; the simpler one, "
                    f"2/(3(M+1))·‖β*‖²_H, is {best.bounds.first:.4g}.",
                    passed=best.gap >= best.bounds.valid * (1 - 1e-9) - 1e-9 * best.gd.risk)  # fmt: skip
        show_number("GD-0", f"{best.gd0.risk:.4g}", "one step from 0, closed form",
                    "The best single gradient step that starts at 0 instead of at β*.")  # fmt: skip
        exact = best.bayes.standard_error == 0
        show_number("Bayes", f"{best.bayes.mean:.4g}",
                    "exact" if exact else f"± {best.bayes.standard_error:.1g}, {best.bayes.draws:,} draws",
                    "Risk of ridge regression centred at β*: no function of the prompt does better. Only the examples' "
                    "features are sampled. GD-β is near it only if tr(HΨ) is not much above σ².")  # fmt: skip
        if not len(task.beta_star) or not float(task.beta_star.norm()):
            show_number("β* = 0", "no gap", "nothing is shared", "Without a shared signal an MLP adds nothing here.")


def notes(task: SignalTask) -> list[str]:
    """What a reader must know about these very numbers."""
    lines = [f"**Rank.** {note}" for note in task.notes]
    if task.rank_S < 2:
        lines.append(
            "**Rank below 2.** H^½Ψ^½ has rank below 2: the theorem that no block is better than GD-β does not apply, "
            "and what stands under LTB is GD-β."
        )
    if task.sigma == 0 and task.features <= task.M:
        lines.append(
            "**Bayes is 0.** Without noise, M ≥ d examples determine the task; one linear step cannot use that."
        )
    return lines


def levels_section(settings: SignalSettings, matrices: tuple[Tensor | None, Tensor | None], identity: str) -> Sweep:
    """Best risks against one setting."""
    st.subheader("The smallest possible risks")
    against = st.segmented_control("Against", list(AGAINST), default="s", required=True, key="signal_against",
                                   label_visibility="collapsed")  # fmt: skip
    sweep = risks.sweep(settings.of_task, AGAINST[against or "s"], identity, matrices)
    figure(figures.risk_chart(sweep), "risks")
    return sweep


def training_section(settings: SignalSettings, matrices: tuple[Tensor | None, Tensor | None], best: Levels) -> None:
    """Train the models live, with the levels they can reach; what the block has learned."""
    st.subheader("Train them on the same prompts")
    jobs.buttons(JOB, lambda: SignalTraining(settings, *matrices))
    task = settings.task(*matrices)

    def show(job: jobs.Job[dict[str, Progress]] | None) -> None:
        work = job.work if job is not None and isinstance(job.work, SignalTraining) else None
        own = work is not None and work.settings == settings and _same(work.task, task)
        if work is not None and not own:
            st.caption("This training is of other settings; the levels are those of its own task. Train begins anew.")
        shown, reach = (work.task, work.levels) if work is not None and not own else (task, best)
        steps = work.settings.steps if work is not None else settings.steps
        history: dict[Kind, list[Progress]] = {}
        if job is not None and work is not None:
            history = {kind: [record[kind] for record in job.records] for kind in work.models}
        figure(figures.training_chart(history, reach, steps), "training")
        for kind, records in history.items():
            if records:
                optimum = reach.optimum(kind)
                st.caption(
                    f"**{figures.NAMES[kind]}**: step {records[-1].step:,} of {steps:,}, exact risk "
                    f"{records[-1].risk:.5g}, {records[-1].risk / optimum - 1:+.2%} of its optimum {optimum:.5g}."
                    if optimum > 0
                    else f"**{figures.NAMES[kind]}**: step {records[-1].step:,}, exact risk {records[-1].risk:.3g}."
                )
        if work is None or "ltb" in work.models:
            learned = job.snapshot if job else None
            left, right = st.columns(2)
            with left:
                st.markdown("**Learned start:** g against β\\*")
                figure(figures.start_chart(learned, shown), "start")
            with right:
                st.markdown("**Learned step:** v·U₁₁ against Γ\\*ᵀ")
                figure(figures.matrix_chart(learned, reach.gd), "matrix")

    jobs.watch(JOB, show)


def _same(one: SignalTask, other: SignalTask) -> bool:
    return bool((one.H == other.H).all() and (one.Psi == other.Psi).all()) if one.H.shape == other.H.shape else False


def flow_section(settings: SignalSettings, matrices: tuple[Tensor | None, Tensor | None], identity: str) -> None:
    """Gradient flow of GD-β, computed when opened."""
    panel = st.expander("Gradient flow reaches β*, and how fast", key="flow", on_change="rerun")
    if not panel.open:
        return
    with panel:
        flow = risks.flow(settings.of_task, identity, matrices)
        figure(figures.flow_chart(flow, settings.task(*matrices)), "flow_chart")
        st.caption(
            "Gradient flow of ½R in β and Γ together, from β = 0 and Γ = 0. The problem is not convex, and yet "
            "‖β(t) − β\\*‖² stays below e^(−2λ⁺_min(H)t/(M+1))·‖β(0) − β\\*‖², whatever Γ does "
            "([Zhang, Wu, Bartlett 2024](https://arxiv.org/abs/2402.14951))."
        )


def bound_section() -> None:
    """Where the bound in print fails."""
    panel = st.expander("A bound in print that fails", key="bound", on_change="rerun")
    if not panel.open:
        return
    with panel:
        task, best = risks.failing_bound()
        st.markdown(
            "The paper's second lower bound on the gap, c²/((M+1)² tr((HΨ)²))·‖β\\*‖²_H, is not one for small M. "
            f"With H = Ψ = I, σ = 0, d = {task.features}, M = {task.M} and ‖β\\*‖² = {task.features} it "
            f"claims a gap of **{best.bounds.paper_second:.2f}**, but weights of linear self-attention with the exact "
            f"risk {best.lsa.risk:.2f} are only **{best.gap:.2f}** above the best block ({best.gd.risk:.2f}). What its "
            "proof gives is [1/(M+1) − c²/((M+1)²K)]·‖β\\*‖²_H with K = 2tr((HΨ)²) + (3M+2)c²/(M(M+1)), here "
            f"{best.bounds.valid:.2f} (derived for this project). That one is drawn."
        )


NOTICE = """
- At s = 0 the lines of LTB and LSA meet: without a shared signal the MLP adds nothing to one linear layer.
- LTB's line is flat in s: a learned start takes the whole signal away. LSA's and GD-0's lines rise.
- More examples close the gap slowly: 1.83 at M = 5, 0.52 at M = 40, 0.07 at M = 400 (d = 5, s = 1), like 1/M only for
  large M. Noise lowers it a little: 1.26 at σ = 10.
- Train: within seconds each model stands at its own level, and attention alone stays above the block.
- The trained block's g is β\\*, and v·U₁₁ is Γ\\*ᵀ: it has *become* one step of gradient descent from a learned start.
"""

ASSUMPTIONS = """
- **Tasks.** β̃ ~ N(β\\*, Ψ), x ~ N(0, H), y = ⟨β̃, x⟩ + N(0, σ²), M examples and one query in a prompt, tokens are the
  columns of E = [[Xᵀ, x], [yᵀ, 0]]. The paper: [Zhang, Wu, Bartlett, NeurIPS 2024](https://arxiv.org/abs/2402.14951).
- **LSA** f = [E + W_PᵀW_V E M EᵀW_KᵀW_Q E/M]₋₁,₋₁; **LTB** multiplies the bracket by the linear MLP W₂ᵀW₁. No softmax,
  no biases, no norm; d_k = d_v = d+1 and d_f = 4(d+1).
- **Closed forms** of GD-β and its optimum are the paper's Theorem 5.2; GD-0's, and the exact risk of LTB weights, are
  derived for this project; all are checked against sampled prompts.
- **Training is ours.** The paper gives Figure 1's batch of 128 prompts a step; Adam, its rate (0.01, warm-up of 100
  steps, then a half cosine to 0), 8,000 steps and N(0, 1/rows) weights are chosen here. Adam works in the units of the
  tokens, powers of two: a signal of 10 makes labels 45 times as large as features at d = 20, and without units the
  block stayed at 112.8 after 8,000 steps, near the best of attention alone (114.15). The chart shows the exact risk of
  the present weights, not a sampled loss.
- **Read-out.** g is the last row of W₂ᵀW₁, U = W_KᵀW_Q, and v the last entry of gᵀW_PᵀW_V; a block that is GD-β has
  g = (βᵀ, 1) and v·U₁₁ = Γᵀ. That training ends there is measured, not proved.
- **Rank-deficient H or Ψ** work: closed forms use pseudo-inverses, and the page says so.
- **Limits.** Every control's help says its range and why.
"""


def draw(settings: SignalSettings, matrices: tuple[Tensor | None, Tensor | None]) -> None:
    """Everything right of the controls."""
    task = settings.task(*matrices)
    identity = risks.digest(*matrices)
    best = risks.levels(settings.of_task, identity, matrices)
    numbers(task, best)
    for note in notes(task):
        st.caption(note)
    sweep = levels_section(settings, matrices, identity)
    training_section(settings, matrices, best)
    with top_line:
        note = "The link does not carry your matrices; the Python script does. " if identity else ""
        work = _finished(settings, task)
        if work is None:
            share(
                controls, settings, None, f"{note}Files come with a finished training of these settings: press Train."
            )
        else:
            share(controls, settings, lambda: export.of(SignalResult(settings, work, *matrices)), note)
    flow_section(settings, matrices, identity)
    bound_section()
    with st.expander("What to notice"):
        st.markdown(NOTICE)
    behind = st.expander("Data behind the chart", key="behind_signal", on_change="rerun")
    if behind.open:
        with behind:
            data_table(figures.risk_chart(sweep).table, "Best risks")
    with st.expander("Assumptions, limits and sources"):
        st.markdown(ASSUMPTIONS)


def _finished(settings: SignalSettings, task: SignalTask) -> SignalTraining | None:
    """The training of this visitor, if it has ended and is of these settings and covariances."""
    job = jobs.current(JOB)
    work = job.work if job is not None and job.state == "finished" else None
    return work if isinstance(work, SignalTraining) and work.settings == settings and _same(work.task, task) else None


through_app()
controls = Controls("signal", SignalSettings, {key: lesson.settings for key, lesson in by_key(SIGNAL).items()})
controls.repair_link()
chosen_matrices = sidebar()
chosen, changed_values = controls.read()
top_line = st.container(horizontal=True, vertical_alignment="center")
with top_line:
    st.title("What the MLP adds", width="stretch")
    glossary()
st.caption(
    "When tasks share a signal β\\*, linear attention alone can use it only in part; with a linear MLP it becomes one "
    "step of gradient descent from a learned start."
)
lesson_panel(controls, SIGNAL)
controls.show_repairs(chosen)
for sentence in changed_values:
    st.warning(plain(sentence))
draw(chosen, chosen_matrices)
