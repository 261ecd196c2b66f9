"""Many people at once: how long they wait for their page and for each slider move, and what a move costs the server.

`python benchmarks/load.py [NAME ...] [--moves 20] [--address URL --pid PID ...]`. Everyone comes within a few seconds
and then moves sliders to random places, with 0.5 to 1.5 s of thought in between; those of "drag" drag T's slider
without a pause. Beside the app, in the same run, stands the least that such a page could be: one slider and one
`st.plotly_chart` under the same configuration. With `--address` people visit a server that runs already, or several
behind a proxy. "picture" is the wait for a new main picture, "page" that for all of the page.
"""

import argparse
import asyncio
import os
import random
import resource
import shutil
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from start import ROOT, serving
from visitor import Visitor

BARE = """import numpy as np
import plotly.graph_objects as go
import streamlit as st

T = st.slider("T", 1, 1000, 30)
error = 0.9 ** np.arange(T + 1)
figure = {"data": [{"type": "scatter", "y": error}], "layout": {"yaxis": {"type": "log"}}}
st.plotly_chart(go.Figure(figure), key="chart")
"""
PAGES = ("", "context", "train", "signal", "gpt2", "beyond")
ARRIVE = 0.15  # seconds between two people
THINK = (0.5, 1.5)
LONG = "T=10&weights=preconditioner&steps=20000"
"""The link of a training of minutes."""


@dataclass(frozen=True)
class Crowd:
    """People of one scenario."""

    people: int
    pages: tuple[str, ...] = ("",)
    bare: bool = False
    trainings: int = 0
    """How many of those on the page that trains press its button first."""
    drags: bool = False
    """Whether they drag T's slider all the time, at the same time."""
    trainers: int = 0
    """How many more start a training of minutes and only watch it."""


CROWDS = {
    "one": Crowd(1),
    "bare": Crowd(30, bare=True),
    "first": Crowd(30),
    "all": Crowd(30, PAGES, trainings=2),
    "drag": Crowd(10, drags=True),
    "move": Crowd(1),
    "move beside 1": Crowd(1, trainers=1),
    "move beside 2": Crowd(1, trainers=2),
    "bare 100": Crowd(100, bare=True),
    "first 100": Crowd(100),
}


@dataclass(frozen=True)
class Usage:
    """What processes have used so far."""

    cpu: float
    memory: float
    threads: int
    files: int


def usage(pids: Sequence[int]) -> Usage:
    """CPU seconds, resident MiB, threads and open files, of Linux's /proc."""
    cpu = memory = 0.0
    threads = files = 0
    for pid in pids:
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        cpu += (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")
        memory += int(stat[21]) * resource.getpagesize() / 2**20
        threads += int(stat[17])
        files += len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208
    return Usage(cpu, memory, threads, files)


def share(values: Sequence[float], percent: float) -> float:
    """A percentile, in milliseconds."""
    return 1000 * sorted(values)[min(len(values) - 1, int(percent / 100 * len(values)))] if values else float("nan")


async def play(crowd: Crowd, address: str, moves: int, pids: Sequence[int]) -> str:
    """Let the crowd use the app; a line of the table."""
    visitors = [Visitor(address, crowd.pages[k % len(crowd.pages)]) for k in range(crowd.people)]
    trainers = [Visitor(address, "train", LONG) for _ in range(crowd.trainers)]
    first: list[float] = []
    pictures: list[float] = []
    waited: list[float] = []
    lost: list[str] = []

    async def arrive(place: int, visitor: Visitor) -> None:
        await asyncio.sleep(place * ARRIVE)
        try:
            first.append(await visitor.open())
        except Exception as error:
            lost.append(f"{visitor.page}: {error!r}")

    async def use(visitor: Visitor) -> None:
        try:
            if crowd.drags:
                pictures.extend(await visitor.drag("T_slider", moves))
                return
            for _ in range(moves):
                await asyncio.sleep(random.uniform(*THINK))
                waited.append(await visitor.move())
                pictures.append(visitor.picture)
        except Exception as error:
            lost.append(f"{visitor.page}: {error!r}")

    await asyncio.gather(*(arrive(place, visitor) for place, visitor in enumerate(visitors)))
    for visitor in trainers:
        await visitor.open()
    for visitor in [visitor for visitor in visitors if visitor.page == "train"][: crowd.trainings] + trainers:
        await visitor.press("Train")
    before, began = usage(pids), time.monotonic()
    await asyncio.gather(*(use(visitor) for visitor in visitors))
    after, seconds = usage(pids), time.monotonic() - began
    await asyncio.gather(*(visitor.close() for visitor in visitors + trainers if hasattr(visitor, "socket")))
    wrong = [text for visitor in visitors + trainers for text in visitor.exceptions] + lost
    cpu = f"{1000 * (after.cpu - before.cpu) / max(1, len(waited) or len(pictures)):.0f}"
    moved = (
        f"picture {share(pictures, 50):.0f}/{share(pictures, 95):.0f}/{share(pictures, 100):.0f} ms (p50/p95/most of "
        f"{len(pictures)}), {len(pictures) / seconds:.0f} pictures a second, {cpu} ms CPU a picture"
        if crowd.drags
        else f"picture {share(pictures, 50):.0f}/{share(pictures, 95):.0f} ms, page {share(waited, 50):.0f}/"
        f"{share(waited, 95):.0f} ms (p50/p95 of {len(waited)}), {len(waited) / seconds:.0f} moves a second, "
        f"{cpu} ms CPU a move{' with the trainings' if crowd.trainings else ''}"
    )
    line = (
        f"first run {share(first, 50):.0f}/{share(first, 95):.0f} ms, {moved}, "
        f"{sum(visitor.received for visitor in visitors) / 1024 / (len(pictures) + 2 * len(visitors)):.0f} KiB a run, "
        f"{after.memory:.0f} MiB, {after.threads} threads, {len(wrong)} errors, "
        f"{sum(visitor.cut for visitor in visitors)} ends untold"
    )
    return "\n  ".join([line, *sorted(set(wrong))[:5]])


def main() -> None:
    """Play the crowds and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("crowds", nargs="*", metavar="NAME", help=", ".join(CROWDS))
    parser.add_argument("--moves", type=int, default=20, help="of each person, or seconds that a drag takes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--address", help="of a running app")
    parser.add_argument("--pid", type=int, action="append", default=[], help="of its server, one for each process")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as servers:
        shutil.copytree(ROOT / ".streamlit", Path(folder) / ".streamlit")
        (Path(folder) / "app.py").write_text(BARE)
        log = Path(folder) / "log"
        log.touch()
        places = {}
        for bare in {CROWDS[name].bare for name in asked.crowds or CROWDS}:
            if asked.address and not bare:
                places[bare] = asked.address, asked.pid
            else:
                server = servers.enter_context(serving(Path(folder) if bare else ROOT, log))
                places[bare] = server.address, [server.pid]
            asyncio.run(play(Crowd(1, ("",) if bare else PAGES, bare), *places[bare][:1], 1, []))  # warm
        for name in asked.crowds or CROWDS:
            random.seed(asked.seed)
            address, pids = places[CROWDS[name].bare]
            print(f"{name}: {asyncio.run(play(CROWDS[name], address, asked.moves, pids))}", flush=True)
        print(f"tracebacks in the log: {log.read_text().count('Traceback')}")


if __name__ == "__main__":
    main()
