"""The cost of a sweep, estimated before it starts, and what is refused."""

from looped.experiments.context.settings import MAX_LEARNED_FEATURES, ContextSettings
from looped.fields import SettingsError

MAX_SECONDS = 600.0
"""Longest sweep, CPU seconds by the estimate."""
MAX_STEP_SECONDS = 0.6
"""Longest single prompt: between two prompts a sweep can be stopped."""
MAX_BYTES = 256 * 1024**2
"""Most memory for the errors of a sweep."""
TRAINING_BATCH = 512
"""Fresh prompts in a step of training A."""
FINAL_STEPS = 30
"""Training steps with all T loops, after one step each with 1, 2, …, T − 1."""


def prompt_seconds(settings: ContextSettings, n: int) -> float:
    """CPU seconds for one prompt of n examples: drawing, spectrum, all loops, errors."""
    d, T = settings.features, settings.loops
    r = min(n, d)
    draw = 4e-5 + n * d * (9e-8 if settings.rows == "student" else 2e-8)
    spectrum = 2e-5 + 2e-8 * n * d + 4e-10 * n * r * r + 3e-9 * r**3
    looped = 1e-10 * n * d * d + 2e-9 * r**3 + T * (5e-8 + 6e-9 * d + 3e-10 * r * d)
    errors = T * (2e-7 + 6e-9 * d)
    return draw + spectrum + looped + errors


def training_step_seconds(settings: ContextSettings, n: int, loops: int) -> float:
    """CPU seconds for one step of training A."""
    d = settings.features
    return 2e-3 + TRAINING_BATCH * (2e-8 * n * d + 1e-10 * n * d * d + 4e-9 * loops * d**3 + 2e-10 * d**5)


def training_seconds(settings: ContextSettings, n: int, loops: int) -> float:
    """CPU seconds for training A once: the loops grow to T one step each, then all of them are trained."""
    last = training_step_seconds(settings, n, loops)
    return loops * (training_step_seconds(settings, n, 1) + last) / 2 + FINAL_STEPS * last


def estimate(settings: ContextSettings) -> float:
    """CPU seconds that a sweep will take."""
    seconds = sum(2e-3 + settings.prompts * prompt_seconds(settings, n) for n in settings.examples)
    if settings.learned:
        seconds += sum(
            training_seconds(settings, n, T) for n in settings.learned_examples for T in settings.learned_loops
        )
    return seconds


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
            "the learned weights away.",
        )
    if (single := prompt_seconds(settings, n)) > MAX_STEP_SECONDS:
        raise SettingsError(
            "ratios",
            f"One prompt of n = {n:,} examples at d = {d} takes about {single:.1f} s, too long to be stopped in time: "
            "choose smaller ratios or a smaller d.",
        )
    if settings.learned:
        n, loops = max(settings.learned_examples), max(settings.learned_loops)
        if (step := training_step_seconds(settings, n, loops)) > MAX_STEP_SECONDS:
            raise SettingsError(
                "learned_ratios",
                f"One step of training A takes about {step:.1f} s at n = {n:,}, d = {d} and T = {loops}, too long to "
                "be stopped in time: choose smaller ratios or T for training, or a smaller d.",
            )
    size = 8 * len(settings.ratios) * (settings.loops + 1) * settings.prompts
    seconds = estimate(settings)
    if seconds > MAX_SECONDS or size > MAX_BYTES:
        raise SettingsError(
            "prompts",
            f"This sweep needs about {seconds:,.0f} s and {size / 1024**2:,.0f} MiB, more than {MAX_SECONDS:,.0f} s or "
            f"{MAX_BYTES // 1024**2:,} MiB: choose fewer prompts, ratios or loops.",
        )
