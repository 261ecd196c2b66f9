"""Files that hold a training run: written in one move, and rejected with one sentence."""

import io
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from looped.files import NOT_AN_ARRAY, in_one_move

FORMAT = "looped training 2"


class CheckpointError(ValueError):
    """Raised when a training run cannot be resumed from a file. The message is one sentence."""


def write(path: Path, contents: dict[str, Any]) -> None:
    """Write tensors and plain values to a file beside `path`, then move it there.

    Raises:
        OSError: if it cannot be written; PyTorch, writing by itself, makes a RuntimeError of a full disk.
    """
    content = io.BytesIO()
    torch.save({"format": FORMAT, **contents}, content)
    with in_one_move(Path(path)) as part:
        part.write_bytes(content.getvalue())


def read(path: Path) -> dict[str, Any]:
    """Read such a file; nothing in it is executed.

    Raises:
        CheckpointError: if there is no such file, or it is damaged or another program's.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"There is no training run at {path}.")
    with explained(path):
        contents = torch.load(path, map_location="cpu", weights_only=True)
        if contents["format"] != FORMAT:
            raise ValueError(contents["format"])
    return contents


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn any error in the contents of the file into one `CheckpointError`."""
    try:
        yield
    except CheckpointError:
        raise
    except (*NOT_AN_ARRAY, AttributeError, pickle.PickleError) as error:
        raise CheckpointError(f"{path} is damaged or was not written by this version's training.") from error
