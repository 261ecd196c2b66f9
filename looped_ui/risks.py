"""The computations of the page on shared signals, behind a cache, in whose key `identity` stands for matrices."""

import functools
import hashlib
from collections.abc import Mapping
from typing import Any

import streamlit as st
import torch
from torch import Tensor

from looped.experiments.gpt2.settings import GPT2Settings
from looped.experiments.signal import result as signal
from looped.experiments.signal.settings import SignalSettings
from looped.shared_signal import Flow, SignalTask, counter_example, flow_rate, gradient_flow
from looped.shared_signal.levels import KnownLevels, Levels, known_levels
from looped.shared_signal.levels import levels as smallest_risks
from looped_ui.backend import LONG, turn
from looped_ui.kept import kept

Matrices = tuple[Tensor | None, Tensor | None]
"""H and Ψ where they are given."""
FLOW_UNTIL = 3.0
"""Last time of the flow, in units of one over the proved rate."""


def digest(*matrices: Tensor | None) -> str:
    """Another text for other matrices; empty for none."""
    if all(matrix is None for matrix in matrices):
        return ""
    parts = (b"-" if matrix is None else matrix.numpy().tobytes() for matrix in matrices)
    return hashlib.sha256(b"|".join(parts)).hexdigest()[:16]


def brought(arguments: Mapping[str, Any]) -> bool:
    """Whether a result is of matrices that the visitor brought."""
    return bool(arguments["identity"])


@kept(entries=64, mebibytes=16)
def known(settings: GPT2Settings) -> KnownLevels:
    """The smallest risks on the task of these settings that are known without a search."""
    with turn():
        return known_levels(settings.task(), settings.seed)


@kept(entries=64, mebibytes=16, own=brought)
def levels(settings: SignalSettings, identity: str, _matrices: Matrices) -> Levels:
    """The smallest risks on the task of these settings."""
    del identity
    with turn():
        return smallest_risks(settings.task(*_matrices), settings.seed)


@kept(entries=64, mebibytes=16, own=brought)
def sweep(settings: SignalSettings, over: signal.Over, identity: str, _matrices: Matrices) -> signal.Sweep:
    """The smallest risks against one setting."""
    del identity
    with turn(LONG):
        return signal.sweep(settings, over, *_matrices)


@kept(entries=16, mebibytes=16, own=brought)
def flow(settings: SignalSettings, identity: str, _matrices: Matrices) -> Flow:
    """Gradient flow of GD-β from β = 0 and Γ = 0."""
    del identity
    with st.spinner("Following the flow …"), turn(LONG):
        task = settings.task(*_matrices)
        start = torch.zeros(task.features, task.features, dtype=torch.float64)
        return gradient_flow(task, start[0], start, FLOW_UNTIL / max(flow_rate(task), 1e-12), points=61)


@functools.cache
def failing_bound() -> tuple[SignalTask, Levels]:
    """The counter-example to the published bound, and what holds there."""
    task = counter_example()
    return task, smallest_risks(task)
