"""Training the looped linear transformer that predicts a label, and reading what it found.

Stream → model → optimiser → trainer → evaluation, each usable alone. Nothing here knows of threads or screens.
"""
