"""The looped layer by itself: its powers, its tied weights and its write mask, with the weights of gradient descent."""

import numpy as np
import pytest
import torch

from looped import Settings
from looped.algorithms.gd import construction
from looped.attention import LinearAttention, LoopedTransformer
from looped.prompts import draw


def run(weights, form, batch, eta, loops, alpha=1.0, powers=True):
    with torch.inference_mode():
        queries = LoopedTransformer(loops, form, powers)(weights.embed(batch, alpha), weights, eta)
    return queries[..., weights.w].numpy()


@pytest.mark.parametrize("loops", [1, 2, 3, 4, 7, 8, 63, 64, 65, 1000])
@pytest.mark.parametrize(("n", "d"), [(12, 5), (4, 5)])
def test_powers_give_the_same_states_as_going_loop_by_loop(loops, n, d):
    batch = draw(Settings(examples=n, features=d, prompts=2))
    eta, weights = 1 / batch.spectrum.largest, construction(d, "compact")
    one_by_one = run(weights, "state", batch, eta, loops, powers=False)
    assert one_by_one.shape == (loops + 1, 2, d)
    np.testing.assert_allclose(run(weights, "state", batch, eta, loops), one_by_one, atol=1e-14)


def test_weights_are_tied_the_state_after_two_runs_of_five_is_that_of_ten():
    batch = draw(Settings(prompts=2))
    eta, weights = 1 / batch.spectrum.largest, construction(10, "compact")
    Z = weights.embed(batch, 1.0)
    transformer = LoopedTransformer(5, "token")
    middle = Z.clone()
    middle[..., -1] = transformer(Z, weights, eta)[-1]
    ten = LoopedTransformer(10, "token")(Z, weights, eta)[-1]
    torch.testing.assert_close(transformer(middle, weights, eta)[-1], ten, rtol=0, atol=0)


def test_without_its_write_mask_the_compact_layout_would_move_the_examples():
    batch = draw(Settings(examples=9, features=4, prompts=1))
    weights = construction(4, "compact")
    unmasked = type(weights)(P=weights.P, Q=weights.Q, writes="all", x=weights.x, y=4, w=weights.w, alpha=4)
    Z = weights.embed(batch, 1.0)
    after = LinearAttention()(Z, unmasked, 1 / batch.spectrum.largest)
    assert float((after - Z)[..., :-1].abs().max()) > 0.1
    with pytest.raises(ValueError, match="move the examples"):
        LoopedTransformer(3, "state")(Z, unmasked, 1 / batch.spectrum.largest)
