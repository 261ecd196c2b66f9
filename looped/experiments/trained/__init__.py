"""What training finds: learned weights beside the constructed ones and gradient descent, seen and unseen prompts."""

from looped.experiments.trained.measure import evaluate, evaluation, train, trained
from looped.experiments.trained.result import Sweep, Trained
from looped.experiments.trained.work import TrainingWork

__all__ = ["Sweep", "Trained", "TrainingWork", "evaluate", "evaluation", "train", "trained"]
