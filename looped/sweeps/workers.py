"""Where the runs of a sweep are made: in this process, in one process a core, or on a Dask cluster."""

import contextlib
import importlib.util
import logging
import sys
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from looped.fields import SettingsError
from looped.sweeps.run import Made, batch

Batches = Callable[[Sequence[Sequence[Mapping[str, Any]]]], Iterator[tuple[int, list[Made]]]]
"""Makes batches of runs; gives the number of each that is finished, as they finish, and what it gave."""

ADDRESS = "DASK_SCHEDULER_ADDRESS"
CONNECT = 10
"""Seconds to wait for a scheduler."""
RETRIES = 2
"""How often a batch is made again when its worker is lost."""
MEMORY = {"distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None}
"""Dask's own setting gives memory back to the system at every step of a training, which then takes half as long again
(9.5 s and 4.6 s in the system against 8.6 s and 0.1 s, 100 steps of a preconditioner)."""
QUIET = {"DASK_DISTRIBUTED__LOGGING__DISTRIBUTED": "critical"}
"""The environment of workers: what goes wrong is said by the sweep."""
NEEDS = "needs Dask: pip install 'looped[cluster]'."


def dask_is_there() -> bool:
    """Whether the extra `cluster` is installed."""
    return importlib.util.find_spec("distributed") is not None


@contextlib.contextmanager
def here(experiment: str, keep: bool) -> Iterator[Batches]:
    """Runs in this process, one after the other."""

    def make(batches: Sequence[Sequence[Mapping[str, Any]]]) -> Iterator[tuple[int, list[Made]]]:
        for place, many in enumerate(batches):
            yield place, batch(experiment, many, keep)

    yield make


@contextlib.contextmanager
def on_dask(experiment: str, keep: bool, address: str, workers: int) -> Iterator[Batches]:
    """Runs on the cluster at an address, or in as many processes of this machine.

    Raises:
        SettingsError: if Dask is not installed, if no scheduler answers, if a worker has another version of the
            package, or, while runs are made, if the scheduler is lost.
    """
    if not dask_is_there():
        raise SettingsError("scheduler" if address else "workers", f"A sweep on several processes {NEEDS}")
    import dask
    from distributed import Client, LocalCluster, as_completed

    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with contextlib.ExitStack() as stack:
        if address:
            client = stack.enter_context(connect(address))
        else:
            stack.enter_context(_no_main())
            stack.enter_context(dask.config.set(MEMORY))
            cluster = stack.enter_context(
                LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None, env=QUIET)
            )
            client = stack.enter_context(Client(cluster, set_as_default=False))

        def make(batches: Sequence[Sequence[Mapping[str, Any]]]) -> Iterator[tuple[int, list[Made]]]:
            futures = client.map(
                batch, [experiment] * len(batches), batches, keep=keep, pure=False, retries=RETRIES, batch_size=1000
            )
            places = {future.key: place for place, future in enumerate(futures)}
            for future in as_completed(futures, loop=client.loop):
                if future.status in ("lost", "cancelled"):
                    raise SettingsError("scheduler", f"The scheduler{f' at {address}' if address else ''} was lost.")
                yield places[future.key], future.result()
                future.release()

        yield make


def connect(address: str) -> Any:
    """A client of the scheduler at an address.

    Raises:
        SettingsError: if Dask is not installed, if no scheduler answers, or if a worker has another version of the
            package.
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

    client.wait_for_workers(1, timeout=CONNECT)
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
