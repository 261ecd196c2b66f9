"""The cost of training GPT-2, estimated before it starts, and what a page refuses."""

from looped.budget import Cost
from looped.experiments.gpt2.settings import GPT2Settings, Variant

BUDGET = Cost(seconds=1800.0)
"""The most that a training on a page may cost; the command has no budget."""
SECONDS_A_STEP, SECONDS_A_LAYER, MULTIPLICATIONS_A_SECOND = 2.0e-3, 1.0e-3, 1.1e10
"""Speed of one model on one core of the machine of the README's figures."""


def estimate(settings: GPT2Settings, variants: tuple[Variant, ...] = (True, False)) -> Cost:
    """The cost of training the variants."""
    tokens = settings.batch * (settings.examples + 1)
    a_step = 0.0
    for model in map(settings.variant, variants):
        weights = model.layers * model.width * (model.width * (12 if model.mlp else 4) + 2 * (model.examples + 1))
        a_step += SECONDS_A_STEP + SECONDS_A_LAYER * model.layers * (1 + model.mlp)
        a_step += 3 * tokens * weights / MULTIPLICATIONS_A_SECOND  # forward once, backward twice
    return Cost(seconds=settings.steps * a_step)


def check(settings: GPT2Settings, variants: tuple[Variant, ...] = (True, False)) -> None:
    """Refuse a training that takes longer than a page can offer.

    Raises:
        SettingsError: one sentence with the estimate and the remedy.
    """
    BUDGET.check(
        estimate(settings, variants),
        field="steps",
        what=f"steps = {settings.steps} at this size",
        remedy="fewer, a smaller size, or the command python -m looped gpt2",
    )
