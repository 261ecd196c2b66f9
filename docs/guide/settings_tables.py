"""For the documentation: the settings of every experiment as tables, from the declarations that the program reads."""

from collections.abc import Iterator

from looped.dialects import Dialect
from looped.experiments import EXPERIMENTS
from looped.settings import CheckedSettings

MARK = "<!-- settings -->"
"""What the tables take the place of."""


def on_page_markdown(markdown: str, **_: object) -> str:
    """A page with the tables in the place of the mark."""
    return markdown.replace(MARK, "\n".join(_tables())) if MARK in markdown else markdown


def _tables() -> Iterator[str]:
    for experiment in EXPERIMENTS.values():
        yield from _table(f"`looped {experiment.name}`: {experiment.title}", experiment.load("settings"))
    yield from _table("The layout of a CSV", Dialect)


def _table(heading: str, settings: type[CheckedSettings]) -> Iterator[str]:
    yield f"\n## {heading}\n\n| in Python | option | in a link | default | values | what it is |"
    yield "|---|---|---|---|---|---|"
    defaults = settings.defaults()
    for name, field in settings.table.items():
        default = field.to_text(defaults[name])
        cells = (f"`{name}`", f"`{field.flag}`", f"`{field.key}`", f"`{default}`" if default else "")
        yield f"| {' | '.join((*cells, field.range, field.page_help.replace('|', chr(92) + '|')))} |"
