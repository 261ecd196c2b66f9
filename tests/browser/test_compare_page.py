"""The first page as a visitor meets it: keyboard, link, phone, files."""

import itertools
import math
import re
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import pytest
from playwright.sync_api import expect

from looped.experiments.compare.lessons import OPENING

from .visit import CONTROLS, Visit

pytestmark = pytest.mark.browser

LOOPED = "Looped transformer"
EXPLICIT = "Explicit gradient descent"
GOOD = "x1,x2,y\n" + "".join(f"{i},{i * 7 % 11},{3 + 2 * i - i * 7 % 11}\n" for i in range(20))
BAD = {
    "words": "name,y\nann,1\nbob,2\ncy,3\n",
    "twice": "a,a,y\n1,2,3\n2,3,4\n3,5,9\n",
    "empty": "",
}


def test_first_view_needs_no_click_and_no_outside_request_and_one_run_more_for_charts_that_stay(
    new_browser: Visit,
) -> None:
    visit = new_browser.open()
    chart = visit.chart()
    assert {LOOPED, EXPLICIT} <= set(chart["handed_over"])
    assert len(chart["lines"][LOOPED]["y"]) == 51
    assert visit.error_after() == f"{chart['lines'][LOOPED]['y'][-1]:.3g}"
    expect(visit.page.get_by_test_id("stMainBlockContainer").get_by_text("PASS", exact=True)).to_be_visible()
    visit.page.wait_for_timeout(500)  # another run would have begun by now
    assert visit.outside() == []
    assert len(visit.requests) > 10
    assert visit.complaints == []
    assert (visit.asked, visit.started) == (2, 2)  # where the second is asked for during the first, that has no end


@pytest.mark.thorough
@pytest.mark.parametrize("width", [1280, 400])
def test_every_main_control_moves_by_keyboard_alone(visit: Visit, width: int) -> None:
    page = visit.open(width=width).page
    if width == 400:
        page.get_by_role("button", name="Expand sidebar").focus()
        page.keyboard.press("Enter")
    for key, label in CONTROLS.items():
        slider = visit.slider(key)
        expect(visit.slider_box(key)).to_be_in_viewport(ratio=1)
        numbers, line, metrics = visit.numbers(), visit.chart()["lines"][LOOPED], visit.metrics()
        assert slider.get_attribute("aria-valuetext") == numbers[key]
        visit.move(key)
        visit.until(lambda line=line: visit.chart()["lines"][LOOPED] != line, f"another line by {label}")
        visit.until(lambda metrics=metrics: visit.metrics() != metrics, f"other numbers by {label}")

        moved = slider.get_attribute("aria-valuetext")
        assert moved is not None
        assert float(moved) > float(numbers[key]), label
        assert visit.numbers() == numbers | {key: moved}
        visit.until(lambda key=key, moved=moved: float(visit.query()[key][0]) == float(moved), "the link")
        line = visit.chart()["lines"][LOOPED]
        assert visit.error_after() == f"{line['y'][-1]:.3g}"
        if key == "T":
            assert line["x"][-1] == float(moved)
            assert f"error after T = {moved}" in visit.metrics()
        if key == "kappa":
            assert visit.metrics()["κ measured"] == moved


@pytest.mark.thorough
def test_every_move_is_one_run_and_goes_past_whole_numbers(visit: Visit) -> None:
    """The slider of κ puts kappa=10.0 into the link, where typing puts kappa=10."""
    page = visit.open().page
    moves, asked, finished = ("kappa", "kappa", "kappa", "kappa", "T", "T", "kappa"), visit.asked, visit.finished
    for key in moves:
        before = visit.numbers()
        visit.move(key)
        after = visit.numbers()
        assert float(after[key]) > float(before[key]), f"{key} at {page.url}"
        assert {**after, key: ""} == {**before, key: ""}
    loops = int(visit.numbers()["T"])
    visit.until(lambda: len(visit.chart()["lines"][LOOPED]["x"]) == loops + 1, "a line of all loops")
    page.wait_for_timeout(300)  # a further run would have begun by now
    assert (visit.asked - asked, visit.finished - finished) == (len(moves), len(moves))

    asked, finished = visit.asked, visit.finished
    with visit.change():
        visit.number("n").fill("77")
        page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.wait_for_timeout(600)
    assert (visit.asked - asked, visit.finished - finished) == (1, 1)
    assert visit.numbers()["n"] == "77"


