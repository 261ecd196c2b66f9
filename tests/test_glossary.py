"""The glossary of each page, and the one table of notation."""

import re

import pytest

from looped.experiments import EXPERIMENTS
from looped.glossary import SYMBOLS, WORDS, of_page
from tests.app import ROOT, open_page, texts

SOUGHT = {
    "prompt": r"\bprompts?\b", "token": r"\btokens?\b", "query": r"\bquery\b", "loop": r"\bloops?\b",
    "mode": r"\b(eigen-)?modes?\b", "condition number": r"κ|condition number", "softmax": r"[Ss]oftmax",
    "MLP": r"\bMLP\b", "Bayes": r"\bBayes\b",
}  # fmt: skip
"""How the words that must be explained are written."""


def said(page):
    """All that a page says: its lessons, its Markdown, and what is on the screen."""
    lessons = " ".join(str(lesson) for lesson in EXPERIMENTS[page].load("lessons"))
    prose = "".join(path.read_text() for path in (ROOT / "pages").glob(f"{page}.md"))
    at = open_page(page)
    return " ".join([lessons, prose, texts(at), *(metric.label for metric in at.metric)])


@pytest.mark.parametrize("page", EXPERIMENTS)
def test_a_page_explains_the_words_it_says(page):
    text, (words, symbols) = said(page), of_page(page)
    spoken = [word for word, pattern in SOUGHT.items() if re.search(pattern, text)]
    assert [word for word in spoken if word not in words] == []
    assert symbols


@pytest.mark.parametrize("page", EXPERIMENTS)
def test_the_words_come_first_on_the_page_and_then_the_symbols(page):
    shown = texts(open_page(page, {"glossary": True}), "markdown")
    words, symbols = of_page(page)
    places = [shown.index("**Words**"), shown.index(f"**{next(iter(words))}**"), shown.index("**Symbols**")]
    assert places == sorted(places)
    assert len(symbols) == sum(f"**{name}**" in shown[places[-1] :] for name in _typeset(symbols))


def _typeset(names):
    from looped_ui.parts import typeset

    return [typeset(name) for name in names]


def test_no_letter_has_two_meanings():
    letters = [letter.strip() for name in SYMBOLS for letter in name.split(",")]
    assert len(letters) == len(set(letters))
    assert not set(WORDS) & set(SYMBOLS)


def test_every_entry_names_pages_that_exist_and_every_word_is_on_one():
    for entry in (*WORDS.values(), *SYMBOLS.values()):
        assert set(entry.pages) <= set(EXPERIMENTS)
    assert all(entry.pages for entry in WORDS.values())


def test_the_symbols_of_the_main_controls_are_explained():
    assert {"T", "n", "d", "κ", "η", "λ_k", "w_t", "w_ref", "α", "σ", "P"} <= {
        letter.strip() for name in SYMBOLS for letter in name.split(",")
    }
