"""What training finds: learned weights beside the constructed ones and gradient descent, seen and unseen prompts."""

from looped.experiments.train.measure import evaluate, evaluation, train, trained
from looped.experiments.train.result import Sweep, Trained
from looped.experiments.train.work import TrainingWork

__all__ = ["Sweep", "Trained", "TrainingWork", "evaluate", "evaluation", "train", "trained"]
