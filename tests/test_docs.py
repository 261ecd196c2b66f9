"""The documentation: its links lead somewhere."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
WRITTEN = [*ROOT.glob("*.md"), *(ROOT / "deploy").glob("*.md"), *DOCS.rglob("*.md")]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def pages(nav):
    """The files of a navigation, however deep."""
    for entry in nav:
        for place in entry.values() if isinstance(entry, dict) else [entry]:
            if isinstance(place, str):
                yield place
            else:
                yield from pages(place)


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_points_at_something_that_is_there(page):
    links = [link for link in LINK.findall(page.read_text()) if "://" not in link and not link.startswith("#")]
    missing = [link for link in links if not (page.parent / link.partition("#")[0]).exists()]
    assert not missing


def test_the_navigation_names_every_page_of_the_documentation_and_no_other():
    named = list(pages(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]))
    assert sorted(named) == sorted(str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md"))


def test_every_room_of_the_package_that_has_docstrings_to_show_is_in_the_api():
    shown = " ".join(page.read_text() for page in (DOCS / "api").glob("*.md"))
    for package in (ROOT / "looped").rglob("__init__.py"):
        name = ".".join(package.parent.relative_to(ROOT).parts)
        if name not in ("looped.cli", "looped.experiments"):
            assert re.search(rf"^::: {name}(\.|$)", shown, re.MULTILINE), name


def test_every_test_that_holds_a_promise_of_security_is_there():
    defined = " ".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", (ROOT / "SECURITY.md").read_text())
    assert named
    assert [name for name in named if f"def {name}(" not in defined] == []
