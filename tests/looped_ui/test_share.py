"""The panel of links: a short link opens the same view, and an address that others cannot reach is named."""

from urllib.parse import parse_qs, urlparse

import pytest

from looped.experiments import EXPERIMENTS
from looped.lesson import by_key
from looped_ui import share
from tests.app import open_page, press, run, set_value
from tests.thorough import thorough_but

LESSONS = [
    (page, key) for page, experiment in EXPERIMENTS.items() for key in (None, *by_key(experiment.load("lessons")))
]


def links(page, **query):
    """The page with its panel open, and the parameters of its two links."""
    at = open_page(page, {f"{page}_share": True}, **query)
    return at, [
        {key: values[-1] for key, values in parse_qs(urlparse(link.value).query).items()}
        for link in at.code
        if "v=" in link.value
    ]


def settings_of(at, page):
    """What the page was last read to show."""
    return at.session_state[f"{page}.last"]


FIRST = dict.fromkeys(EXPERIMENTS) | {page: key for page, key in reversed(LESSONS) if key}
"""The first lesson of every page."""


@pytest.mark.parametrize(("page", "lesson"), thorough_but(lambda page, key: key == FIRST[page], LESSONS))
def test_the_link_for_a_class_leaves_out_defaults_and_opens_the_same_view(page, lesson):
    changed = {"T": "7"} if page == "compare" else {"seed": "3"}
    asked = changed | ({"lesson": lesson} if lesson else {})
    _, (full, short) = links(page, **asked)
    assert short.keys() < full.keys() | {"hide"}
    assert short["v"] == full["v"]
    opened = [
        (settings_of(at, page), at.session_state[f"{page}.lesson"])
        for at in (open_page(page, **full), open_page(page, **short))
    ]
    assert opened[0] == opened[1]


@pytest.mark.parametrize(
    ("address", "warned"),
    [
        ("http://localhost:8501/", True), ("http://127.0.0.1:8501/context", True), ("http://[::1]:8501", True),
        ("http://0.0.0.0", True), ("http://192.168.0.7:8501/", False), ("https://looped.example.org/train", False),
    ],
)  # fmt: skip
def test_an_address_that_only_this_computer_reaches_is_named(address, warned):
    at = set_value(links("compare")[0], "text_input", "compare_base", address)
    assert any("this computer alone" in box.value for box in at.warning) == warned
    base = address.removesuffix("train").removesuffix("context").rstrip("/")
    assert sum(link.value.startswith(f"{base}/?") for link in at.code) == 2


@pytest.mark.parametrize(
    ("typed", "base"),
    [
        ("http://192.168.1.20:8511/", "http://192.168.1.20:8511/"), ("192.168.1.20:8511", "http://192.168.1.20:8511/"),
        ("10.0.0.3", "http://10.0.0.3/"), ("lecture-pc", "http://lecture-pc/"), ("lab.local", "http://lab.local/"),
        ("localhost:8501/train", "http://localhost:8501/"), ("looped.example.org", "https://looped.example.org/"),
        ("http://looped.example.org/", "http://looped.example.org/"), ("[::1]:8501", "http://[::1]:8501/"),
        (" https://example.org/ml/looped/ ", "https://example.org/ml/looped/"),
        ("example.org/ml/looped/gpt2/?v=1#top", "https://example.org/ml/looped/"),
        ("", ""), ("http://", ""), ("ftp://example.org", ""), ("the app", ""), ("http://[::1", ""),
        ("localhost:abc", ""), ("javascript:alert(1)", ""), ("https://user:pw@example.org", ""),
        ("example.org/my app", "https://example.org/my%20app/"),
    ],
)  # fmt: skip
def test_the_address_of_the_app_is_read_as_it_is_typed(typed, base):
    assert share.app_address(typed) == base


@pytest.mark.parametrize("page", EXPERIMENTS)
def test_links_lead_to_their_page_under_the_address_that_is_typed(page):
    at = set_value(links(page)[0], "text_input", f"{page}_base", "192.168.1.20:8511/looped")
    own = "" if page == "compare" else page
    assert sum(link.value.startswith(f"http://192.168.1.20:8511/looped/{own}?") for link in at.code) == 2
    assert at.text_input(key=f"{page}_base").value == "http://192.168.1.20:8511/looped/"
    kept = {share.BASE: at.session_state[share.BASE], "signal_share": True}
    assert any(
        link.value.startswith("http://192.168.1.20:8511/looped/signal?") for link in open_page("signal", kept).code
    )
    at = set_value(at, "text_input", f"{page}_base", "not here")
    assert any("no address" in box.value for box in at.warning)
    assert not any("not here" in link.value for link in at.code)


@pytest.mark.parametrize("page", EXPERIMENTS)
def test_where_all_is_hidden_no_empty_panel_and_no_button_without_a_use_is_left(page):
    at = open_page(page, {f"{page}_share": True})
    everything = at.multiselect(key=f"{page}_hide").options
    assert everything
    shown = {box.label for box in at.sidebar.expander}
    assert shown
    at.multiselect(key=f"{page}_hide").set_value(everything)
    address = next(code.value for code in run(at).code if "hide=" in code.value)
    query = {key: values[-1] for key, values in parse_qs(urlparse(address).query).items()}
    hidden = open_page(page, **query)
    assert not hidden.warning
    assert not hidden.sidebar.expander
    assert not hidden.sidebar.button
    assert not hidden.sidebar.get("file_uploader")
    query["hide"] = query["hide"].replace(",lesson", "")
    assert [button.label for button in open_page(page, **query).sidebar.button] == ["Reset to defaults"]


def test_the_code_takes_the_place_of_the_panel_and_stays_until_it_is_dismissed():
    at, _ = links("train")
    link = at.code[1].value
    press(at, "QR code")
    assert at.session_state["train_share"] is False
    for _ in range(2):
        assert [code.value for code in at.code] == [link]
        run(at)


def test_the_code_of_one_page_is_not_drawn_on_another():
    at = open_page("signal", session={share.CODE: ("train", "https://looped.example.org/train")})
    assert not [code for code in at.code if "example.org" in code.value]
    assert share.CODE not in at.session_state


def test_the_code_to_scan_is_drawn_black_on_white_with_a_margin_of_four():
    code = share._qr_code("https://looped.example.org/?v=1&T=30")
    assert code.startswith("<svg")
    assert '"#fff"' in code
    assert '"#000"' in code


@pytest.mark.parametrize("page", EXPERIMENTS)
def test_large_type_is_in_the_address_and_ends_with_a_press(page):
    def large(at):
        return any("font-size: 18px" in part.proto.body for part in at.get("html"))

    at = open_page(page, {f"{page}_share": True})
    assert not large(at)
    press(at, "Large type for a talk")
    assert large(at)
    assert at.query_params["present"] in ("1", ["1"])
    assert at.session_state[f"{page}_share"] is False  # it would lie on the picture
    assert not [button for button in at.button if button.label == "Large type for a talk"]
    press(at, "Normal type")
    assert not large(at)
    assert "present" not in at.query_params
    assert large(open_page(page, present="1"))
