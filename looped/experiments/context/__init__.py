"""The number of examples that T loops need: the looped transformer's error over n/d and T, on randomly drawn rows."""

from looped.experiments.context.cost import check, estimate
from looped.experiments.context.result import ContextResult, LearnedGrid
from looped.experiments.context.settings import ContextSettings
from looped.experiments.context.sweep import Progress, Sweep, sweep

__all__ = ["ContextResult", "ContextSettings", "LearnedGrid", "Progress", "Sweep", "check", "estimate", "sweep"]
