"""Linear attention, and the transformer that applies one such layer again and again.

Tokens are columns: Z is (B, D, n+1), its first n columns the examples, its last one the query.
Nothing here knows gradient descent, the task w* or how P and Q were found.
"""

from looped.attention.layer import LinearAttention, SoftmaxAttention
from looped.attention.loop import LoopedTransformer
from looped.attention.token import Weights

__all__ = ["LinearAttention", "LoopedTransformer", "SoftmaxAttention", "Weights"]
