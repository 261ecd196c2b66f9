"""Real data: a table of numbers from scikit-learn or a CSV file, checked, with target and features chosen."""

import base64
import errno
import hashlib
import math
import zlib
from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from looped import dialects, numerals
from looped.csv_cells import refuse
from looped.dialects import Dialect
from looped.fields import SettingsError, brief
from looped.files import read_regular
from looped.settings import FIELDS, Settings

if TYPE_CHECKING:
    import pandas as pd  # 1 s, as scikit-learn: imported where there is a table

MAX_BYTES = 20 * 1024**2
"""Largest CSV file: 20 MiB, read in about a second."""
MAX_ROWS = 10_000
"""Most rows of a table: every one of the run's matrices has n rows."""
MAX_COLUMNS = 1_000
"""Most columns of a file; at most d's limit of them can be features."""
MIN_ROWS = 3
"""Fewest rows: two points leave nothing to hold out."""
SIZES = (1e-100, 1e100)
"""Limits of the largest absolute value of a column; squares of values beyond them overflow or vanish."""


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A table as read: every column, numeric or not, before target and features are chosen."""

    name: str
    """Its name for people: the file or data set that it came from."""
    frame: "pd.DataFrame"
    """Rows by columns; float64 where every cell is a number, else text."""
    digest: str
    """SHA-256 of the file, first 16 hex digits: links and results name the data by it."""
    lines: tuple[int, ...]
    """The line of the file on which each row begins, from 1."""
    reading: str = ""
    """The layout that was guessed or given, and the parts left out, in one line."""
    decimal: str = "."
    """The decimal mark."""

    @cached_property
    def troubles(self) -> dict[str, str]:
        """The reason why a column cannot be used, by its name, in words that follow it; usable columns are missing."""
        found = ((name, self._trouble(self.frame[name])) for name in self.frame.columns)
        return {name: trouble for name, trouble in found if trouble}

    @property
    def numeric(self) -> list[str]:
        """Columns that hold only numbers, at least two different ones."""
        return [name for name in self.frame.columns if name not in self.troubles]

    def _trouble(self, column: "pd.Series") -> str:
        import pandas as pd

        if not pd.api.types.is_numeric_dtype(column):
            return self._trouble_with_text(list(column))
        values = column.to_numpy(dtype=np.float64)
        if not np.isfinite(values).all():
            return f"holds an infinite value in row {self.lines[int((~np.isfinite(values)).argmax())]}"
        largest = np.abs(values).max()
        if is_constant(values):
            return f"is constant, or nearly so ({values[0]:g} in the first row)"
        if largest > SIZES[1]:
            return f"holds a value of size {largest:.3g}, above the limit of 1e100"
        if largest < SIZES[0]:
            return f"is too small: its largest size, {largest:.3g}, is below the limit of 1e-100"
        return ""

    def _trouble_with_text(self, cells: list[str]) -> str:
        missing = [row for row, cell in enumerate(cells) if numerals.is_missing(cell)]
        absent = set(missing)
        for row, cell in enumerate(cells):
            if row in absent or numerals.is_number(cell, self.decimal):
                continue
            shown = f"'{cell[:20].replace(chr(10), ' ')}' in row {self.lines[row]}"
            if self.decimal == "." and numerals.may_be_grouped(cell):
                return f"holds {shown}, which may be a thousand or a decimal comma (then choose decimal = comma)"
            return f"holds text ({shown})"
        shown = f" ('{cells[missing[0]]}')" if cells[missing[0]] else ""
        values = f"{len(missing)} missing value{'s' * (len(missing) > 1)}"
        return f"has {values}, the first in row {self.lines[missing[0]]}{shown}"


def is_constant(values: np.ndarray) -> bool:
    """True where values (n,) differ by no more than the rounding of decimal numbers."""
    largest = np.abs(values).max()
    return not largest > 0 or not (values / largest).std() > 1e-13


@dataclass(frozen=True)
class Table:
    """Features and target in their original units.

    `X` (n, d) and `y` (n,) are finite float64; no column is constant.
    """

    name: str
    digest: str
    target: str
    columns: tuple[str, ...]
    X: np.ndarray
    y: np.ndarray
    reading: str = ""
    """The layout of the file as it was read, in one line."""

    @cached_property
    def mean(self) -> np.ndarray:
        """Column means (d,)."""
        return self.X[0] + (self.X - self.X[0]).mean(axis=0)

    @cached_property
    def scale(self) -> np.ndarray:
        """Column standard deviations (d,), with n in the denominator as in scikit-learn's `StandardScaler`."""
        return np.sqrt((self._centred(self.X) ** 2).mean(axis=0))

    @cached_property
    def rounding(self) -> float:
        """The error of a singular value of the standardised features that rounding the decimals in the file can make.

        A value x is rounded by up to eps·|x|, which becomes eps·|x|/scale: much where the mean is large beside the
        spread, as with years. Smaller singular values are rounding.
        """
        largest = np.abs(self.X).max(axis=0) / self.scale
        return float(np.finfo(np.float64).eps * np.linalg.norm(largest) * math.sqrt(self.rows))

    @property
    def rows(self) -> int:
        """n."""
        return len(self.y)

    def standardised(self) -> tuple[np.ndarray, np.ndarray]:
        """Features with mean 0 and variance 1, and the centred target: centring stands in for an intercept."""
        return self.standardise(self.X), self._centred_target

    def standardise(self, X: np.ndarray) -> np.ndarray:
        """Rows (m, d) in original units, less this table's mean and divided by its scale."""
        return self._centred(X) / self.scale

    def predict(self, X: np.ndarray, w: np.ndarray) -> np.ndarray:
        """ŷ (m,) for rows `X` (m, d) in original units, from weights `w` (d,) for the standardised columns."""
        return self.standardise(X) @ w + (self.y - self._centred_target)[0]

    def original_units(self, w: np.ndarray) -> tuple[np.ndarray, float]:
        """Coefficients (d,) and intercept for the raw columns, from weights `w` (d,) for the standardised ones."""
        coefficients = w / self.scale
        middle = self.y[0] - self._centred_target[0]
        return coefficients, math.fsum([middle, *(-coefficients * self.mean)])

    def _centred(self, X: np.ndarray) -> np.ndarray:
        """Less the first row and then the mean of what is left, which loses no digits to a large mean."""
        return (X - self.X[0]) - (self.X - self.X[0]).mean(axis=0)

    @cached_property
    def _centred_target(self) -> np.ndarray:
        return (self.y - self.y[0]) - (self.y - self.y[0]).mean()

    def pack(self) -> str:
        """All numbers of the table as text, for scripts that must run without the file."""
        return base64.b85encode(zlib.compress(np.column_stack([self.X, self.y]).tobytes(), 9)).decode()

    @classmethod
    def unpack(
        cls, name: str, digest: str, target: str, columns: tuple[str, ...], packed: str, reading: str = ""
    ) -> "Table":
        """The inverse of `pack`."""
        values = np.frombuffer(zlib.decompress(base64.b85decode(packed))).reshape(-1, len(columns) + 1)
        return cls(name, digest, target, columns, values[:, :-1].copy(), values[:, -1].copy(), reading)

    def only(self, rows: np.ndarray) -> "Table":
        """The same table with some of its rows.

        Raises:
            SettingsError: if a feature is constant on those rows.
        """
        X, y = self.X[rows], self.y[rows]
        for name, column in zip(self.columns, X.T, strict=True):
            if is_constant(column):
                raise refuse(
                    f"Column '{brief(name)}' is constant on {len(y)} of the rows: leave it out of the features."
                )
        return replace(self, X=X, y=y)