@pytest.mark.thorough
def test_a_link_shows_the_same_numbers_elsewhere(visit: Visit) -> None:
    visit.open("?n=30&d=5&seed=3&noise=0.5")
    for key in ("T", "kappa"):
        visit.move(key)
    numbers = {"T": "60", "n": "30", "d": "5", "kappa": "6"}
    assert visit.numbers() == numbers
    visit.until(lambda: len(visit.chart()["lines"][LOOPED]["x"]) == 61)
    metrics, chart = visit.metrics(), visit.chart()

    visit.open(visit.page.url.removeprefix(f"{visit.server}/"))
    assert visit.numbers() == numbers
    assert visit.metrics() == metrics
    assert visit.chart() == chart
    assert "error floor" in visit.metrics()
    expect(visit.alert("Some values could not be used")).to_have_count(0)


@pytest.mark.thorough
def test_a_bad_link_is_repaired_and_every_change_is_named(visit: Visit) -> None:
    page = visit.open("?T=20000&n=abc&kappa=0.5").page
    warning = visit.alert("Some values could not be used")
    for named in ("T = 20000", "n = abc", "kappa = 0.5"):
        expect(warning.get_by_role("listitem").filter(has_text=named)).to_have_count(1)
    assert visit.numbers() == {"T": "10000", "n": "40", "d": "10", "kappa": "1"}
    assert visit.chart()["lines"][LOOPED]["x"][-1] == 10_000

    with visit.change():
        page.get_by_role("button", name="Dismiss").click()
    expect(warning).to_have_count(0)
    expect(page.get_by_role("button", name="Dismiss")).to_have_count(0)
    assert visit.numbers() == {"T": "10000", "n": "40", "d": "10", "kappa": "1"}


@pytest.mark.thorough
def test_a_phone_never_scrolls_sideways(visit: Visit, subtests: pytest.Subtests) -> None:
    page = visit.open("", width=400).page
    main = page.get_by_test_id("stMain")
    words = main.locator("p, li, h1, h2, h3, button, .js-plotly-plot, [data-testid=stMetric]")
    for link in ("", "?step=3&noise=1&n=5", "?data=diabetes&T=10000"):
        if link:
            visit.go(link)
        visit.unfold("What to notice", "Data behind the chart", "Assumptions, limits and sources")
        for scheme in ("light", "dark"):
            with subtests.test(link=link, scheme=scheme):
                visit.in_theme(scheme)
                assert not visit.scrolls_sideways()
                beyond = words.evaluate_all(
                    "all => all.map(e => [e.getBoundingClientRect().right, e.textContent.slice(0, 40)])"
                    ".filter(([right]) => right > innerWidth)"
                )
                assert beyond == []


CELLS = """() => [...document.querySelectorAll('.st-key-stage .heatmap-label')].map(label => {
    const {left, right, top, bottom} = label.getBoundingClientRect();
    const size = parseFloat(getComputedStyle(label.querySelector('text')).fontSize);
    return {left, right, row: Math.round((top + bottom) / 2), size};
})"""
"""The numbers in the cells of the first picture."""


def test_numbers_in_cells_keep_apart_where_the_page_is_small_or_its_type_large(
    visit: Visit, subtests: pytest.Subtests
) -> None:
    link = f"?lesson={OPENING}"
    for changes, width, height, size in (("&embed=true", 700, 500, 13), ("&present=1", 1280, 720, 16)):
        with subtests.test(changes):
            page = visit.open(link + changes, width).page
            page.set_viewport_size({"width": width, "height": height})
            visit.idle()
            cells = page.evaluate(CELLS)
            assert len(cells) == 3 * 8  # six examples, the query, the new x
            assert {cell["size"] for cell in cells} == {size}
            for row in {cell["row"] for cell in cells}:
                across = sorted((cell["left"], cell["right"]) for cell in cells if cell["row"] == row)
                assert all(right + 1 < left for (_, right), (left, _) in itertools.pairwise(across))


