"""Page 2: how many examples T loops need, measured, next to two requirements."""

import math

import streamlit as st

from looped import export, theory
from looped.experiments.context import ContextResult, ContextSettings, Progress, Sweep, check, estimate
from looped.experiments.context.settings import MAX_LEARNED_FEATURES
from looped.experiments.context.stored import answers, stored
from looped.fields import SettingsError
from looped.figures.context import CHARTS
from looped.figures.picture import Picture
from looped.lessons import CONTEXT, by_key
from pages.ui import backend, jobs
from pages.ui.controls import Controls
from pages.ui.entry import through_app
from pages.ui.glossary import glossary
from pages.ui.lesson import lesson_panel
from pages.ui.parts import data_table, figure, made_by, plain, show_number, typeset
from pages.ui.share import share

JOB = "context"
AT_ONCE_SECONDS = 1.0  # a sweep estimated below this runs when a setting changes; above, a button says what it costs
NOT_CORRELATED = "Only correlated rows have a covariance to choose. Choose them above to use it."
SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def sidebar() -> None:
    """Draw the controls."""
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


def find(settings: ContextSettings) -> ContextResult | None:
    """The sweep these settings ask for, if it is stored, has been run for this visitor or takes no time."""
    if (result := answers(settings)) is not None:
        return result
    job = jobs.current(JOB)
    if job is not None and job.snapshot is not None and job.snapshot.settings.computed == settings.computed:
        return job.snapshot.looking_at(settings)
    if estimate(settings) <= AT_ONCE_SECONDS:
        return backend.sweep(settings.computed).looking_at(settings)
    return None


def in_place_of(settings: ContextSettings) -> ContextResult:
    """What is shown until a sweep is run: its construction alone if that takes no time, else the stored default."""
    if settings.learned and (result := find(settings.replace(learned=False))) is not None:
        st.warning("Until then the charts show the construction alone, without learned weights.")
        return result
    st.warning("Until then the charts show the stored default: d = 10, normal rows, 64 prompts, T up to 200.")
    default = stored()[0]
    look = default.settings.replace(shown_loops=settings.shown_loops, target_error=settings.target_error)
    return default.looking_at(look)


def work(settings: ContextSettings) -> None:
    """What a sweep that takes longer will cost, with its buttons and its progress."""
    st.info(f"This sweep takes about {duration(estimate(settings))} of one core. It can be stopped at any time.")
    computed = settings.computed
    jobs.buttons(JOB, lambda: Sweep(computed), label="Compute")

    def progress(job: jobs.Job[Progress] | None) -> None:
        if job is None:
            return
        own = isinstance(job.work, Sweep) and job.work.settings == computed
        other = "" if own else " This is a sweep of other settings: Compute begins with these."
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
    needed, most = (result.needed_ratio(target, quantile)[T] for quantile in (1, 2))
    with st.container(horizontal=True):
        show_number(
            f"n/d for T = {T}",
            ratio_text(needed, result.ratio[0]),
            f"construction; 9 of 10 prompts: {ratio_text(most, result.ratio[0])}",
            f"Smallest n/d from which on the median error after T loops is at most {target:g}, measured on "
            f"{settings.prompts} prompts for each n and interpolated between them on logarithmic axes.",
        )
        if (grid := result.learned) is not None:
            place = grid.nearest(T)
            show_number(
                f"n/d, learned, T = {grid.loops[place]}",
                ratio_text(result.learned_needed_ratio(target)[place], result.learned_ratio[0]),
                "A trained at every n/d and T of its grid; the nearest T",
                "The same for the trained preconditioner A: the same prompts, the same error, the same median. One A "
                "serves all prompts, where the construction reads its step from each.",
            )
        decades = theory.exponential_requirement(T, settings.features)
        show_number(
            "exponential n",
            "10" + f"{decades:.0f}".translate(SUPERSCRIPT),
            f"64 T²d⁴8⁴ᵀ at T = {T}",
            "Derived here from a theorem about weights that minimise the loss (Gatmiry et al.): enough in theory, for "
            "learned weights. It is not about the construction.",
        )
        place = result.nearest(4)
        kappa, limit = result.median_kappa[place], result.marchenko_pastur[place]
        show_number(
            f"κ at n = {result.ratio[place]:.3g} d",
            f"{kappa:.3g}",
            f"{kappa / limit:.2f} of Marchenko–Pastur's {limit:.3g}"
            if math.isfinite(limit)
            else "Marchenko–Pastur's is infinite here",
            "Median condition number of XᵀX/n. Marchenko and Pastur's ((1+√(d/n))/(1−√(d/n)))² is for independent rows "
            "in the limit of large d; small d has a smaller median.",
        )
        if (largest := result.largest_of_bound) is not None:
            show_number(
                "error / bound",
                f"≤ {largest:.2f}",
                "every prompt with n ≥ d, every loop from 1",
                "The largest error/e^(−T/(2κ)) over all prompts and loops, each at its prompt's own measured κ.",
                passed=largest <= 1,
            )


