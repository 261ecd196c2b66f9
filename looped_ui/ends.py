"""The end of a page's run is always told.

Where a fragment's turn comes just as a run ends, Streamlit lets a new runner take over and ignores what the one before
has yet to say: the last elements of the page, that others are gone, and that it has ended. A browser then shows them
until the next run.
"""

from streamlit.runtime.app_session import AppSession
from streamlit.runtime.scriptrunner import RerunData


def keep() -> None:
    """From now on no look of `jobs.watch` starts while a run is ending: its timer asks again."""
    begin = AppSession._create_scriptrunner

    def begin_unless_one_ends(session: AppSession, asked: RerunData) -> None:
        ending = session._scriptrunner is not None  # it took no more, and its last words are still to come
        if not (ending and asked.is_auto_rerun):
            begin(session, asked)

    AppSession._create_scriptrunner = begin_unless_one_ends  # type: ignore[method-assign, assignment]
