"""The constructed transformer next to the explicit algorithm."""
