"""The planner: a study, its lock and the tuning answers known so far become trials and jobs.

A pure function: no file is read, nothing is run, and the same arguments give the same plan. A
study with tuning is planned to a fixed point. The first pass holds the tuning runs and one
`select` job for each; once the answers are known, the next pass writes the winning *values* into
the final specs, so a final job depends on its hyperparameters and not on how they were found.

A method that comes `after` another starts from the model that the other made with the same seed,
a `merge` job. Where the other is tuned, its answer comes first.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from smalltune.core.job import Job, Plan, Search, Trial
from smalltune.core.plugins import load
from smalltune.planning.cells import Cell, cells, draws
from smalltune.planning.jobs import Jobs, Learner, job
from smalltune.planning.links import answers_too
from smalltune.planning.lock import Lock
from smalltune.planning.searching import beyond, edge
from smalltune.planning.spec import StudySpec

__all__ = ["Known", "Planner", "plan"]

Known = Callable[[str], Mapping[str, Any] | None]
"""Returns a finished select job's choice (`options`, `index`, `value`, ...) by key, or None."""


def plan(study: StudySpec, lock: Lock, known: Known = lambda key: None) -> Plan:
    """Return the trials whose hyperparameters are known, and the searches of all tuning."""
    planner = Planner(study, lock, known)
    trials = [trial for cell in cells(study) if (trial := planner.trial(cell))]
    searches = tuple(search for search, _ in planner.searches.values())
    return Plan(study.name, tuple(trials), searches, tuple(planner.starts.values()))


class Planner:
    """Builds the trials of one plan, and notes on the way what tuning and starts they need."""

    def __init__(self, study: StudySpec, lock: Lock, known: Known):
        """Take the study, what its names mean, and the answers of tuning that are known."""
        self.study, self.jobs, self.known = study, Jobs(study, lock), known
        self.methods = {method.name: method for method in study.methods}
        self.starts: dict[str, Job] = {}
        self.searches: dict[str, tuple[Search, Mapping[str, Any] | None]] = {}

    def trial(self, cell: Cell) -> Trial | None:
        """Return a cell's trial, None while tuning is open."""
        who = self.settled(cell)
        return self.asked(who) if who else None

    def asked(self, who: Learner) -> Trial:
        """Return the trial of a learner, with a score job for each evaluation."""
        cell = who.cell
        own = self.study.metrics_of(cell.task)
        scores = {
            split: self.jobs.score(who, cell.task, split, own) for split in self.study.evaluations
        }
        split = "test" if "test" in scores else self.study.evaluations[-1]
        also = {}
        for name in cell.task.also:
            other = self.jobs.names[name]
            if answers_too(cell.method, other):
                asked = who._replace(label=f"{cell.id} also {name}")
                also[name] = self.jobs.score(asked, other, split, self.study.metrics_of(other))
        model = cell.model.name if cell.model else "-"
        name = cell.method.name
        loss = self.jobs.loss(who) if self.study.dev_loss else None
        return Trial(model, name, cell.task.name, cell.seed, scores, loss, also, cell.method.on)

    def settled(self, cell: Cell) -> Learner | None:
        """Return a cell with its start and its hyperparameters, None where these are not known."""
        start, there = self.start(cell)
        if not there:
            return None
        chosen = self.tuned(cell) if cell.method.candidates else {}
        if chosen is None:
            if start:
                self.starts[start.key] = start
            return None
        return Learner(cell, chosen, start, cell.id)

    def start(self, cell: Cell) -> tuple[Job | None, bool]:
        """Return the model that a cell starts from, None for the base; and whether it is known."""
        if cell.method.after is None:
            return None, True
        first = cell._replace(method=self.methods[cell.method.after])
        before = self.settled(first._replace(task=self.jobs.learned(first)))
        return (self.jobs.merge(before), True) if before else (None, False)

    def tuned(self, trial: Cell) -> Mapping[str, Any] | None:
        """Return what tuning chose on the task that is learned, or None; note the search."""
        task = self.jobs.learned(trial)
        drawn = draws(trial.method, task)
        cell = trial._replace(task=task, seed=self.study.tuning_seed if drawn else None)
        where = cell.id.rpartition("/")[0]
        if where not in self.searches:
            self.searches[where] = self.search(cell)
        return self.searches[where][1]

    def search(self, cell: Cell) -> tuple[Search, Mapping[str, Any] | None]:
        """Return the search with the last `select` job that there is to ask, and what it chose.

        Where a choice lies at the edge of what was tried, another job follows that has one
        candidate more, beyond that edge, at most `extend` times. None: nothing is chosen yet.
        """
        candidates = list(cell.method.candidates)
        budget, extend = len(candidates), self.study.extend
        for left in range(extend, -1, -1):
            select = self.select(cell, candidates)
            answer = self.known(select.key)
            more = beyond(candidates, answer["index"]) if answer and left else None
            if more is None:
                break
            candidates.append(more)
        option, at = edge(candidates, answer["index"]) if answer else ("", "")
        model, method, task, _ = cell.id.split("/")
        found = Search(model, method, task, cell.seed, select, budget, extend, option, at)
        return found, answer and answer["options"]

    def select(self, cell: Cell, candidates: Sequence[Mapping[str, Any]]) -> Job:
        """Return the job that names the best of the tuning runs on dev."""
        metric, ties = self.study.selects_by(cell.task), self.study.ties_by(cell.task)
        measured = (metric, ties) if ties else (metric,)
        start, where = self.start(cell)[0], cell.id.rpartition("/")[0]
        tries = [
            Learner(cell, chosen, start, f"{where} tuning {n}")
            for n, chosen in enumerate(candidates, 1)
        ]
        scores = {
            str(n): self.jobs.score(who, cell.task, "dev", measured) for n, who in enumerate(tries)
        }
        better = load("smalltune.metrics", metric).better
        spec = {"metric": metric, "better": better, "candidates": list(candidates)}
        spec |= {"ties": ties} if ties else {}
        return job("select", spec, scores, label=f"select {where}")
