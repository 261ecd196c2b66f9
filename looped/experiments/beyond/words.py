"""The verdict of each view and what to notice, written from what was found, in Markdown."""

from collections.abc import Iterator

import numpy as np

from looped.experiments.beyond.append import Append
from looped.experiments.beyond.depth import Depth
from looped.experiments.beyond.heights import BELOW, LOWEST
from looped.experiments.beyond.more_loops import MoreLoops
from looped.experiments.beyond.one_step import OneStep
from looped.experiments.beyond.result import Found
from looped.experiments.beyond.rivals import METHODS, Rivals
from looped.experiments.beyond.stacks import LAYERS, Stacks, best_scalar_steps


def verdict(found: Found) -> str:
    """What came out."""
    match found:
        case Append():
            return _append(found)
        case OneStep():
            return _one_step(found)
        case MoreLoops():
            return _more_loops(found)
        case Rivals():
            return _rivals(found)
        case Depth():
            return _depth(found)
        case Stacks():
            return _stacks(found)


def _append(found: Append) -> str:
    T = found.settings.loops
    several = f"{T} iterates" if T > 1 else "iterate"
    gap = f"{found.relative_gap:.1g} of the largest number"
    return (
        f"**Append, overwrite and explicit descent give the same {several}** (largest difference {gap}), "
        "and no example moves."
        if found.passed
        else f"The three routes differ by {gap}, more than rounding."
    )


def _one_step(found: OneStep) -> str:
    last = {name: float(values[-1]) for name, values in found.statistics.items()}
    who = f"no prompt of {found.settings.prompts:,} diverges**."
    if found.diverging:
        ruled = last["fixed_mean"] > 10 * last["fixed_median"]
        who = f"{100 * found.diverging:.3g} % of the prompts diverge**" + ", and these rule the mean" * ruled + "."
    after = f"{found.settings.loops} steps" if found.settings.loops > 1 else "1 step"
    return (
        f"With the learned step **{who} After {after} the median error is {small(last['fixed_median'])} and the mean "
        f"{small(last['fixed_mean'])}{_over_all(found)}; with the step 1/λ₁ of each prompt they are "
        f"{small(last['own_median'])} and {small(last['own_mean'])}."
    )


def _over_all(found: OneStep) -> str:
    """What the mean over all prompts is, where that is known."""
    return "" if found.mean is None else f" (the mean over all prompts is exactly {small(found.mean)})"


def _more_loops(found: MoreLoops) -> str:
    T, parts = found.settings.loops, []
    if found.bound is not None and found.mean is not None:
        after = f"{T} loops" if T > 1 else "one loop"
        ends = f"the mean error is {small(found.mean[-1])}, the bound {small(found.bound[-1])}"
        parts.append(f"**After {after} {ends} (n = {found.contexts[0]}).**")
    for k, n in enumerate(found.contexts):
        best, share, diverges = int(found.best[k]), found.diverging[k], found.kinds[k] == "diverges"
        factor = f"{beside_two(float(found.middle[k]))}, {'above' if diverges else 'below'} 2"
        what = "it" if k else "the largest eigenvalue of step times covariance"
        some = f" on {100 * (share if diverges else 1 - share):.3g} % of the prompts" if 0 < share < 1 else ""
        when = "0 loops are best" if not best else f"{best} loops are best" if best > 1 else "one loop is best"
        if best == T > 1:
            when = f"all {T} loops are best"
        parts.append(f"Trained on n = {n} {what} is {factor}: the loop **{found.kinds[k]}**{some}, and {when}.")
    return " ".join(parts)


def _rivals(found: Rivals) -> str:
    top, loops = found.kappa[-1], found.loops
    ends = ", ".join(
        f"{METHODS[name]} {int(values[-1]):,}"
        for name, values in loops.items()
        if name not in ("cg", "gd++") and values[-1] == values[-1]
    )
    slopes = found.slopes
    grows = ""
    if slopes["gd"] is not None and slopes["heavy-ball"] is not None:
        each = found.loops_per_decade
        grows = (
            f" Gradient descent grows like κ^({slopes['gd']:.2f}), heavy ball like κ^({slopes['heavy-ball']:.2f}); a "
            f"tenfold κ costs Newton {each['newton']:.2f} loops more and **EAGLE {each['eagle']:.2f}**."
        )
    return f"At κ = {top:.3g} the loops to {found.settings.target_error:g} are: {ends}.{grows}"


