"""Sweeps on one process and on two, by the clock: `python benchmarks/sweep.py [PART ...] [--runs 10000]`.

The parts, all of them if none is named: `start` of the local cluster; `stop`, from telling a page's training to stop
until its worker is free; `trainings`, 24 of about three seconds on two workers beside one; `overhead`, what a sweep
adds to each of 1,000 runs of about 10 ms; `many`, compare runs at the defaults, with the largest memory of the client.
The load of the machine stands behind each.
"""

import argparse
import os
import resource
import tempfile
import threading
import time
from collections.abc import Callable

import pandas as pd

from looped import Settings, TrainSettings, sweep
from looped.experiments.train import TrainWork
from looped.sweeps import remote
from looped.sweeps import workers as places

SHORT, SHORT_RUNS = {"prompts": 24}, 1_000
TRAINING = {"task": "generation", "weights": "preconditioner", "loops": 2, "features": 2, "examples": 10, "steps": 1000}
"""A training whose evaluation, which has no search, takes less than half of its time."""


def timed(work: Callable[[], pd.DataFrame]) -> tuple[float, pd.DataFrame]:
    """Wall time of a sweep, and its table."""
    began = time.perf_counter()
    table = work()
    return time.perf_counter() - began, table


def start() -> str:
    """Seconds until two processes are ready."""
    began = time.perf_counter()
    with places.client_of("", workers=2):
        return f"{time.perf_counter() - began:.2f} s for a local cluster of two processes"


def stop() -> str:
    """Ten stops of one training, which goes on in between from the state that came back."""
    work, waits = TrainWork(TrainSettings(loops=4, examples=10, features=3, steps=20_000, batch=512)), []
    with places.client_of("", workers=1) as client:
        for turn in range(10):
            told, states = threading.Event(), [work]

            def follow(told: threading.Event = told, states: list[TrainWork] = states) -> None:
                states += [state for _, state in remote.steps(states[0], client.scheduler.address, told)]

            page = threading.Thread(target=follow)
            page.start()
            while not any(client.processing().values()):
                time.sleep(0.01)
            time.sleep(1 + 0.07 * turn)
            began = time.perf_counter()
            told.set()
            while any(client.processing().values()):
                time.sleep(0.01)
            waits.append(time.perf_counter() - began)
            page.join()
            work = states[-1]
    return f"{sorted(waits)[5]:.2f} s, at most {max(waits):.2f} s of ten stops"


def trainings() -> str:
    """The same sweep on one worker and on two."""
    (one, table), (two, _) = (
        timed(lambda n=n: sweep(TrainSettings, {"seed": range(24)}, workers=n, **TRAINING)) for n in (1, 2)
    )
    each = table["seconds"]
    return (
        f"24 of {each.min():.1f} to {each.max():.1f} s take {one:.1f} s on one worker, {two:.1f} s on two, "
        f"{one / two:.2f} times as fast"
    )


def overhead() -> str:
    """What the workers' time has beside the runs', the start of the cluster included."""
    wall, table = timed(lambda: sweep(Settings, {"seed": range(SHORT_RUNS)}, workers=2, **SHORT))
    work = float(table["seconds"].sum())
    each, added = 1e3 * work / SHORT_RUNS, 1e3 * (2 * wall - work) / SHORT_RUNS
    return f"{SHORT_RUNS:,} runs of {each:.1f} ms on two workers: {wall:.1f} s, {added:.1f} ms a run beside it"


def many(runs: int) -> str:
    """A large grid with a folder."""
    with tempfile.TemporaryDirectory() as folder:
        wall, _ = timed(lambda: sweep(Settings, {"seed": range(runs)}, workers=2, out=folder))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return f"{runs:,} compare runs on two workers: {wall:.1f} s, largest memory of the client {memory:.0f} MiB"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10_000, help="of the part many")
    parser.add_argument("parts", nargs="*", metavar="PART", help="start, stop, trainings, overhead, many")
    asked = parser.parse_args()
    measured = {
        "start": start,
        "stop": stop,
        "trainings": trainings,
        "overhead": overhead,
        "many": lambda: many(asked.runs),
    }
    for name in asked.parts or measured:
        print(f"{name}: {measured[name]()}; load {os.getloadavg()[0]:.1f}", flush=True)


if __name__ == "__main__":
    main()
