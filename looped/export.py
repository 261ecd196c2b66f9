"""A result as files: what was set, what came out, and a script that gives the same numbers again."""

import csv
import html
import importlib.metadata
import io
import json
import platform
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from looped import figures, theory
from looped.experiments.compare import ERROR_CEILING, Comparison
from looped.fields import FIELDS

RESULTS_VERSION = 1
"""Raised when the same settings start to give other numbers; CHANGELOG.md says why."""
PACKAGES = ("looped", "torch", "numpy", "scikit-learn", "plotly")


@cache
def versions() -> dict[str, str]:
    """Versions of Python and of the packages that determine the numbers."""
    return {"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in PACKAGES}


def summary(result: Comparison) -> dict[str, Any]:
    """Settings, provenance, verdicts and scalars of a run, ready for JSON."""
    B, n, d = result.prompts.shape
    kappa = result.prompts.spectrum.condition_number.numpy()
    out: dict[str, Any] = {
        "settings": result.settings.to_dict(),
        "seed": result.settings.seed,
        "sizes": {"prompts": B, "examples": n, "features": d, "loops": result.settings.loops, "rank": result.rank},
        "results_version": RESULTS_VERSION,
        "versions": versions(),
        "verdict": {
            "passed": result.passed,
            "gap": result.gap,
            "relative_gap": result.relative_gap,
            "tolerance": result.tolerance,
            "dtype": result.settings.dtype,
            "yardstick": f"explicit gradient descent on {result.yardstick}",
            "prediction": result.prediction.kind,
            "prediction_sentence": result.prediction.sentence,
        },
        "condition_number": {"min": float(kappa.min()), "median": float(np.median(kappa)), "max": float(kappa.max())},
        "step_size": {"min": float(result.step_size.min()), "max": float(result.step_size.max())},
        "error_after_T": _bands(result.errors[-1]),
        "closed_form_after_T": _bands(np.minimum(result.closed_form[-1], ERROR_CEILING)),
        "least_squares_floor": None if result.floor is None else _bands(result.floor),
        "error_ceiling": {"value": ERROR_CEILING, "reached_at_loop": result.ceiling_from},
        "iterates_held_from_loop": result.held_from,
        "bounds": {b.key: None if b.values is None else float(b.values[-1]) for b in result.bounds},
        "bounds_not_drawn": theory.missing_bounds(result.bounds),
    }
    if result.table is not None and result.report is not None:
        report = result.report
        out["table"] = {
            "name": result.table.name,
            "sha256_16": result.table.digest or None,
            "target": result.table.target,
            "preparation": "features standardised to mean 0 and variance 1, target centred",
            "coefficients": report.coefficients.table,
            "held_out": {"why_not": report.why_not}
            if report.held_out is None
            else {
                "folds": report.held_out.folds,
                "r2_looped": report.held_out.r2_looped,
                "r2_linear_regression": report.held_out.r2_reference,
            },
        }
    return out


def curves_csv(result: Comparison) -> str:
    """Every curve at every loop, tidy: series, loop, value. Cut at the error ceiling as in the chart."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("series", "loop", "value"))
    for series, values in result.curves.items():
        writer.writerows((series, loop, repr(value)) for loop, value in enumerate(values.tolist()))
    return out.getvalue()


def arrays(result: Comparison) -> dict[str, np.ndarray]:
    """What the transformer read and did, in the run's dtype.

    X (B, n, d), y (B, n) with noise and not scaled by α, w_star (B, d) (NaN where unknown), step_size (B,), P and Q
    (D, D) without η, Z0 (B, D, n+1) with tokens as columns, looped and explicit (T+1, B, d).
    """
    prompts, weights = result.prompts, result.weights
    B, _, d = prompts.shape
    unknown = np.full((B, d), np.nan, dtype=result.settings.dtype)
    return {
        "X": prompts.X.numpy(),
        "y": prompts.y.numpy(),
        "w_star": unknown if prompts.w_star is None else prompts.w_star.numpy(),
        "step_size": result.step_size,
        "P": weights.P.numpy(),
        "Q": weights.Q.numpy(),
        "Z0": weights.embed(prompts, result.settings.label_scale).numpy(),
        "looped": result.looped,
        "explicit": result.explicit,
    }


def figure_html(result: Comparison) -> str:
    """The error chart as one interactive page that needs no network."""
    picture = figures.error_chart(result)
    chart = picture.figure.to_html(full_html=False, include_plotlyjs=True, div_id="errors")
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>Looped: error per loop</title>\n'
        f"<style>body {{ font-family: sans-serif; margin: 1rem; }}</style>\n<h1>Error after each loop</h1>\n{chart}\n"
        f"<p>{html.escape(picture.alt)}</p>\n<p>{html.escape(result.prediction.sentence)}</p>\n"
        f"<details><summary>Settings and versions</summary><pre>{html.escape(_json(summary(result)))}</pre></details>\n"
        "</html>\n"
    )


def script(result: Comparison) -> str:
    """A Python script that repeats the run in any folder; a table travels inside it."""
    settings, table = result.settings, result.table
    values = "".join(f"    {name}={getattr(settings, name)!r},\n" for name in FIELDS)
    lines = [
        '"""Repeats one run of Looped: prints its summary and writes its files into the current folder.',
        "",
        f"Made by looped {versions()['looped']}, results version {RESULTS_VERSION}; needs the looped package.",
        '"""',
        "",
        "from looped import Settings, compare, export",
    ]
    if table is not None:
        lines.append("from looped.tables import Table")
    lines += ["", f"settings = Settings(\n{values})"]
    if table is not None:
        lines.append(
            f"table = Table.unpack(\n    {table.name!r},\n    {table.digest!r},\n    {table.target!r},\n"
            f"    {table.columns!r},\n    {table.pack()!r},\n)"
        )
    lines += [
        f"result = compare({'settings' if table is None else 'settings, table'})",
        'export.save(result, ".")',
        "print(export.summary_json(result))",
        "",
    ]
    return "\n".join(lines)


def summary_json(result: Comparison) -> str:
    """The summary as one JSON object."""
    return _json(summary(result))


def save(result: Comparison, folder: str | Path) -> list[Path]:
    """Write result.json, curves.csv, figure.html, reproduce.py and arrays.npz into a folder, made if need be.

    All files are written beside their places and moved there when all are complete, so no partial file is left.

    Returns:
        The paths written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        "result.json": summary_json(result).encode() + b"\n",
        "curves.csv": curves_csv(result).encode(),
        "figure.html": figure_html(result).encode(),
        "reproduce.py": script(result).encode(),
        "arrays.npz": _npz(arrays(result)),
    }
    parts = {folder / name: folder / f".{name}.part" for name in contents}
    try:
        for part, content in zip(parts.values(), contents.values(), strict=True):
            part.write_bytes(content)
        for path, part in parts.items():
            part.replace(path)
    finally:
        for part in parts.values():
            part.unlink(missing_ok=True)
    return list(parts)


def _npz(named: dict[str, np.ndarray]) -> bytes:
    out = io.BytesIO()
    np.savez(out, allow_pickle=False, **named)
    return out.getvalue()


def _bands(values: np.ndarray) -> dict[str, float]:
    p10, median, p90 = np.quantile(values, [0.1, 0.5, 0.9])
    return {"p10": float(p10), "median": float(median), "p90": float(p90)}


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False)
