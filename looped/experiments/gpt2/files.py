"""Files of the page on GPT-2."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from functools import cached_property
from typing import Any

import numpy as np

from looped.chart import Picture
from looped.experiments.gpt2.curves import named
from looped.experiments.gpt2.result import GPT2Result
from looped.experiments.gpt2.settings import Variant
from looped.export.files import Export, script


class GPT2Export(Export[GPT2Result]):
    """GPT-2 with MLP sub-layers, without, or several of them."""

    title = "GPT-2 with and without MLP"

    @cached_property
    def results(self) -> dict[str, Any]:
        """Final risks with their standard errors, parameters, and what simpler models reach."""
        best = self.result.levels
        models = {
            name: {
                "steps": curve.steps,
                "loss": curve.history[-1].loss if curve.history else None,
                "risk": None if curve.risk is None else asdict(curve.risk),
                "parameters": sum(weight.numel() for weight in trainer.model.parameters()),
            }
            for name, curve, trainer in zip(self.names, self.result.curves, self.result.trainers, strict=True)
        }
        return {
            "models": models,
            "transformers": self.result.curves[0].versions["transformers"],
            "predicting_beta_star_x": self.result.settings.task().c,
            "optimum_of_one_linear_block": best.gd.risk,
            "smallest_found_of_linear_self_attention": best.lsa.risk,
            "bayes": asdict(best.bayes),
        }

    @property
    def names(self) -> list[str]:
        """What each model is called."""
        return [named(curve.settings, self.result.settings) for curve in self.result.curves]

    def curves(self) -> tuple[tuple[str, ...], Iterable[tuple[Any, ...]]]:
        """The loss of each model."""
        rows = (
            (name, record.step, record.loss)
            for name, curve in zip(self.names, self.result.curves, strict=True)
            for record in curve.history
        )
        return ("series", "step", "loss"), rows

    def arrays(self) -> dict[str, np.ndarray]:
        """The trained weights by their names in the model; of several models, after mlp., no_mlp., wider. or deeper."""
        before: dict[Variant, str] = {True: "mlp.", False: "no_mlp."}
        several = len(self.result.trainers) > 1
        return {
            (before.get(variant, f"{variant}.") if several else "") + name: weight.detach().cpu().numpy()
            for variant, trainer in zip(self.result.variants, self.result.trainers, strict=True)
            for name, weight in trainer.model.named_parameters()
        }

    def pictures(self) -> Mapping[str, Picture]:
        """The training curves."""
        from looped.experiments.gpt2.charts import curves_chart

        return {"Training": curves_chart(self.result.curves, self.result.settings, self.result.levels)}

    def script(self) -> str:
        """Settings written out."""
        return script(f"gpt2(settings, {self.result.variants})", self.result.settings, "gpt2")
