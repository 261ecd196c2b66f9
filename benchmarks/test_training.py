"""One training step of three untied layers: on the state alone, and on all tokens written out.

The quality of training is measured by `python benchmarks/training.py`.
"""

import pytest
import torch

from looped.training.optimizers import FirstOrder
from looped.training.plan import Training
from looped.training.trainer import Trainer

B, N, D, LAYERS = 1000, 200, 20, 3


def ours(dtype):
    def make(seed):
        plan = Training(loops=LAYERS, examples=N, features=D, tied=False, optimizer="adam", batch=B, growth=0,
                        dtype=dtype, seed=seed, rate=1e-3, stretch=1.0)  # fmt: skip
        trainer = Trainer(plan)
        assert isinstance(trainer.optimizer, FirstOrder)
        return (trainer.step,)

    return make


def tokens(seed):
    """Z ← Z − (1/n) P Z M (Zᵀ Q Z), n+1 tokens, the matrix of scores written out, prompts drawn row by row."""
    generator = torch.Generator().manual_seed(seed)
    shape = (LAYERS, D + 1, D + 1)
    P, Q = (torch.nn.Parameter(0.1 * torch.randn(shape, generator=generator).double()) for _ in range(2))
    optimizer = torch.optim.Adam([P, Q], 1e-3)
    M = torch.ones(N + 1, dtype=torch.float64)
    M[N] = 0.0

    def step():
        X = torch.randn(B, D, N + 1, generator=generator).double()
        y = torch.einsum("bdn,bd->bn", X, torch.randn(B, D, generator=generator).double())
        Z = torch.cat([X, (y * M)[:, None]], dim=1)
        for layer in range(LAYERS):
            Z = Z - P[layer] @ (Z * M) @ (Z.mT @ Q[layer] @ Z) / N
        loss = (Z[:, D, N] + y[:, N]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return (step,)


WAYS = {"state, float64": ours("float64"), "state, float32": ours("float32"), "tokens, float64": tokens}


@pytest.mark.parametrize("way", WAYS)
def test_training_step(best_of_five, benchmark, way):
    benchmark.group = f"a training step, B={B}, n={N}, d={D}, {LAYERS} untied layers"
    benchmark.name = way
    best_of_five(lambda step: step(), WAYS[way])
