"""Measure how many examples T loops need: the looped transformer's error over n/d and T on randomly drawn rows.

With --out the same command continues an interrupted sweep.
"""

import math
from pathlib import Path
from typing import Any

from looped.cli.options import command, refuse_unread, write, writing
from looped.cli.progress import bar
from looped.cli.streams import give, say
from looped.experiments.context import ContextSettings, Sweep, words
from looped.experiments.context.result import RULED_BY_FEW
from looped.fields import SettingsError


@command(ContextSettings)
def run(asked: dict[str, Any], out: Path | None) -> None:
    """`looped context`: summary to standard output, files to `--out`."""
    settings = ContextSettings(**asked)
    refuse_unread(settings, asked, _unread(settings))
    if "shown_loops" in asked and settings.shown_loops > settings.loops:
        raise SettingsError(
            "shown_loops",
            f"--T = {settings.shown_loops} is more than the {settings.loops} loops that are run: choose --T up to "
            f"{settings.loops}, or --T-max from {settings.shown_loops} on.",
        )
    with writing(out, "the same command continues from here"):
        work = Sweep(settings, out, workers=None)
        say(f"about {work.seconds:.3g} s on one core" + (f", {work.kept} kept cells are used" if work.kept else ""))
        with bar() as tell:
            for progress in work.run():
                tell(progress.share, progress.doing)
    result = work.snapshot()
    assert result is not None
    summary = write(result, out)
    work.forget()
    T, target = settings.shown, settings.target_error
    need = result.needed_ratio(target)[T]
    say(
        f"{words.unreached(result)} after T = {T} loops"
        if math.isnan(need)
        else f"after T = {T} loops the median error is at most {target:g} from n/d = {need:.3g} on"
    )
    few = result.ruled_by_few(T)
    if few.size:
        say(
            f"in {few.size} of {len(result.n)} cells the mean is over {RULED_BY_FEW:g} times the median: few prompts "
            "dominate it, and the median is what is reported"
        )
    give(summary)


def _unread(settings: ContextSettings) -> dict[str, str]:
    """Settings that change nothing, and what they go with."""
    unread = {} if settings.learned else dict.fromkeys(("learned_ratios", "learned_loops"), "--learned")
    if settings.rows != "correlated":
        unread["row_condition_number"] = "--rows correlated"
    elif settings.features == 1:
        unread["row_condition_number"] = "two features or more, one has κ = 1"
    return unread
