"""One experiment over many settings: a grid, its runs on one or many processes, and one table of what they gave."""

from looped.sweeps.engine import sweep

__all__ = ["sweep"]
