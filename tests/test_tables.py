"""Tables: refusals and their words, the values read, and the way back to the units of the file."""

import os
import warnings

import numpy as np
import pytest
from sklearn.datasets import load_diabetes

from looped import Settings, SettingsError, tables
from looped.tables import Table, choose, diabetes, load, read_csv

GOOD = b"a,b,y\n1,2,3\n2,4,5\n4,3,7\n5,5,1\n"


def rows(count, columns=3):
    lines = [",".join("abcdefghij"[:columns])]
    lines += [",".join(str((i * (j + 2) + j) % 97) for j in range(columns)) for i in range(count)]
    return ("\n".join(lines) + "\n").encode()


def read_and_choose(content, target="y", columns=()):
    return choose(read_csv(content, "t.csv"), target, columns)


def sentence(content, target="y", columns=()):
    # As users run it: a warning must not be what stops a bad file.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(SettingsError) as caught:
            read_and_choose(content, target, columns)
    return str(caught.value)


def assert_one_sentence(text, *words):
    assert "\n" not in text
    assert text.endswith(".")
    assert text[0].isupper() or text.startswith(("t.csv", "'"))
    assert len(text) < 220
    for word in words:
        assert word in text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"", ["t.csv is empty"], id="no bytes"),
        pytest.param(b"\xef\xbb\xbf", ["t.csv is empty"], id="only a BOM"),
        pytest.param(b" \n\t\r\n  ", ["t.csv is empty"], id="only whitespace"),
        pytest.param(b"a,b,y\n1,\x00,3\n", ["t.csv is not a CSV", "binary"], id="binary"),
        pytest.param(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", ["t.csv is not a CSV"], id="a picture"),
        pytest.param(b"PK\x03\x04\x14\x00\x06\x00", ["t.csv is not a CSV", "binary"], id="a workbook"),
        pytest.param(b"a,\x81\n1,2\n3,4\n5,7\n", ["t.csv is not a CSV file in CP1252"], id="no known encoding"),
        pytest.param(b"y\n1\n2\n3\n", ["t.csv", "two columns"], id="one column"),
        pytest.param(b"a/b/y\n1/2/3\n", ["two columns", "commas, semicolons, tabs"], id="other separator"),
        pytest.param(b"a,a,y\n1,2,3\n2,4,4\n4,3,7\n", ["2 columns named 'a'"], id="a name twice"),
        pytest.param(b"a, a,y\n1,2,3\n2,4,4\n4,3,7\n", ["2 columns named 'a'"], id="a name twice but for a space"),
        pytest.param(b"1,2.5,-3\n2,4,4\n4,3,7\n5,5,5\n", ["first line", "numbers", "names"], id="header of numbers"),
        pytest.param(b",y\n1,2\n2,4\n4,3\n", ["one column besides the row names"], id="nothing but row names"),
        pytest.param(b",a,,y\n1,2,3,1\n2,4,4,1\n4,3,7,2\n", ["Column 3", "no name"], id="third column unnamed"),
        pytest.param(b"a, ,y\n1,2,3\n2,4,4\n4,3,7\n", ["Column 2", "no name"], id="middle column unnamed"),
        pytest.param(b"a,b,y\n", ["t.csv has too few rows of data, 0", "at least 3"], id="no row"),
        pytest.param(b"a,b,y\n1,2,3\n", ["t.csv has too few rows of data, 1", "at least 3"], id="one row"),
        pytest.param(b"a,b,y\n1,2,3\n2,4,4\n", ["t.csv has too few rows of data, 2", "at least 3"], id="two rows"),
        pytest.param(b"a,b,y\n1,2,3\n2,4,4,9\n4,3,7\n", ["t.csv", "line 3", "same number"], id="a row too long"),
        pytest.param(b"a,b,y\n1,2,3,4\n2,4,4\n4,3,7\n", ["t.csv", "same number"], id="first row too long"),
        pytest.param(b"a,b,y\n1,2,3,4\n2,4,4,5\n4,3,7,6\n", ["t.csv", "same number"], id="every row too long"),
        pytest.param(b'a,b,y\n1,"2,3\n2,4,4\n4,3,7\n', ["t.csv is not a regular CSV"], id="a quote left open"),
        pytest.param(rows(10_001), ["10,001 rows", "at most 10,000"], id="too many rows"),
        pytest.param(
            ",".join(f"c{i}" for i in range(1001)).encode() + b"\n", ["1,001 columns", "at most 1,000"], id="too wide"
        ),
    ],
)
def test_an_unusable_file_is_refused_in_one_sentence(content, words):
    assert_one_sentence(sentence(content), *words)


