"""GD++: gradient descent whose loop moves the examples too."""

from dataclasses import replace
from functools import cached_property, lru_cache
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from looped import theory
from looped.algorithms.base import Algorithm
from looped.algorithms.descent import gradient, iterate
from looped.attention import Weights
from looped.fields import Mark, Measured
from looped.settings import FIELDS

AUTO = (0.5, 23.0)
"""γλ₁ and a/γ with the step auto: near the ratio 4.97/0.217 of the best at T = 10, n = 20, d = 5."""
SEARCHED_LOOPS = 64
"""Largest number of loops for which the best two numbers are searched; later loops use the same numbers."""


class GDPlusPlus(Algorithm):
    """w ← w − (a/n) J² Xᵀ(Xw − αy), J ← J − γ J Σ̂ J², with a = η: every token is written, and the queries predict."""

    name = "gd++"
    twin = "GD++"
    equation = (
        r"w \leftarrow w - \tfrac{a}{n}\, J^2 X^\top (Xw - \alpha y),\quad\allowbreak "
        r"{J \leftarrow J - \gamma\, J \hat\Sigma J^2},\quad\allowbreak {a = \eta}"
    )
    layer = (
        r"Z \leftarrow Z - \tfrac{a}{n}\, P Z \mathcal M (Z^\top Q Z),\quad P = \mathrm{diag}(\tfrac{\gamma}{a} I, 1),"
        r"\ Q = \mathrm{diag}(I, 0)"
    )
    needs = (
        "No write mask: the examples move too, so there is no constant state. No row holds w: the query is a point to "
        "predict at, and d queries, the unit vectors, read all of w."
    )
    curve = "Π(1−ah), h ← h(1−γh)²"
    notice = (
        "Every loop changes the eigenvalues of the examples, so it multiplies a mode by a different number than the "
        "loop before: the line is not straight, and the error may grow before it falls."
    )
    source = (
        "von Oswald et al. (2023), what training of full weights finds; its closed form is derived for this project "
        "and checked numerically."
    )
    auto_step = f"{AUTO[0] * AUTO[1]:g}/λ₁"
    kappa_of = "the larger of κ(XᵀX/n) and aλ₁"
    symbols: ClassVar[tuple[tuple[str, str], ...]] = (("contraction", r"\gamma/a"),)
    reads: ClassVar[tuple[str, ...]] = ("gamma",)
    has_state = False
    layouts = False
    one_query = False

    @cached_property
    def _best(self) -> tuple[float, float]:
        """γλ₁ and a/γ."""
        if self.settings.step_size != "optimal":
            return AUTO
        kappa = float(self.spectrum.condition_number.max())
        return best_numbers(kappa, self.settings.loops, self.eps)

    @cached_property
    def step_size(self) -> Tensor:
        """a, (B,), float64."""
        if isinstance(self.settings.step_size, float):
            return theory.step_sizes(self.spectrum, self.settings)
        reach, ratio = self._best
        return reach * ratio * theory.step_sizes(self.spectrum, self.settings.replace(step_size="auto"))

    @cached_property
    def contraction(self) -> float:
        """p = γ/a, the same for all prompts."""
        asked = self.settings.gamma
        return 1 / self._best[1] if asked == "auto" else asked / float(self.step_size.max())

    @property
    def largest_step(self) -> None:
        """None: γ decides whether the loop diverges, and what grows before it falls."""
        return

    def measured(self) -> dict[str, Measured]:
        """η, and γ of the largest η."""
        eta = self.step_size
        gamma, steepest = self.contraction * float(eta.max()), float((eta * self.spectrum.largest).max())
        edge = Mark("2/λ₁", 2 * float(eta.max()) / steepest)
        marks = (*FIELDS["gamma"].marks, edge)
        return super().measured() | {"gamma": Measured(gamma, marks=marks)}

    @property
    def parameters(self) -> dict[str, float]:
        """γ/a."""
        return {"contraction": self.contraction}

    @property
    def weights(self) -> Weights:
        """Weights whose loop is a step of gradient descent that also moves the inputs.

        P = diag(pI_d, 1), Q = diag(I_d, 0), every token written (D = d+1): with a = η and γ = pη,
        x_j ← (I − γXᵀX/n) x_j and y_j ← y_j − a⟨x_j, Xᵀy⟩/n. Nothing holds w: a query x_q reads ⟨w_t, x_q⟩ as minus
        its own y, and d queries, the unit vectors, read all of w_t.
        """
        d, dtype = self.batch.shape[2], self.batch.X.dtype
        P, Q = torch.zeros(2, d + 1, d + 1, dtype=dtype)
        P[:d, :d] = self.contraction * torch.eye(d, dtype=dtype)
        P[d, d] = 1.0
        Q[:d, :d] = torch.eye(d, dtype=dtype)
        return Weights(P=P, Q=Q, writes="all", x=slice(0, d), y=d, w=slice(d, d + 1), alpha=None, predicts=True)

    def explicit(self, X: np.ndarray, y: np.ndarray, eta: np.ndarray, gram: bool) -> np.ndarray:  # noqa: ARG002
        """T steps of w ← w − aJ²∇L(w), J ← J − γJΣ̂J² from w = 0, J = I, with Σ̂ = XᵀX/n and γ = pa."""
        slope = gradient(X, y, self.settings.label_scale, gram=False)
        H = X.transpose(0, 2, 1) @ X / X.shape[1]
        a = eta[:, None, None]
        gamma = X.dtype.type(self.contraction) * a
        J = np.broadcast_to(np.eye(X.shape[2], dtype=X.dtype), H.shape)

        def step(w: np.ndarray, _before: np.ndarray) -> np.ndarray:
            nonlocal J
            w = w - a * (J @ (J @ slope(w)))
            J = J - gamma * (J @ H @ J @ J)
            return w

        return iterate(X, self.settings.loops, step)

    @cached_property
    def factors(self) -> Tensor:
        """f_{t+1} = f_t (1 − a h_t), h_{t+1} = h_t (1 − γh_t)², h_0 = λ: (T+1, B, r)."""
        factors = torch.ones(self.settings.loops + 1, *self.change.shape, dtype=torch.float64)
        left, change = factors[0], self.change  # a·h
        for t in range(self.settings.loops):
            left = left * (1 - change)
            change = change * (1 - self.contraction * change).square()
            factors[t + 1] = left
        return factors

    def predict(self) -> theory.Prediction:
        """Converges if the examples do not diverge and no mode grows until its rounding is as large as the solution.

        γλ₁ below 2: every h falls to 0 like 1/(2γt), a mode grows while ah > 2 and falls as t^(−a/(2γ)) in the end.
        """
        plain, eps = super().predict(), self.eps
        gamma, largest = self.contraction * self.step_size, self.spectrum.largest
        present = self.along.abs() > theory.MODE_PRESENT * self.w_ref.norm(dim=1, keepdim=True)
        most = self._largest_growth(torch.where(present, self.spectrum.eigenvalues, 0.0))  # (B, r)
        runs_away = gamma * largest > 2 + 16 * eps
        lost = runs_away | (eps * most.amax(dim=1) >= 1)
        left = torch.where(present, self.factors[-1].abs(), 0.0).nan_to_num(nan=torch.inf)
        size = torch.maximum(left, eps * most)  # the tokens keep what was rounded where it was largest
        worst = int(torch.where(lost, torch.inf, size.amax(dim=1)).argmax())
        grown, runs = int(most[worst].argmax()), bool(runs_away[worst])
        mode = 0 if runs else grown if lost[worst] else int(size[worst].argmax())
        found = replace(
            plain,
            kind="diverges" if lost.any() else "converges",
            affected=int(lost.sum()),
            step_size=float(self.step_size[worst]),
            limit=float(2 / largest[worst]),
            factor=float(size[worst, mode]),
            mode=mode + 1,
        )
        return replace(found, words=self._words(found, float(gamma[worst]), runs, grown + 1, float(most[worst, grown])))

    def _words(self, found: theory.Prediction, gamma: float, runs_away: bool, grown: int, growth: float) -> str:
        """The verdict in words: γ and the mode that grows most, by `growth`, are those of the worst prompt."""
        examples = f"γ = {gamma:.3g} is {'above' if runs_away else 'below'} 2/λ₁ = {found.limit:.3g}"
        many = f" in {found.affected} of {found.prompts} prompts" if 0 < found.affected < found.prompts else ""
        if runs_away:
            return f"Diverges{many}: {examples}, and the examples themselves diverge."
        if found.kind == "diverges":
            return (
                f"Diverges{many}: {examples}, but a = {found.step_size:.3g} is so far above it that mode {grown} grows "
                f"to more than {growth:.2g} times its start before it can fall, and rounding in {found.precision} is "
                "then larger than the solution."
            )
        if not self.w_ref.any():
            return "Converges: the labels are orthogonal to the features, so the solution is 0, where the loop starts."
        loops = self.settings.loops
        after = (
            f"after T = {loops} loop{'s' * (loops > 1)} the worst mode, number {found.mode}, has {found.factor:.3g} of "
            "its start"
        )
        if growth > 1:
            return (
                f"Converges: {examples}, so every mode falls in the end. As a = {found.step_size:.3g} is above it, "
                f"mode {grown} first grows to {growth:.3g} times its start; {after}."
            )
        return f"Converges: {examples}, and so every mode falls; {after}."

    def _largest_growth(self, h: Tensor) -> Tensor:
        """The largest size of a mode in any loop relative to its start, (B, r), at least 1; looked for until 1/eps.

        Args:
            h: Eigenvalues, 0 for modes that do not count, (B, r).
        """
        a, gamma = self.step_size[:, None], self.contraction * self.step_size[:, None]
        size = most = torch.ones_like(h)
        for _ in range(int(FIELDS["loops"].high)):
            if bool(((a * h <= 2).all(dim=1) | (self.eps * most >= 1).any(dim=1)).all()):
                break
            size = (size * (1 - a * h).abs()).clamp(max=1e3 / self.eps)
            most = torch.maximum(most, size)
            h = h * (1 - gamma * h).square()
        return most

    @property
    def slowest_factor(self) -> float | None:
        """None: it changes from loop to loop."""
        return None

    @property
    def condition_number(self) -> float:
        """κ of Σ̂, or aλ₁ where that is larger: rounding errors are multiplied by it."""
        return max(super().condition_number, float((self.step_size * self.spectrum.largest).max()))

    @cached_property
    def rounding_floor(self) -> Tensor | None:
        """eps·√κ·(1 + max_t error_t), (B,), an estimate: the tokens keep what was rounded where the error was largest.

        None where the error overflows.
        """
        assert self.errors is not None
        return self.if_finite(self.eps * self.spectrum.condition_number.sqrt() * (1 + self.errors.amax(dim=0)))

    @classmethod
    def width(cls, features: int, layout: str) -> int:  # noqa: ARG003
        """D = d+1."""
        return features + 1

    @classmethod
    def queries(cls, features: int) -> int:
        """d, which read w_t number by number."""
        return features

    @classmethod
    def layer_operations(cls, examples: int, features: int) -> float:
        """Floating-point operations of one loop on one prompt."""
        D, tokens = features + 1, examples + features
        return 2 * D * D * (examples + tokens) + 4 * D**3

    @classmethod
    def twin_seconds(cls, examples: int, features: int) -> float:  # noqa: ARG003
        """Products of d × d matrices."""
        return 2.4e-10 * features**3


