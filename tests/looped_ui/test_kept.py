"""What is kept: the last used results, within entries and bytes, made once; a visitor's own in the session alone."""

import ast
import threading

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from looped import tables
from looped.experiments import EXPERIMENTS
from looped_ui.kept import OWN, OWN_SHARE, Store, kept, of, weigh
from tests.app import PATIENCE, ROOT, open_page


def test_the_least_lately_used_goes_first_beyond_entries_and_beyond_bytes():
    store = Store(entries=3, bytes=1000)
    for key in "abc":
        store.get(key, lambda: np.zeros(10))
    store.get("a", lambda: pytest.fail("it was kept"))
    store.get("d", lambda: np.zeros(10))
    assert [*store._kept] == ["c", "a", "d"]
    assert store.weight == 240
    store.get("e", lambda: np.zeros(110))  # 880 bytes: only 120 are left for the others
    assert [*store._kept] == ["d", "e"]
    store.get("f", lambda: np.zeros(1000))  # more than may be kept stays until another is used
    assert [*store._kept] == ["f"]
    store.get("g", lambda: np.zeros(1))
    assert [*store._kept] == ["g"]


def test_what_ends_in_an_error_leaves_nothing_and_costs_no_other_its_place():
    store = Store(entries=2, bytes=1000)
    store.get("good", lambda: "kept")
    for key in range(10):
        with pytest.raises(ZeroDivisionError):
            store.get(key, lambda: 1 / 0)
    assert len(store) == 1
    store.get("another", lambda: "kept")
    assert store.get("good", lambda: pytest.fail("it was kept")) == "kept"


def test_what_is_kept_is_known_and_nothing_is_made_to_know_it():
    @kept(entries=2, mebibytes=1)
    def doubled(number, _table=None):
        return 2 * number

    assert doubled.known(2) is None
    assert doubled(2) == doubled.known(2, object()) == 4
    assert [*doubled.shared._kept] == [doubled.key(2)]
    doubled(3)
    assert doubled.known(2) == 4
    doubled(4)
    assert doubled.known(3) is None  # 2 was used after it


def test_a_visitor_alone_keeps_a_part_of_the_bytes_that_all_keep_together():
    @kept(entries=9, mebibytes=1, own=lambda _: True)
    def zeros(number):
        return np.zeros(number)

    with of(stores := {}):
        for number in range(10_000, 10_009):
            zeros(number)
    assert sum(store.weight for store in stores.values()) <= OWN_SHARE * 2**20
    assert len(zeros.shared) == 0


def test_an_error_is_not_kept_and_two_who_ask_at_once_wait_for_one_result():
    store, calls = Store(entries=2, bytes=1000), []
    with pytest.raises(ZeroDivisionError):
        store.get("a", lambda: 1 / 0)
    begun, go_on = threading.Event(), threading.Event()

    def make():
        calls.append(1)
        begun.set()
        assert go_on.wait(PATIENCE)
        return "made"

    found = []
    threads = [threading.Thread(target=lambda: found.append(store.get("a", make))) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert begun.wait(PATIENCE)
    go_on.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert (found, len(calls)) == (["made"] * 3, 1)


def test_arguments_with_an_underscore_are_not_in_the_key():
    @kept(entries=4, mebibytes=1)
    def double(number, _table=None):
        return [number, _table]

    assert double(1, "a") is double(number=1, _table="b")
    assert double(2) is not double(1)


def test_views_of_one_array_weigh_what_the_array_does():
    array = np.zeros(1000)
    assert weigh({"a": array[:5], "b": [array[7:], array]}) - weigh({"a": 0, "b": [0, 0]}) == 8000


FEW = {
    "_pools": "names of libraries", "_read": "stored files", "_sections": "files of text",
    "_upper": "partitions (a, b, 1, …, 1) of numbers up to 65",
}  # fmt: skip
"""Functions whose every result is kept, and what their few arguments are."""


def test_no_other_function_keeps_its_result_for_every_argument_that_it_was_ever_given():
    paths = [
        ROOT / "app.py",
        *(path for part in ("looped", "looped_ui", "pages") for path in (ROOT / part).rglob("*.py")),
    ]
    functions = [
        node for path in paths for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)
    ]
    without_end = {
        function.name for function in functions
        if {*map(ast.unparse, function.decorator_list)} & {"cache", "functools.cache"}
        and ast.unparse(function.args)
    }  # fmt: skip
    assert without_end == {*FEW}


def test_a_table_of_text_weighs_about_what_its_file_does():
    text = "a,b\n" + "".join(f"{k},w{k % 7}{'x' * 50}\n" for k in range(5000))
    sheet = tables.read_csv(text.encode(), "t.csv")
    assert 0.8 * len(text) < weigh(sheet) < 2 * len(text)


def test_results_of_a_table_that_a_visitor_brought_are_no_other_visitors():
    """Two sessions bring files of one name and the same content; nothing of either is in what all share."""
    for _ in range(2):
        at = AppTest.from_function(page, default_timeout=PATIENCE).run()
        assert not at.exception
        assert at.text[0].value == "made 1"
        at.run()
        assert at.text[0].value == "made 1"  # kept for this visitor
    assert not [key for key in shared() if "csv" in repr(key)]


def shared():
    from looped_ui import backend

    stores = (backend.kept_comparison, backend.comparison, backend.look, backend.sheet)
    return [key for store in stores for key in store.shared._kept]


def page():
    import streamlit as st

    from looped import Settings, tables
    from looped_ui import backend

    rows = "".join(f"{i},{i * i % 7},{3 * i + i % 5}\n" for i in range(12))
    sheet = backend.sheet("csv", "id", None, f"a,b,y\n{rows}".encode(), "t.csv")
    table = tables.choose(sheet, "y", ("a", "b"))
    settings = Settings(data="csv", loops=3)
    view = backend.comparison(settings, (table.name, table.digest), table, None)
    backend.look(settings, (table.name, table.digest), 0, table)
    made = st.session_state.setdefault("made", [])
    if all(view is not other for other in made):
        made.append(view)
    st.text(f"made {len(made)}")


@pytest.mark.parametrize("page", EXPERIMENTS)
def test_a_visitor_with_results_of_their_own_sees_every_page(page):
    """Charts are components, and their keys stand in the session as well."""
    open_page(page, {"live": True, OWN: {"a store": Store(1, 1)}})