def _depth(found: Depth) -> str:
    def course(losses: np.ndarray) -> str:
        L = int(found.loops[len(losses) - 1])
        return f"{small(losses[0])} after one loop" + (f" and {small(losses[-1])} after {L}" if L > 1 else "")

    if found.settings.covariance == "same":
        return (
            f"One covariance for all prompts: at n/d = {found.ratio:.4g} the loss is {course(found.fixed)}; with "
            "infinitely many examples **one loop leaves 0**."
        )
    many = "one loop leaves 0, since at κ = 1 a rotation changes nothing"
    if not found.unrotated:
        many = f"it is {course(found.rotated)}"
    return (
        f"A new rotation in every prompt: at n/d = {found.ratio:.4g} the loss is {course(found.rotated_exact)}; **with "
        f"infinitely many examples {many}**."
    )


def _stacks(found: Stacks) -> str:
    (tied, untied), largest = found.medians(found.by_scale), f"{found.scales[-1]:g} times the covariance"
    usual = int(np.abs(found.scales - 1).argmin())
    return (
        f"On inputs as in training untied layers leave {untied[usual]:.2g} and tied ones {tied[usual]:.2g}; with "
        f"{largest} it is {untied[-1]:.2g} and {tied[-1]:.2g} (medians of {found.by_scale.shape[1]} seeds; the answer "
        "0 leaves 1)."
    )


def notice(found: Found) -> list[str]:
    """What to look for, as far as this result shows it."""
    match found:
        case Append():
            return [
                "**Append or overwrite.** An appended query has empty slots for x and y, so no later token reads "
                "anything from it. In the compact layout it would be read as an example."
            ]
        case OneStep():
            return list(_notice_one_step(found))
        case MoreLoops():
            return list(_notice_more_loops(found))
        case Rivals():
            return list(_notice_rivals(found))
        case Depth():
            return list(_notice_depth(found))
        case Stacks():
            return list(_notice_stacks(found))


def _notice_one_step(found: OneStep) -> Iterator[str]:
    mean, median = (float(found.statistics[f"fixed_{name}"][-1]) for name in ("mean", "median"))
    if found.diverging and mean > 10 * median:
        yield (
            f"**A few prompts rule the mean.** {100 * found.diverging:.3g} % have λ_max(Γ\\*Σ̂) above 2; the mean is "
            f"{mean:.3g} in the end and the median {median:.3g}{_over_all(found)}."
        )
    elif found.diverging:
        yield f"**Some prompts diverge.** {100 * found.diverging:.3g} % have λ_max(Γ\\*Σ̂) above 2."
    else:
        yield f"**No prompt diverges.** The largest λ_max(Γ\\*Σ̂) of this draw is {beside_two(found.furthest)}."


def _notice_more_loops(found: MoreLoops) -> Iterator[str]:
    hidden = (found.medians.min(axis=1) < LOWEST).sum()
    stars = ("the stars", f"the star, and one that is {BELOW} and off the chart", f"both {BELOW} and off the chart")[
        hidden
    ]
    yield (
        "**λ_max(Γ\\*Σ̂) decides before the run.** Where it is above 2 the error grows in the end. The best "
        f"numbers of loops up to {found.settings.loops} are {found.best[0]} and {found.best[1]}: {stars}."
    )
    short, long = map(beside_two, found.middle)
    yield (
        f"**A longer training context makes the learned step longer.** The median of λ_max(Γ\\*Σ̂) is {short} for n = "
        f"{found.contexts[0]} and {long} for n = {found.contexts[1]}."
    )
    if found.bound is None:
        yield "**No published bound here.** It is for a test with the covariance of training."
    if found.crossed is not None:
        yield (
            "**The bound is one of the mean, for infinitely many examples.** With m = "
            f"{found.settings.test_examples} the mean over prompts and tasks stays above it from loop "
            f"{found.crossed} on."
        )


def _notice_rivals(found: Rivals) -> Iterator[str]:
    grow = [f"{METHODS[name]} κ^({slope:.2f})" for name, slope in found.slopes.items() if slope is not None]
    if grow:
        yield f"**Powers of κ.** Loops grow like: {', '.join(grow)}."
    more = [f"{METHODS[name]} {loops:.2f}" for name, loops in found.loops_per_decade.items() if loops is not None]
    if more:
        yield f"**Logarithms of κ.** Loops that a tenfold κ costs: {', '.join(more)}."
    exact, floating = int(found.loops["cg"][-1]), int(found.in_float64[-1])
    order = ", some more or fewer by the order of the sums" if floating > exact else ""
    yield (
        f"**Conjugate gradients.** At κ = {found.kappa[-1]:.3g} and d = {found.settings.features} they take {exact} "
        f"steps in exact arithmetic and {floating} in float64 on a diagonal matrix{order}."
    )


