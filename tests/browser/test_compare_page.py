"""The first page as a visitor meets it: keyboard, link, phone, files."""

import math
import re
from pathlib import Path
from urllib.parse import parse_qs, quote, urlparse

import pytest
from playwright.sync_api import expect

from looped.algorithms import ALGORITHMS

from .conftest import CONTROLS, Visit, idle

pytestmark = pytest.mark.browser

LOOPED = "Looped transformer"
EXPLICIT = "Explicit gradient descent"
GOOD = "x1,x2,y\n" + "".join(f"{i},{i * 7 % 11},{3 + 2 * i - i * 7 % 11}\n" for i in range(20))
BAD = {
    "words": "name,y\nann,1\nbob,2\ncy,3\n",
    "twice": "a,a,y\n1,2,3\n2,3,4\n3,5,9\n",
    "empty": "",
}


def query(visit: Visit) -> dict[str, list[str]]:
    return parse_qs(urlparse(visit.page.url).query)


def test_first_view_is_drawn_without_a_click_or_an_outside_request(fresh_visit: Visit) -> None:
    visit = fresh_visit.open()
    chart = visit.chart()
    assert {LOOPED, EXPLICIT} <= set(chart["handed_over"])
    assert len(chart["lines"][LOOPED]["y"]) == 51
    assert visit.error_after() == f"{chart['lines'][LOOPED]['y'][-1]:.3g}"
    expect(visit.page.get_by_test_id("stMainBlockContainer").get_by_text("PASS", exact=True)).to_be_visible()
    visit.page.wait_for_timeout(500)
    own = urlparse(visit.server).netloc
    outside = [url for url in visit.requests if urlparse(url).netloc != own and not url.startswith(("data:", "blob:"))]
    assert outside == []
    assert len(visit.requests) > 10
    assert visit.complaints == []
    assert (visit.asked, visit.started, visit.finished) == (1, 1, 1)


@pytest.mark.parametrize("width", [1280, 400])
def test_every_main_control_moves_by_keyboard_alone(visit: Visit, width: int) -> None:
    page = visit.open(width=width).page
    if width == 400:
        page.get_by_role("button", name="Expand sidebar").focus()
        page.keyboard.press("Enter")
    for key, label in CONTROLS.items():
        slider = visit.slider(key)
        expect(visit.slider_box(key)).to_be_in_viewport(ratio=1)
        numbers, chart, metrics = visit.numbers(), visit.chart(), visit.metrics()
        assert slider.get_attribute("aria-valuetext") == numbers[key]
        with visit.change():
            slider.focus()
            page.keyboard.press("ArrowRight")

        moved = slider.get_attribute("aria-valuetext")
        assert moved is not None
        assert float(moved) > float(numbers[key]), label
        assert visit.numbers() == numbers | {key: moved}
        assert float(query(visit)[key][0]) == float(moved)
        line = visit.chart()["lines"][LOOPED]
        assert line != chart["lines"][LOOPED], label
        assert visit.metrics() != metrics, label
        assert visit.error_after() == f"{line['y'][-1]:.3g}"
        if key == "T":
            assert line["x"][-1] == float(moved)
            assert f"error after T = {moved}" in visit.metrics()
        if key == "kappa":
            assert visit.metrics()["κ measured"] == moved


def test_sliders_go_on_moving_past_whole_numbers(visit: Visit) -> None:
    """The slider of κ puts kappa=10.0 into the link, where typing puts kappa=10."""
    page = visit.open().page
    for control in ("kappa", "kappa", "kappa", "kappa", "T", "T", "kappa"):
        before = visit.numbers()
        with visit.change():
            visit.slider(control).focus()
            page.keyboard.press("ArrowRight")
        page.wait_for_timeout(150)
        idle(page)
        after = visit.numbers()
        assert float(after[control]) > float(before[control]), f"{control} at {page.url}"
        assert {**after, control: ""} == {**before, control: ""}
    assert len(visit.chart()["lines"][LOOPED]["x"]) == int(visit.numbers()["T"]) + 1


