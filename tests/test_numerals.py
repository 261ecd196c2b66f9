"""From cells to numbers: what is one, what is missing, and which decimal mark is meant; and a number with its error."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from looped.dialects import Dialect
from looped.numerals import MISSING, with_error
from looped.tables import choose, read_csv
from tests.csv_files import GOOD, refusal


@pytest.mark.parametrize("cell", [
    "2023_01", "1_000", "١٢", "１２", "0x1F", "1e", "1.2.3", "--1", "1 2", "1\u202f000", "−3", "True", "12%", "€5",
    "$3.50", "1,234", "1.234,5", "2024-01-02", "n/m", "<5", "1e5m", "5'", "1d5", "infinite", "1/2",
])  # fmt: skip
def test_text_that_is_no_number_is_named_with_its_cell(cell):
    text = "a;b;y\n1.5;2.25;3\n" + f"{cell};1.25;4\n" + "4.5;2.5;9\n5.5;0.25;6\n"
    message = refusal(text)
    assert "Column 'a'" in message
    assert f"'{cell}' in row 3" in message


@pytest.mark.parametrize("cell", sorted({*MISSING, "NA", "N/A", "NaN", "NULL", "None"} - {""}))
def test_a_word_for_a_missing_value_is_named_as_one(cell):
    message = refusal(GOOD.replace("4.5", cell))
    assert "Column 'a' of t.csv has 1 missing value, the first in row 4" in message
    assert f"('{cell}')" in message


def test_a_thousand_or_a_decimal_comma_is_not_guessed():
    text = "a;y\n1,250;3\n2,125;4\n3,375;9\n"
    message = refusal(text)
    assert "'1,250' in row 2" in message
    assert "decimal = comma" in message
    table = choose(read_csv(text.encode(), "t.csv", Dialect(decimal="comma")), "y")
    np.testing.assert_array_equal(table.X[:, 0], [1.25, 2.125, 3.375])
    assert "'1,250' in row 2" in refusal(text, decimal="point")


def test_with_a_decimal_comma_a_point_is_no_decimal_mark():
    message = refusal("a;b;y\n1,5;1.234;3\n2,5;2.345;4\n3,25;3.456;9\n")
    assert "Column 'b'" in message
    assert "'1.234' in row 2" in message


@pytest.mark.parametrize(("value", "error", "told"), [
    (1.1538, 0.00594, "1.154 ± 0.006"), (0.017, 0.00096, "0.017 ± 0.001"), (1.1e-5, 3e-6, "1.1e-05 ± 3e-06"),
    (123.4, 17.0, "120 ± 20"), (5.0, 20.0, "0 ± 20"), (2e5, 3e3, "2.00e+05 ± 3e+03"), (9.99, 0.0996, "10.0 ± 0.1"),
])  # fmt: skip
def test_a_number_has_as_many_decimals_as_its_error(value, error, told):
    assert " ± ".join(with_error(value, error)) == told


@given(st.floats(1e-8, 1e8), st.floats(1e-6, 1.0))
def test_a_number_as_written_lies_within_its_error_and_a_unit_of_its_last_digit(value, share):
    error = value * share
    written, spread = map(float, with_error(value, error))
    assert abs(written - value) <= 0.51 * 10 ** math.floor(math.log10(spread) + 1e-9)
    assert spread == pytest.approx(error, rel=0.5)
