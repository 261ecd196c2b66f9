"""The page's sentences on the stored trainings, written from their curves, in Markdown."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from looped.experiments.gpt2.curves import Curve
from looped.experiments.gpt2.settings import GPT2Settings

EARLY = 0.05
"""Share of the steps after which a lead is called early."""


@dataclass(frozen=True, slots=True)
class Group:
    """Finished pairs of trainings that differ in nothing but their seed."""

    settings: GPT2Settings
    """Settings that all of them share, except for seed and MLP."""
    pairs: list[tuple[Curve, Curve]]
    """With and without MLP, a pair for each seed."""

    @property
    def with_mlp(self) -> list[float]:
        """Final risks, one for each seed."""
        return [_risk(curve) for curve, _ in self.pairs]

    @property
    def without(self) -> list[float]:
        """The same without MLP."""
        return [_risk(curve) for _, curve in self.pairs]

    @property
    def ahead_at_the_end(self) -> int:
        """Number of seeds at which the model with MLP has the smaller final risk."""
        return sum(a < b for a, b in zip(self.with_mlp, self.without, strict=True))

    @property
    def ahead_early(self) -> int:
        """Number of seeds at which it has the smaller loss after `EARLY` of the steps."""
        return sum(_early(a) < _early(b) for a, b in self.pairs)


def same_task(settings: GPT2Settings) -> GPT2Settings:
    """The settings shared by two trainings that differ only in their MLP."""
    return settings.replace(mlp=True)


def pairs(curves: Iterable[Curve]) -> dict[GPT2Settings, list[Curve]]:
    """Curves grouped by the settings they share except for the MLP, the one with MLP first."""
    found: dict[GPT2Settings, list[Curve]] = {}
    for curve in sorted(curves, key=lambda curve: not curve.settings.mlp):
        found.setdefault(same_task(curve.settings), []).append(curve)
    return found


def groups(curves: Iterable[Curve]) -> list[Group]:
    """Finished pairs grouped by all settings but the seed, the defaults first."""
    found: dict[GPT2Settings, list[tuple[Curve, Curve]]] = {}
    for settings, pair in pairs(curves).items():
        if len(pair) == 2 and all(curve.finished for curve in pair):
            found.setdefault(settings.replace(seed=0), []).append((pair[0], pair[1]))
    in_order = sorted(found, key=lambda settings: (settings != GPT2Settings(), -settings.signal))
    return [Group(settings, sorted(found[settings], key=_seed)) for settings in in_order]


def group_of(settings: GPT2Settings, curves: Iterable[Curve]) -> Group | None:
    """The stored seeds of a setting, if there are any."""
    wanted = same_task(settings).replace(seed=0)
    return next((group for group in groups(curves) if group.settings == wanted), None)


def label(settings: GPT2Settings) -> str:
    """A setting in a few words, without its seed."""
    falling = "falling" if settings.decay else "constant"
    return (
        f"s = {settings.signal:g}, d = {settings.features}, M = {settings.examples}, {settings.layers} layers, width "
        f"{settings.width}, {settings.steps:,} steps, {falling} rate {settings.learning_rate:g}"
    )


def spread(values: Sequence[float]) -> str:
    """The lowest and the highest of some values."""
    low, high = (f"{value:.2g}" for value in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def seeds_sentence(group: Group) -> str:
    """A sentence on the last risks of a setting's seeds."""
    seeds = ", ".join(str(pair[0].settings.seed) for pair in group.pairs)
    return (
        f"Stored seeds of this setting ({seeds}): with MLP {spread(group.with_mlp)}, without {spread(group.without)}; "
        f"with MLP lower at {group.ahead_at_the_end} of {len(group.pairs)}."
    )


def table(curves: Iterable[Curve]) -> str:
    """All stored settings: final risks over their seeds."""
    rows = "\n".join(
        f"| {label(group.settings)} | {len(group.pairs)} | {spread(group.with_mlp)} | {spread(group.without)} | "
        f"{group.ahead_at_the_end} of {len(group.pairs)} |"
        for group in groups(curves)
    )
    return (
        "| setting | seeds | error with MLP | error without MLP | lower with MLP |\n|---|---|---|---|---|\n"
        + rows
        + "\n\nSquared error after the last step, lowest to highest over the seeds, each on 20,000 fresh prompts."
    )


def notice(curves: Iterable[Curve]) -> list[str]:
    """Sentences on what to notice: counted over the stored pairs, or true of every chart."""
    curves = list(curves)
    some = [group for group in groups(curves) if group.settings.signal > 0]
    none = [group for group in groups(curves) if group.settings.signal == 0]
    lines = []
    if some:
        total = sum(len(group.pairs) for group in some)
        early, end = (sum(counts) for counts in zip(*((g.ahead_early, g.ahead_at_the_end) for g in some), strict=True))
        lines.append(
            f"With β\\* above 0 the model with MLP has the smaller error in {early} of {total} stored pairs after a "
            f"twentieth of the steps, and in {end} of {total} at the end. By how much depends on setting and seed."
        )
    lines += [
        "The dotted line is the risk of predicting ⟨β\\*, x⟩ and reading nothing from the examples. Below it a model "
        "learns in context.",
        "Below the dashed line GPT-2 does better than the best single gradient step from β\\*, which for d ≥ 2 is "
        "the best that one linear block can do.",
    ]
    if none:
        risks = [risk for group in none for risk in (*group.with_mlp, *group.without)]
        total = sum(len(group.pairs) for group in none)
        lower = sum(group.ahead_at_the_end for group in none)
        lines.append(
            f"At β\\* = 0 the {2 * total} stored models end at {spread(risks)}; the one with MLP is lower in {lower} "
            f"of {total} pairs."
        )
    return lines


def _risk(curve: Curve) -> float:
    assert curve.risk is not None
    return curve.risk.mean


def _early(curve: Curve) -> float:
    return next(record.loss for record in curve.history if record.step >= EARLY * curve.settings.steps)


def _seed(pair: tuple[Curve, Curve]) -> int:
    return pair[0].settings.seed
