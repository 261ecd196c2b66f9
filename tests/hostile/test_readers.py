"""Everything that reads bytes or text from outside, given what is meant to break it: a result or one sentence."""

import contextlib
import io
import json
import pickle
import tracemalloc
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from looped import Settings, SettingsError, cli
from looped.dialects import Dialect
from looped.experiments import EXPERIMENTS
from looped.experiments.train.settings import TrainSettings
from looped.experiments.train.weights_file import LARGEST_WEIGHT, MOST_ARRAY_BYTES, weights_from
from looped.settings import CheckedSettings
from looped.shared_signal.tasks import LARGEST, read_covariance
from looped.sweeps.grid import MOST_RUNS, count, read_axes
from looped.tables import MAX_BYTES, MAX_COLUMNS, MAX_ROWS, MIN_ROWS, SIZES, Table, choose, read_csv
from tests.thorough import thorough_but

pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")
LONGEST = 1000
"""Characters of the longest sentence: what is from outside is cut off in it."""
MOST_MEMORY = 64 * 1024**2
"""Bytes that a small file or text may take while it is read."""
CLASSES: list[type[CheckedSettings]] = [experiment.load("settings") for experiment in EXPERIMENTS.values()]
FIRED: list[str] = []
"""What pickles did: nothing, as none is loaded."""


def fire() -> None:
    """What the pickles here call when they are loaded."""
    FIRED.append("a pickle was loaded")


class Bomb:
    """An object whose pickle calls `fire`."""

    def __reduce__(self) -> tuple[Callable[[], None], tuple[()]]:
        return fire, ()


NUMBERS = [
    "0", "-0", "1", "3", "-1", "2.5", "7,5", "1,000", "1e3", "1e308", "1e400", "-1e400", "5e-324", "nan", "-NaN", "inf",
    "-Infinity", "0x10", "1_000", "١٢", "１", "1e", ".", "+", "9" * 30, "9" * 5000, "1" + "0" * 400,
]  # fmt: skip
WORDS = [
    "", " ", "\0", "\r\n", "a\nb", "\x1b[2J", "\u2028", "\x85", "\ufeff", "\u202e", "\ud800", "é", "true", "None",
    "null", "auto", "optimal", "gd", "csv", "y", "x" * 300, "=1+1", "+1", "-1", "@SUM(A1)", "<script>alert(1)</script>",
    "'", '"', '"""', "\\", "{", "[", "]", "$x$", "../../etc/passwd", "/dev/null", "/", "%s", "{0}", "--", "-", "#",
    "sep=;", '"' * 7, ",", ";", "|", ":", "=", "a,b", "1:2", "1:2:3", "1:1e300:1e-300", "0:999999", "2,3|4",
]  # fmt: skip
LETTERS = st.characters(codec=None)
TEXT = st.sampled_from(NUMBERS) | st.sampled_from(WORDS) | st.text(LETTERS, max_size=12)
NUMBER = st.integers() | st.floats() | st.sampled_from([10**400, -(10**4000), 2**63, 0, True])
PLAIN = st.none() | st.booleans() | NUMBER | TEXT
ANYTHING = st.recursive(PLAIN, lambda part: st.lists(part, max_size=3) | st.dictionaries(TEXT, part, max_size=3))
KINDS = st.sampled_from(CLASSES)


def deep(open_: str, close: str, times: int) -> str:
    """Text in brackets in brackets."""
    return open_ * times + close * times


def damaged(content: bytes, places: list[tuple[float, int]], keep: float) -> bytes:
    """The bytes with some of them changed, and the end left out."""
    found = bytearray(content)
    for place, value in places if found else ():
        found[int(place * (len(found) - 1))] = value
    return bytes(found[: round(keep * len(found))])


