"""The answer to one of the questions of the page."""

from collections.abc import Callable
from dataclasses import dataclass

from looped.experiments.beyond.append import Append, append
from looped.experiments.beyond.cost import check
from looped.experiments.beyond.depth import Depth, depth
from looped.experiments.beyond.more_loops import MoreLoops, more_loops
from looped.experiments.beyond.one_step import OneStep, one_step
from looped.experiments.beyond.rivals import Rivals, rivals
from looped.experiments.beyond.settings import BeyondSettings
from looped.experiments.beyond.stacks import Stacks, stacks
from looped.threads import in_one_thread

Found = Append | OneStep | MoreLoops | Rivals | Depth | Stacks
VIEWS: dict[str, Callable[[BeyondSettings], Found]] = {
    "append": append, "one-step": one_step, "more-loops": more_loops, "rivals": rivals, "depth": depth,
    "tied": lambda _: stacks(),
}  # fmt: skip
"""What answers each question."""


@dataclass(frozen=True)
class BeyondResult:
    """What was found for one of the questions."""

    settings: BeyondSettings
    found: Found
    """The result of its view, with `results`, `curves` and `arrays`."""


@in_one_thread
def beyond(settings: BeyondSettings) -> BeyondResult:
    """Answer the question of the settings' view.

    Raises:
        SettingsError: if it would take too long.
    """
    check(settings)
    return BeyondResult(settings, VIEWS[settings.view](settings))