@pytest.mark.parametrize(
    ("column", "words"),
    [
        pytest.param(["1", "red", "3", "4"], ["text", "'red'", "row 3"], id="text"),
        pytest.param(["2020-01-01", "2020-01-02", "2020-01-03", "2020-01-04"], ["text", "'2020-01-01'"], id="dates"),
        pytest.param(["True", "False", "True", "False"], ["text", "'True'"], id="true and false"),
        pytest.param(["1", "", "3", ""], ["2 missing values", "row 3"], id="missing"),
        pytest.param(["1", "2", "NaN", "4"], ["1 missing value", "row 4"], id="not a number"),
        pytest.param(["5", "5", "5", "5"], ["constant", "5 in the first row"], id="constant"),
        pytest.param(["1", "inf", "3", "4"], ["infinite", "row 3"], id="infinite"),
        pytest.param(["1", "2", "-inf", "4"], ["infinite", "row 4"], id="minus infinite"),
        pytest.param(["1", "2", "3", "1e400"], ["infinite", "row 5"], id="beyond float64"),
        pytest.param(["1", "-1e200", "3", "4"], ["1e100"], id="huge"),
    ],
)
@pytest.mark.parametrize("role", ["feature", "target"])
def test_an_unusable_column_is_named_with_what_is_wrong(column, words, role):
    lines = ["other,y" if role == "target" else "y,other"]
    lines += [f"{good},{value}" for good, value in zip(["4", "3", "1", "9"], column, strict=True)]
    target = "y"
    text = sentence("\n".join(lines).encode(), target)
    name, remedy = ("y", "another target") if role == "target" else ("other", "leave it out")
    assert_one_sentence(text, f"Column '{name}' of t.csv", remedy, *words)


def test_an_integer_too_long_for_64_bits_is_a_number():
    table = read_and_choose(b"a,y\n1,2\n123456789012345678901234567890,3\n4,5\n")
    np.testing.assert_allclose(table.X[:, 0], [1.0, 1.2345678901234568e29, 4.0], rtol=1e-12)


def test_a_short_row_is_a_missing_value_in_that_row():
    assert_one_sentence(sentence(b"a,b,y\n1,2,3\n2,4\n4,3,7\n"), "Column 'y'", "missing", "row 3")


@pytest.mark.parametrize(
    ("target", "columns", "field", "words"),
    [
        ("z", (), "target", ["no column 'z'", "a, b, y"]),
        ("", (), "target", ["No target", "a, b, y"]),
        ("y", ("a", "q"), "feature_columns", ["no column 'q'", "a, b, y"]),
        ("y", ("a", "y"), "feature_columns", ["'y' is the target"]),
        ("y", ("a", "a"), "feature_columns", ["'a' is named twice"]),
    ],
    ids=["no such target", "no target", "no such feature", "target among the features", "feature named twice"],
)
def test_a_wrong_choice_of_columns_is_refused_in_one_sentence(target, columns, field, words):
    with pytest.raises(SettingsError) as caught:
        choose(read_csv(GOOD, "t.csv"), target, columns)
    assert caught.value.field == field
    assert_one_sentence(str(caught.value), *words)


def test_more_features_than_the_limit_of_d_are_refused_and_the_limit_is_fine():
    names = [f"c{i}" for i in range(202)]
    values = np.random.default_rng(0).normal(size=(4, 202))
    content = "\n".join([",".join(names), *(",".join(map(repr, row.tolist())) for row in values)]).encode()
    sheet = read_csv(content, "t.csv")
    with pytest.raises(SettingsError, match=r"201 features.*1 to 200"):
        choose(sheet, "c0")
    assert choose(sheet, "c0", tuple(names[1:201])).X.shape == (4, 200)


