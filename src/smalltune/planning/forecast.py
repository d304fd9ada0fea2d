"""Forecast: time, peak memory and stored bytes of trials that have not run.

Closed forms over what one `measure` job found: so many steps at the seconds of one, so many tokens
at those of one. What was not measured is NaN and prints as a dash.
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from smalltune.core.job import Job
from smalltune.planning.measuring import Measuring

__all__ = ["Forecast", "Needs", "Read", "Row", "forecast", "needs"]

NAN = float("nan")
FILES, FILE = 3, 130
"""Files of an artifact, about, and the bytes that the manifest says of each."""

NOTHING: Mapping[str, str] = MappingProxyType({})

Read = Callable[[str], Mapping[str, Any] | None]
"""Returns what a finished `measure` job found, by key, or None."""


@dataclass(frozen=True)
class Needs:
    """What jobs take: seconds, one after another; the highest memory; bytes that are stored."""

    seconds: float = 0.0
    peak: float = 0.0
    stored: float = 0.0

    def __add__(self, other: "Needs") -> "Needs":
        """Return what both take."""
        peak = max(self.peak, other.peak)
        if math.isnan(self.peak) or math.isnan(other.peak):
            peak = NAN
        return Needs(self.seconds + other.seconds, peak, self.stored + other.stored)


UNKNOWN = Needs(NAN, NAN, NAN)


@dataclass(frozen=True)
class Row:
    """A model, method and task: what a trial takes, and all that is still missing.

    `trials` and `tuning` count missing trials and tuning runs; `each` is a trial's mean time and
    bytes and highest peak, `left` what all missing jobs take together, `load` the seconds in which
    a worker gets the base. `reason` says why something is not known.
    """

    where: str
    trials: int
    tuning: int
    each: Needs
    left: Needs
    load: float
    reason: str = ""


@dataclass(frozen=True)
class Forecast:
    """What a study's missing jobs take.

    `total` has the wall seconds of so many workers side by side, what they have in memory together,
    and all that is stored. `trials` has what each missing trial takes, without its scoring, `jobs`
    what each missing job does, by key. `unfit` says what this machine's memory does not hold.
    """

    rows: tuple[Row, ...]
    workers: int
    total: Needs
    trials: Mapping[str, Needs]
    jobs: dict[str, Needs]
    unfit: tuple[str, ...] = ()


def forecast(
    ones: Sequence[Measuring],
    read: Read,
    stored: Callable[[str], bool],
    *,
    workers: Callable[[float], int],
    keep_weights: bool = False,
    memory: int | None = None,
    said: Mapping[str, str] = NOTHING,
    large: Sequence[str] = (),
) -> Forecast:
    """Return what the jobs that are not `stored` will take.

    `workers(peak)` says how many processes of such a peak run at once, `memory` what one may have.
    `said` are the reasons, by row, for which something could not be measured; `large` names what
    is known not to fit.
    """
    rows: list[Row] = []
    trials: dict[str, Needs] = {}
    each: dict[str, Needs] = {}
    for one in ones:
        measured = {job.key: read(job.key) for job in one.measures}
        jobs = {job.key: job for part in (*one.trials.values(), one.tuning) for job in part}
        mine = {
            key: needs(job, measured[one.jobs[key].key], keep_weights=keep_weights)
            for key, job in jobs.items()
        }
        each |= {key: need for key, need in mine.items() if not stored(key)}
        load = max(((found or {}).get("load") or 0.0 for found in measured.values()), default=0.0)
        row, found = _row(one, mine, stored, load)
        trials |= found
        if row.trials or row.tuning:
            rows.append(replace(row, reason=said.get(one.where, "")))
    known = [row.left.peak for row in rows if not math.isnan(row.left.peak)]
    count = workers(max(known, default=0.0))
    left = sum(each.values(), Needs())  # what several trials share, such as a start, counts once
    many = min(count, max(1, sum(row.trials + row.tuning for row in rows)))
    total = Needs(left.seconds / many + _loading(rows), left.peak * many, left.stored)
    more = [
        f"{row.where}: a job will have about {row.left.peak / 1e9:.1f} GB in memory, and this "
        f"machine has {memory / 1e9:.1f} GB"
        for row in rows
        if memory and row.left.peak > memory
    ]
    return Forecast(tuple(rows), many, total, trials, each, (*dict.fromkeys(large), *more))


def _loading(rows: Sequence[Row]) -> float:
    """Return the seconds in which a worker gets each base once."""
    loads: dict[str, float] = {}
    for row in rows:
        model = row.where.partition("/")[0]
        loads[model] = max(loads.get(model, 0.0), row.load)
    return sum(loads.values())


def needs(job: Job, found: Mapping[str, Any] | None, *, keep_weights: bool = False) -> Needs:
    """Return what one job takes; all NaN where nothing was measured."""
    name = "loss" if "ask" in job.spec else job.stage
    if not found or name not in found:
        return UNKNOWN
    kind = found[name]
    if job.stage == "train":
        return _training(job, kind, found, keep_weights=keep_weights)
    if job.stage == "merge":
        weights = kind["weights_bytes"] if keep_weights else 0.0
        return Needs(kind["once"], kind["peak"], kind["bytes"] + weights + _manifest(job))
    split = found["splits"][job.spec["split"]]
    if job.stage == "predict":
        units = split["tokens"] + kind["fits"] * _learnt(job, found["splits"]["train"])
        seconds = kind["once"] + units * kind["token"]
    else:
        seconds = kind["once"] + (split["rows"] + kind.get("learnt", 0)) * kind["item"]
    bytes_ = kind["bytes"] + split["rows"] * kind["item_bytes"] + _manifest(job)
    return Needs(seconds, kind.get("peak", 0.0), bytes_)


def _learnt(job: Job, train: Mapping[str, Any]) -> float:
    """Return the tokens of train that a prediction learns from: about those of its `limit` rows."""
    limit = job.spec.get("limit") or train["rows"]
    return float(train["tokens"] * min(1.0, limit / max(1, train["rows"])))


def _manifest(job: Job) -> int:
    """Return about the bytes of a manifest: the job's question and its files' digests."""
    return len(json.dumps(job.question, indent=1)) + FILES * FILE


def _training(
    job: Job, kind: Mapping[str, Any], found: Mapping[str, Any], *, keep_weights: bool
) -> Needs:
    """Return what a training takes: its steps, and at most a judging of dev each epoch."""
    asked = job.spec["training"]
    per_epoch = math.ceil(kind["rows"] / asked["batch_size"])
    steps = asked["steps"] or asked["epochs"] * per_epoch
    judged = steps // per_epoch * kind["judge"] if asked["early_stopping"] else 0.0
    own = found["drawn"] or "base" in job.inputs  # a base that no other trial has
    loaded = (found["load"] or 0.0) if own else 0.0
    seconds = kind["once"] + steps * kind["step"] + judged + loaded
    weights = kind["weights_bytes"] if keep_weights else 0.0
    bytes_ = kind["bytes"] + steps * kind["step_bytes"] + weights + _manifest(job)
    return Needs(seconds, kind["peak"], bytes_)


def _row(
    one: Measuring, of: Mapping[str, Needs], stored: Callable[[str], bool], load: float
) -> tuple[Row, dict[str, Needs]]:
    """Return a cell's row, and what each of its missing trials takes, from what each job does."""

    def whole(jobs: Iterable[Job]) -> Needs:
        return sum((of[job.key] for job in jobs), Needs())

    missing = {
        name: jobs for name, jobs in one.trials.items() if not all(stored(j.key) for j in jobs)
    }
    trials = {
        name: replace(whole(job for job in jobs if job.stage != "score"), stored=whole(jobs).stored)
        for name, jobs in missing.items()
    }
    left = {job.key: job for jobs in (*missing.values(), one.tuning) for job in jobs}
    runs = sum(job.stage == "score" and not stored(job.key) for job in one.tuning)
    all_left = whole(job for key, job in left.items() if not stored(key))
    return Row(one.where, len(missing), runs, _mean(list(trials.values())), all_left, load), trials


def _mean(each: Sequence[Needs]) -> Needs:
    """Return the mean time and bytes of trials, and their highest peak; NaN of none."""
    if not each:
        return UNKNOWN
    whole = sum(each, Needs())
    return Needs(whole.seconds / len(each), whole.peak, whole.stored / len(each))
