"""What is missing: from the answers that are wanted back to the jobs that must run for them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from smalltune.core.job import Job, Plan
from smalltune.core.store import Store

__all__ = ["Weights", "goals", "missing"]

Trainings = dict[str, list[tuple[bool, tuple[str, ...]]]]
"""Train jobs of a study: whether it keeps the weights, and the jobs that read them, per trial."""


def goals(plan: Plan, *, keep_weights: bool = False, until: str | None = None) -> Iterator[Job]:
    """Yield the jobs whose answers are wanted: all of the plan's, since papers read logs too.

    That an answer was once stored is enough; only of weights that are kept are the files wanted.

    With `until`, the jobs of that stage instead, and the tuning that comes before training.
    """
    if until is None:
        yield from plan.jobs()
    else:
        yield from (job for job in plan.jobs() if job.stage == until)
        yield from plan.open if until == "train" else ()
    if keep_weights:
        yield from (job for trial in plan.trials if (job := trial.job("train")))


def missing(wanted: Iterable[Job], store: Store, *, keep_weights: bool = False) -> dict[str, Job]:
    """Return the jobs that must run, by key, inputs first.

    A stored answer needs nothing behind it: its inputs may have been dropped. A job whose dropped
    files are needed, by another job or because weights are kept, must run again.
    """
    found: dict[str, Job] = {}
    for goal in wanted:
        whole = keep_weights and goal.stage == "train"
        if not (store.has(goal.key) if whole else store.known(goal.key)):
            _walk(goal, store, found)
    return found


def _walk(job: Job, store: Store, found: dict[str, Job]) -> None:
    if job.key in found:
        return
    for needed in job.inputs.values():
        if not store.has(needed.key):
            _walk(needed, store, found)
    found[job.key] = job


@dataclass
class Weights:
    """Drops trained weights once everything of any study that reads them is stored."""

    plan: Plan
    store: Store
    keep: bool

    def __post_init__(self) -> None:
        """Note which jobs read which weights."""
        self._others: dict[str, tuple[object, Trainings]] = {}
        self._readers: dict[str, set[str]] = {}
        for job in self.plan.jobs():
            weights = job.inputs.get("weights")
            if weights:
                self._readers.setdefault(weights.key, set()).add(job.key)

    def read(self, key: str) -> bool:
        """Tell whether everything of this plan that reads a train job's weights is stored."""
        return all(self.store.known(reader) for reader in self._readers.get(key, ()))

    def drop(self, keys: Iterable[str] | None = None) -> int:
        """Drop what nothing needs any more, among these train jobs or all; return bytes freed."""
        if self.keep:
            return 0
        freed = 0
        for key in self._readers if keys is None else keys:
            if self.read(key) and self.store.has(key) and not self._kept_elsewhere(key):
                files = self.store.manifest(key)["files"]
                freed += self.store.drop(key, [n for n in files if n.startswith("weights")])
        return freed

    def _kept_elsewhere(self, key: str) -> bool:
        """Tell whether another study of this store keeps or still has to read the weights."""
        return any(
            kept or not all(map(self.store.known, readers))
            for study in self.store.studies()
            if study != self.plan.study
            for kept, readers in self._trainings(study).get(key, ())
        )

    def _trainings(self, study: str) -> Trainings:
        """Return another study's trained weights; its plan is read again when it has changed."""
        stamp = self.store.plan_stamp(study)
        if self._others.get(study, (None, {}))[0] != stamp:
            record, found = self.store.read_plan(study), Trainings()
            for trial in record["trials"]:
                readers = (*trial["predict"].values(), *filter(None, [trial.get("loss")]))
                found.setdefault(trial["train"], []).append(
                    (bool(record.get("keep_weights")), readers)
                )
            self._others[study] = (stamp, found)
        return self._others[study][1]
