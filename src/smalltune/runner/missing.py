"""What is missing: from the answers that are wanted back to the jobs that must run for them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from smalltune.core.job import HEAVY, Job, Plan
from smalltune.core.store import Store

__all__ = ["Weights", "goals", "missing"]

Readers = dict[str, list[str]]
"""The jobs that read a model or weights, by the key of the job that left them."""


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
        for trial in plan.trials:
            own = trial.job("train")
            yield from (*trial.built, *([own] if own else []))


def missing(wanted: Iterable[Job], store: Store, *, keep_weights: bool = False) -> dict[str, Job]:
    """Return the jobs that must run, by key, inputs first.

    A stored answer needs nothing behind it: its inputs may have been dropped. A job whose dropped
    files are needed, by another job or because weights are kept, must run again.
    """
    found: dict[str, Job] = {}
    for goal in wanted:
        whole = keep_weights and goal.stage in HEAVY
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
    """Drops weights and models once everything of any study that reads them is stored."""

    plan: Plan
    store: Store
    keep: bool

    def __post_init__(self) -> None:
        """Note which jobs read which weights."""
        self._others: dict[str, tuple[object, bool, Readers]] = {}
        self._readers = self.plan.readers()

    def read(self, key: str) -> bool:
        """Tell whether everything of this plan that reads what a job left is stored."""
        return all(self.store.known(reader) for reader in self._readers.get(key, ()))

    def drop(self, keys: Iterable[str] | None = None) -> int:
        """Drop what nothing needs any more, of these jobs or all; return the bytes freed."""
        if self.keep:
            return 0
        freed = 0
        for key in self._readers if keys is None else keys:
            if self.read(key) and self.store.has(key) and not self._kept_elsewhere(key):
                manifest = self.store.manifest(key)
                folder = f"{HEAVY[manifest['stage']]}/"
                freed += self.store.drop(
                    key, [n for n in manifest["files"] if n.startswith(folder)]
                )
        return freed

    def _kept_elsewhere(self, key: str) -> bool:
        """Tell whether another study of this store keeps or still has to read the weights."""
        for study in self.store.studies():
            if study != self.plan.study:
                keeps, readers = self._of(study)
                if key in readers and (keeps or not all(map(self.store.known, readers[key]))):
                    return True
        return False

    def _of(self, study: str) -> tuple[bool, Readers]:
        """Return whether another study keeps its weights, and their readers; read when changed."""
        stamp = self.store.plan_stamp(study)
        if study not in self._others or self._others[study][0] != stamp:
            record = self.store.read_plan(study)
            readers = record.get("readers") or _of_trials(record)
            self._others[study] = (stamp, bool(record.get("keep_weights")), readers)
        return self._others[study][1:]


def _of_trials(record: Mapping[str, Any]) -> Readers:
    """Return the readers in a plan that was written before it named them."""
    found: Readers = {}
    for trial in record["trials"]:
        readers = found.setdefault(trial["train"], [])
        readers += [*trial["predict"].values(), *filter(None, [trial.get("loss")])]
    return found
