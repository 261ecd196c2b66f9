"""Results as Plotly figures, each with a text and a table made from the same numbers: one module per page.

Pure functions. A figure names roles and no colours: a page draws it in its theme, and `Picture.standing_alone` gives
the figure in the project's template.
"""

from looped.figures.compare import Held, error_chart, hold, keep, log_loops, prediction_chart
from looped.figures.picture import Picture

__all__ = ["Held", "Picture", "error_chart", "hold", "keep", "log_loops", "prediction_chart"]
