"""Where the runs of a sweep are made: in this process, in one process a core, or on a Dask cluster."""

import contextlib
import importlib.util
import logging
import math
import os
import signal
import sys
import types
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from looped.budget import cores
from looped.fields import SettingsError
from looped.signals import stopped_by

Item = TypeVar("Item")
Made = TypeVar("Made")
Work = Callable[[Item], Iterator[Made | None]]
"""Makes one run step by step: gives None after a step, and at last what the run has made."""

ADDRESS = "DASK_SCHEDULER_ADDRESS"
SHORT = 3.0
"""Seconds; what is estimated to take less is made in this process, which is ready."""
BATCH_SECONDS = 0.5
"""About as long should a worker be busy with what it is sent at once."""
MOST_IN_A_BATCH = 200
CONNECT = 10
"""Seconds to wait for a scheduler."""
RETRIES = 2
"""How often a batch is made again when its worker is lost."""
BEFORE_START = {
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None,
    "distributed.nanny.pre-spawn-environ.DASK_DISTRIBUTED__LOGGING__DISTRIBUTED": "critical",
}
"""Environment of local workers. Dask's own setting of the first gives memory back to the system at every step of a
training, which then takes half as long again (9.5 s and 4.6 s in the system against 8.6 s and 0.1 s, 100 steps of a
preconditioner). What goes wrong is said by the sweep, and not by the second; both are read before a worker starts."""
ANY_PORT = "127.0.0.1:0"
"""Without a dashboard the scheduler still serves its health, by default where another may, of which Dask would warn."""
NEEDS = "needs Dask: pip install 'looped[cluster]'."


def dask_is_there() -> bool:
    """Whether the extra `cluster` is installed."""
    return importlib.util.find_spec("distributed") is not None


