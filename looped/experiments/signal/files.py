"""Files of the page on tasks that share a signal."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from functools import cached_property
from typing import Any

import numpy as np
from torch import Tensor

from looped.chart import Picture
from looped.experiments.signal.cloud import Cloud, cloud
from looped.experiments.signal.result import SignalResult
from looped.export.files import Export, script

TASKS = "Tasks, and what each model takes them for"
SWEPT = {"signal": "Smallest risk against s", "examples": "Smallest risk against M", "noise": "Smallest risk against σ"}


class SignalExport(Export[SignalResult]):
    """Smallest risks, and models trained towards them."""

    title = "What the MLP adds"

    @cached_property
    def _cloud(self) -> Cloud:
        return cloud(self.result.training.task, self.result.training.levels, self.result.settings.seed)

    @cached_property
    def results(self) -> dict[str, Any]:
        """Optima, gap and bounds, and for each trained model its risk; at the top level if only one was trained."""
        best, training = self.result.training.levels, self.result.training
        trained = {
            kind: {
                "risk_trained": records[-1].risk,
                "risk_optimum": best.optimum(kind),
                "ratio": records[-1].risk / best.optimum(kind) if best.optimum(kind) > 0 else None,
                "steps": records[-1].step,
            }
            for kind, records in training.history.items()
            if records
        }
        learned = training.snapshot()
        out: dict[str, Any] = {
            "optimum": {
                "gd_beta_and_ltb": best.gd.risk,
                "lsa": best.lsa.risk,
                "gd_0": best.gd0.risk,
                "bayes": asdict(best.bayes),
            },
            "optimum_is": {
                "gd_beta_and_ltb": "closed form",
                "lsa": f"smallest found from {best.lsa.starts} starts; proved only to be at least lsa_bound",
                "gd_0": "closed form",
                "bayes": "exact" if best.bayes.standard_error == 0 else "sampled",
            },
            "lsa_bound": best.lsa_bound,
            "gap": best.gap,
            "gap_bounds": {"first": best.bounds.first, "valid": best.bounds.valid},
            "covariances_given": {"H": self.result.H is not None, "Psi": self.result.Psi is not None},
            "notes": training.task.notes,
            "trained": trained,
        }
        if learned is not None:
            wanted = training.task.beta_star
            length = float(wanted.norm())
            out["learned"] = {
                "beta": learned.beta.tolist(),
                "distance_to_beta_star": float((learned.beta - wanted).norm()) / (length or 1.0),
                "distance_to_Gamma_star": float(
                    (learned.Gamma - best.gd.Gamma).norm() / best.gd.Gamma.norm().clamp(1e-300)
                ),
                "relative_to_the_length": length > 0,
            }
        return out | (next(iter(trained.values())) if len(trained) == 1 else {})

    def curves(self) -> tuple[tuple[str, ...], Iterable[tuple[Any, ...]]]:
        """Sweeps and training curves: where from, series, x and value; of tasks and estimates two coordinates."""
        from looped.experiments.signal.charts import risk_chart

        rows: list[tuple[Any, ...]] = []
        points = {"task": self._cloud.tasks, "with MLP": self._cloud.ltb, "attention alone": self._cloud.lsa}
        for name, found in points.items():
            rows += [("tasks", name, *point) for point in (found @ self._cloud.axes.mT).tolist()]
        for sweep in self.result.sweeps:
            table = risk_chart(sweep, getattr(self.result.settings, sweep.over)).table
            x, *names = table
            rows += [
                (sweep.over, name, float(a), float(b))
                for name in names
                for a, b in zip(table[x], table[name], strict=True)
            ]
        for kind, records in self.result.training.history.items():
            rows += [("training", f"risk, {kind}", record.step, record.risk) for record in records]
            rows += [("training", f"loss, {kind}", record.step, record.loss) for record in records[1:]]
        return ("against", "series", "x", "value"), rows

    def arrays(self) -> dict[str, np.ndarray]:
        """beta_star (d,), H and Psi (d, d), Gamma_star (d, d), and the trained weights.

        W_K, W_Q, W_P, W_V (d+1, d+1) and for the block W_1, W_2 (4(d+1), d+1), or beta (d,) and Gamma (d, d); where two
        models were trained, each name begins with ltb_ or lsa_.
        """
        task, training = self.result.training.task, self.result.training
        out = {
            "beta_star": task.beta_star.numpy(), "H": task.H.numpy(), "Psi": task.Psi.numpy(),
            "Gamma_star": self.result.training.levels.gd.Gamma.numpy(),
        }  # fmt: skip
        for kind, model in training.models.items():
            prefix = f"{kind}_" if len(training.models) > 1 else ""
            out |= {prefix + name: weight.detach().numpy().copy() for name, weight in model.named_parameters()}
        return out

    def pictures(self) -> Mapping[str, Picture]:
        """The page's charts."""
        from looped.experiments.signal import charts

        result, training = self.result, self.result.training
        pictures = {TASKS: charts.cloud_chart(self._cloud)}
        pictures |= {
            SWEPT[sweep.over]: charts.risk_chart(sweep, getattr(result.settings, sweep.over)) for sweep in result.sweeps
        }
        pictures["Training"] = charts.training_chart(training.history, training.levels, result.settings.steps)
        if (learned := training.snapshot()) is not None:
            pictures["Learned start β against β*"] = charts.start_chart(learned, training.task)
            pictures["Learned step against Γ*ᵀ"] = charts.matrix_chart(learned, training.levels.gd)
        return pictures

    def script(self) -> str:
        """The settings, and the matrices as part of the script."""
        matrices = {
            name: value for name, value in (("H", self.result.H), ("Psi", self.result.Psi)) if value is not None
        }
        before = "\n".join(f"{name} = {_written(value)}" for name, value in matrices.items())
        arguments = "".join(f", {name}={name}" for name in matrices)
        return script(f"signal(settings{arguments})", self.result.settings, "signal", before=before)


def _written(matrix: Tensor) -> str:
    rows = ",\n".join(f"    {row}" for row in matrix.tolist())
    return f"[\n{rows},\n]"
