"""Two visitors of one server: what one brings and begins is no other's, is gone when they go, and is on no disk."""

import asyncio
import contextlib
import resource
import time
from pathlib import Path

import pytest

from benchmarks.start import ENVIRONMENT, ROOT, serving
from benchmarks.visitor import Visitor
from tests.app import PATIENCE

SECRET = "salary_of_alice"
ROWS = 9000
TABLE = f"{SECRET},{'b' * 300},y\n" + "".join(f"{k},{k * k % 97}{'0' * 300},{k % 13}\n" for k in range(ROWS))
MOST_ON_DISK = 512 * 1024
"""Bytes that a file of this server may have: less than the table."""
pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module", name="server")
def fixture_server(tmp_path_factory):
    """A server in a folder of its own, in which no file can grow to the size of the table, and its folder."""
    folder = tmp_path_factory.mktemp("own")
    for name in ("app.py", "pages", "docs", ".streamlit"):
        (folder / name).symlink_to(ROOT / name)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ENVIRONMENT, "TMPDIR", str(folder))
        resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_ON_DISK, limit[1]))
        with serving(folder, folder / "log") as server:
            resource.setrlimit(resource.RLIMIT_FSIZE, limit)
            yield server, folder


class Reader(Visitor):
    """A visitor who remembers all that the page ever showed."""

    def __post_init__(self):
        super().__post_init__()
        self.seen = b""

    def _see(self, element, fragment):
        self.seen += element.SerializeToString()
        super()._see(element, fragment)


def buttons(visitor):
    """The labels of the buttons on the page."""
    return {element.button.label for element, _ in visitor.elements.values() if element.WhichOneof("type") == "button"}


def on_disk(server, folder):
    """The files below the server's folder, and the open ones that have no name any more."""
    named = {str(path.relative_to(folder)) for path in folder.rglob("*")}
    links = []
    for link in Path(f"/proc/{server.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            links.append(str(link.readlink()))
    return named | {link for link in links if "(deleted)" in link}


def steps_aside(pid):
    """How many threads of the server have a lower priority than its first: those that train."""
    nice = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        stat = (task / "stat").read_text().rpartition(")")[2].split()
        nice.append((int(task.name) != pid, int(stat[16])))
    return sum(value > min(nice)[1] for _, value in nice)


async def until(condition):
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.02)


def test_a_table_and_a_held_curve_are_no_others_and_on_no_disk(server):
    server, folder = server

    async def play():
        before = on_disk(server, folder)
        alice = Reader(server.address, query="data=csv")
        await alice.open()
        await alice.upload(f"{SECRET}.csv", TABLE.encode())
        await alice.press("Hold this curve")
        assert SECRET.encode() in alice.seen
        bob = Reader(server.address, query="data=csv&hold=data%3Dcsv")
        await bob.open()
        await bob.move()
        after = on_disk(server, folder)
        await alice.close()
        carol = Reader(server.address, query=alice.query)
        await carol.open()
        for other in (bob, carol):
            assert f"{SECRET}.csv".encode() not in other.seen
            assert not other.exceptions
            await other.close()
        assert SECRET.encode() not in bob.seen
        assert "Let go" not in " ".join(buttons(bob))
        assert after == before

    asyncio.run(play())
    assert "Traceback" not in (folder / "log").read_text()


@pytest.mark.parametrize("goes", ["close", "drop", pytest.param("fall_silent", marks=pytest.mark.slow)])
def test_a_training_is_no_others_and_ends_when_the_connection_does(server, goes):
    server, _ = server

    async def play():
        alice, bob = Reader(server.address, "train"), Reader(server.address, "train")
        await alice.open()
        await alice.press("Train")
        await until(lambda: steps_aside(server.pid))
        await alice.run()
        await bob.open()
        assert "Stop" in buttons(alice)
        assert "Stop" not in buttons(bob)
        began = time.monotonic()
        await getattr(alice, goes)()
        await until(lambda: not steps_aside(server.pid))
        print(f"{goes}: the place was free after {time.monotonic() - began:.2f} s")  # 0.1 to 0.7 s, silent 10 to 20 s
        await bob.close()
        if goes == "fall_silent":
            await alice.drop()

    asyncio.run(play())
