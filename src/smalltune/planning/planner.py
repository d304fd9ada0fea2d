"""The planner: a study, its lock and the tuning answers known so far become trials and jobs.

A pure function: no file is read, nothing is run, and the same arguments give the same plan. A
study with tuning is planned to a fixed point. The first pass holds the tuning runs and one
`select` job for each; once the answers are known, the next pass writes the winning *values* into
the final specs, so a final job depends on its hyperparameters and not on how they were found.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from smalltune.core.job import Job, Plan, Trial
from smalltune.core.plugins import load
from smalltune.planning.cells import Cell, cells, draws
from smalltune.planning.jobs import Jobs, job
from smalltune.planning.lock import Lock
from smalltune.planning.searching import beyond
from smalltune.planning.spec import StudySpec

__all__ = ["Known", "plan"]

Known = Callable[[str], Mapping[str, Any] | None]
"""Returns a finished select job's choice (`options`, `index`, `value`, ...) by key, or None."""


def plan(study: StudySpec, lock: Lock, known: Known = lambda key: None) -> Plan:
    """Return the trials whose hyperparameters are known, and the `select` jobs of all tuning."""
    planner = _Planner(study, lock)
    trials, open_jobs = [], {}
    for cell in cells(study):
        chosen: Mapping[str, Any] | None = {}
        if cell.method.candidates:
            select, chosen = planner.tuned(cell, known)
            open_jobs[select.key] = select
        if chosen is not None:
            trials.append(planner.trial(cell, chosen))
    return Plan(study.name, tuple(trials), tuple(open_jobs.values()))


class _Planner:
    """Builds the trials and the tuning of one plan."""

    def __init__(self, study: StudySpec, lock: Lock):
        self.study, self.jobs = study, Jobs(study, lock)

    def trial(self, cell: Cell, chosen: Mapping[str, Any]) -> Trial:
        """Return a trial with a score job for each evaluation."""
        metrics = self.study.metrics_of(cell.task)
        scores = {
            split: self.jobs.score(cell, chosen, split, metrics, cell.id)
            for split in self.study.evaluations
        }
        model = cell.model.name if cell.model else "-"
        return Trial(model, cell.method.name, cell.task.name, cell.seed, scores)

    def tuned(self, cell: Cell, known: Known) -> tuple[Job, Mapping[str, Any] | None]:
        """Return the last `select` job that there is to ask, and what it chose, or None.

        Where a choice lies at the edge of what was tried, another job follows that has one
        candidate more, beyond that edge, at most `extend` times.
        """
        candidates = list(cell.method.candidates)
        for left in range(self.study.extend, -1, -1):
            select = self.select(cell, candidates)
            answer = known(select.key)
            more = beyond(candidates, answer["index"]) if answer and left else None
            if more is None:
                break
            candidates.append(more)
        return select, answer and answer["options"]

    def select(self, tried: Cell, candidates: Sequence[Mapping[str, Any]]) -> Job:
        """Return the job that names the best of the tuning runs on dev."""
        metric = self.study.selects_by(tried.task)
        seed = self.study.tuning_seed if draws(tried.method, tried.task) else None
        cell = tried._replace(seed=seed)
        where = cell.id.rpartition("/")[0]
        scores = {
            str(n): self.jobs.score(cell, chosen, "dev", (metric,), f"{where} tuning {n + 1}")
            for n, chosen in enumerate(candidates)
        }
        better = load("smalltune.metrics", metric).better
        spec = {"metric": metric, "better": better, "candidates": list(candidates)}
        return job("select", spec, scores, label=f"select {where}")
