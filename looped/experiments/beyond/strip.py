"""The strip of numbers below the picture of each view, and the one that says most."""

from dataclasses import dataclass

import numpy as np

from looped.experiments.beyond.append import Append
from looped.experiments.beyond.depth import RUN, Depth
from looped.experiments.beyond.more_loops import MoreLoops
from looped.experiments.beyond.one_step import OneStep
from looped.experiments.beyond.result import Found
from looped.experiments.beyond.rivals import METHODS, Rivals
from looped.experiments.beyond.stacks import LAYERS, Stacks
from looped.experiments.beyond.words import beside_two, small
from looped.files import finite
from looped.numerals import with_error


@dataclass(frozen=True, slots=True)
class Number:
    """One number of the strip."""

    label: str
    value: str
    below: str
    """A line below it."""
    about: str
    """Section of the page's Markdown that explains it."""
    passed: bool | None = None
    """A verdict, if it is one."""


def numbers(found: Found) -> list[Number]:
    """The numbers of a view."""
    match found:
        case Append():
            gap, prompts = f"{found.relative_gap:.1e}", f"{found.run} prompt{'s' * (found.run > 1)}"
            short = found.settings.examples + 1
            T = found.settings.loops
            return [
                Number("largest gap", gap, f"append, overwrite, explicit; {prompts}", "Gap", found.passed),
                Number("tokens at the end", f"{short + T}", f"appended; overwritten {short}", "Tokens at the end"),
                Number(f"error after {T}", small(float(found.errors["appended"][-1])), f"median of {prompts}", "Error"),
            ]
        case OneStep():
            mean, error = found.first_step
            drawn = " ± ".join(with_error(mean, error)) if error else f"{mean:.4g}"
            last = {name: float(values[-1]) for name, values in found.statistics.items()}
            T, own = found.settings.loops, small(last["own_mean"])
            over_all = "" if found.mean is None else f"exactly {small(found.mean)}; "
            return [
                Number("risk after one step", f"{found.risk:.4g}", f"exact; drawn {drawn}", "Risk"),
                Number("diverge", f"{100 * found.diverging:.3g} %", "prompts with λ_max(Γ\\*Σ̂) above 2", "Diverge"),
                Number(
                    f"median after {T}", small(last["fixed_median"]), f"own step: {small(last['own_median'])}", "Median"
                ),
                Number(f"mean after {T}", small(last["fixed_mean"]), f"{over_all}own step: {own}", "Mean"),
            ]
        case MoreLoops():
            rows = []
            for k, n in enumerate(found.contexts):
                middle, share = found.middle[k], 100 * found.diverging[k]
                rows.append(
                    Number(f"λ_max, n = {n}", beside_two(middle), f"{share:.3g} % of the prompts diverge", "λ_max")
                )
                best = found.medians[k, found.best[k]]
                rows.append(
                    Number(f"best loops, n = {n}", f"{found.best[k]}", f"median there {best:.3g}", "Best loops")
                )
            if found.bound is not None and found.mean is not None:
                passing = "not in the end" if found.above.any() else "never"
                crossed = passing if found.crossed is None else f"from loop {found.crossed}"
                both = f"mean {small(found.mean[-1])}, bound {small(found.bound[-1])}"
                rows.append(Number("above the bound", crossed, both, "Bound"))
            else:
                rows.append(Number("published bound", "none", "it is for the covariance of training", "No bound"))
            return rows
        case Rivals():
            slopes, more = found.slopes, found.loops_per_decade
            rows = [
                Number(METHODS[name], "–" if slope is None else f"{slope:.2f}", "exponent of κ", "Slopes")
                for name, slope in slopes.items()
            ]
            rows += [
                Number(METHODS[name], "–" if loops is None else f"+{loops:.2f}", "loops for a tenfold κ", "Decades")
                for name, loops in more.items()
            ]
            agree = sum(counted == taken for _, _, counted, taken in found.checks)
            took = f"{agree} of {len(found.checks)}"
            rows.append(Number("transformer", took, "runs take the loops that were counted", "Checks", found.passed))
            return rows
        case Depth():
            exact = {int(found.exact[k]): k for k in (0, len(found.exact) - 1)}  # one where T = 1
            rows = [
                Number(f"one Σ, L = {L}", small(found.fixed[k]), f"limit: {small(found.limit[k])}", "Fixed")
                for L, k in exact.items()
            ]
            rows += [
                Number(
                    f"rotated, L = {L}", small(found.rotated_exact[k]),
                    f"limit: {small(found.rotated_limit[k])}; n → ∞: {small(found.rotated[k])}", "Rotated",
                )
                for L, k in exact.items()
            ]  # fmt: skip
            return [*rows, _transformer(found)]
        case Stacks():
            places = {"as trained": int(np.abs(found.scales - 1).argmin()), f"Σ × {found.scales[-1]:g}": -1}
            return [
                Number(
                    f"{name}, {place}", f"{np.median(losses[:, k]):.2g}",
                    f"{losses[:, k].min():.2g} to {losses[:, k].max():.2g}, {len(losses)} seeds", "Stacked",
                )
                for name, losses in zip(("tied", "untied"), found.by_scale, strict=True)
                for place, k in places.items()
            ]  # fmt: skip


def _transformer(found: Depth) -> Number:
    """What the looped transformer leaves beside what the eigenvalues of its prompts say, the settings' case first."""
    losses = [[small(loss) for loss in pair] for pair in found.transformer.tolist()]
    first = int(found.settings.covariance == "rotated")
    tiny, cases = found.below_rounding, ("one Σ", "rotated")
    beside = "both below rounding" if tiny[first] else f"by their eigenvalues {losses[first][1]}"
    other = "both below rounding" if tiny[1 - first] else " and ".join(losses[1 - first])
    return Number(
        f"transformer, L = {found.exact[-1]}", losses[first][0],
        f"{cases[first]}, {RUN} prompts: {beside}; {cases[1 - first]}: {other}", "Transformer", found.passed,
    )  # fmt: skip


def headline(found: Found) -> tuple[str, float | None]:
    """The number of a view that says most, and what it is."""
    match found:
        case Append():
            return (
                "median over prompts, each with a task of its own, of the squared error after T, the query appended",
                finite(found.errors["appended"][-1]),
            )
        case OneStep():
            return (
                "median over prompts of the squared error averaged over tasks, after T with the learned step",
                finite(found.statistics["fixed_median"][-1]),
            )
        case MoreLoops():
            return (
                "median over prompts, each with a task of its own, of the squared error after T, trained on n",
                finite(found.medians[0, -1]),
            )
        case Rivals():
            return "loops of EAGLE at the largest κ", finite(found.loops["eagle"][-1])
        case Depth():
            kind, losses = "one covariance", found.fixed
            if found.settings.covariance == "rotated":
                kind, losses = "rotated in every prompt", found.rotated_exact
            return f"smallest loss after {found.exact[-1]} loops, {kind}", finite(losses[-1])
        case Stacks():
            return (
                f"median over seeds of the relative loss of tied layers after the {LAYERS} trained loops",
                finite(found.medians(found.by_loop)[0, LAYERS]),
            )
