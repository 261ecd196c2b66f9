import math

import numpy as np
import pytest
import torch

pytest.importorskip("transformers")

from looped.experiments.gpt2.model import PromptGPT2
from looped.experiments.gpt2.settings import GPT2Settings
from looped.experiments.gpt2.training import GPT2Trainer
from looped.shared_signal import SignalTask, draw

D, M, WIDTH, LAYERS, HEADS = 3, 4, 24, 2, 3


def model(mlp, seed=0, width=WIDTH, layers=LAYERS):
    generator = torch.Generator().manual_seed(seed)
    return PromptGPT2(D, M, mlp=mlp, layers=layers, heads=HEADS, width=width, generator=generator)


def weights(net):
    return {name: weight.detach().double().numpy() for name, weight in net.named_parameters()}


def by_hand(W, E, mlp):
    """GPT-2 in NumPy, one prompt at a time, from the layers' definitions."""

    def norm(x, name):
        x = x - x.mean(axis=1, keepdims=True)
        return x / np.sqrt((x**2).mean(axis=1, keepdims=True) + 1e-5) * W[f"{name}.weight"] + W[f"{name}.bias"]

    def affine(x, name):
        return x @ W[f"{name}.weight"] + W[f"{name}.bias"]

    out = []
    for e in E:
        h = e.T @ W["read_in.weight"].T + W["read_in.bias"] + W["gpt2.wpe.weight"]
        for layer in range(LAYERS):
            at = f"gpt2.h.{layer}"
            parts = []
            q, k, v = np.split(affine(norm(h, f"{at}.ln_1"), f"{at}.attn.c_attn"), 3, axis=1)
            for head in np.split(np.arange(WIDTH), HEADS):
                scores = q[:, head] @ k[:, head].T / math.sqrt(len(head))
                scores[np.triu_indices(M + 1, 1)] = -np.inf
                share = np.exp(scores - scores.max(axis=1, keepdims=True))
                parts.append(share / share.sum(axis=1, keepdims=True) @ v[:, head])
            h = h + affine(np.concatenate(parts, axis=1), f"{at}.attn.c_proj")
            if mlp:
                u = affine(norm(h, f"{at}.ln_2"), f"{at}.mlp.c_fc")
                gelu = 0.5 * u * (1 + np.tanh(math.sqrt(2 / math.pi) * (u + 0.044715 * u**3)))
                h = h + affine(gelu, f"{at}.mlp.c_proj")
        last = norm(h, "gpt2.ln_f")[-1]
        out.append(float(last @ W["read_out.weight"][0] + W["read_out.bias"][0]))
    return np.array(out)


@pytest.mark.parametrize("mlp", [True, False])
def test_it_is_gpt2_written_out(mlp):
    net = model(mlp)
    with torch.no_grad():  # weights large enough for every part to count
        for weight in net.parameters():
            weight.normal_(0, 0.3, generator=torch.Generator().manual_seed(weight.numel()))
    E = draw(SignalTask.shared(D, M, 1.0), 5, torch.Generator().manual_seed(1), torch.float32).E
    found = net(E).detach().double().numpy()
    np.testing.assert_allclose(found, by_hand(weights(net), E.double().numpy(), mlp), rtol=2e-4, atol=2e-4)


def test_without_mlp_no_parameter_of_it_exists():
    with_mlp, without = model(True), model(False)
    attention = 4 * WIDTH**2 + 4 * WIDTH + 2 * WIDTH  # c_attn, c_proj and their biases, ln_1
    mlp = 8 * WIDTH**2 + 5 * WIDTH + 2 * WIDTH  # c_fc, c_proj and their biases, ln_2
    outside = WIDTH * (D + 2) + WIDTH + 1 + WIDTH * (M + 1) + 2 * WIDTH  # read-in, read-out, positions, ln_f
    assert sum(w.numel() for w in without.parameters()) == outside + LAYERS * attention
    assert sum(w.numel() for w in with_mlp.parameters()) == outside + LAYERS * (attention + mlp)
    assert not [name for name, _ in without.named_parameters() if "mlp" in name or "ln_2" in name]
    assert not [name for name in without.state_dict() if "mlp" in name]


@pytest.mark.parametrize(("mlp", "residual_layers"), [(True, 8), (False, 4)])
def test_weights_begin_as_the_paper_says(mlp, residual_layers):
    W = weights(model(mlp, width=96, layers=4))
    small = 0.02 / math.sqrt(residual_layers)
    attention = W["gpt2.h.1.attn.c_attn.weight"]
    for part, spread in zip(np.split(attention, 3, axis=1), (0.02, 0.02, small), strict=True):
        assert part.std() == pytest.approx(spread, rel=0.05)
    assert W["gpt2.h.1.attn.c_proj.weight"].std() == pytest.approx(0.02, rel=0.05)
    if mlp:
        assert W["gpt2.h.3.mlp.c_fc.weight"].std() == pytest.approx(0.02, rel=0.05)
        assert W["gpt2.h.3.mlp.c_proj.weight"].std() == pytest.approx(small, rel=0.05)
    assert all((W[name] == 0).all() for name in W if name.endswith("bias") and name.startswith("gpt2"))
    assert all((W[name] == 1).all() for name in W if "ln_" in name and name.endswith("weight"))


def test_making_one_leaves_the_global_generator_alone_and_one_seed_gives_one_model():
    before = torch.random.get_rng_state()
    first, again, other = model(True), model(True), model(True, seed=1)
    assert torch.equal(torch.random.get_rng_state(), before)
    pairs = zip(first.parameters(), again.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert not torch.equal(first.read_in.weight, other.read_in.weight)


def test_both_variants_see_the_same_prompts():
    seen = []
    for mlp in (True, False):
        trainer = GPT2Trainer(GPT2Settings(mlp=mlp, steps=3, batch=4))
        seen.append([])
        trainer.model.register_forward_pre_hook(lambda _, given, kept=seen[-1]: kept.append(given[0].clone()))
        list(trainer.run())
    assert len(seen[0]) == 3
    assert all(torch.equal(a, b) for a, b in zip(*seen, strict=True))
    assert not torch.equal(seen[0][0], seen[0][1])
