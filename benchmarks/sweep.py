"""Sweeps on one process and on two, by the clock: `python benchmarks/sweep.py [RUNS]`.

Four figures of one run: 24 trainings on two workers beside one; what a sweep adds to each short run; RUNS compare runs
at the defaults with the client's memory (10,000 if not given); and the start of the local cluster.
"""

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from looped import Settings, TrainSettings, sweep
from looped.sweeps import workers as places

TRAININGS = {"seed": range(24)}
TRAINING = {"loops": 3, "weights": "preconditioner", "steps": 1500, "patience": 1500}


def seconds(work: Callable[[], object]) -> float:
    """Wall time of a call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    """Measure and print."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    began = time.perf_counter()
    with places.on_dask("compare", keep=False, address="", workers=2):
        start = time.perf_counter() - began
    print(f"start of a local cluster of two processes: {start:.2f} s")
    one, two = (seconds(lambda n=n: sweep(TrainSettings, TRAININGS, workers=n, **TRAINING)) for n in (1, 2))
    print(f"24 trainings: {one:.1f} s on one worker, {two:.1f} s on two, {one / two:.2f} times as fast")
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        table = sweep(Settings, {"seed": range(runs)}, workers=2, out=Path(folder))
        wall = time.perf_counter() - began
    work = float(table["seconds"].sum())
    added = (2 * wall - work) / runs
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{runs:,} compare runs on two workers: {wall:.1f} s; {1e3 * work / runs:.1f} ms a run and {1e3 * added:.1f} ms"
    )
    print(f"beside it; largest memory of the client {memory:.0f} MiB")


if __name__ == "__main__":
    main()
