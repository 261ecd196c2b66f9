"""Imports: nothing slow is loaded before it is needed, and an installed package has what it reads."""

import asyncio
import json
import os
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from benchmarks.start import ROOT, serving
from looped.experiments import EXPERIMENTS
from tests.app import PATIENCE

LATER = ("streamlit", "plotly", "pandas", "sklearn", "scipy", "transformers")
START = {
    "the package": "import looped",
    "its settings": "import looped; assert looped.Settings().loops == 50",
    "the help": "from looped.cli import main; main(['--help'])",
    "a run without files": "from looped.cli import main; main(['compare', '--T', '2', '--prompts', '2'])",
}


@pytest.mark.parametrize("start", START)
def test_it_loads_no_library_that_it_does_not_need(start):
    unneeded = LATER if start == "a run without files" else ("torch", *LATER)
    loaded = (
        f"import atexit, sys; atexit.register(lambda: print(*({{*{unneeded}}} & {{*sys.modules}}), file=sys.stderr))"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"{loaded}; {START[start]}"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stderr.splitlines()[-1] == ""


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize(("file", "unneeded"), [("app.py", LATER[2:]), ("pages/context.py", LATER[2:4])])
def test_a_page_with_generated_data_loads_no_table_library(file, unneeded, live):
    code = (
        "import sys; from streamlit.testing.v1 import AppTest;"
        f"page = AppTest.from_file({str(ROOT / file)!r}, default_timeout=120);"
        f"page.session_state['live'] = {live}; page.run();"
        "assert page.number_input and not page.exception;"
        f"print(*({{*{unneeded}}} & {{*sys.modules}}))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_the_code_of_charts_is_asked_for_before_pytorch_is_imported():
    code = (
        "import sys; from pathlib import Path; import streamlit as st; from streamlit.testing.v1 import AppTest;"
        "html, early = st.html, [];"
        "st.html = lambda body, **options: (early.append((body, 'torch' in sys.modules)), html(body, **options))[1];"
        f"page = AppTest.from_file({str(ROOT / 'app.py')!r}, default_timeout=120).run();"
        "assert page.number_input and not page.exception;"
        "(asked, late), *_ = [(body, late) for body, late in early if 'import(' in body];"
        "name = asked.split('static/js/')[1].split('\"')[0];"
        "assert (Path(st.__file__).parent / 'static/static/js' / name).is_file();"
        "print(late)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


async def titles(address, page):
    """The titles in the first navigation that a visitor of that page is shown."""
    asked = BackMsg()
    asked.rerun_script.page_name = page
    stream = address.replace("http", "ws", 1) + "/_stcore/stream"
    async with asyncio.timeout(PATIENCE), websockets.connect(stream, subprotocols=["streamlit"], max_size=None) as wire:
        await wire.send(asked.SerializeToString())
        said = ForwardMsg()
        while said.WhichOneof("type") != "navigation":
            said = ForwardMsg.FromString(await wire.recv())
        return {shown.page_name for shown in said.navigation.app_pages}


@pytest.mark.thorough
def test_a_servers_first_visitor_sees_the_titles_of_the_pages_and_not_the_names_of_their_files():
    with serving(ROOT) as server:
        found = asyncio.run(titles(server.address, "beyond"))
    assert found == {experiment.title for experiment in EXPERIMENTS.values()}


def test_a_folder_that_is_called_like_the_package_does_not_hide_it(tmp_path):
    """As in the folder above a clone."""
    installed = metadata.distribution("looped").read_text("direct_url.json") or "{}"
    if json.loads(installed).get("url") != ROOT.as_uri():
        pytest.skip("another checkout is installed here")
    (tmp_path / "looped").mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", "import looped; print(looped.__file__)"], cwd=tmp_path, env=environment,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert Path(done.stdout.strip()) == ROOT / "looped" / "__init__.py"


def test_a_wheel_carries_every_file_that_is_read_beside_the_code():
    carried = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    listed = {
        path
        for package, patterns in carried.items()
        for pattern in patterns
        for path in (ROOT / package.replace(".", "/")).glob(pattern)
    }
    for line in (ROOT / "MANIFEST.in").read_text().splitlines():  # a wheel takes what it includes from a package, too
        kind, folder, *patterns = line.split()
        if kind == "recursive-include" and folder in carried:
            listed |= {path for pattern in patterns for path in (ROOT / folder).rglob(pattern)}
    read = {path for package in ("looped", "looped_ui") for path in (ROOT / package).rglob("*") if path.is_file()}
    assert {path for path in read if path.suffix not in (".py", ".pyc")} == listed
