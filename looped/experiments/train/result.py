"""A training run and the evaluation of its weights."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch

from looped.experiments.train.settings import TrainSettings
from looped.numerals import with_error
from looped.training import gdpp
from looped.training.evaluate import Limit, Risk

STATISTICS = ("mean", "median", "99.9 %")
"""Rows of every evaluation, each over the prompts that were drawn; a mean over them misses rare prompts."""

CEILING = 1e300
"""Squared errors from here on count as this much: the loop has overflowed."""

PLAIN = (1e-3, 100)
"""Squared errors from the one to the other are written without a power of ten."""

NEARLY = 0.999
"""Share of the squared entries from which on a matrix is said to be a multiple of the identity."""

SMALL = 1e-3
"""Share of the step below which the movement of the inputs counts as none."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """Squared errors of the query as one quantity changes."""

    x: np.ndarray
    """Values of the quantity, (K,)."""
    series: Mapping[str, np.ndarray]
    """Model to its `STATISTICS`, each (3, K)."""
    prompts: int
    """Fresh prompts at each x."""


@dataclass(frozen=True, slots=True)
class Alone:
    """The errors that A alone reaches at the sizes of a run."""

    median: float
    """Median of ‖w_T − w*‖² over fresh prompts."""
    risk: Risk | None
    """The mean over all prompts; None where importance sampling cannot estimate it."""


@dataclass(frozen=True)
class TrainResult:
    """A training run, or weights from a file, and what they do."""

    settings: TrainSettings
    P: np.ndarray
    """(L, d+1, d+1), L = 1 where the layers are tied."""
    Q: np.ndarray
    history: Mapping[str, np.ndarray]
    """A column for each field of `Progress`; empty for weights from a file."""
    stopped: str
    """Why training ended."""
    name: str = ""
    """Name of the file that the weights are from."""
    fresh: np.ndarray = field(default_factory=lambda: np.zeros((0, 3)))
    """`STATISTICS` of the trained model's squared error after T loops, for each of some evaluation seeds, (S, 3)."""
    fresh_prompts: int = 0
    """Fresh prompts behind each row of `fresh`."""
    sweeps: Mapping[str, Sweep] = field(default_factory=dict)
    """loops, examples, covariance, scale and noise."""
    medians: Mapping[str, float] = field(default_factory=dict)
    """Model to the median of its squared error after T loops, over the prompts of the first row of `fresh`."""
    limit: Limit | None = None
    """The λ₁ that few prompts exceed."""
    below: Mapping[str, Risk] = field(default_factory=dict)
    """Model to its mean squared error after T loops over the prompts whose λ₁ is below the limit."""
    whole: Mapping[str, Risk] = field(default_factory=dict)
    """Model to its mean squared error after T loops over all prompts; without those whose mean cannot be sampled."""
    alone: Alone | None = None
    """A alone, trained at these sizes; None where that was not tried."""
    frames: Mapping[str, np.ndarray] = field(default_factory=dict)
    """The weights on the way: steps made, (F,), and P and Q, (F, L, d+1, d+1); empty where they were not kept."""
    best: gdpp.Best | None = None
    """The best GD++ that was found at these sizes; None where there is no such family or no search was made."""

    def fits(self) -> list[gdpp.Fit]:
        """The two-number fit of every layer; empty if its weights have no gauge.

        Nothing reads the inputs after the last layer moved them: where its weights are not shared with another, the
        rows of P that move inputs do nothing and count as 0, and so does its γ.
        """
        P = self.P.astype(float)
        if self.settings.task == "prediction" and len(P) == self.settings.loops:
            P[-1, :-1] = 0.0
        layers = zip(map(torch.from_numpy, P), map(torch.from_numpy, self.Q), strict=True)
        try:
            return [gdpp.fit(*layer, generates=self.settings.task == "generation") for layer in layers]
        except ValueError:
            return []

    def found(self) -> str:
        """A sentence on the learned algorithm, with its numbers."""
        fits = self.fits()
        if not fits:
            return (
                "The corner of these weights that fixes their scale is 0, or nearly: they are no gradient descent of "
                "any kind."
            )
        if (A := self.matrix_step()) is not None and A.any():
            return _parts_of(A)
        moves = self.settings.task == "prediction" if len(fits) > 1 else self._moves_inputs
        who = "Each layer is nearest to" if len(fits) > 1 else "Nearest is"
        family = "GD++, gradient descent that also moves the examples" if moves else "gradient descent"
        gamma = f", γ = {_listed(fit.gamma for fit in fits[: max(1, len(fits) - 1)])}" if moves else ""
        return f"{who} {family}: a = {_listed(fit.a for fit in fits)}{gamma} ({self.accounted_for()})."

    def accounted_for(self) -> str:
        """What the nearest gradient descent, or GD++, has of P and of Q by squared entries, of all layers the least."""
        left = zip(*((fit.unexplained_p, fit.unexplained_q) for fit in self.fits()), strict=True)
        P, Q = (f"{100 * (1 - max(shares)):.4g} %" for shares in left)
        return f"{'at least ' if len(self.fits()) > 1 else ''}{P} of P, {Q} of Q"

    def matrix_step(self) -> np.ndarray | None:
        """A in the gauge of `fits` where the only layer is a gradient step with A, (d, d); None for other weights."""
        P, Q, d = self.P[0].astype(float), self.Q[0].astype(float), self.settings.features
        corner = P[d, d] if self.settings.task == "prediction" else -Q[d, d]
        if len(self.P) > 1 or corner == 0:
            return None
        constant, block = np.zeros((d + 1, d + 1)), Q * corner
        constant[d, d] = 1.0
        if self.settings.task == "generation":
            constant = np.diag([1.0] * d + [-1.0])
            P, block = Q / corner, P * corner
        else:
            P = P / corner
        apart = block.copy()
        apart[:d, :d] = 0
        return block[:d, :d] if not apart.any() and np.array_equal(P, constant) else None

    def compared(self) -> str:
        """A sentence on the nearest GD++ and the best known; empty before they are measured."""
        if not {"trained", "nearest GD++"} <= set(self.medians):
            return ""
        alone = "a and γ" if self._moves_inputs else "the step size a"
        if len(self.fits()) > 1:
            alone = "these numbers"
        own, near = (written(self.medians[name]) for name in ("trained", "nearest GD++"))
        text = f"After T loops the trained weights have the median query error {own}, {alone} alone {near}"
        if self.best is None or "best GD++" not in self.medians:
            return f"{text}."
        return (
            f"{text}, and the best GD++ found here, a = {self.best.a:.3g} and γ = {self.best.gamma:.3g}, "
            f"{written(self.medians['best GD++'])}."
        )

    def means(self) -> str:
        """The mean squared error where λ₁ is below its limit, and over all prompts where that is known, in words."""
        if self.limit is None or "trained" not in self.below:
            return ""
        text = f"Mean query error over prompts with λ₁ below {self.limit.value:g}: {measured(self.below['trained'])}"
        text += f" (λ₁ is larger with probability {self.limit.above:.1e})"
        if "trained" in self.whole:
            return f"{text}; over all prompts {measured(self.whole['trained'])}."
        return f"{text}; over all prompts the mean is dominated by prompts too rare to be sampled."

    def overflow(self) -> str:
        """A sentence on the share of fresh prompts on which the loop overflows; empty if nothing does."""
        if not len(self.fresh) or np.isfinite(self.fresh).all():
            return ""
        if not np.isfinite(self.fresh[:, 1]).all():
            return f"The loop diverges: in at least half of the fresh prompts the query error is {written(np.inf)}."
        return f"In some of the fresh prompts the loop diverges: their query error is {written(np.inf)}."

    def noticed(self) -> list[str]:
        """Sentences on what the medians of the sweeps show; none before they are measured."""
        return [
            *self._past_the_loops(),
            *self._at_other_examples(),
        ]

    def _past_the_loops(self) -> list[str]:
        if "loops" not in self.sweeps:
            return []
        sweep, T = self.sweeps["loops"], self.settings.loops
        medians = {name: values[STATISTICS.index("median")] for name, values in sweep.series.items()}
        own, rival = medians["trained"], medians["GD tuned here"]
        said = [
            f"On the {sweep.prompts:,} prompts of the chart “Beyond the trained T” the median query error of the "
            f"trained weights is {written(own[T])} after T = {T} loops, that of gradient descent with its step tuned "
            f"on the same prompts {written(rival[T])}."
        ]
        last = int(sweep.x[-1])
        if last > T:
            best = int(np.argmin(own))
            said.append(
                f"Applied up to {last} times, the trained weights have their smallest median at loop {best}, "
                f"{written(own[best])}; at loop {last} it is {written(own[last])}, and gradient descent has "
                f"{written(rival[last])}."
            )
        return said

    def _at_other_examples(self) -> list[str]:
        if "examples" not in self.sweeps:
            return []
        sweep = self.sweeps["examples"]
        own = sweep.series["trained"][STATISTICS.index("median")]
        rival = sweep.series["GD tuned here"][STATISTICS.index("median")]
        return [
            f"Trained on n = {self.settings.examples}, the weights have the median query error {written(own[0])} at "
            f"n = {sweep.x[0]:g} and {written(own[-1])} at n = {sweep.x[-1]:g}; gradient descent tuned there has "
            f"{written(rival[0])} and {written(rival[-1])} ({sweep.prompts:,} prompts for each n)."
        ]

    @property
    def _moves_inputs(self) -> bool:
        """True where the fit of the only layer has a γ that counts."""
        fits = self.fits()
        moves = len(fits) == 1 and abs(fits[0].gamma) >= SMALL * abs(fits[0].a)
        return moves and self.settings.task == "prediction"

    def distance_to_optimum(self) -> float | None:
        """‖A − Γ*‖/‖Γ*‖ at T = 1, A being the step that the weights take in the gauge of `fits`; else None.

        Γ* = n/(n + 1 + d + σ²)·I for w* ~ 𝓝(0, I), x ~ 𝓝(0, I): arXiv 2306.00297, arXiv 2402.14951.
        """
        settings, d = self.settings, self.settings.features
        if settings.loops != 1:
            return None
        P, Q = self.P[0].astype(float), self.Q[0].astype(float)
        step = P[d, d] * Q[:d, :d].T if settings.task == "prediction" else -Q[d, d] * P[:d, :d]
        optimum = one_layer_optimum(settings)[0] * np.eye(d)
        return float(np.linalg.norm(step - optimum) / np.linalg.norm(optimum))


