"""The base of every algorithm: weights for one layer, an explicit twin, and what the theory says of its loop."""

from abc import ABC, abstractmethod
from functools import cached_property
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from looped import theory
from looped.attention import Weights
from looped.fields import Mark, Measured
from looped.prompts import Prompts, Spectrum
from looped.settings import Settings

LINEAR = r"Z \leftarrow Z - \tfrac{\eta}{n}\, P Z \mathcal M (Z^\top Q Z)\, \mathcal R"
"""One loop of linear attention, TeX."""
MODE_LINE = (
    "In the long run the modes with the largest {} dominate the error of a prompt: every loop multiplies it by that "
    "number, and on this axis its line is straight."
)
"""What the error does where every loop multiplies a mode by the same number."""


class Algorithm(ABC):
    """One algorithm on given prompts: the numbers of the run, and the theory that follows from them.

    In the modes of Σ̂ = XᵀX/n every algorithm but softmax attention is a recurrence of numbers. With w_0 = 0 mode k of
    w_t − w_ref is f_t(λ_k) times that of −w_ref, f_0 = 1.

    Args:
        settings: The step size, α, T, the layout and the algorithm's own parameters are read.
        batch: B prompts.
    """

    # Names and sentences.
    name: ClassVar[str]
    """Its id, the value of the setting `algorithm`."""
    twin: ClassVar[str]
    """Name of the explicit algorithm in a legend or a sentence."""
    gap_name: ClassVar[str] = "explicit"
    """Short name of the explicit algorithm beside the gap."""
    loop_name: ClassVar[str] = "Looped transformer"
    """Name of the transformer in a legend."""
    equation: ClassVar[str]
    """One loop on w, TeX."""
    layer: ClassVar[str]
    """One loop on the tokens, TeX."""
    needs: ClassVar[str]
    """What it needs beyond linear attention with an identity skip, one or two sentences."""
    curve: ClassVar[str]
    """What multiplies the error in mode k after t loops, as a legend shows it; empty where nothing does."""
    notice: ClassVar[str]
    """What the curve does from loop to loop, true for every run; Markdown."""
    source: ClassVar[str]
    """The source, and how this project knows it."""
    limit: ClassVar[str] = "the shortest least-squares solution for the labels αy"
    """What w_ref is."""
    limit_curve: ClassVar[str] = "Least squares"
    """What w_ref is, as a legend shows it."""
    ends_elsewhere: ClassVar[str] = ""
    """Why more loops do not lead to least squares, as the end of a sentence; empty where they do."""
    closed_form: ClassVar[str] = "the modes"
    """What the closed form is computed from."""
    auto_step: ClassVar[str] = "1/λ₁"
    """The step size `auto`, as a formula."""
    step_limit: ClassVar[str] = "2/λ₁"
    """The step size above which the loop diverges, as a formula."""
    kappa_of: ClassVar[str] = "of XᵀX/n"
    """The κ in the tolerance, in words."""
    symbols: ClassVar[tuple[tuple[str, str], ...]] = ()
    """Name of each of its `parameters`, and its TeX."""

    # Properties.
    reads: ClassVar[tuple[str, ...]] = ()
    """Settings that this algorithm alone reads."""
    has_state: ClassVar[bool] = True
    """True where the examples stand still, so that the loop has a constant state."""
    layouts: ClassVar[bool] = True
    """True where both token layouts exist."""
    softmax: ClassVar[bool] = False
    """True where the scores pass through a softmax; the explicit algorithm is another one then, and no yardstick."""
    maps: ClassVar[bool] = False
    """True where token-wise maps move the query beside attention."""
    steady: ClassVar[bool] = False
    """True where every loop multiplies each mode by the same number."""
    one_query: ClassVar[bool] = True
    """True where one query is all that moves, by one head, so that its scores and its updates tell a loop."""
    has_rival: ClassVar[bool] = True
    """True where plain gradient descent is another algorithm, worth a curve beside it."""

    momentum: float = 0.0
    """μ, the same for all prompts."""
    penalty: float = 0.0
    """ρ, by which the loss is curved in every direction beside its own curvature."""
    recurrence_rounding: float = 0.0
    """What the state form adds to the rounding floor, in units of eps, under its root."""

    def __init__(self, settings: Settings, batch: Prompts) -> None:
        self.settings = settings
        self.batch = batch

    # The construction and its twin.

    @property
    @abstractmethod
    def weights(self) -> Weights:
        """The weights of the layer whose loop is a step of this algorithm."""

    @abstractmethod
    def explicit(self, X: np.ndarray, y: np.ndarray, eta: np.ndarray, gram: bool) -> np.ndarray:
        """Run the explicit algorithm, written plainly in NumPy.

        Args:
            X: Examples, (B, n, d).
            y: Labels before scaling, (B, n).
            eta: η for each prompt, (B,), in the dtype of X.
            gram: True to step on XᵀX/n where ∇L is all that is needed: O(d²) a step instead of O(n·d).

        Returns:
            The iterates, loop 0 first, (T+1, B, d), in the dtype of X.
        """

    # Numbers of the run.

    @cached_property
    def spectrum(self) -> Spectrum:
        """Eigenvalues and eigenvectors of what one step contracts; Σ̂ unless an algorithm says otherwise."""
        return self.batch.spectrum

    @cached_property
    def step_size(self) -> Tensor:
        """η, (B,), float64."""
        return theory.step_sizes(self.spectrum, self.settings, self.best_step)

    @staticmethod
    def best_step(largest: Tensor, smallest: Tensor) -> Tensor:
        """The step size of `optimal` from λ₁ and λ_d."""
        return theory.best_constant(largest, smallest)

    @property
    def largest_step(self) -> float | None:
        """The step size above which the loop diverges for some prompt; None where no number is known to be that."""
        return 2 / float(self.spectrum.largest.max())

    def measured(self) -> dict[str, Measured]:
        """What the run makes of the settings that may have a name in place of a number, by setting."""
        marks = [Mark(self.auto_step, "auto"), Mark("optimal", "optimal")]
        if self.largest_step is not None:
            marks.append(Mark(self.step_limit, self.largest_step))
        eta = self.step_size
        low, median, high = (float(value) for value in (eta.min(), eta.quantile(0.5), eta.max()))
        return {"step_size": Measured.over(len(eta), low, median, high, tuple(marks))}

    @cached_property
    def w_ref(self) -> Tensor:
        """The limit of the iterates, (B, d), float64; `limit` names it in words."""
        return self.batch.least_squares(self.settings.label_scale)

    @property
    def parameters(self) -> dict[str, float]:
        """Its own numbers, as result.json names them."""
        return {}

    @property
    def reads_tokens(self) -> bool:
        """True where every loop reads all tokens: by choice, or because there is no constant state."""
        return self.settings.form == "token" or not self.has_state

    @cached_property
    def collinear(self) -> bool:
        """True where a prompt's examples have fewer directions than min(n, d), as with one-hot columns.

        No loop pulls an error back in a direction that the examples do not have, so it must not be made there: neither
        XᵀX nor sums of residuals that stay large are rounded in every loop then.
        """
        return not bool(self.batch.spectrum.nonzero.all())

    # Effect on the modes.

    def coordinates(self, w: Tensor) -> Tensor:
        """Iterates (…, d) in the coordinates in which the modes of `spectrum` are orthogonal."""
        return w

    def lengths(self, modes: Tensor) -> Tensor:
        """‖Σ_k c_k v_k‖ in w of coefficients c (T+1, B, r): (T+1, B)."""
        return modes.norm(dim=2)

    @cached_property
    def along(self) -> Tensor:
        """w_ref in the modes, (B, r), exactly 0 where a mode does not exist."""
        along = torch.einsum("bdk,bd->bk", self.spectrum.eigenvectors, self.coordinates(self.w_ref))
        return torch.where(self.spectrum.nonzero, along, 0.0)

    @cached_property
    def change(self) -> Tensor:
        """ηλ, (B, r)."""
        return self.step_size[:, None] * self.spectrum.eigenvalues

    @cached_property
    def factors(self) -> Tensor:
        """f_t(λ_k), what is left of mode k after t loops, (T+1, B, r), float64; inf or NaN where it overflows.

        (1 − ηλ)ᵗ with the eigenvalues of `spectrum`, unless an algorithm says otherwise.
        """
        return theory.powers(1 - self.change, self.settings.loops)

    @cached_property
    def errors(self) -> Tensor | None:
        """‖w_t − w_ref‖/‖w_ref‖ from the eigenvalues alone, (T+1, B), float64; None where there is no closed form."""
        modes = torch.where(self.along != 0, self.factors * self.along, 0.0)  # (T+1, B, r)
        length = self.w_ref.norm(dim=1)
        return self.lengths(modes).nan_to_num(nan=torch.inf) / torch.where(length > 0, length, 1.0)

    @cached_property
    def prediction(self) -> theory.Prediction:
        """The verdict on the error, known before running."""
        return self.predict()

    def predict(self) -> theory.Prediction:
        """The verdict for the worst prompt, from η, as the run rounds it, against its limit."""
        dtype = self.batch.X.dtype
        eta, aim = self.step_size.to(dtype).double(), self.coordinates(self.w_ref)
        return theory.predict(self.spectrum, eta, aim, dtype, self.momentum, self.step_limit)

    def bounds(self, exact_labels: bool) -> list[theory.Bound]:
        """The bounds on the error, each with its values or the reason it does not apply.

        Args:
            exact_labels: True where y = Xw* without noise, for a known w*.
        """
        other = self.loop_name.lower() if self.softmax else self.twin
        loop = other if self.softmax or self.has_rival else ""
        return theory.bounds(self.settings, self.batch.spectrum, self.step_size, exact_labels, loop)

    def loops_to(self, left: float) -> int | None:
        """Loops after which the slowest mode, if it held all of w_ref, would be down to the share `left`.

        None where that is not known, and where the mode does not fall.
        """
        slowest = self.slowest_factor
        if slowest is None or not 0 < slowest < 1:
            return None
        return self.loops_at(slowest, left)

    @property
    def slowest_factor(self) -> float | None:
        """The factor of the slowest mode in the long run; None where that changes from loop to loop."""
        return float((1 - self.change[self.spectrum.nonzero]).abs().max())

    @staticmethod
    def loops_at(factor: float, left: float) -> int:
        """Loops after which a mode that every loop multiplies by `factor` is down to the share `left`."""
        return int(np.ceil(np.log(left) / np.log(factor)))

    # Rounding.

    @property
    def condition_number(self) -> float:
        """The κ of the verdict's tolerance, the largest over the prompts; `kappa_of` says what it is of."""
        return float(self.spectrum.condition_number.max())

    @property
    def drifts(self) -> bool:
        """True if rounding in directions without examples, where nothing corrects it, is the same in every loop.

        Sums over all tokens of collinear columns are, and what `maps` add beside attention.
        """
        if self.maps:
            return int(self.batch.spectrum.nonzero.sum(dim=1).min()) < self.batch.shape[2]
        return self.collinear and self.reads_tokens

    @property
    def tolerance(self) -> float:
        """The largest relative gap to the twin that passes: `theory.gap_tolerance` at `condition_number`."""
        return theory.gap_tolerance(self.batch.X.dtype, self.condition_number, self.settings.loops, self.drifts)

    @property
    def tolerance_formula(self) -> str:
        """The formula of `tolerance` with the number and the meaning of its κ."""
        loops, why = "√T", ""
        if self.drifts:
            loops, why = "T", "; T instead of √T, since rounding errors in directions without examples add up"
        return f"16·eps·(κ + {loops}), at most 1e-3; κ = {self.condition_number:.4g}, {self.kappa_of}{why}"

    @property
    def largest_term(self) -> float:
        """The largest of the first update's terms, η·rms(x_j)·rms(αy) over prompts and features."""
        X, y = self.moving_rows, self.batch.y.double()
        terms = torch.linalg.vector_norm(X, dim=1) * torch.linalg.vector_norm(y, dim=1, keepdim=True) / X.shape[1]
        return float((terms * self.step_size[:, None]).max()) * abs(self.settings.label_scale)

    @property
    def moving_rows(self) -> Tensor:
        """The rows that the residuals multiply, (B, n, d), float64: the examples."""
        return self.batch.X.double()

    @cached_property
    def first_terms(self) -> Tensor:
        """The first update's terms over ‖w_ref‖, (B,)."""
        labels = self.settings.label_scale * self.batch.y.double()
        length = self.w_ref.norm(dim=1)
        terms = self.step_size * labels.square().mean(dim=1).sqrt()
        terms = terms * self.batch.spectrum.eigenvalues.sum(dim=1).sqrt()
        return terms / torch.where(length > 0, length, 1.0)

    @cached_property
    def rounding_floor(self) -> Tensor | None:
        """The relative error below which rounding in the run's dtype dominates, (B,), float64: an estimate.

        eps·√(kept² + moved² + first²) as in `theory.rounding_floor`; an algorithm's `recurrence_rounding` is added
        under the root. In float32, whose rounding the reference solution does not have, half of it, and a fifth where
        sums over n > d examples average theirs in the token form. None where some mode does not contract.

        The median over 8 prompts was within a factor of 4 of the measured one in 9 of 10 random settings of all
        algorithms, κ from 1 to 10,000: `pytest -m slow -n 0 -s tests/algorithms/test_rounding_floor.py`. Of 300, the
        estimate was from 0.09 to 136 times the measured floor, all but one at most 32, below κ = 10 at most 4.9 times.
        """
        _, n, d = self.batch.shape
        share = self.along.abs() / self.along.norm(dim=1, keepdim=True).clamp(min=1e-300)
        floor = theory.rounding_floor(self.spectrum, self.step_size, share, self.first_terms, self.momentum)
        if self.recurrence_rounding and (n <= d or self.settings.form == "state"):
            floor = (floor.square() + self.recurrence_rounding**2).sqrt()
        if self.batch.X.dtype == torch.float32:
            floor = floor * (0.2 if self.settings.form == "token" and n > d else 0.5)
        return self.if_finite(self.eps * floor)

    @staticmethod
    def if_finite(floor: Tensor) -> Tensor | None:
        """The floor, or None where it is infinite for a prompt."""
        return floor if bool(floor.isfinite().all()) else None

    @property
    def eps(self) -> float:
        """Distance from 1 to the next number of the run's dtype."""
        return torch.finfo(self.batch.X.dtype).eps

    # Cost.

    @classmethod
    def width(cls, features: int, layout: str) -> int:
        """D, the length of a token."""
        return features + 1 if layout == "compact" else 2 * features + 2

    @classmethod
    def queries(cls, features: int) -> int:  # noqa: ARG003
        """Query tokens of a prompt."""
        return 1

    @classmethod
    def layer_operations(cls, examples: int, features: int) -> float:
        """Floating-point operations of one loop on one prompt that writes every token."""
        raise NotImplementedError(f"{cls.name} does not write every token.")

    @classmethod
    def twin_seconds(cls, examples: int, features: int) -> float:  # noqa: ARG003
        """Estimated CPU seconds of one step of the twin on one prompt, beyond its gradient."""
        return 0.0

    # Sentences about a run.

    @classmethod
    def short(cls) -> str:
        """`twin` as a table's column or a line of output names it."""
        return cls.twin.replace("gradient descent", "GD")

    @classmethod
    def limit_in(cls, determined: bool) -> str:
        """The name of w_ref, with the remark that it is αw* where noiseless examples determine all weights."""
        return f"{cls.limit}, here αw*" if determined else cls.limit

    @classmethod
    def filled(cls, eta: str, examples: int, label_scale: str) -> str:  # noqa: ARG003
        """One loop on w with the run's numbers in it, TeX; empty where `equation` and a list of numbers say it better.

        Args:
            eta: η in TeX.
            examples: n.
            label_scale: α in TeX with the space behind it, empty where it is 1.
        """
        return ""

    @classmethod
    def subtitle(cls) -> str:
        """One sentence on a pass of the loop."""
        return (
            "A prompt holds n examples and a query. One attention layer, applied T times: with the right weights every "
            f"pass, or loop, is one step of {cls.twin}."
        )

    @classmethod
    def circles(cls, passed: bool | None, gap: float) -> str:
        """One or two sentences on the circles of the explicit algorithm beside the transformer's line.

        Args:
            passed: The verdict.
            gap: Largest relative difference between the two.
        """
        if passed:
            return (
                f"The circles of explicit {cls.twin} lie on the transformer's line, until both are rounding noise. "
                f"The largest relative difference between the two is {gap:.1e}."
            )
        return (
            f"The circles are explicit {cls.twin}. The largest relative difference to the transformer is {gap:.1e}, "
            "more than the tolerance."
        )

    @classmethod
    def hints(cls, settings: Settings, kappa: float) -> list[str]:  # noqa: ARG003
        """Sentences on what to try next.

        Args:
            settings: Settings of the run.
            kappa: Largest measured κ of its prompts.
        """
        return []

    @classmethod
    def step(cls) -> str:
        """The method that one pass is a step of."""
        return cls.twin

    @classmethod
    def routes(cls) -> str:
        """The number of routes by which the curves are computed, in Markdown."""
        return (
            f"**Three routes, one curve.** The loop (PyTorch), {cls.twin} written out (NumPy), and {cls.closed_form} "
            "from the eigenvalues, which runs no loop over the examples. They agree up to rounding."
        )
