"""Links between pages: each page reads its own settings, and what it can use is not complained about."""

import pytest

from looped.experiments import EXPERIMENTS
from looped_ui.link import DISPLAY
from tests.app import open_page


@pytest.mark.parametrize("kept", [0, 300])
@pytest.mark.parametrize("page", ["gpt2", "signal"])
def test_a_link_to_another_page_takes_no_number_that_the_page_before_kept_by_hand(page, kept):
    settings = EXPERIMENTS[page].load("settings")
    at = open_page(page, {"steps": kept, "batch": kept, "page": "train"}, signal="5")
    assert at.session_state[f"{page}.last"] == settings(signal=5)
    assert not at.warning


def test_a_key_that_is_a_setting_of_one_page_and_a_view_of_another_is_read_as_the_setting():
    for view in EXPERIMENTS["beyond"].load("settings").table["view"].ids:
        at = open_page("beyond", view=view)
        assert at.session_state["beyond.last"].view == view
        assert not at.warning
    shared = {name: {field.key for field in found.load("settings").table.values()} & DISPLAY.keys()
              for name, found in EXPERIMENTS.items()}  # fmt: skip
    assert {name: keys for name, keys in shared.items() if keys} == {"beyond": {"view"}}
