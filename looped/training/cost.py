"""The cost of a training run: the operations of a step over the speed they reach on one current core."""

from looped.budget import Cost
from looped.training.optimizers import PROMPTS_TOGETHER
from looped.training.plan import Training, weight_count


def training_cost(plan: Training) -> Cost:
    """The estimate for all steps of a plan; drawing the prompts is not in it.

    `benchmarks/` compares it with measured times. Its bytes are those of a step.
    """
    d, D, B, T = plan.features, plan.features + 1, plan.batch, plan.loops
    weights = weight_count(plan.weights, d, 1 if plan.tied else T)
    moves = plan.weights == "full" and plan.task == "prediction"  # every loop moves the examples as well
    loop = float(D**3) if moves else 1.25 * D**2
    if plan.optimizer == "gauss-newton":
        derivatives = B * d * ((8e-9 if moves else 3e-9) * T * loop + 6e-11 * weights**2)
        step = 4e-4 * T + derivatives + 1e-10 * weights**3
        memory = PROMPTS_TOGETHER * (4 * weights + 12 * T * D**2) + 3 * weights**2 + 4 * B * D**2
    else:
        step = 3e-4 * T + 4e-9 * B * T * loop
        memory = 6 * B * T * D**2
    loops = sum(map(plan.loops_at, range(plan.steps))) / T  # in steps of all T loops
    return Cost(seconds=step * loops, step_seconds=step, bytes=8.0 * memory)
