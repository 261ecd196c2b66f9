"""For the documentation: the tables of settings and of notation, from what the program and its pages read."""

from collections.abc import Iterator

from looped.dialects import Dialect
from looped.experiments import EXPERIMENTS
from looped.glossary import SYMBOLS, WORDS, Entry
from looped.settings import CheckedSettings


def on_page_markdown(markdown: str, **_: object) -> str:
    """A page with tables in the place of their marks."""
    for mark, tables in {"<!-- settings -->": _settings, "<!-- notation -->": _notation}.items():
        if mark in markdown:
            markdown = markdown.replace(mark, "\n".join(tables()))
    return markdown


def _notation() -> Iterator[str]:
    for heading, entries in {"Words": WORDS, "Symbols": SYMBOLS}.items():
        yield f"\n## {heading}\n\n| | what it means | on the pages |\n|---|---|---|"
        for name, entry in entries.items():
            yield f"| {name} | {entry.meaning.replace('|', chr(92) + '|')} | {_pages(entry)} |"


def _pages(entry: Entry) -> str:
    if len(entry.pages) == len(EXPERIMENTS):
        return "all"
    return ", ".join(f"*{EXPERIMENTS[page].title}*" for page in entry.pages)


def _settings() -> Iterator[str]:
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
