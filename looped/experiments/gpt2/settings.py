"""Settings of a GPT-2 trained on tasks that share a signal."""

import math
from dataclasses import dataclass
from typing import Any, Literal, Self

from looped.settings import CheckedSettings, Settings, setting
from looped.shared_signal.fields import TASK_FIELDS
from looped.shared_signal.tasks import SignalTask
from looped.training.schedule import warmed_up

Variant = bool | Literal["wider", "deeper"]
"""A model that is trained: with MLP (True), without (False), or without and with about as many weights as with."""
WARM_UP = 100
"""Steps of warm-up before a falling rate falls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GPT2Settings(CheckedSettings):
    """Everything that determines the training of one GPT-2. The defaults are the small size of the page.

    Raises:
        SettingsError: if a value is out of range. Whether the heads divide the width is checked when a model is made.
    """

    features: int = setting(
        2, like=TASK_FIELDS["features"],
        help="How many numbers one x has; β̃ has as many. 1 to 50: the search for the smallest risk of one linear "
        "layer, which the chart shows, costs d³ per step.",
    )  # fmt: skip
    examples: int = setting(
        10, like=TASK_FIELDS["examples"],
        help="Examples in a prompt, the paper's M; the prompt has M + 1 tokens. 1 to 400: attention costs M² per "
        "layer.",
    )  # fmt: skip
    signal: float = setting(10.0, like=TASK_FIELDS["signal"])
    noise: float = setting(0.0, like=TASK_FIELDS["noise"])
    mlp: bool = setting(
        True, key="mlp", label="With MLP", kind="yes/no",
        help="Whether the blocks have their MLP sub-layers. Without, their weights and layer norms do not exist.",
    )  # fmt: skip
    layers: int = setting(
        2, key="layers", label="Layers", kind="whole", low=1, high=12,
        help="GPT-2 blocks, one after the other. The paper has 6. 1 to 12, as many as the smallest GPT-2.",
    )  # fmt: skip
    heads: int = setting(
        2, key="heads", label="Heads", kind="whole", low=1, high=16,
        help="Attention heads in a block; they must divide the width. The paper has 4. 1 to 16.",
    )  # fmt: skip
    width: int = setting(
        32, key="width", label="Width", kind="whole", low=4, high=512, log=True,
        help="Numbers per token in the residual stream. The paper does not say; related work has 128 with 6 layers. 4 "
        "to 512: the weights grow with its square.",
    )  # fmt: skip
    batch: int = setting(
        64, key="batch", label="Prompts per step", kind="whole", low=1, high=4096, log=True,
        help="Fresh prompts in every step. The paper has 256. 1 to 4,096: memory grows with it.",
    )  # fmt: skip
    steps: int = setting(
        5000, key="steps", label="Steps", kind="whole", low=1, high=1_000_000, log=True,
        help="Training steps, as many for each model. The paper has 200,000. 1 to 1,000,000.",
    )  # fmt: skip
    learning_rate: float = setting(
        5e-3, key="rate", label="Learning rate", kind="real", low=1e-6, high=0.1, log=True,
        help="Highest learning rate of Adam. The paper has 0.0001; small models are trained in fewer and larger steps. "
        "0.000001 to 0.1: above, training diverges.",
    )  # fmt: skip
    decay: bool = setting(
        True, key="decay", label="Falling rate", kind="yes/no",
        help="On: the rate rises over 100 steps, then falls to 0 along a half cosine. Off: it is constant, as the "
        "paper's is assumed to be.",
    )  # fmt: skip
    seed: int = setting(0, like=Settings.table["seed"])

    def rate(self, step: int) -> float:
        """Learning rate of a step, counted from 0."""
        return warmed_up(step, self.steps, self.learning_rate, WARM_UP) if self.decay else self.learning_rate

    @property
    def weights(self) -> int:
        """Number of trained weights, read-in, positions and read-out included."""
        return self._weights(self.width, self.layers, self.mlp)

    def _weights(self, width: int, layers: int, mlp: bool = False) -> int:
        block = 4 * width**2 + 6 * width  # attention and its layer norm
        if mlp:
            block += 8 * width**2 + 7 * width
        return layers * block + (self.features + self.examples + 6) * width + 1

    def as_many_weights(self) -> dict[str, Self]:
        """Without MLP, wider or deeper, each at the size whose number of weights comes nearest to that of this model.

        Wider: as many layers, a width that the heads divide. Deeper: as wide, with more layers.
        """
        own, widths = self.weights, range(self.heads * math.ceil(4 / self.heads), 513, self.heads)
        width = min(widths, key=lambda width: abs(self._weights(width, self.layers) - own))
        layers = min(range(1, 13), key=lambda layers: abs(self._weights(self.width, layers) - own))
        return {"wider": self.replace(mlp=False, width=width), "deeper": self.replace(mlp=False, layers=layers)}

    @property
    def of_task(self) -> Self:
        """The same task and seed with the default model and training: where these are equal, all risks are equal."""
        task = {name: getattr(self, name) for name in ("features", "examples", "signal", "noise", "seed")}
        return type(self)(**task)

    def variant(self, name: Variant) -> Self:
        """The settings of one of the models that are compared at these settings."""
        return self.replace(mlp=name) if isinstance(name, bool) else self.replace(mlp=True).as_many_weights()[name]

    def task(self) -> SignalTask:
        """The task that the model is trained on: H = Ψ = I."""
        return SignalTask.shared(self.features, self.examples, self.signal, self.noise)


PAPER: dict[str, Any] = {
    "features": 20, "examples": 40, "layers": 6, "heads": 4, "width": 128, "batch": 256, "steps": 200_000,
    "learning_rate": 1e-4, "decay": False,
}  # fmt: skip
"""The size of the paper's Table 1; its width was not found, 128 is the related work's."""
