"""The visitor of the load test hears when a run ends, and counts the ends that Streamlit does not tell."""

import asyncio

import pytest
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from benchmarks.visitor import Visitor


def began(*fragments):
    message = ForwardMsg()
    message.new_session.page_script_hash = "page"
    message.metadata.run.fragment_ids.extend(fragments)
    return message


def ended(status, *fragments):
    message = ForwardMsg(script_finished=status)
    message.metadata.run.fragment_ids.extend(fragments)
    return message


class Told:
    """A connection over which these messages come."""

    def __init__(self, messages):
        self.messages = messages

    async def __aiter__(self):
        for message in self.messages:
            yield message.SerializeToString()


WHOLE, EARLY, FRAGMENT = (
    ForwardMsg.FINISHED_SUCCESSFULLY,
    ForwardMsg.FINISHED_EARLY_FOR_RERUN,
    ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY,
)


@pytest.mark.parametrize(
    ("messages", "ends", "cut"),
    [
        ([began(), ended(WHOLE), began("a"), ended(FRAGMENT, "a")], [WHOLE, FRAGMENT], 0),
        ([began(), began("a"), ended(FRAGMENT, "a")], [WHOLE], 1),
        ([began(), began("a"), ended(EARLY, "a"), began(), ended(WHOLE)], [WHOLE, WHOLE], 1),
        ([began(), ended(EARLY), began("a"), ended(FRAGMENT, "a")], [EARLY, FRAGMENT], 0),
    ],
)
def test_an_end_that_is_not_told_is_known_from_the_run_of_a_fragment_that_follows(messages, ends, cut):
    async def hear():
        someone = Visitor("http://localhost")
        someone.socket = Told(messages)
        await someone._listen()
        return [someone._finished.get_nowait() for _ in range(someone._finished.qsize())], someone.cut

    assert asyncio.run(hear()) == (ends, cut)
