"""The settings of a task with a shared signal, for every experiment on one."""

from looped.fields import Field

TASK_FIELDS: dict[str, Field] = {
    "features": Field(
        key="d", label="d · features", kind="whole", low=1, high=50, log=True,
        help="How many numbers one x has; β̃ has as many. 1 to 50: the best linear self-attention is searched "
        "numerically, and a step of that search costs d³.",
    ),
    "examples": Field(
        key="n", label="n · examples (M)", kind="whole", low=1, high=400, log=True, former=("M",),
        help="Examples in a prompt, the paper's M. 1 to 400: beyond, every model is near its limit.",
    ),
    "signal": Field(
        key="signal", label="s · shared signal", kind="real", low=0, high=100, log=True,
        help="β* = s·(1, …, 1): the mean of all tasks β̃, which vary around it by Ψ. 0 is the case without a shared "
        "signal; 1 is the paper's Figure 1, 10 its Table 1. 0 to 100.",
    ),
    "noise": Field(
        key="noise", label="σ · label noise", kind="real", low=0, high=10, log=True,
        help="Standard deviation of the noise of every label. 0 to 10: above, the labels are nearly all noise.",
    ),
}  # fmt: skip
