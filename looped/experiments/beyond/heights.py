"""The heights between which the charts of the page draw errors."""

LOWEST, HIGHEST = 1e-30, 1e9
"""Errors that a chart has room for: below the first they are far below rounding, and loops whose errors grow beyond the
second have a λ_max(Γ*Σ̂) above 2."""
BELOW = f"below {LOWEST:g}"
"""What is said of an error that is smaller."""
