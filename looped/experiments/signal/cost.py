"""The cost of training on tasks that share a signal, estimated before it starts, and what is refused."""

from looped.budget import Cost
from looped.experiments.signal.settings import SignalSettings

BUDGET = Cost(seconds=1800.0)
SECONDS_A_STEP, SECONDS_A_NUMBER = 5e-4, 1.5e-8
"""CPU time of a step of one model, and of every entry of E in it, on the machine of the README's figures."""


def estimate(settings: SignalSettings) -> Cost:
    """The cost of training the models side by side."""
    numbers = settings.batch * (settings.features + 1) * (settings.examples + 1)
    return Cost(seconds=len(settings.models) * settings.steps * (SECONDS_A_STEP + SECONDS_A_NUMBER * numbers))


def check(settings: SignalSettings) -> None:
    """Refuse a training beyond the limit.

    Raises:
        SettingsError: one sentence with the estimate and the remedy.
    """
    BUDGET.check(
        estimate(settings),
        field="steps",
        what=f"steps = {settings.steps} at these sizes",
        remedy="fewer steps, prompts a step, examples or features",
    )
