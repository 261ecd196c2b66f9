"""Files of the page on GPT-2."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from functools import cached_property
from typing import Any

import numpy as np

from looped.chart import Picture
from looped.experiments.gpt2.curves import NAMES
from looped.experiments.gpt2.result import GPT2Result
from looped.experiments.gpt2.settings import GPT2Settings
from looped.export.files import Export, script


class GPT2Export(Export):
    """GPT-2 with or without MLP sub-layers, or both."""

    title = "GPT-2 with and without MLP"

    def __init__(self, result: GPT2Result) -> None:
        self.result = result

    @property
    def settings(self) -> GPT2Settings:
        """The settings of the run."""
        return self.result.settings

    @cached_property
    def results(self) -> dict[str, Any]:
        """Final risks with their standard errors, parameters, and what simpler models reach."""
        best = self.result.levels
        models = {
            NAMES[curve.settings.mlp]: {
                "steps": curve.steps,
                "loss": curve.history[-1].loss if curve.history else None,
                "risk": None if curve.risk is None else asdict(curve.risk),
                "parameters": sum(weight.numel() for weight in trainer.model.parameters()),
            }
            for curve, trainer in zip(self.result.curves, self.result.trainers, strict=True)
        }
        return {
            "models": models,
            "transformers": self.result.curves[0].versions["transformers"],
            "predicting_beta_star_x": self.settings.task().c,
            "optimum_of_one_linear_block": best.gd.risk,
            "smallest_found_of_linear_self_attention": best.lsa.risk,
            "bayes": asdict(best.bayes),
        }

    def curves(self) -> tuple[tuple[str, ...], Iterable[tuple[Any, ...]]]:
        """The loss of each model."""
        rows = (
            (NAMES[curve.settings.mlp], record.step, record.loss)
            for curve in self.result.curves
            for record in curve.history
        )
        return ("series", "step", "loss"), rows

    def arrays(self) -> dict[str, np.ndarray]:
        """The trained weights by their names in the model; where both were trained, after mlp. or no_mlp."""
        both = len(self.result.trainers) > 1
        return {
            (("mlp." if trainer.settings.mlp else "no_mlp.") if both else "") + name: weight.detach().cpu().numpy()
            for trainer in self.result.trainers
            for name, weight in trainer.model.named_parameters()
        }

    def pictures(self) -> Mapping[str, Picture]:
        """The training curves."""
        from looped.experiments.gpt2.charts import curves_chart

        return {"Training": curves_chart(self.result.curves, self.settings, self.result.levels)}

    def script(self) -> str:
        """Settings written out."""
        variants = tuple(trainer.settings.mlp for trainer in self.result.trainers)
        return script(f"gpt2(settings, {variants})", self.settings, ("gpt2",))
