"""Files of the page."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

import numpy as np

from looped.chart import Picture
from looped.experiments.beyond.result import BeyondResult
from looped.experiments.beyond.strip import headline
from looped.experiments.beyond.words import verdict
from looped.export.files import Export, script


class BeyondExport(Export[BeyondResult]):
    """The answer to one of the questions."""

    title = "Beyond"

    @cached_property
    def results(self) -> dict[str, Any]:
        """The view, the verdict in words, and its scalars."""
        words = verdict(self.result.found).replace("**", "").replace("\\", "")
        what, value = headline(self.result.found)
        return {
            "view": self.result.settings.view, "verdict_in_words": words, "headline": {"what": what, "value": value},
            **self.result.found.results,
        }  # fmt: skip

    def curves(self) -> tuple[tuple[str, ...], Iterable[tuple[Any, ...]]]:
        """Every curve: series, place and value; what was not followed so far is empty."""
        rows = (
            (series, float(x), None if np.isnan(y) else float(y))
            for series, (places, values) in self.result.found.curves.items()
            for x, y in zip(places.tolist(), values.tolist(), strict=True)
        )
        return ("series", "x", "value"), rows

    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays of the view, float64."""
        return self.result.found.arrays

    def pictures(self) -> Mapping[str, Picture]:
        """The page's charts."""
        from looped.experiments.beyond.charts import pictures

        return pictures(self.result.found)

    def script(self) -> str:
        """The settings and the call."""
        return script("beyond(settings)", self.result.settings, "beyond")
