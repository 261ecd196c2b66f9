"""The constructed looped transformer on prompts, as every experiment runs it."""

import numpy as np
import torch

from looped import attention, cost, prompts
from looped.settings import Settings


def looped_iterates(
    settings: Settings, batch: prompts.Prompts, construction: attention.Weights, eta: torch.Tensor
) -> np.ndarray:
    """Run the transformer alone: w_t read from its query before the first and after every loop.

    Args:
        settings: loops, form and label scale are read.
        batch: of B prompts.
        construction: the weights of the layer.
        eta: η, (B,), float64.

    Returns:
        (T+1, B, d), in the dtype of the prompts. Infinite or NaN where a diverging run overflows.
    """
    contracts = bool((eta * batch.spectrum.largest < 2).all())
    form = "token" if reads_tokens(settings, batch) else settings.form
    transformer = attention.LoopedTransformer(settings.loops, form, powers=contracts)
    with torch.inference_mode():
        queries = transformer(construction.embed(batch, settings.label_scale), construction, eta.to(batch.X.dtype))
    return np.ascontiguousarray(queries[..., construction.w].numpy())


def reads_tokens(settings: Settings, batch: prompts.Prompts) -> bool:
    """Whether XᵀX must not stand in for the examples: it is singular although n > d, as with collinear columns.

    Rounded, XᵀX has directions that the examples do not have, and what it puts there adds up over the loops.
    """
    B, n, d = batch.shape
    singular = n > d and not bool(batch.spectrum.nonzero.all())
    return singular and B * n * d * settings.loops <= cost.TOKEN_CAP
