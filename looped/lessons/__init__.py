"""Named presets: each one thing to see, with a guide, a question to answer first, and the answer; a module a page."""

from looped.lessons.compare import COMPARE
from looped.lessons.context import CONTEXT
from looped.lessons.gpt2 import GPT2
from looped.lessons.lesson import Lesson, by_key, fitting
from looped.lessons.signal import SIGNAL
from looped.lessons.train import TRAIN

__all__ = ["COMPARE", "CONTEXT", "GPT2", "SIGNAL", "TRAIN", "Lesson", "by_key", "fitting"]
