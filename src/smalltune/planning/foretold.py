"""Foretold: what was forecast of a trial before any of it ran, kept to be held against it."""

import math
import time
from collections.abc import Mapping
from typing import Any

from smalltune.core.job import Plan
from smalltune.core.store import Store
from smalltune.planning.forecast import Needs, Read

__all__ = ["foretell", "measured_in"]


def measured_in(store: Store) -> Read:
    """Return the function that tells what a finished `measure` job in the store found."""

    def read(key: str) -> Mapping[str, Any] | None:
        return store.read_json(key, "measured.json") if store.known(key) else None

    return read


def foretell(store: Store, plan: Plan, trials: Mapping[str, Needs]) -> None:
    """Write down the forecast of each planned trial of which nothing is stored yet.

    What was foretold of a trial that has begun stays, so that no forecast knows its outcome. A
    forecast that knows of no trial yet is written too: `run` then tells of those that tuning adds.
    """
    before = store.forecasts(plan.study)
    found = dict(before or {})
    for trial in plan.trials:
        need = trials.get(trial.id)
        if need is None or not all(map(math.isfinite, (need.seconds, need.peak, need.stored))):
            continue
        kept = trial.record()
        also = {task: job.key for task, job in trial.also.items()}
        asked = {"loss": trial.loss.key} if trial.loss else {}
        answers = [*kept["predict"].values(), *asked.values()]
        answers += [each["predict"] for each in kept.get("also", {}).values()]
        made = [kept["train"], *kept.get("built", ()), *answers]
        if any(key and store.known(key) for key in made):
            continue
        found[trial.id] = {
            "score": {split: job.key for split, job in trial.evaluations.items()},
            **asked,
            **({"also": also} if also else {}),
            "seconds": need.seconds,
            "peak_memory_bytes": need.peak,
            "stored_bytes": need.stored,
            "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
    if found != before:
        store.write_forecasts(plan.study, found)
