"""The heights between which the charts of the page draw errors."""

LOWEST, HIGHEST = 1e-12, 1e9
"""Errors that a chart has room for: loops whose errors grow beyond have a λ_max(Γ*Σ̂) above 2."""