def one_layer_optimum(settings: TrainSettings) -> tuple[float, float]:
    """γ of the closed-form optimum Γ* = γI of one layer, and its risk d(1 − γ), the query without noise."""
    gamma = settings.examples / (settings.examples + 1 + settings.features + settings.noise**2)
    return gamma, settings.features * (1 - gamma)


def written(value: float) -> str:
    """A squared error in two digits; one that overflows as the ceiling it is above."""
    if PLAIN[0] <= value < PLAIN[1]:
        return f"{value:.2g}"
    return f"{value:.1e}" if value < CEILING else f"over {CEILING:.0e}".replace("e+", "e")


def measured(risk: Risk) -> str:
    """A mean and its standard error in words."""
    if not risk.error:
        return f"{written(risk.mean)}, exact"
    return " ± ".join(with_error(risk.mean, risk.error, PLAIN)) if risk.error < CEILING else written(risk.mean)


def _parts_of(A: np.ndarray) -> str:
    """A sentence on the parts of a matrix step: the mean of its diagonal, what turns, and a rest if there is one."""
    a, whole = float(A.diagonal().mean()), float(np.square(A).sum())
    same, turns = a * a * len(A) / whole, float(np.square(A - A.T).sum()) / 4 / whole
    if same > NEARLY:
        return f"A is {a:.3g} times the identity: {100 * same:.5g} % of its squared entries."
    rest = 1 - same - turns
    return (
        f"A is {a:.3g} times the identity plus an antisymmetric part, which turns: {100 * same:.3g} % and "
        f"{100 * turns:.3g} % of its squared entries" + (f"; {100 * rest:.3g} % is neither." if rest > 0.01 else ".")
    )


def _listed(numbers: Iterable[float]) -> str:
    return ", ".join(f"{number:.3g}" for number in numbers)
