"""The pictures that a browser fetches while a slider is moved: those of the page's own function, for its visitor."""

import gc
import json

import anyio
import pytest
from starlette.requests import Request
from streamlit.runtime.state import session_state_proxy

from looped import Settings, compare
from looped.experiments.compare.stage import stage
from looped.fields import SettingsError
from looped_ui import kept
from looped_ui.live.pictures import Row, answer, as_json
from tests.app import open_page

SETTINGS = Settings(loops=5, examples=6, features=2)


def ask(row, run, slider, place):
    """Status and body of the answer."""
    asked = {"row": row, "run": str(run), "slider": slider, "place": str(place)}
    response = anyio.run(answer, Request({"type": "http", "path_params": asked}))
    return response.status_code, response.body.decode()


def picture(changes):
    return stage(compare(SETTINGS.replace(**changes)))


@pytest.fixture
def row(monkeypatch):
    """A row of two charts that follow T, in a session."""
    monkeypatch.setattr(kept, "own", dict)
    found = Row()
    found.show({"one": picture, "two": lambda _changes: picture({"seed": 1})}, {"T_slider": ("loops", (5, 6, 10**9))})
    return found


def test_each_chart_has_the_picture_of_the_slider_s_place(row):
    status, text = ask(row.name, row.run, "T_slider", 1)
    assert status == 200
    found = json.loads(text)
    six = stage(compare(SETTINGS.replace(loops=6)))
    assert found["one"] == {"figure": as_json(six), "alt": six.alt}
    assert found["two"]["figure"] == as_json(picture({"seed": 1}))
    with pytest.raises(SettingsError):
        picture({"loops": 10**9})
    refused = json.loads(ask(row.name, row.run, "T_slider", 2)[1])
    assert refused["one"]["figure"] == as_json(picture({}))  # the picture of the page stays


@pytest.mark.parametrize(
    "wrong", [{"row": "x"}, {"run": 2}, {"slider": "n_slider"}, {"place": 3}, {"place": "9" * 5000}, {"place": "-1"}]
)
def test_what_is_not_there_any_more_is_no_picture_and_no_error(row, wrong):
    asked = {"row": row.name, "run": row.run, "slider": "T_slider", "place": 0}
    assert ask(**asked)[0] == 200
    assert ask(**asked | wrong) == (204, "")


def test_a_page_that_was_run_again_or_whose_session_ended_answers_no_more(monkeypatch):
    monkeypatch.setattr(kept, "own", dict)
    row = Row()
    row.show({"one": picture}, {"T_slider": ("loops", (5,))})
    name, first = row.name, row.run
    row.show({"one": picture}, {"T_slider": ("loops", (5,))})
    assert ask(name, first, "T_slider", 0)[0] == 204
    assert ask(name, row.run, "T_slider", 0)[0] == 200
    del row
    gc.collect()
    assert ask(name, first + 1, "T_slider", 0)[0] == 204


def test_a_request_that_waited_while_the_page_was_run_again_gets_nothing(row):
    async def wait_for_the_row():
        async with anyio.create_task_group() as tasks, row.turn:
            asked = {"row": row.name, "run": str(row.run), "slider": "T_slider", "place": "2"}

            async def late():
                statuses.append((await answer(Request({"type": "http", "path_params": asked}))).status_code)

            tasks.start_soon(late)
            await anyio.sleep(0.05)
            row.show({"one": picture}, {"T_slider": ("loops", (5, 6))})  # with fewer places

    statuses = []
    anyio.run(wait_for_the_row)
    assert statuses == [204]


@pytest.mark.parametrize(
    ("page", "query"), [("compare", {"v": "1"}), ("context", {"guess": "9,5,2"}), ("signal", {"signal": "3"}),
                        ("beyond", {"v": "1"})],
)  # fmt: skip
def test_pictures_read_nothing_of_the_session_when_they_are_drawn(page, query, monkeypatch):
    """Outside of a run of the page Streamlit would hand out an empty session, the same to all."""
    rows = open_page(page, {"live": True}, **query).session_state["pictures_rows"]
    monkeypatch.setattr(session_state_proxy, "get_session_state", lambda: pytest.fail("the session was read"))
    for row in rows.values():
        _, charts, sliders = row.shown
        for slider, (_, stops) in sliders.items():
            if stops:
                assert json.loads(row.at(slider, 0, str(row.run))).keys() == charts.keys()
                assert json.loads(row.at(slider, len(stops) - 1, str(row.run))).keys() == charts.keys()
    if page == "context":
        assert "your guess" in json.loads(rows["need"].at("T_slider", 0, str(rows["need"].run)))["need"]["figure"]


def test_what_is_the_visitor_s_own_is_kept_in_the_session_that_asks(monkeypatch):
    mine = {}
    monkeypatch.setattr(kept, "own", lambda: mine)
    row = Row()
    monkeypatch.undo()
    read = kept.kept(entries=4, mebibytes=1, own=lambda _arguments: True)(
        lambda loops: compare(SETTINGS.replace(loops=loops))
    )
    row.show({"one": lambda changes: stage(read(changes["loops"]))}, {"T_slider": ("loops", (5, 6))})
    assert ask(row.name, row.run, "T_slider", 1)[0] == 200
    (store,) = mine.values()
    assert [*store._kept] == [(6,)]
    assert len(read.shared) == 0
