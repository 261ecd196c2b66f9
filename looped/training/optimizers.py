"""The optimisers that move the weights: Adam or stochastic gradient descent, and damped Gauss–Newton.

All lower the mean over fresh prompts of ‖Σ^{1/2}(w_T − w*)‖², which is the query's squared error with x_q integrated
out: the same gradient in expectation, with less noise.
"""

from typing import Any

import torch
from torch import Tensor

from looped.training.models import LoopedModel
from looped.training.stream import Batch

PROMPTS_TOGETHER = 512
"""Prompts whose derivatives are held at once; more would leave the processor's cache."""


class FirstOrder:
    """Adam or plain stochastic gradient descent on the mean squared error, gradients clipped to a length.

    Args:
        model: the model whose parameters move.
        name: the optimiser, "adam" or "sgd".
        clip: the largest length of the gradient over all parameters.
    """

    def __init__(self, model: LoopedModel, name: str, clip: float) -> None:
        self.model, self.clip = model, clip
        kind = torch.optim.Adam if name == "adam" else torch.optim.SGD
        self.inner: torch.optim.Optimizer = kind(model.parameters())

    def step(self, batch: Batch, loops: int, rate: float) -> Tensor | None:
        """One step of length `rate`.

        Returns:
            The squared error of each prompt before the step, (B,); None if the loss or a derivative is not finite,
            and then the weights are as they were.
        """
        self.inner.zero_grad()
        errors = batch.residual(self.model(batch.state, loops)).square().sum(1)
        errors.mean().backward()  # type: ignore[no-untyped-call]
        length = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.clip)
        if not torch.isfinite(length):
            return None
        for group in self.inner.param_groups:
            group["lr"] = rate
        self.inner.step()
        return errors.detach()

    def state_dict(self) -> dict[str, Any]:
        """Moments of Adam."""
        return self.inner.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume from saved moments."""
        self.inner.load_state_dict(state)


class GaussNewton:
    """Levenberg–Marquardt on fresh prompts: θ ← θ − rate·(D + damping·diag D)^{-1} g, D = ∂rᵀ∂r/B, g = ∂rᵀr/B.

    Looped weights lie in a narrow valley: the loss falls far along the scale of Q and rises steeply across it, and a
    first-order step only bounces between its walls. D knows both directions. A step must lower the loss of its own
    prompts, else the damping grows and it is tried again.

    Args:
        model: the model whose N parameters move. ∂r, the derivatives of the errors r, has a column for each, and D is
            (N, N).

    Source: Marquardt (1963); its use here is this project's own.
    """

    LEAST, MOST, TRIES = 1e-6, 1e6, 8

    def __init__(self, model: LoopedModel) -> None:
        self.model = model
        self.damping = 0.1

    def step(self, batch: Batch, loops: int, rate: float) -> Tensor | None:
        """At most `TRIES` trial steps on one batch; none is taken if none lowers its loss."""
        curvature, gradient, errors = self._normal_equations(batch, loops)
        if not (torch.isfinite(curvature).all() and torch.isfinite(gradient).all()):
            return None
        parameters = list(self.model.parameters())
        start = torch.nn.utils.parameters_to_vector(parameters).detach()
        diagonal = curvature.diagonal()
        floor = 1e-8 * diagonal.max()  # directions the loss does not feel, such as P → cP, Q → Q/c
        for _ in range(self.TRIES):
            damped = curvature + self.damping * torch.diag(diagonal + floor)
            move, _info = torch.linalg.solve_ex(damped, gradient)
            torch.nn.utils.vector_to_parameters(start - rate * move, parameters)
            with torch.no_grad():
                after = batch.residual(self.model(batch.state, loops)).square().sum(1).mean()
            if after < errors.mean():
                self.damping = max(self.damping / 3, self.LEAST)
                return errors
            self.damping = min(4 * self.damping, self.MOST)
        torch.nn.utils.vector_to_parameters(start, parameters)
        return errors

    def _normal_equations(self, batch: Batch, loops: int) -> tuple[Tensor, Tensor, Tensor]:
        """D, g and the squared error of each prompt, (B,)."""
        count = sum(parameter.numel() for parameter in self.model.parameters())
        curvature = batch.state.new_zeros(count, count)
        gradient = batch.state.new_zeros(count)
        errors = []
        for part in batch.split(PROMPTS_TOGETHER):
            # A copy of the weights for each prompt: one backward pass then gives the derivatives of all prompts.
            copies = [
                parameter.detach()[..., None].repeat(*[1] * parameter.dim(), len(part.state)).requires_grad_()
                for parameter in self.model.parameters()
            ]
            residual = part.residual(self.model(part.state, loops, copies))  # (B, d)
            d = residual.shape[1]
            for k in range(d):
                parts = torch.autograd.grad(residual[:, k].sum(), copies, retain_graph=k < d - 1)
                J = torch.cat([part.reshape(-1, part.shape[-1]) for part in parts])  # (N, B)
                curvature += J @ J.T
                gradient += J @ residual[:, k].detach()
            errors.append(residual.detach().square().sum(1))
        B = len(batch.state)
        return curvature / B, gradient / B, torch.cat(errors)

    def state_dict(self) -> dict[str, Any]:
        """The damping."""
        return {"damping": self.damping}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume from a saved damping."""
        self.damping = float(state["damping"])