def each(
    work: Work[Item, Made],
    items: Mapping[str, Item],
    seconds: float = math.inf,
    *,
    scheduler: str | None = None,
    workers: int | None = None,
) -> Generator[list[tuple[str, Made]]]:
    """Make runs, and give what they made as they finish.

    Args:
        work: makes one.
        items: what it needs for each, by the key of the run.
        seconds: estimated CPU seconds of all of them; many where none is given.
        scheduler: address of a Dask scheduler; `DASK_SCHEDULER_ADDRESS` where none is given.
        workers: processes of this machine, one a core if not given; 0 makes the runs in this process, also where the
            environment names a scheduler.

    Yields:
        Finished runs by their keys: in this process, in the order of `items`, each at once, and none after a step that
        is not the last of its run; else a batch as it comes back.

    Raises:
        SettingsError: if Dask is not installed, if no scheduler answers, if a worker has another version of the
            package, or, while runs are made, if the scheduler is lost.
        Exception: what the work raises.
    """
    if not items:
        return
    address = scheduler or (os.environ.get(ADDRESS, "") if workers != 0 else "")
    number = cores() if workers is None else workers
    if not address and (number == 0 or (workers is None and (seconds < SHORT or number == 1 or not dask_is_there()))):
        for key, item in items.items():
            for made in work(item):
                yield [] if made is None else [(key, made)]
        return
    keys = list(items)
    size = int(min(MOST_IN_A_BATCH, max(1, BATCH_SECONDS * len(keys) / max(seconds, 1e-3))))
    size = min(size, max(1, len(keys) // (4 * max(number, 1))))
    batches = [keys[start : start + size] for start in range(0, len(keys), size)]
    with client_of(address, number) as client:
        from distributed import as_completed
        from distributed.comm.core import CommClosedError

        futures = client.map(
            _batch, [work] * len(batches), [[items[key] for key in batch] for batch in batches],
            pure=False, retries=RETRIES, batch_size=1000,
        )  # fmt: skip
        places = {future.key: batch for future, batch in zip(futures, batches, strict=True)}
        for future in as_completed(futures, loop=client.loop):
            try:
                made = None if future.status in ("lost", "cancelled") else future.result()
            except CommClosedError:  # an OSError, but none of the folder
                made = None
            if made is None:
                raise SettingsError("scheduler", f"The scheduler{f' at {address}' if address else ''} was lost.")
            yield list(zip(places[future.key], made, strict=True))
            future.release()


def every(work: Work[Item, Made], items: Mapping[str, Item], workers: int | None = None) -> dict[str, Made]:
    """What each run made, in the order of `items`, while standard error says how many are finished; else as `each`."""
    made: dict[str, Made] = {}
    for news in each(work, items, workers=workers):
        made |= news
        print(f"\r{len(made)} of {len(items)}\033[K", end="", file=sys.stderr)
    return {key: made[key] for key in items}


def _batch(work: Work[Item, Made], items: Sequence[Item]) -> list[Made]:
    """Several runs one after the other, on a worker."""
    from looped.threads import one_thread  # with PyTorch, which the process that asks may not need

    with one_thread():
        return [made for item in items for made in work(item) if made is not None]


@contextlib.contextmanager
def client_of(address: str, workers: int) -> Iterator[Any]:
    """A client of the cluster at an address, or of as many processes of this machine, which end with it.

    Raises:
        SettingsError: as `connect`.
    """
    if not dask_is_there():
        raise SettingsError("scheduler" if address else "workers", f"A sweep on several processes {NEEDS}")
    import dask
    from distributed import Client, LocalCluster

    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with contextlib.ExitStack() as stack:
        if address:
            yield stack.enter_context(connect(address))
            return
        stack.enter_context(_no_main())
        stack.enter_context(dask.config.set(BEFORE_START))
        with _whole():
            cluster = stack.enter_context(
                LocalCluster(
                    n_workers=workers, threads_per_worker=1,
                    dashboard_address=None, scheduler_kwargs={"dashboard_address": ANY_PORT},
                )
            )  # fmt: skip
        yield stack.enter_context(Client(cluster, set_as_default=False))


def connect(address: str) -> Any:
    """A client of the scheduler at an address.

    Raises:
        SettingsError: if Dask is not installed, if no scheduler answers, if it has no worker, or if a worker has
            another version of the package.
    """
    if not dask_is_there():
        raise SettingsError("scheduler", f"A scheduler {NEEDS}")
    from distributed import Client

    try:
        client = Client(address, timeout=CONNECT, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        why = f"No scheduler answers at {address} ({type(error).__name__})"
        raise SettingsError("scheduler", f"{why}: start one there, or leave it out to run here.") from None
    _same_versions(client, address)
    return client


@contextlib.contextmanager
def _whole() -> Iterator[None]:
    """A signal that would end the run comes after this: a cluster that has started in part cannot be closed."""
    told: list[tuple[int, types.FrameType | None]] = []
    with stopped_by(lambda number, frame: told.append((number, frame))):
        yield
    for number, frame in told[:1]:
        if callable(handle := signal.getsignal(number)):
            handle(number, frame)
        else:
            signal.raise_signal(number)


@contextlib.contextmanager
def _no_main() -> Iterator[None]:
    """Processes that start now do not run the caller's script once more, which each would as its first deed."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _same_versions(client: Any, address: str) -> None:
    from looped import __version__

    def version() -> str:  # sent as it is: a worker may not have this module
        import looped

        return looped.__version__

    try:
        client.wait_for_workers(1, timeout=CONNECT)
    except TimeoutError:
        why = f"The scheduler at {address} has no worker after {CONNECT} s: start one with `dask worker {address}`."
        raise SettingsError("scheduler", why) from None
    try:
        found = set(client.run(version).values())
    except Exception as error:
        raise SettingsError(
            "scheduler", f"A worker at {address} cannot import looped ({error}): install looped {__version__} there."
        ) from None
    if found != {__version__}:
        others = ", ".join(sorted(found - {__version__}))
        why = f"Workers at {address} have looped {others}, and this is {__version__}: install the same there."
        raise SettingsError("scheduler", why)
