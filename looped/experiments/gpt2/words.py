"""The page's sentences on the stored trainings, written from their curves, in Markdown."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from looped.chart import Picture
from looped.experiments.gpt2.curves import Curve, command, named
from looped.experiments.gpt2.settings import GPT2Settings
from looped.numerals import with_error

EARLY = 0.05
"""Share of the steps after which a lead is called early."""


@dataclass(frozen=True, slots=True)
class Group:
    """Finished trainings on one task with the same steps, the same prompts at every seed."""

    settings: GPT2Settings
    """The settings of the model with MLP, at seed 0."""
    models: list[list[Curve]]
    """With MLP, without, and where they were trained without at as many weights, the better one first; a curve for each
    seed."""

    @property
    def curves(self) -> list[Curve]:
        """All of them."""
        return [curve for model in self.models for curve in model]

    @property
    def seeds(self) -> list[int]:
        """The seeds, which all models share."""
        return [curve.settings.seed for curve in self.models[0]]

    @property
    def ahead_early(self) -> int:
        """Number of seeds at which the model with MLP has a smaller loss after `EARLY` of the steps than without."""
        return sum(_early(a) < _early(b) for a, b in zip(*self.models[:2], strict=True))

    def ahead(self, of: int = 1) -> int:
        """Number of seeds at which the model with MLP has the smaller final risk than another of the models."""
        return sum(a < b for a, b in zip(risks(self.models[0]), risks(self.models[of]), strict=True))

    def name(self, of: int) -> str:
        """What one of the models is called beside the others."""
        return named(self.models[of][0].settings, self.settings)


def same_task(settings: GPT2Settings) -> GPT2Settings:
    """The settings shared by two trainings that differ only in their MLP."""
    return settings.replace(mlp=True)


def groups(curves: Iterable[Curve]) -> list[Group]:
    """Finished trainings grouped by all settings but seed and MLP, the defaults first; none without a rival."""
    finished = {curve.settings: curve for curve in curves if curve.finished}
    seeds: dict[GPT2Settings, list[int]] = {}
    for settings in finished:
        if settings.mlp and settings.replace(mlp=False) in finished:
            seeds.setdefault(settings.replace(seed=0), []).append(settings.seed)
    found = []
    for settings in sorted(seeds, key=lambda settings: (settings != GPT2Settings(), -settings.signal)):
        models = [settings, settings.replace(mlp=False), *settings.as_many_weights().values()]
        rows = [[finished[one] for seed in sorted(seeds[settings]) if (one := model.replace(seed=seed)) in finished]
                for model in models]  # fmt: skip
        rivals = [row for row in rows[2:] if len(row) == len(rows[0])]
        found.append(Group(settings, [*rows[:2], *sorted(rivals, key=lambda row: sum(risks(row)))]))
    return found


def label(settings: GPT2Settings) -> str:
    """A setting in a few words, without its seed, and without a size that is the default's."""
    falling, usual = "falling" if settings.decay else "constant", GPT2Settings()
    parts = {
        "signal": f"s = {settings.signal:g}", "examples": f"M = {settings.examples}",
        **{name: size for name, size in _sizes(settings).items() if getattr(settings, name) != getattr(usual, name)},
        "steps": f"{settings.steps:,} steps", "learning_rate": f"{falling} rate {settings.learning_rate:g}",
    }  # fmt: skip
    return ", ".join(parts.values())


def _sizes(settings: GPT2Settings) -> dict[str, str]:
    """Features, layers and width by their names as settings."""
    return {
        "features": f"d = {settings.features}", "layers": f"{settings.layers} layers",
        "width": f"width {settings.width}",
    }  # fmt: skip


def risks(curves: Iterable[Curve]) -> list[float]:
    """Final risks of finished trainings."""
    return [curve.risk.mean for curve in curves if curve.risk is not None]


