"""Results that are kept: the last used ones, within a number of entries and of bytes.

Those of a file that a visitor brought are kept in the visitor's session, and are gone with it.
"""

import inspect
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import fields, is_dataclass
from threading import Lock
from typing import Any, Generic, ParamSpec, TypeVar

import numpy as np
import streamlit as st
import torch

P = ParamSpec("P")
R = TypeVar("R")
MEBIBYTE = 1024**2
OWN = "kept_for_the_visitor"
"""Key in the session of what is the visitor's own."""
OWN_SHARE = 1 / 4
"""Bytes that are kept for one visitor alone, as a share of those for all together."""
_MISSING = object()
_visitor: "ContextVar[dict[str, Store] | None]" = ContextVar("visitor", default=None)


class _Entry:
    def __init__(self) -> None:
        self.lock, self.value, self.bytes = Lock(), _MISSING, 0


class Store:
    """Values by key; the one that was not used for the longest time goes first.

    Args:
        entries: The most that are kept.
        bytes: The most that they weigh together; the last used one is kept whatever it weighs.
    """

    def __init__(self, entries: int, bytes: float) -> None:  # noqa: A002
        self.entries, self.bytes = entries, bytes
        self._kept: OrderedDict[Any, _Entry] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def weight(self) -> int:
        """Bytes of all that is kept."""
        with self._lock:
            return sum(entry.bytes for entry in self._kept.values())

    def get(self, key: Any, make: Callable[[], Any]) -> Any:
        """The value of a key, made if it is not kept; one that is being made is waited for. Errors are not kept."""
        with self._lock:
            entry = self._kept.setdefault(key, _Entry())
            self._kept.move_to_end(key)
        with entry.lock:
            if entry.value is _MISSING:
                try:
                    entry.value = make()
                finally:
                    if entry.value is _MISSING:
                        self._forget(key, entry)
                entry.bytes = weigh(entry.value)
                self._trim()
            return entry.value

    def known(self, key: Any) -> Any:
        """The value of a key if it is kept; None where it is not, or is being made."""
        with self._lock:
            entry = self._kept.get(key)
            if entry is None or entry.value is _MISSING:
                return None
            self._kept.move_to_end(key)
            return entry.value

    def clear(self) -> None:
        """Keep nothing any more."""
        with self._lock:
            self._kept.clear()

    def _forget(self, key: Any, entry: _Entry) -> None:
        with self._lock:
            if self._kept.get(key) is entry:
                del self._kept[key]

    def _trim(self) -> None:
        with self._lock:
            weight = sum(entry.bytes for entry in self._kept.values())
            while len(self._kept) > 1 and (len(self._kept) > self.entries or weight > self.bytes):
                weight -= self._kept.popitem(last=False)[1].bytes


class Kept(Generic[P, R]):
    """A function whose results are kept, as `kept` makes it."""

    def __init__(
        self, function: Callable[P, R], entries: int, mebibytes: float, own: Callable[[Mapping[str, Any]], bool] | None
    ) -> None:
        self._function, self._own = function, own
        self._signature = inspect.signature(function)
        self._entries, self._bytes = entries, mebibytes * MEBIBYTE
        self._name = f"kept_{function.__module__}.{function.__qualname__}"
        self.shared = Store(self._entries, self._bytes)

    def __call__(self, *arguments: P.args, **named: P.kwargs) -> R:
        """The function's result, kept or new."""
        store, key = self._place(*arguments, **named)
        result: R = store.get(key, lambda: self._function(*arguments, **named))
        return result

    def known(self, *arguments: P.args, **named: P.kwargs) -> R | None:
        """The function's result if it is kept; None where it is not, or is being made."""
        store, key = self._place(*arguments, **named)
        result: R | None = store.known(key)
        return result

    def key(self, *arguments: P.args, **named: P.kwargs) -> tuple[object, ...]:
        """What the function's result is known by."""
        return self._place(*arguments, **named)[1]

    def _place(self, *arguments: P.args, **named: P.kwargs) -> tuple[Store, tuple[object, ...]]:
        """Where the result is kept, and its key there."""
        bound = self._signature.bind(*arguments, **named)
        bound.apply_defaults()
        key = tuple(value for name, value in bound.arguments.items() if not name.startswith("_"))
        store = self.shared
        if self._own is not None and self._own(bound.arguments):
            store = own().setdefault(self._name, Store(self._entries, self._bytes * OWN_SHARE))
        return store, key

    def clear(self) -> None:
        """Keep nothing any more of what all visitors share."""
        self.shared.clear()


def own() -> dict[str, Store]:
    """What is kept for the visitor alone whose page is run, or for whom `of` was entered."""
    stores = _visitor.get()
    mine: dict[str, Store] = st.session_state.setdefault(OWN, {}) if stores is None else stores
    return mine


@contextmanager
def of(stores: dict[str, Store]) -> Iterator[None]:
    """Work for the visitor with these stores outside of a run of the page."""
    before = _visitor.set(stores)
    try:
        yield
    finally:
        _visitor.reset(before)


def kept(
    entries: int, mebibytes: float, own: Callable[[Mapping[str, Any]], bool] | None = None
) -> Callable[[Callable[P, R]], Kept[P, R]]:
    """Keep the results of a function; arguments whose names begin with an underscore have no part in the key.

    Args:
        entries: The most that are kept.
        mebibytes: The most that they weigh together; for one visitor alone, `OWN_SHARE` of it.
        own: tells from the arguments by name whether a result belongs to the visitor alone.
    """
    return lambda function: Kept(function, entries, mebibytes, own)


def weigh(value: object) -> int:
    """Bytes of the numbers and texts that a result holds, each counted once; an estimate of the memory it keeps."""
    weight, seen, stack = 0, set(), [value]
    while stack:
        item = stack.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, np.ndarray) and item.base is not None:
            stack.append(item.base)
        elif isinstance(item, np.ndarray | torch.Tensor):
            weight += item.nbytes
        elif hasattr(item, "memory_usage"):  # a table of pandas, which may not have been imported
            weight += int(item.memory_usage(deep=True).sum())
        elif isinstance(item, str | bytes):
            weight += len(item)
        elif isinstance(item, Mapping):
            weight += 100 * len(item)
            stack.extend(item.values())
        elif isinstance(item, list | tuple | set | frozenset):
            weight += 32 * len(item)
            stack.extend(item)
        elif is_dataclass(item) and not isinstance(item, type):
            stack.extend(getattr(item, field.name) for field in fields(item))
            stack.extend(getattr(item, "__dict__", {}).values())
        elif type(item).__module__.startswith("looped"):
            stack.extend(getattr(item, "__dict__", {}).values())
    return weight
