"""The cost of an answer, estimated before it is looked for."""

from looped.budget import Cost
from looped.experiments.beyond.settings import BeyondSettings

BUDGET = Cost(seconds=4.0)


def estimate(settings: BeyondSettings) -> Cost:
    """The cost of the view."""
    d, loops = settings.features, settings.loops
    if settings.view == "rivals":
        return Cost(seconds=0.5 + 2e-4 * d * d)
    n = settings.test_examples if settings.view == "more-loops" else settings.examples
    prompt = 2.5e-5 + 1.3e-8 * n * d + 4e-10 * n * d * d + 6e-9 * d**3  # draws, products, eigenvectors
    each = 2e-6 * d if settings.view == "depth" else loops * (3e-7 + 3.5e-9 * d * d)
    return Cost(seconds=0.03 + settings.prompts * (prompt + each))


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
