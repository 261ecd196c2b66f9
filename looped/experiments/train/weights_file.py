"""A training run as named arrays: what arrays.npz holds, and weights read back from it."""

import io
import math
import zipfile
from collections.abc import Mapping
from dataclasses import astuple
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from looped.experiments.train.result import Alone, Sweep, TrainResult
from looped.experiments.train.settings import TrainSettings
from looped.fields import SettingsError, brief
from looped.files import NOT_AN_ARRAY, read_npy, read_regular
from looped.training import gdpp
from looped.training.evaluate import Limit, Risk

MOST_ARRAY_BYTES = 1024**2
"""Largest array in it: 30 layers of 41 × 41 numbers, the most that is allowed here, take 400 kB."""
LARGEST_WEIGHT = 1e50
"""Larger weights are refused: their squares, summed over a matrix and multiplied, leave the range of numbers."""
MOST_BYTES = 20 * 1024**2
"""Largest file that is read: the largest weights allowed here take 1 MiB, their sweeps little more."""


def pack(run: TrainResult) -> dict[str, np.ndarray]:
    """P and Q (d+1, d+1), or (L, d+1, d+1) untied, and all else of the run but its frames under dotted names."""
    one = not run.settings.untied
    named = {
        "P": run.P[0] if one else run.P,
        "Q": run.Q[0] if one else run.Q,
        "settings": np.array(run.settings.to_json()),
        "stopped": np.array(run.stopped),
        "name": np.array(run.name),
        "fresh": run.fresh,
        "fresh_prompts": np.array(run.fresh_prompts),
    }
    named |= {f"history.{name}": column for name, column in run.history.items()}
    for kind, sweep in run.sweeps.items():
        named |= {f"sweep.{kind}.x": sweep.x, f"sweep.{kind}.prompts": np.array(sweep.prompts)}
        named |= {f"sweep.{kind}.series.{name}": values for name, values in sweep.series.items()}
    named |= {f"median.{name}": np.array(value) for name, value in run.medians.items()}
    for kind, means in (("below", run.below), ("whole", run.whole)):
        named |= {f"{kind}.{name}": np.array(astuple(risk)) for name, risk in means.items()}
    if run.limit is not None:
        named["limit"] = np.array(astuple(run.limit))
    if run.alone is not None:
        named["alone"] = np.array([run.alone.median, *(astuple(run.alone.risk) if run.alone.risk else ())])
    if run.best is not None:
        named["best"] = np.array(astuple(run.best))
    return named


def _under(named: Mapping[str, np.ndarray], start: str) -> dict[str, np.ndarray]:
    """What stands under names that begin so, by the rest of its name."""
    return {name.removeprefix(start): values for name, values in named.items() if name.startswith(start)}


def unpack(named: Mapping[str, np.ndarray]) -> TrainResult:
    """The inverse of `pack`."""
    settings = TrainSettings.from_json(str(named["settings"]))
    kinds = [name.split(".")[1] for name in named if name.startswith("sweep.") and name.endswith(".x")]
    sweeps = {
        kind: Sweep(sweep["x"], _under(sweep, "series."), int(sweep["prompts"]))
        for kind in kinds
        for sweep in [_under(named, f"sweep.{kind}.")]
    }
    below, whole = (
        {name: Risk(*map(float, risk)) for name, risk in _under(named, kind).items()} for kind in ("below.", "whole.")
    )
    alone = list(map(float, named["alone"])) if "alone" in named else []
    P, Q = (named[name] if settings.untied else named[name][None] for name in ("P", "Q"))
    return TrainResult(
        settings=settings,
        P=P,
        Q=Q,
        history=_under(named, "history."),
        stopped=str(named["stopped"]),
        name=str(named["name"]),
        fresh=named["fresh"],
        fresh_prompts=int(named["fresh_prompts"]),
        sweeps=sweeps,
        medians={name: float(value) for name, value in _under(named, "median.").items()},
        limit=Limit(*map(float, named["limit"])) if "limit" in named else None,
        below=below,
        whole=whole,
        alone=Alone(alone[0], Risk(*alone[1:]) if alone[1:] else None) if alone else None,
        frames=_under(named, "frame."),
        best=gdpp.Best(*map(float, named["best"])) if "best" in named else None,
    )


