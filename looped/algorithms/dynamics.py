"""How each algorithm acts on the eigen-modes of a prompt: its numbers, its limit and its errors before anything runs.

In the modes of H = XᵀX/n every algorithm but softmax attention is a recurrence of numbers. With w_0 = 0 mode k of
w_t − w_ref is f_t(λ_k) times that of −w_ref, f_0 = 1.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import Tensor

from looped import theory
from looped.fields import FIELDS
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
    of_examples: Spectrum | None = None
    """Of H itself, where one step contracts something else; None where that is `spectrum`."""
    label_size: Tensor = field(default_factory=lambda: torch.ones(1, dtype=torch.float64))
    """Root mean square of the labels αy, (B,)."""

    @property
    def condition_number(self) -> float:
        """The κ of the verdict's tolerance, the largest over the prompts.

        κ of H = XᵀX/n on its non-zero eigenvalues, (λ₁+ρ)/(λ_d+ρ) for ridge. With a preconditioner C the larger of
        κ(H), which the rounding of H costs, and κ(C^½HC^½)·√κ(C): the loop is gradient descent in C^−½w, and what is
        rounded there may be √κ(C) times as large in w. At least aλ₁ for GD++, which multiplies what is rounded by that.
        """
        kappa = float(self.spectrum.condition_number.max())
        if self.settings.algorithm == "gd++":
            return max(kappa, float((self.step_size * self.spectrum.largest).max()))
        if self.root is None or self.of_examples is None:  # ridge lifts κ(H), and needs no more
            return kappa
        return max(float(self.of_examples.condition_number.max()), kappa * float(torch.linalg.cond(self.root)))

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

        eps·√(K² + A² + u²) as in `theory.rounding_floor`; with a preconditioner of the state form κ/3 is added under
        the root, κ of the tolerance. In float32, whose rounding the reference solution does not have, half of it, and
        a fifth where sums over n > d examples average theirs in the token form. eps·1.5·√(√κ + u²), half in float32,
        for Newton; eps·√κ·(1 + max_t error_t) for GD++, whose tokens keep what was rounded where the error was largest.
        None for softmax attention, and where some mode does not contract.

        The median over 8 prompts was within a factor of 4 of the measured one in 9 of 10 random settings of all
        algorithms, κ from 1 to 10,000: `pytest -m slow -n 0 -s tests/algorithms/test_rounding_floor.py`. Of 300, the
        estimate was from 0.06 to 32 times the measured floor, below κ = 10 at most 7.6 times.
        """
        eps, kappa = torch.finfo(dtype).eps, self.spectrum.condition_number
        single = dtype == torch.float32
        examples, length = self.of_examples or self.spectrum, self.w_ref.norm(dim=1)
        terms = self.step_size * self.label_size * examples.eigenvalues.sum(dim=1).sqrt()
        terms = terms / torch.where(length > 0, length, 1.0)
        match self.settings.algorithm:
            case "softmax":
                return None
            case "newton":
                return eps * (0.75 if single else 1.5) * (kappa.sqrt() + terms.square()).sqrt()
            case "gd++":
                assert self.errors is not None
                floor = eps * kappa.sqrt() * (1 + self.errors.amax(dim=0))
            case _:
                few = examples.left.shape[1] <= examples.eigenvectors.shape[1]
                share = self._along.abs() / self._along.norm(dim=1, keepdim=True).clamp(min=1e-300)
                floor = theory.rounding_floor(self.spectrum, self.step_size, share, terms, self.momentum)
                if self.root is not None and (few or self.settings.form == "state"):
                    floor = (floor.square() + (self.condition_number / 3) ** 2).sqrt()
                if single:
                    floor = floor * (0.2 if self.settings.form == "token" and not few else 0.5)
                floor = eps * floor
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
        # γλ₁ below 2: every h falls to 0 like 1/(2γt), a mode grows while ah > 2 and falls as t^(−a/(2γ)) in the end.
        eps = torch.finfo(dtype).eps
        gamma, largest = self.contraction * self.step_size, self.spectrum.largest
        present = self._along.abs() > theory.MODE_PRESENT * self.w_ref.norm(dim=1, keepdim=True)
        most = self._largest_growth(torch.where(present, self.spectrum.eigenvalues, 0.0), eps)  # (B, r)
        runs_away = gamma * largest > 2 + 16 * eps
        lost = runs_away | (eps * most.amax(dim=1) >= 1)
        left = torch.where(present, self.factors[-1].abs(), 0.0).nan_to_num(nan=torch.inf)
        size = torch.maximum(left, eps * most)  # the tokens keep what was rounded where it was largest
        worst = int(torch.where(lost, torch.inf, size.amax(dim=1)).argmax())
        mode, grown = int(size[worst].argmax()), int(most[worst].argmax())
        a, limit, growth = float(self.step_size[worst]), float(2 / largest[worst]), float(most[worst, grown])
        examples = f"γ = {float(gamma[worst]):.3g} is {'above' if runs_away[worst] else 'below'} 2/λ₁ = {limit:.3g}"
        many = f" in {int(lost.sum())} of {plain.prompts} prompts" if 0 < lost.sum() < plain.prompts else ""
        if runs_away[worst]:
            mode, words = 0, f"Diverges{many}: {examples}, and the examples themselves run away."
        elif lost[worst]:
            mode = grown
            words = (
                f"Diverges{many}: {examples}, but a = {a:.3g} is so far above it that mode {mode + 1} grows to more "
                f"than {growth:.2g} times its start before it can fall, and rounding in {plain.precision} is then "
                "larger than the solution."
            )
        elif not self.w_ref.any():
            words = "Converges: the labels are orthogonal to the features, so the solution is 0, where the loop starts."
        else:
            number, loops = float(size[worst, mode]), self.settings.loops
            after = f"after T = {loops} loop{'s' * (loops > 1)} the worst mode, number {mode + 1}, has {number:.3g} of "
            after += "its start"
            if growth > 1:
                words = (
                    f"Converges: {examples}, so every mode falls in the end. As a = {a:.3g} is above it, mode "
                    f"{grown + 1} first grows to {growth:.3g} times its start; {after}."
                )
            else:
                words = f"Converges: {examples}, and so every mode falls; {after}."
        return replace(
            plain,
            kind="diverges" if lost.any() else "converges",
            affected=int(lost.sum()),
            step_size=a,
            limit=limit,
            factor=float(size[worst, mode]),
            mode=mode + 1,
            words=words,
        )

    def _largest_growth(self, h: Tensor, eps: float) -> Tensor:
        """How often its start a mode of GD++ is at most in any loop, (B, r), at least 1; looked for until 1/eps.

        Args:
            h: eigenvalues, 0 for modes that do not count, (B, r).
            eps: of the run's arithmetic.
        """
        a, gamma = self.step_size[:, None], self.contraction * self.step_size[:, None]
        size = most = torch.ones_like(h)
        for _ in range(int(FIELDS["loops"].high)):
            if bool(((a * h <= 2).all(dim=1) | (eps * most >= 1).any(dim=1)).all()):
                break
            size = (size * (1 - a * h).abs()).clamp(max=1e3 / eps)
            most = torch.maximum(most, size)
            h = h * (1 - gamma * h).square()
        return most

    def _predict_newton(self, plain: theory.Prediction) -> theory.Prediction:
        rank, full = int(self.spectrum.nonzero.sum(dim=1).min()), self.spectrum.eigenvalues.shape[1]
        if rank < full:
            words = (
                f"Diverges: the examples have numerical rank {rank} < {full} in {plain.precision}, and in the "
                "directions they lack every loop doubles the rounding."
            )
            return replace(plain, kind="diverges", affected=plain.prompts, factor=2.0, words=words)
        if plain.kind == "converges":
            if plain.words or plain.factor < 1e-12:
                return plain  # one loop removes every mode
            first = f"{plain.factor:.4g} of" if plain.away >= 1e-3 else f"all but {plain.away:.2g} of"
            words = f"Converges: {plain.head}; every loop squares what is left, at first {first} mode {plain.mode}."
            return replace(plain, words=words)
        if plain.kind == "oscillates":
            words = (
                f"No verdict: η = 2/λ₁ = {plain.limit:.6g} to the rounding of {plain.precision}; every loop squares "
                f"what is left of mode {plain.mode}, and 1 stays 1 until rounding decides."
            )
            return replace(plain, kind="unknown", words=words)
        head = plain.sentence.split(";")[0]
        words = f"{head}; every loop squares what is left of mode {plain.mode}, {plain.factor:.4g} at first."
        return replace(plain, words=words)


