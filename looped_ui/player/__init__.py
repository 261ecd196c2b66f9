"""A figure with frames and the control that steps through them in the browser: no step runs the script."""

from pathlib import Path

import streamlit as st

from looped.chart import Picture
from looped.experiments.compare.player_layout import Arrangement
from looped_ui.parts import figure

STAGE = "player-stage"
NARROWEST = 640
"""Width in pixels from which on the wide arrangement is used."""


def _source(part: str) -> str:
    return (Path(__file__).parent / f"player.{part}").read_text(encoding="utf-8")


control = st.components.v2.component("looped_player", html=_source("html"), css=_source("css"), js=_source("js"))


def step_player(picture: Picture, captions: list[str], wide: Arrangement, narrow: Arrangement) -> None:
    """Play, pause and step through the frames of a figure, by mouse, touch or keyboard.

    Args:
        picture: A picture with one frame per caption and without controls of its own.
        captions: The sentence at each frame.
        wide: Arrangement of the views on a wide page, as they are drawn.
        narrow: Their arrangement on a narrow page.
    """
    control(
        key="player",
        data={
            "stage": STAGE,
            "frames": [frame.name for frame in picture.figure.frames],
            "captions": captions,
            "narrowest": NARROWEST,
            "arrangements": {
                name: {"height": which.height, "layout": which.layout}
                for name, which in (("wide", wide), ("narrow", narrow))
            },
        },
    )
    with st.container(key=STAGE, height=wide.height, border=False):
        figure(picture, "player-chart", height="stretch")
