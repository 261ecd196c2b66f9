"""Page 4: what the MLP adds where tasks share a signal. LSA, LTB and one step of gradient descent."""

import streamlit as st
from torch import Tensor

from looped import export
from looped.experiments.signal import charts as figures
from looped.experiments.signal.lessons import SIGNAL
from looped.experiments.signal.result import Over, SignalResult, SignalTraining, Sweep
from looped.experiments.signal.settings import SignalSettings
from looped.fields import SettingsError
from looped.lesson import by_key
from looped.shared_signal import SignalTask, outside_range
from looped.shared_signal.levels import Levels
from looped.shared_signal.tasks import ROUNDING_RULE, read_covariance
from looped.shared_signal.training import Kind, Progress
from looped_ui import jobs, risks
from looped_ui.controls import Controls
from looped_ui.entry import through_app
from looped_ui.glossary import glossary
from looped_ui.lesson import lesson_panel
from looped_ui.parts import data_table, figure, plain, show_number
from looped_ui.share import share

JOB = "signal"
AGAINST: dict[str, Over] = {"s": "signal", "M": "examples", "σ": "noise"}
FILE_RULES = (
    "A .npy file from numpy.save: a symmetric positive semi-definite d × d matrix; its rank may be below d. "
    f"{ROUNDING_RULE}"
)


def sidebar() -> tuple[tuple[Tensor | None, Tensor | None], list[str]]:
    """Draw the controls; give H and Ψ where files are chosen, and a sentence for each file that cannot be used."""
    with st.sidebar:
        for name in ("signal", "examples", "features", "noise"):
            controls.number(name)
        with st.expander("Covariances H and Ψ"):
            matrices, refused = [], []
            for name, label, what in (("H", "H", "features"), ("Psi", "Ψ", "tasks around β*")):
                place = st.container()
                try:
                    matrices.append(_upload(name, label, what))
                except SettingsError as error:
                    matrices.append(None)
                    refused.append(f"{error} The file is not used.")
                with place:
                    replaced = f"The file replaces the κ of {label}. Remove the file to use it."
                    controls.number(f"{name}_condition", unused="" if matrices[-1] is None else replaced)
        with st.expander("Training"):
            for name in ("steps", "batch", "learning_rate"):
                controls.number(name)
            controls.choice("model")
            controls.seed()
        st.button("Reset to defaults", on_click=controls.reset)
    return (matrices[0], matrices[1]), refused


def _upload(name: str, label: str, what: str) -> Tensor | None:
    """A covariance from a file, if one is chosen.

    Raises:
        SettingsError: if it cannot be used.
    """
    if "upload" in controls.hidden:
        return None
    file = st.file_uploader(
        f"{label} from a file", "npy", key=f"upload_{name}", help=f"Covariance of the {what}. {FILE_RULES}"
    )
    return None if file is None else read_covariance(file, file.name, name, controls.read()[0].features)


