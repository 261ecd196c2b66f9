"""Results as Plotly figures, each with a text and a table made from the same numbers: one module per page.

Pure functions. No colours are set: the page's theme, or any other template, applies.
"""

from looped.figures.compare import Held, error_chart, hold, keep, log_loops, prediction_chart
from looped.figures.picture import Picture

__all__ = ["Held", "Picture", "error_chart", "hold", "keep", "log_loops", "prediction_chart"]
