"""Softmax attention with the weights of gradient descent: a step of another function, shown beside it."""

from dataclasses import replace
from functools import cached_property

import numpy as np
from torch import Tensor

from looped import theory
from looped.algorithms.base import Algorithm
from looped.algorithms.gd import construction, descend
from looped.attention import Weights


class Softmax(Algorithm):
    """w ← w − η Σ_i x_i softmax_i(⟨x_i, w⟩ − αy_i); its explicit counterpart is gradient descent at the same step."""

    name = "softmax"
    twin = "gradient descent"
    gap_name = "GD"
    loop_name = "Softmax attention"
    equation = r"w \leftarrow w - \eta \sum_i x_i\, \mathrm{softmax}_i\big(\langle x_i, w\rangle - \alpha y_i\big)"
    layer = r"Z \leftarrow Z - \eta\, P Z \mathcal M\, \mathrm{softmax}(Z^\top Q Z)\, R"
    needs = (
        "A softmax over the examples, with the same P and Q. It is not a gradient step on the squared error: the "
        "weights are positive and add up to 1, so the prediction of every example is pushed down, even one that is "
        "already too low, and the more the higher its residual ⟨x_i, w⟩ − αy_i. It is gradient descent on another "
        "function, log Σ exp(⟨x_i, w⟩ − αy_i), the soft maximum of the residuals."
    )
    curve = ""
    notice = "Softmax attention is not linear: the modes do not evolve independently, and no closed form is drawn."
    source = "Derived for this project and checked numerically."
    ends_elsewhere = "softmax attention takes other steps, so more loops need not bring them together"
    has_state = False
    softmax = True
    has_rival = False

    @property
    def weights(self) -> Weights:
        """P and Q of gradient descent."""
        return construction(self.batch.shape[2], self.settings.layout, self.batch.X.dtype)

    def explicit(self, X: np.ndarray, y: np.ndarray, eta: np.ndarray, gram: bool) -> np.ndarray:
        """T steps of gradient descent on the squared error."""
        return descend(X, y, eta, self.settings.loops, self.settings.label_scale, gram)

    @cached_property
    def errors(self) -> Tensor | None:
        """None: the modes do not evolve independently."""
        return None

    def predict(self) -> theory.Prediction:
        """No verdict."""
        words = (
            "No verdict before running: softmax attention is not linear, so the modes do not evolve independently. It "
            "descends log Σ exp(⟨x_i, w⟩ − αy_i), not the squared error."
        )
        return replace(super().predict(), kind="unknown", affected=0, words=words)

    @cached_property
    def rounding_floor(self) -> Tensor | None:
        """None: no estimate."""
        return None

    @classmethod
    def subtitle(cls) -> str:
        """One sentence on a pass of the loop."""
        return (
            "One attention layer with a softmax over its scores, applied T times: every pass is a gradient step on "
            "log Σ exp(⟨x_i, w⟩ − αy_i), and not on the squared error of the prompt's n examples."
        )

    @classmethod
    def circles(cls, passed: bool | None, gap: float) -> str:  # noqa: ARG003
        """A sentence saying that the circles are another curve."""
        return (
            "The circles are explicit gradient descent, another curve: softmax attention descends "
            "log Σ exp(⟨x_i, w⟩ − αy_i), not the squared error."
        )

    @classmethod
    def step(cls) -> str:
        """The method that one pass is a step of."""
        return "gradient descent on log Σ exp(⟨x_i, w⟩ − αy_i)"

    @classmethod
    def routes(cls) -> str:
        """A sentence saying that the two curves differ in meaning."""
        return (
            "**Two routes, two curves.** The loop is softmax attention (PyTorch), the circles are gradient descent on "
            "the squared error written out (NumPy); they are not meant to agree."
        )
