"""Models that read the tokens E: linear self-attention, the block with an MLP, one step of gradient descent.

Tokens are columns: E = [[Xᵀ, x], [yᵀ, 0]] is (B, d+1, M+1), its last column the query, which is never a key.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Effective:
    """A model as a function of E: f = gᵀx + rᵀGUx with G = (1/M)Σ_i z_i z_iᵀ over the examples z_i = (x_i; y_i).

    All four models have this form; they differ in which g, r, U they reach.
    """

    g: Tensor
    """The weights of the query's features themselves, (d,); 0 without an MLP."""
    r: Tensor
    """The direction in which an example is read, (d+1,): r = (u_21; u_{−1})."""
    U: Tensor
    """The matrix that scores an example against the query, (d+1, d): U = [U_11; u_12ᵀ]."""


class SignalModel(nn.Module, ABC):
    """A model that predicts the query's label from E."""

    @abstractmethod
    def forward(self, E: Tensor) -> Tensor:
        """Prediction for each prompt: (B, d+1, M+1) → (B,)."""

    @abstractmethod
    def effective(self) -> Effective:
        """The g, r, U of the present weights, detached, float64."""

    @abstractmethod
    def rescale(self, units: Tensor) -> None:
        """Turn f into E ↦ s·f(E/units) in place, s the last unit: weights made for tokens in units of their own.

        Args:
            units: one unit for each row of E, (d+1,), above 0. Powers of two make this exact and its inverse as well.
        """