def test_a_file_of_200_megabytes_is_refused_without_being_read(tmp_path, monkeypatch):
    path = tmp_path / "large.csv"
    with path.open("wb") as file:
        file.truncate(200 * 1024**2)

    def fail(*_args, **_kwargs):
        raise AssertionError("the file was opened")

    monkeypatch.setattr("pathlib.Path.open", fail)
    monkeypatch.setattr("pathlib.Path.read_bytes", fail)
    monkeypatch.setattr("builtins.open", fail)
    monkeypatch.setattr(os, "open", fail)
    with pytest.raises(SettingsError) as caught:
        read_csv(path)
    assert_one_sentence(str(caught.value).replace("large.csv", "t.csv"), "200 MiB", "at most 20 MiB")


def test_uploaded_bytes_above_the_limit_are_refused(monkeypatch):
    monkeypatch.setattr(tables, "MAX_BYTES", len(GOOD) - 1)
    with pytest.raises(SettingsError, match="at most"):
        read_csv(GOOD, "t.csv")
    monkeypatch.setattr(tables, "MAX_BYTES", len(GOOD))
    assert len(read_csv(GOOD, "t.csv").frame) == 4


@pytest.mark.parametrize("name", ["nowhere.csv", ".", "n" * 300 + ".csv"], ids=["missing", "a folder", "too long"])
def test_a_path_that_is_no_file_is_refused_in_one_sentence(name, tmp_path):
    with pytest.raises(SettingsError, match="There is no file") as caught:
        read_csv(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_device_is_refused_without_being_read(monkeypatch):
    def fail(_path):
        raise AssertionError("a device may never end")

    monkeypatch.setattr("pathlib.Path.read_bytes", fail)
    with pytest.raises(SettingsError, match="There is no file"):
        read_csv("/dev/zero", "t.csv")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(GOOD, id="commas"),
        pytest.param(GOOD.replace(b",", b";"), id="semicolons"),
        pytest.param(GOOD.replace(b",", b"\t"), id="tabs"),
        pytest.param(GOOD.replace(b",", b" , "), id="spaces round the commas"),
        pytest.param(b"\xef\xbb\xbf" + GOOD, id="BOM"),
        pytest.param(GOOD.replace(b"\n", b"\r\n"), id="Windows line ends"),
        pytest.param(GOOD.replace(b"\n", b"\n\n"), id="blank lines"),
        pytest.param(GOOD.rstrip(), id="no line end at the end"),
        pytest.param(b'"a","b","y"\n"1","2","3"\n2,4,5\n4,3,7\n5,5,1\n', id="quotes"),
        pytest.param(b"a,b,y\n1e0,.2E1,3.0\n2,4,500e-2\n4.,3,7\n5,5,1\n", id="scientific notation"),
    ],
)
def test_the_usual_ways_to_write_a_table_give_the_same_numbers(content):
    table = read_and_choose(content)
    assert table.columns == ("a", "b")
    assert table.X.dtype == table.y.dtype == np.float64
    np.testing.assert_array_equal(table.X, [[1, 2], [2, 4], [4, 3], [5, 5]])
    np.testing.assert_array_equal(table.y, [3, 5, 7, 1])


def test_column_names_may_hold_separators_accents_and_the_suffix_pandas_adds():
    sheet = read_csv('"height, cm";größe;"größe.1"\n1;-2;3\n2;-4.5;5\n4;3;-7e-3\n'.encode(), "t.csv")
    table = choose(sheet, "größe.1")
    assert table.columns == ("height, cm", "größe")
    np.testing.assert_array_equal(table.X, [[1, -2], [2, -4.5], [4, 3]])
    np.testing.assert_array_equal(table.y, [3, 5, -7e-3])


def test_features_stand_in_the_chosen_order():
    table = read_and_choose(GOOD, "a", ("y", "b"))
    np.testing.assert_array_equal(table.X, [[3, 2], [5, 4], [7, 3], [1, 5]])
    np.testing.assert_array_equal(table.y, [1, 2, 4, 5])


