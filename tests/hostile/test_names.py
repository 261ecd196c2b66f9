"""Names from outside stay names: no markup in a page, no code in a script, no formula in a spreadsheet."""

import ast
import csv
import io
import json
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from looped import Settings, cli, compare, export
from looped.experiments.train.stored import stored
from looped.export.files import FORMATS
from looped.files import spreadsheet_cell
from looped.tables import choose, read_csv

NAMES = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<a href='javascript:alert(1)'>y</a>",
    "__import__('os').abort()",
    "\\');__import__('os').abort()#",
    "'''+__import__('os').abort()+'''",
    "\ud800",
    "=HYPERLINK('http://x.test')",
    "+cmd|x",
    "-2+3",
    "@SUM(A1)",
]
FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Page(HTMLParser):
    """The tags of a page and what they load."""

    def __init__(self):
        super().__init__()
        self.tags, self.loads = set(), []

    def handle_starttag(self, tag, attrs):  # noqa: D102
        self.tags.add(tag)
        self.loads += [(name, value) for name, value in attrs if name in ("src", "href") or name.startswith("on")]


@pytest.fixture(params=NAMES, name="made", scope="module")
def fixture_made(request):
    """The files of two results with that name: of a table and its target, and of a file of weights."""
    name = request.param
    rows = [[1, 2], [2, 3], [4, 1], [5, 5], [7, 6]]
    text = io.StringIO()
    csv.writer(text).writerows([["a", name.encode("utf-8", "replace").decode()], *rows])
    sheet = read_csv(text.getvalue().encode(), name)
    table = choose(sheet, sheet.frame.columns[1])
    settings = Settings(loops=3, data="csv", target=table.target)
    trained, _ = stored()  # as evaluating weights gives it, which takes seconds
    read = replace(trained, name=name, frames={}, history={}, stopped=f"Weights from {name}.")
    results = [compare(settings, table), read]
    return [name, table.target], [{kind: export.of(result).file(kind) for kind in FORMATS} for result in results]


def test_no_name_is_markup_in_the_page(made):
    for files in made[1]:
        page = Page()
        page.feed(files["figure.html"].decode("utf-8"))
        assert page.loads == []
        assert page.tags <= {
            "html", "meta", "title", "style", "h1", "h2", "p", "div", "script", "details", "summary", "pre",
        }  # fmt: skip
        assert b"<script>alert" not in files["figure.html"]
        assert b"<img src=x" not in files["figure.html"]
        assert b"<a href=" not in files["figure.html"].split(b"Plotly.newPlot", 1)[1]


def test_no_name_is_code_in_the_script(made):
    for files in made[1]:
        for node in ast.walk(ast.parse(files["reproduce.py"].decode("utf-8"))):
            if isinstance(node, ast.Call):
                assert ast.unparse(node.func) in {
                    "Settings", "TrainSettings", "compare", "evaluate", "weights_from", "Table.unpack", "bytes.fromhex",
                    "export.write_or_compare",
                }  # fmt: skip
            if isinstance(node, ast.ImportFrom):
                assert node.module == "looped"
            assert not isinstance(node, ast.Import)


def test_no_cell_of_the_curves_is_a_formula(made):
    for files in made[1]:
        for row in csv.reader(files["curves.csv"].decode("utf-8").splitlines()):
            for cell in row:
                assert not cell.startswith(FORMULA) or np.isfinite(float(cell))


def test_json_says_names_as_they_are(made):
    names, (first, _) = made
    assert json.loads(first["result.json"])["table"]["target"] == names[1]


@pytest.mark.parametrize("name", ["=1+1", "@x", "+x", "-x", "\tx"])
def test_text_that_starts_a_formula_gets_an_apostrophe_and_numbers_none(name):
    assert spreadsheet_cell(name) == f"'{name}"
    for number in ("-1.5", "+2", "-inf", -3.0, None, True, "plain", ""):
        assert spreadsheet_cell(number) is number


@pytest.mark.parametrize("target", ["=1+1", "@x", "\ud800"])
def test_no_cell_of_a_sweep_is_a_formula(tmp_path, target, capsys):
    grid = ["--grid", f"n=4,6; target={target}", "--T", "2", "--d", "2", "--prompts", "2", "--workers", "0"]
    cli.main(["sweep", "compare", *grid, "--out", str(tmp_path)])
    assert json.loads(capsys.readouterr().out)["runs"] == 2
    for row in csv.reader((tmp_path / "results.csv").read_text(encoding="utf-8").splitlines()):
        assert not any(cell.startswith(("=", "@")) for cell in row)
