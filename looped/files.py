"""Files: written in one move so that none is ever incomplete, and arrays read without trusting their headers."""

import errno
import io
import math
import os
import stat
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from glob import escape
from pathlib import Path
from tokenize import TokenError
from typing import Any, BinaryIO

import numpy as np

NOT_AN_ARRAY = (
    OSError, EOFError, ValueError, LookupError, TypeError, SyntaxError, RuntimeError, TokenError, zipfile.BadZipFile,
    zlib.error, OverflowError, MemoryError, struct.error,
)  # fmt: skip
"""The errors that NumPy raises for bytes that are no .npy or .npz file."""


@contextmanager
def in_one_move(path: Path) -> Iterator[Path]:
    """A place beside `path`: what is written there moves to `path` at the end, and is removed after an error.

    With it goes what processes that were killed had written of the same file.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.touch()
        with held(part):
            yield part
            part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    for left in path.parent.glob(f".{escape(path.name)}.*.part"):
        with held(left) as free, suppress(OSError):
            if free:
                left.unlink()


@contextmanager
def held(path: Path) -> Iterator[bool | None]:
    """Hold a folder or a file against other processes as long as this lasts.

    The system frees it when the process ends, however it ends, and no file says so.

    Yields:
        Whether no other process holds it; None where the system has no such lock, and nothing is held.
    """
    place, free = None, None
    with suppress(ImportError, OSError):  # Windows; a place on another machine, or one that may not be read
        import fcntl

        place = os.open(path, os.O_RDONLY)
        try:
            fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
            free = True
        except BlockingIOError:
            free = False
    try:
        yield free
    finally:
        if place is not None:
            os.close(place)


def finite(value: float) -> float | None:
    """A number as JSON can hold it: None in place of NaN and the infinities."""
    return float(value) if math.isfinite(value) else None


def write(contents: Mapping[str, bytes], folder: str | Path) -> list[Path]:
    """Write files into a folder, created if it does not exist; they move to their places when all are complete.

    Args:
        contents: the content of each file, by its name.
        folder: the path of the folder.

    Returns:
        The paths written.

    Raises:
        OSError: if the folder or one of the files cannot be written; then none is.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / name for name in contents]
    if taken := next(filter(Path.is_dir, paths), None):  # moving would stop there, with some files new and some old
        raise IsADirectoryError(errno.EISDIR, f"{taken.name} there is a folder")
    with ExitStack() as moves:
        for path, content in zip(paths, contents.values(), strict=True):
            moves.enter_context(in_one_move(path)).write_bytes(content)
    return paths


def read_regular(path: Path, most: int) -> bytes:
    """The bytes of a file of at most `most` bytes.

    Raises:
        OSError: if it cannot be read, is larger (EFBIG), or is no file, such as a folder, a pipe or an endless device.
    """
    too_large = OSError(errno.EFBIG, f"it is larger than {most // 1024**2} MiB")
    try:
        info = path.stat()
        if not stat.S_ISREG(info.st_mode):
            raise OSError(None, "it is not a regular file")
        if info.st_size > most:
            raise too_large
        with path.open("rb") as file:
            content = file.read(most + 1)  # some files are longer than they say
    except ValueError:  # NUL in its name
        raise OSError(None, "no file can be called that") from None
    if len(content) > most:
        raise too_large
    return content


def utf8(text: str) -> bytes:
    """The text as UTF-8; bytes of a file's name that are none are written as escapes, which JSON reads back."""
    return text.encode("utf-8", "backslashreplace")


def spreadsheet_cell(value: object) -> object:
    """A cell of a CSV: text that a spreadsheet would run as a formula gets an apostrophe before it, numbers do not."""
    if not isinstance(value, str) or not value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value


def npz(named: Mapping[str, np.ndarray], comment: str = "") -> bytes:
    """Arrays as an uncompressed .npz, the same bytes for the same arrays and the same comment of the archive."""
    out = io.BytesIO()
    np.savez(out, allow_pickle=False, **named)
    with zipfile.ZipFile(out, "a") as archive:
        archive.comment = utf8(comment)
    return out.getvalue()


def read_npy(file: BinaryIO, check: Callable[[tuple[int, ...], np.dtype[Any]], None]) -> np.ndarray:
    """The array of an .npy file; nothing in it is executed.

    Args:
        file: the open file, which must be seekable.
        check: raises for a shape or dtype that is not wanted, before memory is taken for it.

    Raises:
        NOT_AN_ARRAY: one of these, if the file holds no array.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Python's parser and of NumPy, about headers that are odd
        return _read_npy(file, check)


def _read_npy(file: BinaryIO, check: Callable[[tuple[int, ...], np.dtype[Any]], None]) -> np.ndarray:
    headers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    shape, _, dtype = headers[np.lib.format.read_magic(file)](file)
    check(shape, dtype)
    file.seek(0)
    return np.asarray(np.lib.format.read_array(file, allow_pickle=False))
