"""The mathematics of the second paper written out plainly, in NumPy, as the yardstick of these tests."""

import numpy as np
import torch

from looped.shared_signal import LTB, SignalTask


def random_task(seed, d=None, M=None, rank_H=None, rank_Psi=None, sigma=None):
    rng = np.random.default_rng(seed)
    d, M = d or int(rng.integers(2, 6)), M or int(rng.integers(1, 8))

    def covariance(rank):
        A = rng.normal(size=(d, rank or d))
        return torch.from_numpy(A @ A.T / (rank or d))

    return SignalTask(
        beta_star=torch.from_numpy(rng.normal(size=d)),
        H=covariance(rank_H),
        Psi=covariance(rank_Psi),
        sigma=float(rng.uniform(0, 1)) if sigma is None else sigma,
        examples=M,
    )


def sample(task, prompts, seed):
    """X (B, M, d), labels (B, M), query x (B, d), its label (B,), from the model's definition."""
    rng = np.random.default_rng(seed)
    H, Psi, d = task.H.numpy(), task.Psi.numpy(), task.features

    def gaussian(covariance, *shape):
        values, vectors = np.linalg.eigh(covariance)
        return rng.normal(size=(*shape, d)) * np.sqrt(np.maximum(values, 0)) @ vectors.T

    beta = task.beta_star.numpy() + gaussian(Psi, prompts)
    X = gaussian(H, prompts, task.examples + 1)
    y = np.einsum("bmd,bd->bm", X, beta) + task.sigma * rng.normal(size=(prompts, task.examples + 1))
    return X[:, :-1], y[:, :-1], X[:, -1], y[:, -1]


def tokens(X, y, x):
    """E = [[Xᵀ, x], [yᵀ, 0]]."""
    B, M, d = X.shape
    E = np.zeros((B, d + 1, M + 1))
    E[:, :d, :M], E[:, d, :M], E[:, :d, M] = X.transpose(0, 2, 1), y, x
    return E


def dense(weights, E, mlp):
    """[W_2ᵀW_1 (E + W_PᵀW_V E diag(I_M, 0) EᵀW_KᵀW_Q E/M)]_{−1,−1} with every matrix written out, one prompt a time."""
    W = {name: w.detach().double().numpy() for name, w in weights.items()}
    M = E.shape[2] - 1
    mask = np.diag([1.0] * M + [0.0])
    out = []
    for e in E:
        attention = e @ mask @ (e.T @ W["W_K"].T @ W["W_Q"] @ e) / M
        state = e + W["W_P"].T @ W["W_V"] @ attention
        out.append((W["W_2"].T @ W["W_1"] @ state if mlp else state)[-1, -1])
    return np.array(out)


def one_step(beta, Gamma, X, y, x):
    """⟨β − Γ(1/M)Xᵀ(Xβ − y), x⟩."""
    gradient = np.einsum("bmd,bm->bd", X, X @ beta - y) / X.shape[1]
    return ((beta - gradient @ Gamma.T) * x).sum(axis=1)


def block_of_a_step(beta, Gamma):
    """The linear transformer block, in its customary sizes, that is GD-β on every prompt.

    W_2ᵀW_1 = [[I_d, 0], [βᵀ, 1]], W_PᵀW_V = diag(−I_d, 1), W_KᵀW_Q = [[Γᵀ, 0], [0, 0]].
    """
    d = len(beta)
    block = LTB(d, generator=torch.Generator().manual_seed(0), dtype=beta.dtype)
    identity = torch.eye(d + 1, dtype=beta.dtype)
    with torch.no_grad():
        for weight in block.parameters():
            weight.zero_()
        block.W_K.copy_(identity)
        block.W_Q[:d, :d] = Gamma.mT
        block.W_P.copy_(identity)
        block.W_V.copy_(-identity)
        block.W_V[d, d] = 1.0
        block.W_1[: d + 1] = identity
        block.W_1[d, :d] = beta
        block.W_2[: d + 1] = identity
    return block


def gd_risk(task, beta, Gamma):
    """R = σ² + tr(HΨ) − tr(S²Ω⁺) + vᵀH_Γv + tr(DΩDᵀ), v = β − β*, D = H^½ΓH^½ − SΩ⁺: the proof of Theorem 5.2."""
    H, Psi, M = task.H.numpy(), task.Psi.numpy(), task.examples
    beta, Gamma, R, identity = np.asarray(beta, float), np.asarray(Gamma, float), root(H), np.eye(len(H))
    S = R @ Psi @ R
    c = np.trace(S) + task.sigma**2
    Omega = ((M + 1) * S + c * identity) / M
    inverse = np.linalg.pinv(Omega, hermitian=True)
    left, squared, D = identity - Gamma @ H, H @ Gamma.T @ H @ Gamma, R @ Gamma @ R - S @ inverse
    curvature = left.T @ H @ left + (np.trace(squared) * H + squared @ H) / M
    away = beta - task.beta_star.numpy()
    return c - np.trace(S @ S @ inverse) + away @ curvature @ away + np.trace(D @ Omega @ D.T)


