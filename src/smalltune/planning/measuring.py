"""Measuring: which jobs learn what a study's trials will cost, and what they say of each job.

One `measure` job for each model, method and task, whatever the seeds, the learning rates and the
number of steps. Planning them is pure, as all planning is; what they find is kept in the store.

What learns one task and is asked another one costs, step by step, what it would if it were asked
what it learns, and answer by answer what it would if it had learnt what it is asked. What starts
from another training costs what it would from the base, which has the same shape, and what the
other took.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from smalltune.core.job import Job, Plan
from smalltune.planning.cells import Cell, cells
from smalltune.planning.jobs import Learner
from smalltune.planning.jobs import job as job_of
from smalltune.planning.lock import Lock
from smalltune.planning.planner import Known, Planner
from smalltune.planning.spec import StudySpec, TaskSpec

__all__ = ["Measuring", "measuring"]

COSTS = ("batch_size", "batches", "optimiser")
"""Training options on which the time of a step rests."""

TOLD = ("train", "merge", "predict", "classify", "score")
"""The stages of a trial that are measured; what comes before them is run to measure them."""


@dataclass(frozen=True)
class Measuring:
    """A model, method and task, and what tells what its trials take.

    `trials` has the jobs of each trial by its id, `tuning` those of the tuning runs, and `jobs` the
    `measure` job that tells about each of them, by its key. While what is tuned is not chosen, the
    trials are those of the defaults, which cost about as much.
    """

    where: str
    jobs: Mapping[str, Job]
    trials: Mapping[str, tuple[Job, ...]]
    tuning: tuple[Job, ...]

    @property
    def measures(self) -> tuple[Job, ...]:
        """The `measure` jobs, each once."""
        return tuple({job.key: job for job in self.jobs.values()}.values())


def measuring(
    study: StudySpec, lock: Lock, plan: Plan, known: Known, place: Mapping[str, Any]
) -> list[Measuring]:
    """Return the `measure` jobs of each model, method and task, with what they tell about.

    `place` is what a time belongs to (see `Backend.place`).
    """
    planner, planned = Planner(study, lock, known), {trial.id: trial for trial in plan.trials}
    tellers = _Tellers(study, planner, place)
    groups: dict[str, list[Cell]] = {}
    for cell in cells(study):
        groups.setdefault(_where(cell), []).append(cell)
    found = []
    for name, group in groups.items():
        trials = {
            cell.id: _told((planned.get(cell.id) or planner.asked(tellers.untuned(cell))).goals)
            for cell in group
        }
        tuning = _tuning(planner, group[0])
        each = {job.key: job for jobs in (*trials.values(), tuning) for job in jobs}
        found.append(Measuring(name, tellers.of(group[0], each.values()), trials, tuning))
    return found


def _tuning(planner: Planner, cell: Cell) -> tuple[Job, ...]:
    """Return the jobs of the tuning that a cell needs, but those that another one has told of."""
    before = set(planner.searches)
    planner.settled(cell)
    if cell.method.candidates:
        planner.tuned(cell)
    selects = [
        search.select for name, (search, _) in planner.searches.items() if name not in before
    ]
    return _told(selects)


class _Tellers:
    """Finds the `measure` job that tells about a job, by what it learns or is asked."""

    def __init__(self, study: StudySpec, planner: Planner, place: Mapping[str, Any]):
        """Take the study, a planner of it, and the place that times belong to."""
        self.planner, self.place = planner, place
        self.started_from = {method.after for method in study.methods}
        self.measures: dict[str, Job] = {}

    def untuned(self, cell: Cell) -> Learner:
        """Return the cell with the defaults of what is tuned, and its start likewise."""
        before = self._before(cell)
        start = self.planner.jobs.merge(self.untuned(before)) if before else None
        return Learner(cell, {}, start, cell.id)

    def of(self, cell: Cell, jobs: Iterable[Job]) -> dict[str, Job]:
        """Return what tells about the jobs of a cell's trials, by their keys."""
        plan, found = self.planner.jobs, dict[str, Job]()
        tasks = [cell.task, plan.learned(cell), *(plan.names[name] for name in cell.task.also)]
        asked = {(cell.method.method, plan.prepare(task.name).key): (cell, task) for task in tasks}
        for each in self._chain(cell):  # a start is asked on dev too, where it is tuned
            task = plan.learned(each)
            asked.setdefault((each.method.method, plan.prepare(task.name).key), (each, task))
        learnt = {self._learns(each): each for each in reversed([*self._chain(cell)])}
        for job in jobs:
            training = job.inputs["weights"] if job.stage == "merge" else job
            if training.stage == "train":
                way = training.spec["method"]["name"], training.inputs["tokens"].key
                who = learnt[way]
                found[job.key] = self._measure(who, plan.learned(who))
            else:
                said = job.inputs.get("predictions", job)
                who, task = asked[said.spec["method"]["name"], job.inputs["data"].key]
                found[job.key] = self._measure(who, task)
        return found

    def _chain(self, cell: Cell) -> Iterator[Cell]:
        """Yield a cell, the one that it starts from, and so on."""
        at: Cell | None = cell
        while at:
            yield at
            at = self._before(at)

    def _before(self, cell: Cell) -> Cell | None:
        """Return what a cell starts from, asked what it learns; None for the base."""
        if cell.method.after is None:
            return None
        first = cell._replace(method=self.planner.methods[cell.method.after])
        return first._replace(task=self.planner.jobs.learned(first))

    def _learns(self, cell: Cell) -> tuple[str, str]:
        """Return how what a cell trains is known: the method, and the key of the tokens."""
        if cell.model is None or not cell.method.kind.trains:
            return cell.method.method, ""
        task = self.planner.jobs.learned(cell)
        return cell.method.method, self.planner.jobs.tokens(cell.model.name, task.name).key

    def _measure(self, cell: Cell, task: TaskSpec) -> Job:
        """Return the `measure` job of a cell's model and method, for a task learnt and asked."""
        plain = replace(cell.method, on=None, after=None)
        alone = cell._replace(method=plain, task=replace(task, also=()))
        where = _where(alone)
        if where not in self.measures:
            trial = self.planner.asked(Learner(alone, {}, None, alone.id))
            merged = plain.name in self.started_from
            self.measures[where] = _job(where, _told(trial.goals), self.place, merged=merged)
        return self.measures[where]


def _where(cell: Cell) -> str:
    return cell.id.rpartition("/")[0]


def _told(goals: Iterable[Job]) -> tuple[Job, ...]:
    """Return the jobs behind some goals, inputs first, that a `measure` tells about."""
    seen: set[str] = set()
    return tuple(job for goal in goals for job in goal.walk(seen) if job.stage in TOLD)


def _job(name: str, jobs: tuple[Job, ...], place: Mapping[str, Any], *, merged: bool) -> Job:
    """Return the `measure` job of a cell whose trials have such jobs.

    With `merged`, making a model of what was trained is measured too.
    """
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
    if merged:
        spec["merged"] = True
    if "tokens" in inputs:
        spec["tokens"] = inputs["tokens"].spec
    spec["place"] = dict(place)
    return job_of("measure", spec, inputs, reader.sources, f"measure {name}")
