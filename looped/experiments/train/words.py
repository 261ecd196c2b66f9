"""What the page says of runs and their settings, before any number."""

from looped.experiments.train.settings import TrainSettings

OTHER_RUN: dict[str, str] = dict.fromkeys(
    ("new", "waiting", "running"),
    "That run continues with its own settings. To train with the settings on the left, press Stop and then Train.",
) | {
    "paused": "Resume continues that run; Train starts one with the settings on the left.",
    "finished": "Train starts a run with the settings on the left.",
    "failed": "Train starts a run with the settings on the left.",
}
"""What happens next, by the state of a job, if its settings are not those on the left."""


def in_words(settings: TrainSettings) -> str:
    """The settings of a training in words."""
    layers = "untied layers" if settings.untied else "loops"
    sizes = f"n = {settings.examples}, d = {settings.features}"
    return f"{settings.weights} weights, {settings.loops} {layers}, {sizes}"


def differences(shown: TrainSettings, chosen: TrainSettings) -> str:
    """The settings in which two runs differ, with the value on screen and that on the left."""
    return "; ".join(
        f"{field.label} {field.in_words(getattr(shown, name))}, on the left {field.in_words(getattr(chosen, name))}"
        for name, field in TrainSettings.table.items()
        if getattr(shown, name) != getattr(chosen, name)
    )


def notice(settings: TrainSettings) -> list[str]:
    """Sentences on what to look at in the loss chart of such a run."""
    plan = settings.training()
    if plan.loops == 1 or plan.growth == 0:
        return []
    return [
        f"Training begins with one loop and adds one every {plan.growth} steps, at the thin dotted lines. The loss may "
        "jump there."
    ]
