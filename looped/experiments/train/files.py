"""Files of a training run."""

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from looped.chart import Picture
from looped.experiments.train.result import CEILING, STATISTICS, TrainResult, one_layer_optimum
from looped.experiments.train.rivals import best_descent
from looped.experiments.train.weights_file import pack
from looped.export.files import Export, script
from looped.files import npz
from looped.training.evaluate import Risk


class TrainExport(Export[TrainResult]):
    """The files of a training."""

    title = "What training finds"

    @property
    def results(self) -> dict[str, Any]:
        """The learned algorithm, and its errors on fresh prompts."""
        run, settings = self.result, self.result.settings
        plan, history = settings.training(), run.history
        done = len(history.get("step", ()))
        out: dict[str, Any] = {
            "sizes": {"examples": settings.examples, "features": settings.features, "loops": settings.loops},
            "stopped": run.stopped,
            "steps_made": done,
            "steps_skipped": int(history["skipped"][-1]) if done else 0,
            "plan": {"optimizer": plan.optimizer, "steps": plan.steps, "batch": plan.batch, "starts": plan.starts},
            "found": run.found(),
            "overflow": run.overflow(),
            "fits": [
                {
                    "a": fit.a,
                    "gamma": fit.gamma,
                    "unexplained_P": fit.unexplained_p,
                    "unexplained_Q": fit.unexplained_q,
                }
                for fit in run.fits()
            ],
            "query_squared_error": {
                "prompts": run.fresh_prompts,
                "per_evaluation_seed": [
                    {name: number(value) for name, value in zip(STATISTICS, row, strict=True)} for row in run.fresh
                ],
                "medians": {name: number(value) for name, value in run.medians.items()},
                "overflows_count_as": CEILING,
            },
            "mean_over_all_prompts": {name: risk_of(risk) for name, risk in run.whole.items()},
            "best_gradient_descent": dict(zip(("a", "risk"), best_descent(settings), strict=True)),
            "one_layer_optimum": dict(zip(("gamma", "risk"), one_layer_optimum(settings), strict=True)),
            "distance_to_one_layer_optimum": run.distance_to_optimum(),
        }
        if run.limit is not None:
            out["mean_below_largest_eigenvalue"] = {
                "largest_eigenvalue_below": run.limit.value,
                "probability_above": run.limit.above,
                "means": {name: risk_of(risk) for name, risk in run.below.items()},
            }
        if run.best is not None:
            best = run.best
            out["best_two_numbers"] = {"a": best.a, "gamma": best.gamma}
        if run.alone is not None:
            out["preconditioner_alone"] = {"median": number(run.alone.median)}
            if run.alone.risk is not None:
                out["preconditioner_alone_risk"] = risk_of(run.alone.risk)
        return out

    def curves(self) -> tuple[tuple[str, ...], Iterable[tuple[Any, ...]]]:
        """The loss of every step, and every statistic of every sweep."""
        return ("chart", "series", "statistic", "at", "value"), self._rows()

    def _rows(self) -> Iterable[tuple[Any, ...]]:
        history = self.result.history
        for name in ("loss", "median") if len(history.get("step", ())) else ():
            for step, value in zip(history["step"].tolist(), history[name].tolist(), strict=True):
                yield "training", "loss of the batch", "mean" if name == "loss" else name, float(step), value
        for kind, sweep in self.result.sweeps.items():
            for name, values in sweep.series.items():
                for statistic, row in zip(STATISTICS, values, strict=True):
                    for x, value in zip(sweep.x.tolist(), row.tolist(), strict=True):
                        yield kind, name, statistic, x, value

    def arrays(self) -> dict[str, np.ndarray]:
        """P and Q (d+1, d+1), or (L, d+1, d+1) untied, for Z ← Z − (1/n) P Z 𝓜 (Zᵀ Q Z), and all that is drawn."""
        return pack(self.result)

    def pictures(self) -> Mapping[str, Picture]:
        """The page's charts."""
        from looped.experiments.train import charts

        return charts.pictures(self.result)

    def script(self) -> str:
        """Trains again from the first step; weights from a file travel inside."""
        run = self.result
        if len(run.history.get("step", ())):
            return script("train(settings)", run.settings, "train")
        named = pack(run)
        content = npz({name: named[name] for name in ("P", "Q")}).hex()
        return script(
            f"evaluate(weights_from(weights, {run.name!r}, settings))", run.settings, "evaluate", "weights_from",
            before=f"weights = bytes.fromhex(\n    {content!r}\n)",
        )  # fmt: skip


def history_csv(run: TrainResult) -> str:
    """One line a step: its number, start, loops, mean and median loss, and steps skipped so far."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(run.history)
    writer.writerows(zip(*(map(repr, column.tolist()) for column in run.history.values()), strict=True))
    return out.getvalue()


def number(value: float) -> float:
    """A squared error for JSON, which has no infinity: an overflow counts as `CEILING`."""
    return min(float(value), CEILING)


def risk_of(risk: Risk) -> dict[str, float]:
    """A mean and its standard error for JSON."""
    return {"mean": number(risk.mean), "standard_error": number(risk.error)}
