"""The page's first view: the default run, trained and evaluated once and kept in the package.

`python -m looped.experiments.train.stored` makes the file again.
"""

import json
import sys
from functools import cache
from typing import Any

import numpy as np

from looped.experiments.train.measure import train
from looped.experiments.train.result import Trained
from looped.experiments.train.settings import TrainSettings
from looped.experiments.train.weights_file import pack, unpack
from looped.provenance import STORED, provenance

COMMAND = "python -m looped.experiments.train.stored"
NAME = "train.npz"


@cache
def stored() -> tuple[Trained, dict[str, Any]]:
    """The stored run, and its provenance: command, versions, date and hardware."""
    with np.load(STORED / NAME, allow_pickle=False) as arrays:
        named = dict(arrays)
    return unpack(named), json.loads(str(named["provenance"]))


def main() -> None:
    """Train and evaluate the default run and write it into the package's folder."""
    run = train(TrainSettings())
    path = STORED / NAME
    named = {"provenance": np.array(json.dumps(provenance(COMMAND), ensure_ascii=False)), **pack(run)}
    np.savez_compressed(path, allow_pickle=False, **named)
    print(f"wrote {path}, {path.stat().st_size:,} bytes", file=sys.stderr)


if __name__ == "__main__":
    main()