@lru_cache(maxsize=1024)
def best_numbers(condition_number: float, loops: int, eps: float) -> tuple[float, float]:
    """γλ₁ and a/γ that leave the least of the worst mode after T loops, found on two grids.

    Worst over all eigenvalues between λ₁/κ and λ₁. Rounding counts too: what grows on the way by a factor leaves eps
    times that factor. The best numbers on a grid, not a proof. Nelder and Mead's search of scipy.optimize
    from the best of the first grid takes 4 times as long over 20 settings; what it leaves is more than 1 % smaller in 8
    of them, by 14 % at most, and larger in 4, by up to 1.8 times (`benchmarks/searches.py`).

    Args:
        condition_number: κ.
        loops: T, of which at most `SEARCHED_LOOPS` are looked at.
        eps: Distance from 1 to the next number of the run's arithmetic.
    """
    loops = min(loops, SEARCHED_LOOPS)
    shares = torch.logspace(0, -float(torch.tensor(condition_number).log10()), 33, dtype=torch.float64)
    reach = torch.linspace(0.05, 0.95, 19, dtype=torch.float64)
    ratio = torch.logspace(0, 2.5, 61, dtype=torch.float64)
    best = AUTO
    for _ in range(2):
        u = reach[:, None] * shares  # γh
        left = torch.ones(len(ratio), *u.shape, dtype=torch.float64)
        most = left.amax(dim=2)
        for _ in range(loops):
            left = left * (1 - ratio[:, None, None] * u)
            most = torch.maximum(most, left.abs().amax(dim=2))
            u = u * (1 - u).square()
        worst = (left.abs().amax(dim=2) + eps * most).nan_to_num(nan=torch.inf)
        row, column = divmod(int(worst.argmin()), len(reach))
        best = (float(reach[column]), float(ratio[row]))
        reach = best[0] + torch.linspace(-0.05, 0.05, 21, dtype=torch.float64)
        ratio = best[1] * torch.linspace(0.9, 1.1, 41, dtype=torch.float64)
    return best
