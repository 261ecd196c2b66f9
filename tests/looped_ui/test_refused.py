"""The log of refused values: one line each, with the field and no more of the value than its first letters."""

import io
import json
import logging

import numpy as np
import pytest

from tests.app import open_page, press, run, upload


@pytest.fixture(name="lines")
def fixture_lines(caplog):
    """What was logged of refused values so far."""
    caplog.set_level(logging.WARNING, "looped")

    def found():
        return [json.loads(record.message) for record in caplog.records if record.name == "looped"]

    return found


def refused(source, field, value):
    return {"event": "refused", "source": source, "field": field, "value": value}


def test_each_value_of_a_link_that_is_replaced_is_one_line(lines):
    at = open_page(T="0", n="10", kappa="x" * 500, nothing="private", tolerance="2")
    said = lines()
    assert sorted(said, key=lambda line: line["field"]) == [
        refused("link", "T", "0"),
        refused("link", "kappa", "x" * 17 + "…"),
        refused("link", "nothing", "private"),
        refused("link", "tolerance", "2"),
    ]
    run(at)
    assert lines() == said


def test_a_good_link_is_no_line(lines):
    open_page(T="12", lesson="one-step")
    assert lines() == []


def test_a_line_break_in_a_value_makes_no_second_line(lines, caplog):
    open_page(**{"T": "1\n2", "a\nb": "c\u2028d"})
    assert len(lines()) == 2
    assert not any("\n" in record.message for record in caplog.records if record.name == "looped")


def test_a_file_that_is_refused_is_one_line_without_its_name_or_content(lines):
    at = open_page(data="csv")
    upload(at, "secret.csv", b"secret,words\na,b\nc,d\ne,f\n")
    run(at)
    assert lines() == [refused("upload", "data", "25 bytes")]


def test_a_matrix_and_weights_that_are_refused_are_one_line_each(lines):
    content = io.BytesIO()
    np.save(content, np.ones((3, 2)))
    upload(open_page("signal"), "H.npy", content.getvalue(), "application/octet-stream", key="upload_H")
    at = upload(open_page("train"), "weights.npz", b"nothing", "application/octet-stream")
    press(at, "Evaluate this file")
    assert lines() == [
        refused("upload", "H", f"{len(content.getvalue())} bytes"), refused("upload", "weights_from", "7 bytes"),
    ]  # fmt: skip
