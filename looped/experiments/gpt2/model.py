"""GPT-2 that reads the tokens E, with its MLP sub-layers or built without them."""

import math

import torch
from torch import Tensor, nn
from transformers import GPT2Config, GPT2Model

SPREAD = 0.02
"""Standard deviation of GPT-2's initial weights."""


class NoMLP(nn.Module):
    """The stand-in for a block's missing MLP sub-layer: no parameters, and nothing added to the residual stream."""

    def forward(self, hidden: Tensor) -> Tensor:
        """A zero that broadcasts against the residual stream."""
        return hidden.new_zeros(())


class PromptGPT2(nn.Module):
    """GPT-2 between a linear read-in of each column of E and a linear read-out of the last token.

    Tokens are the M+1 columns of E in R^{d+1}, in order, with learned positions and causal softmax attention; the
    query is the last token and sees all others. Dropout is off. Without MLP the block's second layer norm, which
    belongs to the MLP sub-layer, is gone as well.

    Args:
        features: d.
        examples: M, the examples in a prompt.
        mlp: True if the blocks have their MLP sub-layers.
        layers: blocks.
        heads: attention heads in a block; they must divide `width`.
        width: Width of the residual stream.
        generator: draws the initial weights, on the CPU. 𝓝(0, 0.02²) for GPT-2's matrices and embeddings; W_V and the
            MLP's second matrix 𝓝(0, 0.02²/m), m the number of residual sub-layers: `layers` without MLP, twice
            that with. Read-in and read-out uniform on ±1/√fan-in, a choice of this project.

    Source: Table 1 of arXiv 2402.14951 for the tokens and the initialisation; GPT2Model of `transformers`.
    """

    def __init__(
        self,
        features: int,
        examples: int,
        *,
        mlp: bool,
        layers: int,
        heads: int,
        width: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        config = GPT2Config(
            vocab_size=1, bos_token_id=None, eos_token_id=None, n_positions=examples + 1, n_embd=width,
            n_layer=layers, n_head=heads, use_cache=False, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
        )  # fmt: skip
        with torch.random.fork_rng(devices=[]):  # its constructor draws from the global generator; all is redrawn here
            self.read_in = nn.Linear(features + 1, width)
            self.gpt2 = GPT2Model(config)
            self.read_out = nn.Linear(width, 1)
        del self.gpt2.wte  # the tokens are vectors already, no vocabulary is looked up
        if not mlp:
            for block in self.gpt2.h:
                block.ln_2, block.mlp = nn.Identity(), NoMLP()
        self._initialise(layers * (2 if mlp else 1), generator)

    @torch.no_grad()
    def _initialise(self, residual_layers: int, generator: torch.Generator) -> None:
        width = self.read_in.out_features
        for name, weight in self.named_parameters():
            if name.startswith("read_"):
                layer = self.read_in if name.startswith("read_in") else self.read_out
                bound = layer.in_features**-0.5
                weight.uniform_(-bound, bound, generator=generator)
            elif weight.ndim == 2:
                weight.normal_(0, SPREAD, generator=generator)
                if name.endswith("attn.c_attn.weight"):
                    weight[:, 2 * width :].div_(math.sqrt(residual_layers))  # W_V
                if name.endswith("mlp.c_proj.weight"):
                    weight.div_(math.sqrt(residual_layers))

    def forward(self, E: Tensor) -> Tensor:
        """Prediction for each prompt: (B, d+1, M+1) → (B,)."""
        hidden = self.gpt2(inputs_embeds=self.read_in(E.mT)).last_hidden_state  # (B, M+1, width)
        return self.read_out(hidden[:, -1])[:, 0]
