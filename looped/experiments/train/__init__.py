"""Training: learned weights beside the constructed ones and gradient descent, on seen and unseen prompts."""

from looped.experiments.train.measure import TrainWork, evaluate, evaluation, train, trained
from looped.experiments.train.result import Sweep, TrainResult

__all__ = ["Sweep", "TrainResult", "TrainWork", "evaluate", "evaluation", "train", "trained"]
