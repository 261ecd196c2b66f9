"""A slider move beside trainings in threads of the server, as on the pages, and in processes.

`python benchmarks/beside.py [SECONDS]`; the moves are runs of the first page in this process. Kinds are taken in turns,
and trainings stand still in between, so that other work on the machine slows all of them alike. Trainings have the
niceness of a page's job either way. Behind each ratio of medians stands where 95 % of resampled ones lie.
"""

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import numpy as np
from start import ENVIRONMENT, ROOT

from looped import TrainSettings
from looped.experiments.train import TrainWork
from looped.threads import keep_to_one_thread
from looped_ui.work import _step_back

sys.path.insert(0, str(ROOT))
from tests.app import open_page

MOST = 2
KINDS = [("no", 0), ("thread", 1), ("process", 1), ("thread", 2), ("process", 2)]
SLIDERS = ("T_slider", "n_slider", "d_slider", "kappa_slider")
OVER = threading.Event()
REST = 0.05
"""Seconds within which a training has made its step."""


def train(goes_on: threading.Event) -> None:
    """Train while it is set, to the end of the process."""
    _step_back()
    while True:
        for _ in TrainWork(TrainSettings(weights="preconditioner", steps=20_000)).run():
            goes_on.wait()
            if OVER.is_set():
                return


def main(seconds: float) -> None:
    """Measure and print."""
    page, waits = open_page("compare"), {kind: [] for kind in KINDS}
    gates = [threading.Event() for _ in range(MOST)]
    for gate in gates:
        threading.Thread(target=train, args=(gate,), daemon=True).start()
    run = [sys.executable, __file__, "train"]
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(subprocess.Popen(run, env=ENVIRONMENT, stdout=subprocess.PIPE)) for _ in gates]
        stack.callback(lambda: [process.kill() for process in processes])
        for process in processes:
            assert process.stdout is not None
            process.stdout.readline()  # it has imported PyTorch

        @contextlib.contextmanager
        def beside(kind: str, number: int) -> Iterator[None]:
            for gate, process in list(zip(gates, processes, strict=True))[:number]:
                gate.set() if kind == "thread" else process.send_signal(signal.SIGCONT)
            time.sleep(REST)
            yield
            for gate, process in zip(gates, processes, strict=True):
                gate.clear()
                process.send_signal(signal.SIGSTOP)
            time.sleep(REST)

        with beside("no", 0):
            pass
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for kind in random.sample(KINDS, len(KINDS)):
                slider = page.select_slider(key=random.choice(SLIDERS))
                slider.set_value(float(random.choice(slider.options)))
                with beside(*kind):
                    began = time.perf_counter()
                    page.run()
                    waits[kind].append(time.perf_counter() - began)
    OVER.set()
    for gate in gates:
        gate.set()
    rng, found = np.random.default_rng(0), {kind: np.array(times) for kind, times in waits.items()}
    alone = found[KINDS[0]]
    for (kind, number), times in found.items():
        drawn = rng.integers(len(times), size=(2000, len(times)))
        ratios = np.quantile(np.median(times[drawn], axis=1) / np.median(alone[drawn], axis=1), [0.025, 0.975])
        half, most = 1e3 * np.quantile(times, [0.5, 0.95])
        print(
            f"{number} in a {kind}: {half:.0f} ms, 95 % {most:.0f} ms, {np.median(times) / np.median(alone):.2f} times "
            f"as long ({ratios[0]:.2f} to {ratios[1]:.2f}), {len(times)} moves"
        )
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    keep_to_one_thread()
    if sys.argv[1:] == ["train"]:
        always = threading.Event()
        always.set()
        print("ready", flush=True)
        train(always)
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 200)