def ratio_text(needed: float, smallest: float) -> str:
    """A needed n/d; "none" if no measured one is enough, "≤" if the smallest already is."""
    if math.isnan(needed):
        return "none"
    return f"≤ {needed:.3g}" if needed <= smallest else f"{needed:.3g}"


def notes(result: ContextResult) -> list[str]:
    """What a reader must know about these very pictures."""
    settings, T = result.settings, result.settings.shown
    lines = []
    if settings.shown_loops > settings.loops:
        lines.append(f"**T.** {settings.shown_loops} loops are beyond T max: T = {T} is shown.")
    if under := result.undetermined.sum():
        lines.append(
            f"**n < d.** At n/d below 1 ({under} of {len(result.n)} values) the examples leave part of w\\* "
            f"unseen: the loop finds the shortest solution, and the distance to w\\* stops near √(1 − n/d), measured "
            f"{result.median_floor[0]:.2f} at n/d = {result.ratio[0]:.3g}. κ counts the non-zero eigenvalues, and "
            "no bound is drawn there."
        )
    diverging, worst = result.diverging, result.most_diverging
    if diverging[worst]:
        lines.append(
            f"**Divergence.** With one η = {settings.step_size} for all prompts, {diverging.sum()} of "
            f"{result.growth.size} prompts have λ₁ > 2/η and diverge; most at n/d = {result.ratio[worst]:.3g}, "
            f"{diverging[worst]} of {settings.prompts}."
        )
    few = result.ruled_by_few(T)
    if few.size:
        k = few[0]
        lines.append(
            f"**The median is drawn.** After T = {T} loops the mean is more than 10 times the median at {few.size} of "
            f"{len(result.n)} values of n/d: few prompts, {'divergent' if diverging[k] else 'badly conditioned'} ones, "
            f"rule it. At n/d = {result.ratio[k]:.3g} the mean is {result.mean[k, T]:.1e}, the median "
            f"{result.median[k, T]:.1e}."
        )
    if result.largest_of_bound is None:
        lines.append("**No bound is drawn**: it needs n ≥ d and a step read from the data (auto or optimal).")
    return lines


