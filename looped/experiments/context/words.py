"""The second page's sentences about a sweep, each written from the sweep's own numbers, in Markdown."""

import math

import numpy as np

from looped import theory
from looped.experiments.context.result import RULED_BY_FEW, ContextResult
from looped.experiments.context.settings import ContextSettings

SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
TENTHS = 10
"""Prompts from which on "9 of 10 prompts" can be said."""
ROWS = {
    "gaussian": "independent normal features", "student": "independent heavy-tailed features",
    "rademacher": "independent random signs as features", "correlated": "correlated normal features",
}  # fmt: skip
"""How the features are drawn."""
KINDS = {"gaussian": "normal", "student": "heavy-tailed", "rademacher": "signs ±1", "correlated": "correlated"}
"""The same in a word, beside another."""
STEPS = {"auto": "η = 1/λ₁", "optimal": "η = 2/(λ₁ + smallest λ)"}


def decades(value: float) -> str:
    """A power of ten by its exponent, rounded: 10¹⁹⁰."""
    return "10" + f"{value:.0f}".translate(SUPERSCRIPT)


def step_words(settings: ContextSettings) -> str:
    """The construction's step size as a formula."""
    return STEPS.get(
        str(settings.step_size), f"η = {settings.step_size:g} for all prompts" if is_number(settings) else ""
    )


def difference(settings: ContextSettings, other: ContextSettings) -> str:
    """Where one sweep differs from another, as the first has it; empty where its need is that of the other.

    How far it goes is named where nothing else differs.
    """
    correlated = {settings.rows, other.rows} == {"gaussian", "correlated"}
    rows = "independent" if correlated and settings.rows == "gaussian" else KINDS[settings.rows]
    step = step_words(settings).removesuffix(" for all prompts")
    parts = {"features": f"d = {settings.features}", "rows": rows, "step_size": step}
    named = ", ".join(text for name, text in parts.items() if getattr(settings, name) != getattr(other, name))
    return named or (f"up to T = {settings.loops}" if settings.loops != other.loops else "")


def is_number(settings: ContextSettings) -> bool:
    """True where one step size was typed in for all prompts."""
    return not isinstance(settings.step_size, str)


def ratio_text(needed: float, smallest: float) -> str:
    """A needed n/d; "none" if no measured one is enough, "≤" if the smallest already is."""
    if math.isnan(needed):
        return "none"
    return f"≤ {needed:.3g}" if needed <= smallest else f"{needed:.3g}"


def edge_words(result: ContextResult, place: int) -> str:
    """The median κ at one n/d beside what is known about its limit for these features."""
    settings, kappa, edge = result.settings, result.median_kappa[place], result.marchenko_pastur[place]
    if settings.rows == "correlated":
        return f"Σ alone has {settings.row_condition_number:g}"
    if settings.rows == "student":
        return "Marchenko–Pastur does not hold for these features"
    if math.isfinite(edge):
        return f"{kappa / edge:.2f} of Marchenko–Pastur's {edge:.3g}"
    return "Marchenko–Pastur's is infinite here"


def notes(result: ContextResult) -> list[str]:
    """Sentences that a reader needs for these pictures."""
    settings, T = result.settings, result.settings.shown
    lines = []
    if under := int(result.undetermined.sum()):
        lines.append(
            f"**n < d.** At n/d below 1 ({under} of {len(result.n)} values) the examples leave part of w\\* unseen: "
            "the loop aims at the shortest solution, and no number of loops comes closer to w\\* than that part. The "
            "mean of its square is 1 − n/d for independent examples; its median length is "
            f"{result.median_floor[0]:.2f} at n/d = {result.ratio[0]:.3g}. κ is taken over the non-zero eigenvalues, "
            "and no bound is drawn there."
        )
    dependent = (result.floor > 0) & ~result.undetermined[:, None]
    if dependent.any():
        lines.append(
            f"**Dependent features.** In {dependent.sum()} of {(~result.undetermined).sum() * settings.prompts} "
            "prompts with n ≥ d the examples do not determine w\\*. The statements for n < d hold for them too, and no "
            "bound is drawn at their n/d."
        )
    diverging, worst = result.diverging, result.most_diverging
    if diverging[worst]:
        lines.append(
            f"**Divergence.** With one η = {settings.step_size:g} for all prompts, {diverging.sum()} of "
            f"{result.growth.size} prompts have λ₁ > 2/η and diverge; most at n/d = {result.ratio[worst]:.3g}, "
            f"{diverging[worst]} of {settings.prompts}."
        )
    few = result.ruled_by_few(T)
    if few.size:
        k = few[0]
        who = (
            f"{diverging[k]} of its {settings.prompts} prompts diverge" if diverging[k] else "no prompt diverges there"
        )
        lines.append(
            f"**The median is drawn.** After T = {T} loops the mean error is more than {RULED_BY_FEW:g} times the "
            f"median at {few.size} of {len(result.n)} values of n/d: fewer than half of the prompts dominate it. At "
            f"n/d = {result.ratio[k]:.3g} the mean is {result.mean[k, T]:.1e}, the median {result.median[k, T]:.1e}, "
            f"and {who}."
        )
    if result.largest_of_bound is None:
        lines.append(
            "**No bound is drawn**: it needs examples that determine w\\* in every prompt, and a step read from the "
            "data (auto or optimal)."
        )
    return lines