def test_one_move_is_one_run(visit: Visit) -> None:
    page = visit.open().page
    asked, started = visit.asked, visit.started
    with visit.change():
        visit.slider("T").focus()
        page.keyboard.press("ArrowRight")
    page.wait_for_timeout(600)  # a second run would have begun by now
    assert (visit.asked - asked, visit.started - started) == (1, 1)

    asked, started = visit.asked, visit.started
    with visit.change():
        visit.number("n").fill("77")
        page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.wait_for_timeout(600)
    assert (visit.asked - asked, visit.started - started) == (1, 1)
    assert visit.numbers()["n"] == "77"


def test_a_link_shows_the_same_numbers_elsewhere(visit: Visit, fresh_visit: Visit) -> None:
    visit.open("?n=30&d=5&seed=3&noise=0.5")
    for key in ("T", "kappa"):
        with visit.change():
            visit.slider(key).focus()
            visit.page.keyboard.press("ArrowRight")
    numbers = visit.numbers()
    assert numbers == {"T": "60", "n": "30", "d": "5", "kappa": "6"}

    fresh_visit.open("?" + urlparse(visit.page.url).query)
    assert fresh_visit.numbers() == numbers
    assert fresh_visit.metrics() == visit.metrics()
    assert fresh_visit.chart() == visit.chart()
    assert "error floor" in fresh_visit.metrics()
    expect(fresh_visit.page.get_by_test_id("stAlert").filter(has_text="Some values could not be used")).to_have_count(0)


def test_a_bad_link_is_repaired_and_every_change_is_named(visit: Visit) -> None:
    page = visit.open("?T=20000&n=abc&kappa=0.5").page
    warning = page.get_by_test_id("stAlert").filter(has_text="Some values could not be used")
    for named in ("T = 20000", "n = abc", "kappa = 0.5"):
        expect(warning.get_by_role("listitem").filter(has_text=named)).to_have_count(1)
    assert visit.numbers() == {"T": "10000", "n": "40", "d": "10", "kappa": "1"}
    assert visit.chart()["lines"][LOOPED]["x"][-1] == 10_000

    with visit.change():
        page.get_by_role("button", name="Dismiss").click()
    expect(warning).to_have_count(0)
    expect(page.get_by_role("button", name="Dismiss")).to_have_count(0)
    assert visit.numbers() == {"T": "10000", "n": "40", "d": "10", "kappa": "1"}


def test_a_step_typed_above_the_limit_is_announced_and_still_drawn(visit: Visit) -> None:
    page = visit.open().page
    expect(page.get_by_test_id("stMetric").first).to_contain_text("converges")
    verdict = page.get_by_test_id("stAlert").filter(has_text="Predicted before running")
    step = visit.section("Step size").get_by_role("combobox")
    with visit.change():
        step.click()
        step.fill("3")
        page.keyboard.press("Enter")
    expect(verdict).to_contain_text(re.compile("diverges", re.IGNORECASE))
    expect(verdict).to_contain_text("3")
    expect(step).to_have_value("3")
    assert query(visit)["step"] == ["3"]
    chart = visit.chart()
    assert all(math.isfinite(value) for line in chart["lines"].values() for value in [*line["x"], *line["y"]])
    assert all(math.isfinite(value) for value in chart["range"])
    assert chart["lines"][LOOPED]["y"][-1] > 1e5
    assert chart["range"][0] < 0 < chart["range"][1] < 8


