"""How each algorithm acts on the eigen-modes of a prompt: its numbers, its limit and its errors before anything runs.

In the modes of H = XᵀX/n every algorithm but softmax attention is a recurrence of numbers. With w_0 = 0 mode k of
w_t − w_ref is f_t(λ_k) times that of −w_ref, f_0 = 1.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from looped import theory
from looped.prompts import Prompts, Spectrum
from looped.settings import Settings

GDPP_AUTO = (0.5, 23.0)
"""γλ₁ and a/γ of GD++ with the step auto: near the ratio 4.97/0.217 of the best at T = 10, n = 20, d = 5."""
GDPP_LOOPS = 64
"""Loops that the best two numbers of GD++ are searched for at most; later loops go on with them."""


@dataclass(frozen=True)
class Dynamics:
    """The numbers an algorithm runs with on given prompts, and what follows from them."""

    settings: Settings
    spectrum: Spectrum
    """Of what one step contracts: H, H + ρI for ridge (on the range of H), C^½ H C^½ for a preconditioner C."""
    step_size: Tensor
    """η, or a of GD++, (B,), float64."""
    w_ref: Tensor
    """Where the loop is heading, (B, d), float64: the shortest least-squares solution for the labels αy; for ridge the
    minimiser of its penalised loss, with a preconditioner the solution shortest in C^−½w."""
    momentum: float = 0.0
    """β, the same for all prompts."""
    contraction: float = 0.0
    """p = γ/a of GD++, the same for all prompts."""
    preconditioner: Tensor | None = None
    """C, (d, d), float64, the same for all prompts."""
    root: Tensor | None = None
    """C^½."""

    @property
    def condition_number(self) -> float:
        """κ of what one step contracts, the largest over the prompts; with a preconditioner times √κ(C).

        What is rounded in C^−½w, in which the loop is gradient descent, may be √κ(C) times as large in w.
        """
        kappa = float(self.spectrum.condition_number.max())
        return kappa if self.root is None else kappa * float(torch.linalg.cond(self.root))

    @cached_property
    def factors(self) -> Tensor:
        """f_t(λ_k): what is left of mode k after t loops, (T+1, B, r), float64; inf or NaN where it overflows.

        gd, ridge, preconditioned: (1 − ηλ)ᵗ with the eigenvalues of `spectrum`.
        heavy ball: f_{t+1} = (1 + β − ηλ) f_t − β f_{t−1}, f_{−1} = f_0 = 1.
        GD++: f_{t+1} = f_t (1 − a h_t), h_{t+1} = h_t (1 − γh_t)², h_0 = λ.
        Newton: f_{t+1} = (1 − ηλ)^(2ᵗ).
        """
        loops, change = self.settings.loops, self.step_size[:, None] * self.spectrum.eigenvalues
        if self.settings.algorithm not in ("heavy-ball", "gd++", "newton"):
            return theory.powers(1 - change, loops)
        factors = torch.ones(loops + 1, *change.shape, dtype=torch.float64)
        left = before = factors[0]
        if self.settings.algorithm == "newton":
            left = 1 - change
        for t in range(loops):
            match self.settings.algorithm:
                case "heavy-ball":
                    left, before = (1 + self.momentum - change) * left - self.momentum * before, left
                case "gd++":  # `change` is a·h
                    left = left * (1 - change)
                    change = change * (1 - self.contraction * change).square()
                case _:
                    factors[t + 1] = left
                    left = left.square()
                    continue
            factors[t + 1] = left
        return factors

    @cached_property
    def errors(self) -> Tensor | None:
        """‖w_t − w_ref‖/‖w_ref‖ from the eigenvalues alone, (T+1, B), float64; None for softmax attention."""
        match self.settings.algorithm:
            case "softmax":
                return None
            case "gd" | "ridge":
                return theory.closed_form_errors(self.spectrum, self.step_size, self.w_ref, self.settings.loops)
        along = self._along
        modes = torch.where(along != 0, self.factors * along, 0.0)  # (T+1, B, r)
        if self.root is not None:  # C^½ v_k are not orthogonal
            modes = modes.transpose(0, 1) @ (self.root @ self.spectrum.eigenvectors).mT
            modes = modes.transpose(0, 1)
        length = self.w_ref.norm(dim=1)
        return modes.norm(dim=2).nan_to_num(nan=torch.inf) / torch.where(length > 0, length, 1.0)

    def predict(self, dtype: torch.dtype) -> theory.Prediction:
        """What becomes of the error, before running: for the worst prompt, with its numbers.

        Args:
            dtype: of the run, in whose rounding η is meant.
        """
        eta, name = self.step_size.to(dtype).double(), self.settings.algorithm
        limits = {"ridge": "2/(λ₁+ρ)", "preconditioned": "2/μ₁", "heavy-ball": "2(1+β)/λ₁"}
        aim = self.w_ref
        if self.root is not None:
            aim = torch.linalg.solve(self.root, self.w_ref.mT).mT
        plain = theory.predict(self.spectrum, eta, aim, dtype, self.momentum, limits.get(name, "2/λ₁"))
        match name:
            case "gd++":
                return self._predict_gdpp(plain, dtype)
            case "newton":
                return self._predict_newton(plain)
            case "softmax":
                words = (
                    "No verdict before running: softmax attention is not linear, so no mode goes its own way. It "
                    "descends log Σ exp(⟨x_i, w⟩ − αy_i), not the squared error."
                )
                return replace(plain, kind="unknown", affected=0, words=words)
        return plain

    def rounding_floor(self, dtype: torch.dtype) -> Tensor | None:
        """The relative error below which rounding in `dtype` rules, (B,), float64: an estimate.

        `theory.rounding_floor`, but eps·(1 + max_t error_t) for GD++, whose tokens keep what was rounded where the
        error was largest, and eps·(2 + log₂κ) for Newton, which needs about log₂κ loops. None for softmax attention,
        and where some mode does not contract.
        """
        eps = torch.finfo(dtype).eps
        match self.settings.algorithm:
            case "softmax":
                return None
            case "newton":
                return eps * (2 + self.spectrum.condition_number.log2())
            case "gd++":
                assert self.errors is not None
                floor = eps * (1 + self.errors.amax(dim=0))
            case _:
                floor = theory.rounding_floor(self.spectrum, self.step_size, dtype, self.momentum)
        return floor if bool(floor.isfinite().all()) else None

    @property
    def _along(self) -> Tensor:
        """w_ref in the modes, (B, r), exactly 0 where a mode does not exist."""
        aim = self.w_ref
        if self.root is not None:
            aim = torch.linalg.solve(self.root, aim.mT).mT
        along = torch.einsum("bdk,bd->bk", self.spectrum.eigenvectors, aim)
        return torch.where(self.spectrum.nonzero, along, 0.0)

    def _predict_gdpp(self, plain: theory.Prediction, dtype: torch.dtype) -> theory.Prediction:
        gamma = self.contraction * self.step_size
        reach = gamma * self.spectrum.largest
        present = self._along.abs() > theory.MODE_PRESENT * self.w_ref.norm(dim=1, keepdim=True)
        left = torch.where(present, self.factors.abs(), 0.0).nan_to_num(nan=torch.inf)
        rounding = torch.finfo(dtype).eps * left.amax(dim=0)  # the tokens keep what was rounded where it was largest
        size = torch.maximum(left[-1], rounding).amax(dim=1)
        runs_away = reach > 2 + 16 * torch.finfo(dtype).eps
        growing = runs_away | (size > 1)
        worst = int(torch.where(runs_away, torch.inf, size).argmax())
        mode = 0 if runs_away[worst] else int(left[-1, worst].argmax())
        limit, loops = float(2 / self.spectrum.largest[worst]), self.settings.loops
        numbers = f"γ = {float(gamma[worst]):.3g} is {'above' if runs_away[worst] else 'below'} 2/λ₁ = {limit:.3g}"
        many = f" in {int(growing.sum())} of {plain.prompts} prompts" if 0 < growing.sum() < plain.prompts else ""
        if runs_away[worst]:
            words = f"Diverges{many}: {numbers}, and the examples themselves run away."
        elif growing[worst]:
            words = (
                f"Grows{many}: {numbers}, but a = {float(self.step_size[worst]):.3g} is so large that after "
                f"T = {loops} loops mode {mode + 1} is {float(size[worst]):.3g} times as far off as at the start."
            )
        else:
            most = float(left[:, worst].max())
            way = f", which grows to {most:.3g} times its start on the way" if most > 1 else ""
            words = (
                f"Converges: {numbers}; T = {loops} loops leave {float(size[worst]):.2g} of the error in the worst "
                f"mode, number {mode + 1}{way}."
            )
        return replace(
            plain,
            kind="diverges" if growing.any() else "converges",
            affected=int(growing.sum()),
            step_size=float(self.step_size[worst]),
            limit=limit,
            factor=float(size[worst]),
            mode=mode + 1,
            words=words,
        )

    def _predict_newton(self, plain: theory.Prediction) -> theory.Prediction:
        rank, full = int(self.spectrum.nonzero.sum(dim=1).min()), self.spectrum.eigenvalues.shape[1]
        if rank < full:
            words = (
                f"Diverges: the examples have rank {rank} < {full}, and in the directions they lack every loop doubles "
                "the rounding."
            )
            return replace(plain, kind="diverges", affected=plain.prompts, factor=2.0, words=words)
        if plain.kind == "converges" and plain.factor < 1e-12:
            return plain  # one loop removes every mode
        if plain.kind == "converges":
            head = plain.sentence.split(";")[0]
            words = f"{head}; every loop squares what is left, at first {plain.factor:.4g} in mode {plain.mode}."
            return replace(plain, words=words)
        words = (
            f"Diverges: η = {plain.step_size:.3g} is not below 2/λ₁ = {plain.limit:.3g}; every loop squares what is "
            f"left of mode {plain.mode}, {plain.factor:.4g} at first."
        )
        return replace(plain, kind="diverges", affected=max(plain.affected, 1), words=words)


def plan(settings: Settings, batch: Prompts) -> Dynamics:
    """The numbers that the chosen algorithm runs with on these prompts.

    Args:
        settings: the algorithm, its parameters, the step size and α are read.
        batch: of B prompts.
    """
    spectrum, w_ref = batch.spectrum, batch.least_squares(settings.label_scale)
    match settings.algorithm:
        case "ridge":
            return _ridge(settings, batch)
        case "preconditioned" if batch.covariance is not None:
            return _preconditioned(settings, batch, batch.covariance)
        case "preconditioned":
            identity = torch.eye(batch.shape[2], dtype=torch.float64)
            eta = theory.step_sizes(spectrum, settings)
            return Dynamics(settings, spectrum, eta, w_ref, preconditioner=identity)
        case "heavy-ball":
            eta = theory.step_sizes(spectrum, settings, lambda high, low: 4 / (high.sqrt() + low.sqrt()).square())
            beta = settings.momentum
            if beta == "auto":
                beta = best_momentum(eta[:, None] * spectrum.eigenvalues, spectrum.nonzero)
            return Dynamics(settings, spectrum, eta, w_ref, momentum=beta)
        case "gd++":
            return _gdpp(settings, spectrum, w_ref)
    return Dynamics(settings, spectrum, theory.step_sizes(spectrum, settings), w_ref)


def best_momentum(change: Tensor, nonzero: Tensor) -> float:
    """The smallest β with which every mode of every prompt falls as √β: max (1 − √(ηλ))², at most 0.9999.

    At the best step 4/(√λ₁+√λ_d)² it is Polyak's ((√κ−1)/(√κ+1))², at 1/λ₁ it is (1 − 1/√κ)².

    Args:
        change: ηλ, (B, r).
        nonzero: which modes exist, (B, r).

    Source: roots of r² − (1+β−ηλ)r + β, a complex pair iff (1−√β)² < ηλ < (1+√β)².
    """
    return min(float(torch.where(nonzero, (1 - change.sqrt()).square(), 0.0).max()), 0.9999)


def best_gdpp(condition_number: float, loops: int, eps: float) -> tuple[float, float]:
    """γλ₁ and a/γ that leave the least of the worst mode after T loops, found on two grids.

    Worst over all eigenvalues between λ₁/κ and λ₁. Rounding counts too: what grows on the way by a factor leaves eps
    times that factor. The best numbers on a grid, not a proof.

    Args:
        condition_number: κ.
        loops: T, of which at most `GDPP_LOOPS` are looked at.
        eps: of the run's arithmetic.
    """
    loops = min(loops, GDPP_LOOPS)
    shares = torch.logspace(0, -float(torch.tensor(condition_number).log10()), 33, dtype=torch.float64)
    reach = torch.linspace(0.05, 0.95, 19, dtype=torch.float64)
    ratio = torch.logspace(0, 2.5, 61, dtype=torch.float64)
    best = GDPP_AUTO
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


def _ridge(settings: Settings, batch: Prompts) -> Dynamics:
    # w_ref = (H + ρI)⁻¹ Xᵀαy/n: each mode of least squares times λ/(λ + ρ).
    spectrum = batch.spectrum
    lifted = torch.where(spectrum.nonzero, spectrum.eigenvalues + settings.ridge, 0.0)
    shrink = torch.where(spectrum.nonzero, spectrum.eigenvalues / torch.where(spectrum.nonzero, lifted, 1.0), 0.0)
    along = torch.einsum("bdk,bd->bk", spectrum.eigenvectors, batch.least_squares(settings.label_scale))
    w_ref = torch.einsum("bdk,bk->bd", spectrum.eigenvectors, shrink * along)
    spectrum = replace(spectrum, eigenvalues=lifted)
    return Dynamics(settings, spectrum, theory.step_sizes(spectrum, settings), w_ref)


def _preconditioned(settings: Settings, batch: Prompts, covariance: Tensor) -> Dynamics:
    # w = C^½u turns it into gradient descent on u with the rows C^½x_i.
    values, vectors = torch.linalg.eigh(covariance)
    root = (vectors / values.sqrt()) @ vectors.T
    seen = Prompts(X=batch.X.double() @ root, y=batch.y.double(), w_star=None)
    w_ref = seen.least_squares(settings.label_scale) @ root
    eta = theory.step_sizes(seen.spectrum, settings)
    return Dynamics(settings, seen.spectrum, eta, w_ref, preconditioner=root @ root, root=root)


def _gdpp(settings: Settings, spectrum: Spectrum, w_ref: Tensor) -> Dynamics:
    if isinstance(settings.step_size, float):
        eta = theory.step_sizes(spectrum, settings)
        reach, ratio = GDPP_AUTO
    else:
        eps = float(torch.finfo(getattr(torch, settings.dtype)).eps)
        kappa = float(spectrum.condition_number.max())
        reach, ratio = best_gdpp(kappa, settings.loops, eps) if settings.step_size == "optimal" else GDPP_AUTO
        eta = reach * ratio * theory.step_sizes(spectrum, settings.replace(step_size="auto"))
    contraction = 1 / ratio if settings.gamma == "auto" else settings.gamma / float(eta.max())
    return Dynamics(settings, spectrum, eta, w_ref, contraction=contraction)
