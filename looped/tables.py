"""Real data: a table of numbers from scikit-learn or a CSV file, checked, with target and features chosen."""

import base64
import csv
import hashlib
import io
import re
import stat
import zlib
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import load_diabetes

from looped.fields import FIELDS, SettingsError
from looped.settings import Settings

MAX_BYTES = 20 * 1024**2
"""Largest CSV file: 20 MiB, read in about a second."""
MAX_ROWS = 10_000
"""Most rows of a table: every one of the run's matrices has n rows."""
MAX_COLUMNS = 1_000
"""Most columns of a file; at most d's limit of them can be features."""
MIN_ROWS = 3
"""Fewest rows: two points leave nothing to hold out."""


def refuse(message: str) -> SettingsError:
    """A sentence about the table itself."""
    return SettingsError("data", message)


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A CSV file as read: every column, numeric or not, before target and features are chosen."""

    name: str
    """Where it came from, for people."""
    frame: pd.DataFrame
    """Rows by columns."""
    digest: str
    """SHA-256 of the file, first 16 hex digits: links and results name the data by it."""

    @cached_property
    def numeric(self) -> list[str]:
        """Columns that hold only numbers, at least two different ones."""
        return [name for name in self.frame.columns if not _trouble(self.frame[name])]


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

    @cached_property
    def mean(self) -> np.ndarray:
        """Column means (d,)."""
        return self.X.mean(axis=0)

    @cached_property
    def scale(self) -> np.ndarray:
        """Column standard deviations (d,), with n in the denominator as in scikit-learn's `StandardScaler`."""
        return self.X.std(axis=0)

    @property
    def rows(self) -> int:
        """n."""
        return len(self.y)

    def standardised(self) -> tuple[np.ndarray, np.ndarray]:
        """Features with mean 0 and variance 1, and the centred target: centring stands in for an intercept."""
        return (self.X - self.mean) / self.scale, self.y - self.y.mean()

    def original_units(self, w: np.ndarray) -> tuple[np.ndarray, float]:
        """Coefficients (d,) and intercept for the raw columns, from weights `w` (d,) for the standardised ones."""
        coefficients = w / self.scale
        return coefficients, float(self.y.mean() - coefficients @ self.mean)

    def pack(self) -> str:
        """All numbers of the table as text, for scripts that must run without the file."""
        return base64.b85encode(zlib.compress(np.column_stack([self.X, self.y]).tobytes(), 9)).decode()

    @classmethod
    def unpack(cls, name: str, digest: str, target: str, columns: tuple[str, ...], packed: str) -> "Table":
        """The inverse of `pack`."""
        values = np.frombuffer(zlib.decompress(base64.b85decode(packed))).reshape(-1, len(columns) + 1)
        return cls(name, digest, target, columns, values[:, :-1].copy(), values[:, -1].copy())

    def only(self, rows: np.ndarray) -> "Table":
        """The same table with some of its rows.

        Raises:
            SettingsError: if a feature is constant on those rows.
        """
        X, y = self.X[rows], self.y[rows]
        for name, column in zip(self.columns, X.T, strict=True):
            if not np.ptp(column) > 0:
                raise refuse(f"Column '{name}' is constant on {len(y)} of the rows: leave it out of the features.")
        return Table(self.name, self.digest, self.target, self.columns, X, y)


def read_csv(source: str | Path | bytes, name: str = "") -> Sheet:
    """Read a CSV file by path or from its bytes; commas, semicolons and tabs are recognised.

    Raises:
        SettingsError: with one sentence, if the file is missing, too large, empty, not a CSV, or has no usable header.
    """
    if isinstance(source, bytes):
        content = source
    else:
        path = Path(source)
        name = name or path.name
        try:
            info = path.stat()
            if not stat.S_ISREG(info.st_mode):
                raise OSError(None, "it is not a regular file")
            if info.st_size > MAX_BYTES:
                raise refuse(_too_large(name, info.st_size))
            content = path.read_bytes()
        except OSError as error:
            shown = str(path) if len(str(path)) <= 80 else f"…{str(path)[-79:]}"
            why = str(error.strerror).lower()
            raise refuse(f"There is no file {shown} that can be read ({why}): give the path of a CSV file.") from None
    name = name or "the file"
    if len(content) > MAX_BYTES:
        raise refuse(_too_large(name, len(content)))
    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n").strip("\n ")
    except UnicodeDecodeError:
        raise refuse(f"{name} is not a CSV file in UTF-8: export it again as CSV (UTF-8).") from None
    if not text.strip():
        raise refuse(f"{name} is empty: a CSV needs a line of column names and at least {MIN_ROWS} rows of numbers.")
    if "\0" in text:
        raise refuse(f"{name} is not a CSV file, it holds binary data: export the table as CSV.")
    outside_quotes = re.sub(r'"[^"]*"', "", text[: text.find("\n")])
    separator = max(",;\t", key=outside_quotes.count)
    try:
        header = [part.strip() for part in next(csv.reader(io.StringIO(text), delimiter=separator))]
        _check_header(name, header)
        frame = pd.read_csv(io.StringIO(text), sep=separator, skipinitialspace=True, low_memory=False)
    except SettingsError:
        raise
    except (pd.errors.ParserError, pd.errors.ParserWarning, csv.Error, ValueError) as error:
        reason = str(error).splitlines()[0].removeprefix("Error tokenizing data. C error: ")
        raise refuse(f"{name} is not a regular CSV ({reason}): every row needs the same number of values.") from None
    if not isinstance(frame.index, pd.RangeIndex):  # pandas takes surplus values for row names
        raise refuse(f"{name} is not a regular CSV: every row needs the same number of values as the first line.")
    frame.columns = header
    if len(frame) < MIN_ROWS:
        raise refuse(f"{name} has too few rows of data, {len(frame)}: at least {MIN_ROWS} are needed.")
    if len(frame) > MAX_ROWS:
        raise refuse(f"{name} has {len(frame):,} rows: at most {MAX_ROWS:,} are read, keep a sample of them.")
    return Sheet(name=name, frame=frame, digest=hashlib.sha256(content).hexdigest()[:16])


