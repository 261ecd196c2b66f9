"""Softmax attention with the weights of gradient descent: a step of another function, shown beside it."""

from dataclasses import replace
from functools import cached_property

from torch import Tensor

from looped import theory
from looped.algorithms.gd import GradientDescent
from looped.settings import Settings


class Softmax(GradientDescent):
    """w ← w − η Σ_i x_i softmax_i(⟨x_i, w⟩ − αy_i); its explicit counterpart is gradient descent at the same step.

    P and Q are those of gradient descent.
    """

    name = "softmax"
    loop_name = "Softmax attention"
    equation = r"w \leftarrow w - \eta \sum_i x_i\, \mathrm{softmax}_i\big(\langle x_i, w\rangle - \alpha y_i\big)"
    layer = r"Z \leftarrow Z - \eta\, P Z \mathcal M\, \mathrm{softmax}(Z^\top Q Z)\, \mathcal R"
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
    steady = False

    @property
    def largest_step(self) -> None:
        """None: nothing is known of when it diverges."""
        return

    @cached_property
    def errors(self) -> Tensor | None:
        """None: the modes do not evolve independently."""
        return None

    def predict(self) -> theory.Prediction:
        """No verdict."""
        words = "No verdict before running: softmax is not linear, so the modes influence each other."
        return replace(super().predict(), kind="unknown", affected=0, words=words)

    @cached_property
    def rounding_floor(self) -> Tensor | None:
        """None: no estimate."""
        return None

    @classmethod
    def filled(cls, eta: str, examples: int, label_scale: str) -> str:  # noqa: ARG003
        """Nothing: the sum over the examples is that of `equation`."""
        return ""

    @classmethod
    def hints(cls, settings: Settings, kappa: float) -> list[str]:  # noqa: ARG003
        """None: κ says nothing about its speed."""
        return []

    @classmethod
    def subtitle(cls) -> str:
        """One sentence on a pass of the loop."""
        return (
            "A prompt holds n examples and a query. One attention layer with a softmax over its scores, applied "
            "T times: every pass, or loop, moves w."
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
