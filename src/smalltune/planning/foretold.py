"""Foretold: what was forecast of a trial before any of it ran, kept to be held against it."""

import math
import time
from collections.abc import Mapping

from smalltune.core.job import Plan
from smalltune.core.store import Store
from smalltune.planning.forecast import Needs

__all__ = ["foretell"]


def foretell(store: Store, plan: Plan, trials: Mapping[str, Needs]) -> None:
    """Write down the forecast of each planned trial of which nothing is stored yet.

    What was foretold of a trial that has begun stays, so that no forecast knows its outcome.
    """
    before = store.forecasts(plan.study)
    found = dict(before)
    for trial in plan.trials:
        need = trials.get(trial.id)
        if need is None or not all(map(math.isfinite, (need.seconds, need.peak, need.stored))):
            continue
        jobs = [job for job in trial.record()["predict"].values()]
        train = trial.job("train")
        if any(store.known(key) for key in [*jobs, *([train.key] if train else [])]):
            continue
        found[trial.id] = {
            "score": {split: job.key for split, job in trial.evaluations.items()},
            "seconds": need.seconds,
            "peak_memory_bytes": need.peak,
            "stored_bytes": need.stored,
            "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
    if found != before:
        store.write_forecasts(plan.study, found)