def notice(result: ContextResult) -> list[str]:
    """Sentences on what to notice, as far as this sweep shows it."""
    settings, target, T = result.settings, result.settings.target_error, result.settings.shown
    lines = [_need_over_loops(result)]
    if (limit := result.limit_ratio(T)) is not None:
        lines.append(
            f"**More features.** As d grows, the need tends to n/d = {limit:.3g} for T = {T} and an error of "
            f"{target:g}: n = O(d). In that limit all prompts need the same; at a finite d some need more than others."
        )
    wide = np.flatnonzero(result.ratio >= 1)
    if len(np.unique(result.n[wide])) > 1:
        last = wide[-1]
        first = next((k for k in wide if 2 <= result.ratio[k] < result.ratio[last]), wide[0])
        tends = settings.row_condition_number if settings.rows == "correlated" else 1
        lines.append(
            f"**κ.** The median κ is {result.median_kappa[first]:.3g} at n/d = {result.ratio[first]:.3g} and "
            f"{result.median_kappa[last]:.3g} at n/d = {result.ratio[last]:.3g}; as n grows it tends to {tends:g}"
            + (", the κ of Σ." if settings.rows == "correlated" else ".")
        )
    lines.append(
        f"**The exponential requirement** is about {decades(theory.exponential_requirement(2, settings.features))} "
        f"examples at T = 2 and d = {settings.features} already. It is derived here from one proof about learned "
        "weights."
    )
    if (learned := _learned(result)) is not None:
        lines.append(learned)
    lines.append(
        "**Below n = d** no number of loops comes closer to w\\* than the part that the examples leave unseen; the "
        "mean of its square is 1 − n/d for independent examples."
    )
    return lines


def unreached(result: ContextResult) -> str:
    """The beginning of a sentence: no measured n/d brings the median error to the target."""
    return f"No measured n/d (up to {result.ratio[-1]:.3g}) brings the median error to {result.settings.target_error:g}"


def _need_over_loops(result: ContextResult) -> str:
    """A sentence on how the need changes with T, or that nothing is enough."""
    settings, target = result.settings, result.settings.target_error
    needed = result.needed_ratio(target)[1:]
    found = np.flatnonzero(np.isfinite(needed))
    if not found.size:
        return f"**The target is out of reach.** {unreached(result)} within T = {settings.loops} loops."
    first, last = found[0], found[-1]
    text = f"**More loops.** For a median error of {target:g} the construction with {step_words(settings)} "
    if first == last:
        return text + f"needs n/d {_at(result, needed[first])} at T = {first + 1}."
    text += (
        f"needs n/d {_at(result, needed[first])} at T = {first + 1} and n/d {_at(result, needed[last])} at T = "
        f"{last + 1}"
    )
    after = needed[first:]
    falls = np.isfinite(after).all() and (np.diff(after) <= 1e-9 * after[1:]).all()
    if not falls:
        return text + "; with this step more loops do not always need fewer examples."
    requirement = (theory.exponential_requirement(int(k) + 1, settings.features) for k in (first, last))
    small, large = map(decades, requirement)
    return text + f": never more for more loops. The exponential requirement rises from {small} to {large} meanwhile."


def _at(result: ContextResult, needed: float) -> str:
    """The need as an equation, or as a limit where already the smallest measured n/d is enough."""
    text = ratio_text(needed, result.ratio[0])
    return text if text.startswith("≤") else f"= {text}"


def _learned(result: ContextResult) -> str | None:
    """The need of the trained A beside the construction's, at the trained T nearest to the one shown."""
    grid, settings, target = result.learned, result.settings, result.settings.target_error
    if grid is None:
        return None
    needed = result.learned_needed_ratio(target)
    both = [k for k, T in enumerate(grid.loops) if settings.loops >= T]
    both = [k for k in both if np.isfinite(needed[k]) and np.isfinite(result.needed_ratio(target)[grid.loops[k]])]
    if not both:
        return None
    k = min(both, key=lambda k: abs(math.log(grid.loops[k] / settings.shown)))
    T = grid.loops[k]
    return (
        f"**Learned weights.** At T = {T} the median prompt needs n/d {ratio_text(needed[k], result.learned_ratio[0])} "
        f"with the trained A and {ratio_text(result.needed_ratio(target)[T], result.ratio[0])} with the construction, "
        f"{step_words(settings)}, on prompts of the same seed. The trained A is one matrix for all prompts; "
        + ("so is the step." if is_number(settings) else "the construction reads η from each.")
    )


def learned_note(result: ContextResult) -> str | None:
    """Sentences on how learned and constructed weights are compared, and what was learned; None without trained A."""
    if (grid := result.learned) is None:
        return None
    row, column = grid.most_antisymmetric
    return (
        "Learned and constructed weights are judged by the same median of the same relative error of w_T, on prompts "
        f"of the same seed. A was trained once for each n and T, from seed {result.settings.seed}: what training finds "
        f"is measured, not proved. Up to {grid.antisymmetric[row, column]:.0%} of its length is antisymmetric (at n/d "
        f"= {result.learned_ratio[row]:.3g}, T = {grid.loops[column]}), which no multiple of the identity has. The "
        "theorem speaks of far larger n, so this does not contradict it. Medians are compared because at many loops "
        "rare prompts dominate the mean."
    )
