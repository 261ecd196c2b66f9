"""Looped: a looped linear transformer next to the gradient descent it performs.

>>> from looped import Settings, compare
>>> result = compare(Settings(loops=20))
>>> result.passed
True
"""

import torch
from threadpoolctl import threadpool_limits

from looped.experiments.compare import Comparison, compare
from looped.fields import SettingsError
from looped.settings import Settings

__version__ = "0.1.0"
__all__ = ["Comparison", "Settings", "SettingsError", "__version__", "compare"]

# One thread: the batches are small, a second thread makes them slower, and sums keep one order, so bytes repeat.
torch.set_num_threads(1)
threadpool_limits(limits=1)
