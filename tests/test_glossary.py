"""The glossary of each page, and the one table of notation."""

import re

import pytest

from looped.experiments import EXPERIMENTS
from looped.glossary import SYMBOLS, WORDS, of_page, spoken
from looped_ui.parts import typeset
from tests.app import ROOT, open_page, run, texts
from tests.thorough import thorough_but

SOUGHT = {
    "prompt": r"\bprompts?\b", "token": r"\btokens?\b", "query": r"\bquery\b", "loop": r"\bloops?\b",
    "mode": r"\b(eigen-)?modes?\b", "condition number": r"κ|condition number", "softmax": r"[Ss]oftmax",
    "MLP": r"\bMLP\b", "Bayes": r"\bBayes\b", "Student's t": "Student's t",
    "error of w": r"error of w\b(?! on)", "query error": r"\bquery errors?\b",
    "constructed GD": r"[Cc]onstructed GD\b", "antisymmetric": r"\bantisymmetric\b",
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


LESSONS = [
    pytest.param(page, lesson, id=f"{page} {lesson.key}")
    for page in EXPERIMENTS
    for lesson in EXPERIMENTS[page].load("lessons")
]
OWN_NAME = {"condition number": "κ"}
"""Words that a page explains under another name where it has one."""


@pytest.mark.parametrize(
    ("page", "lesson"), thorough_but(lambda _, lesson: lesson.key in ("optimal-step", "no-signal"), LESSONS)
)
def test_the_text_that_says_a_word_first_explains_it_behind_its_help_mark(page, lesson):
    at = open_page(page, lesson=lesson.key)
    at.button_group(key=f"{page}_guess").set_value(lesson.choices[lesson.right])
    run(at)
    (see,) = (text for text in at.markdown if text.value == typeset(lesson.see))
    (answer,) = (text for text in at.markdown if text.value.endswith(typeset(lesson.answer)))
    asked = at.button_group(key=f"{page}_guess")
    told = ""
    for said, help_mark in (
        (at.caption[0].value, at.caption[0].help), (see.value, see.help),
        (f"{asked.label} {lesson.choices}", asked.proto.help), (answer.value, answer.help),
    ):  # fmt: skip
        told += help_mark
        words = [word for word, pattern in SOUGHT.items() if re.search(pattern, said)]
        explained = [word for word in words if f"**{word}** ·" in told or f"**{OWN_NAME.get(word)}** ·" in told]
        assert [word for word in words if word not in explained] == []


@pytest.mark.parametrize(("page", "text", "explained"), [
    ("compare", "the distance to the task αw* stops", ["task", "w\\*", "α"]),
    ("context", "a part of w*, as n = O(d) says", ["O(d)", "w\\*"]),
    ("compare", "Here the same P and Q; η and μ are the best", ["η", "P, Q", "μ"]),
    ("compare", "One more slot holds the previous iterate", ["iterate", "slot"]),
    ("train", "the best A is known in closed form (seeds 0 to 19)", ["seed", "closed form"]),
    ("context", "by Marchenko and Pastur's law", ["Marchenko and Pastur"]),
])  # fmt: skip
def test_a_help_mark_finds_words_and_symbols_as_a_text_writes_them(page, text, explained):
    assert set(spoken(page, text)) == set(explained)
    assert spoken(page, text, before=text) == {}


@pytest.mark.parametrize("page", EXPERIMENTS)
def test_the_words_come_first_on_the_page_and_then_the_symbols(page):
    shown = texts(open_page(page, {"glossary": True}), "markdown")
    words, symbols = of_page(page)
    places = [shown.index("**Words**"), shown.index(f"**{next(iter(words))}**"), shown.index("**Symbols**")]
    assert places == sorted(places)
    assert len(symbols) == sum(f"**{name}**" in shown[places[-1] :] for name in _typeset(symbols))


def _typeset(names):
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
