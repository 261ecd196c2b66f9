"""From bytes to cells: encodings, comments, and the separator that is guessed."""

import csv
import random

import numpy as np
import pytest

from looped.csv_cells import SEPARATORS, guess_separator
from looped.dialects import Dialect
from looped.tables import choose, read_csv
from tests.csv_files import GOOD, X, refusal


@pytest.mark.parametrize(
    ("encoding", "said"),
    [("utf-8", "UTF-8"), ("utf-8-sig", "UTF-8"), ("utf-16", "UTF-16"), ("utf-16-le", "UTF-16-LE"),
     ("utf-16-be", "UTF-16-BE"), ("cp1252", "CP1252"), ("latin-1", "CP1252")],
)  # fmt: skip
def test_column_names_come_through_in_the_usual_encodings(encoding, said):
    text = "größe,día,cm²\n1.5,2.25,3\n2.5,1.25,4\n4.5,2.0,9\n5.5,0.25,6\n"
    table = choose(read_csv(text.encode(encoding), "t.csv"), "cm²")
    assert table.columns == ("größe", "día")
    np.testing.assert_array_equal(table.X, X)
    assert table.reading.startswith(f"{said},")


def test_an_encoding_that_is_told_is_used():
    text = "дом,b,y\n1.5,2.25,3\n2.5,1.25,4\n4.5,2.0,9\n5.5,0.25,6\n"
    assert choose(read_csv(text.encode("cp1251"), "t.csv", Dialect(encoding="cp1251")), "y").columns == ("дом", "b")


@pytest.mark.parametrize("error", ["#N/A", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!"])
def test_an_error_of_a_workbook_is_no_comment(error):
    assert f"'{error}'" in refusal(GOOD.replace("4.5", error))


def test_rows_whose_first_cells_begin_with_a_hash_are_no_comments():
    assert "'#1' in row 2" in refusal("id,a,y\n#1,2,3\n#2,3,4\n#3,5,9\n4,5,6\n")


def messy_table(rng):
    """A table and its separator: with lines above, without names, with gaps, dates and words, as `rng` draws it."""
    separator = rng.choice(sorted(SEPARATORS.values()))
    decimal = rng.choice(".,") if separator != "," else "."
    kinds = [
        rng.choice(["whole", "decimals", *(["exponent", "words", "date"] if j else [])])
        for j in range(rng.randint(2, 5))
    ]

    def cell(kind):
        match kind:
            case "whole":
                return str(rng.randint(-500, 5000))
            case "decimals":
                return f"{rng.uniform(-50, 900):.{rng.randint(1, 4)}f}".replace(".", decimal)
            case "exponent":
                return f"{rng.uniform(-9, 9):.2e}".replace(".", decimal)
            case "date":
                return f"2024-0{rng.randint(1, 9)}-1{rng.randint(0, 9)}"
        return '"' + rng.choice(["New York, NY", "red", "blue one", "a;b", "x"]) + '"'

    rows = [[cell(kind) for kind in kinds] for _ in range(rng.randint(4, 14))]
    if rng.random() < 0.3 and separator != " ":
        for row in rows:
            row[rng.randrange(len(row))] = rng.choice(["", "NA", "?", row[0]])
    names = [[f"col{j}" for j in range(len(kinds))]] if rng.random() < 0.7 else []
    titles = [
        [rng.choice(["Report of 2024", "Sales, in EUR", "units: cm, kg; s"])]
        for _ in range(rng.choice([0, 0, 0, 1, 2]))
    ]
    return separator, "\n".join(separator.join(row) for row in [*titles, *names, *rows]) + "\n"


def test_the_separator_is_found_where_the_standard_library_misses_it():
    rng = random.Random(0)
    drawn = [messy_table(rng) for _ in range(600)]

    def sniffed(text):
        try:
            return csv.Sniffer().sniff(text, delimiters=",;\t| ").delimiter
        except csv.Error:
            return ""

    found = sum(guess_separator(text) == separator for separator, text in drawn)
    standard = sum(sniffed(text) == separator for separator, text in drawn)
    assert found >= 588
    assert standard < found - 60


def test_a_quoted_cell_may_hold_a_line_that_begins_like_a_comment():
    text = 'note,a,b,y\n# a comment\n"see\n#1 of 2",1,2,3\nx,2,1,4\ny,3,2,5\nx,4,4,9\nu,1,4,3\n'
    sheet = read_csv(text.encode(), "quoted.csv")
    assert sheet.frame["note"][0] == "see\n#1 of 2"
    assert sheet.frame["y"].tolist() == [3, 4, 5, 9, 3]
    assert "1 comment line" in sheet.reading


def test_a_quote_within_a_cell_hides_no_comment():
    text = 'pipe,a,y\n5",1,3\n# a comment\n6",2,4\n7",3,5\n8",4,9\n9",1,3\n'
    sheet = read_csv(text.encode(), "inches.csv")
    assert sheet.frame["y"].tolist() == [3, 4, 5, 9, 3]
    assert "1 comment line" in sheet.reading