def _notice_depth(found: Depth) -> Iterator[str]:
    L = int(found.exact[-1])

    def course(losses: np.ndarray) -> str:
        first, last = small(losses[0]), small(losses[-1])
        return f"goes from {first} to {last} in {L} loops" if L > 1 else f"is {first} after one loop"

    floor = f", and no depth brings it below 1 − n/d = {found.floor:.3g}" if found.floor else ""
    yield f"**One covariance.** At n/d = {found.ratio:.4g} the loss {course(found.fixed)}{floor}."
    if found.unrotated:
        yield "**A rotation changes nothing here.** Σ is a multiple of I."
    else:
        yield (
            f"**A rotation in every prompt.** With as many examples the loss {course(found.rotated_exact)}. One loop "
            f"leaves {small(found.rotated[0])} even with infinitely many: no one step size fits all eigenvalues of Σ."
        )
    far = np.array([found.limit[len(found.exact) - 1], found.rotated_limit[len(found.exact) - 1]])
    less = (far < [found.fixed[-1], found.rotated_exact[-1]]).all()
    why = ": less, since XᵀX/n then has the same eigenvalues in every prompt, and no rare large one" if less else ""
    after = f"{L} loops" if L > 1 else "one loop"
    yield (
        "**Exact curves and their limits.** The thick lines are means over all prompts of these n and d. For large n "
        f"and d at the same n/d the losses after {after} would be {small(far[0])} and {small(far[1])}{why}."
    )


def _notice_stacks(found: Stacks) -> Iterator[str]:
    tied, untied = found.medians(found.by_scale)
    larger = found.scales > 1
    if (untied[larger] > 1).any() and (tied[larger] > 1).any():
        broken = [found.scales[larger & (losses > 1)][0] for losses in (untied, tied)]
        yield (
            "**Both break.** A loss above 1 is more than that of the answer 0: untied layers have it from "
            f"{broken[0]:g} times the covariance on, tied ones from {broken[1]:g} times on, of the factors measured."
        )
    smaller = found.scales < 1
    if (untied[smaller] < tied[smaller]).all():
        yield "**Smaller inputs.** There the steps are too short for both, and untied layers leave less."
    spans = (found.by_scale[:, :, -1].max(axis=1) / found.by_scale[:, :, -1].min(axis=1)).tolist()
    yield (
        f"**Seeds.** With {found.scales[-1]:g} times the covariance the seeds leave losses that differ by a factor "
        f"of up to {spans[1]:.2g} for untied layers and {spans[0]:.2g} for tied ones: the bands."
    )


def beside_two(value: float) -> str:
    """A number with 3 digits, or as many as it takes to be told from 2."""
    texts = (f"{value:.{digits}g}" for digits in range(3, 18))
    return next((text for text in texts if float(text) != 2), "2")


def small(value: float) -> str:
    """A loss with 3 digits; one far below rounding is not told."""
    return f"{value:.3g}" if value >= LOWEST or value == 0 else BELOW


def trained_words(stacks: Stacks) -> str:
    """What tied and untied layers do after every loop."""
    loop = stacks.medians(stacks.by_loop)
    tied, untied = stacks.monotone
    seeds, (least, most) = stacks.by_loop.shape[1], stacks.above_best
    return (
        f"After the {LAYERS} loops that were trained untied layers leave {loop[1, LAYERS]:.2g} and tied ones "
        f"{loop[0, LAYERS]:.2g} (medians of {seeds} seeds). The best {LAYERS} steps with one number each would leave "
        f"{best_scalar_steps():.3g}: the untied layers end at {least:.2g} to {most:.2g} times that, not at their "
        "optimum. "
        f"The loss falls with every loop in {tied} of {seeds} tied "
        f"and {untied} of {seeds} untied models. After {2 * LAYERS} loops tied layers have {loop[0, 2 * LAYERS]:.2g}, "
        f"untied ones, run through twice, {loop[1, 2 * LAYERS]:.2g}."
    )
