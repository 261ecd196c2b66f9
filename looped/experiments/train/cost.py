"""The cost of a training run, estimated before it starts, and what is refused."""

from dataclasses import dataclass

from looped.experiments.train.settings import TRAIN_FIELDS, TrainSettings
from looped.fields import SettingsError

MAX_SECONDS = 900.0
"""Longest training, CPU seconds of one core by the estimate."""
MAX_STEP_SECONDS = 0.6
"""Longest step: a run stops between two steps, and Stop is to act within a second."""
MAX_BYTES = 1024**3
"""Most memory of a step: 1 GiB."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run needs."""

    seconds: float
    """CPU seconds of one core."""
    step_seconds: float
    """Of the longest step."""
    bytes: float
    """Memory of a step."""

    @property
    def allowed(self) -> bool:
        """Whether all three keep within the limits."""
        return (
            self.seconds <= MAX_SECONDS and self.step_seconds <= MAX_STEP_SECONDS and self.bytes <= MAX_BYTES
        )  # fmt: skip


def estimate(settings: TrainSettings) -> Cost:
    """Operations of a step over the speed they reach on one current core; `benchmarks/` holds it against the clock."""
    plan = settings.training()
    d, D, B, T = plan.features, plan.features + 1, plan.batch, plan.loops
    layers = 1 if plan.tied else T
    weights = {"preconditioner": d * d, "sparse": d * D, "full": 2 * D * D}[plan.weights] * layers
    loop = D**3 if plan.weights == "full" and plan.task == "prediction" else 3.0 * D**2
    if plan.optimizer == "gauss-newton":
        last = (
            (8e-9 if loop == D**3 else 3e-9) * B * d * T * loop
            + 6e-11 * B * d * weights**2
            + 1e-10 * weights**3
            + 4e-4 * T
        )
        memory = 8.0 * (512 * (4 * weights + 12 * T * D * D) + 3 * weights**2 + B * D * D * 4)
    else:
        last = 4e-9 * B * T * loop + 3e-4 * T
        memory = 8.0 * B * T * D * D * 6
    grown = sum(plan.loops_at(step) for step in range(plan.steps)) / (plan.steps * T)
    return Cost(seconds=last * plan.steps * grown, step_seconds=last, bytes=memory)


def check(settings: TrainSettings) -> None:
    """Refuse what cannot be trained here.

    Raises:
        SettingsError: one sentence with the estimate and the nearest setting that fits.
    """
    if settings.device == "cuda":
        import torch

        if not torch.cuda.is_available():
            raise SettingsError("device", "device = cuda cannot be used, no GPU is found: choose cpu.")
        return
    cost = estimate(settings)
    if cost.allowed:
        return
    what = f"T = {settings.loops}, d = {settings.features}, {settings.training().batch} prompts a step"
    name, nearest = _nearest(settings)
    raise SettingsError(
        name,
        f"Training with {what} would take about {cost.seconds:,.0f} s, {cost.step_seconds:.2g} s a step and "
        f"{cost.bytes / 1024**2:,.0f} MiB; {MAX_SECONDS:,.0f} s, {MAX_STEP_SECONDS:g} s and {MAX_BYTES // 1024**2:,} "
        f"MiB are allowed: choose {TRAIN_FIELDS[name].key} = {nearest} or less.",
    )


def _nearest(settings: TrainSettings) -> tuple[str, int]:
    """The first of steps, batch, d and T that can be lowered far enough, and the largest value that fits."""
    for name in ("steps", "batch"):
        low, high = 0, getattr(settings, name)  # 0 means auto; the largest that fits lies between them
        while low < high:
            middle = (low + high + 1) // 2
            if estimate(settings.replace(**{name: middle})).allowed:
                low = middle
            else:
                high = middle - 1
        if low > 0:
            return name, low
    for name in ("features", "loops"):  # another optimiser may take over, so larger can be cheaper
        for value in range(getattr(settings, name) - 1, 0, -1):
            if estimate(settings.replace(**{name: value})).allowed:
                return name, value
    return "loops", 1
