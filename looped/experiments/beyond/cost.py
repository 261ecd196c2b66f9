"""The cost of an answer, estimated before it is looked for."""

from looped.budget import Cost
from looped.experiments.beyond.append import chained
from looped.experiments.beyond.depth import RUN
from looped.experiments.beyond.learned_step import AT_ONCE, MOST_EXACT
from looped.experiments.beyond.settings import BeyondSettings

BUDGET = Cost(seconds=4.0, bytes=512 * 1024**2)
A_NUMBER_OF_THE_CHAIN, A_NUMBER_OF_THE_LOOP = 4e-8, 3e-9
"""CPU seconds for a number of a token in one step: where the layer writes all tokens, and where only the query."""


def estimate(settings: BeyondSettings) -> Cost:
    """The cost of the view, its bytes at the most that are held at once."""
    d, loops = settings.features, settings.loops
    if settings.view == "tied":
        return Cost(seconds=0.05)  # stored
    if settings.view == "rivals":
        return Cost(seconds=0.5 + 2e-4 * d * d)
    if settings.view == "depth":
        tokens, exact = RUN * settings.tokens, min(loops, MOST_EXACT)
        transformer = exact * (3e-4 + A_NUMBER_OF_THE_LOOP * tokens)
        return Cost(seconds=0.5 + 3e-4 * exact**2 + transformer, bytes=8 * (4 * tokens + 60_000 * (d + 1)))
    if settings.view == "append":
        tokens = chained(settings) * settings.tokens
        return Cost(seconds=0.3 + loops * (3e-4 + A_NUMBER_OF_THE_CHAIN * tokens), bytes=8 * (4 * tokens + 20_000))
    n = settings.test_examples if settings.view == "more-loops" else settings.examples
    prompt = 2.5e-5 + 1.3e-8 * n * d + 4e-10 * n * d * d + 6e-9 * d**3  # draws, products, eigenvectors
    each = loops * (3e-7 + 3.5e-9 * d * d)
    kept = 8 * d + (7 if settings.view == "more-loops" else 3) * (loops + 1)  # numbers of a prompt beside its matrices
    drawn = 3 * min(settings.prompts * n * d, max(AT_ONCE, n * d))
    numbers = drawn + settings.prompts * (6 * d * d + kept)
    return Cost(seconds=0.03 + settings.prompts * (prompt + each), bytes=8 * numbers)


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
