"""Parts that every page draws the same way."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from looped.glossary import spoken
from looped_ui import busy


def plain(text: str) -> str:
    """Text from outside (a link, a file name, a column name) as it is: no Markdown, no links, no images, one line."""
    text = re.sub(r"(?i)www(?=\.)|(?<=:)(?=//)|@", lambda found: f"{found[0]}\u2060", " ".join(text.split()))
    return re.sub(r"([\\`*_{}\[\]()<>#$|~:!&])", r"\\\1", text)


SYMBOL = re.compile(
    r"(?P<kept>\$[^$]+\$|`[^`]*`)"  # mathematics and code stay as they are
    r"|(?P<letter>(?<![A-Za-z0-9_\\])[a-zα-ω]|(?<![a-z0-9_\\])[A-ZΑ-Ω])"
    r"(?:_(?P<below>[A-Za-z0-9Α-Ωα-ω]+)|\^(?:(?P<above>−?½|[A-Za-z0-9]+)|\((?P<power>(?:[^()]|\([^()]*\))*)\)))"
    r"|(?<=[²‖)\]])_(?P<norm>[A-Za-z0-9]+)"
    r"|(?P<star>(?<=[αβwΓ])\*(?!\*))"
)


def typeset(text: str) -> str:
    """Our own Markdown with symbols such as w_t, λ_k and C^½ set as mathematics, and the star of w* as a star."""
    return SYMBOL.sub(_symbol, text)


def _symbol(found: re.Match[str]) -> str:
    letter, below = found["letter"], found["below"] or found["norm"]
    if found["kept"]:
        return found[0]
    if found["star"]:
        return r"\*"
    if below:
        words = rf"\mathrm{{{below}}}" if len(below) > 1 else below
        return rf"${letter or ''}_{{{words}}}$"
    power = (found["above"] or found["power"]).replace("½", "1/2")
    return rf"${letter}^{{{power}}}$"


def meanings(page: str, text: str, before: str = "") -> str | None:
    """Markdown for the help mark behind a text: what its words mean that no text `before` has; None if there are none.

    Args:
        page: name of its experiment.
        text: in Markdown.
        before: what the page says above it.
    """
    found = spoken(page, text, before)
    return bullets(f"**{typeset(name)}** · {typeset(what)}" for name, what in found.items()) or None


def duration(seconds: float) -> str:
    """Seconds in words."""
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} minutes"


def bullets(sentences: Iterable[str]) -> str:
    """Sentences as a Markdown list."""
    return "\n".join(f"- {sentence}" for sentence in sentences)


def unbroken(text: str) -> str:
    """The text without line breaks inside numbers such as 1e-06: a word joiner after every hyphen."""
    return text.replace("-", "-\u2060")


STRIP = """<style>
[class*="st-key-numbers"] { container-type: inline-size }
[class*="st-key-numbers"] > * { flex: 1 1 9.6rem !important; width: auto !important; min-width: 0 }
[class*="st-key-numbers"] :is([data-testid="stMetricLabel"], [data-testid="stMetricValue"]) * { white-space: normal }
[class*="st-key-numbers"] :is([data-testid="stMetricLabel"], [data-testid="stMetricValue"]) .katex * {
  white-space: nowrap
}
@container (31rem <= width) {
  [class*="st-key-numbers"] > :is(:nth-last-child(6):first-child, :nth-last-child(6):first-child ~ *) {
    flex-basis: 26% !important
  }
}
@container (31rem <= width < 52rem) {
  [class*="st-key-numbers"] > :is(:nth-last-child(5):first-child, :nth-last-child(5):first-child ~ *) {
    flex-basis: 26% !important
  }
}
@container (31rem <= width < 42rem) {
  [class*="st-key-numbers"] > :is(:nth-last-child(4):first-child, :nth-last-child(4):first-child ~ *) {
    flex-basis: 40% !important
  }
}
@container (width < 31rem) { [class*="st-key-numbers"] > * { flex-basis: 40% !important } }
</style>"""
"""Cards that fill every row, whatever the width: none stands alone at the end, and no title is cut off.

The count is read off the cards themselves: with `:has` on the strip a browser would restyle a chart at every picture.
"""


def numbers_strip(name: str = "") -> DeltaGenerator:
    """The place of a strip of up to six numbers.

    Args:
        name: tells strips of one page apart.
    """
    st.html(STRIP)
    return st.container(horizontal=True, key=f"numbers{name}")


def show_number(label: str, value: str, below: str, explanation: str, *, passed: bool | None = None) -> None:
    """One number of a strip, a line below it, its meaning behind the help sign, and a verdict if it has one."""
    busy.between()
    with st.container(border=True, height="stretch", gap="xxsmall"):
        st.metric(typeset(label), value, help=typeset(explanation))
        verdict = "" if passed is None else ":green-badge[PASS] " if passed else ":red-badge[FAIL] "
        st.caption(verdict + unbroken(typeset(below)))


def made_by(provenance: Mapping[str, Any], what: str = "stored default was") -> None:
    """Show the provenance of the result that a page shows first, the subject of the sentence being `what`."""
    versions = ", ".join(f"{name} {version}" for name, version in provenance["versions"].items())
    st.caption(
        f"The {what} made by `{provenance['command']}` on {provenance['date']} with {versions} "
        f"({provenance['hardware']})."
    )


def data_table(columns: Mapping[str, Any], alt: str, *, whole: bool = False) -> None:
    """Numbers in columns, with enough digits; `whole` shows every row without scrolling."""
    busy.between()
    plain: dict[str, Any] = {"column": st.column_config.TextColumn(width="small")} if "column" in columns else {}
    plain |= {name: st.column_config.NumberColumn(format="%.6g") for name in columns if name not in ("loop", "column")}
    st.dataframe(dict(columns), hide_index=True, column_config=plain, height="content" if whole else "auto", alt=alt)
