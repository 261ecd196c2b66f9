import threading
from contextlib import ExitStack

import pytest

from looped_ui import backend, busy

SOON, PATIENCE = 0.3, 30.0
"""Seconds in which what is held up must not happen, and in which all else must."""


class Page:
    """A page that is run in a thread of its own, its rest as soon as it may, and that ends when it is told to."""

    def __init__(self, drawn=True, look=lambda: None):
        self.drawn, self.rests, self.end, self.look = threading.Event(), threading.Event(), threading.Event(), look
        self.raised = None
        if drawn:
            self.drawn.set()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        """Draw the main picture, then the rest."""
        try:
            with busy.running(self.look):
                self.compute()
                busy.rest(self.look)
                self.rests.set()
                assert self.end.wait(PATIENCE)
        except InterruptedError as error:
            self.raised = error

    def compute(self):
        """Compute the main picture, until it is said to be drawn."""
        assert self.drawn.wait(PATIENCE)

    def let_go(self):
        """Let it draw all, and end."""
        self.drawn.set()
        self.end.set()

    def close(self):
        """Let it end, and wait for that."""
        self.let_go()
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()


class PageInParts(Page):
    """A page whose rest has two parts, the second when it is told to go on."""

    def __init__(self):
        self.goes_on, self.second = threading.Event(), threading.Event()
        super().__init__()

    def let_go(self):
        """The same, with its second part."""
        super().let_go()
        self.goes_on.set()

    def run(self):
        """Draw the main picture, then both parts."""
        with busy.running(self.look):
            busy.rest(self.look)
            self.rests.set()
            assert self.goes_on.wait(PATIENCE)
            busy.between(self.look)
            self.second.set()
            assert self.end.wait(PATIENCE)


class LongPage(Page):
    """A page whose main picture takes a long computation."""

    def compute(self):
        """The same, aside."""
        with busy.aside():
            super().compute()


@pytest.fixture
def visits(monkeypatch):
    """Makes pages, and ends them all."""
    monkeypatch.setattr(busy, "LONGEST", PATIENCE)
    pages = []

    def visit(kind=Page, **more):
        pages.append(kind(**more))
        return pages[-1]

    yield visit
    for page in pages:  # all of them first: one may wait for another
        page.let_go()
    for page in pages:
        page.close()
    assert busy.count() == 0


def until(count):
    """Wait until so many pages are run."""
    waits = threading.Event()
    for _ in range(int(PATIENCE / 0.01)):
        if busy.count() == count:
            return
        waits.wait(0.01)
    raise AssertionError(busy.count())


def test_the_rest_of_a_page_waits_for_the_main_pictures_of_others(visits):
    first = visits(drawn=False)
    until(1)
    other = visits()
    assert not other.rests.wait(SOON)
    for page in (first, other):
        page.drawn.set()
        page.end.set()
    assert other.rests.wait(PATIENCE)
    assert first.rests.wait(PATIENCE)


def test_main_pictures_are_drawn_in_the_order_in_which_the_pages_come_one_at_a_time(visits):
    drawn = []

    class Told(Page):
        def compute(self):
            drawn.append(self)
            super().compute()

    first = visits(Told, drawn=False)
    until(1)
    second = visits(Told, drawn=False)
    until(2)
    third = visits(Told, drawn=False)
    until(3)
    for page, next_page in ((first, second), (second, third)):
        assert drawn[-1] is page
        page.drawn.set()
        while drawn[-1] is page:
            assert next_page.thread.is_alive()
    assert drawn == [first, second, third]


def test_rests_are_drawn_one_after_another(visits):
    first = visits()
    assert first.rests.wait(PATIENCE)
    late = visits()
    assert not late.rests.wait(SOON)
    first.end.set()
    assert late.rests.wait(PATIENCE)


def test_nobody_waits_for_a_page_that_computes_something_long(visits):
    visits(LongPage, drawn=False)
    until(1)
    assert visits().rests.wait(PATIENCE)


def test_a_rest_waits_no_longer_than_it_may(visits, monkeypatch):
    monkeypatch.setattr(busy, "LONGEST", 0.0)
    visits(drawn=False)
    until(1)
    assert visits().rests.wait(PATIENCE)


def test_a_move_ends_the_wait_and_leaves_nothing_behind(visits):
    def moved():
        raise InterruptedError

    visits(drawn=False)
    until(1)
    page = visits(look=moved)
    page.thread.join(PATIENCE)
    assert page.raised
    until(1)


def test_a_rest_lets_main_pictures_come_between_its_parts(visits):
    page = visits(PageInParts)
    assert page.rests.wait(PATIENCE)
    other = visits(drawn=False)
    until(2)
    page.goes_on.set()
    assert not page.second.wait(SOON)
    other.drawn.set()
    other.end.set()
    assert page.second.wait(PATIENCE)


def test_a_page_that_is_run_without_the_app_waits_for_nobody(visits):
    visits(drawn=False)
    until(1)
    busy.rest(lambda: None)
    assert busy.count() == 1


def test_work_beside_the_pages_gives_way_while_one_is_run_and_no_longer_than_it_may(visits):
    goes_on = threading.Event()

    def work():
        busy.give_way(PATIENCE)
        goes_on.set()

    page = visits(drawn=False)
    until(1)
    threading.Thread(target=work, daemon=True).start()
    assert not goes_on.wait(SOON)
    page.close()
    assert goes_on.wait(PATIENCE)
    visits(drawn=False)
    until(1)
    busy.give_way(0.0)


def test_no_short_computation_waits_for_long_ones(monkeypatch):
    monkeypatch.setattr(backend, "get_script_run_ctx", lambda **_: object())
    done = threading.Event()

    def short():
        with backend.turn():
            done.set()

    with ExitStack() as long:
        for _ in range(2):
            long.enter_context(backend.turn(backend.LONG))
        threading.Thread(target=short, daemon=True).start()
        assert done.wait(PATIENCE)