@pytest.mark.parametrize("link", ["", "?step=3&noise=1&n=5", "?data=diabetes&T=10000"])
def test_a_phone_never_scrolls_sideways(visit: Visit, link: str) -> None:
    page = visit.open(link, width=400).page
    for title in ("What to notice", "Data behind the chart", "Assumptions, limits and sources"):
        page.locator("summary").get_by_text(title, exact=True).click()
    main = page.get_by_test_id("stMain")
    words = main.locator("p, li, h1, h2, h3, button, .js-plotly-plot, [data-testid=stMetric]")
    for scheme, background in (("light", "rgb(255, 255, 255)"), ("dark", "rgb(18, 22, 28)")):
        page.emulate_media(color_scheme=scheme)
        expect(page.get_by_test_id("stApp")).to_have_css("background-color", background)
        page.wait_for_timeout(200)
        idle(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert main.evaluate("main => main.scrollWidth <= main.clientWidth")
        beyond = words.evaluate_all(
            "all => all.map(e => [e.getBoundingClientRect().right, e.textContent.slice(0, 40)])"
            ".filter(([right]) => right > innerWidth)"
        )
        assert beyond == []


def upload(visit: Visit, file: Path) -> None:
    """Choose a file as a visitor does, through the browser's own dialogue."""
    button = visit.page.get_by_test_id("stFileUploader").get_by_role("button", name=re.compile("Upload$|^Add files$"))
    with visit.page.expect_file_chooser() as chooser:
        button.click()
    chooser.value.set_files(file)


def save(folder: Path, name: str, content: str) -> Path:
    file = folder / f"{name}.csv"
    file.write_text(content)
    return file


def coefficients(visit: Visit, target: str = "y") -> dict[str, list[float]]:
    """Column name to transformer's and scikit-learn's coefficient, from the table's accessible copy."""
    table = visit.page.get_by_role("region", name=f"Coefficients for {target}")
    expect(table.locator("[role=row]")).not_to_have_count(0)
    rows = table.evaluate(
        """table => [...table.querySelectorAll('[role=row]')].map(
            row => [...row.querySelectorAll('[role=gridcell]')].map(cell => cell.textContent))"""
    )
    return {row[0]: [float(text) for text in row[1:3]] for row in rows if row}


def open_csv(visit: Visit, folder: Path, content: str = GOOD) -> None:
    """A visit with a good file uploaded."""
    visit.open("?data=csv")
    visit.section("Data")
    upload(visit, save(folder, "good", content))
    expect(visit.page.get_by_text("What it learned about the column “y”")).to_be_visible()
    settle(visit)


def settle(visit: Visit) -> None:
    """Wait until an upload, which may run the script more than once, has come to rest."""
    finished = -1
    while finished != visit.finished:
        finished = visit.finished
        visit.page.wait_for_timeout(400)
        idle(visit.page)


def test_a_csv_shows_its_own_coefficients(visit: Visit, tmp_path: Path) -> None:
    open_csv(visit, tmp_path)
    found = coefficients(visit)
    assert found["x1"] == pytest.approx([2, 2], abs=1e-9)
    assert found["x2"] == pytest.approx([-1, -1], abs=1e-9)
    assert visit.metrics()["R², the loop"] == "1.0000"
    for key in ("n", "d", "kappa"):
        expect(visit.number(key)).to_be_disabled()
    assert visit.complaints == []


def test_bad_csvs_are_refused_in_one_sentence_and_the_chart_stays(visit: Visit, tmp_path: Path) -> None:
    open_csv(visit, tmp_path)
    chart, found = visit.chart(), coefficients(visit)
    for kind in ("twice", "empty", "words", "empty"):
        upload(visit, save(tmp_path, kind, BAD[kind]))
        refusal = visit.page.get_by_test_id("stAlert").filter(has_text=f"{kind}.csv")
        expect(refusal).to_have_count(1)
        settle(visit)
        expect(visit.page.get_by_test_id("stSidebar").get_by_test_id("stAlert")).to_have_count(0)
        expect(visit.page.get_by_test_id("stMain").get_by_test_id("stAlert")).to_have_count(1)
        assert len(refusal.inner_text().splitlines()) == 1
        expect(visit.page.get_by_role("combobox", name="Target column")).to_have_value("y")
        assert visit.page.get_by_role("heading", name="What it learned about the column “y”").is_visible(), kind
        assert coefficients(visit) == found, kind
        assert visit.chart() == chart, kind


def test_the_address_names_the_columns_that_are_shown_and_keeps_the_rest(visit: Visit) -> None:
    visit.open("?data=diabetes&target=nope&T=30")
    expect(visit.page).to_have_url(re.compile("target=target"))
    with visit.change():
        visit.slider("T").press("ArrowRight")
    visit.section("Data")
    with visit.change():
        visit.page.get_by_role("combobox", name="Target column").click()
        visit.page.get_by_role("option", name="bmi").click()
    expect(visit.page).to_have_url(re.compile("target=bmi"))
    assert "T=40" in visit.page.url
    with visit.change():
        visit.page.get_by_role("button", name="Reset to defaults").click()
    expect(visit.page).to_have_url(f"{visit.server}/")


def test_a_bad_csv_does_not_lose_the_chosen_target(visit: Visit, tmp_path: Path) -> None:
    open_csv(visit, tmp_path)
    target = visit.page.get_by_role("combobox", name="Target column")
    with visit.change():
        target.click()
        visit.page.get_by_role("option", name="x1").click()
    expect(visit.page.get_by_text("What it learned about the column “x1”")).to_be_visible()
    upload(visit, save(tmp_path, "empty", BAD["empty"]))
    expect(visit.page.get_by_test_id("stAlert").filter(has_text="empty.csv")).to_have_count(1)
    settle(visit)
    expect(target).to_have_value("x1")
    expect(visit.page.get_by_text("What it learned about the column “x1”")).to_be_visible()


def test_a_file_above_the_limit_is_refused(visit: Visit, tmp_path: Path) -> None:
    open_csv(visit, tmp_path)
    chart = visit.chart()
    upload(visit, save(tmp_path, "large", "x,y\n" + "1,2\n" * (21 * 1024**2 // 4)))
    expect(visit.page.get_by_test_id("stFileUploader").get_by_text(re.compile("20.*or smaller"))).to_be_visible()
    settle(visit)
    assert visit.chart() == chart


def test_the_chart_has_a_text_and_a_table(visit: Visit) -> None:
    page = visit.open().page
    figure = page.get_by_role("figure", name=re.compile("^Relative error against loops"))
    expect(figure).to_have_count(1)
    expect(figure.locator(".js-plotly-plot")).to_be_visible()
    line = visit.chart()["lines"][LOOPED]
    assert f"{line['y'][-1]:.2e} at loop 50" in (figure.get_attribute("aria-label") or "")

    summary = page.locator("summary").filter(has_text="Data behind the chart")
    summary.focus()
    page.keyboard.press("Enter")
    table = page.get_by_role("region", name="Relative error after each loop")
    expect(table).to_be_visible()
    first_row = table.locator("[role=gridcell]")
    expect(first_row.nth(0)).to_have_text("0")
    expect(first_row.nth(1)).to_have_text("1")
    expect(table.locator("[role=columnheader]").nth(1)).to_have_text("looped transformer")


FORMULAS = """() => [...document.querySelectorAll('.katex-display')].map(box => [
    box.scrollHeight - box.clientHeight, box.scrollWidth - box.clientWidth,
    ...[...box.querySelectorAll('.katex-html > .base')].map(part => {
        const [inner, outer] = [part.getBoundingClientRect(), box.getBoundingClientRect()];
        return Math.max(outer.left - inner.left, inner.right - outer.right, inner.right - innerWidth);
    }),
])"""
WORDS = """() => {
    const copy = document.querySelector('[data-testid=stApp]').cloneNode(true);
    const aside = '.katex, code, style, script, [data-testid=stDataFrame], [data-testid=stIconMaterial]';
    copy.querySelectorAll(aside).forEach(part => part.remove());
    return [...copy.querySelectorAll('*')].flatMap(part => [...part.childNodes])
        .filter(node => node.nodeType === Node.TEXT_NODE).map(node => node.textContent);
}"""
RAW = re.compile(r"[A-Za-zα-ωΑ-Ω‖²)\]]_[A-Za-z0-9α-ωΑ-Ω]|\^[({A-Za-z0-9½−]")


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_no_formula_is_cut_off_and_none_stands_there_as_it_is_typed(visit: Visit, algorithm: str, width: int) -> None:
    page = visit.open(f"?algorithm={quote(algorithm)}&alpha=-12.5", width=width).page
    for title in ("What the layer needs for this", "What to notice", "Assumptions, limits and sources"):
        if (summary := page.locator("summary").get_by_text(title, exact=True)).count():
            summary.click()
    page.wait_for_timeout(400)  # an expander opens slowly
    formulas = page.evaluate(FORMULAS)
    assert len(formulas) == (1 if algorithm == "gd" else 3)
    assert max(max(formula) for formula in formulas) <= 1
    assert [text for text in page.evaluate(WORDS) if RAW.search(text)] == []


def lesson_text(visit: Visit) -> str:
    return visit.page.get_by_test_id("stMainBlockContainer").inner_text()


def choose_lesson(visit: Visit, name: str) -> None:
    with visit.change():
        visit.page.get_by_role("combobox", name="Lesson").click()
        visit.page.get_by_role("option", name=re.compile(name)).click()


def test_a_lesson_outlives_a_reload_another_page_and_reset(visit: Visit) -> None:
    page, gaussian = visit.open().page, "With independent Gaussian rows κ is not set"
    choose_lesson(visit, "More examples")
    assert gaussian in lesson_text(visit)
    address = page.url
    page.reload()
    idle(page)
    assert page.url == address
    assert gaussian in lesson_text(visit)
    assert visit.numbers()["n"] == "20"

    page.get_by_role("link", name="Train it").click()
    expect(page.get_by_role("heading", name="Train it")).to_be_visible()
    page.get_by_role("link", name="The loop is the step").click()
    expect(page.get_by_role("heading", name="The loop is the step")).to_be_visible()
    idle(page)
    expect(page.get_by_text(gaussian)).to_be_visible()
    assert visit.numbers()["n"] == "20"

    choose_lesson(visit, "Too large a step diverges")
    expect(page.get_by_text("below −1")).to_be_visible()
    with visit.change():
        page.get_by_role("button", name="Reset to defaults").click()
    assert "The circles are explicit gradient descent, the line is the transformer" in lesson_text(visit)
    assert "converges" in visit.metrics().values()


def test_a_lesson_is_one_entry_of_the_history_and_back_opens_the_one_before(visit: Visit) -> None:
    page = visit.open("?lesson=conditioning").page
    entries, addresses = page.evaluate("history.length"), [page.url]
    for _ in range(3):
        with visit.change():
            page.get_by_role("button", name="▶").click()
        addresses.append(page.url)
    assert page.evaluate("history.length") == entries + 3
    page.go_back()
    expect(page.get_by_text("The step η = 2/")).to_be_visible()
    assert parse_qs(urlparse(page.url).query) == parse_qs(urlparse(addresses[2]).query)
    assert visit.numbers()["kappa"] == "20"


def test_a_changed_setting_takes_the_lessons_text_away_and_restore_brings_it_back(visit: Visit) -> None:
    page = visit.open("?lesson=over-the-edge").page
    assert query(visit)["lesson"] == ["over-the-edge"]
    expect(page.get_by_text("below −1")).to_be_visible()
    with visit.change():
        visit.slider("kappa").focus()
        page.keyboard.press("ArrowRight")
    expect(page.get_by_text("Its text does not hold for these settings")).to_be_visible()
    expect(page.get_by_text("below −1")).to_have_count(0)
    expect(page.get_by_text("which mode grows first")).to_have_count(0)
    with visit.change():
        page.get_by_role("button", name="Differs from the lesson").click()
    expect(page.get_by_text("below −1")).to_be_visible()
    assert visit.numbers()["kappa"] == "5"


def test_reset_reaches_a_control_that_is_not_drawn(visit: Visit) -> None:
    page = visit.open("?data=diabetes&prompts=6&T=12").page
    with visit.change():
        page.get_by_role("button", name="Reset to defaults").click()
    settle(visit)
    assert query(visit) == {}
    visit.section("Data")
    expect(page.get_by_role("spinbutton", name=re.compile("^B"))).to_have_value("64")
