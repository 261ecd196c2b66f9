"""`explore`: the sliders run the comparison and change the figure in place."""

import subprocess
import sys

import numpy as np
import plotly.graph_objects as go
import pytest

from looped import Settings, SettingsError, compare
from looped.notebook import explore
from looped.settings import FIELDS

START = Settings(loops=20, examples=12, features=3, condition_number=10, prompts=4)


class Explorer:
    """What a reader of the notebook can see and move."""

    def __init__(self, settings=START):
        box = explore(settings)
        (self.figure,) = (child for child in box.children if isinstance(child, go.FigureWidget))
        found = [part for child in box.children for part in (child, *getattr(child, "children", ()))]
        self.controls = {part.description: part for part in found if getattr(part, "description", "")}
        self.box = box

    def __getitem__(self, name):
        return self.controls[FIELDS[name].label]

    def said(self):
        """The sentences below the picture."""
        return self.box.children[-1].value

    def curve(self):
        """The transformer's error per loop: the one line on the axes that are titled with the loop."""
        axes = ((name, self.figure.layout[name]) for name in self.figure.layout if name.startswith("xaxis"))
        (axis,) = (name.replace("axis", "") for name, axis in axes if axis.title.text == "loop t")
        (line,) = (
            trace for trace in self.figure.data if trace.xaxis == axis and trace.type == "scatter" and trace.line.width
        )
        return np.array(line.x), np.array(line.y)


def check(explorer, settings):
    loops, errors = explorer.curve()
    assert list(loops) == list(range(settings.loops + 1))
    assert errors == pytest.approx(compare(settings).errors[:, 0], rel=1e-5, abs=1e-17)


def test_it_starts_from_the_settings_and_every_control_runs_the_comparison_again():
    explorer, settings = Explorer(), START
    check(explorer, settings)
    changes = [("loops", 50), ("examples", 40), ("features", 10), ("condition_number", 100.0), ("step_size", "optimal"),
               ("step_size", "0.2"), ("algorithm", "heavy-ball"), ("algorithm", "gd++"), ("algorithm", "ridge"),
               ("loops", 4), ("features", 2), ("examples", 6)]  # fmt: skip
    for name, value in changes:
        explorer[name].value = value
        settings = settings.replace(**{name: value})
        check(explorer, settings)


def test_the_figure_stays_the_same_and_so_does_its_zoom():
    explorer = Explorer()
    figure, axis = explorer.figure, "xaxis5"
    whole = figure.layout[axis].range
    figure.plotly_relayout({f"{axis}.range[0]": 2, f"{axis}.range[1]": 5})  # what the browser reports of a zoom
    explorer["condition_number"].value = 50.0
    explorer["loops"].value = 30
    assert explorer.figure is figure
    assert figure.layout[axis].range == (2, 5)
    check(explorer, START.replace(condition_number=50, loops=30))
    figure.plotly_relayout({f"{axis}.range": list(whole)})
    explorer["loops"].value = 40
    assert figure.layout[axis].range == pytest.approx((-0.05 * 40, 1.04 * 40))  # with room on both sides


def test_the_loop_slider_moves_the_point_and_stays_at_the_end_of_a_longer_run():
    explorer = Explorer()
    loop = explorer.controls["loop shown"]

    def point():
        (dot,) = (trace for trace in explorer.figure.data if trace.xaxis == "x5" and len(trace.x) == 1)
        return dot.x[0]

    assert (loop.value, point()) == (0, 0)
    loop.value = 20
    assert point() == 20
    explorer["loops"].value = 30
    assert (loop.value, point()) == (30, 30)
    loop.value = 7
    assert point() == 7
    explorer["loops"].value = 9
    assert (loop.value, point()) == (7, 7)
    explorer["loops"].value = 3
    assert (loop.value, point()) == (3, 3)


@pytest.mark.parametrize(
    ("name", "value", "why"), [("step_size", "abc", "it is not a number"), ("step_size", "-1", "above 0")]
)
def test_a_value_that_cannot_be_used_gives_one_sentence_and_leaves_the_picture(name, value, why):
    explorer = Explorer()
    explorer[name].value = value
    assert why in explorer.said()
    check(explorer, START)
    explorer[name].value = "auto"
    assert "Same as explicit gradient descent" in explorer.said()


def test_a_run_beyond_the_limits_gives_the_sentence_of_the_limit():
    explorer = Explorer(START.replace(form="token", prompts=1))
    for name, value in (("loops", 10_000), ("examples", 2_000), ("features", 200)):
        explorer[name].value = value
    with pytest.raises(SettingsError) as refused:
        compare(START.replace(form="token", prompts=1, loops=10_000, examples=2_000, features=200))
    assert str(refused.value) in explorer.said()


def test_the_verdict_of_the_page_stands_below():
    explorer = Explorer()
    assert "Same as explicit gradient descent" in explorer.said()
    explorer["step_size"].value = "1.9"
    assert "Diverges" in explorer.said()


def test_labels_limits_and_help_are_those_of_the_settings():
    explorer = Explorer()
    for name in ("loops", "examples", "features", "condition_number"):
        field, places = FIELDS[name], [value for _, value in explorer[name].options]
        assert (places[0], places[-1]) == (field.low, field.high)
        assert getattr(START, name) in places
        assert explorer[name].tooltip == field.page_help
        steps = np.diff(np.log10(np.array(places)[np.array(places) >= 10]))
        assert steps.max() < 0.31  # evenly over the decades


def test_controls_without_effect_are_grey():
    gaussian, table = Explorer(START.replace(data="gaussian")), Explorer(START.replace(data="diabetes"))
    names = ("loops", "examples", "features", "condition_number")
    assert [gaussian[name].disabled for name in names] == [False, False, False, True]
    assert [table[name].disabled for name in names] == [False, True, True, True]


def test_the_package_loads_no_widgets():
    code = "import sys, looped, looped.settings, looped.chart; print({'ipywidgets', 'plotly'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
