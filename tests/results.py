"""A small result of every kind that can be written to files, with its command."""

import functools
from collections.abc import Callable

from looped import Settings, compare
from looped.experiments import context
from looped.experiments.beyond.result import beyond
from looped.experiments.beyond.settings import BeyondSettings
from looped.experiments.gpt2.result import gpt2
from looped.experiments.gpt2.settings import GPT2Settings
from looped.experiments.signal.result import signal
from looped.experiments.signal.settings import SignalSettings
from tests.experiments.train.conftest import make as make_trained

COMMANDS = {
    "compare": "--T 8 --n 9 --d 4 --prompts 5",
    "context": "--d 3 --ratios 1,2,4 --T-max 6 --prompts 8",
    "train": "--T 2 --n 8 --d 2 --steps 9 --batch 32",
    "signal": "--model ltb --d 2 --n 3 --steps 20",
    "beyond": "--view more-loops --T 5 --n 6 --d 3 --m 12 --prompts 100",
    "gpt2": "--d 2 --n 3 --layers 1 --heads 2 --width 8 --batch 16 --steps 40",
}
"""Options of a run of seconds, by command."""

MAKERS: dict[str, Callable[[], object]] = {
    "compare": lambda: compare(Settings(loops=8, examples=9, features=4, prompts=5)),
    "context": lambda: context.sweep(context.ContextSettings(features=3, ratios="1,2,4", loops=6, prompts=8)),
    "train": make_trained,
    "signal": lambda: signal(SignalSettings(model="ltb", features=2, examples=3, steps=20)),
    "beyond": lambda: beyond(
        BeyondSettings(view="more-loops", loops=5, examples=6, features=3, test_examples=12, prompts=100)
    ),
    "gpt2": lambda: gpt2(
        GPT2Settings(features=2, examples=3, layers=1, heads=2, width=8, batch=16, steps=40), (True, False)
    ),
}


@functools.cache
def result(kind: str) -> object:
    """The result of that command, made once."""
    return MAKERS[kind]()
