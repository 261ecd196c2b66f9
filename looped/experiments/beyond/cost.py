"""The cost of an answer, estimated before it is looked for."""

from looped.budget import Cost
from looped.experiments.beyond.settings import BeyondSettings

BUDGET = Cost(seconds=6.0)


def estimate(settings: BeyondSettings) -> Cost:
    """The cost of the view."""
    d = settings.features
    if settings.view == "rivals":
        return Cost(seconds=0.6 + 2e-4 * d * d)
    n = settings.test_examples if settings.view == "more-loops" else settings.examples
    prompt = 4e-6 + d * (1.2e-8 * n + 4e-10 * n * d) + 1.5e-8 * d**3 + 3e-7 * d * d  # draws, products, eigenvectors
    loop = 4e-7 + 3e-9 * d * d
    if settings.view == "depth":
        return Cost(seconds=0.1 + settings.prompts * (2 * prompt + 6e-6 * d))
    return Cost(seconds=0.02 + 2 * settings.prompts * (prompt + loop * settings.loops))


def check(settings: BeyondSettings) -> None:
    """Refuse an answer beyond the limit.

    Raises:
        SettingsError: one sentence with the estimate and the remedy.
    """
    BUDGET.check(
        estimate(settings),
        field="prompts",
        what=f"prompts = {settings.prompts} at these sizes",
        remedy="fewer prompts, loops, examples or features",
    )
