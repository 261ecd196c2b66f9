"""Tasks that share a signal: what linear self-attention, the block with an MLP and gradient descent can reach.

Examples:
    >>> from looped.shared_signal import SignalTask, gd_optimum
    >>> round(gd_optimum(SignalTask.shared(features=5, examples=5, signal=1.0)).risk, 3)
    2.727
"""

from looped.shared_signal.bayes import SampledRisk, bayes, bayes_risk
from looped.shared_signal.bounds import GapBounds, counter_example, flow_rate, gap_bounds, outside_range
from looped.shared_signal.flow import Flow, gradient_flow
from looped.shared_signal.lsa_minimum import LSAMinimum, lsa_minima, lsa_minimum
from looped.shared_signal.models import LSA, LTB, Effective, GDBeta, ReadOut, SignalModel, estimate, read_out
from looped.shared_signal.risks import Optimum, exact_risk, gd0_optimum, gd_optimum
from looped.shared_signal.tasks import SignalPrompts, SignalTask, draw, load_covariance
from looped.shared_signal.training import Progress, TrainingPlan, initial_model, token_units, train

__all__ = [
    "LSA", "LTB", "Effective", "Flow", "GDBeta", "GapBounds", "LSAMinimum", "Optimum", "Progress", "ReadOut",
    "SampledRisk", "SignalModel", "SignalPrompts", "SignalTask", "TrainingPlan", "bayes", "bayes_risk",
    "counter_example", "draw", "estimate", "exact_risk", "flow_rate", "gap_bounds", "gd0_optimum", "gd_optimum",
    "gradient_flow", "initial_model", "load_covariance", "lsa_minima", "lsa_minimum", "outside_range",
    "read_out", "token_units", "train",
]  # fmt: skip
