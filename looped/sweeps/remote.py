"""Work that runs step by step, on a worker of a Dask cluster: its records and its state come back as they are made."""

import pickle
import threading
import time
import uuid
from collections.abc import Iterator
from functools import lru_cache
from importlib import import_module
from typing import Any, Protocol, TypeVar

from looped.fields import SettingsError
from looped.sweeps import workers as places
from looped.threads import one_thread

EVERY = 0.3
"""Seconds between two messages of a worker."""
UNREAD = 10
"""Seconds after which a worker gives up work whose messages nobody reads."""
MESSAGES = 4
"""Most messages that wait to be read."""


class Steps(Protocol):
    """What can be pickled between two steps and goes on where it was."""

    def run(self) -> Iterator[Any]:
        """Continue from the present state."""


W = TypeVar("W", bound=Steps)


def steps(work: W, address: str, told_to_stop: threading.Event) -> Iterator[tuple[list[Any], W]]:
    """Run work on a worker, from its present state.

    A worker that is lost costs what it did since its last message: another one goes on from there.

    Args:
        work: what is run; it stays as it is, and its state comes back.
        address: address of the scheduler.
        told_to_stop: once it is set, the worker stops after its step, and its last state comes back.

    Yields:
        The records since the last message, and the work as it is after them.

    Raises:
        SettingsError: if no scheduler answers, if a worker has another version of the package, or if the scheduler is
            lost.
        Exception: what the work raises.
    """
    client = _client(address)
    attempt = ""
    while True:
        with _Sent(client, work) as sent:
            while (message := sent.next(told_to_stop)) is not None:
                by, records, now = pickle.loads(message)
                if attempt not in ("", by):  # the scheduler gave it, from its start, to another worker
                    break
                attempt, work = by, now
                yield records, work
            else:
                return
            attempt = ""


class _Sent:
    """Work on its way: a task, the queue of its messages, and the event that stops it."""

    def __init__(self, client: Any, work: Steps) -> None:
        dask: Any = import_module("distributed")
        name = f"looped-{uuid.uuid4().hex}"
        self.client = client
        self.queue, self.stop = dask.Queue(name, client=client, maxsize=MESSAGES), dask.Event(name, client=client)
        self.task = client.submit(_away, pickle.dumps(work), name, pure=False, key=name)
        self.told_at = 0.0

    def next(self, told_to_stop: threading.Event) -> bytes | None:
        """The next message, or None when there will be none."""
        while self.client.status == "running":
            if told_to_stop.is_set() and not self.told_at:
                self.stop.set()
                self.told_at = time.monotonic()
            done = self.task.done()  # read before the queue: its last message is sent before it ends
            try:
                return bytes(self.queue.get(timeout=EVERY))
            except TimeoutError:
                pass
            except OSError:  # the connection
                break
            if done:
                self.task.result()
                return None
            if self.told_at and self.task.status == "pending" and time.monotonic() > self.told_at + UNREAD:
                return None  # no worker has it
        raise SettingsError("scheduler", "The scheduler was lost; the results so far are kept.")

    def __enter__(self) -> "_Sent":
        return self

    def __exit__(self, *error: object) -> None:
        if self.client.status == "running" and not isinstance(error[1], SettingsError):
            self.stop.set()
            self.task.cancel()
            self.queue.close()


def _away(pickled: bytes, name: str) -> None:
    """Run work here, on a worker, and send what it makes."""
    dask: Any = import_module("distributed")
    work, attempt = pickle.loads(pickled), uuid.uuid4().hex
    with dask.worker_client(separate_thread=False) as client, one_thread():
        queue, stop = dask.Queue(name, client=client, maxsize=MESSAGES), dask.Event(name, client=client)
        records: list[Any] = []
        sent = time.monotonic()
        for record in work.run():
            records.append(record)
            if time.monotonic() - sent > EVERY:
                queue.put(pickle.dumps((attempt, records, work)), timeout=UNREAD)
                if stop.is_set():
                    return
                records, sent = [], time.monotonic()
        queue.put(pickle.dumps((attempt, records, work)), timeout=UNREAD)


_CONNECTING = threading.Lock()


def _client(address: str) -> Any:
    """The connection to a scheduler, one for all work of this process."""
    with _CONNECTING:
        client = _connected(address)
        if client.status != "running":
            _connected.cache_clear()
            client = _connected(address)
        return client


@lru_cache(maxsize=1)
def _connected(address: str) -> Any:
    return places.connect(address)
