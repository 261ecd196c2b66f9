"""The first page's sentences about a run, each written from the run's own numbers, in Markdown."""

import math

from looped.algorithms import ALGORITHMS
from looped.chart import SMALLEST_BAND
from looped.experiments.compare.inside import shown_loops
from looped.experiments.compare.summary import Summary
from looped.glossary import WORDS, spoken
from looped.settings import Settings

MODE = f"A mode is {WORDS['mode'].meaning}"
"""What a mode is, as a sentence."""


def prediction(summary: Summary) -> str:
    """The verdict before the run, with what a mode is where it names one."""
    sentence = summary.verdict.prediction_sentence
    if summary.verdict.prediction != "unknown":
        sentence = f"**Predicted before running.** {sentence}"
    named = "mode" in spoken("compare", sentence)
    return f"{sentence} A mode is the error along one eigenvector of XᵀX/n." if named else sentence


def verdict(settings: Settings, summary: Summary) -> str:
    """Whether the transformer and the explicit method agree, with the figure behind it."""
    found, twin = summary.verdict, ALGORITHMS[settings.algorithm].twin
    if found.passed is None:
        return f"The loop is not meant to be {twin}: the largest difference between the two is {found.gap:.2g}."
    same = int(-math.log10(found.relative_gap)) if found.relative_gap else 0
    if not found.passed:
        head = f"Same as explicit {twin} to {same} digits only" if same > 1 else f"Not the same as explicit {twin}"
        made = "" if found.prediction == "converges" else ", which is made for loops that contract"
        return (
            f"**✗ {head}:** the largest relative difference is {found.relative_gap:.1e}, the tolerance "
            f"{found.tolerance:.1e}{made}."
        )
    digits = f"{same} digits" if found.relative_gap else "every digit"
    return (
        f"**Same as explicit {twin} to {digits} ✓** The largest relative difference over all loops and prompts is "
        f"{found.relative_gap:.1e}."
    )


def error(summary: Summary, value: float, digits: int) -> str:
    """An error after the last loop; of a prompt whose iterate is held, where curves are cut off."""
    ceiling = summary.error_ceiling.value
    cut = summary.iterates_held_from_loop is not None and value > ceiling
    return f"over {ceiling:.0e}".replace("e+0", "e") if cut else f"{value:.{digits}g}"


def over_prompts(summary: Summary) -> str:
    """Which of the prompts the error after the last loop is, and between what the others are."""
    prompts, found, held = summary.sizes.prompts, summary.error_after_T, summary.iterates_held_from_loop
    where = "one prompt" if prompts == 1 else f"median of {prompts} prompts"
    if prompts >= SMALLEST_BAND:
        low, high = (error(summary, value, 2) for value in (found.p10, found.p90))
        where = f"median; 10–90 % of {prompts} prompts: {low} to {high}"
    some = "some " if prompts > 1 else ""
    return where if held is None else f"{where}; {some}held from loop {held:,} on"


def what_runs(settings: Settings, summary: Summary) -> str:
    """The run in one line: how the weights came about, the step, and how the loop is evaluated."""
    eta = summary.step_size
    size = f"{eta.median:.3g}" if eta.same else f"{eta.min:.3g} to {eta.max:.3g}"
    named = {"auto": "set from the data", "optimal": "the optimal one of the data"}
    step = named.get(str(settings.step_size), "set by hand")
    drawn = settings.prompts if summary.table is None else 1
    prompts = "the one prompt" if drawn == 1 else f"1 of {drawn} prompts"
    loops = len(shown_loops(settings.loops)) - 1  # it begins before the first one
    some = f", {loops} of {settings.loops:,} loops" if loops < settings.loops else ""
    said = f"step {size}, {step} · {form(settings, summary)} · shown: {prompts}{some}"
    return f"Weights written down, not trained · {said}"


def form(settings: Settings, summary: Summary) -> str:
    """How the loop is evaluated."""
    sizes, algorithm = summary.sizes, ALGORITHMS[settings.algorithm]
    if settings.form == "token" or not algorithm.has_state:
        return "every loop reads all examples (token form)"
    few = algorithm.maps and sizes.examples <= sizes.features
    if few or sizes.rank < min(sizes.examples, sizes.features):
        return "every loop reads as few examples as stand for all (state form)"
    return "the examples are read once, into a matrix (state form)"