VALLEY = """() => {
    const { xaxis4, yaxis4 } = document.querySelector(".st-key-stage .js-plotly-plot")._fullLayout
    return [xaxis4, yaxis4].map(({ range }) => range.map(end => Math.round(1e4 * end)))
}"""
"""What the axes of the valley span."""


def test_a_window_that_was_smaller_for_a_while_leaves_the_valley_as_it_was(visit: Visit) -> None:
    """Plotly widens axes with one scale at every size, from what it made of them before."""
    page = visit.open(f"?lesson={OPENING}").page
    whole = page.evaluate(VALLEY)
    page.set_viewport_size({"width": 1280, "height": 600})
    visit.until(lambda: page.evaluate(VALLEY) != whole, "the valley of a lower window")
    page.set_viewport_size({"width": 1280, "height": 720})
    visit.until(lambda: page.evaluate(VALLEY) == whole, "the valley as it was")


EDGES = """() => {
    const edges = selector => [...document.querySelectorAll(`.st-key-stage ${selector}`)].map(part => {
        const {left, right, top, bottom} = part.getBoundingClientRect();
        return {left, right, top, bottom, text: part.textContent, called: part.getAttribute('aria-label')};
    });
    const titles = edges('.annotation-text').filter(({text}) => !/^new w/.test(text));
    return {legend: edges('.legend')[0], tools: edges('.modebar-btn'), titles};
}"""
"""Where the legend of the first picture, Plotly's tools and the titles of the views stand."""


@pytest.mark.parametrize(
    ("changes", "width", "height"),
    [("", 1280, 720), ("&embed=true", 700, 500), ("&embed=true&step=3&lesson=", 700, 500), ("&present=1", 1280, 720),
     ("", 400, 800), ("&present=1", 400, 800), ("&kappa=600&present=1", 400, 800), ("&kappa=600", 1280, 720)],
)  # fmt: skip
def test_the_legend_is_at_its_charts_the_tools_cover_no_title_and_the_verdict_is_in_the_window(
    visit: Visit, changes: str, width: int, height: int
) -> None:
    page = visit.open(f"?lesson={OPENING}{changes}", width, height).page
    page.locator(".st-key-stage .chart").hover()
    edges = page.evaluate(EDGES)
    (tokens,), (loss,), (error,) = (
        [title for title in edges["titles"] if title["text"].startswith(word)] for word in ("It sees", "Loss", "Error")
    )
    legend = edges["legend"]
    if width == 400:
        assert legend["top"] > error["bottom"]
    else:
        assert legend["left"] > loss["left"] - 32 > tokens["right"]
        assert visit.lowest() <= height
    assert len(edges["tools"]) >= 4
    assert not any("Share" in tool["called"] for tool in edges["tools"])
    for tool in edges["tools"]:
        for part in (*edges["titles"], legend):
            across = min(tool["right"], part["right"]) - max(tool["left"], part["left"])
            down = min(tool["bottom"], part["bottom"]) - max(tool["top"], part["top"])
            assert across <= 0 or down <= 4, (tool["called"], part["text"])
    assert visit.overlaps() == []


def upload(visit: Visit, file: Path) -> None:
    """Choose a file as a visitor does, through the browser's own dialogue, when the controls stand still."""
    visit.settle()
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
    visit.settle()


