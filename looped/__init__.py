"""Looped: a looped linear transformer next to the gradient descent it performs.

Examples:
    >>> from looped import Settings, compare
    >>> result = compare(Settings(loops=20))
    >>> result.passed
    True
"""

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from looped.experiments.compare.result import Comparison, compare
    from looped.fields import SettingsError
    from looped.settings import Settings

__version__ = "0.1.0"
__all__ = ["Comparison", "Settings", "SettingsError", "__version__", "compare"]

_HOMES = {
    "Comparison": "looped.experiments.compare.result",
    "compare": "looped.experiments.compare.result",
    "Settings": "looped.settings",
    "SettingsError": "looped.fields",
}


def __getattr__(name: str) -> Any:
    """A public name or a module of the package, imported when it is first used.

    PyTorch alone takes seconds, and `looped --help` needs none.
    """
    if name not in _HOMES:
        if not name.startswith("_") and importlib.util.find_spec(f"{__name__}.{name}"):
            return importlib.import_module(f"{__name__}.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
