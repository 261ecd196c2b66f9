"""The server asks no other: neither as it starts, nor for a page, nor when another site's page connects to it."""

import asyncio

import pytest
import websockets

from benchmarks.start import ROOT, serving
from benchmarks.visitor import Visitor

HEARD = """
import runpy, socket, sys

def hear(event, told):
    if event == "socket.getaddrinfo" and told[0] not in (None, "", "localhost", "127.0.0.1", "::", "0.0.0.0"):
        print("ASKED", event, told[0], flush=True)
    if event == "socket.connect" and told[0].type != socket.SOCK_DGRAM:  # a datagram socket sends nothing by that
        print("ASKED", event, told[1], flush=True)

sys.addaudithook(hear)
{more}
runpy.run_module("streamlit", run_name="__main__", alter_sys=True)
"""
"""Streamlit in a Python that says of every name that is looked up, and of every connection that is begun."""


async def a_foreign_visit(address):
    """What the page of another site can do: it is turned away."""
    with pytest.raises(websockets.InvalidStatus, match="403"):
        await websockets.connect(
            address.replace("http", "ws", 1) + "/_stcore/stream", subprotocols=["streamlit"],
            origin="http://elsewhere.example",
        )  # fmt: skip


async def an_ordinary_visit(address):
    visitor = Visitor(address)
    await visitor.open()
    await visitor.move()
    await visitor.close()


@pytest.mark.thorough
def test_the_server_asks_no_other(tmp_path):
    log = tmp_path / "log"
    with serving(ROOT, log, ("-c", HEARD.format(more=""))) as server:
        asyncio.run(a_foreign_visit(server.address))
        asyncio.run(an_ordinary_visit(server.address))
    assert "You can now view" in log.read_text()
    assert "ASKED" not in log.read_text()


@pytest.mark.thorough
def test_a_name_that_is_looked_up_would_be_heard(tmp_path):
    log = tmp_path / "log"
    asks = 'try: socket.getaddrinfo("elsewhere.example", 80)\nexcept OSError: pass'
    with serving(ROOT, log, ("-c", HEARD.format(more=asks))):
        pass
    assert "ASKED socket.getaddrinfo elsewhere.example" in log.read_text()