def numbers(task: SignalTask, best: Levels) -> None:
    """The smallest risks and the gap in a strip."""
    written = best.written
    with st.container(horizontal=True):
        show_number("LTB, with MLP", written["gd"], "smallest risk = best GD-β, closed form",
                    r"$\sigma^2 + \mathrm{tr}(H\Psi) - \mathrm{tr}(S^2\Omega^{-1})$: the smallest risk of one gradient "
                    "step from a learned start, and of the linear transformer block.")  # fmt: skip
        show_number("LSA, no MLP", written["lsa"],
                    f"smallest found; proved: not below {written['lsa_bound']}",
                    r"Linear self-attention has no closed form for $\beta^* \neq 0$: its exact risk is minimised "
                    f"numerically, here from {best.lsa.starts} starts. Weights reach the value; that none go lower is "
                    "not proved. A training that ends lower replaces it.")  # fmt: skip
        show_number("gap", written["gap"], f"at least {written['bound']} by the bound",
                    "How much more risk attention alone has, at its smallest found, than the block. The bound is "
                    r"$\left[\frac{1}{M+1} - \frac{c^2}{(M+1)^2K}\right]\|\beta^*\|_H^2$ with $K = "
                    r"2\,\mathrm{tr}((H\Psi)^2) + \frac{(3M+2)c^2}{M(M+1)}$ and $c = \mathrm{tr}(H\Psi) + \sigma^2$, "
                    r"the larger of the two that hold; the simpler one, $\frac{2}{3(M+1)}\|\beta^*\|_H^2$, is "
                    f"{best.bounds.first:.4g}.",
                    passed=best.gap >= best.bounds.valid * (1 - 1e-9) - 1e-9 * best.gd.risk)  # fmt: skip
        show_number("GD-0", written["gd0"], "one step from 0, closed form",
                    "The best single gradient step that starts at 0 instead of at β\\*.")  # fmt: skip
        exact = best.bayes.standard_error == 0
        show_number("Bayes", written["bayes"],
                    "exact" if exact else f"± {best.bayes.standard_error:.1g}, {best.bayes.draws:,} draws",
                    "Risk of ridge regression centred at β\\*: no function of the prompt does better. Only the "
                    r"examples' features are sampled. If $\mathrm{tr}(H\Psi) \le \sigma^2$, the best GD-β is near it "
                    "(at most 10 % above in 278 random settings); it can be near it otherwise too.")  # fmt: skip
        if not float(task.beta_star.norm()):
            show_number("β\\* = 0", "no gap", "nothing is shared", "Without a shared signal an MLP adds nothing here.")


def notes(task: SignalTask) -> list[str]:
    """What a reader must know about these very numbers."""
    lines = [f"**Rank.** {note}" for note in task.notes]
    if task.rank_S < 2:
        lines.append(
            r"**Rank below 2.** $H^{1/2}\Psi^{1/2}$ has rank below 2. The paper proves for rank 2 and more that "
            "no block is better than the best GD-β; below, it is derived for this project (see the assumptions)."
        )
    if task.sigma == 0 and task.features <= task.M:
        lines.append(
            "**Bayes is 0.** Without noise, M ≥ d examples determine the task; one linear step cannot use that."
        )
    return lines


def levels_section(
    settings: SignalSettings, matrices: tuple[Tensor | None, Tensor | None], identity: str, best: Levels
) -> Sweep:
    """Smallest risks against one setting, with the levels of the strip at the present one."""
    st.subheader("The smallest risks")
    against = st.segmented_control("Against", list(AGAINST), default="s", required=True, key="signal_against",
                                   label_visibility="collapsed")  # fmt: skip
    sweep = risks.sweep(settings.of_task, AGAINST[against or "s"], identity, matrices).holding(settings, best)
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
        shown, reach = (task, best) if work is None else (work.task, work.levels)
        steps = work.settings.steps if work is not None else settings.steps
        history: dict[Kind, list[Progress]] = {}
        if job is not None and work is not None:
            history = {kind: [record[kind] for record in job.records] for kind in work.models}
        figure(figures.training_chart(history, reach, steps), "training")
        for kind, records in history.items():
            if records:
                st.caption(figures.where_training_stands(kind, records[-1], steps, reach))
        if work is None or "ltb" in work.models:
            learned = job.snapshot if job else None
            left, right = st.columns(2)
            with left:
                st.markdown("**Learned start:** g beside β\\*")
                figure(figures.start_chart(learned, shown), "start")
            with right:
                st.markdown("**Learned step:** v·U₁₁ beside Γ\\*ᵀ")
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
        st.caption(flow_text(outside_range(settings.task(*matrices), flow.beta[0])))


