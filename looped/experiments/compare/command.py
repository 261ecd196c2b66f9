"""Run a constructed looped transformer next to explicit gradient descent on the same prompts."""

from pathlib import Path
from typing import Any

from looped import tables
from looped.algorithms import ALGORITHMS
from looped.cli.options import command, refuse_unread, write
from looped.cli.streams import give, say
from looped.dialects import Dialect
from looped.experiments.compare.cost import most_prompts
from looped.experiments.compare.result import compare
from looped.fields import SettingsError
from looped.settings import FIELDS, TABLES, Settings

SYNTHETIC_ONLY = ("examples", "features", "condition_number", "spectrum", "noise", "prompts")
"""Settings that a table determines or that make no sense for one."""
KAPPA_ONLY = ("condition_number", "spectrum")
"""Settings that Gaussian rows do not read."""


ABOUT = (
    "The verdict: max |looped − explicit|, relative to the largest iterate, passes up to 16·eps·(κ + √T), "
    "at most 1e-3. κ is the measured one of XᵀX/n; of XᵀX/n + ρI for ridge; for features of one covariance with a "
    "preconditioner C, the larger of κ(Σ̂) and κ(C^½Σ̂C^½)·√κ(C), Σ̂ = XᵀX/n; at least aλ₁ for GD++. T replaces √T where "
    "columns are collinear and every loop reads all tokens, and for ridge and heavy ball at a rank below d. Where "
    "labels are so nearly orthogonal to the features that the terms of the first update are more than four times as "
    "large as every iterate, the gap is relative to a quarter of them. arrays.npz determines every loop: Z ← Z + ((𝓐 − "
    "I) Z − η 𝓚 Z − (η/n) Σ P Z 𝓜 (ZᵀQZ)) 𝓡 from Z0, η = step_size; M and R hold the diagonals of the masks 𝓜 "
    "(read) and 𝓡 (written), A and K hold 𝓐 and 𝓚, which are I and 0 where they are not in the file, and Σ is over "
    "heads; where softmax is 1, ZᵀQZ is n times the softmax over the examples. w is the matrix read times the columns "
    "that 𝓜 leaves out. With contraction c, of EAGLE alone, η is c/h₁ for examples and ηλ₁/h₁ for queries in every "
    "loop, h₁ the largest eigenvalue of XᵀX/n of the tokens as they are, λ₁ its first value."
)
"""The text below the options."""


@command(Settings, Dialect, metavars={"data": "|".join(("FILE.csv", *FIELDS["data"].ids[:-1]))}, epilog=ABOUT)
def run(asked: dict[str, Any], out: Path | None) -> None:
    """`looped compare`: summary to standard output, files to `--out`."""
    told = {name: asked.pop(name) for name in Dialect.table if name in asked}
    settings, path = _settings(asked)
    if told and path is None:
        name, value = next(iter(told.items()))
        why = "describes a CSV file: add --data FILE.csv, or leave it out."
        raise SettingsError(name, f"{Dialect.table[name].flag} = {value} {why}")
    table = tables.load(settings, path, Dialect(**told))
    if table is not None and table.reading:
        say(f"{table.name}: {table.reading}")
    if table is None and "prompts" not in asked:
        settings = _fewer_prompts(settings)
    result = compare(settings, table)
    summary = write(result, out)
    if result.rank == 1 and settings.condition_number != 1 and settings.data == "exact":
        say("min(n, d) = 1 leaves a single eigenvalue, so κ is 1")
    if result.rank < (d := result.prompts.shape[2]):
        say(
            f"numerical rank {result.rank} < d = {d}: the examples do not determine all weights, so the coefficients "
            "that fit best are not unique"
        )
    say(result.prediction.sentence)
    of = (
        "the largest explicit iterate"
        if result.scale == result.largest_iterate
        else "a quarter of the first update's terms"
    )
    gap = f"{result.gap:.1e}; relative to {of} {result.relative_gap:.1e}"
    if result.passed is None:
        kind, other = result.algorithm.name, result.algorithm.short()
        loop = result.algorithm.loop_name.lower()
        say(f"max |{kind} − {other}| = {gap}: {loop} with the same weights takes another step")
    else:
        verdict = f"tolerance {result.tolerance:.1e} in {settings.dtype}: {'pass' if result.passed else 'FAIL'}"
        say(f"max |looped − {result.algorithm.short()}| = {gap}, {verdict}")
    if result.report is not None:
        for sentence in result.report.sentences:
            say(sentence)
    give(summary)


def _settings(values: dict[str, Any]) -> tuple[Settings, Path | None]:
    """Settings from the options that were given, and the CSV file if one was."""
    path = None
    if values.get("data") not in (None, *FIELDS["data"].ids):
        path = Path(values["data"])
        values["data"] = "csv"
    table = values.get("data") in TABLES
    for name in SYNTHETIC_ONLY if table else ("target", "feature_columns"):
        if name in values:
            own = "goes with synthetic data, a table brings its own: leave it out."
            raise _refused(name, values, own if table else "goes with a table: add --data FILE.csv.")
    for name in KAPPA_ONLY if values.get("data") == "gaussian" else ():
        if name in values:
            why = "goes with --data exact or correlated; with gaussian κ depends on the draw: leave it out."
            raise _refused(name, values, why)
    settings = Settings(**values)
    if settings.shared_step and (table or settings.prompts == 1):
        refuse_unread(settings, values, {"shared_step": "several prompts, and this is one"})
    _refuse_unread(settings.algorithm, values)
    return settings, path


def _refuse_unread(name: str, values: dict[str, Any]) -> None:
    """Refuse options that were given and that the chosen algorithm does not read."""
    chosen = ALGORITHMS[name]
    for other in ALGORITHMS.values():
        for setting in set(other.reads) & set(values) - set(chosen.reads):
            why = f"goes with --algorithm {other.name}, and this is {name}: leave it out, or choose {other.name}."
            raise _refused(setting, values, why)
    if not chosen.layouts and "layout" in values:
        why = f"goes with algorithms that have two layouts, and {name} has one: leave it out."
        raise _refused("layout", values, why)
    if not chosen.has_state and values.get("form") == "state":
        why = f"goes with algorithms whose examples give a constant state, and {name} reads all tokens: leave it out."
        raise _refused("form", values, why)


def _refused(name: str, values: dict[str, Any], why: str) -> SettingsError:
    """The sentence for an option that was given and does not go with the others."""
    return SettingsError(name, f"{FIELDS[name].flag} = {values[name]} {why}")


def _fewer_prompts(settings: Settings) -> Settings:
    """As many of the default number of prompts as the limits allow; a smaller number is reported on standard error."""
    most = most_prompts(settings)
    if 0 < most < settings.prompts:
        say(f"runs {most} prompts, as many as fit the limits at these sizes, instead of {settings.prompts}")
        return settings.replace(prompts=most)
    return settings
