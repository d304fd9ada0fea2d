"""Foretold: what was forecast of trials, held against what they took."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from smalltune.analysis.costs import Cost
from smalltune.analysis.records import TrialRecord

__all__ = ["WORDS", "Accuracy", "accuracies", "forecast_before"]

WORDS = {"seconds": "time", "peak_memory_bytes": "peak memory", "stored_bytes": "stored bytes"}
"""What is forecast, and how it is called."""


@dataclass(frozen=True)
class Accuracy:
    """How many times as much as it was had been forecast: median, least and most over trials."""

    what: str
    trials: tuple[str, ...]
    median: float
    low: float
    high: float


def forecast_before(told: Mapping[str, Any], trial: TrialRecord) -> Mapping[str, Any]:
    """Return what was forecast of this very trial; {} where its question was another one then."""
    found: Mapping[str, Any] = told.get(trial.id, {})
    also = {task: one["score"] for task, one in trial.also.items()}
    same = found.get("score") == dict(trial.score) and found.get("loss") == trial.loss
    return found if same and found.get("also", {}) == also else {}


def accuracies(costs: Iterable[Cost], trials: Iterable[TrialRecord]) -> tuple[Accuracy, ...]:
    """Return the accuracy of each kind of forecast, over those of the trials that are finished.

    Nothing is returned where nothing was forecast.
    """
    whole = {trial.id: tuple(trial.made) for trial in trials}
    done = [c for c in costs if c.parts == whole[c.trial]]
    found = []
    for what in WORDS:
        ratios = {
            c.trial: getattr(c, f"forecast_{what}") / getattr(c, what)
            for c in done
            if getattr(c, what) > 0
        }
        known = {trial: ratio for trial, ratio in ratios.items() if math.isfinite(ratio)}
        if known:
            values = known.values()
            ends = (min(values), max(values))
            found.append(Accuracy(what, tuple(known), median(values), *ends))
    return tuple(found)
