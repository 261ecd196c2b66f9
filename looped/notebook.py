"""The first page's picture in a Jupyter notebook, with sliders; needs `pip install looped[notebook]`."""

import html
import re
from collections.abc import Callable
from typing import Any

import ipywidgets as widgets
import plotly.graph_objects as go

from looped.chart import Picture
from looped.experiments.compare import words
from looped.experiments.compare.cost import most_prompts
from looped.experiments.compare.lessons import COMPARE, OPENING
from looped.experiments.compare.result import compare
from looped.experiments.compare.stage import stage
from looped.experiments.compare.summary import summarise
from looped.fields import SettingsError, stops
from looped.lesson import by_key
from looped.settings import FIELDS, READS_KAPPA, TABLES, Settings
from looped.tables import Table

SLIDERS = ("loops", "examples", "features", "condition_number")
PACE = 350
"""Milliseconds a loop is shown while the picture plays."""
NAMES = {"description_width": "100px"}


def explore(settings: Settings | None = None, table: Table | None = None) -> widgets.VBox:
    """The picture of the first page with sliders for T, n, d and κ, a box for η and a list of algorithms.

    The figure is a `FigureWidget` that is updated in place, so that a zoom stays. A value that cannot be used gives a
    sentence below it and leaves the picture as it is. Where a run is slow, the first prompts of the sample are run.

    Args:
        settings: where to start; None for the example that the page opens with.
        table: the real data for `data="csv"`.

    Raises:
        SettingsError: if the settings to start from cannot be run.
    """
    if settings is None:
        settings = Settings(**by_key(COMPARE)[OPENING].settings)
    controls = {name: _slider(name, settings) for name in SLIDERS}
    controls["step_size"] = _described(
        widgets.Combobox, "step_size", value=FIELDS["step_size"].to_text(settings.step_size),
        options=FIELDS["step_size"].ids, continuous_update=False,
    )  # fmt: skip
    controls["algorithm"] = _described(
        widgets.Dropdown, "algorithm", value=settings.algorithm,
        options=[(choice.label, choice.id) for choice in FIELDS["algorithm"].choices],
    )  # fmt: skip
    sentence, caption = widgets.HTML(), widgets.HTML()
    loop = widgets.IntSlider(description="loop shown", style=NAMES, readout=False)
    play = widgets.Play(interval=PACE, show_repeat=False)
    widgets.jslink((play, "value"), (loop, "value"))
    picture, said = _run(settings, table)
    figure = go.FigureWidget(picture.still())
    figure.layout.autosize = True  # as wide as the notebook
    show = _updater(figure)

    def draw() -> None:
        nonlocal picture
        try:
            changes = {name: control.value for name, control in controls.items() if not control.disabled}
            picture, said = _run(settings.replace(**changes), table)
        except SettingsError as error:
            sentence.value = _html(str(error), "alert")
            return
        at_end = loop.value == loop.max
        sentence.value = said
        step(len(_captions(picture)) if at_end else loop.value)

    def step(shown: int) -> None:
        last = len(_captions(picture)) - 1
        with loop.hold_trait_notifications():
            loop.max = play.max = last
            loop.value = min(shown, last)
        turn()

    def turn() -> None:
        caption.value = html.escape(_captions(picture)[loop.value])
        show(picture.still(loop.value))

    for control in controls.values():
        control.observe(lambda _: draw(), "value")
    sentence.value = said
    step(picture.motion.first if picture.motion else 0)
    loop.observe(lambda _: turn(), "value")
    return widgets.VBox(
        [
            widgets.GridBox(
                list(controls.values()), layout={"grid_template_columns": "repeat(auto-fit, minmax(320px, 1fr))"}
            ),
            figure,
            widgets.HBox([play, loop, caption]),
            sentence,
        ]
    )


def _captions(picture: Picture) -> list[str]:
    return picture.motion.captions if picture.motion else [""]


def _described(kind: Callable[..., Any], name: str, **words: Any) -> Any:
    """A control for a setting with the label and the help of the page."""
    field = FIELDS[name]
    return kind(description=field.label, tooltip=field.page_help, style=NAMES, **words)


def _slider(name: str, settings: Settings) -> Any:
    """A slider over the page's places; without effect where the data bring the value."""
    field, value = FIELDS[name], getattr(settings, name)
    whole = field.kind == "whole"
    places = stops(field.low, field.high, value, whole)
    of_data = settings.data in TABLES and name != "loops"
    drawn = name == "condition_number" and settings.data not in READS_KAPPA
    return _described(
        widgets.SelectionSlider, name, value=value, disabled=of_data or drawn,
        options=[(f"{place:,.10g}", int(place) if whole else place) for place in places],
    )  # fmt: skip


def _run(settings: Settings, table: Table | None) -> tuple[Picture, str]:
    """The picture of a run, and the sentences below it as HTML."""
    first = None if settings.data in TABLES else max(1, most_prompts(settings, quick=1))
    result = compare(settings, table, first)
    summary = summarise(result)
    said = [words.verdict(result.settings, summary), words.what_runs(result.settings, summary)]
    if summary.verdict.prediction != "converges":
        said.insert(0, f"**Predicted before running.** {summary.verdict.prediction_sentence}")
    return stage(result), "".join(map(_html, said))


def _html(text: str, role: str = "note") -> str:
    """A sentence with Markdown's bold as a paragraph of HTML."""
    bold = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", html.escape(text).replace(r"\*", "∗"))
    return f'<p role="{role}">{bold}</p>'


def _updater(figure: go.FigureWidget) -> Callable[[dict[str, Any]], None]:
    """A function that gives the figure new data and layout in place, except for the axes that a reader has zoomed."""
    given: dict[str, list[Any]] = {}

    def show(spec: dict[str, Any]) -> None:
        layout = dict(spec["layout"])
        for name, axis in layout.items():
            if "axis" in name and "range" in axis:
                now = list(figure.layout[name].range or axis["range"])
                ranges = given.setdefault(name, [now])
                if now not in ranges and not figure.layout[name].autorange:
                    layout[name] = axis | {"range": now}
                elif (asked := list(axis["range"])) not in ranges:
                    ranges.append(asked)
        with figure.batch_update():
            if len(figure.data) != len(spec["data"]):
                figure.data = ()
                figure.add_traces(spec["data"])
            for trace, new in zip(figure.data, spec["data"], strict=True):
                gone = trace.to_plotly_json().keys() - new.keys() - {"uid"}
                new = {name: value for name, value in new.items() if name != "type"}
                trace.update(dict.fromkeys(gone) | new, overwrite=True)
            figure.update_layout(layout, overwrite=True)

    return show