def spread(values: Sequence[float]) -> str:
    """The lowest and the highest of some values."""
    low, high = (f"{value:#.2g}".rstrip(".") for value in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def headline(group: Group) -> str:
    """What was trained, and the final risks over the seeds."""
    (own, bare), rivals = group.models[:2], group.models[2:]
    share = 100 * bare[0].settings.weights / own[0].settings.weights
    text = (
        f"**Small GPT-2-style models, trained from scratch, {len(group.seeds)} seeds each.** Final error: with MLP "
        f"**{spread(risks(own))}**, without ({share:.0f} % of the weights) **{spread(risks(bare))}**"
    )
    if rivals:
        ends = [
            f"**{spread(risks(model))}** ({group.name(of).partition(', ')[2]})" for of, model in enumerate(rivals, 2)
        ]
        text += f"; without, at about as many weights, {_and(ends)}"
    return f"{text}."


def hidden(picture: Picture) -> str:
    """Which curves are drawn after a click alone, as a sentence after another; empty if all are drawn."""
    traces = picture.spec["data"]
    names = [f"“{one['name']}”" for one in traces if one.get("visible") == "legendonly" and one.get("showlegend", True)]
    return f" A click on its name shows {_and(names)}." if names else ""


def leads(group: Group) -> str:
    """At how many seeds the model with MLP ends below each of the others."""
    total, others = len(group.seeds), range(1, len(group.models))
    ahead = [f"at {group.ahead(of)} of {total} seeds against “{group.name(of)}”" for of in others]
    text = f"The model with MLP has the lower error at the end {_and(ahead)}."
    return text if len(group.models) > 2 else f"{text} No model without MLP was trained here at as many weights."


def models_table(group: Group) -> str:
    """The models of a group: their weights and the final risk at every seed."""
    rows = "\n".join(
        f"| {group.name(of)} | {model[0].settings.weights:,} | {' | '.join(map(_with_error, model))} |"
        for of, model in enumerate(group.models)
    )
    seeds = " | ".join(f"seed {seed}" for seed in group.seeds)
    return f"| GPT-2 | weights | {seeds} |\n|---|---|{'---|' * len(group.seeds)}\n{rows}"


def table(found: Iterable[Group]) -> str:
    """All stored settings: final risks over their seeds."""
    rows = "\n".join(
        f"| {label(group.settings)} | {spread(risks(group.models[0]))} | "
        f"{spread(risks(group.models[1]))} | {group.ahead()} of {len(group.seeds)} | {_rivals(group)} |"
        for group in found
    )
    return (
        "| setting | with MLP | without MLP | lower with MLP | without MLP, as many weights |\n|---|---|---|---|---|\n"
        + rows
        + "\n\nSquared error after the last step, lowest to highest over three seeds, each on 20,000 fresh prompts. "
        f"Where nothing else is said, {_and(list(_sizes(GPT2Settings()).values()))}."
    )


def made_by(curve: Curve) -> str:
    """Where a stored curve comes from."""
    packages = ", ".join(f"{package} {version}" for package, version in curve.versions.items())
    return f"`{command(curve.settings)}`: {curve.seconds:,.0f} s on {curve.device}, {curve.date}, {packages}"


def notice(curves: Iterable[Curve]) -> list[str]:
    """Sentences on what to notice: counted over pairs of the same seed, or true of every chart."""
    found = groups(curves)
    some = [group for group in found if group.settings.signal > 0]
    none = [group for group in found if group.settings.signal == 0]
    lines = []
    if some:
        total = sum(len(group.seeds) for group in some)
        early, end = sum(group.ahead_early for group in some), sum(group.ahead() for group in some)
        lines.append(
            f"The table “At other settings” has {total} pairs with and without MLP at β\\* above 0. The model with MLP "
            f"has the smaller error in {early} of them after a twentieth of the steps, and in {end} at the end. By how "
            "much depends on setting and seed."
        )
    lines += [
        "The dotted line is the risk of predicting ⟨β\\*, x⟩ and reading nothing from the examples. Below it a model "
        "learns in context.",
        "Below the dashed line GPT-2 does better than the best single gradient step from β\\*, which for d ≥ 2 is "
        "the best that one linear block can do.",
    ]
    if none:
        ends = [risk for group in none for model in group.models[:2] for risk in risks(model)]
        total, lower = sum(len(group.seeds) for group in none), sum(group.ahead() for group in none)
        lines.append(
            f"At β\\* = 0 the {total} stored pairs with and without MLP end at {spread(ends)}; the one with MLP is "
            f"lower in {lower} of them."
        )
    return lines


def _rivals(group: Group) -> str:
    """The final risks without MLP at as many weights."""
    rivals = list(enumerate(group.models))[2:]
    each = (f"{group.name(of).partition(', ')[2]}: {spread(risks(model))}" for of, model in rivals)
    return "; ".join(each) or "not trained"


def _with_error(curve: Curve) -> str:
    assert curve.risk is not None
    return " ± ".join(with_error(curve.risk.mean, curve.risk.standard_error))


def _and(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _early(curve: Curve) -> float:
    return next(record.loss for record in curve.history if record.step >= EARLY * curve.settings.steps)