def assert_is_the_mean(values, expected):
    """Within 4 standard errors."""
    error = values.std(ddof=1) / np.sqrt(len(values))
    assert abs(values.mean() - expected) < 4 * error, (values.mean(), expected, error)


def root(matrix):
    values, vectors = np.linalg.eigh(matrix)
    return vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T


def paper_lsa_risk(task, r, U):
    """The paper's I + II + III + IV + σ² in u_21, u_{−1}, U_11, u_12."""
    H, Psi, M, beta = task.H.numpy(), task.Psi.numpy(), task.examples, task.beta_star.numpy()
    d, R = len(beta), root(H)
    S, c = R @ Psi @ R, np.trace(H @ Psi) + task.sigma**2
    Omega = ((M + 1) * S + c * np.eye(d)) / M
    u, u12 = r[-1], U[-1]
    b, A = r[:-1] + u * beta, U[:-1] + np.outer(beta, u12)
    q, tau = u12 @ H @ u12, np.trace(H @ Psi @ H @ Psi)
    D = np.outer(R @ u12, b @ R) + u * R @ A.T @ R - S @ np.linalg.inv(Omega)
    one = np.trace(D @ Omega @ D.T) - np.trace(S @ S @ np.linalg.inv(Omega))
    two = ((b @ H @ b) * np.trace(A.T @ H @ A @ H) + 4 * u * (b @ H @ Psi @ H @ A @ H @ u12) + 4 * u**2 * tau * q) / M
    AHb = A.T @ H @ b
    three = (M + 1) / M * (AHb @ H @ AHb) - 2 * (AHb @ H @ beta) + 2 * u * c * (AHb @ H @ u12)
    four = beta @ H @ beta - 2 * c * u * (beta @ H @ u12) + np.trace(H @ Psi)
    four += u**2 * (2 * tau + (M + 2) / M * c**2) * q
    return task.sigma**2 + one + two + three + four


def least_risk_of_reading(task, r):
    """The least risk of linear self-attention over U for one r = (b; u), features whitened by a Cholesky factor of H.

    With y = ⟨β*, x⟩ + y′ the prediction splits in a part that is odd in y′, one step of gradient descent from β* with
    Γᵀ = uA + bwᵀ, and an even one, Aᵀ(XᵀX/M)b + u·mean(y′²)·w, which must stand for β*. The parts are uncorrelated, and
    each adds a moment matrix for U = [A; wᵀ].
    """
    lower = np.linalg.cholesky(task.H.numpy())
    d, M = len(lower), task.examples
    delta, S = lower.T @ task.beta_star.numpy(), lower.T @ task.Psi.numpy() @ lower
    c = np.trace(S) + task.sigma**2
    Omega = ((M + 1) * S + c * np.eye(d)) / M
    b, u = r[:-1], r[-1]
    read = np.vstack([u * np.eye(d), b[None]])  # Γᵀ = readᵀU
    odd = read @ Omega @ read.T
    side = u * (c * b + 2 * S @ b / M)
    last = u**2 * (M + 2) / M * (2 * np.sum(S * S) + c**2)
    even = np.block([[((b @ b) * np.eye(d) + (M + 1) * np.outer(b, b)) / M, side[:, None]], [side[None], last]])
    target = read @ S + np.outer(np.append(b, u * c), delta)
    return c + delta @ delta - np.sum(target * np.linalg.lstsq(odd + even, target, rcond=None)[0])


def searched_elsewhere(task, starts, seed, rows=()):
    """The smallest risk that scipy's BFGS finds from random starts, by numerical gradients, one start at a time."""
    from scipy.optimize import minimize

    rng = np.random.default_rng(seed)
    scale = np.sqrt(np.trace(task.H.numpy() @ task.Psi.numpy()) + task.sigma**2)
    random = rng.normal(size=(starts, task.features + 1))
    random[:, :-1] *= scale * 10 ** rng.uniform(-1.5, 1.5, size=(starts, 1))

    def risk(z):
        return least_risk_of_reading(task, z * unit)

    ends = []
    for r in [*rows, *random]:
        unit = np.append(np.full(task.features, np.linalg.norm(r[:-1]) or scale), abs(r[-1]) or 1.0)
        ends.append(minimize(risk, r / unit, method="BFGS").fun)
    return min(ends)
