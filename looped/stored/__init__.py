"""Results that stand on a page before anyone has waited for them, as the package carries them.

`python -m looped.stored NAME` makes one again: NAME.npz with the arrays, and NAME.json with settings, results,
versions, command, date and hardware.
"""