@pytest.mark.thorough
def test_a_csv_shows_its_own_coefficients_and_a_bad_one_is_refused_and_changes_nothing(
    visit: Visit, subtests: pytest.Subtests, tmp_path: Path
) -> None:
    open_csv(visit, tmp_path)
    page, target = visit.page, visit.page.get_by_role("combobox", name="Target column")
    with subtests.test("its coefficients are shown"):
        found = coefficients(visit)
        assert found["x1"] == pytest.approx([2, 2], abs=1e-9)
        assert found["x2"] == pytest.approx([-1, -1], abs=1e-9)
        assert visit.metrics()["R², the loop"] == "1.0000"
        for label in ("n · examples", "d · features", "κ · condition"):
            expect(page.get_by_role("textbox", name=label)).to_be_disabled()
        assert visit.complaints == []
    chart, found = visit.chart(), coefficients(visit)
    with subtests.test("a bad file does not lose the chosen target"):
        visit.choose("Target column", "x1")
        expect(page.get_by_text("What it learned about the column “x1”")).to_be_visible()
        upload(visit, save(tmp_path, "words", BAD["words"]))
        expect(visit.alert("words.csv")).to_have_count(1)
        visit.settle()
        expect(target).to_have_value("x1")
        expect(page.get_by_text("What it learned about the column “x1”")).to_be_visible()
        visit.choose("Target column", "y")
        expect(page.get_by_text("What it learned about the column “y”")).to_be_visible()
    for kind in ("twice", "empty", "words", "empty"):
        with subtests.test("a bad file is refused in one sentence, and the chart stays", kind=kind):
            upload(visit, save(tmp_path, kind, BAD[kind]))
            refusal = visit.alert(f"{kind}.csv")
            expect(refusal).to_have_count(1)
            visit.settle()
            expect(page.get_by_test_id("stSidebar").get_by_test_id("stAlert")).to_have_count(0)
            expect(page.get_by_test_id("stMain").get_by_test_id("stAlert")).to_have_count(1)
            assert len(refusal.inner_text().splitlines()) == 1
            expect(target).to_have_value("y")
            expect(page.get_by_role("heading", name="What it learned about the column “y”")).to_be_visible()
            assert coefficients(visit) == found
            assert visit.chart() == chart
    with subtests.test("a file above the limit is refused"):
        upload(visit, save(tmp_path, "large", "x,y\n" + "1,2\n" * (21 * 1024**2 // 4)))
        expect(page.get_by_test_id("stFileUploader").get_by_text(re.compile("20.*or smaller"))).to_be_visible()
        visit.settle()
        assert visit.chart() == chart


@pytest.mark.thorough
def test_the_address_names_the_columns_that_are_shown_and_reset_reaches_a_control_that_is_not_drawn(
    visit: Visit, subtests: pytest.Subtests
) -> None:
    page = visit.open("?data=diabetes&target=nope&T=30").page
    with subtests.test("the address names the columns that are shown, and keeps the rest"):
        expect(page).to_have_url(re.compile("target=target"))
        visit.move("T")
        visit.section("Data")
        visit.choose("Target column", "bmi")
        expect(page).to_have_url(re.compile("target=bmi"))
        assert "T=40" in page.url
        with visit.change():
            page.get_by_role("button", name="Reset to defaults").click()
        visit.until(lambda: not {"data", "target"} & visit.query().keys(), "an address without the table")
    visit.go("?data=diabetes&prompts=6&T=12")
    with subtests.test("reset reaches a control that is not drawn"):
        expect(visit.number("T")).to_have_value("12")
        size = page.get_by_role("spinbutton", name=re.compile("^B"))
        expect(size).to_have_count(0)
        page.get_by_role("button", name="Reset to defaults").click()
        opened = {"T": ["30"], "n": ["6"], "d": ["2"], "kappa": ["10"], "seed": ["1351"], "form": ["auto"]}
        visit.until(lambda: visit.query() == opened, "the address of the first screen")
        expect(size).to_have_value("64")


@pytest.mark.thorough
def test_the_chart_has_a_text_and_a_table_and_a_step_above_the_limit_is_announced_and_still_drawn(
    visit: Visit, subtests: pytest.Subtests
) -> None:
    page = visit.open().page
    with subtests.test("the chart has a text and a table"):
        figure = page.get_by_role("figure", name=re.compile("^Relative error against loops"))
        expect(figure).to_have_count(1)
        expect(figure).to_be_visible()
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
    with subtests.test("a step typed above the limit is announced, and still drawn"):
        expect(page.get_by_test_id("stMetric").first).to_contain_text("converges")
        verdict = visit.alert("Predicted before running")
        step = visit.number("step")
        with visit.change():
            step.fill("3")
            page.keyboard.press("Enter")
        expect(verdict).to_contain_text(re.compile("diverges", re.IGNORECASE))
        expect(verdict).to_contain_text("3")
        expect(step).to_have_value("3")
        visit.until(lambda: visit.query().get("step") == ["3"], "step=3 in the link")
        visit.until(lambda: visit.chart()["lines"][LOOPED]["y"][-1] is None, "a line that leaves the chart")
        chart = visit.chart()
        drawn = [value for line in chart["lines"].values() for value in [*line["x"], *line["y"]] if value is not None]
        assert all(map(math.isfinite, drawn))
        expect(page.locator(".st-key-errors").get_by_text("diverges", exact=True)).to_be_visible()
        assert all(math.isfinite(value) for value in chart["range"])
        assert chart["range"][0] < 0 < chart["range"][1] < 8


@pytest.mark.thorough
def test_a_lesson_outlives_a_reload_another_page_and_reset_and_its_text_goes_with_its_settings(
    visit: Visit, subtests: pytest.Subtests
) -> None:
    page = visit.open().page
    gaussian = page.get_by_text("With independent Gaussian features κ is not set")
    visit.choose("Lesson", re.compile("More examples"))
    expect(gaussian).to_be_visible()
    expect(visit.number("n")).to_have_value("20")
    address = page.url
    page.reload()
    visit.idle()
    assert page.url == address
    expect(gaussian).to_be_visible()
    assert visit.numbers()["n"] == "20"

    page.get_by_role("link", name="Train it").click()
    expect(page.get_by_role("heading", name="Train it")).to_be_visible()
    page.get_by_role("link", name="The loop is the step").click()
    expect(page.get_by_role("heading", name="The loop is the step")).to_be_visible()
    expect(gaussian).to_be_visible()
    visit.idle()
    assert visit.numbers()["n"] == "20"

    visit.choose("Lesson", re.compile("Too large a step diverges"))
    expect(page.get_by_text("below −1")).to_be_visible()
    with visit.change():
        page.get_by_role("button", name="Reset to defaults").click()
    expect(page.get_by_text("Each numbered column is a token")).to_be_visible()
    assert "converges" in visit.metrics().values()
    visit.open("?lesson=over-the-edge")
    with subtests.test("a changed setting leaves what is true and asked of a lesson, and restore brings back the rest"):
        assert visit.query()["lesson"] == ["over-the-edge"]
        expect(page.get_by_text("The page says so before the run")).to_be_visible()
        visit.move("kappa")
        expect(page.get_by_text("below −1")).to_contain_text("What do the other nine modes do?")
        expect(page.get_by_text("The page says so before the run")).to_have_count(0)
        expect(page.get_by_role("radiogroup", name="What do the other nine do")).to_have_count(0)
        with visit.change():
            page.get_by_role("button", name="Differs in κ · restore").click()
        expect(page.get_by_text("The page says so before the run")).to_be_visible()
        expect(visit.number("kappa")).to_have_value("5")


@pytest.mark.thorough
def test_a_lesson_is_one_entry_of_the_history_with_a_picture_of_its_own_and_back_opens_the_one_before(
    other_tab: Visit,
) -> None:
    visit = other_tab  # a history ends at 50 entries
    page = visit.open("?lesson=conditioning").page
    stage = page.locator(".st-key-stage")
    stage.get_by_role("button", name="Last loop").click()
    expect(stage.get_by_role("status")).to_contain_text("loop 400 of 400")
    entries, addresses = page.evaluate("history.length"), [page.url]
    for _ in range(3):
        with visit.change():
            page.get_by_role("button", name="▶").click()
        addresses.append(page.url)
        expect(stage.get_by_role("status")).to_contain_text("loop 0 of")  # another lesson opens its picture anew
    assert page.evaluate("history.length") == entries + 3
    page.go_back()
    expect(page.get_by_text("The step η = 2/")).to_be_visible()
    assert parse_qs(urlparse(page.url).query) == parse_qs(urlparse(addresses[2]).query)
    assert visit.numbers()["kappa"] == "20"