def plan(settings: Settings, batch: Prompts) -> Dynamics:
    """The numbers that the chosen algorithm runs with on these prompts.

    Args:
        settings: the algorithm, its parameters, the step size and α are read.
        batch: of B prompts.
    """
    labels = settings.label_scale * batch.y.double()
    return replace(_plan(settings, batch), label_size=labels.square().mean(dim=1).sqrt())


def _plan(settings: Settings, batch: Prompts) -> Dynamics:
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
    eta = theory.step_sizes(spectrum, settings)
    return Dynamics(settings, spectrum, eta, w_ref, of_examples=batch.spectrum)


def _preconditioned(settings: Settings, batch: Prompts, covariance: Tensor) -> Dynamics:
    # w = C^½u turns it into gradient descent on u with the rows C^½x_i.
    values, vectors = torch.linalg.eigh(covariance)
    root = (vectors / values.sqrt()) @ vectors.T
    seen = Prompts(X=batch.X.double() @ root, y=batch.y.double(), w_star=None)
    w_ref = seen.least_squares(settings.label_scale) @ root
    eta = theory.step_sizes(seen.spectrum, settings)
    C = root @ root
    return Dynamics(settings, seen.spectrum, eta, w_ref, preconditioner=C, root=root, of_examples=batch.spectrum)


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
