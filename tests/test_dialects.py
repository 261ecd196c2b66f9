"""Dialects of CSV files: tables are written in many ways and read back, layouts given and guessed, beside pandas."""

import csv
import io
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from looped import SettingsError
from looped.csv_cells import SEPARATORS
from looped.dialects import Dialect
from looped.tables import choose, read_csv
from tests.csv_files import GOOD, X, Y, refusal

COMMAS = "a;b;y\n1,5;2,25;3,0\n2,5;1,25;4,0\n4,5;2,0;9,0\n5,5;0,25;6,0\n"


def as_r_writes_it(quote):
    lines = GOOD.replace(",", " ").splitlines()
    names = [f'"{name}"' for name in lines[0].split()] if quote else lines[0].split()
    rows = [f'"{k}" {line}' if quote else f"{k} {line}" for k, line in enumerate(lines[1:], 1)]
    return "\n".join([" ".join(names), *rows]) + "\n"


WAYS = {
    "plain": (GOOD, "UTF-8, separator comma, decimal point, names in line 1"),
    "the separator in Excel's first line": ("sep=;\n" + GOOD.replace(",", ";"), "separator semicolon"),
    "a separator of its own in that line": ("sep=!\n" + GOOD.replace(",", "!"), "separator '!'"),
    "pipes": (GOOD.replace(",", "|"), "separator pipe"),
    "spaces": (GOOD.replace(",", " "), "separator space"),
    "aligned by spaces": (GOOD.replace(",", "    "), "separator space"),
    "R's write.csv": (
        '"","a","b","y"\n' + "".join(f'"{k}",{row}\n' for k, row in enumerate(GOOD.splitlines()[1:], 1)),
        "left out: the first column (no name), which names the rows",
    ),
    "R's write.table": (as_r_writes_it(True), "the first column (no name)"),
    "R's write.table without quotes": (as_r_writes_it(False), "the first column (no name)"),
    "pandas with an index of words": (
        ",a,b,y\n" + "".join(f"r{k},{row}\n" for k, row in enumerate(GOOD.splitlines()[1:], 1)),
        "the first column (no name)",
    ),
    "comment lines above": ("# logger 7\n# units: cm, kg\n" + GOOD, "names in line 3; left out: 2 comment lines"),
    "a comment line between": (GOOD.replace("4.5", "# moved\n4.5"), "1 comment line"),
    "NumPy's savetxt": ("# " + GOOD, "names in the last comment line"),
    "title lines": ("Report\nof the year\n\n" + GOOD, "names in line 4; left out: 2 lines above the table"),
    "a separator at the end of each line": (GOOD.replace("\n", ",\n"), "names in line 1"),
    "a separator at the end of the rows": (GOOD.replace("\n", ",\n").replace("y,", "y", 1), "names in line 1"),
    "a separator at the end of the names": (GOOD.replace("y\n", "y,\n"), "names in line 1"),
    "empty rows of a workbook": (GOOD + ",,\n,,\n", "names in line 1"),
    "quotes": ("".join(",".join(f'"{c}"' for c in line.split(",")) + "\n" for line in GOOD.splitlines()), "comma"),
    "plus signs and exponents": (GOOD.replace("1.5", "+15e-1").replace("9", "9.E0"), "decimal point"),
    "Mac line ends": (GOOD.replace("\n", "\r"), "names in line 1"),
    "an end of file of DOS": (GOOD + "\x1a", "names in line 1"),
    "decimal commas": (COMMAS, "separator semicolon, decimal comma"),
    "decimal commas in quotes": (
        "a,b,y\n" + "".join('"' + '","'.join(line.split(";")) + '"\n' for line in COMMAS.splitlines()[1:]),
        "separator comma, decimal comma",
    ),
    "decimal commas and tabs": (COMMAS.replace(";", "\t"), "separator tab, decimal comma"),
    "decimal commas and spaces": (COMMAS.replace(";", " "), "separator space, decimal comma"),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_usual_way_to_write_a_table_gives_its_numbers_and_says_what_was_guessed(way):
    text, said = WAYS[way]
    table = choose(read_csv(text.encode(), "t.csv"), "y")
    assert table.columns == ("a", "b")
    np.testing.assert_array_equal(table.X, X)
    np.testing.assert_array_equal(table.y, Y)
    assert said in table.reading
    assert "\n" not in table.reading


def test_rows_are_counted_in_the_file():
    assert "'n/m' in row 6" in refusal("a,b,y\n\n1.5,2.25,3\n2.5,1.25,4\n\n4.5,n/m,9\n5,1,2\n")
    assert "'n/m' in row 9" in refusal("# c\ntitle\n\na,name,y\n1,'x',3\n# c\n\n2,'z',4\nn/m,'w',9\n4,'w',7\n")
    assert "'n/m' in row 5" in refusal('a,"na\nme",y\n1,"two\nlines",3\nn/m,z,4\n2,u,5\n')
    assert "line 6 has 4 values, not 3" in refusal("a,b,y\n\n1,2,3\n\n4,5,6\n4,5,6,7\n8,9,1\n")


def test_a_file_without_names_asks_and_is_read_either_way():
    text = "5.1,3.5,1.4,kind-a\n4.9,3.0,1.5,kind-a\n7.0,3.2,4.7,kind-b\n6.4,3.1,4.5,kind-b\n"
    message = refusal(text)
    assert "'5.1'" in message
    assert "header = no" in message
    with pytest.raises(SettingsError) as caught:
        read_csv(text.encode(), "t.csv")
    assert caught.value.field == "header"
    sheet = read_csv(text.encode(), "t.csv", Dialect(header="no"))
    assert sheet.numeric == ["column 1", "column 2", "column 3"]
    assert len(sheet.frame) == 4
    assert "no header" in sheet.reading
    assert read_csv(text.encode(), "t.csv", Dialect(header="yes")).numeric == ["5.1", "3.5", "1.4"]


def test_years_may_be_names_beside_words():
    text = "country,pop,1990,2000,2010\nx,1,2.5,3.5,4\ny,2,3.5,1.5,2\nz,4,6.5,5.5,9\n"
    assert read_csv(text.encode(), "t.csv").numeric == ["pop", "1990", "2000", "2010"]
    assert "header = no" in refusal("place,1990,2000\nx,2.5,3.5\ny,3.5,1.5\nz,6.5,5.5\n", "2000")
    assert "header = no" in refusal("n/m,3.5,1.5\n2,2.5,3.5\n3,3.5,1.5\n4,6.5,5.5\n", "1.5")


def test_row_names_can_be_told():
    text = "id,a,y\n7,1,3\n9,2,4\n8,4,9\n"
    assert choose(read_csv(text.encode(), "t.csv"), "y").columns == ("id", "a")
    sheet = read_csv(text.encode(), "t.csv", Dialect(row_names="yes"))
    assert choose(sheet, "y").columns == ("a",)
    assert "the first column (id), which names the rows" in sheet.reading
    unnamed = read_csv(text.replace("id", "").encode(), "t.csv", Dialect(row_names="no"))
    assert choose(unnamed, "y").columns == ("column 1", "a")


def test_a_first_column_of_words_of_their_own_names_the_rows():
    rows = ["1.5,2.25,3", "2.5,1.25,4", "4.5,2.0,9", "5.5,0.25,6"]

    def named(*names, **told):
        text = "city,a,b,y\n" + "".join(f"{name},{row}\n" for name, row in zip(names, rows, strict=True))
        return read_csv(text.encode(), "t.csv", Dialect(**told))

    sheet = named("Oslo", "São Paulo", "oslo", "Rome 2")
    assert choose(sheet, "y").columns == ("a", "b")
    assert "left out: the first column (city), which names the rows" in sheet.reading
    for names in (["Oslo", "Rome", "Oslo", "Bonn"], ["Oslo", "n/a", "Rome", "Bonn"], ["Oslo", "3", "Rome", "Bonn"]):
        with pytest.raises(SettingsError, match=r"Column 'city' of t.csv .* in row \d.*: leave it out by naming"):
            choose(named(*names), "y")
    assert "city" in named("Oslo", "Rome", "Bonn", "Bern", row_names="no").frame.columns
    two = "kind,y\nOslo,1\nRome,2\nBonn,4\n"  # nothing would be left to learn from
    assert "Column 'kind' of t.csv holds text ('Oslo' in row 2)" in refusal(two)


def test_a_wrong_way_to_write_is_refused_with_the_choices():
    with pytest.raises(SettingsError, match="choose auto, comma, semicolon, tab, pipe or space"):
        Dialect(separator="slash")


def write(rows, names, separator, decimal, header, row_names, comments, line_end):
    """A table as text, and what pandas must be told to read it."""
    out = io.StringIO()
    for line in comments:
        out.write(f"# {line}{line_end}")
    writer = csv.writer(out, delimiter=separator, lineterminator=line_end)
    if header:
        writer.writerow([*([""] if row_names else []), *names])
    for k, row in enumerate(rows):
        cells = [cell.replace(".", decimal) for cell in row]
        writer.writerow([*([f"r{k}"] if row_names else []), *cells])
    told = {
        "sep": separator, "decimal": decimal, "header": 0 if header else None, "comment": "#",
        "index_col": 0 if row_names else None,
    }  # fmt: skip
    return out.getvalue(), told


NUMBERS = st.one_of(
    st.integers(-9999, 9999).map(str),
    st.decimals(-999, 999, places=2).map(str),
    st.floats(-1e9, 1e9, allow_subnormal=False).filter(lambda v: v == 0 or abs(v) > 1e-9).map(lambda v: f"{v:.6e}"),
)


@st.composite
def tables(draw):
    d = draw(st.integers(2, 4))
    rows = draw(st.lists(st.lists(NUMBERS, min_size=d, max_size=d), min_size=3, max_size=8))
    rows += [
        [f"{k + j}.{k + 3}{j + 1}" for j in range(d)] for k in range(2)
    ]  # no column is constant, decimals are seen
    return rows, [f"größe {j}" for j in range(d)]


@settings(max_examples=300, deadline=None)
@given(
    table=tables(),
    separator=st.sampled_from(sorted(SEPARATORS)),
    decimal=st.sampled_from([".", ","]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"]),
    header=st.booleans(),
    row_names=st.booleans(),
    comments=st.lists(st.sampled_from(["logger 7", "units: cm, kg; s", 'it\'s "so"']), max_size=2),
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
    told=st.booleans(),
)
def test_a_table_written_in_any_dialect_reads_as_pandas_reads_it_when_told(
    table, separator, decimal, encoding, header, row_names, comments, line_end, told
):
    rows, names = table
    text, tell_pandas = write(rows, names, SEPARATORS[separator], decimal, header, row_names, comments, line_end)
    expected = pd.read_csv(io.StringIO(text.replace(line_end, "\n"), newline=None), **tell_pandas)
    dialect = Dialect()
    if told or not header:
        dialect = Dialect(
            separator=separator, decimal="comma" if decimal == "," else "point", header="yes" if header else "no",
            row_names="yes" if row_names else "no", encoding=encoding if encoding in ("utf-8", "cp1252") else "auto",
        )  # fmt: skip
    sheet = read_csv(text.encode(encoding), "t.csv", dialect)
    found = sheet.frame.to_numpy(dtype=np.float64)
    np.testing.assert_array_equal(found, [[float(cell) for cell in row] for row in rows])
    np.testing.assert_allclose(found, expected.to_numpy(dtype=np.float64), rtol=1e-15)
    assert len(sheet.frame.columns) == len(names)
    if header:
        assert sheet.frame.columns.tolist() == names


@pytest.mark.parametrize(("separator", "header"), list(product(SEPARATORS, ["yes", "no"])))
def test_a_dialect_that_is_told_is_the_one_used(separator, header):
    text = GOOD.replace(",", SEPARATORS[separator])
    body = text if header == "yes" else text.split("\n", 1)[1]
    sheet = read_csv(body.encode(), "t.csv", Dialect(separator=separator, header=header))
    np.testing.assert_array_equal(sheet.frame.to_numpy(), np.column_stack([X, Y]))


ROWS = "1,2,3\n2,1,4\n3,2,5\n4,4,9\n6,1,2\n"


def test_a_header_with_more_cells_than_the_rows_is_refused_with_its_line():
    with pytest.raises(SettingsError, match=r"line 1 has 4 values, not 3"):
        read_csv(f"a,b,c,y\n{ROWS}".encode(), "wide.csv")


def test_a_title_may_have_more_cells_than_the_table():
    sheet = read_csv(f"Title of it,with,four,cells\na,b,y\n{ROWS}".encode(), "titled.csv")
    assert list(sheet.frame) == ["a", "b", "y"]
    assert "1 line above the table" in sheet.reading
