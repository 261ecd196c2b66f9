"""A look at a job waits until the run before it has told its end; what a visitor asks for never waits."""

import pytest
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.runtime.app_session import AppSession, AppSessionState

from looped_ui import ends


class Runner:
    """One that takes another turn, or ends."""

    def __init__(self, takes):
        self.request_rerun = {"it takes": lambda _: True, "it ends": lambda _: False}[takes]
        self.request_stop = lambda: None


class Session(AppSession):
    """That of a visitor, with nothing but what a request needs."""

    def __init__(self, runner):
        self.id, self._state, self._client_state = "a visitor", AppSessionState.APP_IS_RUNNING, ClientState()
        self._scriptrunner = runner and Runner(runner)

    def __del__(self):
        """Nothing to shut down."""

    def has_fragment(self, fragment_id):
        """Whether the page has it."""
        return fragment_id in {"look", "guess"}


@pytest.mark.parametrize(
    ("runner", "asked", "begins"),
    [
        ("it ends", {"fragment_id": "look", "is_auto_rerun": True}, False),
        ("it ends", {"fragment_id": "guess"}, True),
        ("it ends", {}, True),
        ("it takes", {"fragment_id": "look", "is_auto_rerun": True}, False),  # it takes that turn itself
        (None, {"fragment_id": "look", "is_auto_rerun": True}, True),
    ],
)
def test_only_a_look_at_a_job_waits_for_the_end_of_the_run_before(monkeypatch, runner, asked, begins):
    begun = []
    monkeypatch.setattr(AppSession, "_create_scriptrunner", lambda *call: begun.append(call))
    ends.keep()
    Session(runner).request_rerun(ClientState(**asked))
    assert bool(begun) == begins
