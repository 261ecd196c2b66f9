"""Every algorithm written from its formula, prompt by prompt, sharing nothing with the package."""

import numpy as np
import torch

from looped import Settings
from looped.algorithms import ALGORITHMS
from looped.prompts import Prompts

RHO, BETA, P_GAMMA = 0.3, 0.6, 0.044
"""ρ, β and γ/a of the references."""


def preconditioner(d):
    """Any symmetric positive definite matrix, eigenvalues at most 1."""
    root = np.random.default_rng(5).normal(size=(d, d))
    C = np.eye(d) + root @ root.T / d
    return C / np.linalg.eigvalsh(C)[-1]


def ridge(X, y, eta, loops, alpha):
    w = np.zeros(X.shape[1])
    for _ in range(loops):
        yield w
        w = w - eta * (sum(x * (x @ w - alpha * y_i) for x, y_i in zip(X, y, strict=True)) / len(X) + RHO * w)
    yield w


def preconditioned(X, y, eta, loops, alpha):
    w, C = np.zeros(X.shape[1]), preconditioner(X.shape[1])
    for _ in range(loops):
        yield w
        w = w - eta * C @ sum(x * (x @ w - alpha * y_i) for x, y_i in zip(X, y, strict=True)) / len(X)
    yield w


def gradient_descent(X, y, eta, loops, alpha):
    w = np.zeros(X.shape[1])
    for _ in range(loops):
        yield w
        w = w - eta * sum(x * (x @ w - alpha * y_i) for x, y_i in zip(X, y, strict=True)) / len(X)
    yield w


def heavy_ball(X, y, eta, loops, alpha):
    w = before = np.zeros(X.shape[1])
    for _ in range(loops):
        yield w
        slope = sum(x * (x @ w - alpha * y_i) for x, y_i in zip(X, y, strict=True)) / len(X)
        w, before = w - eta * slope + BETA * (w - before), w
    yield w


def gdpp(X, y, eta, loops, alpha):
    """w ← w − aC²Xᵀ(Xw − αy)/n, C ← C − γCHC²."""
    n, d = X.shape
    H, C, w = X.T @ X / n, np.eye(d), np.zeros(d)
    for _ in range(loops):
        yield w
        w = w - eta * C @ C @ X.T @ (X @ w - alpha * y) / n
        C = C - P_GAMMA * eta * C @ H @ C @ C
    yield w


def eagle(X, y, eta, loops, alpha):
    """A ← A − ηρAAᵀA, B ← B − ηρBAᵀA, C ← C − γρAAᵀC, D ← D + γρBAᵀC, ρ = 1/‖A‖₂², η = 1/3; D is read for C = I.

    γ is eta times the first ‖A‖₂²/n: the page's step size is that share of 1/λ₁.
    """
    n, d = X.shape
    A, B, C, D = X.T.copy(), alpha * y[None], np.eye(d), np.zeros((1, d))
    gamma = eta * np.linalg.norm(A, 2) ** 2 / n
    for _ in range(loops):
        yield D[0]
        scale = np.linalg.norm(A, 2) ** 2
        rho = 1 / scale if scale > 1e-290 else 0.0
        A, B, C, D = (
            A - rho / 3 * A @ A.T @ A, B - rho / 3 * B @ A.T @ A, C - gamma * rho * A @ A.T @ C,
            D + gamma * rho * B @ A.T @ C,
        )  # fmt: skip
    yield D[0]


def newton(X, y, eta, loops, alpha):
    """M_0 = (η/n) I on the span of the examples, M ← 2M − MSM, w = MXᵀαy, one loop late."""
    n, d = X.shape
    S, M = X.T @ X, eta / n * np.linalg.pinv(X) @ X
    yield np.zeros(d)
    for _ in range(loops):
        yield M @ X.T @ (alpha * y)
        M = 2 * M - M @ S @ M


def softmax(X, y, eta, loops, alpha):
    """Gradient descent on log Σ exp(⟨x_i, w⟩ − αy_i), by automatic differentiation."""
    X, y = torch.from_numpy(X), torch.from_numpy(y)
    w = torch.zeros(X.shape[1], dtype=torch.float64)
    for _ in range(loops):
        yield w.numpy()
        w = w.clone().requires_grad_()
        (slope,) = torch.autograd.grad(torch.logsumexp(X @ w - alpha * y, 0), w)
        w = (w - eta * slope).detach()
    yield w.numpy()


REFERENCES = {
    "gd": gradient_descent, "ridge": ridge, "preconditioned": preconditioned, "heavy-ball": heavy_ball, "gd++": gdpp,
    "eagle": eagle, "newton": newton, "softmax": softmax,
}  # fmt: skip


def build(name, d, layout="compact", dtype="float64"):
    """The construction's weights with the numbers of the references."""
    setting = Settings(
        algorithm=name, layout=layout, dtype=dtype, ridge=RHO, momentum=BETA, step_size=0.5, gamma=0.5 * P_GAMMA
    )
    X = torch.eye(d, dtype=getattr(torch, dtype))[None]
    covariance = torch.from_numpy(np.linalg.inv(preconditioner(d)))
    return ALGORITHMS[name](setting, Prompts(X=X, y=X[:, :, 0], w_star=None, covariance=covariance)).weights


def expected(name, batch, eta, loops, alpha=1.0):
    """Iterates of the reference on every prompt, (T+1, B, d)."""
    paths = [
        list(REFERENCES[name](X.double().numpy(), y.double().numpy(), float(step), loops, alpha))
        for X, y, step in zip(batch.X, batch.y, eta, strict=True)
    ]
    return np.array(paths).transpose(1, 0, 2)


def tolerance(dtype, kappa, loops):
    """16·eps·(κ + √T), at most 1e-3."""
    return min(16 * np.finfo(dtype).eps * (kappa + np.sqrt(loops)), 1e-3)