def hurt(contents: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Bytes as they are, or damaged."""
    places = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=4)
    return contents | st.builds(damaged, contents, places, st.just(1.0) | st.floats(0, 1))


# Links and JSON


def a_query(kind: type[CheckedSettings]) -> st.SearchStrategy[Any]:
    keys = st.sampled_from([field.key for field in kind.table.values()]) | TEXT
    return st.tuples(st.just(kind), st.dictionaries(keys, TEXT | ANYTHING, max_size=6))


def judge_query(case: tuple[type[CheckedSettings], dict[str, Any]]) -> None:
    kind, query = case
    found, notes = kind.from_query(query)  # nothing is refused
    assert isinstance(found, kind)
    assert found == kind.from_query(found.to_query())[0]
    assert set(notes) <= set(query)
    for key, note in notes.items():
        assert note.startswith(f"{key}")
        assert_sentence(note)


def a_json(kind: type[CheckedSettings]) -> st.SearchStrategy[Any]:
    names = st.sampled_from([*kind.table, *(name for field in kind.table.values() for name in field.former)]) | TEXT
    objects = st.dictionaries(names, ANYTHING, max_size=5)
    written = (objects | ANYTHING).map(lambda value: written_json(value))
    cut = st.builds(lambda text, keep: text[: round(keep * len(text))], written, st.floats(0, 1))
    return st.tuples(st.just(kind), written | cut | TEXT)


def written_json(value: Any) -> str:
    try:
        return json.dumps(value)
    except ValueError:  # an integer of more than 4300 digits
        return '{"loops": ' + "9" * 5000 + "}"


def judge_json(case: tuple[type[CheckedSettings], str]) -> None:
    kind, text = case
    found = kind.from_json(text)
    assert kind.from_json(found.to_json()) == found


# Tables

CELLS = (
    st.integers(-99, 99).map(str)
    | st.floats(-1e3, 1e3).map(repr)
    | TEXT
    | st.sampled_from(["1,5", "1.5", "NA", "#N/A"])
)
SEPARATORS = st.sampled_from([",", ";", "\t", "|", " ", "  ", ":", '"', "\x0b"])
ENDS = st.sampled_from(["\n", "\r\n", "\r", "\n\n", "\n\r", "\x85"])
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "gb18030", "shift_jis", "utf-32"]
ABOVE = st.sampled_from(
    ["", "sep=;\n", 'sep="\n', '"sep=\t"\n', "# a comment\n", "a title\n\n", "\ufeff", "#a,b\n", "\x1a"]
)


@st.composite
def a_csv(draw: st.DrawFn) -> bytes:
    """A table that is more or less regular, as bytes of some encoding."""
    separator, width = draw(SEPARATORS), draw(st.integers(1, 4))
    names = draw(st.lists(TEXT | st.sampled_from("abyz"), min_size=width, max_size=width))
    good = st.lists(st.integers(-9, 9).map(str), min_size=width, max_size=width)
    rows = draw(
        st.lists(good | st.lists(CELLS, min_size=width, max_size=width) | st.lists(CELLS, max_size=5), max_size=6)
    )
    rows += draw(st.lists(good, max_size=5))
    layout = draw(st.sampled_from(["plain", "plain", "names in a comment", "names of rows", "a column of words"]))
    if layout in ("names of rows", "a column of words"):
        rows = [[f"r{k}", *row] for k, row in enumerate(rows)]
        names = ["id", *names] if layout == "a column of words" else names
    quoted = draw(st.booleans())
    text = draw(ABOVE) + "# " * (layout == "names in a comment")
    ends = draw(ENDS.map(st.just) | st.just(ENDS))
    for row in [names, *rows]:
        cells = ['"' + cell.replace('"', '""') + '"' for cell in row] if quoted else row
        text += separator.join(cells) + draw(ends)
    return text.encode(draw(st.sampled_from(ENCODINGS)), draw(st.sampled_from(["replace", "ignore"])))


def told(field: Any) -> st.SearchStrategy[str]:
    return st.just("auto") | st.sampled_from(field.ids)


DIALECTS = st.just(Dialect()) | st.builds(Dialect, **{name: told(field) for name, field in Dialect.table.items()})
TABLES = st.tuples(
    hurt(a_csv()) | st.binary(max_size=60) | TEXT.map(lambda text: text.encode("utf-8", "surrogatepass")),
    TEXT, DIALECTS, TEXT | st.sampled_from("abyz") | st.integers(0, 3), st.lists(TEXT | st.integers(0, 3), max_size=2),
)  # fmt: skip
"""Bytes, the name of the file, its layout, and target and features by name or place."""


def judge_table(case: tuple[bytes, str, Dialect, str | int, list[str | int]]) -> None:
    content, name, dialect, *asked = case
    sheet = read_csv(content, name, dialect)
    columns = list(sheet.frame.columns)
    assert MIN_ROWS <= len(sheet.frame) <= MAX_ROWS
    assert 2 <= len(columns) <= MAX_COLUMNS
    assert len(sheet.reading) < LONGEST
    target, features = asked
    named = [columns[place % len(columns)] if isinstance(place, int) else place for place in (target, *features)]
    table = choose(sheet, named[0], tuple(named[1:]))
    assert isinstance(table, Table)
    assert table.X.shape == (len(sheet.frame), len(table.columns))
    assert np.isfinite(table.X).all()
    assert np.isfinite(table.y).all()
    assert np.abs(table.X).max() <= SIZES[1]


# Arrays


def npy(array: Any) -> bytes:
    out = io.BytesIO()
    np.save(out, array, allow_pickle=True)
    return out.getvalue()


def with_header(text: str, data: bytes = bytes(72), version: bytes = b"\x01\x00", size: int | None = None) -> bytes:
    """An .npy file whose header says what it likes."""
    header = text.encode("latin-1", "replace")
    length = (len(header) if size is None else size) & (0xFFFF if version == b"\x01\x00" else 0xFFFFFFFF)
    return b"\x93NUMPY" + version + length.to_bytes(2 if version == b"\x01\x00" else 4, "little") + header + data


def says(descr: str, shape: str, order: str = "False") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n"


LONG = "1" + "0" * 30
SHAPES = [
    "()", "(3,)", "(3, 3)", "(3, 3, 3)", "(2, 2)", "(-1, -1)", "(-3, 3)", "(True, True)", "(3.0, 3)", "(3L, 3L)",
    f"({LONG}, 0)", f"(0, {LONG})", f"({LONG}, {LONG})", "(100000, 100000)", "(1" + ", 1" * 70 + ")", "3", "'3'",
    "None", "(0, 0)", "(32768, 2, 2)",
]  # fmt: skip
TYPES = [
    "'<f8'", "'>f8'", "'<f4'", "'<f2'", "'<f16'", "'<i8'", "'<u1'", "'<c16'", "'|b1'", "'|O'", "'<U0'", "'|S0'",
    "'|V0'", "'<U9'", "'<M8[as]'", "'|a8'", "('<f8', (9999, 9999))", "[('P', '<f8')]", "[('P', '|O')]", "'\\d'", "''",
    "None", "'<f8, <f8'", "'<U99999999'",
]  # fmt: skip
ODD = ["-" * 9000 + "1", "(" * 9000, "1is 2", "1" + "+1" * 4900, "a" + ".a" * 4000, "{", "", "\0", "'" * 3, " " * 9000,
       "9" * 5000, "__import__('os').abort()"]  # fmt: skip
VALUES = st.sampled_from([0.0, 1.0, -1.0, 1e-300, 1e300, np.nan, np.inf, -np.inf, 0.5, 1e13])
SIZED = st.lists(VALUES, min_size=9, max_size=9).map(lambda numbers: np.array(numbers).reshape(3, 3))
GOOD = st.sampled_from([np.eye(3), np.eye(2), np.eye(3, dtype=np.float32), np.eye(3, dtype=int), np.ones((2, 3, 3))])
LYING = st.builds(says, st.sampled_from(TYPES), st.sampled_from(SHAPES), st.sampled_from(["False", "True", "2"]))
VERSIONS = st.sampled_from([b"\x01\x00", b"\x02\x00", b"\x03\x00", b"\x09\x09"])
ARRAYS = hurt(
    (GOOD | SIZED).map(npy)
    | LYING.map(with_header)
    | st.builds(with_header, st.sampled_from(ODD), version=VERSIONS, size=st.none() | st.integers(0, 2**32 - 1))
    | st.just(npy(np.array([[Bomb(), Bomb()]] * 2, dtype=object)))
    | st.just(pickle.dumps(Bomb()))
    | st.binary(max_size=40)
)
KEEPS = npy(np.eye(3))
SAID = (
    a_json(TrainSettings).map(lambda case: case[1])
    | st.just(TrainSettings(loops=3).to_json())
    | st.sampled_from([deep("[", "]", 5000), '{"' + "a" * 9000 + '": 1}'])
)


def zipped(members: dict[str, bytes], method: int, comment: bytes = b"") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
        archive.comment = comment
    return out.getvalue()


METHODS = st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
MEMBERS = st.fixed_dictionaries(
    {"P": st.just(KEEPS) | ARRAYS, "Q": st.just(KEEPS) | ARRAYS},
    optional={"settings": SAID.map(lambda text: npy(np.array(text))) | ARRAYS, "history.loss": ARRAYS},
)
WEIGHTS = st.tuples(hurt(st.builds(zipped, MEMBERS, METHODS)) | st.binary(max_size=60) | ARRAYS, TEXT)


def judge_weights(case: tuple[bytes, str]) -> None:
    found = weights_from(*case, TrainSettings())
    d = found.settings.features
    assert found.P.shape == found.Q.shape
    assert found.P.shape[1:] == (d + 1, d + 1)
    assert found.P.nbytes <= 8 * MOST_ARRAY_BYTES
    assert max(np.abs(found.P).max(), np.abs(found.Q).max()) <= LARGEST_WEIGHT


COVARIANCES = st.tuples(ARRAYS, TEXT, st.sampled_from(["H", "Psi"]), st.sampled_from([1, 2, 3]))


def judge_covariance(case: tuple[bytes, str, str, int]) -> None:
    content, shown, name, d = case
    found = read_covariance(io.BytesIO(content), shown, name, d).numpy()
    assert found.shape == (d, d)
    assert np.abs(found).max() <= LARGEST
    assert (found == found.T).all()


# Grids and command lines


def a_grid(kind: type[CheckedSettings]) -> st.SearchStrategy[Any]:
    names = st.sampled_from([field.key for field in kind.table.values()]) | TEXT
    ranges = st.builds("{}:{}:{}".format, TEXT, TEXT, TEXT)
    values = st.lists(TEXT | ranges | st.sampled_from(["0:2", "1:9:2"]), max_size=3).map(",".join)
    axes = st.lists(st.builds("{}{}{}".format, names, st.sampled_from("= :"), values), max_size=3)
    return st.tuples(st.just(kind), axes.map(";".join) | TEXT)


def judge_grid(case: tuple[type[CheckedSettings], str]) -> None:
    kind, text = case
    axes = read_axes(text, kind)
    names = [name for axis in axes for name in axis.names]
    assert len(names) == len(set(names))
    assert set(names) <= set(kind.table)
    assert all(1 <= len(axis.values) <= MOST_RUNS for axis in axes)
    assert 1 <= count(axes) <= MOST_RUNS


FLAGS = sorted(
    {field.flag for kind in [*CLASSES, Dialect] for field in kind.table.values()}
    | {"--H", "--Psi", "--weights-from", "--resume", "--grid", "--together", "--runs", "--keep", "--help", "--version",
       "--mlp", "--no-mlp", "--no-untied", "-h", "--d", "--no-such"}
)  # fmt: skip
COMMANDS = [[name] for name in EXPERIMENTS] + [["sweep", name] for name in EXPERIMENTS] + [["sweep"], [], ["no-such"]]
TOKENS = st.sampled_from(FLAGS) | TEXT.filter(lambda text: "\0" not in text)
LINES = st.builds(
    lambda command, tokens, glued: [*command, *tokens, *map("=".join, glued), "--seed", "-1"],
    st.sampled_from(COMMANDS), st.lists(TOKENS, max_size=6),
    st.lists(st.tuples(st.sampled_from(FLAGS), TEXT), max_size=3),
)  # fmt: skip
"""Command lines that are refused, or ask for help: there is no seed −1, and no folder for a sweep."""


def judge_line(arguments: list[str]) -> None:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    said = err.getvalue()
    assert said.isascii() or said.encode("utf-8", "backslashreplace")
    if caught.value.code == 0:  # --help or --version
        assert out.getvalue()
        return
    assert caught.value.code == 2
    assert out.getvalue() == ""
    lines = said.splitlines()
    assert said.count("\n") == len(lines)
    assert all(line.startswith("looped: ") for line in lines[:-1])
    assert ": error: " in lines[-1]
    raise SettingsError("", lines[-1] if lines[-1].endswith(".") else f"{lines[-1]}.")


def assert_sentence(text: str) -> None:
    assert len(text.splitlines()) == 1, text
    assert text.endswith("."), text
    assert len(text) <= LONGEST, text
    assert text.isprintable() or not any(ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in text), text


@dataclass(frozen=True)
class Reader:
    """One place where something from outside is read."""

    cases: st.SearchStrategy[Any]
    judge: Callable[[Any], None]
    """Reads a case and checks the result; raises `SettingsError` where it is refused."""
    share: float
    """Its part of all cases."""
    known: tuple[Any, ...] = ()
    """Cases that once ended in something else than a result or one sentence."""
    few: int = 7


def refused_or_fine(judge: Callable[[Any], None], case: Any) -> None:
    refused = None
    try:
        judge(case)
    except SettingsError as error:
        refused = error
    if refused is not None:
        assert isinstance(refused.field, str)
        assert_sentence(str(refused))
    assert FIRED == []


READERS = {
    "a link": Reader(
        KINDS.flatmap(a_query), judge_query, 0.25,
        known=((Settings, {"T": 10**400}), (Settings, {"T": "a\nb"}), (Settings, {"target": [[1]], "columns": [[1]]})),
    ),
    "settings as JSON": Reader(
        KINDS.flatmap(a_json), judge_json, 0.15,
        known=(
            (Settings, deep("[", "]", 100_000)),
            (Settings, '{"feature_columns": ' + deep("[", "]", 990) + "}"),
            (Settings, '{"target": null}'),
            (Settings, '[["loops", 3]]'),
            (Settings, '{"' + "a" * 10**6 + '": 1}'),
            (Settings, '{"loops": "a\\nb"}'),
        ),
    ),
    "a table": Reader(
        TABLES, judge_table, 0.2,
        known=(
            (b"0," + b"9" * 5000 + b"\n1,2\n2,3\n3,5\n", "t", Dialect(), "y", []),
            (b'sep="\na"b\n1"2\n3"4\n5"7\n', "", Dialect(), "b", []),
            (b"a,y\n" + b"1" * 9000 + b",2\n2,4\n3,7\n", "t", Dialect(header="no"), "column 2", []),
            ("é".encode() * 9000 + b",y\n1,2\nx,3\n3,5\n", "t" * 5000, Dialect(), "y", []),
            (b"a,y\n1,2\n\"x\xc2\x85y\",4\n3,7\n", "t\n", Dialect(), "y", []),
        ),
    ),
    "weights": Reader(
        WEIGHTS, judge_weights, 0.15,
        known=(
            (zipped({"P": with_header(says("'<f8'", f"({LONG}, 0)")), "Q": KEEPS}, zipfile.ZIP_STORED), "w"),
            (zipped({"P": with_header(says("'<f8'", "(2L, 2L)")), "Q": KEEPS}, zipfile.ZIP_STORED), "w"),
            (zipped({"P": KEEPS, "Q": KEEPS, "settings": npy(np.array('{"' + "a" * 10**5 + '\\n": 3}'))}, 0), "w"),
            (b"", "w" * 5000),
            (zipped({"P": KEEPS, "Q": KEEPS}, zipfile.ZIP_LZMA)[:60] + b"\xff" * 400, "w"),
        ),
    ),
    "a covariance": Reader(
        COVARIANCES, judge_covariance, 0.1,
        known=(
            (with_header("-" * 9000 + "1"), "H.npy", "H", 2),
            (with_header(says("'\\d'", "(2, 2)")), "9" * 5000, "H", 2),
        ),
    ),
    "a grid": Reader(
        KINDS.flatmap(a_grid), judge_grid, 0.1,
        known=(
            (Settings, "kappa=0:1e300:1e-300"),
            (Settings, "x" * 5000),
            (Settings, "T=" + ",".join(["0:999999"] * 9)),
        ),
    ),
    "a command line": Reader(
        LINES, judge_line, 0.05,
        known=(["sweep", "compare", "--grid", "kappa=0:1e300:1e-300", "--out", "/dev/null"], ["compare", "9" * 5000]),
    ),
}  # fmt: skip


def run(reader: Reader, number: int) -> None:
    """The known cases, and so many that are drawn."""

    @settings(max_examples=number, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(reader.cases)
    def held(case: Any) -> None:
        refused_or_fine(reader.judge, case)

    for case in reader.known:
        held = example(case)(held)
    held()


@pytest.mark.parametrize("name", READERS)
def test_what_is_read_from_outside_gives_a_result_or_one_sentence(name: str) -> None:
    run(READERS[name], READERS[name].few)


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_twenty_thousand_cases_give_a_result_or_one_sentence(name: str) -> None:
    run(READERS[name], round(20_000 * READERS[name].share))


LARGE = {
    "a zip bomb": (
        weights_from, zipped({"P": npy(np.zeros(2**24)), "Q": KEEPS}, zipfile.ZIP_DEFLATED), "w", TrainSettings(),
    ),
    "a member that is longer than its header": (
        weights_from, zipped({"P": KEEPS + bytes(2**27), "Q": KEEPS}, zipfile.ZIP_DEFLATED), "w", TrainSettings(),
    ),
    "a shape that lies": (read_covariance, io.BytesIO(with_header(says("'<f8'", "(9999, 9999)"))), "h", "H", 3),
}  # fmt: skip


@pytest.mark.parametrize("name", LARGE)
def test_a_small_input_takes_little_memory(name: str) -> None:
    read, *arguments = LARGE[name]
    tracemalloc.start()
    try:
        with contextlib.suppress(SettingsError):
            read(*arguments)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < MOST_MEMORY


FULL = MAX_BYTES // 2
NOTHING_ELSE = {
    "commas": b"," * FULL,
    "quotes": b'"' * FULL,
    "quoted separators": b'";"' * (FULL // 3),
    "lines of separators": b";;;\n" * (FULL // 4),
    "comments": b"#,\n" * (FULL // 3),
    "spaces": b" \t" * (FULL // 2),
    "a good table above": b"a,y\n1,2\n2,4\n3,7\n" + b"," * (FULL - 20),
}
"""Tables of ten mebibytes that are made of separators."""


@pytest.mark.parametrize("name", thorough_but(lambda name: name == "commas", NOTHING_ELSE))
def test_a_large_file_of_separators_is_refused_before_cells_are_made_of_it(name: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(SettingsError) as caught:
            read_csv(NOTHING_ELSE[name], "t.csv")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert_sentence(str(caught.value))
    assert "t.csv" in str(caught.value)
    assert peak < 6 * FULL


EMPTY = {
    "no entry": zipped({}, zipfile.ZIP_STORED),
    "empty entries": zipped({"P": b"", "Q": b"", "settings": b""}, zipfile.ZIP_DEFLATED),
    "many empty entries": zipped({str(k): b"" for k in range(20_000)}, zipfile.ZIP_STORED),
    "arrays without a number": zipped({"P": npy(np.zeros((0, 3, 3))), "Q": npy(np.zeros((0, 3, 3)))}, 0),
}  # fmt: skip


@pytest.mark.parametrize("name", EMPTY)
def test_an_archive_of_empty_entries_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=r"holds (no arrays P and Q|P)") as caught:
        weights_from(EMPTY[name], "w.npz", TrainSettings())
    assert_sentence(str(caught.value))


@pytest.mark.parametrize("grid", ["n=1_000", "n=10,1_000", "n=1:1_000:9", "n=١٢", "n=١٢:٢٠", "kappa=1_0.5"])
def test_a_grid_reads_no_number_that_only_python_knows(grid: str) -> None:
    with pytest.raises(SettingsError, match=r"is not a (number|range)"):
        read_axes(grid, Settings)
