"""Every lesson of every page in windows of three sizes: its picture is whole, its settings and numbers are its own."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from looped import compare
from looped.chart import Picture
from looped.experiments import EXPERIMENTS
from looped.experiments.beyond.charts import main_chart
from looped.experiments.beyond.result import beyond
from looped.experiments.compare.stage import stage
from looped.experiments.context import ContextSettings, sweep
from looped.experiments.context.charts import condition_chart
from looped.experiments.context.guess import START, asked_loops, guess_chart
from looped.experiments.context.stored import answers
from looped.experiments.gpt2.charts import curves_chart
from looped.experiments.gpt2.curves import stored as stored_curves
from looped.experiments.gpt2.words import groups
from looped.experiments.signal.charts import cloud_chart, risk_chart, training_chart
from looped.experiments.signal.cloud import cloud
from looped.experiments.signal.result import OVER
from looped.experiments.signal.result import sweep as risk_sweep
from looped.experiments.signal.stored import stored_run
from looped.experiments.train import stage as train_stage
from looped.experiments.train.stored import stored as stored_training
from looped.lesson import Lesson
from looped.settings import CheckedSettings
from looped.shared_signal.levels import levels

from .visit import Visit

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LESSONS: dict[str, tuple[Lesson, ...]] = {name: one.load("lessons") for name, one in EXPERIMENTS.items()}
SIZES = {"wide": (1280, 720, ""), "embedded": (700, 500, "&embed=true"), "phone": (400, 800, "")}
"""Width and height of a window, and what a link to it adds."""
OF_ANOTHER_RUN = ("belong to another run", "Other settings than on the left", "Until then the charts show")
"""What the pages say where they show other numbers than those of their settings."""
PLACES = """() => {
    const main = document.querySelector('[data-testid=stMain]');
    const edges = selector => {
        const {top, bottom} = document.querySelector(selector)?.getBoundingClientRect() ?? {};
        return [top + main.scrollTop, bottom + main.scrollTop];
    };
    return {title: edges('h1'), lead: edges('.st-key-lead'), picture: edges('.st-key-picture')};
}"""
"""Upper and lower edges, in pixels from the top of the page."""


def picture(page: str, lesson: Lesson, asks: bool = True) -> Picture:
    """The main picture of a page for a lesson, once its question is answered, or where none is asked, without it."""
    settings: Any = settings_of(page, lesson)
    first = lesson.pictures[0] if lesson.pictures and asks else ""
    match page:
        case "compare":
            return stage(compare(settings))
        case "context":
            result = answers(settings) or sweep(settings)
            if first == "kappa":
                return condition_chart(result)
            known = None if lesson.known is None or not asks else sweep(ContextSettings(**lesson.known))
            guess = () if asks else (START,) * len(asked_loops(settings))
            return guess_chart(settings, guess, result, known, until=lesson.until if asks else None)
        case "train":
            run, _ = stored_training(settings)
            assert run.settings == settings
            return train_stage.stage(run, run.settings.training().steps, run)
        case "signal":
            best = levels(settings.task(), settings.seed)
            if first == "training":
                return training_chart({}, best, settings.steps, dict.fromkeys(settings.models, stored_run(settings)))
            if first == "risks":
                over = next(name for name in OVER if name in lesson.settings)
                return risk_chart(risk_sweep(settings, over), getattr(settings, over))
            return cloud_chart(cloud(settings.task(), best, settings.seed))
        case "gpt2":
            group = next(group for group in groups(stored_curves()) if group.settings == settings)
            return curves_chart(group.curves, settings, levels(settings.task(), settings.seed))
        case "beyond":
            return main_chart(beyond(settings).found)
    raise ValueError(page)


def settings_of(page: str, lesson: Lesson) -> CheckedSettings:
    kind: Callable[..., CheckedSettings] = EXPERIMENTS[page].load("settings")
    return kind(**lesson.settings)


def shows(visit: Visit, page: str, lesson: Lesson, said: str) -> None:
    """The page has the settings of the lesson in its address and in its controls, and the picture of these settings."""
    own = settings_of(page, lesson)
    table, query = type(own).table, {key: values[-1] for key, values in visit.query().items()}
    assert query["lesson"] == lesson.key
    assert type(own).from_query({key: text for key, text in query.items() if key in own.to_query()}) == (own, {})
    for name, field in table.items():
        shown = visit.page.locator(f".st-key-{field.key} input[type=number]")
        value = getattr(own, name)
        if shown.count() and isinstance(value, int | float):
            assert float(shown.input_value()) == value, name
    main = visit.page.locator(f".st-key-{visit.first_chart()} [role=figure]").first
    expect(main).to_have_attribute("aria-label", said)
    for text in OF_ANOTHER_RUN:
        expect(visit.page.get_by_text(text)).to_have_count(0)


def fits(visit: Visit, size: str) -> None:
    """The picture with what is said of it is inside the window, or on a phone begins under the title."""
    visit.to_the_top()
    places = visit.page.evaluate(PLACES)
    if size == "phone":
        assert places["title"][1] <= places["lead"][0] < places["lead"][1] <= places["picture"][0] < 280
    else:
        assert places["picture"][1] <= SIZES[size][1]
    assert visit.overlaps() == []
    assert not visit.scrolls_sideways()
    assert visit.raw_symbols() == []


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("page", "lesson"),
    [pytest.param(page, lesson, id=f"{page}-{lesson.key}") for page, own in LESSONS.items() for lesson in own],
)
def test_a_lesson_opened_by_link_and_after_a_reload_has_a_whole_picture_and_its_own_settings_and_numbers(
    visit: Visit, page: str, lesson: Lesson, size: str
) -> None:
    width, height, more = SIZES[size]
    said = picture(page, lesson, asks=size != "embedded").alt
    visit.open(f"{page}?lesson={lesson.key}{more}", width, height)
    for again in (False, True):
        if again:
            visit.page.reload()
            visit.idle()
        fits(visit, size)
        if size != "embedded":
            expect(visit.page.locator("[class*='_guess'] [role=radio]")).to_have_count(len(lesson.choices))
        visit.answer()
        reveal = visit.page.get_by_role("button", name="Show what was measured")
        if size == "embedded" and reveal.count():  # where no question is asked
            with visit.change():
                reveal.click()
        shows(visit, page, lesson, said)
        fits(visit, size)
    assert visit.complaints == []


@pytest.mark.parametrize("size", ["wide", "phone"])
@pytest.mark.parametrize("page", LESSONS)
def test_next_and_previous_show_every_lesson_with_its_own_settings_and_numbers(
    visit: Visit, page: str, size: str
) -> None:
    first, *others = LESSONS[page]
    said = {lesson.key: picture(page, lesson).alt for lesson in LESSONS[page]}
    visit.open(f"{page}?lesson={first.key}", *SIZES[size][:2])
    for sign, order in (("▶", others), ("◀", [first, *others][-2::-1])):
        for lesson in order:
            with visit.change():
                visit.press(sign)
            fits(visit, size)
            visit.answer()
            shows(visit, page, lesson, said[lesson.key])
    assert visit.complaints == []
