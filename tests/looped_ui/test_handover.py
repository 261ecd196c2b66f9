"""What a run of a page has drawn reaches the browser, whatever comes right after its end."""

import asyncio
import random
import shutil

import pytest

from benchmarks import visitor
from benchmarks.start import ROOT, serving

PAGE = """import streamlit as st
from looped_ui import handover

handover.keep_all()
st.slider("T", 1, 1000, 30)


@st.fragment(run_every=0.02)
def look():
    st.caption("still running")


look()
"""
PEOPLE, MOVES = 8, 40


@pytest.mark.thorough
def test_the_end_of_a_run_is_told_though_a_fragment_begins_at_that_moment(tmp_path, monkeypatch):
    monkeypatch.setattr(visitor, "PATIENCE", 30.0)
    shutil.copytree(ROOT / ".streamlit", tmp_path / ".streamlit")
    (tmp_path / "app.py").write_text(PAGE)

    async def move(address):
        someone = visitor.Visitor(address)
        await someone.open()
        for _ in range(MOVES):
            await someone.move()  # waits for the end of the run
            await asyncio.sleep(random.uniform(0, 0.1))
        await someone.close()
        return not someone.exceptions

    async def all_of_them(address):
        return await asyncio.gather(*(move(address) for _ in range(PEOPLE)))

    with serving(tmp_path, tmp_path / "log") as server:
        assert all(asyncio.run(all_of_them(server.address)))