def claims(result: ContextResult) -> None:
    """The two requirements, and what each one claims."""
    st.markdown(
        "| | n > 64 T²d⁴8⁴ᵀ | n = c·d |\n|---|---|---|\n"
        "| about | **learned** weights: those that minimise the training loss | a **construction**: weights written "
        "down |\n"
        "| says | with so many examples the minimiser is near gradient descent, A ≈ Σ⁻¹ | with so many, κ is a "
        "constant, and T loops reach the error (1 − 1/κ)ᵀ |\n"
        "| kind | enough in theory; not said to be necessary | from a rate that holds at any κ, and κ in the limit of "
        "large d |\n"
        "| known | derived here from the constant c₀ < 1 of Gatmiry et al. 2024, read in third-party notes | "
        "abstract of Chen et al. 2025 for the claim; rate and c derived here and checked |\n"
        "| measured | the trained A | the constructed transformer |\n"
    )
    grid = result.learned
    if grid is None:
        return
    row, column = grid.most_antisymmetric
    st.caption(
        typeset(
            "Learned and constructed weights are compared like with like: the same prompts, the same relative error of "
            "w_T, the same median. What training finds is measured, not proved: here A is not near a multiple of the "
            f"identity; up to {grid.antisymmetric[row, column]:.0%} of its length is antisymmetric (at n/d = "
            f"{result.learned_ratio[row]:.3g}, T = {grid.loops[column]}). The theorem speaks of "
            "far larger n, so this does not contradict it. Over many fresh prompts the mean error of a trained A is "
            "ruled by rare ones, so medians are compared."
        )
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


def draw(settings: ContextSettings) -> None:
    """Everything right of the controls."""
    try:
        check(settings)
    except SettingsError as error:
        st.error(plain(str(error)))
        return
    result = find(settings)
    if result is None:
        work(settings)
        result = in_place_of(settings)
    else:
        with top_line:
            again = f"The Python script trains A again, about {duration(estimate(result.settings))}."
            share(controls, settings, lambda: export.of(result), again if result.learned else "")
    numbers(result)
    charts = pictures(result)
    for place in range(0, len(charts), 2):
        for column, (heading, picture) in zip(st.columns(2), charts[place : place + 2], strict=False):
            with column:
                st.subheader(heading)
                figure(picture, f"chart{place}{heading}")
        if place == 0:
            for note in notes(result):
                st.caption(typeset(note))
        if place == 2:
            claims(result)
    with st.expander("What to notice"):
        st.markdown(typeset(NOTICE))
    behind = st.expander("Data behind the charts", key="behind_context", on_change="rerun")
    if behind.open:
        with behind:
            heading = st.selectbox("Chart", [heading for heading, _ in charts])
            data_table(dict(charts)[heading].table, heading)
    with st.expander("Assumptions, limits and sources"):
        st.markdown(typeset(ASSUMPTIONS))
        made_by(stored()[1])


NOTICE = """
- The level line in the map falls to the left: **more loops need fewer examples**, not exponentially more.
- On the right of the κ chart nothing moves: beyond a few examples per feature κ is a constant. That is all that
  n = O(d) needs.
- d hardly matters: move d from 10 to 40 and nearly the same n/d is needed.
- The exponential requirement is beyond 10¹³ examples at T = 2 already. It is derived here from one proof about
  **learned** weights; the trained A, measured in the same way, needs fewer examples than the construction with
  η = 1/λ₁, and about as many as with the best constant step (choose optimal under *Step size*).
- Below n = d the distance to w\\* stops near √(1 − n/d), however many loops are run.
"""

ASSUMPTIONS = f"""
- **The transformer itself is run.** Every error is read from the query token of the constructed looped transformer, one
  trace of T max loops for each prompt. w\\* is uniform on the unit sphere, labels have no noise.
- **The error** is ‖w_T − w\\*‖/‖w\\*‖; where n ≥ d that is the distance to w_ref. Medians over prompts, 10–90 % bands.
- **η is read from each prompt's data** (auto 1/λ₁, or optimal). A number typed in serves all prompts alike, and some
  of them may then diverge.
- **Rows** have variance 1 on average: independent normal, Student's t with 3 degrees of freedom scaled to variance 1,
  fair signs, or normal with one covariance Σ for all prompts, tr Σ = d.
- **Learned A.** Q = diag(A, 0), P = diag(0, 1) in the model of Gatmiry et al. with u = 0: T loops are T steps
  w ← w − Aᵀ(1/n)Xᵀ(Xw − y). A starts at random and is trained on fresh prompts of the same kind by damped
  Gauss–Newton, for its own n and T, d at most {MAX_LEARNED_FEATURES}. Rows of every second training prompt are
  stretched (by √1.1, from T = 10 on by √1.4), because rare prompts with a large λ₁ rule the loss. What is kept is the A
  with the least median loss on prompts it had not seen: one divergent prompt can throw a training step far off.
- **Marchenko and Pastur's κ** is a limit of large d for independent rows of variance 1: at n = 4d the median is 0.69
  of it for d = 10 and 0.95 for d = 200. For Student's t, whose fourth moment is infinite, it does not hold.
- **e^(−T/(2κ))** is quoted from a summary of [Chen, Li, Liang, Shi, Song: AISTATS
  2025](https://arxiv.org/abs/2410.11268), whose full text was not read; it follows from the rates derived here.
- **n > 64 T²d⁴8⁴ᵀ** is derived for this project from c₀ = 8δd^(1/(2L)) < 1, δ = (8Ld/√n)^(1/(2L)) of [Gatmiry et al.:
  ICML 2024](https://arxiv.org/abs/2410.08292), read in third-party notes; L is T here.
- **Limits.** Every control's help says its range and why.
"""

through_app()
controls = Controls("context", ContextSettings, {key: lesson.settings for key, lesson in by_key(CONTEXT).items()})
controls.repair_link()
sidebar()
chosen, changed_values = controls.read()
top_line = st.container(horizontal=True, vertical_alignment="center")
with top_line:
    st.title("How many examples?", width="stretch")
    glossary()
st.caption(
    "T loops of a looped transformer are T steps of gradient descent, and their error depends on the examples through "
    "κ alone. So a few examples per feature, n = O(d), are enough."
)
lesson_panel(controls, CONTEXT)
controls.show_repairs(chosen)
for sentence in changed_values:
    st.warning(plain(sentence))
draw(chosen)