class LSA(SignalModel):
    """Linear self-attention: f = [E + W_PᵀW_V E diag(I_M, 0) EᵀW_KᵀW_Q E/M]_{−1,−1}.

    Only the last column is needed, and of it one entry, so nothing of size (M+1)² is made: O(B·M·d).

    Args:
        features: d, the number of features.
        d_k: the number of rows of W_K and W_Q, d+1 by default.
        d_v: the number of rows of W_P and W_V, d+1 by default.
        generator: the source of the initial weights; every W is 𝓝(0, 1/rows), a choice of this project.
        dtype: the dtype of the weights.
    """

    label_row: Tensor
    """e_{d+1}, the row of a token that holds the label, (d+1,)."""

    def __init__(
        self,
        features: int,
        d_k: int | None = None,
        d_v: int | None = None,
        *,
        generator: torch.Generator,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        super().__init__()
        tokens = features + 1
        key_rows, value_rows = d_k or tokens, d_v or tokens
        self.register_buffer("label_row", torch.eye(tokens, dtype=dtype)[-1], persistent=False)
        self.W_K = _random(key_rows, tokens, generator, dtype)  # (d_k, d+1)
        self.W_Q = _random(key_rows, tokens, generator, dtype)  # (d_k, d+1)
        self.W_P = _random(value_rows, tokens, generator, dtype)  # (d_v, d+1)
        self.W_V = _random(value_rows, tokens, generator, dtype)  # (d_v, d+1)

    def output_row(self) -> Tensor:
        """The row g that reads the prediction off the query's token after attention, (d+1,): here its label."""
        return self.label_row

    def forward(self, E: Tensor) -> Tensor:
        """Prediction for each prompt: (B, d+1, M+1) → (B,)."""
        M = E.shape[2] - 1
        g = self.output_row()
        r = self.W_P @ g @ self.W_V  # (d+1,)
        examples, query = E[:, :, :M], E[:, :, M]
        pooled = torch.bmm(examples, (r @ E)[:, :M, None])[:, :, 0]  # (B, d+1): M·G r
        return query @ g + (pooled @ (self.W_K.mT @ self.W_Q) * query).sum(dim=1) / M

    def effective(self) -> Effective:
        """The g, r, U of the present weights, detached, float64."""
        with torch.no_grad():
            g = self.output_row()
            d = len(g) - 1
            r, U = self.W_P @ g @ self.W_V, self.W_K.mT @ self.W_Q[:, :d]
            return Effective(g=g[:d].double(), r=r.double(), U=U.double())

    @torch.no_grad()
    def rescale(self, units: Tensor) -> None:
        """Turn f into E ↦ s·f(E/units) in place: W_K, W_Q and W_V read, W_P writes."""
        for reading in (self.W_K, self.W_Q, self.W_V):
            reading.div_(units)
        self.W_P.mul_(units)


class LTB(LSA):
    """Linear transformer block: linear self-attention, then the linear MLP W_2ᵀW_1 on every token.

    f = [W_2ᵀW_1 (E + W_PᵀW_V E diag(I_M, 0) EᵀW_KᵀW_Q E/M)]_{−1,−1}.

    Args:
        features: d, the number of features.
        d_k: the number of rows of W_K and W_Q, d+1 by default.
        d_v: the number of rows of W_P and W_V, d+1 by default.
        d_f: the number of rows of W_1 and W_2, 4(d+1) by default.
        generator: the source of the initial weights; every W is 𝓝(0, 1/rows), a choice of this project.
        dtype: the dtype of the weights.
    """

    def __init__(
        self,
        features: int,
        d_k: int | None = None,
        d_v: int | None = None,
        d_f: int | None = None,
        *,
        generator: torch.Generator,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        super().__init__(features, d_k, d_v, generator=generator, dtype=dtype)
        hidden = d_f or 4 * (features + 1)
        self.W_1 = _random(hidden, features + 1, generator, dtype)  # (d_f, d+1)
        self.W_2 = _random(hidden, features + 1, generator, dtype)  # (d_f, d+1)

    def output_row(self) -> Tensor:
        """g, the last row of W_2ᵀW_1, (d+1,)."""
        return self.W_2[:, -1] @ self.W_1

    @torch.no_grad()
    def rescale(self, units: Tensor) -> None:
        """Turn f into E ↦ s·f(E/units) in place: W_1 reads too, and W_2 writes."""
        super().rescale(units)
        self.W_1.div_(units)
        self.W_2.mul_(units)

    @torch.no_grad()
    def normalise(self) -> None:
        """Make the last entry of g exactly 1 without changing the function, in place.

        The query's label slot is empty, so that entry acts only through r = gᵀW_PᵀW_V, and training leaves it
        anywhere. The last column of W_1 moves along that of W_2 until g′ ends in 1, and
        W_P ← W_P + W_P(g − g′)g′ᵀ/‖g′‖² keeps W_P g′ = W_P g.

        Source: derived for this project.
        """
        g = self.output_row()
        wanted = torch.cat([g[:-1], g.new_ones(1)])
        output = self.W_2[:, -1]
        self.W_1[:, -1] += output * (1 - g[-1]) / (output @ output)
        self.W_P.add_(torch.outer(self.W_P @ (g - wanted), wanted) / (wanted @ wanted))


class GDBeta(SignalModel):
    """GD-β, one step of gradient descent from β: f = ⟨β − Γ(1/M)Xᵀ(Xβ − y), x⟩. GD-0 keeps β at 0.

    Args:
        beta: β, the start, (d,); a parameter if `learn_beta`, else fixed.
        Gamma: Γ, the matrix step size, (d, d), a parameter.
        learn_beta: False with β = 0 is GD-0.
    """

    def __init__(self, beta: Tensor, Gamma: Tensor, *, learn_beta: bool = True) -> None:
        super().__init__()
        self.beta = nn.Parameter(beta.clone(), requires_grad=learn_beta)
        self.Gamma = nn.Parameter(Gamma.clone())

    def forward(self, E: Tensor) -> Tensor:
        """Prediction for each prompt: (B, d+1, M+1) → (B,)."""
        M = E.shape[2] - 1
        Xt, y, x = E[:, :-1, :M], E[:, -1, :M], E[:, :-1, M]
        residual = self.beta @ Xt - y  # (B, M)
        gradient = torch.bmm(Xt, residual[:, :, None])[:, :, 0] / M  # (B, d)
        return ((self.beta - gradient @ self.Gamma.mT) * x).sum(dim=1)

    def effective(self) -> Effective:
        """The g, r, U of the present weights, detached, float64: g = β, r = (−β; 1), U = [Γᵀ; 0]."""
        beta, Gamma = self.beta.detach().double(), self.Gamma.detach().double()
        return Effective(g=beta, r=torch.cat([-beta, beta.new_ones(1)]), U=torch.cat([Gamma.mT, 0 * beta[None]]))

    @torch.no_grad()
    def rescale(self, units: Tensor) -> None:
        """Turn f into E ↦ s·f(E/units) in place: β ← sβ/a and Γ ← Γ/(aaᵀ), a the units of the features."""
        features, label = units[:-1], units[-1]
        self.beta.mul_(label / features)
        self.Gamma.div_(torch.outer(features, features))


def estimate(model: Effective, E: Tensor) -> Tensor:
    """What a model takes the task of each prompt for: ŵ = g + UᵀGr, with which f = ⟨ŵ, x⟩ for every query x.

    Args:
        model: the g, r, U of a model.
        E: the tokens as columns, (B, d+1, M+1); the query is not read.

    Returns:
        ŵ of each prompt, (B, d), float64.
    """
    examples = E[:, :, :-1].double()
    pooled = torch.bmm(examples, (model.r @ examples)[:, :, None])[:, :, 0] / examples.shape[2]  # (B, d+1): G r
    return model.g + pooled @ model.U


@dataclass(frozen=True, slots=True)
class ReadOut:
    """The gradient step that a linear transformer block performs, as far as it performs one."""

    beta: Tensor
    """The start of the step, (d,), to be compared with β*."""
    Gamma: Tensor
    """Its matrix step size, (d, d), to be compared with Γ*."""


def read_out(block: LTB) -> ReadOut:
    """β and Γ of a trained block: β = g[:d] and Γᵀ = r[d]·U[:d, :d], U = W_KᵀW_Q and r = gᵀW_PᵀW_V.

    g is the last row of W_2ᵀW_1, not scaled: its first d entries meet the query's features directly, and its last
    entry cannot be told apart from the scale of W_PᵀW_V. At the optimum these are β* and Γ*.
    """
    found = block.effective()
    return ReadOut(beta=found.g, Gamma=(found.r[-1] * found.U[:-1]).mT)


def _random(rows: int, columns: int, generator: torch.Generator, dtype: torch.dtype) -> nn.Parameter:
    return nn.Parameter(torch.randn(rows, columns, generator=generator, dtype=dtype) / rows**0.5)
