"""Days of use in an hour: sessions that come and go on one server, and what it holds over time.

`python benchmarks/soak.py [--reruns 20000] [--sessions 200] [--at-once 8]`. Each session opens a page, moves its
sliders, and goes, every fourth by a connection that breaks off; on the page that trains every second one begins a
training. A line for every five per cent says how much memory, how many threads and how many open files the server has;
memory is the mean since the line before, since it rises and falls by half while runs come and go.
After the first 2,000 runs each mean is to stay within 10 % of their middle, and the last quarter of them to be no more
than 10 % above the first; threads and files are to be back at the start when all have gone. The exit status is 1 where
that does not hold, or where a page showed an error. It takes 45 minutes of one core;
Ctrl-C ends it and gives the verdict on what was run.
"""

import argparse
import asyncio
import random
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

from load import PAGES, usage
from start import ROOT, Server, serving
from visitor import Visitor

FLAT = 0.1
"""Share by which memory may differ from the mean once it has settled, and grow from the first quarter to the last."""
SPARE = 4
"""Threads and files that may remain beyond those of the start: those of pools that the server keeps."""
SETTLED = 2000
"""Runs after which memory is to be flat."""
REST = 125.0
"""Seconds after the last session until the server is looked at: for two minutes Streamlit keeps a session, which may
come back, and what is over is dropped when the next one goes."""


@dataclass
class Soak:
    """One run of all sessions."""

    server: Server
    reruns: int
    sessions: int
    done: int = 0
    came: int = 0
    memory: dict[int, float] = field(default_factory=dict)
    """Mean resident MiB since the line before, by runs."""
    since: list[float] = field(default_factory=list)
    """Resident MiB after each run since the last line."""
    ends: bool = False
    """Whether no more sessions are to come, and those that are there are to go."""
    wrong: list[str] = field(default_factory=list)

    async def visit(self) -> None:
        """Sessions one after the other, until enough have come."""
        while self.came < self.sessions and not self.ends:
            number, self.came = self.came, self.came + 1
            visitor = Visitor(self.server.address, PAGES[number % len(PAGES)])
            try:
                await visitor.open()
                if visitor.page == "train" and number % (2 * len(PAGES)) < len(PAGES):
                    await visitor.press("Train")
                for _ in range(self.reruns // self.sessions):
                    if self.ends:
                        break
                    await visitor.move()
                    self.done += 1
                    self.since.append(usage([self.server.pid]).memory)
                    if self.done % max(1, self.reruns // 20) == 0:
                        self.say()
                await (visitor.drop() if number % 4 == 3 else visitor.close())
            except Exception as error:
                self.wrong.append(f"{visitor.page}: {error!r}")
            self.wrong += [f"{visitor.page}: {text}" for text in visitor.exceptions]

    def say(self) -> None:
        """One line on what the server has now."""
        now = usage([self.server.pid])
        self.memory[self.done] = mean = fmean(self.since)
        print(
            f"{self.done:6,} reruns, {self.came:4} sessions: {mean:5.0f} MiB ({min(self.since):.0f} to "
            f"{max(self.since):.0f}), {now.threads} threads, "
            f"{now.files} files, {now.cpu:.0f} s CPU", flush=True,
        )  # fmt: skip
        self.since.clear()


async def leave(server: Server, rest: float) -> None:
    """Wait until Streamlit gives up the sessions that are gone, and let one more go."""
    await asyncio.sleep(rest)
    last = Visitor(server.address)
    await last.open()
    await last.close()
    await asyncio.sleep(2)


async def soak(server: Server, reruns: int, sessions: int, at_once: int, rest: float) -> bool:
    """Let all sessions come and go; whether the server holds what it may."""
    pages = Soak(server, len(PAGES), len(PAGES))
    await pages.visit()  # each page once: it imports what it needs
    await leave(server, rest)
    before, began = usage([server.pid]), time.monotonic()
    print(f"before: {before.memory:.0f} MiB, {before.threads} threads, {before.files} files", flush=True)
    run = Soak(server, reruns, sessions)
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, lambda: setattr(run, "ends", True))
    await asyncio.gather(*(run.visit() for _ in range(at_once)))
    await leave(server, rest)
    after = usage([server.pid])
    settled = [memory for done, memory in run.memory.items() if done > min(SETTLED, reruns // 2)] or [float("nan")]
    quarter = max(1, len(settled) // 4)
    grown = fmean(settled[-quarter:]) / fmean(settled[:quarter]) - 1
    off = max(abs(memory / fmean(settled) - 1) for memory in settled)
    print(
        f"after: {after.memory:.0f} MiB, {after.threads} threads, {after.files} files; {run.done:,} reruns of "
        f"{run.came} sessions in {time.monotonic() - began:.0f} s, memory after the first "
        f"{min(SETTLED, reruns // 2):,} within {off:.1%} of {fmean(settled):.0f} MiB, its last quarter {grown:+.1%} "
        f"beside the first, {len(run.wrong)} errors"
    )
    for text in sorted(set(run.wrong))[:5]:
        print(f"  {text}")
    kept = after.threads - before.threads <= SPARE and after.files - before.files <= SPARE
    return off <= FLAT and grown <= FLAT and kept and not run.wrong


def main() -> None:
    """Serve the app and soak it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reruns", type=int, default=20_000)
    parser.add_argument("--sessions", type=int, default=200)
    parser.add_argument("--at-once", type=int, default=8)
    parser.add_argument("--rest", type=float, default=REST, help="seconds after the last session")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    random.seed(asked.seed)
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with serving(ROOT, log) as server:
            good = asyncio.run(soak(server, asked.reruns, asked.sessions, asked.at_once, asked.rest))
        tracebacks = log.read_text().count("Traceback")
        print(f"tracebacks in the log: {tracebacks}")
    sys.exit(0 if good and not tracebacks else 1)


if __name__ == "__main__":
    main()
