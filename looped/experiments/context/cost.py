"""The cost of a sweep, estimated before it starts, and what is refused."""

from looped.budget import Cost
from looped.experiments.context.learned import training
from looped.experiments.context.settings import MAX_LEARNED_FEATURES, ContextSettings
from looped.fields import SettingsError
from looped.training.cost import training_cost

BUDGET = Cost(seconds=600.0, step_seconds=0.6, bytes=256 * 1024**2)
"""Limits of a sweep. It can be stopped between two steps; the bytes are those of its errors."""


def prompt_seconds(settings: ContextSettings, n: int) -> float:
    """CPU seconds for one prompt of n examples: drawing, spectrum, all loops, errors."""
    d, T = settings.features, settings.loops
    r = min(n, d)
    spectrum = 6e-5 + 4e-10 * n * r**2 + 5e-9 * r**3
    return rows_seconds(settings, n) + spectrum + T * (2.5e-7 + 1.2e-8 * d + 3e-10 * r * d)


def rows_seconds(settings: ContextSettings, n: int) -> float:
    """CPU seconds for drawing n examples and multiplying XᵀX out."""
    return n * settings.features * ((1.1e-7 if settings.rows == "student" else 4e-8) + 1e-10 * settings.features)


def cell_seconds(settings: ContextSettings, n: int) -> float:
    """CPU seconds for all prompts of n examples."""
    return 2e-3 + settings.prompts * prompt_seconds(settings, n)


def learned_cost(settings: ContextSettings, n: int, loops: int) -> Cost:
    """The cost of training A once."""
    plan = training(settings, n, loops)
    cost, drawing = training_cost(plan), plan.batch * rows_seconds(settings, n)
    return Cost(seconds=cost.seconds + plan.steps * drawing, step_seconds=cost.step_seconds + drawing)


def estimate(settings: ContextSettings) -> Cost:
    """The cost of a sweep; its bytes are those of its errors."""
    seconds = sum(cell_seconds(settings, n) for n in settings.examples)
    if settings.learned:
        grid = ((n, T) for n in settings.learned_examples for T in settings.learned_loops)
        seconds += sum(learned_cost(settings, n, T).seconds for n, T in grid)
    return Cost(seconds=seconds, bytes=8 * len(settings.ratios) * (settings.loops + 1) * settings.prompts)


def check(settings: ContextSettings) -> None:
    """Refuse a sweep beyond the limits.

    Raises:
        SettingsError: one sentence with the estimate and the remedy.
    """
    d, n = settings.features, max(settings.examples)
    if settings.learned and d > MAX_LEARNED_FEATURES:
        raise SettingsError(
            "features",
            f"d = {d} is too large to train A, which costs d⁵ a step: choose d up to {MAX_LEARNED_FEATURES}, or leave "
            "out the learned weights.",
        )
    BUDGET.check(
        Cost(step_seconds=prompt_seconds(settings, n)),
        field="ratios",
        what=f"One prompt of n = {n:,} examples at d = {d}",
        remedy="smaller ratios or a smaller d",
    )
    if settings.learned:
        n, loops = max(settings.learned_examples), max(settings.learned_loops)
        BUDGET.check(
            Cost(step_seconds=learned_cost(settings, n, loops).step_seconds),
            field="learned_ratios",
            what=f"One step of training A at n = {n:,}, d = {d} and T = {loops}",
            remedy="smaller ratios or T for training, or a smaller d",
        )
    BUDGET.check(
        estimate(settings),
        field="prompts",
        what="This sweep",
        remedy="fewer prompts, ratios or loops",
    )