def notes(settings: Settings, summary: Summary) -> list[str]:
    """Sentences that a reader needs for this picture."""
    sizes, ceiling, algorithm = summary.sizes, summary.error_ceiling, ALGORITHMS[settings.algorithm]
    lines = []
    if sizes.rank < sizes.features:
        few = sizes.examples < sizes.features
        head = f"**n < d.** n = {sizes.examples}" if few else f"**Numerical rank {sizes.rank} < d.** The examples"
        lines.append(
            f"{head} cannot determine d = {sizes.features} weights; w_ref is {summary.limit(settings)}. κ is taken "
            f"over the {sizes.rank} eigenvalues that are not 0 up to rounding."
        )
    if (floor := summary.least_squares_floor) is not None:
        why = f"**Noise σ = {settings.noise:g}.** " if settings.noise > 0 else ""
        ends = "" if algorithm.softmax else "A loop that converges ends at w_ref, not at αw*. "
        line = f"{why}{ends}The distance from w_ref to αw*, relative to αw*, is {floor.median:.3g}"
        if floor.undercut:
            line += f"; after {floor.best_loop} loops that of w_t is {floor.best_error:.3g}, its smallest"
        lines.append(f"{line} (medians).")
    if ceiling.reached_at_loop is not None:
        lines.append(
            f"**Capped.** Beyond a relative error of {ceiling.value:,.0f} curves are cut off; the first "
            f"prompt reaches it at loop {ceiling.reached_at_loop}. The iterates in arrays.npz are not cut."
        )
    if (held := summary.iterates_held_from_loop) is not None:
        lines.append(f"**Held.** From loop {held} on a prompt's iterate is too large to continue, and is repeated.")
    if why_failed := summary.verdict.why_failed:
        lines.append(f"**Why FAIL?** {why_failed}")
    if min(sizes.examples, sizes.features) == 1 and settings.data == "exact":
        lines.append("**One eigenvalue.** With min(n, d) = 1 there is only one eigenvalue, so κ is 1.")
    return [*lines, *summary.bounds_not_drawn]


def notice(settings: Settings, summary: Summary) -> list[str]:
    """Sentences on what to look for in this chart."""
    algorithm, verdict = ALGORITHMS[settings.algorithm], summary.verdict
    lines = [
        algorithm.circles(verdict.passed, verdict.relative_gap),
        algorithm.notice,
        *algorithm.hints(settings, summary.condition_number.max),
    ]
    if summary.sizes.rank > 1 and algorithm.one_query:
        lines.append(
            "The table has w in the features, the valley the same w along two eigenvectors of XᵀX/n, which are turned "
            "against the features: so the numbers differ."
        )
    if (floor := summary.rounding_floor) is not None:
        bound = ", which is a statement about exact arithmetic" if any(summary.bounds.values()) else ""
        above = f", and may lie above a bound{bound}" if bound else ""
        lines.append(
            f"Near a relative error of {floor.median:.0e} (an estimate) rounding takes over: from there on the "
            f"lines are noise{above}."
        )
    return lines


def assumptions(settings: Settings) -> list[str]:
    """The sources of the numbers, and what they do not say."""
    algorithm = ALGORITHMS[settings.algorithm]
    return [
        f"**The transformer is constructed, not trained.** Its weights are written down so that one pass is one step "
        f"of {algorithm.step()}. It computes with tokens and these weights only; it never sees w\\* or the explicit "
        "solver.",
        "**η is read from the data** where it is auto or optimal: P and Q are shared by all prompts, but the step size "
        "is a number per prompt that multiplies the layer's output. Switch on *One η for all prompts* to make the "
        "weights alone the model.",
        "**Exact κ** refers to the min(n, d) non-zero eigenvalues of XᵀX/n, whose sum is d. w\\* is uniform on the "
        "unit sphere.",
        algorithm.routes(),
        "**Bounds** are about gradient descent with the step read from the data. |α|e^(−T/(2κ)) is quoted from a "
        "summary of [Chen, Li, Liang, Shi, Song: AISTATS 2025](https://arxiv.org/abs/2410.11268), whose full text was "
        "not read; on this axis it is divided by |α|. The construction and the other two rates are derived for this "
        "project and checked numerically.",
        "**Limits.** The help of every control gives its range and the reason for it.",
    ]


def equation(settings: Settings, summary: Summary) -> list[str]:
    """One loop on w with the run's numbers in it, TeX: one line, or the formula and a list of its numbers."""
    algorithm, eta = ALGORITHMS[settings.algorithm], summary.step_size
    number = in_tex(eta.max) if eta.same else rf"{in_tex(eta.min)}\ldots{in_tex(eta.max)}"
    scale = "" if settings.label_scale == 1 else rf"({in_tex(settings.label_scale)})\,"
    if filled := algorithm.filled(number, summary.sizes.examples, scale):
        return [filled]
    values = ((symbol, summary.parameters[name]) for name, symbol in algorithm.symbols)
    numbers = {r"\eta": number, "n": str(summary.sizes.examples)}
    numbers |= {symbol: in_tex(value) for symbol, value in values if value is not None}
    return [algorithm.equation, r",\quad ".join(f"{symbol} = {value}" for symbol, value in numbers.items())]


def in_tex(number: float) -> str:
    """A number with four digits as mathematics writes it."""
    digits, _, exponent = f"{number:.4g}".partition("e")
    return rf"{digits}\cdot 10^{{{int(exponent)}}}" if exponent else digits
