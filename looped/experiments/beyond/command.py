"""Append or overwrite, more loops than trained, EAGLE and its rivals, when depth is needed, tied and untied layers."""

from pathlib import Path
from typing import Any

from looped.cli.options import command, make, refuse_unread, write
from looped.cli.streams import give, say
from looped.experiments.beyond.result import beyond
from looped.experiments.beyond.settings import READS, BeyondSettings
from looped.experiments.beyond.words import verdict


@command(BeyondSettings)
def run(asked: dict[str, Any], out: Path | None) -> None:
    """`looped beyond`: summary to standard output, files to `--out`."""
    settings = BeyondSettings(**asked)
    readers = {
        name: ", ".join(f"--view {view}" for view, names in READS.items() if name in names)
        for name in BeyondSettings.table
        if name != "view" and name not in settings.reads
    }
    refuse_unread(settings, asked, readers)
    if settings.features == 1:
        refuse_unread(settings, asked, {"condition_number": "two features or more, one has κ = 1"})
    make(out)
    result = beyond(settings)
    say(verdict(result.found).replace("**", "").replace("\\", ""))
    give(write(result, out))
