"""Measuring: which jobs learn what a study's trials will cost, and what they say of each job.

One `measure` job for each model, method and task, whatever the seeds, the learning rates and the
number of steps. Planning them is pure, as all planning is; what they find is kept in the store.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from smalltune.core.job import Job, Plan, Trial
from smalltune.planning.cells import Cell, cells
from smalltune.planning.jobs import Learner
from smalltune.planning.jobs import job as job_of
from smalltune.planning.lock import Lock
from smalltune.planning.planner import Known, Planner
from smalltune.planning.spec import StudySpec

__all__ = ["Measuring", "measuring"]

COSTS = ("batch_size", "batches", "optimiser")
"""Training options on which the time of a step rests."""

TOLD = ("train", "predict", "classify", "score")
"""The stages of a trial that are measured; what comes before them is run to measure them."""


@dataclass(frozen=True)
class Measuring:
    """A cell's `measure` job, and the jobs that it tells about.

    There is none (None) where a method learns another task than the one it is asked, or starts
    from what another made: what that takes is not forecast. `trials` has the jobs of each trial by
    its id, `tuning` those of the tuning runs. While what is tuned is not chosen, the trials are
    those of the defaults, which cost about as much.
    """

    where: str
    job: Job | None
    trials: Mapping[str, tuple[Job, ...]]
    tuning: tuple[Job, ...]


def measuring(
    study: StudySpec, lock: Lock, plan: Plan, known: Known, place: Mapping[str, Any]
) -> list[Measuring]:
    """Return the `measure` job of each model, method and task, with what it tells about.

    `place` is what a time belongs to (see `Backend.place`).
    """
    planner, planned = Planner(study, lock, known), {trial.id: trial for trial in plan.trials}
    groups: dict[str, list[Cell]] = {}
    for cell in cells(study):
        groups.setdefault(cell.id.rpartition("/")[0], []).append(cell)
    found = []
    for name, group in groups.items():
        usual = _told(_untuned(planner, group[0]))
        trials = {cell.id: _told(planned.get(cell.id) or _untuned(planner, cell)) for cell in group}
        tuning: tuple[Job, ...] = ()
        if _linked(group[0]):
            found.append(Measuring(name, None, trials, tuning))
            continue
        if group[0].method.candidates:
            planner.tuned(group[0])
            tuning = _below(planner.searches[name][0].select)
        job = _measure(name, usual, place)
        found.append(Measuring(name, job, trials, tuning))
    return found


def _linked(cell: Cell) -> bool:
    return bool(cell.method.on or cell.method.after)


def _untuned(planner: Planner, cell: Cell) -> Trial:
    return planner.asked(Learner(cell, {}, None, cell.id))


def _told(trial: Trial) -> tuple[Job, ...]:
    """Return a trial's jobs, inputs first and the dev loss last, that a `measure` tells about."""
    seen: set[str] = set()
    goals = (*trial.evaluations.values(), *([trial.loss] if trial.loss else []))
    return tuple(job for goal in goals for job in _below(goal, seen))


def _below(goal: Job, seen: set[str] | None = None) -> tuple[Job, ...]:
    jobs = goal.walk(set() if seen is None else seen)
    return tuple(job for job in jobs if job.stage in TOLD)


def _measure(name: str, jobs: tuple[Job, ...], place: Mapping[str, Any]) -> Job:
    """Return the `measure` job of a cell whose trials have such jobs."""
    by_stage = {job.stage: job for job in reversed(jobs)}
    spec: dict[str, Any] = {
        stage: {k: v for k, v in by_stage[stage].spec.items() if k not in ("seed", "split")}
        for stage in ("train", "predict", "classify")
        if stage in by_stage
    }
    if "train" in spec:
        training = spec["train"]["training"]
        cost = {k: training[k] for k in COSTS} | {"judged": bool(training["early_stopping"])}
        spec["train"]["training"] = cost
    reader = by_stage.get("predict") or by_stage["classify"]
    inputs = {k: v for k, v in reader.inputs.items() if k in ("data", "tokens")}
    spec["metrics"] = by_stage["score"].spec["metrics"]
    if any("ask" in job.spec for job in jobs):
        spec["loss"] = True
    if "tokens" in inputs:
        spec["tokens"] = inputs["tokens"].spec
    spec["place"] = dict(place)
    return job_of("measure", spec, inputs, reader.sources, f"measure {name}")