def read_csv(source: str | Path | bytes, name: str = "", dialect: Dialect | None = None) -> Sheet:
    """Read a CSV file by path or from its bytes.

    Args:
        source: the path of the file, or its bytes.
        name: its name for people; by default that of the path.
        dialect: its layout as far as that is known; the rest is guessed and said in `Sheet.reading`.

    Raises:
        SettingsError: with one sentence, if the file is missing, too large, empty, not a CSV, or has no usable header.
    """
    if isinstance(source, bytes):
        content = source
    else:
        path = Path(source)
        name = name or path.name
        try:
            content = read_regular(path, MAX_BYTES)
        except OSError as error:
            if error.errno == errno.EFBIG:
                raise refuse(_too_large(brief(name, 80), path.stat().st_size)) from None
            shown = str(path) if len(str(path)) <= 80 else f"…{str(path)[-79:]}"
            why = str(error.strerror).lower()
            raise refuse(f"There is no file {shown} that can be read ({why}): give the path of a CSV file.") from None
    name = name or "the file"
    shown = brief(name, 80)
    if len(content) > MAX_BYTES:
        raise refuse(_too_large(shown, len(content)))
    grid = dialects.read(content, shown, dialect or Dialect())
    _check_names(shown, grid)
    if len(grid.rows) < MIN_ROWS:
        raise refuse(f"{shown} has too few rows of data, {len(grid.rows)}: at least {MIN_ROWS} are needed.")
    if len(grid.rows) > MAX_ROWS:
        raise refuse(f"{shown} has {len(grid.rows):,} rows: at most {MAX_ROWS:,} are read, keep a sample of them.")
    import pandas as pd

    columns = {}
    for column, cells in zip(grid.names, zip(*grid.rows, strict=True), strict=True):
        values = numerals.numbers(cells, grid.decimal)
        columns[column] = pd.Series(cells, dtype="str") if values is None else pd.Series(values, dtype=np.float64)
    digest = hashlib.sha256(content).hexdigest()[:16]
    return Sheet(
        name=name, frame=pd.DataFrame(columns), digest=digest, lines=tuple(grid.lines), reading=grid.reading,
        decimal=grid.decimal,
    )  # fmt: skip


