"""Colours: a role has one colour on every page, and in exported files without a page's theme."""

import re
from functools import partial

import pytest

from looped import BeyondSettings, Settings, beyond, compare, export
from looped.chart import COLOURS, ROLES, colour
from looped.experiments.context import stored as context
from looped.experiments.gpt2 import words
from looped.experiments.gpt2.charts import curves_chart
from looped.experiments.gpt2.curves import stored as gpt2
from looped.experiments.signal.result import SignalResult, SignalTraining
from looped.experiments.signal.settings import SignalSettings
from looped.experiments.train import stored as trained

ROLE_OF = {
    r"(Looped|looped) transformer.*|GPT-2 with MLP.*|LTB.*|optimum with MLP.*|trained|learned β.*|T = \d+|"
    r"Construction, .* prompts?|measured, construction|κ measured.*|gradient flow|median of the batch|"
    r"learned step, .*|query overwritten.*|trained on n = 20, median|mean over prompts.*|one covariance, n/d.*|"
    r"with MLP: from .*|rotated, n/d.*|tied layers.*|EAGLE|λ<sub>max.*": "model",
    r"Explicit .*|GPT-2 without MLP.*|LSA.*|smallest found for attention alone.*|nearest GD\+\+|"
    r"the two layers|trained on n = 60, median|one covariance, n → ∞|rotated, n → ∞|untied layers.*|"
    r"attention alone: from 0|Heavy ball|GD\+\+.*|Iterative Newton|query appended.*": "counterpart",
    r"Closed form.*|max .*|best GD\+\+.*|β\*.*|Construction, limit.*|"
    r"exact mean.*|mean for m → ∞.*|its limit for.*|limit for.*|Conjugate.*|\(\(1.*": "reference",
    r"Plain gradient descent.*|constructed GD.*|GD tuned here|GD-0|optimum of GD-0.*|one layer.*|"
    r"one linear block.*|step 1/λ₁ of each.*|Gradient descent.*": "descent",
    r"[Bb]ound .*|e<sup>.*|proved.*|n > 64.*|n = c·d.*|mean above the bound.*": "bound",
    r"answering 0.*|predict ⟨β\*, x⟩.*": "nothing",
    r"gap: .*|target.*|error = .*|trained here|best number of loops.*|2: above.*": "mark",
    r"Rounding floor.*|Least squares to.*|Ridge solution to.*|Bayes.*|1 − n/d.*": "floor",
    r"Learned A.*|A alone, trained.*|measured, learned A": "learned",
    r"Distance to αw\*|tasks .*": "task",
}
"""Names of lines to their role: the words of the design, not of the code."""


def of_gpt2():
    for group in (words.groups(gpt2())[0], words.groups(gpt2())[-1]):
        levels = SignalTraining(SignalSettings(features=2, examples=3, steps=1)).levels
        yield curves_chart(group.curves, group.settings, levels)
        yield curves_chart([], group.settings, levels)


def of_signal():
    training = SignalTraining(SignalSettings(features=2, examples=3, steps=1, model="gd-0"))
    return export.of(SignalResult(training.settings, training)).pictures().values()


BEYOND = {
    "append": {}, "one step": {"view": "one-step"}, "more loops": {"view": "more-loops", "tested_on": "same"},
    "rivals": {"view": "rivals"},
    "depth": {"view": "depth", "examples": 5}, "tied": {"view": "tied"},
}  # fmt: skip


def of_beyond(**settings):
    return export.of(beyond(BeyondSettings(prompts=100, **settings))).pictures().values()


PAGES = {
    "compare": lambda: export.of(compare(Settings(prompts=8))).pictures().values(),
    "compare, noise": lambda: export.of(compare(Settings(prompts=8, noise=0.5))).pictures().values(),
    "compare, momentum": lambda: export.of(compare(Settings(prompts=8, algorithm="heavy-ball"))).pictures().values(),
    "context": lambda: export.of(context.stored()[0]).pictures().values(),
    "train": lambda: export.of(trained.stored()[0]).pictures().values(),
    "signal": of_signal,
    "gpt2": of_gpt2,
    **{f"beyond, {name}": partial(of_beyond, **settings) for name, settings in BEYOND.items()},
}


def role_of(name):
    found = [role for pattern, role in ROLE_OF.items() if re.fullmatch(pattern, name)]
    assert len(found) == 1, (name, found)
    return found[0]


def lines(figure):
    """Traces that are lines, no edges of a band, nothing grey and no modes, which are numbered and all alike."""
    drawn = [trace for trace in figure.data if trace.type == "scatter" and trace.line.width]
    drawn = [trace for trace in drawn if trace.line.color != "gray"]
    return [trace for trace in drawn if trace.name and not trace.name.startswith("mode ")]


@pytest.mark.parametrize("page", PAGES)
def test_a_line_has_the_colour_of_its_role_on_every_page_and_in_every_file(page):
    count = 0
    for picture in PAGES[page]():
        if picture.motion is not None:  # the player, whose traces come in the order of the roles
            continue
        alone = lines(picture.standing_alone())
        for trace, own in zip(lines(picture.figure), alone, strict=True):
            at_t = trace.name.startswith("T = ") and trace.mode == "lines"  # the level of the map, no curve
            role = "mark" if at_t else role_of(trace.name)
            assert trace.line.color == colour(role), trace.name
            assert own.line.color == COLOURS[ROLES.index(role)], trace.name
            count += 1
    assert count >= 3


def test_every_role_has_a_colour_of_its_own():
    assert len(set(map(colour, ROLES))) == len(ROLES) == len(COLOURS)
