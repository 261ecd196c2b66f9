"""Runs of one visitor that follow each other: what the one has drawn is sent before the next begins.

Streamlit starts a runner of its own for a fragment whose turn comes when the run before has just ended, and drops all
that this run has said and the server has not yet handed on: a part of the page, or its end, never reaches the browser.
On a busy server, where fragments look after a training now and then, that happens.
"""

from streamlit.runtime.app_session import AppSession, AppSessionState
from streamlit.runtime.scriptrunner import RerunData

_create = AppSession._create_scriptrunner


def keep_all() -> None:
    """Let no run of a fragment begin in this process before all that the run before has said is handed on."""
    AppSession._create_scriptrunner = _after_the_run_before  # type: ignore[method-assign]


def _after_the_run_before(self: AppSession, initial_rerun_data: RerunData) -> None:
    before = self._scriptrunner  # it has ended and takes no more requests; what it said is in the loop's queue
    if before is None:
        _create(self, initial_rerun_data)
        return

    def begin() -> None:
        now = self._scriptrunner
        if self._state is AppSessionState.SHUTDOWN_REQUESTED:
            return
        if now is None or now is before:
            _create(self, initial_rerun_data)
        elif not now.request_rerun(initial_rerun_data):
            _after_the_run_before(self, initial_rerun_data)

    self._event_loop.call_soon(begin)