def choose(sheet: Sheet, target: str, columns: tuple[str, ...] = ()) -> Table:
    """Pick the target and the features of a sheet; no features named means every other column.

    Raises:
        SettingsError: naming the column that does not exist, holds text, has missing values or never changes.
    """
    shown = brief(sheet.name, 80)
    available = ", ".join(map(brief, sheet.frame.columns[:12])) + (", …" if len(sheet.frame.columns) > 12 else "")
    if not target:
        raise SettingsError("target", f"No target column is named: choose one of {available}.")
    columns = columns or tuple(name for name in sheet.frame.columns if name != target)
    for column in (target, *columns):
        if column not in sheet.frame.columns:
            field = "target" if column == target else "feature_columns"
            raise SettingsError(field, f"{shown} has no column '{brief(column)}': its columns are {available}.")
    if target in columns:
        raise SettingsError("feature_columns", f"'{brief(target)}' is the target: leave it out of the features.")
    if repeated := [column for column, count in Counter(columns).items() if count > 1]:
        raise SettingsError(
            "feature_columns", f"'{brief(repeated[0])}' is named twice among the features: name it once."
        )
    limit = int(FIELDS["features"].high)
    if not columns or len(columns) > limit:
        raise SettingsError(
            "feature_columns", f"{shown} gives {len(columns)} features: choose from 1 to {limit} columns."
        )
    for column in (*columns, target):
        if trouble := sheet.troubles.get(column):
            remedy = (
                "choose another target"
                if column == target
                else "leave it out by naming the other features, or correct it"
            )
            raise refuse(f"Column '{brief(column)}' of {shown} {trouble}: {remedy}.")
    values = sheet.frame[[*columns, target]].to_numpy(dtype=np.float64)
    return Table(
        sheet.name, sheet.digest, target, tuple(columns), values[:, :-1].copy(), values[:, -1].copy(), sheet.reading
    )


def diabetes() -> Sheet:
    """scikit-learn's diabetes data in original units: 442 patients, 10 features, disease progression after a year."""
    from sklearn.datasets import load_diabetes

    bunch = load_diabetes(as_frame=True, scaled=False)
    return Sheet(name="diabetes (scikit-learn)", frame=bunch.frame, digest="", lines=tuple(range(1, 443)))


def load(settings: Settings, path: str | Path | None = None, dialect: Dialect | None = None) -> Table | None:
    """The table that `settings.data` names, or None for synthetic data.

    Raises:
        SettingsError: as `read_csv` and `choose`, or if `data` is csv and no file was given.
    """
    match settings.data:
        case "diabetes":
            return choose(diabetes(), settings.target or "target", settings.feature_columns)
        case "csv":
            if path is None:
                raise refuse("data = csv needs a file: give the path of a CSV, or upload one on the page.")
            return choose(read_csv(path, dialect=dialect), settings.target, settings.feature_columns)
        case _:
            return None


def _too_large(name: str, size: int) -> str:
    return (
        f"{name} has {size / 1024**2:,.0f} MiB: at most {MAX_BYTES // 1024**2} MiB are read, keep a sample of the rows."
    )


def _check_names(name: str, grid: dialects.Grid) -> None:
    names = grid.names
    if len(names) < 2:
        raise refuse(f"{name} has one column besides the row names: a table needs a target and a feature.")
    if len(names) > MAX_COLUMNS:
        raise refuse(f"{name} has {len(names):,} columns: at most {MAX_COLUMNS:,} are read, keep those you need.")
    if "" in names:
        place = names.index("") + 1 + grid.first
        raise refuse(f"Column {place} of {name} has no name: give every column a name in the first line.")
    if repeated := [column for column, count in Counter(names).items() if count > 1]:
        raise refuse(
            f"{name} has {names.count(repeated[0])} columns named '{brief(repeated[0])}': give each its own name."
        )
