"""Shared by all tests."""

import signal

import pytest
from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

# A run that a shell starts in the background ignores Ctrl-C, and so would the commands that the tests stop with it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The browser's tests, the slowest, come first: near the end only short ones are left to share out."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is None)
