"""Files: all are written or none, and an array is checked before memory is allocated for it."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from looped.files import NOT_AN_ARRAY, finite, in_one_move, npz, read_npy, write

ROOT = Path(__file__).parents[1]


def test_an_error_on_the_way_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    path = tmp_path / "kept"
    path.write_text("old")

    def interrupted():
        with in_one_move(path) as part:
            part.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("kept", "old")]


KILLED = """
import os, signal, sys
from pathlib import Path
from looped.files import in_one_move

with in_one_move(Path(sys.argv[1])) as part:
    part.write_text("half")
    print(flush=True)
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_had_written_goes_when_the_file_is_written_again(tmp_path):
    path = tmp_path / "a [1].pt"
    piped = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", KILLED, path], cwd=ROOT, **piped) as process:
        process.stdout.readline()
        (left,) = tmp_path.iterdir()
        write({path.name: b"whole"}, tmp_path)
        assert left.read_text() == "half"  # it may still end
        process.stdin.close()
        process.wait()
    assert sorted(tmp_path.iterdir()) == sorted([left, path])
    write({"another": b"", path.name: b"new"}, tmp_path)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {"another": b"", path.name: b"new"}


def test_where_one_of_several_files_cannot_be_written_none_is_replaced(tmp_path):
    (tmp_path / "one").write_text("old")
    with pytest.raises(OSError, match="no-such-folder"):
        write({"one": b"new", "no-such-folder/two": b"new"}, tmp_path)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("one", "old")]
    assert write({"one": b"new", "two": b"new"}, tmp_path) == [tmp_path / "one", tmp_path / "two"]
    assert {file.read_bytes() for file in tmp_path.iterdir()} == {b"new"}


def test_an_array_that_is_not_wanted_is_refused_by_its_header_alone():
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"shape": (10**7, 10**7), "fortran_order": False, "descr": "<f8"})

    def check(shape, dtype):
        assert dtype == np.float64
        raise ValueError(f"{shape} is too large")

    with pytest.raises(ValueError, match=r"\(10000000, 10000000\) is too large"):
        read_npy(io.BytesIO(header.getvalue()), check)


@pytest.mark.parametrize("content", [b"", b"text", b"\x93NUMPY\x01\x00", b"\x93NUMPY\x03\x00\x02\x00{}"])
def test_what_is_no_array_raises_one_of_the_named_errors(content):
    with pytest.raises(NOT_AN_ARRAY):
        read_npy(io.BytesIO(content), lambda *_: None)


def test_the_same_arrays_and_comment_give_the_same_bytes():
    arrays = {"a": np.arange(3.0), "b": np.eye(2)}
    assert npz(arrays, "ψ") == npz(arrays, "ψ") != npz(arrays, "φ")


def test_json_holds_no_infinity():
    assert [finite(value) for value in (float("nan"), float("inf"), -float("inf"), np.float64(1.5))] == [
        None, None, None, 1.5
    ]  # fmt: skip
