"""Learning rates that fall along a half cosine.

Here a rate is a plain function of the step. `torch.optim.lr_scheduler` sets the rate of one of PyTorch's own
optimisers, which two of the three trainers do not have, and would need a state in their checkpoints. CosineAnnealingLR
multiplies the rate of the step before: over 5,000 steps from 0.01, 94 % of its rates differ from the formula, by up to
3e-15 of themselves, so that no run would keep its bytes, and a step takes 23 µs instead of 0.2 µs. LambdaLR needs this
function as well.
"""

import math


def half_cosine(done: float, whole: float = 1.0) -> float:
    """½(1 + cos(π·done/whole)): 1 at the start, 0 at the end."""
    return 0.5 * (1 + math.cos(math.pi * done / whole))


def warmed_up(step: int, steps: int, highest: float, warm_up: int) -> float:
    """The rate of a step that rises in proportion over `warm_up` steps and falls to 0 along a half cosine.

    Args:
        step: the step, counted from 0.
        steps: the number of all steps.
        highest: the rate that it rises towards.
        warm_up: the number of steps of the rise; 0 for none.
    """
    rising = min(1.0, (step + 1) / warm_up) if warm_up else 1.0
    return highest * rising * half_cosine(step, steps)
