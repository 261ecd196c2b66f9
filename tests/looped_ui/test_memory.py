"""Memory that a server's threads have freed goes back to the system."""

import platform
import subprocess
import sys

import pytest

from tests.app import PATIENCE, ROOT

WORKLOAD = """
import ctypes, resource, sys, threading, time
from pathlib import Path
from looped_ui import memory

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20

memory.EVERY = 0.05
if sys.argv[1] == "with":
    memory.keep_low()
allocate, free = ctypes.CDLL(None).malloc, ctypes.CDLL(None).free
allocate.restype, free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]

def run():
    \"""Allocate 32 MiB in blocks of 64 KiB, and free all but each eighth, so that no end of the heap is free.\"""
    blocks = [allocate(2**16) for _ in range(512)]
    for block in blocks:
        ctypes.memset(block, 1, 2**16)
    for place, block in enumerate(blocks):
        if place % 8:
            free(block)

before = resident()
threads = [threading.Thread(target=run) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
held = resident() - before
until = time.monotonic() + float(sys.argv[2])
while resident() - before > 48 and time.monotonic() < until:
    time.sleep(0.02)
print(f"{held:.0f} {resident() - before:.0f}")
"""
"""Four threads keep 16 of 128 MiB; it prints what is resident at once and after a while, in MiB."""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries keep memory in their own ways")
@pytest.mark.parametrize(("kind", "seconds"), [("with", PATIENCE), ("without", 1)])
def test_what_threads_have_freed_is_returned(kind, seconds):
    done = subprocess.run(
        [sys.executable, "-c", WORKLOAD, kind, str(seconds)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    _, after = map(float, done.stdout.split())
    assert (after < 48) == (kind == "with")