def choose(sheet: Sheet, target: str, columns: tuple[str, ...] = ()) -> Table:
    """Pick the target and the features of a sheet; no features named means every other column.

    Raises:
        SettingsError: naming the column that does not exist, holds text, has missing values or never changes.
    """
    available = ", ".join(map(str, sheet.frame.columns[:12])) + (", …" if len(sheet.frame.columns) > 12 else "")
    if not target:
        raise SettingsError("target", f"No target column is named: choose one of {available}.")
    columns = columns or tuple(name for name in sheet.frame.columns if name != target)
    for column in (target, *columns):
        if column not in sheet.frame.columns:
            field = "target" if column == target else "feature_columns"
            raise SettingsError(field, f"{sheet.name} has no column '{column}': its columns are {available}.")
    if target in columns:
        raise SettingsError("feature_columns", f"'{target}' is the target: leave it out of the features.")
    if repeated := [column for column, count in Counter(columns).items() if count > 1]:
        raise SettingsError("feature_columns", f"'{repeated[0]}' is named twice among the features: name it once.")
    limit = int(FIELDS["features"].high)
    if not columns or len(columns) > limit:
        raise SettingsError(
            "feature_columns", f"{sheet.name} gives {len(columns)} features: choose from 1 to {limit} columns."
        )
    for column in (*columns, target):
        if trouble := _trouble(sheet.frame[column]):
            remedy = "choose another target" if column == target else "leave it out of the features or mend it"
            raise refuse(f"Column '{column}' of {sheet.name} {trouble}: {remedy}.")
    values = sheet.frame[[*columns, target]].to_numpy(dtype=np.float64)
    return Table(sheet.name, sheet.digest, target, tuple(columns), values[:, :-1].copy(), values[:, -1].copy())


def diabetes() -> Sheet:
    """scikit-learn's diabetes data in original units: 442 patients, 10 features, disease progression after a year."""
    bunch = load_diabetes(as_frame=True, scaled=False)
    return Sheet(name="diabetes (scikit-learn)", frame=bunch.frame, digest="")


def load(settings: Settings, path: str | Path | None = None) -> Table | None:
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
            return choose(read_csv(path), settings.target, settings.feature_columns)
        case _:
            return None


def _too_large(name: str, size: int) -> str:
    return (
        f"{name} has {size / 1024**2:,.0f} MiB: at most {MAX_BYTES // 1024**2} MiB are read, keep a sample of the rows."
    )


def _check_header(name: str, header: list[str]) -> None:
    if len(header) < 2:
        raise refuse(f"{name} is not a CSV with at least two columns: separate them by commas, semicolons or tabs.")
    if len(header) > MAX_COLUMNS:
        raise refuse(f"{name} has {len(header):,} columns: at most {MAX_COLUMNS:,} are read, keep those you need.")
    if "" in header:
        raise refuse(
            f"Column {header.index('') + 1} of {name} has no name: give every column a name in the first line."
        )
    if repeated := [column for column, count in Counter(header).items() if count > 1]:
        raise refuse(f"{name} has {header.count(repeated[0])} columns named '{repeated[0]}': give each its own name.")
    if all(is_number(column) for column in header):
        raise refuse(f"The first line of {name} holds numbers, not column names: add a line of names above it.")


def is_number(value: Any) -> bool:
    """Whether `float` can read it."""
    try:
        float(value)
    except ValueError:
        return False
    return True


def _trouble(column: pd.Series) -> str:
    """What keeps a column from being used, in words that follow its name; empty if nothing does."""
    missing = column.isna()
    if missing.any():
        return f"has {int(missing.sum())} missing value(s), the first in row {int(missing.to_numpy().argmax()) + 2}"
    if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        texts = [isinstance(value, bool | np.bool_) or not is_number(value) for value in column]
        if any(texts):
            row = texts.index(True)
            return f"holds text ('{str(column.iloc[row])[:20]}' in row {row + 2})"
    values = column.to_numpy(dtype=np.float64)
    if not np.isfinite(values).all():
        return f"holds an infinite value in row {int((~np.isfinite(values)).argmax()) + 2}"
    if np.abs(values).max() > 1e100:
        return "holds a value above 1e100"
    if not values.std() > 1e-13 * np.abs(values).max():
        return f"is constant, or nearly so ({values[0]:g} in the first row)"
    return ""
