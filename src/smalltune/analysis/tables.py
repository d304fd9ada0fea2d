"""Tables: what is known as plain rows, for the command line, for JSON and for the paper."""

import math
from collections.abc import Callable
from typing import Any

from smalltune.analysis.contrasts import Contrast
from smalltune.analysis.costs import Cost
from smalltune.analysis.intervals import LEVEL, Estimate, estimate
from smalltune.analysis.results import Results

__all__ = ["DASH", "contrast_rows", "costs", "scores", "text"]

DASH = "\N{EN DASH}"
NAN = float("nan")


def scores(results: Results, split: str = "test", level: float = LEVEL) -> list[dict[str, Any]]:
    """Return one row per model, method and task: the metrics with intervals, and their footing.

    Each metric gives the columns `m`, `m_low`, `m_high`, as the metric counts (a share stays a
    share); `seeds` is 0 for a method without seeds; `covers` says what the intervals cover;
    `estimates` holds the Estimate of each metric, `keys` the scores behind the row.
    """
    sizes = {cost.trial: cost.trainable_parameters for cost in results.costs}
    rows = []
    for model, method, task in results.cells:
        found = {
            metric: estimate(results.sample(model, method, task, split, metric), level)
            for metric in results.measured(task)
        }
        any_one = next(iter(found.values()), None)
        mine = [
            t.id for t in results.trials if (t.model, t.method, t.task) == (model, method, task)
        ]
        row: dict[str, Any] = {"model": model, "method": method, "task": task}
        for metric, one in found.items():
            row |= {metric: one.value, f"{metric}_low": one.low, f"{metric}_high": one.high}
        row |= {
            "seeds": any_one.seeds if any_one else 0,
            "items": any_one.items if any_one else 0,
            "covers": " and ".join(any_one.covers) if any_one else "",
            "trainable_parameters": _agreed([sizes[id] for id in mine]),
            "gaps": any_one.gaps if any_one else tuple(mine),
            "estimates": found,
            "keys": any_one.keys if any_one else (),
        }
        rows.append(row)
    return rows


def costs(results: Results) -> list[dict[str, Any]]:
    """Return one row per model, method and task: means over the trials that are stored.

    Peak memory is the highest of the trials, `runs` how many are counted, `total_seconds` the sum
    over them; `keys` names the artifacts whose provenance is read.
    """
    rows = []
    for cell in results.cells:
        mine = [c for c in results.costs if (c.model, c.method, c.task) == cell and c.parts]
        row: dict[str, Any] = dict(zip(("model", "method", "task"), cell, strict=True))
        row |= {name: _mean(mine, name) for name in _MEANS}
        row |= {
            "peak_memory_bytes": max((c.peak_memory_bytes for c in mine), default=NAN),
            "trainable_parameters": _agreed([c.trainable_parameters for c in mine]),
            "total_parameters": _agreed([c.total_parameters for c in mine]),
            "total_seconds": sum(c.seconds for c in mine) if mine else NAN,
            "runs": len(mine),
            "energy_source": _words(mine, lambda c: c.energy_source),
            "device": _words(mine, lambda c: c.device),
            "keys": tuple(key for c in mine for key in c.keys),
        }
        rows.append(row)
    return rows


def contrast_rows(contrasts: tuple[Contrast, ...]) -> list[dict[str, Any]]:
    """Return one row per contrast, its difference as the metric counts."""
    return [
        {
            "contrast": one.estimate.method,
            "model": one.estimate.model,
            "task": one.estimate.task,
            "metric": one.estimate.metric,
            "difference": one.estimate.value,
            "low": one.estimate.low,
            "high": one.estimate.high,
            "covers": " and ".join(one.estimate.covers),
            "seeds": one.estimate.seeds,
            "p": one.p,
            "smallest_p": one.smallest_p,
            "p_items": one.p_items,
            "p_adjusted": one.p_adjusted,
            "family": one.family,
            "verdict": DASH if math.isnan(one.estimate.value) else one.verdict,
            "pairing": one.pairing,
            "left_out": one.left_out,
            "keys": one.keys,
        }
        for one in contrasts
    ]


def text(found: Estimate, *, percent: bool, digits: int | None = None) -> str:
    """Return `81.2 [77.9, 84.1]`, in percent or as the metric counts; undefined is a dash.

    By default a share has one decimal, and what is no share three, fewer where its value is large.
    """
    if digits is None:
        large = len(str(int(abs(found.value)))) if math.isfinite(found.value) else 1
        digits = 1 if percent else max(0, min(3, 4 - large))
    scale = 100 if percent else 1

    def one(value: float) -> str:
        if not math.isfinite(value):
            return DASH
        said = f"{scale * value:.{digits}f}"
        return said if float(said) else said.removeprefix("-")

    return f"{one(found.value)} [{one(found.low)}, {one(found.high)}]"


_MEANS = (
    "train_seconds", "predict_seconds", "seconds", "cpu_seconds", "tokens", "steps",
    "padding_share", "energy_joules",
)  # fmt: skip


def _mean(costs: list[Cost], name: str) -> float:
    values = [float(getattr(cost, name)) for cost in costs]
    return sum(values) / len(values) if values else NAN


def _agreed(values: list[float]) -> float:
    """Return the value that all known ones share, else NaN."""
    known = {value for value in values if not math.isnan(value)}
    return known.pop() if len(known) == 1 else NAN


def _words(costs: list[Cost], word: Callable[[Cost], str]) -> str:
    return "; ".join(dict.fromkeys(word(cost) for cost in costs if word(cost)))