def read_weights(path: Path, settings: TrainSettings) -> TrainResult:
    """`weights_from` for a file on this machine."""
    try:
        content = read_regular(path, MOST_BYTES)
    except OSError as error:
        raise refused(path.name, f"cannot be read ({error.strerror})") from None
    return weights_from(content, path.name, settings)


def weights_from(content: bytes, name: str, settings: TrainSettings) -> TrainResult:
    """P and Q from an arrays.npz of this program, or from any .npz with such arrays; nothing in it is executed.

    What the file says of its own run (T, n, task) replaces what `settings` say. It is not evaluated.

    Args:
        content: Bytes of the file.
        name: Name of the file, for messages.
        settings: Settings where the file says nothing; its d and the number of layers are those of the arrays.

    Raises:
        SettingsError: one sentence, for a damaged or a foreign file or weights that cannot be evaluated here.
    """
    if len(content) > MOST_BYTES:
        raise refused(name, f"is larger than {MOST_BYTES // 1024**2} MiB")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            P, Q = _member(archive, "P"), _member(archive, "Q")
            said = str(_member(archive, "settings")) if "settings.npy" in archive.namelist() else ""
    except NOT_AN_ARRAY:
        raise refused(name, "is damaged, or holds no arrays P and Q") from None
    if P.shape != Q.shape or P.ndim not in (2, 3) or P.shape[-1] != P.shape[-2] or P.shape[-1] < 2 or not P.size:
        raise refused(name, f"holds P {P.shape} and Q {Q.shape}, not two of (d+1, d+1) or (L, d+1, d+1)")
    if P.dtype.kind not in "fiu" or Q.dtype.kind not in "fiu":
        raise refused(name, f"holds P of type {P.dtype.name} and Q of type {Q.dtype.name}, not real numbers")
    shape = (-1, *P.shape[-2:])
    with np.errstate(over="ignore"):
        P, Q = (np.ascontiguousarray(weights, dtype=np.float64) for weights in (P, Q))
    if not (np.isfinite(P).all() and np.isfinite(Q).all()):
        raise refused(name, "holds entries that are not finite numbers")
    if max(np.abs(P).max(), np.abs(Q).max()) > LARGEST_WEIGHT:
        raise refused(name, f"holds entries above {LARGEST_WEIGHT:.0e} in size".replace("e+", "e"))
    untied = P.ndim == 3 and len(P) > 1
    try:
        if said:
            settings = TrainSettings.from_json(said)
        settings = settings.replace(features=P.shape[-1] - 1, untied=untied)
        if untied:
            settings = settings.replace(loops=len(P))
    except SettingsError as error:
        raise refused(name, f"cannot be evaluated here ({str(error).rstrip('.')})") from None
    return TrainResult(settings, P.reshape(shape), Q.reshape(shape), {}, f"Weights from {name}.", name)


def _member(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    """One array; how large it says it is is read before room is made for it."""

    def check(shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        if math.prod(shape) * dtype.itemsize > MOST_ARRAY_BYTES:
            raise ValueError(f"{name} is too large")

    info = archive.getinfo(f"{name}.npy")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # others unpack into gigabytes of memory
        raise ValueError(f"{name} is compressed as NumPy does not do it")
    with archive.open(info) as file:
        return read_npy(cast(BinaryIO, file), check)


def refused(name: str, why: str) -> SettingsError:
    """The sentence for a file of weights."""
    return SettingsError("weights_from", f"{brief(name, 80)} {why}: choose an arrays.npz that `looped train` wrote.")