def flow_text(outside: float) -> str:
    """What is proved of the flow, and whether it applies.

    Args:
        outside: share of β(0) − β* outside the range of H.
    """
    text = (
        r"Gradient flow of $\frac12 R$ in $\beta$ and $\Gamma$ together, from $\beta = 0$ and $\Gamma = 0$. The "
        r"problem is not convex. If $\beta(0) - \beta^*$ is in the range of $H$, then $\|\beta(t) - \beta^*\|^2 \le "
        r"e^{-2\lambda^+_{\min}(H)\,t/(M+1)}\,\|\beta(0) - \beta^*\|^2$, whatever $\Gamma$ does "
        "([Zhang, Wu, Bartlett 2024](https://arxiv.org/abs/2402.14951)). "
    )
    if outside:
        return text + (
            f"**Here it is not, and no bound is drawn:** {outside:.2g} of its length is outside, and the flow never "
            "moves that part."
        )
    return text + "Here it is."


def bound_section() -> None:
    """Where the bound in print fails."""
    panel = st.expander("A bound in print that fails", key="bound", on_change="rerun")
    if not panel.open:
        return
    with panel:
        task, best = risks.failing_bound()
        st.markdown(
            r"The paper's second lower bound on the gap, $\frac{c^2}{(M+1)^2\,\mathrm{tr}((H\Psi)^2)}\|\beta^*\|_H^2$, "
            f"is not one for small M. With H = Ψ = I, σ = 0, d = {task.features}, M = {task.M} and "
            f"‖β\\*‖² = {task.features} it claims a gap of **{best.bounds.paper_second:.2f}**, but weights of linear "
            f"self-attention with the exact risk {best.written['lsa']} are only **{best.written['gap']}** above the "
            f"best block ({best.written['gd']}). What its "
            r"proof gives is $\left[\frac{1}{M+1} - \frac{c^2}{(M+1)^2K}\right]\|\beta^*\|_H^2$ with "
            r"$K = 2\,\mathrm{tr}((H\Psi)^2) + \frac{(3M+2)c^2}{M(M+1)}$, here "
            f"{best.bounds.valid:.2f} (derived for this project). That one is drawn."
        )


NOTICE = """
- At s = 0 the lines of LTB and LSA meet: without a shared signal the MLP adds nothing to one linear layer.
- Against s, LTB's line is flat: a learned start takes the whole signal away. LSA's and GD-0's lines rise.
- With d = 5, s = 1, H = Ψ = I and σ = 0 the gap is 1.83 at M = 5, 0.52 at M = 40 and 0.07 at M = 400: it closes slowly,
  like 1/M only for large M. At M = 5 it is still 1.26 with σ = 10.
- Train: with the default settings each model ends within 0.1 % of its own level (10 of 10 seeds).
- The trained block's g comes near β\\*, and v·U₁₁ comes near Γ\\*ᵀ: by default within 1.2 % and 2.5 % of their lengths
  (10 seeds), at s = 10 within 0.3 % and 22 % (6 seeds). It has become nearly one step of gradient descent from a
  learned start.
"""