def test_the_numeric_columns_are_those_that_can_be_chosen():
    sheet = read_csv(b"a,name,c,gap,y\n1,x,5,1,3\n2,z,5,,4\n3,w,5,2,7\n", "t.csv")
    assert sheet.numeric == ["a", "y"]


def test_a_path_and_its_bytes_give_the_same_sheet(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(GOOD)
    by_path, by_bytes = read_csv(path), read_csv(GOOD, "t.csv")
    assert by_path.name == by_bytes.name == "t.csv"
    assert by_path.digest == by_bytes.digest
    assert by_path.frame.equals(by_bytes.frame)
    assert read_csv(GOOD.replace(b"7", b"8"), "t.csv").digest != by_path.digest


def test_the_largest_table_allowed_is_read():
    assert read_and_choose(rows(10_000), "c").X.shape == (10_000, 2)


def test_load_follows_the_settings(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(GOOD)
    assert load(Settings()) is None
    assert load(Settings(data="diabetes")).X.shape == (442, 10)
    chosen = load(Settings(data="csv", target="b", feature_columns=("y",)), path)
    assert (chosen.target, chosen.columns) == ("b", ("y",))
    with pytest.raises(SettingsError, match="needs a file"):
        load(Settings(data="csv", target="b"))


def test_diabetes_is_scikit_learns_in_original_units():
    raw = load_diabetes(scaled=False)
    table = choose(diabetes(), "target")
    assert table.columns == tuple(raw.feature_names)
    np.testing.assert_array_equal(table.X, raw.data)
    np.testing.assert_array_equal(table.y, raw.target)


def wide_table():
    generator = np.random.default_rng(3)
    X = generator.normal(size=(30, 4)) * [1e-6, 1.0, 300.0, 1e7] + [5.0, -2.0, 1e4, 1e7]
    y = X @ [2e5, -1.0, 0.01, 3e-7] + 40 + generator.normal(size=30)
    return Table("wide", "0" * 16, "y", ("p", "q", "r", "s"), X, y)


def test_packing_and_unpacking_returns_every_bit():
    table = wide_table()
    again = Table.unpack(table.name, table.digest, table.target, table.columns, table.pack())
    assert again.X.tobytes() == table.X.tobytes()
    assert again.y.tobytes() == table.y.tobytes()
    assert (again.name, again.digest, again.target, again.columns) == ("wide", "0" * 16, "y", ("p", "q", "r", "s"))
    assert again.X.flags.writeable


def test_standardised_features_have_mean_0_and_variance_1_and_the_target_mean_0():
    X, y = wide_table().standardised()
    np.testing.assert_allclose(X.sum(axis=0) / 30, 0, atol=1e-9)
    np.testing.assert_allclose((X**2).sum(axis=0) / 30, 1, rtol=1e-9)
    assert abs(y.sum() / 30) < 1e-12 * np.abs(wide_table().y).max()
    np.testing.assert_allclose(y - y[0], wide_table().y - wide_table().y[0], atol=1e-9)


def test_least_squares_on_standardised_columns_returns_to_the_original_units():
    table = wide_table()
    X, y = table.standardised()
    coefficients, intercept = table.original_units(np.linalg.lstsq(X, y, rcond=None)[0])
    with_ones = np.column_stack([table.X, np.ones(30)])
    scale = np.abs(with_ones).max(axis=0)
    expected = np.linalg.lstsq(with_ones / scale, table.y, rcond=None)[0] / scale
    np.testing.assert_allclose(coefficients, expected[:4], rtol=1e-8)
    assert intercept == pytest.approx(expected[4], rel=1e-8)


def test_only_keeps_the_chosen_rows_and_refuses_a_column_that_is_constant_on_them():
    table = read_and_choose(b"a,b,y\n1,2,3\n1,4,5\n4,3,7\n5,5,1\n")
    part = table.only(np.array([1, 3]))
    np.testing.assert_array_equal(part.X, [[1, 4], [5, 5]])
    np.testing.assert_array_equal(part.y, [5, 1])
    with pytest.raises(SettingsError, match="'a' is constant on 2 of the rows"):
        table.only(np.array([0, 1]))
