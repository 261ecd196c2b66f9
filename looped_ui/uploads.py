"""Uploads stay in memory."""

from starlette.formparsers import MultiPartParser

from looped.tables import MAX_BYTES


def keep_in_memory() -> None:
    """Let the server receive the largest file in memory: from 1 MiB on Starlette would write it to the disk."""
    MultiPartParser.spool_max_size = MAX_BYTES + 1