ASSUMPTIONS = r"""
- **Tasks.** $\tilde\beta \sim N(\beta^*, \Psi)$, $x \sim N(0, H)$, $y = \langle\tilde\beta, x\rangle + N(0,
  \sigma^2)$, M examples and one query in a prompt; tokens are the columns of $E = \begin{bmatrix} X^\top & x \\
  y^\top & 0 \end{bmatrix}$. The paper: [Zhang, Wu, Bartlett, NeurIPS 2024](https://arxiv.org/abs/2402.14951).
- **LSA** is the last entry of the last column of $E + W_P^\top W_V\, E\, \mathcal M\, E^\top W_K^\top W_Q\, E / M$,
  where $\mathcal M = \mathrm{diag}(I_M, 0)$; **LTB** multiplies the sum by the linear MLP $W_2^\top W_1$ first. No
  softmax, no biases, no norm; $d_k = d_v = d+1$ and $d_f = 4(d+1)$.
- **Closed forms** of GD-β and its optimum are the paper's Theorem 5.2; GD-0's, and the exact risk of LTB weights, are
  derived for this project; all are checked against sampled prompts. That LTB goes no lower is in the paper for
  $\mathrm{rank}(H^{1/2}\Psi^{1/2}) \ge 2$; for any rank it is derived here: the part of the block's prediction that
  is odd in $y - \langle\beta^*, x\rangle$ is one gradient step from $\beta^*$, and the even part, uncorrelated with
  it, only adds.
- **LSA's level is the smallest risk found**, not proved to be the smallest. The risk has local minima; the search
  starts along $\beta^*$, along what the covariances make of it, along single eigenvectors and at random.
- **Training is ours.** The paper gives Figure 1's batch of 128 prompts a step; Adam, its rate (0.01, warm-up of 100
  steps, then a half cosine to 0), 8,000 steps and N(0, 1/rows) weights are chosen here. Adam works in the units of
  the tokens, powers of two. A signal of 10 makes labels 45 times as large as features at d = 20, M = 40; without
  units the block ended at 112.6 to 114.9 (3 seeds), about where attention alone can get (114.15), with them at 6.91
  to 6.92. The chart shows the exact risk of the present weights, not a sampled loss.
- **Read-out.** g is the last row of $W_2^\top W_1$, $U = W_K^\top W_Q$, and v the last entry of $g^\top W_P^\top
  W_V$; a block that is GD-β has $g = (\beta^\top, 1)$ and $v\,U_{11} = \Gamma^\top$. That training ends near it is
  measured, not proved.
- **Rank-deficient H or Ψ** work: closed forms use pseudo-inverses, and the page says so.
- **Limits.** Every control's help says its range and why. The largest entry of a matrix from a file is from
  $10^{-12}$ to $10^{12}$, so that no product overflows.
"""


def draw(settings: SignalSettings, matrices: tuple[Tensor | None, Tensor | None]) -> None:
    """Everything right of the controls."""
    task = settings.task(*matrices)
    identity = risks.digest(*matrices)
    trained = _training(settings, task)
    best = trained.levels if trained is not None else risks.levels(settings.of_task, identity, matrices)
    numbers(task, best)
    for note in notes(task):
        st.caption(note)
    sweep = levels_section(settings, matrices, identity, best)
    training_section(settings, matrices, best)
    with top_line:
        note = "The link does not carry your matrices; the Python script does. " if identity else ""
        job = jobs.current(JOB)
        if trained is None or job is None or job.state != "finished":
            share(
                controls, settings, None, f"{note}Files come with a finished training of these settings: press Train."
            )
        else:
            share(controls, settings, lambda: export.of(SignalResult(settings, trained, *matrices)), note)
    flow_section(settings, matrices, identity)
    bound_section()
    with st.expander("What to notice"):
        st.markdown(NOTICE)
    behind = st.expander("Data behind the chart", key="behind_signal", on_change="rerun")
    if behind.open:
        with behind:
            data_table(figures.risk_chart(sweep).table, "Smallest risks")
    with st.expander("Assumptions, limits and sources"):
        st.markdown(ASSUMPTIONS)


def _training(settings: SignalSettings, task: SignalTask) -> SignalTraining | None:
    """The training of this visitor, if it is of these settings and covariances; it may still run."""
    job = jobs.current(JOB)
    work = job.work if job is not None else None
    return work if isinstance(work, SignalTraining) and work.settings == settings and _same(work.task, task) else None


through_app()
controls = Controls("signal", SignalSettings, {key: lesson.settings for key, lesson in by_key(SIGNAL).items()})
controls.repair_link()
chosen_matrices, refused_files = sidebar()
chosen, changed_values = controls.read()
top_line = st.container(horizontal=True, vertical_alignment="center")
with top_line:
    st.title("What the MLP adds", width="stretch")
    glossary()
st.caption(
    "When tasks share a signal β\\*, linear attention alone can use it only in part; with a linear MLP it can be one "
    "step of gradient descent from a learned start."
)
lesson_panel(controls, SIGNAL)
controls.show_repairs(chosen)
for sentence in refused_files:
    st.error(plain(sentence))
for sentence in changed_values:
    st.warning(plain(sentence))
draw(chosen, chosen_matrices)
