"""What a page draws first: after a move the main picture, and then the controls and all else."""

import pytest
import streamlit as st

from looped_ui import live
from tests.app import open_page, set_value


def drawn(at, monkeypatch, move):
    """The keys of pictures and number boxes in the order in which a move draws them, and the picture's last loop."""
    order, number_input = [], st.number_input

    def mount(key, data=None, **_):
        order.append((key, data))

    def box(*arguments, key, **options):
        order.append((key, None))
        return number_input(*arguments, key=key, **options)

    monkeypatch.setattr(live, "_component", mount)
    monkeypatch.setattr(st, "number_input", box)
    move(at)
    return order


def test_a_move_draws_the_picture_of_its_value_before_the_controls(monkeypatch):
    at = open_page(T="30", n="6", d="2")
    at.session_state["live"] = True
    order = drawn(at, monkeypatch, lambda at: set_value(at, "number_input", "T", 9.0))
    keys = [key for key, _ in order]
    assert keys.index("stage") < keys.index("T")
    assert keys.count("stage") == 1
    assert '"loop 9 of 9' in dict(order)["stage"]["figure"]


MAIN = {"context": "need", "train": "loss", "signal": "cloud", "gpt2": "kept", "beyond": "main"}
"""The first picture of every page but the first."""


@pytest.mark.parametrize("page", MAIN)
def test_a_move_on_any_page_draws_its_picture_before_the_controls_and_once(page, monkeypatch):
    at = open_page(page, session={"live": True})
    key = next(box.key for box in at.number_input if box.key != "seed" and not box.disabled)
    box = at.number_input(key=key)
    order = drawn(at, monkeypatch, lambda at: set_value(at, "number_input", key, box.value + 1))
    keys = [key for key, _ in order]
    assert keys.index(MAIN[page]) < keys.index(key)
    assert keys.count(MAIN[page]) == keys.count(key) == 1


def test_a_first_visit_draws_what_the_link_asks_for(monkeypatch):
    order = drawn(None, monkeypatch, lambda _: open_page(session={"live": True}, T="12", n="6", d="2", noise="0.5"))
    assert [key for key, _ in order].count("stage") == 1
    assert '"loop 12 of 12' in dict(order)["stage"]["figure"]


def test_a_guess_that_is_asked_for_is_not_forestalled(monkeypatch):
    at = open_page(session={"live": True}, lesson="one-step", predict="1")
    order = drawn(at, monkeypatch, lambda at: set_value(at, "number_input", "T", 9.0))
    figure = dict(order)["stage"]["figure"]
    assert "examples and a query" in figure
    assert "Looped transformer" not in figure


def test_a_setting_that_is_drawn_anew_is_read_once_it_is_drawn(monkeypatch):
    at = open_page(session={"live": True}, T="12", n="6", d="2", algorithm="heavy-ball", momentum="0.5")
    order = drawn(at, monkeypatch, lambda at: set_value(at, "selectbox", "algorithm", "gd"))
    assert [key for key, _ in order].count("stage") == 1
    order = drawn(at, monkeypatch, lambda at: set_value(at, "selectbox", "algorithm", "heavy-ball"))
    assert "Explicit heavy-ball momentum" in dict(order)["stage"]["figure"]


def test_of_two_pictures_side_by_side_the_first_tells_of_the_slider(monkeypatch):
    # The second waits for the guess of a lesson, where one is open.
    drawn_now = dict(drawn(None, monkeypatch, lambda _: open_page("signal", session={"live": True}, signal="3")))
    assert "signal_slider" in drawn_now["cloud"]["sliders"]
    assert "sliders" not in drawn_now["training"]
    assert drawn_now["cloud"]["run"] == drawn_now["training"]["run"]


def test_a_guess_is_drawn_in_the_steps_of_its_sliders_until_the_measurement_is_shown(monkeypatch):
    query = {"d": "9", "seed": "5"}  # where no lesson asks
    asked = dict(drawn(None, monkeypatch, lambda _: open_page("context", session={"live": True}, **query)))["need"]
    assert asked["sliders"] == ("guess_0", "guess_1", "guess_2")
    assert asked["drawn"] == 0
    assert '"dragmode":false' in asked["figure"]
    shown = dict(drawn(None, monkeypatch, lambda _: open_page("context", session={"live": True}, guess="9,5,2")))[
        "need"
    ]
    assert "drawn" not in shown
    assert "T_slider" in shown["sliders"]
