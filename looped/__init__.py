"""Looped: a looped linear transformer next to the gradient descent it performs.

>>> from looped import Settings, compare
>>> result = compare(Settings(loops=20))
>>> result.passed
True
"""

from looped.experiments.compare import Comparison, compare
from looped.fields import SettingsError
from looped.settings import Settings

__version__ = "0.1.0"
__all__ = ["Comparison", "Settings", "SettingsError", "__version__", "compare"]
